"""Each field of a purchase, out of its bounds and at them; and JSON as the JSON test suites write it."""

import json
from typing import Any

import pytest

from service.platform.roles import Role
from tests.shop import Answer, Shop, purchase, unique


def with_raw(field: str, text: str) -> bytes:
    """Make a purchase with a field written exactly so."""
    body = json.dumps(purchase() | {field: "@@"})
    return body.replace('"@@"', text).encode()


async def sent(shop: Shop, raw: bytes) -> Answer:
    return await shop.call("POST", "/v1/purchases", raw=raw)


NO_AMOUNTS = (
    "-1",
    "1000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1" * 400,
    "1" * 5000,
    "-" + "9" * 5000,
    "5.0",
    "5.5",
    "1e3",
    "1E400",
    "-1e400",
    '"5"',
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[5]",
    '""',
)


@pytest.mark.parametrize("field", ["total", "tax", "shipping", "points_paid"])
async def test_an_amount_is_a_whole_number_up_to_10_to_12(shop: Shop, field: str) -> None:
    for text in NO_AMOUNTS:
        answer = await sent(shop, with_raw(field, text))
        assert (answer.status, answer.pointer) == (422, f"/{field}"), (text[:30], answer.text)


OUT_OF_BOUNDS: dict[str, list[Any]] = {
    "id": ["", " ", " a", "a ", "a\n", "\n", "a\tb", "ä", "\u200b", "x" * 129, 5, None, True, ["a"], ...],
    "customer_id": ["", " a", "a ", "ä", "x" * 129, 5, None, ...],
    "currency": ["eur", "EU", "EURO", "", "XAU", "XXX", "XTS", "DEM", "EUR\n", " EUR", "€", 978, None, ...],
    "total": [...],
    "occurred_at": [
        "2026-01-02T10:00:00",
        "2026-01-02",
        "2026-01-02T10:00Z",
        "20260102T100000Z",
        "",
        "now",
        " 2026-01-02T10:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-02T10:00:60Z",
        "2026-01-02T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "2026-01-02T10:00:00+24:00",
        "2026-01-02T10:00:00 Europe/Berlin",
        "-2026-01-02T10:00:00Z",
        1767348000,
        1767348000.5,
        None,
        True,
        ...,
    ],
    "channel": ["", "x" * 129, 5, []],
    "items": [None, {}, "x", [5], [None], [{}]],
    "metadata": [None, [], "x", 5],
}


@pytest.mark.parametrize("field", OUT_OF_BOUNDS)
async def test_a_field_out_of_its_bounds_is_pointed_at(shop: Shop, field: str) -> None:
    for value in OUT_OF_BOUNDS[field]:
        refused = await shop.buy(**{field: value})
        assert refused.status == 422, (value, refused.text)
        pointer = refused.pointer
        assert pointer == f"/{field}" or (field == "items" and pointer.startswith("/items/0")), (value, pointer)
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404


ITEMS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"amount": 1}, "/items/1/id"),
    ({"id": "2"}, "/items/1/amount"),
    ({"id": "1", "amount": 1}, "/items/1/id"),
    ({"id": "2", "amount": -1}, "/items/1/amount"),
    ({"id": "2", "amount": 1, "quantity": 0}, "/items/1/quantity"),
    ({"id": "2", "amount": 1, "quantity": 1_000_001}, "/items/1/quantity"),
    ({"id": "2", "amount": 1, "quantity": 1.0}, "/items/1/quantity"),
    ({"id": "2", "amount": 1, "sku": ""}, "/items/1/sku"),
    ({"id": "2", "amount": 1, "a/b": 1}, "/items/1/a~1b"),
    ({"id": "ä", "amount": 1}, "/items/1/id"),
    ({"id": "2", "amount": 10**12 + 1}, "/items/1/amount"),
    ({"id": "2", "amount": 1, "category": "\x00"}, "/items/1/category"),
)


async def test_an_item_out_of_bounds_is_pointed_at(shop: Shop) -> None:
    for item, pointer in ITEMS:
        refused = await shop.buy(items=[{"id": "1", "amount": 1}, item])
        assert refused.pointer == pointer, item


AT_BOUNDS: tuple[dict[str, Any], ...] = (
    {"total": 0},
    {"total": 10**12, "tax": 10**12, "shipping": 10**12, "points_paid": 10**12},
    {"currency": "JPY"},
    {"currency": "KWD"},
    {"occurred_at": "2026-01-02t10:00:00z"},
    {"occurred_at": "2026-01-02T10:00:00.123456789Z"},
    {"occurred_at": "2026-01-02T10:00:00-00:00"},
    {"occurred_at": "2026-01-02T10:00:00+23:59"},
    {"occurred_at": "0001-01-02T00:00:00Z"},
    {"occurred_at": "1900-02-28T00:00:00+00:00"},
    {"channel": None},
    {"channel": "x" * 128},
    {"channel": "\U0001f375 tea\u2028"},
    {"items": [{"id": "1", "amount": 0, "quantity": 10**6}]},
    {"id": "!"},
    {"id": "~" * 128},
    {"id": "a b/c%2F?#+"},
    {"metadata": {}},
    {"metadata": {"": ""}},
)


