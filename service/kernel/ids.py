"""Ids: those that callers make are kept as given, those that the service makes are time-ordered UUIDs with a prefix."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta

CALLER_ID_PATTERN = r"^[!-~](?:[ -~]{0,126}[!-~])?$(?!\n)"
_caller_id = re.compile(CALLER_ID_PATTERN)
_HEX_DIGITS = re.compile("[0-9a-f]{32}")

_DESCRIPTION = "An id of the caller's own: 1 to 128 printable ASCII characters without blanks at the ends."
CallerId = Annotated[str, Meta(pattern=CALLER_ID_PATTERN, max_length=128, description=_DESCRIPTION)]

GREATEST_ID: Final = UUID(int=(1 << 128) - 1)
"""Behind every id: where a list that is given newest first begins."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RANDOM_MASK = (1 << 62) - 1


def is_caller_id(text: str) -> bool:
    """Tell whether a text can be an id of a caller's; what can't be one need not be looked for."""
    return _caller_id.match(text) is not None


def time_ordered_id(at: datetime, randomness: int) -> UUID:
    """Make a UUIDv7 that orders by the microsecond.

    RFC 9562, section 6.2, method 3: the 12 bits behind the millisecond hold the microseconds within it (times 4), so
    that ids of one transaction keep their order and fall into the partition of their time. `at` is the database's
    time; `randomness` is at least 62 random bits, of which the lowest 62 are used.
    """
    return _of_microsecond((at - _EPOCH) // _MICROSECOND, randomness)


def _of_microsecond(at: int, randomness: int) -> UUID:
    milliseconds, microseconds = divmod(at, 1000)
    high = milliseconds << 16 | 0x7000 | microseconds << 2
    return UUID(int=high << 64 | 0x8000_0000_0000_0000 | randomness & _RANDOM_MASK)


class IdSource:
    """Makes the ids of one booking: each a microsecond after the one before, so that they keep their order.

    `at` is the database's time, `entropy` at least 62 random bits. Ids of one source share the bits, which is enough:
    two sources with the same bits would have to begin within the same microseconds.
    """

    def __init__(self, at: datetime, entropy: int) -> None:
        self._at = (at - _EPOCH) // _MICROSECOND
        self._entropy = entropy

    def next(self, randomness: int | None = None) -> UUID:
        """Make the next id, from random bits of its own where they are given."""
        made = _of_microsecond(self._at, self._entropy if randomness is None else randomness)
        self._at += 1
        return made


def randomness_of(value: UUID) -> int:
    """Return the 62 random bits of an id that `time_ordered_id` made."""
    return value.int & _RANDOM_MASK


def lowest_id_at(at: datetime) -> UUID:
    """Return the bound below all ids of `at` and later: where a partition begins."""
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    return UUID(int=milliseconds << 80)


def to_wire(prefix: str, value: UUID) -> str:
    """Write an id of the service's for callers: `to_wire("txn", id)` gives `txn_` and 32 hexadecimal digits."""
    return f"{prefix}_{value.hex}"


def from_wire(prefix: str, text: str) -> UUID | None:
    """Read an id back; None for anything that `to_wire` with this prefix can't have written."""
    head, _, digits = text.partition("_")
    if head != prefix or _HEX_DIGITS.fullmatch(digits) is None:
        return None
    return UUID(hex=digits)
