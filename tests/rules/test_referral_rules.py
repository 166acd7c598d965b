"""When a referral qualifies, what it gives, and where a limit stands against it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.earning.rules import Every
from service.referrals.offers import ALWAYS_REFUSE, Cheating, Scores, Sign
from service.referrals.rules import (
    Before,
    Fact,
    Reward,
    bought_before,
    qualified_by,
    qualifies,
    reached_limit,
    reward_of,
    scored,
)
from tests.rules.referrals import CLAIMED, DAY, END, MOMENT, bought, did, offer, referral

IN_TIME = referral().counts_from
OVER_20: dict[str, Any] = {"kind": "purchase", "minimum": {"EUR": 2_000, "JPY": 3_000}}
SPEND: dict[str, Any] = {"kind": "spend", "amounts": {"EUR": 10_000, "USD": 12_000}}

facts = st.builds(
    Fact,
    id=st.integers(1, 10**6).map(lambda number: UUID(int=number)),
    at=st.sampled_from([CLAIMED + hours * DAY / 2 for hours in range(-5, 66)]),
    amount=st.integers(0, 6_000) | st.sampled_from([1_999, 2_000, 2_001]),
    currency=st.sampled_from(["EUR", "USD", "JPY"]),
    is_returned=st.booleans(),
) | st.builds(
    Fact,
    id=st.integers(1, 10**6).map(lambda number: UUID(int=number)),
    at=st.sampled_from([CLAIMED + hours * DAY / 2 for hours in range(-5, 66)]),
    type=st.sampled_from(["install", "survey"]),
)
histories = st.lists(facts, max_size=8, unique_by=lambda fact: fact.id)
qualifications = st.sampled_from(
    [
        {"kind": "purchase"},
        {"kind": "purchase", "number": 3},
        OVER_20,
        OVER_20 | {"number": 2},
        SPEND,
        {"kind": "spend", "amounts": {"EUR": 1}},
        {"kind": "activity", "type": "install"},
    ]
)


def number_of(qualification: dict[str, Any], *its: Fact) -> int | None:
    """Tell with which fact a referee qualifies, by its number."""
    found = qualified_by(offer(qualification=qualification).qualification, its)
    return None if found is None else found.id.int


def test_the_first_purchase_is_enough_where_nothing_else_is_asked() -> None:
    assert number_of({"kind": "purchase"}) is None
    assert number_of({"kind": "purchase"}, did(1), bought(2, 0), bought(3)) == 2


def test_the_first_one_over_the_minimum_of_its_currency_counts() -> None:
    its = [bought(1, 1_999), bought(2, 10**12, currency="USD"), bought(3, 2_000), bought(4, 3_000, currency="JPY")]
    assert number_of(OVER_20, *its) == 3
    assert number_of(OVER_20, *its[:2]) is None
    assert number_of(OVER_20, *its[:2], its[3]) == 4
    assert number_of(OVER_20, *its[:2], bought(4, 2_999, currency="JPY")) is None


def test_of_several_purchases_only_those_over_the_minimum_are_counted() -> None:
    its = [bought(1, 2_000), bought(2, 1_999), bought(3, 3_000, currency="JPY"), bought(4, 9_000, currency="USD")]
    assert number_of(OVER_20 | {"number": 2}, *its) == 3
    assert number_of(OVER_20 | {"number": 3}, *its) is None
    assert number_of({"kind": "purchase", "number": 4}, *its) == 4


def test_what_was_returned_counts_by_what_is_left_and_not_at_all_once_it_is_whole() -> None:
    assert number_of({"kind": "purchase"}, bought(1, returned=True)) is None
    assert number_of({"kind": "purchase"}, bought(1, returned=True), bought(2, 1)) == 2
    assert number_of({"kind": "purchase", "number": 2}, bought(1, returned=True), bought(2), bought(3)) == 3
    assert number_of(SPEND, bought(1, 9_999), bought(2, returned=True)) is None


def test_spending_adds_up_in_each_currency_by_itself() -> None:
    one, other = bought(1, 9_999, at=CLAIMED), bought(2, 11_999, currency="USD", at=CLAIMED + DAY)
    assert number_of(SPEND, one, other, bought(3, 10**9, currency="JPY", at=CLAIMED + 2 * DAY)) is None
    assert number_of(SPEND, one, other, bought(3, 1, currency="USD", at=CLAIMED + 2 * DAY)) == 3
    assert number_of(SPEND, one, other, bought(3, 1, at=CLAIMED + DAY / 2)) == 3
    assert number_of(SPEND, bought(1, 10_000)) == 1


def test_only_an_activity_of_the_type_counts_where_one_is_asked() -> None:
    asked = {"kind": "activity", "type": "install"}
    assert number_of(asked, bought(1), did(2, "survey")) is None
    assert number_of(asked, did(3, at=CLAIMED + DAY), did(4)) == 4


@given(qualifications, histories, st.randoms(use_true_random=False))
def test_facts_qualify_by_when_they_occurred_and_not_by_the_order_of_their_reports(
    asked: dict[str, Any], its: list[Fact], random: Any
) -> None:
    found, qualification = number_of(asked, *its), offer(qualification=asked).qualification
    shuffled = random.sample(its, len(its))
    assert number_of(asked, *shuffled) == found
    terms = offer(qualification=asked)
    assert qualifies(referral(terms=terms), its) == qualifies(referral(terms=terms), shuffled)
    if found is not None:
        (by,) = (each for each in its if each.id.int == found)
        assert not by.is_returned
        until = [each for each in its if (each.at, each.id) <= (by.at, by.id)]
        assert qualified_by(qualification, until) == by, "what came later is not needed"
        assert qualified_by(qualification, [each for each in until if each != by]) is None, "and without it, it is not"


@given(qualifications, histories, facts)
def test_one_more_fact_takes_no_qualification_away(asked: dict[str, Any], its: list[Fact], more: Fact) -> None:
    terms = offer(qualification=asked)
    if qualifies(referral(terms=terms), its):
        assert qualifies(referral(terms=terms), [*its, more])


@pytest.mark.parametrize(
    ("at", "counts"),
    [(IN_TIME - MOMENT, False), (IN_TIME, True), (CLAIMED, True), (END - MOMENT, True), (END, False)],
)
def test_what_occurs_within_the_window_counts(at: datetime, counts: bool) -> None:  # noqa: FBT001 - a row of the table
    assert qualifies(referral(), [bought(5, at=at)]) is counts
    asked = referral(terms=offer(qualification={"kind": "activity", "type": "install"}))
    assert qualifies(asked, [did(5, at=at)]) is counts


@pytest.mark.parametrize("at", [CLAIMED - 4_000 * DAY, END, END + 100 * DAY])
def test_the_purchase_that_the_code_came_with_counts_whenever_it_occurred(at: datetime) -> None:
    its = referral(claimed_with=UUID(int=5))
    assert qualifies(its, [bought(5, at=at)])
    assert not qualifies(its, [bought(6, at=at)])
    assert not qualifies(its, [bought(5, at=at, returned=True)])


def test_who_had_bought_before_is_not_new() -> None:
    before = IN_TIME - MOMENT
    assert bought_before(referral(), [bought(5, at=before)])
    assert bought_before(referral(), [bought(5, at=before, returned=True)]), "whatever came back of it"
    assert not bought_before(referral(), [bought(5, at=IN_TIME), did(6, at=before)])
    assert not bought_before(referral(claimed_with=UUID(int=5)), [bought(5, at=before)])
    assert bought_before(referral(claimed_with=UUID(int=5)), [bought(5, at=before), bought(6, at=before)])


def test_signs_add_up_by_the_scores_of_the_offer() -> None:
    cheating = Cheating(Scores(same_device=7, burst=0), refuse_from=1_000)
    assert scored(cheating, frozenset()) == 0
    assert scored(cheating, frozenset({Sign.SAME_DEVICE, Sign.SAME_ADDRESS, Sign.BURST})) == 7 + 30
    assert scored(cheating, frozenset({Sign.PRIZE_UNAVAILABLE})) == 0


@given(st.sets(st.sampled_from(Sign)), st.integers(1, 1_000), st.integers(1, 1_000))
def test_what_refuses_always_counts_as_much_as_it_takes(signs: set[Sign], review: int, refuse: int) -> None:
    cheating = Cheating(Scores(0, 0, 0, 0, 0, 0, 0), review_from=min(review, refuse), refuse_from=max(review, refuse))
    score = scored(cheating, frozenset(signs))
    assert (score >= cheating.refuse_from) == bool(signs & ALWAYS_REFUSE)
    assert score == 0 or signs & ALWAYS_REFUSE


def before(
    day: date, points: int = 700, *, step: int | None = None, offer: str = "friends", back: bool = False
) -> Before:
    return Before(day, points, step, offer, is_reversed=back)


TODAY = date(2026, 11, 20)
ONCE = before(TODAY)
STEPS = offer(
    referrer={"kind": "points", "points": 500},
    referee={"kind": "points", "points": 200},
    steps=[{"number": 3, "points": 1_000}, {"number": 2, "points": 100}],
)


def gave(*past: Before) -> tuple[int, int, int]:
    """Tell which number the next one has, and the points of both sides."""
    reward = reward_of(STEPS, past)
    return reward.number, reward.referrer_points, reward.referee_points


def test_steps_give_more_for_the_referee_of_their_number() -> None:
    assert gave() == (1, 500, 200)
    assert gave(ONCE) == (2, 600, 200)
    assert gave(ONCE, before(TODAY, step=2)) == (3, 1_500, 200)
    assert gave(ONCE, before(TODAY, step=2), before(TODAY, step=3)) == (4, 500, 200)
    assert reward_of(STEPS, [ONCE]).points == 800


def test_a_number_comes_again_when_a_referral_is_reversed_and_its_step_only_if_that_was() -> None:
    first, second, third = ONCE, before(TODAY, step=2), before(TODAY, step=3)
    assert gave(before(TODAY, back=True), second, third) == (3, 500, 200), "it has the third step already"
    assert gave(first, second, before(TODAY, step=3, back=True)) == (3, 1_500, 200)
    assert gave(first, before(TODAY, step=2, back=True)) == (2, 600, 200)


@given(st.lists(st.sampled_from(["reward", "reverse"]), max_size=30), st.integers(0, 10**9))
def test_nobody_has_a_step_twice(moves: list[str], chosen: int) -> None:
    past = list[Before]()
    for move in moves:
        if move == "reward":
            reward = reward_of(STEPS, past)
            assert reward.number == 1 + sum(not each.is_reversed for each in past)
            assert reward.referrer_points == 500 + (0 if reward.step is None else reward.step.points)
            past.append(before(TODAY, reward.points, step=None if reward.step is None else reward.step.number))
        elif past:
            reversed_one = past[chosen % len(past)]
            past[chosen % len(past)] = before(TODAY, reversed_one.points, step=reversed_one.step, back=True)
            chosen //= len(past)
        had = [each.step for each in past if each.step is not None and not each.is_reversed]
        assert len(had) == len(set(had))


@pytest.mark.parametrize(
    ("prize", "points"),
    [(None, 0), ({"kind": "reward", "reward_id": "rwd_1"}, 0), ({"kind": "points", "points": 9}, 9)],
)
def test_only_points_are_points(prize: Any, points: int) -> None:
    assert reward_of(offer(referrer=prize), []) == Reward(1, None, points, 0)
    assert reward_of(offer(referee=prize), []) == Reward(1, None, 0, points)


EDGES = [
    ("day", date(2026, 11, 20), date(2026, 11, 19)),
    ("week", date(2026, 11, 16), date(2026, 11, 15)),
    ("month", date(2026, 11, 1), date(2026, 10, 31)),
    ("quarter", date(2026, 10, 1), date(2026, 9, 30)),
    ("year", date(2026, 1, 1), date(2025, 12, 31)),
]


def reached(limits: list[dict[str, Any]], *past: Before, points: int = 700) -> Every | None:
    """Tell which limit a reward of 700 points would break on 20 November 2026, a Friday."""
    terms = offer(limits=limits)
    found = reached_limit(terms, "friends", past, Reward(1, None, points, 0), TODAY)
    assert found is None or found in terms.limits
    return None if found is None else found.every


@pytest.mark.parametrize(("every", "first", "last_before"), EDGES)
def test_a_limit_counts_what_was_rewarded_in_its_period(every: str, first: date, last_before: date) -> None:
    twice, points = {"every": every, "times": 2}, {"every": every, "points": 2_000}
    assert reached([twice], before(first), before(last_before), before(last_before)) is None
    assert reached([twice], before(first), before(TODAY)) is Every(every)
    assert reached([points], before(first), before(last_before)) is None
    assert reached([points], before(first), before(TODAY)) is Every(every)
    assert reached([points], before(first), before(TODAY), points=600) is None


def test_a_limit_of_a_life_counts_all_that_ever_was() -> None:
    ages_ago = before(date(1, 1, 1))
    assert reached([{"every": "life", "times": 2}], ages_ago) is None
    assert reached([{"every": "life", "times": 2}], ages_ago, ONCE) is Every.LIFE
    assert reached([{"every": "life", "points": 1_400}], ages_ago) is None
    assert reached([{"every": "life", "points": 1_399}], ages_ago) is Every.LIFE
    assert reached([{"every": "life", "points": 699}]) is Every.LIFE, "one is too much by itself"


def test_what_was_reversed_goes_on_counting_and_other_offers_do_not() -> None:
    once = [{"every": "life", "times": 1}]
    assert reached(once, before(TODAY, back=True)) is Every.LIFE
    assert reached(once, before(TODAY, offer="summer")) is None
    assert reached([{"every": "life", "points": 1_000}], before(TODAY, offer="summer")) is None


def test_limits_for_all_are_not_those_of_a_referrer_and_the_first_that_is_reached_is_named() -> None:
    assert reached([{"every": "day", "scope": "all", "times": 1}], ONCE, ONCE) is None
    limits = [{"every": "day", "times": 9}, {"every": "month", "times": 2}, {"every": "year", "points": 1}]
    assert reached(limits, ONCE, ONCE) is Every.MONTH
    assert reached([{"every": "day", "times": 1, "points": 5_000}], ONCE) is Every.DAY
    assert reached([]) is None
