"""Bodies: strict JSON, and pointers to what is wrong."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from service.kernel.errors import Invalid, Refusal
from service.platform.http.body import DEEPEST, Envelope, Undecodable, check_syntax, decode
from service.purchases.rules import Purchase

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct in a struct."""

    count: int = 0
    sizes: dict[Annotated[str, Meta(pattern="^[a-z]+$")], int] = {}
    parts: dict[str, "Inner"] = {}


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is decoded here."""

    inner: Inner = Inner()
    items: list[Inner] = []
    at: Annotated[datetime, Meta(tz=True)] | None = None
    free: Any = None


class Entries(Envelope, frozen=True):
    """A bulk call."""

    entries: list[msgspec.Raw]


_ODD_PURCHASE = rb'\{("(id|total|items|metadata)":[\[{"0-9e\\u}\].+-]{0,8},?)+\}'


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@given(values, st.booleans())
def test_all_json_passes_and_means_what_it_says(value: object, ascii_only: bool) -> None:  # noqa: FBT001
    raw = json.dumps({"free": value}, ensure_ascii=ascii_only).encode()
    check_syntax(raw)
    assert decode(raw, Outer).free == value


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]",:\\u0dD8e+-.19 truefalsn\n')).map(str.encode))
def test_what_is_no_json_is_refused_and_never_fails(raw: bytes) -> None:
    try:
        expected = json.loads(raw.decode()) is not ...
    except ValueError:
        expected = False
    try:
        check_syntax(raw)
    except Undecodable:
        assert not expected or b"NaN" in raw or b"Infinity" in raw or raw.count(b'"') >= 4
    else:
        assert expected


@given(st.binary(max_size=80) | st.from_regex(_ODD_PURCHASE, fullmatch=True))
def test_a_purchase_is_decoded_or_refused(raw: bytes) -> None:
    try:
        check_syntax(raw)
        decode(raw, Purchase)
    except Refusal:
        pass


@given(st.integers(0, 3), values)
def test_levels_are_counted_outside_texts(surplus: int, value: object) -> None:
    brackets = json.dumps("[{" * 50 + '\\"' + json.dumps(value)).encode()
    raw = b"[" * (DEEPEST - 2 + surplus) + brackets + b"]" * (DEEPEST - 2 + surplus)
    if surplus <= 2:
        check_syntax(raw)
    else:
        with pytest.raises(Undecodable):
            check_syntax(raw)


@pytest.mark.parametrize(
    "raw",
    [
        nested(DEEPEST + 1),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"]" * 100_000 + b"[" * 100_000,
        b'"' + b"[" * 100_000,
        b"[" * 65 + b'\\"' * 500_000,
        b"[" * 65 + b'"\\' * 500_000,
        b'"' * 500_001 + b"[" * 65,
        b"\\" * 500_000 + b"[" * 65,
    ],
)
def test_a_million_brackets_quotes_and_backslashes_are_refused_in_one_pass(raw: bytes) -> None:
    with pytest.raises(Undecodable):
        check_syntax(raw)


def test_64_levels_pass() -> None:
    check_syntax(nested(DEEPEST))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"a":1,"a":1}}]',
        b'{"":1,"":1}',
        b'{"\xc3\xa4":1,"\\u00e4":2}',
    ],
)
def test_a_key_twice_in_one_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Undecodable, match="twice"):
        check_syntax(raw)


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "1" * 5000, "1e400", "1E400", "-1e400"])
@pytest.mark.parametrize("beside", ["", r',"free":"\u0041"'])
def test_a_number_beyond_all_bounds_is_content_not_syntax(number: str, beside: str) -> None:
    raw = f'{{"inner":{{"count":{number}}}{beside}}}'.encode()
    check_syntax(raw)
    with pytest.raises(Invalid) as refused:
        decode(raw, Outer)
    assert (refused.value.pointer, refused.value.reason) == ("/inner/count", "out_of_range")


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        ({"inner": {"count": "5"}}, "/inner/count", "type"),
        ({"inner": {"count": 5.0}}, "/inner/count", "type"),
        ({"inner": {"count": True}}, "/inner/count", "type"),
        ({"inner": {"count": None}}, "/inner/count", "type"),
        ({"inner": []}, "/inner", "type"),
        ({"items": [{}, {"count": 1}, {"count": "x"}]}, "/items/2/count", "type"),
        ({"items": {}}, "/items", "type"),
        ({"at": "2026-01-02T10:00:00"}, "/at", "naive_time"),
        ({"at": "yesterday"}, "/at", "invalid_format"),
        ({"nope": 1}, "/nope", "unknown_field"),
        ({"a/b": 1}, "/a~1b", "unknown_field"),
        ({"a~b": 1}, "/a~0b", "unknown_field"),
        ({"~1": 1}, "/~01", "unknown_field"),
        ({"a.b[0]": 1}, "/a.b[0]", "unknown_field"),
        ({"a\nb": 1}, "/a\nb", "unknown_field"),
        ({"": 1}, "/", "unknown_field"),
        ({"`": 1}, "/`", "unknown_field"),
        ({"inner": {"x": 1}}, "/inner/x", "unknown_field"),
        ({"items": [{"a/b": 1}]}, "/items/0/a~1b", "unknown_field"),
        ({"inner": {"sizes": {"UP": 1}}}, "/inner/sizes", "invalid_format"),
        ({"inner": {"sizes": {"up": "x"}}}, "/inner/sizes/up", "type"),
        ({"inner": {"sizes": {"a": 1, "b": 1, "c": "x", "d": 1, "e": "x"}}}, "/inner/sizes/c", "type"),
        ({"inner": {"parts": {"a": {"nope": 1}}}}, "/inner/parts/a/nope", "unknown_field"),
        (
            {"inner": {"parts": {"a/b": {}, ".[0]": {"parts": {"": {"sizes": 5}}}}}},
            "/inner/parts/.[0]/parts//sizes",
            "type",
        ),
        (
            {"items": [{"parts": {"a": {"count": 1}}}, {"parts": {"~": {"count": "x"}}}]},
            "/items/1/parts/~0/count",
            "type",
        ),
        ({"free": {"a/b": ["x", {"c~d": "\x00"}]}}, "/free/a~1b/1/c~0d", "invalid_character"),
        ({"free": "\ud800"}, "/free", "invalid_character"),
        ({"free": {"k\udfff": 1}}, "/free", "invalid_character"),
        ([], "", "type"),
        (None, "", "type"),
        ("x", "", "type"),
    ],
)
def test_a_refusal_points_at_the_field(content: object, pointer: str, reason: str) -> None:
    raw = json.dumps(content).encode()
    check_syntax(raw)
    with pytest.raises(Invalid) as refused:
        decode(raw, Outer)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def test_a_refusal_points_at_the_mapping_where_its_entries_are_too_many_to_look_through() -> None:
    for count, pointer in ((5, "/inner/sizes/x"), (10_000, "/inner/sizes")):
        sizes = {"a" * (number + 1): 1 for number in range(5)} | {"x": "1"} | dict.fromkeys(map(str, range(count)), 1)
        with pytest.raises(Invalid) as refused:
            decode(json.dumps({"inner": {"sizes": sizes}}).encode(), Outer)
        assert (refused.value.pointer, refused.value.reason) == (pointer, "type")


@pytest.mark.parametrize("number", ["1e400", "1" * 5000])
def test_a_refusal_points_at_the_mapping_where_its_entries_can_t_be_read(number: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode(f'{{"inner":{{"sizes":{{"a":{number}}}}}}}'.encode(), Outer)
    assert refused.value.pointer == "/inner/sizes"


class Moment(msgspec.Struct, frozen=True):
    """Texts that have a form."""

    at: datetime | None = None
    day: date | None = None
    way: Literal["up", "down"] | None = None
    code: Annotated[str, Meta(pattern="^[a-z]+$")] | None = None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"at": "yesterday"}, "2026-11-21T10:00:00Z"),
        ({"at": "2026-11-21"}, "2026-11-21T10:00:00Z"),
        ({"day": "21.11.2026"}, "written as 2026-11-21."),
        ({"way": "left"}, "none of the values"),
        ({"code": "A"}, "the form that the documentation tells"),
    ],
)
def test_a_text_without_its_form_is_told_what_that_is(content: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid) as told:
        decode(json.dumps(content).encode(), Moment)
    assert said in told.value.detail
    assert told.value.reason == "invalid_format"


@given(st.text(st.sampled_from("canry` -at$.[]0"), min_size=1, max_size=30))
def test_a_detail_never_repeats_what_the_caller_sent(name: str) -> None:
    field = f"canary{name}"
    for content in ({field: 1}, {"inner": {field: 1}}, {"items": [{field: 1}]}, {"at": field}, {"inner": field}):
        with pytest.raises(Invalid) as refused:
            decode(json.dumps(content).encode(), Outer)
        assert "canary" not in refused.value.detail


@pytest.mark.parametrize(
    "entry",
    [
        rb'{"a":"\ud800"}',
        rb'{"a":"\udc00\ud800"}',
        rb'{"\ud800":1}',
        rb'{"a":"\ud800\u0041"}',
        rb'["\uDBFF"]',
        rb'"\u0000"',
        rb'"\ud800\\udc00"',
    ],
)
def test_a_bad_character_is_the_fault_of_its_entry_alone(entry: bytes) -> None:
    raw = b'{"entries":[1,' + entry + b"]}"
    check_syntax(raw)
    first, second = decode(raw, Entries).entries
    assert decode(first, int) == 1
    with pytest.raises(Invalid) as refused:
        decode(second, Purchase)
    assert refused.value.reason == "invalid_character"


@given(texts)
def test_an_entry_comes_out_of_its_envelope_as_it_went_in(text: str) -> None:
    for raw in (json.dumps({"entries": [text]}), json.dumps({"entries": [text]}, ensure_ascii=False)):
        check_syntax(raw.encode())
        (entry,) = decode(raw.encode(), Entries).entries
        assert decode(entry, str) == text
