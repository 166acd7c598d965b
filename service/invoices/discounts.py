"""What paying early is worth: the discount on a whole invoice, by the day on which it is paid. Pure."""

from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from service.invoices.bills import Bill, RatedTax, half_up, spread, tax_on
from service.kernel.amounts import BOUND
from service.kernel.periods import Period, add_days, last_day
from service.programs.payment_terms import (
    WHOLE,
    CountFrom,
    DiscountStep,
    PaymentTerms,
    PointsForDiscount,
    StepTerms,
    TaxMode,
    YearlyRateTerms,
)
from service.programs.working_days import HolidayCalendar, next_working_day

NOTHING: Final = Fraction()
TermsSource: TypeAlias = Literal["invoice", "customer", "program", "none"]


class Agreement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was agreed for an invoice when it was recorded: it stays so, whatever becomes of the settings.

    `source` tells where the terms are from: the invoice, the customer, the program, or nothing at all.
    """

    terms: PaymentTerms
    issued_on: date
    due_on: date | None
    source: TermsSource
    calendar: HolidayCalendar | None = None
    points: PointsForDiscount | None = None
    year_days: int = 365


class Offer(NamedTuple):
    """A discount that is had up to a day: `exact`, net, before rounding, of the whole invoice."""

    until: date
    exact: Fraction


class GroupDiscount(msgspec.Struct, frozen=True):
    """What a discount takes off one tax group: of its net, and of each of its taxes."""

    net: int
    taxes: tuple[int, ...] = ()


class Discount(msgspec.Struct, frozen=True):
    """What a discount on the whole invoice takes off, by tax group."""

    groups: tuple[GroupDiscount, ...] = ()

    @property
    def net(self) -> int:
        """The discount without tax."""
        return sum(each.net for each in self.groups)

    @property
    def tax(self) -> int:
        """By how much the tax is reduced."""
        return sum(sum(each.taxes) for each in self.groups)

    @property
    def whole(self) -> int:
        """Both together."""
        return self.net + self.tax


def first_day(terms: PaymentTerms, issued_on: date) -> date:
    """Return the day from which days are counted."""
    if terms.count_from is CountFrom.END_OF_MONTH:
        return last_day(Period.MONTH, issued_on)
    return issued_on


def due_day(
    terms: PaymentTerms, *, issued_on: date, due_on: date | None, calendar: HolidayCalendar | None
) -> date | None:
    """Return the day until which an invoice is to be paid in full: as it names it, else by the terms' `net_days`."""
    if due_on is not None or terms.net_days is None:
        return due_on
    return next_working_day(add_days(first_day(terms, issued_on), terms.net_days) or date.max, calendar)


def offers(agreement: Agreement, net: int) -> list[Offer]:
    """Give the steps that are agreed, with their last days, on a net amount; none for other terms.

    A step's last day is so many days after the first, moved to a working day where the program has a calendar, and by
    days of grace. With Odoo's terms of 10 days an invoice of 2019-01-01 has 2019-01-11.
    """
    terms = agreement.terms
    if not isinstance(terms, StepTerms):
        return []
    return [Offer(_until(agreement, step.days), _of_step(step, _base(terms, net))) for step in terms.steps]


def told_days(agreement: Agreement) -> list[date] | None:
    """Give the last days of steps as they are told, without days of grace; None for other terms."""
    terms = agreement.terms
    return [_last_day(agreement, step.days) for step in terms.steps] if isinstance(terms, StepTerms) else None


def offer_on(agreement: Agreement, net: int, paid_on: date) -> Offer | None:
    """Give the best of what is offered on a day, for a net amount; None where nothing is.

    By a yearly rate: base x rate x (due_on - paid_on) / year_days (Oracle Fusion's dynamic discounting), until the day
    itself; never more than the base.
    """
    terms = agreement.terms
    if isinstance(terms, YearlyRateTerms):
        days = 0 if agreement.due_on is None else (agreement.due_on - paid_on).days
        base = _base(terms, net)
        exact = Fraction(base * terms.basis_points * days, WHOLE * terms.year_days)
        return Offer(paid_on, min(exact, Fraction(base))) if days > 0 and exact else None
    standing = [each for each in offers(agreement, net) if each.until >= paid_on and each.exact]
    return max(standing, key=lambda each: (each.exact, each.until), default=None)


def greatest_share(agreement: Agreement, net: int) -> Fraction:
    """Return the greatest share of a net amount that can be had: that of a payment on the day of the invoice."""
    best = offer_on(agreement, net, agreement.issued_on)
    return NOTHING if best is None or not net else best.exact / net


def discount(bill: Bill, exact: Fraction, tax_mode: TaxMode) -> Discount:
    """Give what an exact discount comes to on a bill, 0 <= `exact` <= its net.

    The discount is half-up of it, spread over the tax groups by largest remainder. With tax included, a group's tax is
    reduced to half-up(reduced net x rate); a printed one by half-up(tax x share). Otherwise taxes stay.
    """
    parts = spread(half_up(exact), [each.net for each in bill.groups])
    reduces, share = tax_mode is TaxMode.INCLUDED, exact / bill.net if bill.net else NOTHING
    return Discount(
        tuple(
            GroupDiscount(part, tuple(_reduction(tax, group.net, part, share) if reduces else 0 for tax in group.taxes))
            for group, part in zip(bill.groups, parts, strict=True)
        )
    )


def _reduction(tax: RatedTax, net: int, less: int, share: Fraction) -> int:
    if tax.millionths is None:
        return half_up(tax.amount * share)
    # A credit note may have left a cent more or less of the tax than its net says.
    return min(tax.amount, tax_on(net, tax.millionths) - tax_on(net - less, tax.millionths))


def yearly_rate(discounted: int, paid: int, days: int, year_days: int) -> int | None:
    """Return, in basis points, the simple yearly rate at which paying `days` early earns: 2 for 98, 20 days: 3724.

    None where no days are gained, or nothing is paid, or it is beyond all bounds.
    """
    if days <= 0 or paid <= 0:
        return None
    return _bounded(half_up(Fraction(discounted * year_days * WHOLE, paid * days)))


def compounded_rate(discounted: int, paid: int, days: int, year_days: int) -> int | None:
    """Return likewise the yearly rate with interest on interest: (1 + 2/98)^(365/20) - 1 is 44.59 %, 4459."""
    if days <= 0 or paid <= 0:
        return None
    with localcontext() as context:
        context.prec = 50
        base = Decimal(discounted + paid) / Decimal(paid)
        exponent = Decimal(year_days) / Decimal(days)
        if exponent * base.ln() > Decimal(BOUND).ln():
            return None
        rate = Fraction((base**exponent - 1) * WHOLE)
    return _bounded(half_up(rate))


def _bounded(rate: int) -> int | None:
    return rate if rate <= BOUND else None


def _base(terms: PaymentTerms, net: int) -> int:
    return net if terms.base is None else min(terms.base, net)


def _of_step(step: DiscountStep, base: int) -> Fraction:
    if step.basis_points is not None:
        return Fraction(base * step.basis_points, WHOLE)
    return Fraction(min(step.amount or 0, base))


def _last_day(agreement: Agreement, days: int) -> date:
    end = add_days(first_day(agreement.terms, agreement.issued_on), days) or date.max
    return next_working_day(end, agreement.calendar)


def _until(agreement: Agreement, days: int) -> date:
    return add_days(_last_day(agreement, days), agreement.terms.grace_days) or date.max
