"""Which days are worked on in a country, by the calendar of a library. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from service.kernel.errors import Invalid

if TYPE_CHECKING:
    from holidays import HolidayBase

# The library takes 45 MB and half a second to load: only programs that have a calendar pay that.

_DAY: Final = timedelta(days=1)


class HolidayCalendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The public holidays and weekends of a country, or of a part of it: `{"country": "DE", "subdivision": "BY"}`."""

    country: Annotated[str, Meta(pattern="^[A-Z]{2}$(?!\n)", description="ISO 3166-1: DE.")]
    subdivision: Annotated[
        Annotated[str, Meta(pattern="^[A-Z0-9]{1,3}$(?!\n)", description="ISO 3166-2 without the country: BY.")] | None,
        Meta(description="Null: only what holds in the whole country."),
    ] = None


def check_calendar(calendar: HolidayCalendar, pointer: str) -> None:
    """Refuse a country or a part of it whose holidays aren't known. Raises Invalid."""
    subdivisions = parts_of_countries().get(calendar.country)
    if subdivisions is None:
        detail = "The holidays of this country aren't known."
        raise Invalid(detail, pointer=f"{pointer}/country", reason="unknown_calendar")
    if calendar.subdivision is not None and calendar.subdivision not in subdivisions:
        detail = "The holidays of this part of the country aren't known."
        raise Invalid(detail, pointer=f"{pointer}/subdivision", reason="unknown_calendar")


def next_working_day(day: date, calendar: HolidayCalendar | None) -> date:
    """Return the day itself where it is worked on, else the next that is; without a calendar all days are.

    At the end of the calendar, 9999-12-31, it is that day.
    """
    if calendar is None:
        return day
    found = _holidays_of(calendar)
    while day < date.max and not found.is_working_day(day):
        day += _DAY
    return day


@lru_cache(maxsize=256)
def _holidays_of(calendar: HolidayCalendar) -> "HolidayBase":
    from holidays import country_holidays

    return country_holidays(calendar.country, subdiv=calendar.subdivision)


@lru_cache(maxsize=1)
def parts_of_countries() -> Mapping[str, frozenset[str]]:
    """Return the countries whose holidays are known, each with the parts whose own are, by their ISO 3166 codes."""
    from holidays import list_supported_countries

    return {country: frozenset(parts) for country, parts in list_supported_countries().items()}
