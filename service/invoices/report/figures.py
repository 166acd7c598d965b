"""What a report of early payment tells. Data only, and so it goes to the wire.

Money is in minor units of the currency that it stands under; of different currencies nothing is ever added.
"""

from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from service.kernel.amounts import CurrencyCode
from service.kernel.shares import Apart, BasisPoints
from service.kernel.times import Time

HORIZON_DAYS: Final = 90
"""For so many days each invoice is watched by which the merchant's gain is reckoned; what comes later came then."""
MOST_GROUPS: Final = 50

Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[int, Meta(ge=0, description="Minor units of the currency.")]
Gain = Annotated[int, Meta(description="Minor units of the currency; a loss is less than 0.")]
Days = Annotated[float, Meta(ge=0, description="Days, to one place.")]
DaysApart = Annotated[float, Meta(description="Days, to one place; less than 0: later.")]
YearlyBasisPoints = Annotated[int, Meta(ge=0, description="A simple yearly rate in basis points: 3724 are 37.24 %.")]


class ShareOf(msgspec.Struct, frozen=True):
    """So `many` `of` so many, and between which rates that truly is with a confidence of 95 % (Wilson 1927).

    The rates are null of none. The interval takes invoices as independent of each other. Those of one customer are not:
    where few customers have many invoices, it is wider than is told.
    """

    many: Count
    of: Count
    rate: BasisPoints | None
    low: BasisPoints | None
    high: BasisPoints | None


class DaysToPay(msgspec.Struct, frozen=True):
    """From the day of issue to the day of the payment with which all was paid; of settled invoices alone.

    `mean_by_amount` counts each invoice by what it charges. A quartile is the first day by which that part of them was
    paid. All are null of none. Who pays late is missing here, as long as something is open: see `DaysUntilPaid`.
    """

    mean: Days | None
    mean_by_amount: Days | None
    lower_quartile: Count | None
    median: Count | None
    upper_quartile: Count | None


