"""Working days: a last day that is none moves to the next, by the weekends and public holidays of a country."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import Invalid
from service.programs.payment_terms import EarlyPayment, check_early_payment
from service.programs.working_days import HolidayCalendar, check_calendar, next_working_day

GERMANY = HolidayCalendar("DE")


@pytest.mark.parametrize(
    ("country", "day", "moved"),
    [
        ("DE", date(2026, 11, 27), date(2026, 11, 27)),  # a Friday
        ("DE", date(2026, 11, 28), date(2026, 11, 30)),  # a Saturday
        ("DE", date(2026, 11, 29), date(2026, 11, 30)),  # a Sunday
        ("DE", date(2026, 12, 25), date(2026, 12, 28)),  # Christmas, and the weekend behind it
        ("DE", date(2026, 4, 3), date(2026, 4, 7)),  # Good Friday to Easter Monday
        ("DE", date(2027, 1, 1), date(2027, 1, 4)),
        ("GB", date(2026, 12, 25), date(2026, 12, 29)),  # Boxing Day is a Saturday: the Monday is off instead
        ("US", date(2026, 7, 3), date(2026, 7, 6)),  # Independence Day is a Saturday: the Friday is off instead
        ("SA", date(2026, 11, 27), date(2026, 11, 29)),  # the weekend is Friday and Saturday
        ("CN", date(2026, 2, 14), date(2026, 2, 14)),  # a Saturday that is worked on before the Spring Festival
        ("CN", date(2026, 2, 16), date(2026, 2, 24)),
    ],
)
def test_a_day_that_is_not_worked_on_moves_to_the_next_that_is(country: str, day: date, moved: date) -> None:
    assert next_working_day(day, HolidayCalendar(country)) == moved


def test_a_part_of_a_country_has_holidays_of_its_own() -> None:
    """Epiphany is a holiday in Bavaria, not in Berlin, and so not in the whole of Germany."""
    epiphany = date(2026, 1, 6)
    assert next_working_day(epiphany, HolidayCalendar("DE", "BY")) == date(2026, 1, 7)
    assert next_working_day(epiphany, HolidayCalendar("DE", "BE")) == epiphany
    assert next_working_day(epiphany, GERMANY) == epiphany


def test_without_a_calendar_all_days_are_worked_on() -> None:
    assert next_working_day(date(2026, 12, 25), None) == date(2026, 12, 25)


def test_the_calendar_ends_with_the_year_9999() -> None:
    """Its last day is a Friday: where that is the weekend, no working day follows, and the last day it is."""
    assert next_working_day(date.max, HolidayCalendar("SA")) == date.max
    assert next_working_day(date.max, GERMANY) == date.max
    assert next_working_day(date.min, GERMANY) == date.min


@given(
    day=st.dates(date(1950, 1, 1), date(2100, 12, 31)), country=st.sampled_from(["DE", "US", "GB", "SA", "CN", "JP"])
)
def test_it_moves_forward_only_and_only_once(day: date, country: str) -> None:
    calendar = HolidayCalendar(country)
    moved = next_working_day(day, calendar)
    assert next_working_day(moved, calendar) == moved
    between = [day + timedelta(days) for days in range((moved - day).days)]
    assert all(next_working_day(each, calendar) == moved for each in between)


@pytest.mark.parametrize("content", [{"country": "DE"}, {"country": "DE", "subdivision": "BY"}, {"country": "HK"}])
def test_a_calendar_that_is_known_is_accepted(content: dict[str, str]) -> None:
    check_calendar(msgspec.convert(content, HolidayCalendar), "/calendar")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"country": "ZZ"}, "country"),
        ({"country": "ZZ", "subdivision": "BY"}, "country"),
        ({"country": "DE", "subdivision": "XX"}, "subdivision"),
        ({"country": "AT", "subdivision": "BY"}, "subdivision"),
    ],
)
def test_a_calendar_that_is_not_known_is_refused(content: dict[str, str], field: str) -> None:
    calendar = msgspec.convert(content, HolidayCalendar)
    with pytest.raises(Invalid) as refused:
        check_early_payment(EarlyPayment(calendar=calendar), "/settings/early_payment")
    assert refused.value.pointer == f"/settings/early_payment/calendar/{field}"
    assert refused.value.reason == "unknown_calendar"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"country": None},
        {"country": "de"},
        {"country": "DEU"},
        {"country": "DE\n"},
        {"country": "DE", "subdivision": "by"},
        {"country": "DE", "subdivision": "Augsburg"},
        {"country": "DE", "subdivision": ""},
        {"country": "DE", "language": "de"},
    ],
)
def test_a_calendar_is_named_by_codes(content: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(content, HolidayCalendar)
