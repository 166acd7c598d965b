"""Invoices to try terms on: written as briefly as they are told, and drawn at random."""

from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

from hypothesis import strategies as st

from service.invoices.bills import ONE, Bill, InvoiceLine, Tax, itemised, printed
from service.invoices.discounts import NOTHING, Agreement, greatest_share
from service.invoices.settling import Standing
from service.programs.payment_terms import (
    CountFrom,
    DiscountStep,
    NoDiscount,
    Partial,
    PaymentMode,
    PaymentTerms,
    PointsForDiscount,
    StepTerms,
    TaxMode,
    Tolerance,
    YearlyRateTerms,
)
from service.programs.working_days import HolidayCalendar

DAY: Final = timedelta(days=1)
ISSUED: Final = date(2019, 1, 1)
MOST_DAYS: Final = 40
"""No terms drawn here reach further."""


def steps(*told: tuple[int, int], **others: Any) -> StepTerms:
    """Agree on (days, basis points)."""
    return StepTerms(steps=tuple(DiscountStep(days, rate) for days, rate in told), **others)


def amounts(*told: tuple[int, int], **others: Any) -> StepTerms:
    """Agree on (days, fixed amount)."""
    return StepTerms(steps=tuple(DiscountStep(days, amount=amount) for days, amount in told), **others)


def agreed(
    terms: PaymentTerms,
    *,
    issued_on: date = ISSUED,
    due_on: date | None = None,
    calendar: HolidayCalendar | None = None,
    points: PointsForDiscount | None = None,
    year_days: int = 365,
) -> Agreement:
    """Fix terms for an invoice."""
    return Agreement(terms, issued_on, due_on, "invoice", calendar, points, year_days)


def rated(net: int, *rates: int) -> InvoiceLine:
    """Make a line with taxes of so many basis points."""
    return InvoiceLine(net, tuple(Tax(f"tax at {rate}", basis_points=rate) for rate in rates))


def invoiced(agreement: Agreement, lines: list[InvoiceLine]) -> Standing:
    """Make an invoice of lines on which nothing was paid."""
    bill = itemised(lines, reduced_by=share_of(agreement, lines))
    return Standing(agreement, bill, bill.total)


def share_of(agreement: Agreement, lines: list[InvoiceLine]) -> Fraction:
    """Return by what share taxes are reduced from the start."""
    if agreement.terms.tax_mode is not TaxMode.MIXED:
        return NOTHING
    return greatest_share(agreement, sum(line.net for line in lines))


def told(agreement: Agreement, total: int, tax: int = 0) -> Standing:
    """Make an invoice of a total on which nothing was paid."""
    bill = printed(total, tax)
    return Standing(agreement, bill, bill.total)


nets = st.integers(0, 30) | st.integers(0, 5_000) | st.integers(0, 10**9)
taxes = st.one_of(
    st.builds(Tax, st.sampled_from(["VAT", "city"]), basis_points=st.sampled_from([0, 500, 700, 1_500, 1_900, 10_000])),
    st.builds(Tax, st.sampled_from(["VAT", "city"]), millionths=st.just(99_750) | st.integers(0, 2 * ONE)),
    st.builds(Tax, st.sampled_from(["eco", "bag"]), fixed=st.integers(0, 60)),
)
sets_of_taxes = st.lists(taxes, max_size=3, unique_by=lambda tax: (tax.name, _rate(tax))).map(tuple)


def _rate(tax: Tax) -> int | None:
    return tax.millionths if tax.basis_points is None else tax.basis_points * 100


@st.composite
def some_lines(draw: st.DrawFn) -> list[InvoiceLine]:
    """Draw lines, several of them with the same taxes."""
    kinds = draw(st.lists(sets_of_taxes, min_size=1, max_size=3))
    return draw(st.lists(st.builds(InvoiceLine, nets, st.sampled_from(kinds)), min_size=1, max_size=6))


@st.composite
def some_terms(draw: st.DrawFn) -> PaymentTerms:
    """Draw terms of any kind, without tolerance."""
    others: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {
                "tax_mode": st.sampled_from(TaxMode),
                "partial": st.sampled_from(Partial),
                "count_from": st.sampled_from(CountFrom),
                "base": st.none() | st.integers(1, 10_000),
                "grace_days": st.just(0) | st.integers(0, 3),
            }
        )
    )
    kind = draw(st.sampled_from(["steps", "steps", "steps", "yearly_rate", "none"]))
    if kind == "none":
        return NoDiscount(**others)
    if kind == "yearly_rate":
        rate = draw(st.sampled_from([100, 1_800, 2_400, 100_000]))
        return YearlyRateTerms(basis_points=rate, year_days=draw(st.sampled_from([360, 365])), **others)
    days = sorted(draw(st.sets(st.integers(0, MOST_DAYS), min_size=1, max_size=3)))
    percent = st.builds(DiscountStep, st.just(0), st.sampled_from([1, 100, 200, 300, 333, 5_000, 10_000]))
    fixed = st.builds(DiscountStep, st.just(0), amount=st.integers(1, 5_000))
    its = [draw(percent | fixed) for _ in days]
    return StepTerms(
        steps=tuple(DiscountStep(day, step.basis_points, step.amount) for day, step in zip(days, its, strict=True)),
        **others,
    )


tolerances = st.builds(Tolerance, st.just(0) | st.integers(0, 3), st.just(0) | st.integers(0, 5))


@st.composite
def some_agreements(draw: st.DrawFn, terms: st.SearchStrategy[PaymentTerms] | None = None) -> Agreement:
    """Draw what was agreed, with a due day, holidays and points instead of a discount, or without."""
    due = draw(st.none() | st.integers(0, MOST_DAYS))
    return Agreement(
        draw(some_terms() if terms is None else terms),
        ISSUED,
        None if due is None else ISSUED + due * DAY,
        "invoice",
        draw(st.none() | st.just(HolidayCalendar("DE", "BY"))),
        draw(st.none() | st.builds(PointsForDiscount, st.integers(1, 5), st.sampled_from([1, 7, 100]))),
    )


@st.composite
def some_invoices(draw: st.DrawFn, terms: st.SearchStrategy[PaymentTerms] | None = None) -> Standing:
    """Draw an invoice on which nothing was paid, by lines or by its total."""
    agreement = draw(some_agreements(terms))
    if draw(st.booleans()):
        return invoiced(agreement, draw(some_lines()))
    total = draw(nets)
    return told(agreement, total, draw(st.integers(0, total)))


days = st.integers(0, MOST_DAYS + 40).map(lambda day: ISSUED + day * DAY)


def some_mode() -> st.SearchStrategy[PaymentMode | None]:
    """Draw how somebody pays."""
    return st.sampled_from([None, None, PaymentMode.DISCOUNT, PaymentMode.POINTS])


def bill_of_nothing(bill: Bill) -> bool:
    """Tell whether nothing is left of a bill, to the last group."""
    return not bill.fixed and all(not group.net and not group.tax for group in bill.groups)
