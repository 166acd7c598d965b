"""The calendar: days that begin in a time zone; months, quarters, half-years and years of dates. Pure.

Days follow each other without gaps and overlaps, as half-open periods: [start_of_day(day), end_of_day(day)). What would
come after 9999-12-31 is None here, which means never.
"""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Sequence
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_MOMENT: Final = timedelta(microseconds=1)
_MONTHS_IN_YEAR: Final = 12


class Period(Enum):
    """A part of the calendar year that ends with the last day of a month."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


_MONTHS: Final = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}


@lru_cache(maxsize=4096)
def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a local day, in UTC.

    That is midnight; the first of two; or, where the clock jumps over midnight, the moment of the jump. A day that the
    zone left out (Pacific/Apia, 2011-12-30) begins and ends with the next. What would lie before the year 1 in UTC is
    its first moment.
    """
    midnight = datetime.combine(day, time.min, zone)
    try:
        start = midnight.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
    if _clock(start, zone) == datetime.combine(day, time.min):
        return start
    # PEP 495: in a jump, fold=1 reads the clock with the offset after it, and so gives a moment before it.
    before = midnight.replace(fold=1).astimezone(UTC)
    seconds = range(int((start - before).total_seconds()))
    jump = bisect_left(seconds, day, key=lambda passed: _clock(before + timedelta(seconds=passed), zone).date())
    return before + timedelta(seconds=jump)


def end_of_day(day: date, zone: ZoneInfo) -> datetime | None:
    """Return the first moment, in UTC, that is no longer in a local day; None for 9999-12-31."""
    tomorrow = add_days(day, 1)
    return None if tomorrow is None else start_of_day(tomorrow, zone)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the local day of a moment: the last day that has begun by then.

    That is what the calendar on the wall shows, unless the clock was put back over midnight: the hour that comes a
    second time belongs to the day that has begun already. So a later moment is never in an earlier day. At the ends of
    the calendar, where the wall would show the year 0 or 10000, it is the first or the last day.
    """
    for start, end, day in _days_around(moment.date(), zone):
        if start <= moment < end:
            return day
    try:
        day = _clock(moment, zone).date()
    except OverflowError:
        return date.min if moment.year == date.min.year else date.max
    end = end_of_day(day, zone)
    return day if end is None or moment < end else day + _DAY


def today_in(now: datetime, time_zone: str) -> date:
    """Return the day that it is in a zone of the IANA database."""
    return day_of(now, ZoneInfo(time_zone))


@lru_cache(maxsize=4096)
def _days_around(day: date, zone: ZoneInfo) -> Sequence[tuple[datetime, datetime, date]]:
    """Return the days of a zone, with their beginnings and ends, of a moment which anywhere is in this day."""
    found = list[tuple[datetime, datetime, date]]()
    for days in (0, 1, -1, 2, -2):
        try:
            near = day + timedelta(days=days)
        except OverflowError:
            continue
        end = end_of_day(near, zone)
        if end is not None:
            found.append((start_of_day(near, zone), end, near))
    return found


def moment_of(day: date, time_zone: str, now: datetime) -> datetime:
    """Return the moment by whose rules what is dated by a day is treated: now, or if the day is over its last one.

    So it is treated alike whether it is reported in the evening or a day later.
    """
    end = end_of_day(day, ZoneInfo(time_zone))
    return now if end is None else min(now, end - _MOMENT)


def add_days(day: date, days: int) -> date | None:
    """Return the date `days` >= 0 later; None after 9999-12-31."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def add_months(day: date, months: int) -> date | None:
    """Return the same day `months` >= 0 later, or that month's last: 31 January + 1 is 28 or 29 February.

    None after 9999-12-31.
    """
    year, month = divmod(day.year * _MONTHS_IN_YEAR + day.month - 1 + months, _MONTHS_IN_YEAR)
    return None if year > MAXYEAR else clamped(year, month + 1, day.day)


def clamped(year: int, month: int, day: int) -> date:
    """Make a date; a `day` up to 31 that the month doesn't have is its last."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def last_day(period: Period, day: date) -> date:
    """Return the last day of the month, quarter, half-year or year that a date is in."""
    months = _MONTHS[period]
    return clamped(day.year, -(-day.month // months) * months, 31)


def _clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """Read the clock on the wall, without its zone."""
    return moment.astimezone(zone).replace(tzinfo=None)
