"""What a payment settles of an invoice, what a day's price is, and what a credit note takes back. Pure.

All amounts are minor units of the invoice's currency. With D the discount and the tax reduction of the whole invoice by
the step of a day, what closes it on that day is open - half-up(D x open / total).
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from typing import Final
from uuid import UUID

import msgspec

from service.invoices.bills import Bill, half_up, spread
from service.invoices.discounts import (
    Agreement,
    Discount,
    GroupDiscount,
    Offer,
    compounded_rate,
    discount,
    offer_on,
    offers,
    yearly_rate,
)
from service.kernel.amounts import BOUND
from service.kernel.periods import add_days
from service.kernel.rounding import Rounding, divide
from service.programs.payment_terms import Partial, PaymentMode, YearlyRateTerms

MOST_STEPS_TOLD: Final = 400
"""A yearly rate has a price for each day: more of them aren't told."""
_MOST_RECKONED: Final = 20_000
"""Nor are so many that an invoice of very many tax groups would take long."""
_MOST_MISSED: Final = 2_000
"""Of steps that are over on such an invoice the last ones are looked at: a payment may be over very many invoices."""
_DAY: Final = timedelta(days=1)


class Standing(msgspec.Struct, frozen=True):
    """An invoice as it stands: what it charges, less credit notes, and how much of that isn't settled."""

    agreement: Agreement
    bill: Bill
    open: int


class Price(msgspec.Struct, frozen=True):
    """What closes an invoice on a day, and what is taken off for it: `discount` is net."""

    payable: int
    discount: int
    tax_reduction: int
    of: Discount
    """What is taken off the whole invoice."""
    offer: Offer | None

    @property
    def given(self) -> int:
        """All that is taken off."""
        return self.discount + self.tax_reduction


class PriceStep(msgspec.Struct, frozen=True):
    """What closes an invoice up to a day; on the next it is another amount."""

    until: date
    payable: int


class YearlyRate(msgspec.Struct, frozen=True):
    """What paying on a day instead of the due day earns a year, in basis points; null: no bounds hold it.

    `basis_points` is simple, discount / payable x year_days / days gained; `compounded_basis_points` has interest on
    interest.
    """

    basis_points: int | None
    compounded_basis_points: int | None
    year_days: int
    days: int


class Quote(msgspec.Struct, frozen=True):
    """What may be deducted on a day. `points` is what is offered instead of it; None: that isn't."""

    paid_on: date
    total: int
    open: int
    payable: int
    discount: int
    tax_reduction: int
    last_day: date | None
    steps: tuple[PriceStep, ...]
    yearly_rate: YearlyRate | None
    points: int | None


class Missed(msgspec.Struct, frozen=True):
    """A discount that a payment took and didn't get, because its last day was over: so much stays due of it."""

    last_day: date
    amount: int


class Settlement(msgspec.Struct, frozen=True):
    """What a payment came to on one invoice: `settled` = amount - overpaid + discount + tax reduction.

    `last_day` is that of the step that gave the discount. `groups` are the discount and the tax reduction by the
    invoice's tax groups. `points` are given instead of a discount. `tolerated`: by the terms' tolerance.
    """

    amount: int
    settled: int
    discount: int
    tax_reduction: int
    overpaid: int
    remaining: int
    last_day: date | None = None
    groups: tuple[GroupDiscount, ...] = ()
    points: int = 0
    tolerated: bool = False
    missed: Missed | None = None

    @property
    def closes(self) -> bool:
        """Whether nothing remained, and something was open before."""
        return not self.remaining and self.settled > 0

    @property
    def pays(self) -> bool:
        """Whether it earned a discount, or points instead of one."""
        return self.discount + self.tax_reduction + self.points > 0


class Left(msgspec.Struct, frozen=True):
    """What credit notes have left of the settlement by a payment: settled = cash + discount + tax reduction.

    `points` were given instead of a discount, and are left. `payment` is the caller's id of the payment.
    """

    payment_id: UUID
    settled: int
    cash: int
    discount: int
    tax_reduction: int
    points: int = 0
    payment: str = ""