async def test_a_purchase_at_its_bounds_is_booked(shop: Shop) -> None:
    for change in AT_BOUNDS:
        body = purchase(**change)
        assert (await shop.post("/v1/purchases", body)).status == 201, change
        assert (await shop.post("/v1/purchases", body)).status == 200, change


async def test_any_number_that_metadata_take_is_given_back(shop: Shop) -> None:
    for number in ("18446744073709551616", "-9223372036854775809", "1" * 300, "1e300", "1e-300", "-0.0"):
        raw = with_raw("metadata", f'{{"x":{number}}}')
        assert (await sent(shop, raw)).status == 201, number
        found = await shop.get(f"/v1/purchases/{json.loads(raw)['id']}")
        assert found.status == 200, found.text
        assert found.body["metadata"]["x"] == pytest.approx(json.loads(number), rel=1e-15)
        assert (await sent(shop, raw)).replayed, number


async def test_a_number_that_nothing_can_hold_is_refused(shop: Shop) -> None:
    for number in ("1e400", "-1e400", "1" * 5000):
        refused = await sent(shop, with_raw("metadata", f'{{"x":[{number}]}}'))
        assert refused.pointer == "/metadata"


async def test_64_levels_are_taken(shop: Shop) -> None:
    deep = with_raw("metadata", '{"a":' + "[" * 62 + "]" * 62 + "}")
    assert (await sent(shop, deep)).status == 201
    found = await shop.get(f"/v1/purchases/{json.loads(deep)['id']}")
    assert found.body["metadata"] == json.loads(deep)["metadata"]


async def test_points_beyond_10_to_12_are_refused_and_book_nothing(shop: Shop) -> None:
    rate = {"base_rule": {"rates": {"EUR": {"points": 10**6, "amount": 1}}}}
    change = {"settings": rate, "valid_from": "2026-01-01T00:00:00Z"}
    assert (await shop.call("PATCH", "/v1/program", change, role=Role.ADMIN)).status == 200
    assert (await shop.buy(id="order-1", total=10**6)).body["points"]["earned"] == 10**12
    refused = await shop.buy(id="order-2", total=10**6 + 1)
    assert refused.pointer == "/total"
    assert (await shop.get("/v1/purchases/order-2")).status == 404
    assert (await shop.balance("c-42"))["available"] == 10**12


async def test_no_text_as_a_referral_code_refuses_a_purchase(shop: Shop) -> None:
    for code in ("", " ", "x" * 129, "x" * 5000, "\U0001f600", "a\nb"):
        answer = await shop.buy(referral_code=code)
        assert answer.status == 201, (code[:10], answer.text)


