"""A thousand simulated campaigns, looked at every day: how often the intervals miss the truth at any look at all.

Customers are enrolled over weeks, fewer on Sundays, and their windows close day by day. 15 % of them buy, for amounts
with a heavy tail. Who is held out is drawn for each customer. The interval is asked for at the end of each day, and it
must hold the true difference at all of these 60 looks together.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from typing import Final, NamedTuple

import pytest

from service.surprises.proof import sequence
from service.surprises.proof.sequence import Arm, Interval, interval
from service.surprises.proof.verdict import Verdict, verdict

pytestmark = pytest.mark.long

Amount = Callable[[Random], float]
Look = tuple[Arm, Arm]

CAMPAIGNS: Final = 1000
LOOKS: Final = 60
MISSED: Final = 0.064
"""How many of the campaigns may miss the truth at a look, or give a false alarm."""
BUYING: Final = 0.15
SIZES: Final = {5000: 4_000, 2000: 6_000, 500: 16_000}
"""Customers by the share of holdout in basis points. A holdout of 5 % is meant for more than these 16,000."""
MINOR: Final = 100
AS_EVER, WORKS, HARMS = 10, 13, 7
"""What the treated spend where the others spend 10."""


class Campaign(NamedTuple):
    """What is seen of a campaign: both arms at the end of each day, and how many customers were planned."""

    looks: list[Look]
    planned: int


def lognormal(random: Random) -> float:
    return exp(1.5 * random.gauss(0, 1))


def pareto(random: Random) -> float:
    """Return an amount whose variance is finite, and whose third moment isn't."""
    return random.paretovariate(2.5)


def once(_: Random) -> float:
    """Return 1 for who bought again, as one minor unit."""
    return 1 / MINOR


MEANS: Final[dict[Amount, float]] = {lognormal: MINOR * exp(1.125), pareto: MINOR * 2.5 / 1.5, once: 1.0}


def hits(random: Random, chance: float, of: int) -> Iterator[int]:
    """Yield which of so many trials hit: each does with this chance, on its own. The gaps are geometric."""
    scale, at = log(1 - chance), -1
    while (at := at + 1 + int(log(1 - random.random()) / scale)) < of:
        yield at


def by_day(random: Random, closing: list[int], buying: float, amount: Amount) -> list[Arm]:
    """Return an arm at the end of each day, where so many windows close on each."""
    ends = list(accumulate(closing))
    arms = list[Arm]()
    total = squares = nonzero = 0
    for customer in (*hits(random, buying, ends[-1]), ends[-1]):
        while len(arms) < len(ends) and ends[len(arms)] <= customer:
            arms.append(Arm(customers=ends[len(arms)], total=total, squares=squares, nonzero=nonzero))
        spent = max(1, round(MINOR * amount(random)))
        total, squares, nonzero = total + spent, squares + spent * spent, nonzero + 1
    return arms


def simulate(random: Random, share: int, amount: Amount, buying: float) -> Campaign:
    """Simulate a campaign; `buying` is the chance that a treated customer buys."""
    weights = [0.4 if day % 7 == 6 else 1.0 for day in range(LOOKS)]
    closing = [round(SIZES[share] * weight / sum(weights)) for weight in weights]
    ends, held = list(accumulate(closing)), [0] * LOOKS
    day = 0
    for customer in hits(random, share / 10_000, ends[-1]):
        while ends[day] <= customer:
            day += 1
        held[day] += 1
    treated = by_day(random, [each - out for each, out in zip(closing, held, strict=True)], buying, amount)
    return Campaign(list(zip(treated, by_day(random, held, BUYING, amount), strict=True)), ends[-1])


@cache
def campaigns(share: int, amount: Amount, buying: float = BUYING) -> list[Campaign]:
    """Return a thousand of them, always the same."""
    random = Random(f"{share} {amount.__name__} {buying}")
    return [simulate(random, share, amount, buying) for _ in range(CAMPAIGNS)]


def spending(arm: Arm, times: int) -> Arm:
    """Let each customer spend so many times as much."""
    return Arm(customers=arm.customers, total=arm.total * times, squares=arm.squares * times**2, nonzero=arm.nonzero)


def intervals(of: list[Campaign], treated: int = AS_EVER) -> list[list[Interval]]:
    """Return each campaign's intervals at all looks; amounts are in tenths of a minor unit."""
    return [
        [
            interval(spending(first, treated), spending(second, AS_EVER), planned=each.planned)
            for first, second in each.looks
        ]
        for each in of
    ]


