"""Which days are occasions by the calendar, and at which moment each customer's gift comes. Pure.

The days around a holiday, a birthday or an anniversary are one window, in which every customer has a moment of the own:
so nobody can learn from others' gifts, or from last year's, when one comes.
"""

from collections.abc import Iterator
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from service.kernel.errors import Invalid
from service.kernel.periods import clamped, day_of, end_of_day, start_of_day
from service.surprises.campaigns import OnAnniversary, OnBirthday, OnHoliday, Trigger
from service.surprises.public_holidays import names_in, regions_of, runs_in

SPREAD_BITS: Final = 53
"""How many random bits choose a moment: some thousand million for each second of the longest window."""
_SECOND: Final = timedelta(seconds=1)
_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
_YEARS_TOLD: Final = 3
_AHEAD: Final = 2
"""How many days the calendar of a zone can be ahead of UTC at most, a day that it left out included."""


class Days(msgspec.Struct, frozen=True):
    """An occasion, such as `holiday:2026-12-25`, `birthday:2026` or `anniversary:2027`, and when its gifts come.

    That is from `first` until before `end`, both in UTC; `first` is before `end`.
    """

    occasion: str
    first: datetime
    end: datetime


def check_trigger(trigger: Trigger, *, year: int) -> None:
    """Refuse holidays that aren't known, by the names that they have in this `year` and the next two. Raises Invalid.

    Triggers that aren't holidays are accepted.
    """
    if not isinstance(trigger, OnHoliday):
        return
    regions = regions_of(trigger.country)
    if regions is None:
        raise _unknown_country()
    if trigger.region is not None and trigger.region not in regions:
        known = f"Known are {', '.join(sorted(regions))}." if regions else "No regions of it are."
        detail = f"The holidays of this region aren't known. {known}"
        raise Invalid(detail, pointer="/trigger/region", reason="unknown_region")
    names = names_in(trigger.country, trigger.region, range(year, year + _YEARS_TOLD))
    if not names:
        raise _unknown_country()
    for place, name in enumerate(trigger.names):
        if name not in names:
            detail = f"There is no such holiday. There are: {'; '.join(names)}."
            raise Invalid(detail, pointer=f"/trigger/names/{place}", reason="unknown_holiday")


def holiday_windows(trigger: OnHoliday, zone: ZoneInfo, since: datetime, until: datetime) -> list[Days]:
    """Return the holidays whose windows begin in [since, until), in their order.

    Several holidays on one day are one occasion, and so are adjoining days that share a name (Eid al-Fitr): it is named
    by the first of them, and its window is around all.
    """
    # A window begins in the year of its holiday, or before it.
    years = range(since.year, _moved(until.date(), trigger.days_before + _AHEAD).year + 1)
    runs = runs_in(trigger.country, trigger.region, trigger.names, years)
    windows = (_window(f"holiday:{run.first}", run.first, run.last, trigger, zone) for run in runs)
    return [days for days in windows if since <= days.first < until]


def birthday_window(
    birthday: date, trigger: OnBirthday, zone: ZoneInfo, since: datetime, until: datetime
) -> Days | None:
    """Return the birthday whose window begins in [since, until): the first of them where that is more than a year.

    Periods of at most 360 days that follow each other so find each birthday once. The day of birth is none. Born on
    29 February: the month's last day.
    """
    return next(_each_year("birthday", birthday, trigger, zone, since, until), None)


def anniversary_window(
    enrolled_at: datetime, trigger: OnAnniversary, zone: ZoneInfo, since: datetime, until: datetime
) -> Days | None:
    """Return the anniversary of joining, likewise: the first is that of the year after."""
    return next(_each_year("anniversary", day_of(enrolled_at, zone), trigger, zone, since, until), None)


def moment_within(days: Days, spread: int) -> datetime:
    """Return a customer's own moment in a window: a whole second after its beginning, before its end.

    `spread` is a random number of SPREAD_BITS bits; all seconds are equally likely. Raises ValueError for another one.
    """
    if not 0 <= spread < 1 << SPREAD_BITS:
        raise ValueError("This is no number of so many bits.")
    # Multiply and shift: a random fraction of the window, rounded down, and so below the whole of it.
    return days.first + _SECOND * (spread * ((days.end - days.first) // _SECOND) >> SPREAD_BITS)


def _each_year(
    kind: str, of: date, trigger: OnBirthday | OnAnniversary, zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[Days]:
    for year in range(max(of.year + 1, since.year), min(until.year + 1, MAXYEAR) + 1):
        day = clamped(year, of.month, of.day)
        days = _window(f"{kind}:{year}", day, day, trigger, zone)
        if since <= days.first < until:
            yield days


def _window(
    occasion: str, first: date, last: date, trigger: OnHoliday | OnBirthday | OnAnniversary, zone: ZoneInfo
) -> Days:
    begin = start_of_day(_moved(first, -trigger.days_before), zone)
    day = _moved(last, trigger.days_after)
    end = end_of_day(day, zone)
    while end is not None and end <= begin:  # the zone left this day out: it is kept on the next
        day = _moved(day, 1)
        end = end_of_day(day, zone)
    return Days(occasion, begin, _LAST_MOMENT if end is None else end)


def _moved(day: date, days: int) -> date:
    """Return the date so many days later or earlier; at the ends of the calendar the last or the first there is."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.min if days < 0 else date.max


def _unknown_country() -> Invalid:
    detail = "The public holidays of this country aren't known."
    return Invalid(detail, pointer="/trigger/country", reason="unknown_country")
