"""Whether discounts pay: what came earlier, at what money costs, beside what was given for it. Pure."""

from fractions import Fraction
from typing import Final, NamedTuple

from service.invoices.report.estimating import Between, Sums, down, earlier, mean, nearest, tenths, up
from service.invoices.report.figures import HORIZON_DAYS, Earlier, Verdict, Why, Worth
from service.kernel.shares import WHOLE

ENOUGH_INVOICES: Final = 100
ENOUGH_CUSTOMERS: Final = 30
"""So many are needed in each of the times: of less, not even the interval is known well."""


class _Stakes(NamedTuple):
    """What is at stake: `more` was given than before, and a day that all money comes earlier is worth `day`."""

    more: Fraction
    day: Fraction


def worth_of(sums: Sums, *, capital: int, year_days: int) -> Worth:
    """Judge by sums over customers, at what money costs a year in basis points (`capital` >= 1)."""
    found, stakes = earlier(sums), _stakes(sums, capital, year_days)
    verdict, why = _judged(sums, found, stakes)
    gains = None if found is None or stakes is None else [stakes.day * each - stakes.more for each in _all(found)]
    days, days_before = mean(sums.m1, sums.a1), mean(sums.m0, sums.a0)
    even = None if stakes is None or stakes.day <= 0 or stakes.more < 0 else stakes.more / stakes.day
    return Worth(
        capital_basis_points=capital,
        horizon_days=HORIZON_DAYS,
        invoices=sums.invoices1,
        invoices_before=sums.invoices0,
        customers=sums.customers1,
        customers_before=sums.customers0,
        days_outstanding=None if days is None else tenths(days),
        days_outstanding_before=None if days_before is None else tenths(days_before),
        earlier=None if found is None else _told(found),
        more_given=None if stakes is None else nearest(stakes.more),
        break_even_days=None if even is None else tenths(even),
        gain=None if gains is None else nearest(gains[0]),
        low=None if gains is None else down(gains[1]),
        high=None if gains is None else up(gains[2]),
        verdict=verdict,
        why=why,
    )


def _stakes(sums: Sums, capital: int, year_days: int) -> _Stakes | None:
    """Tell what is at stake; None where one of the times has no money.

    What comes is what is charged less what is taken off; what points stand for is given, and comes as well.
    """
    if not sums.a1 or not sums.a0:
        return None
    at_rate_before = Fraction((sums.off0 + sums.instead0) * sums.a1, sums.a0)
    cash = sums.a1 - sums.off1
    return _Stakes(sums.off1 + sums.instead1 - at_rate_before, Fraction(cash * capital, WHOLE * year_days))


def _judged(sums: Sums, found: Between | None, stakes: _Stakes | None) -> tuple[Verdict, Why | None]:
    few_invoices = min(sums.invoices1, sums.invoices0) < ENOUGH_INVOICES
    few_customers = min(sums.customers1, sums.customers0) < ENOUGH_CUSTOMERS
    if found is None or stakes is None or few_invoices or few_customers:
        return "can_not_tell", "too_few"
    if stakes.more <= 0:
        return "can_not_tell", "nothing_more_given"
    if found.low * stakes.day > stakes.more:
        return "pays", None
    if found.high * stakes.day < stakes.more:
        return "does_not_pay", None
    return "can_not_tell", "within_chance"


def _all(its: Between) -> tuple[Fraction, Fraction, Fraction]:
    return its.value, its.low, its.high


def _told(its: Between) -> Earlier:
    return Earlier(tenths(its.value), down(its.low * 10) / 10, up(its.high * 10) / 10)
