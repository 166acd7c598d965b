"""Ids: of callers and of the service."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.ids import (
    CallerId,
    IdSource,
    from_wire,
    is_caller_id,
    lowest_id_at,
    randomness_of,
    time_ordered_id,
    to_wire,
)

moments = st.datetimes(datetime(1970, 1, 2), datetime(2300, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
randomness = st.integers(0, 2**62 - 1)
visible = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def accepted_on_the_wire(text: str) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(text), type=CallerId)
    except msgspec.ValidationError:
        return False
    return True


@given(st.text(visible, min_size=1, max_size=130))
def test_printable_ascii_without_blanks_at_the_ends_is_a_callers_id(text: str) -> None:
    expected = len(text) <= 128 and text == text.strip(" ")
    assert is_caller_id(text) == accepted_on_the_wire(text) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=5))
def test_nothing_else_is_a_callers_id(text: str) -> None:
    expected = text != "" and text == text.strip(" ") and all(" " <= character <= "~" for character in text)
    assert is_caller_id(text) == accepted_on_the_wire(text) == expected


@pytest.mark.parametrize("text", ["", " ", "a\n", "\na", "a\x7f", "ä", "a ", " a", "x" * 129, "\u0663"])
def test_a_text_at_the_edge_is_no_callers_id(text: str) -> None:
    assert not is_caller_id(text)
    assert not accepted_on_the_wire(text)


@given(moments, randomness)
def test_an_id_of_the_services_is_a_uuid_of_version_7_of_its_time(at: datetime, bits: int) -> None:
    made = time_ordered_id(at, bits)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert randomness_of(made) == bits


@given(moments, moments, randomness, randomness)
def test_ids_order_by_the_microsecond(one: datetime, other: datetime, bits: int, other_bits: int) -> None:
    first, second = time_ordered_id(one, bits), time_ordered_id(other, other_bits)
    if one != other:
        assert (first < second) == (one < other)


@given(moments, randomness, st.integers(2, 50))
def test_ids_of_one_booking_are_different_and_keep_their_order(at: datetime, bits: int, count: int) -> None:
    source = IdSource(at, bits)
    made = [source.next() for _ in range(count)]
    assert all(before < after for before, after in pairwise(made))


@given(moments, randomness)
def test_a_partitions_bound_is_not_above_any_id_of_its_time(at: datetime, bits: int) -> None:
    begin = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert lowest_id_at(begin) <= time_ordered_id(at, bits)
    assert time_ordered_id(begin - timedelta(microseconds=1), bits) < lowest_id_at(begin)


@given(st.sampled_from(["txn", "key", "hold"]), st.uuids())
def test_an_id_is_read_back_from_the_wire(prefix: str, value: UUID) -> None:
    assert from_wire(prefix, to_wire(prefix, value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "txn",
        "txn_",
        "txn_0",
        f"txn_{'0' * 31}",
        f"txn_{'0' * 33}",
        f"txn_{'A' * 32}",
        f"txn_{'g' * 32}",
        f"key_{'0' * 32}",
        f"TXN_{'0' * 32}",
        f"txn_{'0' * 32} ",
        f" txn_{'0' * 32}",
        f"txn_{chr(0x660) * 32}",
        f"txn_0x{'0' * 30}",
        f"txn_{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}",
        f"txn_{'_' * 32}",
        f"txn_{{{'0' * 30}}}",
        f"{'0' * 32}",
    ],
)
def test_what_was_never_written_is_not_read(text: str) -> None:
    assert from_wire("txn", text) is None


@given(st.text(max_size=40))
def test_reading_an_id_fails_for_no_text(text: str) -> None:
    read = from_wire("txn", text)
    assert read is None or to_wire("txn", read) == text
