"""The report of early payment: what was asked for, what was booked, and what that comes to. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from service.customers.rules import LONGEST_ATTRIBUTE_NAME
from service.invoices.discounts import yearly_rate
from service.invoices.report.estimating import Sums, mean, quartiles, share_of, tenths
from service.invoices.report.figures import (
    MOST_GROUPS,
    Cost,
    DaysToPay,
    DaysUntilPaid,
    EarlierCash,
    EarlyPaymentReport,
    Given,
    GroupOfCustomers,
    InCurrency,
    InvoicesOf,
    OtherGroups,
)
from service.invoices.report.judging import worth_of
from service.kernel.errors import Invalid
from service.kernel.shares import Share, apart
from service.kernel.spans import FIRST_DAY, Span, span_of

_ATTRIBUTES: Final = "attributes."
_CAPITAL: Final = re.compile("[1-9][0-9]{0,5}")
MOST_CAPITAL: Final = 100_000
"""Basis points a year: 1,000 %."""

By: TypeAlias = Literal["tier", "attribute", "terms"] | None
State: TypeAlias = Literal["settled", "open", "nothing"]


class Asked(msgspec.Struct, frozen=True):
    """The invoices of which time, beside which, in which groups (`attribute`: by the one of that name); at what cost.

    `capital` is what a year of money costs the merchant, in basis points.
    """

    period: Span
    before: Span
    today: date
    by: By = None
    attribute: str | None = None
    capital: int | None = None

    @property
    def group_by(self) -> str | None:
        """By what it is grouped, as callers write it."""
        return self.by if self.attribute is None else _ATTRIBUTES + self.attribute


class Tally(NamedTuple):
    """Sums over invoices that stand alike.

    `due` are settled ones that have a due day, `early` those of them that were paid before it. The due day of `over` is
    over, whether they are paid or not; `over_early` were paid before it. `late` were paid behind it, `days_late` in
    all. `cash` was paid with a discount; `cash_days` is that times the days behind the issue, `cash_gained` times those
    before the due day. `off_due` and `cash_due` are discount and tax reduction, and cash, of invoices with a due day.
    """

    invoices: int = 0
    amount: int = 0
    credited: int = 0
    open: int = 0
    due: int = 0
    early: int = 0
    over: int = 0
    over_early: int = 0
    late: int = 0
    days_late: int = 0
    overdue: int = 0
    overdue_amount: int = 0
    discounted: int = 0
    with_points: int = 0
    discount: int = 0
    tax_reduction: int = 0
    points: int = 0
    instead_of: int = 0
    cash: int = 0
    cash_days: int = 0
    off_due: int = 0
    cash_due: int = 0
    cash_gained: int = 0


class Cell(NamedTuple):
    """Invoices of a group, in a currency, issued in the period (`is_after`) or before, that stand alike.

    They were settled after, or have been open for, so many `days`.
    """

    place: int
    currency: str
    is_after: bool
    state: State
    days: int
    tally: Tally


class Booked(msgspec.Struct, frozen=True):
    """All that a report is made from, at one moment.

    `groups` are keys by places from 1 on, `=` and what they are, or empty for none; `others` is how many more groups
    there are, whose cells have the place behind. `sums` are by place and currency; at place 0 of all groups together.
    """

    now: datetime
    groups: Mapping[int, str]
    others: int
    cells: Sequence[Cell]
    sums: Mapping[tuple[int, str], Sums]
    year_days: int = 365


def asked_for(given: Mapping[str, str], today: date) -> Asked:
    """Read the parameters that are asked for.

    Without days they are the 365 up to today, which is among them; those that they are compared with are as many
    directly before, and never among them. Raises Invalid.
    """
    period = span_of(given.get("from"), given.get("to"), until=today + timedelta(days=1))
    by, attribute = _by(given.get("group_by"))
    return Asked(period, _before(given, period), today, by, attribute, _capital(given.get("capital_basis_points")))


def _before(given: Mapping[str, str], period: Span) -> Span:
    first, to = given.get("compare_from"), given.get("compare_to")
    if first is None and to is None and period.first == FIRST_DAY:
        return Span(FIRST_DAY, FIRST_DAY)  # there are no days before
    names = ("compare_from", "compare_to")
    before = span_of(first, to, until=period.first, days=period.days, names=names)
    if before.to > period.first:
        detail = "The days that are compared with end before `from`."
        raise Invalid(detail, pointer="?compare_to", reason="out_of_range")
    return before


def _by(text: str | None) -> tuple[By, str | None]:
    match text:
        case None:
            return None, None
        case "tier" | "terms":
            return text, None
        case _:
            name = text.removeprefix(_ATTRIBUTES)
            if name == text or not 1 <= len(name) <= LONGEST_ATTRIBUTE_NAME or "\0" in name:
                detail = "Groups are by `tier`, by `terms`, or by an attribute of customers: `attributes.region`."
                raise Invalid(detail, pointer="?group_by", reason="invalid_format")
            return "attribute", name


def _capital(text: str | None) -> int | None:
    if text is None:
        return None
    if not _CAPITAL.fullmatch(text) or int(text) > MOST_CAPITAL:
        detail = f"What money costs a year is 1 to {MOST_CAPITAL:,} basis points: 800 are 8 %."
        raise Invalid(detail, pointer="?capital_basis_points", reason="out_of_range")
    return int(text)


def report(asked: Asked, booked: Booked) -> EarlyPaymentReport:
    """Make the report of what was booked."""
    grouped = asked.by is not None
    groups = [
        GroupOfCustomers(key[1:] if key else None, _currencies(asked, booked, place))
        for place, key in sorted(booked.groups.items())
        if grouped
    ]
    rest = OtherGroups(booked.others, _currencies(asked, booked, MOST_GROUPS + 1)) if booked.others else None
    return EarlyPaymentReport(
        from_=asked.period.first,
        to=asked.period.to,
        compare_from=asked.before.first,
        compare_to=asked.before.to,
        made_at=booked.now.astimezone(UTC),
        group_by=asked.group_by,
        total=_currencies(asked, booked, 0),
        groups=groups,
        others=rest if grouped else None,
    )


def _currencies(asked: Asked, booked: Booked, place: int) -> list[InCurrency]:
    """Tell of one group, or of all (place 0), by currency."""
    cells = [each for each in booked.cells if place in {0, each.place}]
    found = list[InCurrency]()
    for currency in sorted({each.currency for each in cells}):
        its = [each for each in cells if each.currency == currency]
        found.append(_in_currency(asked, booked, currency, its, booked.sums.get((place, currency))))
    return found


def _in_currency(asked: Asked, booked: Booked, currency: str, cells: Sequence[Cell], sums: Sums | None) -> InCurrency:
    of_period = [each for each in cells if each.is_after]
    of_before = [each for each in cells if not each.is_after]
    one, other = invoices_of(of_period), invoices_of(of_before)
    worth = None
    if asked.capital is not None:
        worth = worth_of(sums or Sums(), capital=asked.capital, year_days=booked.year_days)
    return InCurrency(
        currency=currency,
        period=one,
        before=other,
        paid_early_of_due_difference=apart(
            Share(one.paid_early_of_due.many, one.paid_early_of_due.of),
            Share(other.paid_early_of_due.many, other.paid_early_of_due.of),
        ),
        discounted_difference=apart(
            Share(one.discounted.many, one.discounted.of), Share(other.discounted.many, other.discounted.of)
        ),
        cost=_cost(_added(of_period), _mean_by_amount(of_before), booked.year_days),
        worth=worth,
    )


def invoices_of(cells: Sequence[Cell]) -> InvoicesOf:
    """Tell how the invoices of some cells stand."""
    its = _added(cells)
    settled = _added(each for each in cells if each.state == "settled")
    still_open = _added(each for each in cells if each.state == "open").invoices
    return InvoicesOf(
        invoices=its.invoices,
        amount=its.amount,
        credited=its.credited,
        settled=settled.invoices,
        open=still_open,
        nothing=its.invoices - settled.invoices - still_open,
        open_amount=its.open,
        settled_rate=share_of(settled.invoices, settled.invoices + still_open),
        days_to_pay=_days_to_pay(cells),
        days_until_paid=DaysUntilPaid(*quartiles(_by_days(cells, "settled"), _by_days(cells, "open"))),
        paid_early=share_of(its.early, its.due),
        paid_early_of_due=share_of(its.over_early, its.over),
        discounted=share_of(its.discounted, settled.invoices),
        late=share_of(its.late, its.due),
        mean_days_late=None if not its.late else tenths(Fraction(its.days_late, its.late)),
        overdue=its.overdue,
        overdue_amount=its.overdue_amount,
        given=Given(
            discount=its.discount,
            tax_reduction=its.tax_reduction,
            cash=its.cash,
            points=its.points,
            with_points=its.with_points,
            instead_of=its.instead_of,
        ),
    )


def _added(cells: Iterable[Cell]) -> Tally:
    found = [each.tally for each in cells]
    return Tally(*(sum(part) for part in zip(*found, strict=True))) if found else Tally()


def _by_days(cells: Iterable[Cell], state: State) -> Counter[int]:
    found = Counter[int]()
    for each in cells:
        if each.state == state:
            found[each.days] += each.tally.invoices
    return found


def _days_to_pay(cells: Sequence[Cell]) -> DaysToPay:
    days = _by_days(cells, "settled")
    average, by_amount = mean(sum(day * count for day, count in days.items()), days.total()), _mean_by_amount(cells)
    return DaysToPay(
        None if average is None else tenths(average),
        None if by_amount is None else tenths(by_amount),
        *quartiles(days, {}),
    )


def _mean_by_amount(cells: Iterable[Cell]) -> Fraction | None:
    settled = [each for each in cells if each.state == "settled"]
    return mean(sum(each.days * each.tally.amount for each in settled), sum(each.tally.amount for each in settled))


def _cost(its: Tally, before: Fraction | None, year_days: int) -> Cost:
    gained = None if before is None else before * its.cash - its.cash_days
    return Cost(
        year_days,
        _earlier_cash(its.off_due, its.cash_due, Fraction(its.cash_gained), year_days),
        _earlier_cash(its.discount + its.tax_reduction, its.cash, gained, year_days),
    )


def _earlier_cash(given: int, cash: int, gained: Fraction | None, year_days: int) -> EarlierCash:
    """Tell what cash cost, by `given` for minor units times days, `gained`."""
    if gained is None or not cash:
        return EarlierCash(given, cash, None, None)
    rate = yearly_rate(given * gained.denominator, 1, gained.numerator, year_days) if given else None
    return EarlierCash(given, cash, tenths(gained / cash), rate)