class DaysUntilPaid(msgspec.Struct, frozen=True):
    """By which day a quarter, a half and three quarters of all invoices are paid, the open ones among them.

    An open invoice is known to be unpaid up to today, and no longer (E. L. Kaplan and P. Meier, "Nonparametric
    estimation from incomplete observations", JASA 53, 1958, 457-481). Null: so many haven't paid as far as is known.
    """

    lower_quartile: Count | None
    median: Count | None
    upper_quartile: Count | None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for paying early, less what bounced and what credit notes took back.

    `discount` is net; `cash` is what was paid with a discount. `points` were given instead of a discount, by
    `with_points` invoices; `instead_of` is the least discount for which the invoice's rate gives so many.
    """

    discount: Amount
    tax_reduction: Amount
    cash: Amount
    points: Count
    with_points: Count
    instead_of: Amount


class InvoicesOf(msgspec.Struct, frozen=True, kw_only=True):
    """Invoices issued in one time, in one currency, as they stand today.

    `amount` is what they charge less credit notes, `credited` what these took. An invoice is `settled` where nothing is
    open and something was paid, `open`, or charges `nothing`: it was credited whole, or was of 0. Payments that bounced
    don't count. `settled_rate` is `settled` of both, the open ones and the settled.

    `paid_early`: before the due day, of the settled that have one; while many are open that flatters. So
    `paid_early_of_due` is of all whose due day is over, paid or not. `discounted` and `late` (behind the due day) are
    of the settled; `mean_days_late` is of those that were late. `overdue` are open, and their due day is over.
    """

    invoices: Count
    amount: Amount
    credited: Amount
    settled: Count
    open: Count
    nothing: Count
    open_amount: Amount
    settled_rate: ShareOf
    days_to_pay: DaysToPay
    days_until_paid: DaysUntilPaid
    paid_early: ShareOf
    paid_early_of_due: ShareOf
    discounted: ShareOf
    late: ShareOf
    mean_days_late: Days | None
    overdue: Count
    overdue_amount: Amount
    given: Given


class EarlierCash(msgspec.Struct, frozen=True):
    """What cash cost that came earlier: `given` / (`cash` x days gained) x days of a year.

    `given` is discount and tax reduction, `cash` what was paid with them, `mean_days` by how much earlier that came, by
    amount; less than 0: later. `basis_points` is the yearly rate, simple; null where nothing was given, no day was
    gained, or it is beyond 10^12.
    """

    given: Amount
    cash: Amount
    mean_days: DaysApart | None
    basis_points: YearlyBasisPoints | None


class Cost(msgspec.Struct, frozen=True):
    """What the cash of the period cost that came earlier by a discount.

    `against_due_day`: had it come on the due day; of invoices that have one. `against_before`: had it come after as
    many days as in the comparison period, `mean_by_amount` of its days to pay. Who takes a discount may always have
    paid early: then it gained less than either says.
    """

    year_days: Count
    against_due_day: EarlierCash
    against_before: EarlierCash


class Earlier(msgspec.Struct, frozen=True):
    """By how many days money came earlier than in the comparison period; with 95 % between `low` and `high`.

    `low` is rounded down, `high` up: the interval never tells more than is known.
    """

    days: DaysApart
    low: DaysApart
    high: DaysApart


Verdict = Literal["pays", "does_not_pay", "can_not_tell"]
Why = Literal["too_few", "nothing_more_given", "within_chance"]


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the discounts of the period pay a merchant whom money costs `capital_basis_points` a year.

    What is looked at are invoices issued 90 days ago or longer, each over its first 90 days (`horizon_days`), whether
    it was paid or not: a minor unit that is open for 90 days or longer counts 90. So invoices that nobody paid yet
    count, and quick payers of the last weeks don't flatter. `days_outstanding` is how long a minor unit was open, a
    ratio of sums (W. G. Cochran, "Sampling Techniques", 1977, chapter 6); its interval takes customers, not their
    invoices, as independent, and who has invoices in both times is compared with itself.

    `more_given` is what was given here, discounts, tax reductions and what points stand for, less what at the rate of
    the comparison period would have been given, too. `gain` is what the earlier cash is worth less that, `low` and
    `high` its interval. `break_even_days` is by how much earlier money must come for both to be the same. All of them
    are null where they can't be said.

    `verdict`: `pays` where the whole interval of `earlier` lies above `break_even_days`, `does_not_pay` where it lies
    below. Else it `can_not_tell`: the interval includes it (`within_chance`), there are less than 100 invoices or 30
    customers in one of the times (`too_few`), or no more was given than before (`nothing_more_given`).
    """

    capital_basis_points: Count
    horizon_days: Count
    invoices: Count
    invoices_before: Count
    customers: Count
    customers_before: Count
    days_outstanding: Days | None
    days_outstanding_before: Days | None
    earlier: Earlier | None
    more_given: Gain | None
    break_even_days: Days | None
    gain: Gain | None
    low: Gain | None
    high: Gain | None
    verdict: Verdict
    why: Why | None


class InCurrency(msgspec.Struct, frozen=True, kw_only=True):
    """The invoices of a time beside those of the time `before`, in one currency.

    Differences are of the period less before, with their 95 % interval (Newcombe 1998, method 10), under the same
    assumption as the intervals of shares. `worth` is null where no cost of capital was told.
    """

    currency: CurrencyCode
    period: InvoicesOf
    before: InvoicesOf
    paid_early_of_due_difference: Apart | None
    discounted_difference: Apart | None
    cost: Cost
    worth: Worth | None


class GroupOfCustomers(msgspec.Struct, frozen=True):
    """The invoices of one group; `group` null: of customers without a tier, or without the attribute."""

    group: str | None
    currencies: list[InCurrency]


class OtherGroups(msgspec.Struct, frozen=True):
    """The invoices of all `groups` that aren't among the 50 with the most invoices."""

    groups: Count
    currencies: list[InCurrency]


class EarlyPaymentReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether early payment pays: invoices issued from `from` to before `to`, beside those of a time before.

    All is as it stood at `made_at`. Tiers and attributes are today's; `terms` are where an invoice's terms are from:
    invoice, customer, program, none. Records that were merged are one customer.

    Nobody was given discounts by lot. What is different from the comparison period, and between groups, may have other
    reasons: seasons, other customers, other invoices. An observed difference is no proof of an effect.
    """

    from_: date = msgspec.field(name="from")
    to: date
    compare_from: date
    compare_to: date
    made_at: Time
    group_by: str | None
    total: list[InCurrency]
    groups: list[GroupOfCustomers]
    others: OtherGroups | None
