"""Draws follow the odds, the lot holds out as many as it should, and a prize is picked as the fairness document says.

The keys are fixed, so that nothing is left to chance: what holds once holds always. Each statistic would be as large as
here in less than one of 10,000 services that draw well.
"""

import hmac
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.customers.rules import Balance, Customer
from service.kernel.ids import IdSource
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.surprises.audience import compiled_audience
from service.surprises.book import Run, RunningCampaign
from service.surprises.campaigns import CampaignContent, CampaignPrize, NoGift, OnPurchase, PointsGift
from service.surprises.chance import (
    U_BITS,
    Keyed,
    draw_id,
    drawn,
    is_held_out,
    is_held_out_of_all,
    mask_of,
    pick,
    pseudonym_of,
)
from service.surprises.drawing import Drawing, Occurred
from service.surprises.had import NOTHING_HAD

KEY, OTHER_KEY, SECRET = (Keyed(bytes(range(first, first + 32))) for first in (0, 32, 64))
CAMPAIGN = UUID("01a204a0-8700-7000-8000-000000000001")
OTHER = UUID("01a204a0-8700-7000-8000-000000000002")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROGRAM = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, ProgramSettings()))
NO_POINTS = Balance(0, 0, 0, 0)
ALL = 1 << U_BITS
MANY = 100_000
WEIGHTS = {"sweet": 500, "cake": 300, "never": 0, "ticket": 7, "nothing": 193}

us = st.integers(0, ALL - 1)
weights_left = st.lists(st.integers(0, 10**6), min_size=1, max_size=50)