def missing(found: list[list[Interval]], true: float) -> float:
    """Return the part of the campaigns of which any interval misses what is true."""
    return sum(any(is_missed(each, true) for each in looks) for looks in found) / len(found)


def is_missed(found: Interval, true: float) -> bool:
    return found.low is not None and found.high is not None and not found.low <= true <= found.high


def saying(found: list[list[Interval]], says: Verdict) -> float:
    """Return the part of the campaigns with this verdict at any look."""
    return sum(any(verdict(each) is says for each in looks) for looks in found) / len(found)


def telling(found: list[list[Interval]]) -> float:
    """Return the part of the campaigns that have an interval at the end."""
    return sum(looks[-1].low is not None for looks in found) / len(found)


ALL: Final = [(share, amount) for amount in (lognormal, once) for share in SIZES] + [(2000, pareto)]


@pytest.mark.parametrize(("share", "amount"), ALL)
def test_without_an_effect_false_alarms_are_few_over_all_daily_looks(share: int, amount: Amount) -> None:
    found = intervals(campaigns(share, amount))
    assert missing(found, 0.0) <= MISSED
    assert saying(found, Verdict.WORKS) + saying(found, Verdict.HARMS) <= MISSED
    assert telling(found) > 0.99  # or there would be nothing that could miss


@pytest.mark.parametrize("times", [WORKS, HARMS])
@pytest.mark.parametrize(("share", "amount"), [each for each in ALL if each[1] is not once])
def test_the_true_effect_on_spending_is_held_at_all_daily_looks(share: int, amount: Amount, times: int) -> None:
    found = intervals(campaigns(share, amount), times)
    assert missing(found, (times - AS_EVER) * BUYING * MEANS[amount]) <= MISSED
    assert saying(found, Verdict.HARMS if times == WORKS else Verdict.WORKS) <= MISSED


@pytest.mark.parametrize("share", SIZES)
def test_the_true_effect_on_repeat_purchases_is_held_at_all_daily_looks_and_found_in_most(share: int) -> None:
    """Of the treated 21 % buy again instead of 15 %."""
    found = intervals(campaigns(share, once, 0.21))
    assert missing(found, AS_EVER * (0.21 - BUYING)) <= MISSED
    assert saying(found, Verdict.WORKS) >= 0.8


def test_a_strong_effect_on_spending_is_found_in_most() -> None:
    """6,000 customers find 1.6 times as much of Pareto's amounts, and thrice as much of lognormal ones."""
    assert saying(intervals(campaigns(2000, pareto), 16), Verdict.WORKS) >= 0.8
    assert saying(intervals(campaigns(2000, lognormal), 30), Verdict.WORKS) >= 0.5


def test_each_arms_own_variance_would_miss_with_a_small_holdout() -> None:
    """Why both arms have the larger variance: these campaigns show it."""
    missed = 0
    for looks, planned in campaigns(500, lognormal):
        missed += any(_own_misses(treated, control, planned) for treated, control in looks)
    assert missed / CAMPAIGNS > MISSED


def _own_misses(treated: Arm, control: Arm, planned: int) -> bool:
    """Return whether the interval misses nought where each arm has the variance that it shows."""
    if not (treated.is_enough and control.is_enough):
        return False
    customers = treated.customers + control.customers
    own = (treated.variance or 0) / treated.customers + (control.variance or 0) / control.customers
    off = sqrt(customers * own) * sequence.margin(customers, planned=planned)
    return abs((treated.mean or 0) - (control.mean or 0)) > off


def test_a_textbooks_interval_would_give_false_alarms_when_looked_at_every_day() -> None:
    """Why it is a sequence: 1.96 standard errors hold at one look, and not at sixty."""
    alarms = 0
    for looks, _ in campaigns(5000, once):
        alarms += any(_textbook_misses(treated, control) for treated, control in looks)
    assert alarms / CAMPAIGNS > 2 * MISSED


def _textbook_misses(treated: Arm, control: Arm) -> bool:
    variance, customers = sequence.variance_of(treated, control), treated.customers + control.customers
    if variance is None:
        return False
    return abs((treated.mean or 0) - (control.mean or 0)) > 1.96 * sqrt(variance / customers)
