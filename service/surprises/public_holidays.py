"""The public holidays of a country by their English names, from the calendar of a library. Pure.

The library marks what it isn't sure of as "(estimated)", and the days off instead of a holiday that falls on a weekend
as "(observed)" and the like. Here a holiday has one name in all years, and is a day off instead only where the
holiday's own day isn't one: Epiphany in Colombia is a Monday, Christmas Day in the United States is the 25th.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from service.programs.working_days import parts_of_countries

_DAY: Final = timedelta(days=1)
_NEAR: Final = timedelta(days=14)
"""How far a day off instead is from its holiday at most: it is 9 days in the library, and between two years' 350."""
_MARK: Final = r"(?:estimated|observed|in lieu|substitute day)"
_MARKED: Final = re.compile(rf"^(?P<name>.+) \((?P<marks>{_MARK}(?:, {_MARK})*)\)$")
_ESTIMATED: Final = "estimated"
_SUBSTITUTED: Final = re.compile(r"\(substituted from [0-9/.-]+\)$")
"""A day off instead of a weekend that is worked on; each has a name of its own."""


class _Named(msgspec.Struct, frozen=True):
    day: date
    name: str
    instead: bool
    """Whether it is a day off instead of the holiday's own."""


class Run(msgspec.Struct, frozen=True):
    """One holiday: its first and its last day."""

    first: date
    last: date


def regions_of(country: str) -> frozenset[str] | None:
    """Return the regions of a country whose holidays are known; None where no holidays of the country are."""
    return parts_of_countries().get(country)


def names_in(country: str, region: str | None, years: range) -> list[str]:
    """Return the names that holidays have in these years, sorted."""
    return sorted({name for year in years for _, names in _days_in(country, region, year) for name in names})


def runs_in(country: str, region: str | None, names: Sequence[str], years: range) -> list[Run]:
    """Return the holidays that begin in these years, in their order: all, or where there are `names` those.

    Several on one day are one, and so are adjoining days that share a name, also over New Year.
    """
    wanted = frozenset(names)
    found, last_names = list[Run](), frozenset[str]()
    for day, all_names in _days_of(country, region, range(years.start - 1, years.stop + 1)):
        of_day = all_names & wanted if wanted else all_names
        if not of_day:
            continue
        if found and day - found[-1].last == _DAY and of_day & last_names:
            found[-1] = Run(found[-1].first, day)
        else:
            found.append(Run(day, day))
        last_names = of_day
    return [run for run in found if run.first.year in years]


def _days_of(country: str, region: str | None, years: range) -> Iterator[tuple[date, frozenset[str]]]:
    for year in years:
        yield from _days_in(country, region, year)


@lru_cache(maxsize=256)
def _days_in(country: str, region: str | None, year: int) -> Sequence[tuple[date, frozenset[str]]]:
    """Return the holidays of a year by day, ascending, without the days off instead of others."""
    around = [each for near in (year - 1, year, year + 1) for each in _named_in(country, region, near)]
    own = {(each.name, each.day) for each in around if not each.instead}
    by_day = dict[date, set[str]]()
    for each in _named_in(country, region, year):
        if not (each.instead and any(name == each.name and abs(day - each.day) <= _NEAR for name, day in own)):
            by_day.setdefault(each.day, set()).add(each.name)
    return tuple((day, frozenset(by_day[day])) for day in sorted(by_day))


@lru_cache(maxsize=256)
def _named_in(country: str, region: str | None, year: int) -> Sequence[_Named]:
    """Return what the library knows of a year: for those beyond the calendar nothing."""
    from holidays import HOLIDAY_NAME_DELIMITER, country_holidays  # it takes 45 MB: see programs/working_days.py

    with warnings.catch_warnings():
        # For some countries it knows few years of some holidays, and warns of others, in which there are none.
        warnings.simplefilter("ignore", UserWarning)
        # Without a language, the names would depend on the environment.
        found = country_holidays(country, subdiv=region, years=year, language="en_US")
    labels = [(day, label) for day, joined in found.items() for label in joined.split(HOLIDAY_NAME_DELIMITER)]
    return tuple(_named(day, label) for day, label in labels if not _SUBSTITUTED.search(label))


def _named(day: date, label: str) -> _Named:
    marked = _MARKED.match(label)
    if marked is None:
        return _Named(day, label, instead=False)
    return _Named(day, marked["name"], instead=marked["marks"] != _ESTIMATED)