class Credited(msgspec.Struct, frozen=True):
    """What a credit note came to: the bill that it leaves, what it took from `open`, and of settlements.

    What it took of their cash is `overpaid`: the customer's.
    """

    bill: Bill
    from_open: int
    taken: tuple[Left, ...]
    remaining: int

    @property
    def overpaid(self) -> int:
        """Cash that is the customer's again."""
        return sum(each.cash for each in self.taken)


def price(standing: Standing, offer: Offer | None) -> Price:
    """Give what closes an invoice where a discount is offered on it."""
    total = standing.bill.total
    if offer is None or not standing.open:
        return Price(standing.open, 0, 0, Discount(), None)
    whole = discount(standing.bill, offer.exact, standing.agreement.terms.tax_mode)
    share = Fraction(standing.open, total)
    given, net = half_up(whole.whole * share), half_up(whole.net * share)
    return Price(standing.open - given, net, given - net, whole, offer)


def price_on(standing: Standing, paid_on: date) -> Price:
    """Give what closes an invoice on a day."""
    return price(standing, offer_on(standing.agreement, standing.bill.net, paid_on))


def quote(standing: Standing, paid_on: date) -> Quote:
    """Tell what may be deducted on a day, and which days come after it on which that changes."""
    agreement, its = standing.agreement, price_on(standing, paid_on)
    gained = 0 if agreement.due_on is None else (agreement.due_on - paid_on).days
    rate = None
    if its.given and gained > 0:
        told = (its.given, its.payable, gained, agreement.year_days)
        rate = YearlyRate(yearly_rate(*told), compounded_rate(*told), agreement.year_days, gained)
    return Quote(
        paid_on,
        standing.bill.total,
        standing.open,
        its.payable,
        its.discount,
        its.tax_reduction,
        _last_day(agreement, its),
        tuple(_steps(standing, paid_on)),
        rate,
        _worth(agreement, its.given),
    )


def _worth(agreement: Agreement, given: int) -> int | None:
    """Return the points that are offered instead of a discount; None: none are, or more than can be given."""
    points = points_for(agreement, given)
    return None if agreement.points is None or points > BOUND else points


def _last_day(agreement: Agreement, its: Price) -> date | None:
    """Return the last day of the step that a price is of. By a yearly rate each day has its own price: None."""
    return None if its.offer is None or isinstance(agreement.terms, YearlyRateTerms) else its.offer.until


def _steps(standing: Standing, paid_on: date) -> Iterable[PriceStep]:
    @cache
    def payable(day: date) -> int:
        return price_on(standing, day).payable

    for day in _days(standing, paid_on):
        if payable(day) != payable(add_days(day, 1) or day):
            yield PriceStep(day, payable(day))