def chi_square(seen: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Pearson's statistic, of the counts seen against shares that make 1 together."""
    count = sum(seen.values())
    return sum((seen[each] - count * share) ** 2 / (count * share) for each, share in shares.items())


def tail(value: float, degrees: int) -> float:
    """Tell how often chi-square of so many degrees is larger (Abramowitz and Stegun, 26.4.4 and 26.4.5)."""
    root, terms, term = math.sqrt(value), 0.0, 0.0
    odd = degrees % 2
    for step in range(1, (degrees - odd) // 2 + odd):
        power = 2 * step - 1 if odd else 2 * step
        term = (term * value / power) if term else (root if odd else value / 2)
        terms += term
    if odd:
        return math.erfc(root / math.sqrt(2)) + math.sqrt(2 / math.pi) * math.exp(-value / 2) * terms
    return math.exp(-value / 2) * (1 + terms)


def critical(degrees: int, level: float = 1e-4) -> float:
    """Return the value that chi-square of so many degrees exceeds in this share of cases."""
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, degrees) > level else (low, middle)
    return high


@pytest.mark.parametrize(
    ("degrees", "level", "value"),
    [(1, 0.05, 3.8415), (3, 0.001, 16.2662), (4, 0.01, 13.2767), (99, 0.05, 123.2252), (100, 0.05, 124.3421)],
)
def test_the_critical_values_are_those_of_the_tables(degrees: int, level: float, value: float) -> None:
    assert critical(degrees, level) == pytest.approx(value, abs=1e-3)


def running(holdout: int = 0) -> RunningCampaign:
    """Start a campaign without limits, of prizes with these weights."""
    content = CampaignContent(
        name="Sweets",
        trigger=OnPurchase(),
        prizes=tuple(
            CampaignPrize(prize, NoGift() if prize == "nothing" else PointsGift(5), weight)
            for prize, weight in WEIGHTS.items()
        ),
        holdout=holdout,
        gifts_per_customer=None,
    )
    audience = compiled_audience(content.audience, of_purchase=True)
    return RunningCampaign(CAMPAIGN, 1, content, audience, Run(KEY.key, NOW))


def occurring(its: RunningCampaign, customers: Iterable[int], *, to_all: bool = False) -> Drawing:
    """Let there be one occasion of each customer; `to_all` draws for each, whatever the lot and limits say."""
    drawing = Drawing(PROGRAM, NOW, IdSource(NOW, 1), secret=SECRET, campaigns=[its])
    for its_id in customers:
        customer = Customer(its_id, "", 1, NO_POINTS, 0, 0, None, None, NOW)
        occasion = Occurred(f"purchase:{its_id}", UUID(int=its_id), NOW)
        if to_all:
            drawing.draw(its, customer, NOTHING_HAD, occasion)
        else:
            drawing.occur(its, customer, occasion)
    return drawing


def test_draws_without_limits_follow_the_odds_over_100_000_occasions() -> None:
    drawing = occurring(running(), range(1, MANY + 1), to_all=True)
    assert len(drawing.draws) == MANY
    names = list(WEIGHTS)
    seen = Counter(names[each.prize] for each in drawing.draws)
    assert seen["never"] == 0
    shares = {each: weight / sum(WEIGHTS.values()) for each, weight in WEIGHTS.items() if weight}
    assert chi_square(seen, shares) < critical(len(shares) - 1)
    assert Counter(each.prize for each in drawing.gifts) == {
        each: count for each, count in seen.items() if each != "nothing"
    }


def test_the_lot_holds_out_as_many_as_it_should_whatever_the_odds() -> None:
    drawing = occurring(running(holdout=2000), range(1, MANY // 5 + 1))
    sides = {each.customer: each.held_out for each in drawing.enrolled if each.campaign == CAMPAIGN}
    assert len(sides) == MANY // 5
    seen = Counter("out" if held_out else "in" for held_out in sides.values())
    assert chi_square(seen, {"out": 0.2, "in": 0.8}) < critical(1)
    assert {each.customer for each in drawing.draws} == {each for each, held_out in sides.items() if not held_out}
    names = list(WEIGHTS)
    # What is drawn does not hang on the lot: those who may win have the same odds.
    prizes = Counter(names[each.prize] for each in drawing.draws)
    shares = {each: weight / sum(WEIGHTS.values()) for each, weight in WEIGHTS.items() if weight}
    assert chi_square(prizes, shares) < critical(len(shares) - 1)


@pytest.mark.parametrize("share", [1, 500, 5000, 9999])
def test_holdouts_have_the_share_that_is_set(share: int) -> None:
    its = Counter[str]()
    for customer in range(20_000):
        pseudonym = pseudonym_of(mask_of(SECRET, customer), CAMPAIGN)
        its["campaign"] += is_held_out(KEY, campaign="cmp_1", pseudonym=pseudonym, share=share)
        its["program"] += is_held_out_of_all(SECRET, customer=customer, share=share)
    shares = {"out": share / 10_000, "in": 1 - share / 10_000}
    for held_out in its.values():
        assert chi_square({"out": held_out, "in": 20_000 - held_out}, shares) < critical(1)


@given(customer=st.integers(1, 2**63 - 1), share=st.integers(0, 10_000), more=st.integers(0, 10_000))
def test_a_larger_holdout_keeps_all_who_were_in_a_smaller_one(customer: int, share: int, more: int) -> None:
    greater = min(share + more, 10_000)
    if is_held_out_of_all(SECRET, customer=customer, share=share):
        assert is_held_out_of_all(SECRET, customer=customer, share=greater)
    assert not is_held_out_of_all(SECRET, customer=customer, share=0)
    assert is_held_out_of_all(SECRET, customer=customer, share=10_000)


def test_u_is_uniform_in_each_of_its_bits_and_in_hundredths() -> None:
    found = [KEY.number(f"draw\ncmp_1\n{each}\nan occasion") for each in range(20_000)]
    hundredths = Counter(str(u * 100 >> U_BITS) for u in found)
    assert chi_square(hundredths, {str(each): 0.01 for each in range(100)}) < critical(99)
    for bit in range(U_BITS):
        ones = sum(u >> bit & 1 for u in found)
        assert chi_square({"1": ones, "0": 20_000 - ones}, {"1": 0.5, "0": 0.5}) < critical(1, 1e-5)
    assert all(0 <= u < ALL for u in found)


def test_draws_of_one_campaign_say_nothing_of_those_of_another_one() -> None:
    """The same customers and occasions: quarters of u, and sides, in both together, as if each were on its own."""
    quarters, sides = Counter[str](), Counter[str]()
    pseudonyms = set[str]()
    for customer in range(20_000):
        mask = mask_of(SECRET, customer)
        its, others = pseudonym_of(mask, CAMPAIGN), pseudonym_of(mask, OTHER)
        pseudonyms |= {its, others}
        u = drawn(KEY, campaign="cmp_1", pseudonym=its, occasion="purchase:1")
        other = drawn(OTHER_KEY, campaign="cmp_2", pseudonym=others, occasion="purchase:1")
        quarters[f"{u >> U_BITS - 2} {other >> U_BITS - 2}"] += 1
        side = is_held_out(KEY, campaign="cmp_1", pseudonym=its, share=5000)
        sides[f"{side} {u >> U_BITS - 1}"] += 1
    assert len(pseudonyms) == 40_000
    both = {f"{one} {other}": 1 / 16 for one in range(4) for other in range(4)}
    assert chi_square(quarters, both) < critical(15)
    assert chi_square(sides, {f"{side} {half}": 0.25 for side in (True, False) for half in (0, 1)}) < critical(3)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**63 - 1), st.uuids(), st.uuids())
def test_nobody_has_the_same_pseudonym_or_draw_twice(secret: bytes, customer: int, its: UUID, other: UUID) -> None:
    keyed = Keyed(secret)
    mask, occasion = mask_of(keyed, customer), "play:1"
    assert pseudonym_of(mask, its) == pseudonym_of(mask_of(keyed, customer), its)
    assert (pseudonym_of(mask, its) == pseudonym_of(mask, other)) == (its == other)
    assert pseudonym_of(mask, its) != pseudonym_of(mask_of(keyed, customer + 1), its)
    assert (draw_id(keyed, its, customer, occasion) == draw_id(keyed, other, customer, occasion)) == (its == other)
    assert draw_id(keyed, its, customer, occasion) != draw_id(keyed, its, customer, "play:2")
    assert draw_id(keyed, its, customer, occasion).version == 8


@given(st.binary(max_size=64), st.text("aé \n"))
@example(b"Jefe", "what do ya want for nothing?")
def test_the_keyed_hash_is_hmac_sha_256(key: bytes, message: str) -> None:
    keyed, expected = Keyed(key), hmac.digest(key, message.encode(), "sha256")
    assert keyed.digest(message) == keyed.digest(message) == expected
    assert keyed.number(message) == int.from_bytes(expected) >> 256 - U_BITS


def test_the_keyed_hash_is_that_of_the_standard() -> None:
    """RFC 4231, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert Keyed(b"Jefe").digest("what do ya want for nothing?").hex() == expected


@given(us, weights_left)
@example(ALL - 1, [0, 1, 0])
@example(0, [0, 0, 1])
@example(ALL - 1, [10**6] * 50)
def test_any_u_gives_a_prize_that_has_a_weight_if_there_is_one(u: int, weights: list[int]) -> None:
    place = pick(u, weights)
    if sum(weights):
        assert place is not None
        assert weights[place] > 0
    else:
        assert place is None


@given(st.lists(us, min_size=2, max_size=20), weights_left)
def test_a_larger_u_gives_the_same_prize_or_a_later_one(found: list[int], weights: list[int]) -> None:
    places = [pick(u, weights) for u in sorted(found)]
    assert places == [None] * len(found) or all(
        one is not None and other is not None and one <= other for one, other in pairwise(places)
    )


@given(weights_left.filter(any))
def test_each_prize_has_its_part_of_all_numbers_to_within_one(weights: list[int]) -> None:
    """The first u of each ticket is the rounded up ticket * 2^53 / sum: no prize has more than its weight's share."""
    total, before = sum(weights), 0
    for place, weight in enumerate(weights):
        first, behind = (-(-each * ALL // total) for each in (before, before + weight))
        if weight:
            assert pick(first, weights) == pick(behind - 1, weights) == place
            assert abs((behind - first) * total - weight * ALL) < total
        before += weight


@given(us, weights_left, st.data())
def test_prizes_without_a_weight_change_nothing(u: int, weights: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(weights)))
    place, among = pick(u, weights), pick(u, [*weights[:at], 0, *weights[at:]])
    assert among == (None if place is None else place + (place >= at))


@given(us, weights_left, st.integers(2, 1000))
def test_only_the_proportion_of_weights_counts(u: int, weights: list[int], times: int) -> None:
    assert pick(u, weights) == pick(u, [each * times for each in weights])