# In the manner of JSONTestSuite: n_ must be refused, y_ taken, i_ may be either; each also stands in `metadata`.
REFUSED = {
    "n_array_1_true_without_comma": "[1 true]",
    "n_array_colon_instead_of_comma": '["": 1]',
    "n_array_comma_after_close": '[""],',
    "n_array_double_comma": "[1,,2]",
    "n_array_extra_comma": '["",]',
    "n_array_just_minus": "[-]",
    "n_array_unclosed": '["',
    "n_array_star_inside": "[*]",
    "n_array_newlines_unclosed": '["a",\n4\n,1,',
    "n_incomplete_true": "[tru]",
    "n_number_plus": "[+1]",
    "n_number_minus_01": "[-01]",
    "n_number_leading_zero": "[012]",
    "n_number_dot_start": "[.1]",
    "n_number_dot_end": "[1.]",
    "n_number_2.e3": "[2.e3]",
    "n_number_0e": "[0e]",
    "n_number_e_plus": "[1e+]",
    "n_number_hex": "[0x42]",
    "n_number_infinity": "[Infinity]",
    "n_number_minus_infinity": "[-Infinity]",
    "n_number_nan": "[NaN]",
    "n_number_minus_nan": "[-NaN]",
    "n_number_fullwidth_digit": "[\uff11]",
    "n_number_trailing_letter": "[1a]",
    "n_number_underscore": "[1_000]",
    "n_object_bracket_key": '{[: "x"}',
    "n_object_comma_instead_of_colon": '{"x", null}',
    "n_object_double_colon": '{"x"::"b"}',
    "n_object_garbage_at_end": '{"a":"a" 123}',
    "n_object_key_with_single_quotes": "{'a':0}",
    "n_object_missing_value": '{"a":}',
    "n_object_non_string_key": "{1:1}",
    "n_object_trailing_comma": '{"a":0,}',
    "n_object_trailing_comment": '{"a":"b"}/**/',
    "n_object_unquoted_key": '{a:"b"}',
    "n_object_repeated_null": "{null:null,null:null}",
    "n_string_backslash_00": '["\\\x00"]',
    "n_string_escape_x": '["\\x00"]',
    "n_string_incomplete_escape": '["\\"]',
    "n_string_incomplete_surrogate": '["\\uD834\\uDd"]',
    "n_string_invalid_unicode_escape": '["\\uqqqq"]',
    "n_string_short_escape": '["\\u00A"]',
    "n_string_escaped_emoji": '["\\\U0001f300"]',
    "n_string_unescaped_newline": '["a\nb"]',
    "n_string_unescaped_tab": '["\t"]',
    "n_string_single_quote": "['x']",
    "n_string_no_quotes": "[abc]",
    "n_structure_angle_bracket": "<.>",
    "n_structure_capitalized_true": "[True]",
    "n_structure_close_unopened": "1]",
    "n_structure_comment": "[1]//",
    "n_structure_double_array": "[][]",
    "n_structure_u2060": "[\u2060]",
    "n_structure_form_feed": "[\x0c]",
    "n_structure_nbsp": "[\xa0]",
    "n_structure_open_object_string": '{"a',
    "n_structure_lone_bom": "\ufeff",
    "n_structure_null_byte_outside_string": "[\x00]",
    "n_structure_trailing_hash": '{"a":"b"}#{}',
}
TAKEN = {
    "y_array_with_several_null": "[1,null,null,2]",
    "y_number_0e1": "[0e1]",
    "y_number_negative_zero": "[-0]",
    "y_number_real_capital_e": "[1E22]",
    "y_number_minus_one": "[-1]",
    "y_number_double_close_to_zero": "[-0.00000000000000001]",
    "y_object_empty_key": '{"":0}',
    "y_object_escaped_null_in_other_words": '["\\\\u0000"]',
    "y_string_allowed_escapes": '["\\"\\\\\\/\\b\\f\\n\\r\\t"]',
    "y_string_accepted_surrogate_pair": '["\\uD801\\udc37"]',
    "y_string_backslash_and_u_escaped_zero": '["\\\\u0000"]',
    "y_string_nonCharacterInUTF-8_U+FFFF": '["\uffff"]',
    "y_string_u+2028_line_sep": '["\u2028"]',
    "y_string_unescaped_del": '["\x7f"]',
    "y_string_in_array_with_leading_space": '[ "asd"]',
    "y_structure_whitespace_array": " [] ",
    "y_string_utf8": '["\u20ac\U0001d11e"]',
}
EITHER = {
    "i_number_huge_exp": "[1e" + "9" * 100 + "]",
    "i_number_neg_int_huge_exp": "[-1e+9999]",
    "i_number_pos_double_huge_exp": "[1.5e+9999]",
    "i_number_real_underflow": "[123e-10000000]",
    "i_number_too_big_neg_int": "[-" + "1" * 50 + "]",
    "i_object_key_lone_2nd_surrogate": '{"\\uDFAA":0}',
    "i_string_1st_surrogate_but_2nd_missing": '["\\uDADA"]',
    "i_string_inverted_surrogates": '["\\uDd1e\\uD834"]',
    "i_string_lone_second_surrogate": '["\\uDFAA"]',
    "i_string_invalid_lonely_surrogate": '["\\ud800abc"]',
    "i_structure_500_nested_arrays": "[" * 500 + "]" * 500,
    "i_structure_UTF-8_BOM_empty_object": "\ufeff{}",
}


async def test_what_must_be_refused_is_400(shop: Shop) -> None:
    for name, text in REFUSED.items():
        for raw in (text.encode(), with_raw("metadata", f'{{"x":{text}}}')):
            answer = await sent(shop, raw)
            assert (answer.status, answer.code) == (400, "undecodable"), (name, answer.text)


async def test_what_must_be_taken_is_booked_and_given_back(shop: Shop) -> None:
    for name, text in TAKEN.items():
        raw = with_raw("metadata", f'{{"x":{text}}}')
        assert (await sent(shop, raw)).status == 201, name
        found = await shop.get(f"/v1/purchases/{json.loads(raw)['id']}")
        assert found.body["metadata"] == json.loads(raw)["metadata"], name
        assert (await sent(shop, text.encode())).status == 422, name


async def test_what_may_be_either_is_never_a_fault(shop: Shop) -> None:
    for name, text in EITHER.items():
        for raw in (text.encode(), with_raw("metadata", f'{{"x":{text}}}')):
            assert (await sent(shop, raw)).status in {201, 400, 422}, name


async def test_a_text_with_brackets_and_quotes_is_a_text(shop: Shop) -> None:
    note = "[{" * 100 + '\\"\\\\' * 100
    order = unique("order")
    assert (await shop.buy(id=order, metadata={"note": note})).status == 201
    assert (await shop.get(f"/v1/purchases/{order}")).body["metadata"] == {"note": note}
