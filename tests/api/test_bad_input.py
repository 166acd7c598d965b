"""What can't be accepted, on every operation that takes a body: never a 5xx, always a problem, nothing half done."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from service.platform.roles import Role
from tests.api.operations import BODY_REQUIRED, BY_NAME, LISTS, WITH_BODY, Operation, stocked
from tests.shop import Answer, Shop, purchase

pytestmark = pytest.mark.long

BODY_BYTES, BULK_BYTES = 64 * 1024, 4 * 1024 * 1024
BULK = {"reportPurchases", "reportOpeningBalances"}

each_with_body = pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)

UNDECODABLE = {
    "malformed": b"{",
    "broken UTF-8": b'{"name":"\xff"}',
    "a surrogate as bytes": b'{"name":"\xed\xa0\x80"}',
    "UTF-16": '{"name":"x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a key twice": b'{"name":"a","name":"a"}',
    "a key twice, once escaped": b'{"name":"a","n\\u0061me":"a"}',
    "a key twice, further inside": b'{"a":[{"b":1,"b":2}]}',
    "65 levels": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "30,000 levels": b"[" * 30_000,
    "10,000 objects": b'{"a":' * 10_000,
    "NaN": b'{"name":NaN}',
    "Infinity": b'{"name":-Infinity}',
    "a NUL byte": b'{"name":"\x00"}',
    "only a blank": b" ",
    "two texts": b"{}{}",
}
INVALID = {
    "an array": (b"[]", ""),
    "null": (b"null", ""),
    "a text": (b'"x"', ""),
    "a number": (b"5", ""),
    "an unknown field": (b'{"nope":1}', "/nope"),
    "an unknown field to be escaped": (b'{"a/b~c":1}', "/a~1b~0c"),
    "an escaped NUL": (b'{"a":{"b/c":["\\u0000"]}}', "/a/b~1c/0"),
    "half a surrogate pair": (b'{"a":"\\ud800"}', "/a"),
}


async def state(shop: Shop) -> Any:
    """Read everything that a refused call could have changed."""
    paths = ["/v1/program", "/v1/api-keys", "/v1/rewards", "/v1/earning-rules", "/v1/activity-types", "/v1/tiers"]
    paths += ["/v1/customers", "/v1/referrals", "/v1/referral-offers", "/v1/customers/a%20known%2Fcustomer/referral"]
    paths.append("/v1/customers/a%20known%2Fcustomer/transactions")
    paths += [
        "/v1/invoices",
        "/v1/invoices/a%20known%2Finvoice/payments",
        "/v1/invoices/a%20known%2Finvoice/credit-notes",
    ]
    paths += ["/v1/campaigns", "/v1/customers/a%20known%2Fcustomer/surprises"]
    return [(await shop.get(path, Role.ADMIN)).text for path in paths]


def assert_problem(answer: Answer, status: int, what: object) -> None:
    """Assert that an answer is a problem of this status, in its whole shape."""
    assert answer.status == status, (what, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.body
    assert body["status"] == status
    assert body["type"] == f"urn:loyalty:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["request-id"]
    assert body["request_id"].startswith("req_")
    assert ("errors" in body) == (status == 422)
    for error in body.get("errors", []):
        assert set(error) == {"pointer", "code", "message"}


@each_with_body
async def test_an_undecodable_body_is_400(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    good_id = await known.id_for(operation)
    before = await state(shop)
    for what, raw in UNDECODABLE.items():
        assert_problem(await operation.call(shop, Role.ADMIN, id=good_id, raw=raw), 400, what)
    assert await state(shop) == before


@each_with_body
async def test_content_that_means_nothing_is_422_with_a_pointer(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    good_id = await known.id_for(operation)
    before = await state(shop)
    for what, (raw, pointer) in INVALID.items():
        answer = await operation.call(shop, Role.ADMIN, id=good_id, raw=raw)
        assert_problem(answer, 422, what)
        if operation.name not in BULK:  # an envelope's characters are looked at entry by entry
            by_kind = operation.name == "putPaymentTerms" and "unknown field" in what  # fields depend on the kind
            assert answer.pointer == ("/kind" if by_kind else pointer), what
    assert await state(shop) == before


@each_with_body
async def test_another_media_type_or_an_encoding_is_415(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    good_id, raw = await known.id_for(operation), json.dumps(operation.fresh_body()).encode()
    before = await state(shop)
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/problem+json",
        "application/vnd.api+json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "json",
        "",
        "application/json, text/plain",
        "text/json",
        "application/jsonx",
    ):
        headers = {"Content-Type": media_type}
        assert_problem(await operation.call(shop, Role.ADMIN, id=good_id, raw=raw, headers=headers), 415, media_type)
    for encoding in ("gzip", "br", "deflate, gzip", "identity, gzip", "utf-8"):
        headers = {"Content-Encoding": encoding}
        assert_problem(await operation.call(shop, Role.ADMIN, id=good_id, raw=raw, headers=headers), 415, encoding)
    assert await state(shop) == before


async def test_no_media_type_at_all_is_415(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.keys[Role.CHECKOUT]}"}
    async with shop.client.post(
        f"{shop.address}/v1/purchases", data=json.dumps(purchase()), headers=headers, skip_auto_headers=["Content-Type"]
    ) as answer:
        assert answer.status == 415


JSON_NAMES = (
    "application/json",
    "Application/JSON",
    "application/json;charset=utf-8",
    'application/json; charset="UTF-8"',
    "application/json;",
    "application/json; odata=verbose",
    "application/json ; charset=utf-8",
)


async def test_json_is_taken_under_each_of_its_names(shop: Shop) -> None:
    for media_type in JSON_NAMES:
        for encoding in ("identity", "Identity", ""):
            headers = {"Content-Type": media_type, "Content-Encoding": encoding}
            answer = await shop.call("POST", "/v1/purchases", purchase(), headers=headers)
            assert answer.status == 201, headers


@each_with_body
async def test_a_body_that_needs_content_is_not_empty(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    answer = await operation.call(shop, Role.ADMIN, id=await known.id_for(operation), raw=b"")
    if operation in BODY_REQUIRED:
        assert_problem(answer, 400, "empty")
    else:
        assert answer.status == operation.status


def padded(body: Any, size: int) -> bytes:
    """Write a body in exactly so many bytes."""
    raw = json.dumps(body).encode()
    return raw + b" " * (size - len(raw))


async def in_pieces(raw: bytes) -> AsyncIterator[bytes]:
    """Send without a Content-Length."""
    for start in range(0, len(raw), 10_000):
        yield raw[start : start + 10_000]


@each_with_body
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
async def test_the_greatest_body_is_taken_and_one_byte_more_is_413(
    shop: Shop, operation: Operation, *, chunked: bool
) -> None:
    known = await stocked(shop)
    limit = BULK_BYTES if operation.name in {*BULK, "loadCodes"} else BODY_BYTES
    for surplus, status in ((0, operation.status), (1, 413), (limit, 413)):
        raw = padded(operation.fresh_body(), limit + surplus)
        answer = await operation.call(
            shop, Role.ADMIN, id=await known.id_for(operation), raw=in_pieces(raw) if chunked else io.BytesIO(raw)
        )
        if status == 413:
            assert_problem(answer, 413, surplus)
        else:
            assert answer.status == status, answer.text


@each_with_body
async def test_what_can_be_no_idempotency_key_is_400(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    good_id = await known.id_for(operation)
    before = await state(shop)
    for key in ("", '""', "x" * 256, f'"{"x" * 256}"', "a b", "a\tb", "\xe9", "\u20ac"):
        answer = await operation.call(shop, Role.ADMIN, id=good_id, headers={"Idempotency-Key": key})
        assert_problem(answer, 400, key)
        assert answer.code == "idempotency_key_invalid"
    assert await state(shop) == before


@each_with_body
async def test_every_form_of_an_idempotency_key_is_taken(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    for key in ("x", "x" * 255, f'"{"y" * 255}"', "!~", '"', "{id}", "a,b;c=d"):
        answer = await operation.call(
            shop, Role.ADMIN, id=await known.id_for(operation), headers={"Idempotency-Key": key}
        )
        assert answer.status == operation.status, (key, answer.text)


BAD_QUERIES = {
    "limit": ("0", "201", "-1", "1.0", "1e1", "", "a", "%2B5", "%205", "9" * 20, "%D9%A3", "%00", "%ff", "true"),
    "cursor": ("", "x", "====", "AAAA", "A" * 23, "A" * 5000, "%00", "%ff", "..", "A" * 21 + "!", "%C3%A4", "null"),
}


@pytest.mark.parametrize("operation", LISTS, ids=lambda each: each.name)
async def test_a_bad_limit_or_cursor_is_422(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    path = operation.path.replace("{id}", await known.id_for(operation))
    for parameter, values in BAD_QUERIES.items():
        for value in values:
            answer = await shop.get(f"{path}?{parameter}={value}", Role.ADMIN)
            assert_problem(answer, 422, value)
            assert answer.pointer == f"?{parameter}", value


@pytest.mark.parametrize("operation", LISTS, ids=lambda each: each.name)
async def test_limits_at_their_bounds_and_any_well_formed_cursor_are_taken(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    path = operation.path.replace("{id}", await known.id_for(operation))
    size = 11 if operation.name in {"listCustomers", "listEvents"} or operation.name.endswith("Versions") else 22
    first = "f" if operation.name == "listEvents" else "_"  # the greatest place in a feed has 63 bits
    for query in ("limit=1", "limit=200", f"cursor={first}{'_' * (size - 2)}w", f"cursor={'A' * size}"):
        assert (await shop.get(f"{path}?{query}", Role.ADMIN)).status == 200, query


@each_with_body
async def test_a_flag_is_true_or_false(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    good_id = await known.id_for(operation)
    before = await state(shop)
    for value in ("True", "1", "", "yes", "%00"):
        path = f"{operation.path.replace('{id}', good_id)}?dry_run={value}"
        answer = await shop.call(operation.method, path, operation.fresh_body(), role=Role.ADMIN)
        assert_problem(answer, 422, value)
        assert answer.pointer == "?dry_run"
    assert await state(shop) == before


@each_with_body
async def test_a_dry_run_is_200_and_stores_nothing(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    path = f"{operation.path.replace('{id}', await known.id_for(operation))}?dry_run=true"
    before = await state(shop)
    body = operation.fresh_body()
    if operation.name == "changeProgram":
        body = {"name": "Dry", "settings": {"currency": "JPY"}}
    if operation.name in {
        "putCustomer",
        "changeReward",
        "changeEarningRule",
        "changeActivityType",
        "changeTier",
        "changeReferralOffer",
        "changeCampaign",
    }:
        body = {"name": "Dry"}
    answer = await shop.call(operation.method, path, body, role=Role.ADMIN)
    if operation.name in {"playGame", "openPortalSession"}:  # nobody shops for prizes, and a token is one
        assert_problem(answer, 422, "no dry run")
    else:
        assert answer.status == 200, answer.text
    assert await state(shop) == before


async def test_a_bad_character_refuses_its_entry_and_no_other(shop: Shop) -> None:
    bad = [rb'{"id":"\ud800"}', rb'{"a\udc00":1}', rb'"\ud800"', rb'{"id":"\u0000"}', b"5", b"null", b"[]", b"1e400"]
    raw = b'{"purchases":[' + json.dumps(purchase()).encode() + b"," + b",".join(bad) + b"]}"
    answer = await shop.call("POST", "/v1/purchases/batch", raw=raw)
    assert [result["status"] for result in answer.body["results"]] == [201] + [422] * len(bad)
    assert "request_id" not in answer.body["results"][1]["problem"]


ENVELOPES: tuple[dict[str, Any], ...] = (
    {},
    {"purchases": None},
    {"purchases": {}},
    {"purchases": "x"},
    {"purchases": []},
    {"purchases": [{}] * 501},
    {"purchases": [{}], "more": 1},
)


async def test_a_fault_of_the_envelope_refuses_the_batch(shop: Shop) -> None:
    for body in ENVELOPES:
        answer = await shop.post("/v1/purchases/batch", body)
        assert_problem(answer, 422, str(body)[:50])
        assert answer.pointer in {"/purchases", "/more"}


async def test_a_caller_who_leaves_in_the_middle_of_a_body_harms_nobody(shop: Shop) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b'{"id":"order-1","customer_id":"c-42",'
        raise ConnectionAbortedError

    for _ in range(3):
        with pytest.raises(aiohttp.ClientError):
            await BY_NAME["reportPurchase"].call(shop, Role.CHECKOUT, raw=breaks_off())
    assert (await shop.buy(id="order-1")).status == 201


async def test_the_oldest_time_of_the_calendar_harms_nobody(shop: Shop) -> None:
    # A database has no such time: the driver would write "for ever ago" and read back a time without a zone.
    refused = await shop.buy(occurred_at="0001-01-01T00:00:00Z")
    assert (refused.status, refused.pointer) == (422, "/occurred_at")
    for occurred_at in ("0001-01-01T00:00:00.000001Z", "0001-01-01T00:00:01Z", "2026-01-02T10:00:00Z"):
        assert (await shop.buy(occurred_at=occurred_at)).status == 201, occurred_at
    history = await shop.get("/v1/customers/c-42/transactions")
    assert history.body["data"][-1]["occurred_at"] == "0001-01-01T00:00:00.000001Z"
