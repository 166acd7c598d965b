"""What a report of early payment makes of numbers, worked out by hand: days, shares, cost, and whether it pays."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from service.invoices.report.estimating import Sums, earlier, quartiles, share_of, tenths
from service.invoices.report.figures import EarlyPaymentReport, ShareOf
from service.invoices.report.judging import worth_of
from service.invoices.report.rules import Asked, Booked, Cell, State, Tally, asked_for, invoices_of, report
from service.kernel.errors import Invalid

TODAY = date(2026, 7, 15)
NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)


def asked(**given: str) -> Asked:
    return asked_for(given, TODAY)


def cell(state: State = "settled", days: int = 10, *, is_after: bool = True, place: int = 1, **tally: int) -> Cell:
    return Cell(place, "EUR", is_after, state, days, Tally(**({"invoices": 1, "amount": 100} | tally)))


def made(*cells: Cell, given: Mapping[str, str] | None = None, **booked: Any) -> EarlyPaymentReport:
    all_of: dict[str, Any] = {"groups": {1: ""}, "others": 0, "cells": cells, "sums": {}} | booked
    return report(asked_for(given or {}, TODAY), Booked(now=NOW, **all_of))


def test_nothing_asked_for_is_the_year_up_to_today_beside_the_one_before() -> None:
    found = asked()
    assert (found.period.first, found.period.to) == (date(2025, 7, 16), date(2026, 7, 16))
    assert (found.before.first, found.before.to) == (date(2024, 7, 16), date(2025, 7, 16))
    assert (found.by, found.group_by, found.capital) == (None, None, None)


def test_what_is_compared_with_is_as_long_and_directly_before() -> None:
    found = asked(**{"from": "2026-04-01", "to": "2026-07-01"}).before
    assert (found.first, found.to) == (date(2025, 12, 31), date(2026, 4, 1))
    named = asked(**{"from": "2026-04-01", "compare_from": "2025-01-01", "compare_to": "2025-07-01"}).before
    assert (named.first, named.to) == (date(2025, 1, 1), date(2025, 7, 1))
    ends = asked(**{"from": "2026-04-01", "to": "2026-04-11", "compare_to": "2026-01-11"}).before
    assert (ends.first, ends.to) == (date(2026, 1, 1), date(2026, 1, 11))
    nothing = asked(**{"from": "1970-01-02", "to": "1970-02-01"}).before
    assert nothing.days == 0


@pytest.mark.parametrize(
    ("given", "pointer", "reason"),
    [
        ({"from": "2026-02-30"}, "?from", "invalid_format"),
        ({"to": "yesterday"}, "?to", "invalid_format"),
        ({"from": "2026-07-01", "to": "2026-07-01"}, "?from", "out_of_range"),
        ({"from": "2016-01-01", "to": "2026-07-01"}, "?from", "out_of_range"),
        ({"compare_from": "2026-1-1"}, "?compare_from", "invalid_format"),
        ({"compare_to": ""}, "?compare_to", "invalid_format"),
        ({"from": "2026-01-01", "compare_from": "2026-01-01"}, "?compare_from", "out_of_range"),
        (
            {"from": "2026-01-01", "compare_from": "2025-06-01", "compare_to": "2026-01-02"},
            "?compare_to",
            "out_of_range",
        ),
        ({"from": "2026-01-01", "compare_from": "2015-01-01"}, "?compare_from", "out_of_range"),
        ({"from": "1970-01-02", "to": "1970-01-03", "compare_to": "1970-01-02"}, "?compare_to", "out_of_range"),
        ({"group_by": ""}, "?group_by", "invalid_format"),
        ({"group_by": "attributes"}, "?group_by", "invalid_format"),
        ({"group_by": "attributes."}, "?group_by", "invalid_format"),
        ({"group_by": "attributes." + "x" * 41}, "?group_by", "invalid_format"),
        ({"group_by": "attributes.a\0"}, "?group_by", "invalid_format"),
        ({"capital_basis_points": "0"}, "?capital_basis_points", "out_of_range"),
        ({"capital_basis_points": "100001"}, "?capital_basis_points", "out_of_range"),
        ({"capital_basis_points": "8.5"}, "?capital_basis_points", "out_of_range"),
        ({"capital_basis_points": "-1"}, "?capital_basis_points", "out_of_range"),
        ({"capital_basis_points": "\u0668"}, "?capital_basis_points", "out_of_range"),
    ],
)
def test_what_can_not_be_asked_for_is_refused_where_it_stands(given: dict[str, str], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        asked_for(given, TODAY)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def test_groups_are_by_tier_by_terms_or_by_an_attribute_of_any_name() -> None:
    assert (asked(group_by="tier").by, asked(group_by="terms").by) == ("tier", "terms")
    found = asked(group_by="attributes.attributes.a b")
    assert (found.by, found.attribute, found.group_by) == ("attribute", "attributes.a b", "attributes.attributes.a b")


@pytest.mark.parametrize(
    ("paid", "waiting", "told"),
    [
        ({}, {}, [None, None, None]),
        ({}, {5: 3}, [None, None, None]),
        ({7: 1}, {}, [7, 7, 7]),
        # Of 1, 2, 3, 4 days a quarter is paid by day 1, a half by day 2, three quarters by day 3.
        ({1: 1, 2: 1, 3: 1, 4: 1}, {}, [1, 2, 3]),
        # Of 5: 1/5 by day 1 isn't a quarter, 2/5 by day 2 is; 3/5 by day 3 are a half; 4/5 by day 4 three quarters.
        ({1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, {}, [2, 3, 4]),
        # One waits since day 2: S(1) = 3/4; on day 3 two are at risk: S(3) = 3/4 x 1/2 = 3/8; S(4) = 0.
        ({1: 1, 3: 1, 4: 1}, {2: 1}, [1, 3, 4]),
        # Who waits for 3 days was at risk on day 3: S(3) = 3/4 x 2/3 = 1/2, and no more is known.
        ({1: 1, 3: 1}, {3: 2}, [1, 3, None]),
        # Three of four wait for long: S(10) = 3/4.
        ({10: 1}, {90: 3}, [10, None, None]),
        # They wait for one day only: nobody else was at risk on day 10, and S(10) = 0.
        ({10: 1}, {1: 3}, [10, 10, 10]),
    ],
)
def test_quartiles_know_of_those_who_wait(
    paid: dict[int, int], waiting: dict[int, int], told: list[int | None]
) -> None:
    assert quartiles(paid, waiting) == told


def test_remission_of_6_mp_has_the_quartiles_of_the_book() -> None:
    """Freireich 1963, as in Klein and Moeschberger, Survival Analysis, 2003, section 1.2: the median is 23 weeks.

    S(10) = 0.753, S(13) = 0.690, S(22) = 0.538, S(23) = 0.448.
    """
    relapsed = {6: 3, 7: 1, 10: 1, 13: 1, 16: 1, 22: 1, 23: 1}
    censored = {6: 1, 9: 1, 10: 1, 11: 1, 17: 1, 19: 1, 20: 1, 25: 1, 32: 2, 34: 1, 35: 1}
    assert quartiles(relapsed, censored) == [13, 23, None]


def test_days_are_told_to_one_place_a_half_away_from_zero() -> None:
    told = [tenths(each) for each in (Fraction(1, 4), Fraction(-1, 4), Fraction(1, 3), Fraction(5), Fraction(-1, 100))]
    assert told == [0.3, -0.3, 0.3, 5.0, 0.0]


def test_a_share_has_wilsons_interval_rounded_outwards() -> None:
    """Newcombe 1998: of 81 of 263 it is 0.2553 to 0.3662, of 0 of 20 it is 0 to 0.1611."""
    found = share_of(81, 263)
    assert (found.rate, found.low, found.high) == (3080, 2552, 3663)
    assert share_of(0, 20) == ShareOf(0, 20, 0, 0, 1612)
    assert share_of(0, 0) == ShareOf(0, 0, None, None, None)


def test_of_nothing_all_is_nothing_and_no_rate_is_told() -> None:
    found = msgspec.to_builtins(invoices_of([]))
    nothing = {"many": 0, "of": 0, "rate": None, "low": None, "high": None}
    assert {name for name, each in found.items() if each == nothing} == {
        "settled_rate",
        "paid_early",
        "paid_early_of_due",
        "discounted",
        "late",
    }
    assert {*found["days_to_pay"].values(), *found["days_until_paid"].values(), found["mean_days_late"]} == {None}
    assert (made().total, made().groups, made().others) == ([], [], None)


def test_open_invoices_are_there_beside_the_days_of_the_settled() -> None:
    """Settled after 10, 20 and 30 days with 100, 100 and 400: the mean is 20, by amount (1000 + 2000 + 12000) / 600.

    Three are open for 40 days, so half of the six are paid by day 30, and not three quarters.
    """
    cells = [
        cell(days=10),
        cell(days=20),
        cell(days=30, amount=400),
        cell("open", 40, invoices=3, amount=300, open=250),
    ]
    found = invoices_of([*cells, cell("nothing", 0, amount=0, credited=70)])
    assert (found.invoices, found.settled, found.open, found.nothing) == (7, 3, 3, 1)
    assert (found.amount, found.open_amount, found.credited) == (900, 250, 70)
    assert (found.settled_rate.many, found.settled_rate.of, found.settled_rate.rate) == (3, 6, 5000)
    paid, until = found.days_to_pay, found.days_until_paid
    assert (paid.mean, paid.mean_by_amount, paid.lower_quartile, paid.median, paid.upper_quartile) == (
        20,
        25,
        10,
        20,
        30,
    )
    assert (until.lower_quartile, until.median, until.upper_quartile) == (20, 30, None)


def test_earlier_cash_cost_a_yearly_rate_against_the_due_day_and_against_before() -> None:
    """2.00 off 100.00, paid with 98.00 20 days before the due day, which is day 30: 2/98 x 365/20 = 37.24 %.

    Before, 100.00 were paid after 50 days: 40 days are gained, and it is half of that, 18.62 %.
    """
    given: dict[str, Any] = {"discount": 200, "cash": 9_800, "off_due": 200, "cash_due": 9_800}
    discounted = cell(amount=10_000, discounted=1, **given, cash_days=98_000, cash_gained=196_000)
    cost = made(discounted, cell(days=50, is_after=False, amount=10_000)).total[0].cost
    assert (cost.against_due_day.mean_days, cost.against_due_day.basis_points) == (20.0, 3_724)
    assert (cost.against_before.mean_days, cost.against_before.basis_points) == (40.0, 1_862)
    assert (cost.against_before.given, cost.against_before.cash, cost.year_days) == (200, 9_800, 365)
    of_360 = made(discounted, year_days=360).total[0].cost
    assert of_360.against_due_day.basis_points == 3_673
    assert (of_360.against_before.mean_days, of_360.against_before.basis_points) == (None, None)


@pytest.mark.parametrize("days_before", [10, 4])
def test_cash_that_came_no_earlier_has_no_yearly_rate(days_before: int) -> None:
    given: dict[str, Any] = {"discount": 200, "cash": 9_800, "cash_days": 98_000}
    before = cell(days=days_before, is_after=False, amount=10_000)
    found = made(cell(amount=10_000, **given), before).total[0].cost.against_before
    assert (found.mean_days, found.basis_points) == (days_before - 10, None)


def test_money_of_different_currencies_is_never_added() -> None:
    dollars = cell(amount=700)._replace(currency="USD")
    found = made(cell(), dollars).total
    assert [(each.currency, each.period.amount) for each in found] == [("EUR", 100), ("USD", 700)]


def test_groups_are_told_with_the_others_together_and_only_where_they_are_asked_for() -> None:
    cells = [cell(place=1, invoices=3), cell(place=2), cell(place=51, invoices=9)]
    of_groups: dict[str, Any] = {"groups": {1: "=gold", 2: ""}, "others": 7}
    found = made(*cells, given={"group_by": "tier"}, **of_groups)
    told = [(each.group, each.currencies[0].period.invoices) for each in found.groups]
    assert told == [("gold", 3), (None, 1)]
    assert found.others is not None
    assert (found.others.groups, found.others.currencies[0].period.invoices) == (7, 9)
    assert found.total[0].period.invoices == 13
    assert (made(*cells, **of_groups).groups, made(*cells, **of_groups).others) == ([], None)


def of_customers(customers: list[tuple[int, int, int, int]], **more: int) -> Sums:
    """Sum over customers with a1, m1, a0, m0."""
    sums: dict[str, int] = dict.fromkeys(("a1", "m1", "a0", "m0", "aa1", "am1", "mm1", "aa0", "am0", "mm0"), 0)
    sums |= dict.fromkeys(("aa10", "am10", "ma10", "mm10"), 0)
    for a1, m1, a0, m0 in customers:
        parts = (
            a1,
            m1,
            a0,
            m0,
            a1 * a1,
            a1 * m1,
            m1 * m1,
            a0 * a0,
            a0 * m0,
            m0 * m0,
            a1 * a0,
            a1 * m0,
            m1 * a0,
            m1 * m0,
        )
        sums = {name: sums[name] + part for name, part in zip(sums, parts, strict=True)}
    both = (sum(each[0] > 0 for each in customers), sum(each[2] > 0 for each in customers))
    return Sums(customers1=both[0], customers0=both[1], **sums)._replace(**more)


def test_how_much_earlier_money_came_is_known_as_well_as_customers_are_alike() -> None:
    """Of 2 customers with 10 each: after 10 and 20 days, before after 40 and 60. R1 = 15, R0 = 50: 35 days earlier.

    u = (100 - 150)/20 - (400 - 500)/20 = 2.5 for one, -2.5 for the other: variance 2/1 x 12.5 = 25, 5 x 1.959964 = 9.8.
    """
    found = earlier(of_customers([(10, 100, 10, 400), (10, 200, 10, 600)]))
    assert found is not None
    assert (found.value, round(float(found.low), 4), round(float(found.high), 4)) == (35, 25.2002, 44.7998)


def test_customers_of_one_time_alone_are_not_compared_with_themselves() -> None:
    """The same numbers of 4 customers: u are -2.5, 2.5, 5, -5, and with 2/1 x 62.5 = 125 it is 11.18 x 1.96 = 21.91."""
    found = earlier(of_customers([(10, 100, 0, 0), (10, 200, 0, 0), (0, 0, 10, 400), (0, 0, 10, 600)]))
    assert found is not None
    assert (found.value, round(float(found.value - found.low), 3)) == (35, 21.913)


def test_of_a_single_customer_nothing_can_be_said() -> None:
    assert earlier(of_customers([(10, 100, 10, 400)])) is None
    assert earlier(of_customers([(10, 100, 0, 0), (10, 100, 0, 0)])) is None
    assert earlier(Sums()) is None


ALIKE = [(10_000, 100_000, 10_000, 400_000)] * 100
"""100 customers with 100.00 each, open for 10 days, and for 40 before: 30 days earlier, and all alike."""
ENOUGH = {"invoices1": 100, "invoices0": 100}


@pytest.mark.parametrize(
    ("capital", "off", "told"),
    [
        # 98.00 of each came 30 days earlier: 980,000 x 30 / 365 x 30 % are 24,164; given were 20,000.
        (3_000, 20_000, ("pays", None, 4_164, 20_000, 24.8)),
        # At 24 % they are worth 19,332.
        (2_400, 20_000, ("does_not_pay", None, -668, 20_000, 31.0)),
        # At 50 % they are worth 40,274.
        (5_000, 20_000, ("pays", None, 20_274, 20_000, 14.9)),
        (5_000, 0, ("can_not_tell", "nothing_more_given", 41_096, 0, 0.0)),
    ],
)
def test_it_pays_where_earlier_cash_is_worth_more_than_was_given(
    capital: int, off: int, told: tuple[object, ...]
) -> None:
    found = worth_of(of_customers(ALIKE, off1=off, **ENOUGH), capital=capital, year_days=365)
    assert (found.verdict, found.why, found.gain, found.more_given, found.break_even_days) == told
    assert found.gain is not None
    assert (found.low, found.high) in {(found.gain, found.gain + 1), (found.gain - 1, found.gain)}  # all are alike


def test_what_was_given_before_too_is_not_given_more() -> None:
    """Before, 10,000 were taken off twice as much: at that rate 5,000 were given here, too."""
    twice = [(a1, m1, 2 * a0, 2 * m0) for a1, m1, a0, m0 in ALIKE]
    found = worth_of(
        of_customers(twice, off1=20_000, off0=8_000, instead0=2_000, **ENOUGH), capital=2_000, year_days=365
    )
    assert found.more_given == 15_000
    same = worth_of(of_customers(ALIKE, off1=20_000, off0=20_000, **ENOUGH), capital=2_000, year_days=365)
    assert (same.verdict, same.why, same.more_given) == ("can_not_tell", "nothing_more_given", 0)


def test_points_count_as_what_they_stand_for_and_the_cash_came_whole() -> None:
    """1,000,000 x 30 / 365 x 30 % are 24,658, less 20,000."""
    found = worth_of(of_customers(ALIKE, instead1=20_000, **ENOUGH), capital=3_000, year_days=365)
    assert (found.more_given, found.gain) == (20_000, 4_658)


@pytest.mark.parametrize(
    ("customers", "invoices"), [(100, (99, 100)), (100, (100, 99)), (29, (100, 100)), (0, (0, 0)), (1, (500, 500))]
)
def test_too_few_can_not_tell(customers: int, invoices: tuple[int, int]) -> None:
    sums = of_customers(ALIKE[:customers], off1=1, invoices1=invoices[0], invoices0=invoices[1])
    found = worth_of(sums, capital=3_000, year_days=365)
    assert (found.verdict, found.why) == ("can_not_tell", "too_few")
    assert (found.gain is None) == (customers < 2)


def test_a_break_even_within_the_interval_can_not_be_told() -> None:
    """30 days earlier, and of 30 customers one half paid after 0 days, the other after 40, each after 50 before.

    R1 = 20, R0 = 50. u = (0 - 20) / 30 and (40 - 20) / 30 by turns: 30/29 x 30 x (2/3)^2 = 13.79, its root 3.714, and
    half the width 7.28 days.
    """
    mixed = [(10_000, 0, 10_000, 500_000), (10_000, 400_000, 10_000, 500_000)] * 15
    sums = of_customers(mixed, off1=6_000, **ENOUGH)
    told = worth_of(sums, capital=3_000, year_days=365)
    assert told.earlier is not None
    assert (told.earlier.days, told.earlier.low, told.earlier.high) == (30.0, 22.7, 37.3)
    # A day is worth 294,000 x 30 % / 365 = 241.6: 6,000 are 24.8 days, which lie within.
    assert (told.break_even_days, told.verdict, told.why) == (24.8, "can_not_tell", "within_chance")
    assert told.low is not None
    assert told.high is not None
    assert told.low < 0 < told.high
    dear = worth_of(sums, capital=3_500, year_days=365)
    assert (dear.break_even_days, dear.verdict) == (21.3, "pays")
    cheap = worth_of(sums, capital=1_900, year_days=365)
    assert (cheap.break_even_days, cheap.verdict) == (39.2, "does_not_pay")
