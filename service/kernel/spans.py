"""Spans of days that callers ask for: half-open, by the calendar, as they write them. Pure."""

import re
from datetime import date, timedelta
from typing import Final

import msgspec

from service.kernel.errors import Invalid

FIRST_DAY: Final = date(1970, 1, 2)
"""Before it nothing is told: there are no ids of such a time."""
_DEFAULT_DAYS: Final = 365
_MOST_DAYS: Final = 3_660
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Span(msgspec.Struct, frozen=True):
    """The days from `first` to before `to`."""

    first: date
    to: date

    @property
    def days(self) -> int:
        """How many they are."""
        return (self.to - self.first).days


def span_of(
    first: str | None,
    to: str | None,
    *,
    until: date,
    days: int = _DEFAULT_DAYS,
    names: tuple[str, str] = ("from", "to"),
) -> Span:
    """Read the days that are asked for: without an end those before `until`, without a beginning so many `days`.

    Raises Invalid, with a pointer to the one of the parameters (`names`) that makes no span: what is no day of the
    calendar, what lies before 1970-01-02, what ends before it begins, and more than 3,660 days.
    """
    its_first, its_to = (f"?{name}" for name in names)
    end = until if to is None else _day_of(to, its_to)
    if end <= FIRST_DAY:
        raise Invalid(f"This is after {FIRST_DAY}.", pointer=its_to, reason="out_of_range")
    begin = max(FIRST_DAY, end - timedelta(days=days)) if first is None else _day_of(first, its_first)
    if begin < FIRST_DAY:
        raise Invalid(f"This is {FIRST_DAY} or later.", pointer=its_first, reason="out_of_range")
    if begin >= end:
        detail = f"Begin before `{names[1]}`: that day itself is not in the report."
        raise Invalid(detail, pointer=its_first, reason="out_of_range")
    if (end - begin).days > _MOST_DAYS:
        detail = f"A report is of at most {_MOST_DAYS:,} days: begin later."
        raise Invalid(detail, pointer=its_first, reason="out_of_range")
    return Span(begin, end)


def _day_of(text: str, pointer: str) -> date:
    """Read a day. Raises Invalid."""
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise Invalid("This is a day: 2026-07-01.", pointer=pointer, reason="invalid_format")
    return found