def _days(standing: Standing, paid_on: date) -> Iterable[date]:
    """Give the days after which the price may change."""
    agreement = standing.agreement
    if not isinstance(agreement.terms, YearlyRateTerms):
        return sorted({each.until for each in offers(agreement, standing.bill.net) if each.until >= paid_on})
    days = 0 if agreement.due_on is None else (agreement.due_on - paid_on).days
    most = min(MOST_STEPS_TOLD, 1 + _MOST_RECKONED // (1 + len(standing.bill.groups)))
    return (paid_on + day * _DAY for day in range(min(days, most)))


def settle(standing: Standing, amount: int, paid_on: date, mode: PaymentMode | None) -> Settlement:
    """Decide what a payment of `amount` >= 1 settles; `mode` None: as the terms say.

    At least `open` settles all without a discount, and the excess is overpaid. Between `payable` and `open` it settles
    all, and the discount is open less amount. Below, it settles half-up(amount x open / payable).
    """
    if (mode or standing.agreement.terms.mode) is PaymentMode.POINTS:
        return _for_points(standing, amount, paid_on)
    its = price_on(standing, paid_on)
    if amount >= standing.open:
        return Settlement(amount, standing.open, 0, 0, amount - standing.open, 0)
    if amount >= its.payable:
        return _discounted(standing, amount, standing.open, its)
    forgiving = _tolerated(standing, amount, paid_on)
    if forgiving is not None:
        return msgspec.structs.replace(_discounted(standing, amount, standing.open, forgiving), tolerated=True)
    settled = amount
    if standing.agreement.terms.partial is Partial.PROPORTIONAL:
        settled = divide(amount * standing.open, its.payable, Rounding.HALF_UP)
    came_to = _discounted(standing, amount, settled, its)
    over = _missed(standing, amount, paid_on)
    return came_to if over is None else msgspec.structs.replace(came_to, missed=Missed(over, came_to.remaining))


def _for_points(standing: Standing, amount: int, paid_on: date) -> Settlement:
    """Settle what was paid, in full, and give points for what the discount on that would have been."""
    settled = min(amount, standing.open)
    remaining, overpaid = standing.open - settled, amount - settled
    its = price_on(standing, paid_on)
    full = standing.agreement.terms.partial is Partial.PROPORTIONAL or not remaining
    if its.offer is None or not full or standing.agreement.points is None:
        return Settlement(amount, settled, 0, 0, overpaid, remaining)
    given = half_up(Fraction(its.of.whole * settled, standing.bill.total))
    points = points_for(standing.agreement, given)
    until = _last_day(standing.agreement, its) if points else None
    return Settlement(amount, settled, 0, 0, overpaid, remaining, until, points=points)


def _discounted(standing: Standing, amount: int, settled: int, its: Price) -> Settlement:
    """Settle more than was paid, by what is given for it: `amount` <= `settled` <= open.

    It is split into discount and tax reduction, and these over the tax groups, as they are on the whole invoice.
    """
    given, remaining = settled - amount, standing.open - settled
    if not given or its.offer is None:
        return Settlement(amount, settled, given, 0, 0, remaining)
    net = half_up(Fraction(given * its.discount, its.given)) if its.given else given
    nets = spread(net, [each.net for each in its.of.groups])
    taxes = iter(spread(given - net, [tax for each in its.of.groups for tax in each.taxes]))
    groups = tuple(
        GroupDiscount(part, tuple(next(taxes) for _ in each.taxes))
        for part, each in zip(nets, its.of.groups, strict=True)
    )
    return Settlement(amount, settled, net, given - net, 0, remaining, _last_day(standing.agreement, its), groups)


def _tolerated(standing: Standing, amount: int, paid_on: date) -> Price | None:
    """Give the price that a payment misses by no more than the terms bear, in days or in minor units."""
    bears = standing.agreement.terms.tolerance
    if not bears.days and not bears.amount:
        return None
    late = min(bears.days, max(0, (paid_on - standing.agreement.issued_on).days))
    its = price_on(standing, paid_on - late * _DAY)
    return its if its.given and amount >= its.payable - bears.amount else None


def _missed(standing: Standing, amount: int, paid_on: date) -> date | None:
    """Return the last day of the discount that a payment would have closed the invoice with, had it come by then."""
    over = [
        each for each in offers(standing.agreement, standing.bill.net) if each.until < paid_on
    ]  # of a yearly rate every day has its own price: none is missed
    most = max(1, _MOST_MISSED // (1 + len(standing.bill.groups)))
    for offer in sorted(over, reverse=True)[:most]:
        its = price(standing, offer)
        if its.given and amount >= its.payable:
            return offer.until
    return None


def points_for(agreement: Agreement, given: int) -> int:
    """Give the points for a discount that a customer leaves; fractions are dropped."""
    its = agreement.points
    return 0 if its is None else divide(given * its.points, its.amount, Rounding.DOWN)


def credit(standing: Standing, left: Sequence[Left], reduced: Bill) -> Credited:
    """Let a credit note leave only the `reduced` bill: from what is open first, then of settlements, in their order.

    `left` is what is left of them, the newest first; together with what is open it is the bill's total.
    """
    credited = standing.bill.total - reduced.total
    from_open = min(credited, standing.open)
    rest, taken = credited - from_open, list[Left]()
    for each in left:
        part = min(rest, each.settled)
        rest -= part
        if part:
            taken.append(_part(each, part))
    return Credited(reduced, from_open, tuple(taken), standing.open - from_open)


def _part(left: Left, settled: int) -> Left:
    """Take a part of a settlement, with cash, discount and points in its proportion."""
    cash = half_up(Fraction(settled * left.cash, left.settled))
    given = settled - cash
    off = left.discount + left.tax_reduction
    net = half_up(Fraction(given * left.discount, off)) if off else 0
    points = divide(left.points * settled, left.settled, Rounding.DOWN)
    return Left(left.payment_id, settled, cash, net, given - net, points, left.payment)
