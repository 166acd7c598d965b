"""What may be agreed of paying early, and on which days banks work."""

from datetime import date
from typing import Any

import msgspec
import pytest

from service.kernel.errors import Invalid
from service.programs.payment_terms import (
    CountFrom,
    EarlyPayment,
    NoDiscount,
    Partial,
    PaymentMode,
    PaymentTerms,
    StepTerms,
    TaxMode,
    Tolerance,
    YearlyRateTerms,
    check_early_payment,
    check_terms,
)
from service.programs.working_days import HolidayCalendar, check_calendar, next_working_day

STEPS = {"kind": "steps", "steps": [{"days": 7, "basis_points": 300}, {"days": 14, "basis_points": 200}]}


def read(told: dict[str, Any]) -> PaymentTerms:
    """Read terms as they come."""
    return msgspec.convert(told, PaymentTerms)


def test_the_terms_of_the_issue_are_read_and_nothing_else_is_agreed() -> None:
    for terms in (
        read({**STEPS, "net_days": 30}),
        read({"kind": "yearly_rate", "basis_points": 1_800, "year_days": 360}),
    ):
        check_terms(terms, "/terms")
        assert terms.mode is PaymentMode.DISCOUNT
        assert terms.tax_mode is TaxMode.INCLUDED
        assert terms.partial is Partial.PROPORTIONAL
        assert terms.count_from is CountFrom.ISSUED_ON
        assert terms.grace_days == 0
        assert terms.tolerance == Tolerance(0, 0)
        assert terms.base is None
    assert EarlyPayment().calendar is None


def test_terms_are_written_as_they_were_told() -> None:
    for told in (
        STEPS,
        {"kind": "yearly_rate", "basis_points": 1_800, "year_days": 360},
        {"kind": "none", "net_days": 7},
    ):
        assert msgspec.json.decode(msgspec.json.encode(read(told))) == told


@pytest.mark.parametrize(
    ("its", "pointer"),
    [
        ([{"days": 7}], "/terms/steps/0"),
        ([{"days": 7, "basis_points": 200, "amount": 5}], "/terms/steps/0"),
        ([{"days": 7, "basis_points": 300}, {"days": 7, "basis_points": 200}], "/terms/steps/1/days"),
        ([{"days": 14, "basis_points": 300}, {"days": 7, "basis_points": 200}], "/terms/steps/1/days"),
    ],
)
def test_steps_that_contradict_themselves_are_refused(its: list[dict[str, int]], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_early_payment(EarlyPayment(read({"kind": "steps", "steps": its})), "")
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "steps", "steps": []},
        {"kind": "steps", "steps": [{"days": -1, "basis_points": 200}]},
        {"kind": "steps", "steps": [{"days": 1, "basis_points": 0}]},
        {"kind": "steps", "steps": [{"days": 1, "basis_points": 10_001}]},
        {"kind": "steps", "steps": [{"days": 1, "amount": 0}]},
        {"kind": "steps", "steps": [{"days": 1, "percent": 2}]},
        {"kind": "steps", "steps": [{"days": 1, "basis_points": 2}] * 21},
        {"kind": "yearly_rate"},
        {"kind": "yearly_rate", "basis_points": 1_800, "year_days": 300},
        {"kind": "none", "tax_mode": "half"},
        {"kind": "none", "base": 0},
        {"kind": "other"},
        {},
    ],
)
def test_what_are_no_terms_is_not_read(told: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(told)


def test_each_kind_has_its_struct() -> None:
    assert isinstance(read(STEPS), StepTerms)
    assert isinstance(read({"kind": "yearly_rate", "basis_points": 1}), YearlyRateTerms)
    assert isinstance(read({"kind": "none"}), NoDiscount)


@pytest.mark.parametrize(
    ("day", "country", "part", "found"),
    [
        (date(2019, 1, 11), "DE", None, date(2019, 1, 11)),
        # A Saturday and a Sunday.
        (date(2019, 1, 12), "DE", None, date(2019, 1, 14)),
        # Good Friday to Easter Monday.
        (date(2019, 4, 19), "DE", None, date(2019, 4, 23)),
        # Epiphany, a Thursday in 2022, is kept in Bavaria and not in Berlin.
        (date(2022, 1, 6), "DE", "BY", date(2022, 1, 7)),
        (date(2022, 1, 6), "DE", "BE", date(2022, 1, 6)),
        (date(2022, 1, 6), "DE", None, date(2022, 1, 6)),
        # Christmas is a Saturday and a Sunday in 2021: in England two days are kept instead of them.
        (date(2021, 12, 25), "GB", "ENG", date(2021, 12, 29)),
        # In Saudi Arabia the weekend is Friday and Saturday.
        (date(2026, 2, 6), "SA", None, date(2026, 2, 8)),
        (date(9999, 12, 31), "DE", None, date(9999, 12, 31)),
    ],
)
def test_last_days_move_to_the_next_that_is_worked_on(day: date, country: str, part: str | None, found: date) -> None:
    calendar = HolidayCalendar(country, part)
    check_calendar(calendar, "/calendar")
    assert next_working_day(day, calendar) == found


def test_without_a_calendar_all_days_are_worked_on() -> None:
    assert next_working_day(date(2019, 1, 12), None) == date(2019, 1, 12)


@pytest.mark.parametrize(
    ("calendar", "pointer"),
    [
        (HolidayCalendar("XX"), "/early_payment/calendar/country"),
        (HolidayCalendar("DE", "XX"), "/early_payment/calendar/subdivision"),
    ],
)
def test_unknown_holidays_are_refused(calendar: HolidayCalendar, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_early_payment(EarlyPayment(calendar=calendar), "/early_payment")
    assert refused.value.pointer == pointer
