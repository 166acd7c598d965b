"""What may be agreed of paying invoices early: steps, a yearly rate, or no discount at all. Pure.

What that comes to for an invoice on a day is decided in `service.invoices`.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.programs.working_days import HolidayCalendar, check_calendar

MOST_DAYS: Final = 3_650
MOST_STEPS: Final = 20
WHOLE: Final = 10_000
"""Basis points in one."""

SomeDays = Annotated[int, Meta(ge=0, le=MOST_DAYS)]
Share = Annotated[int, Meta(ge=1, le=WHOLE, description="Basis points: 200 are 2 %.")]
YearDays = Annotated[int, Meta(ge=360, le=366, description="How many days a year is reckoned with: 360, 365.")]


class TaxMode(Enum):
    """What a discount does to the tax, in the words of Odoo."""

    INCLUDED = "included"
    """Taking the discount reduces the tax, too."""
    EXCLUDED = "excluded"
    """The tax stays as it was invoiced."""
    MIXED = "mixed"
    """The tax is reduced on the invoice from the start, whether or not the discount is taken."""


class Partial(Enum):
    """What paying a part in time earns."""

    PROPORTIONAL = "proportional"
    """The discount on that part."""
    FULL_ONLY = "full_only"
    """Nothing: only the payment that closes the invoice earns a discount, on what it closes."""


class PaymentMode(Enum):
    """What a customer gets for paying early."""

    DISCOUNT = "discount"
    POINTS = "points"
    """The customer pays in full, and gets points for the discount at the program's rate."""


class CountFrom(Enum):
    """From which day on the days of terms are counted; that day is day 0."""

    ISSUED_ON = "issued_on"
    END_OF_MONTH = "end_of_month"
    """The last day of the month in which the invoice was issued."""


class DiscountStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A discount for paying within so many `days`: `basis_points` of what is discounted, or a fixed `amount`, net."""

    days: SomeDays
    basis_points: Share | None = None
    amount: Annotated[int, Meta(ge=1, le=BOUND, description="Net, in minor units of the invoice.")] | None = None


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """By how much a payment that closes an invoice may miss: so many `days` late, so many minor units too little."""

    days: Annotated[int, Meta(ge=0, le=60)] = 0
    amount: Annotated[int, Meta(ge=0, le=BOUND)] = 0


class _Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What all terms say.

    The invoice is due `net_days` after the day from which days are counted, unless it names a day itself. `base` is
    the part, net, that is discounted; null: all but fixed taxes. `grace_days` move the last day of each
    step further, behind a working day; the terms in words don't tell of them. `tolerance` is for the payment that
    closes the invoice.
    """

    net_days: SomeDays | None = None
    base: Annotated[int, Meta(ge=1, le=BOUND, description="Net, in minor units of the invoice.")] | None = None
    tax_mode: TaxMode = TaxMode.INCLUDED
    partial: Partial = Partial.PROPORTIONAL
    mode: PaymentMode = PaymentMode.DISCOUNT
    count_from: CountFrom = CountFrom.ISSUED_ON
    grace_days: Annotated[int, Meta(ge=0, le=60)] = 0
    tolerance: Tolerance = Tolerance()


class StepTerms(_Terms, frozen=True, tag_field="kind", tag="steps"):
    """A discount for each of several spans of days: 3 % within 7 days, else 2 % within 14."""

    steps: Annotated[tuple[DiscountStep, ...], Meta(min_length=1, max_length=MOST_STEPS)]


class YearlyRateTerms(_Terms, frozen=True, tag_field="kind", tag="yearly_rate"):
    """A discount by the days that are gained: base x rate x days before the due day / `year_days`."""

    basis_points: Annotated[int, Meta(ge=1, le=10 * WHOLE, description="Basis points a year: 1800 are 18 %.")]
    year_days: YearDays = 365


class NoDiscount(_Terms, frozen=True, tag_field="kind", tag="none"):
    """Nothing for paying early."""


PaymentTerms: TypeAlias = StepTerms | YearlyRateTerms | NoDiscount


class PointsForDiscount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`points` for each `amount` of minor units, of the program's currency, that a customer leaves of a discount.

    Fractions are dropped.
    """

    points: Annotated[int, Meta(ge=1, le=BOUND)]
    amount: Annotated[int, Meta(ge=1, le=BOUND)]


class EarlyPayment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a program treats invoices. An invoice keeps what was so when it was recorded.

    `terms` are for those that have none of their own and whose customers have none. With a `calendar`, last days that
    are none to work on there move to the next that is. `points` is what is given instead of a discount, where that is
    asked for, on invoices in the program's currency; null: what points are worth. `year_days` is how yearly
    rates of steps are told.
    """

    terms: PaymentTerms | None = None
    calendar: HolidayCalendar | None = None
    points: PointsForDiscount | None = None
    year_days: YearDays = 365


def check_early_payment(policy: EarlyPayment, within: str) -> None:
    """Refuse terms that contradict themselves and calendars that don't exist. Raises Invalid."""
    if policy.terms is not None:
        check_terms(policy.terms, f"{within}/terms")
    if policy.calendar is not None:
        check_calendar(policy.calendar, f"{within}/calendar")


def check_terms(terms: PaymentTerms, within: str) -> None:
    """Refuse steps without a discount or with two, and those whose days don't grow. Raises Invalid."""
    if isinstance(terms, StepTerms):
        _check_steps(terms.steps, within)


def _check_steps(steps: Sequence[DiscountStep], within: str) -> None:
    before = -1
    for number, step in enumerate(steps):
        pointer = f"{within}/steps/{number}"
        if (step.basis_points is None) == (step.amount is None):
            detail = "A step gives either `basis_points` or an `amount`."
            raise Invalid(detail, pointer=pointer, reason="exclusive")
        if step.days <= before:
            raise Invalid("Each step has more days than the one before.", pointer=f"{pointer}/days", reason="order")
        before = step.days
