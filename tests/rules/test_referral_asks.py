"""When a customer is asked for a referral. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.events.rules import Placed
from service.kernel.errors import Invalid
from service.programs.tier_policy import RollingPeriod, TierPolicy
from service.referrals.asks.rules import (
    Reached,
    ReferralAsk,
    Success,
    asks_after,
    is_higher,
    may_be_fresh,
    merged,
    milestone_of,
    open_asks,
    passed,
    reached,
    whole_bookings,
)
from service.referrals.offers import FOLLOWED_ONLY, Ask
from service.tiers.rules import Ladder, Tier, TierContent, ladder_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
ASK = Ask(purchases=(2, 5, 10), activities=("review_left",), days=14)
STEPS = {"bronze": 10, "silver": 50, "gold": 100}


def ladder() -> Ladder:
    tiers = [Tier(name, 1, TierContent(name.title(), threshold)) for name, threshold in STEPS.items()]
    return ladder_of(TierPolicy(RollingPeriod(months=12)), tiers, currency="EUR", time_zone="UTC")


def milestones(*successes: Success, ask: Ask = ASK, **by: Any) -> dict[str, timedelta]:
    """Give the milestones that successes come to, with how long they ask; none: they are passed by."""
    known = msgspec.structs.replace(Reached(1, None, ()), **by)
    return {each.milestone: each.until - each.reached_at for each in reached(ask, successes, known, ladder(), NOW)}


BOUGHT = Success(NOW)


def test_the_purchase_of_a_number_asks_and_one_before_it_does_not() -> None:
    assert milestones(BOUGHT, purchases=1) == {}
    assert milestones(BOUGHT, purchases=2) == {"purchase:2": 14 * DAY}
    assert milestones(BOUGHT, purchases=2, milestones={"purchase:2"}) == {}


def test_of_several_numbers_at_once_the_highest_asks_and_the_others_are_passed_by() -> None:
    assert milestones(BOUGHT, BOUGHT, purchases=12) == {
        "purchase:2": 0 * DAY,
        "purchase:5": 0 * DAY,
        "purchase:10": 14 * DAY,
    }
    assert milestones(BOUGHT, purchases=12, milestones={"purchase:10"})["purchase:5"] == 14 * DAY
    assert milestones(BOUGHT, purchases=3, ask=Ask(purchases=(3, 2, 3))) == {
        "purchase:2": 0 * DAY,
        "purchase:3": 14 * DAY,
    }


def test_a_purchase_that_is_told_of_later_asks_for_the_days_that_are_left() -> None:
    (found,) = reached(ASK, [Success(NOW - 13 * DAY)], Reached(2, None, ()), None, NOW)
    assert (found.reached_at, found.until) == (NOW - 13 * DAY, NOW + DAY)
    assert found.announced_at is found.asked_at is None


@pytest.mark.parametrize(("ago", "asks"), [(14 * DAY - MOMENT, True), (14 * DAY, False), (400 * DAY, False)])
def test_what_occurred_too_long_ago_comes_to_nothing(ago: timedelta, *, asks: bool) -> None:
    successes = [Success(NOW - ago), Success(NOW - ago, type="review_left"), Success(NOW - ago, tier="gold")]
    assert bool(milestones(*successes, purchases=5, tier="gold")) is asks


def test_the_newest_of_several_successes_tells_since_when() -> None:
    times = [NOW - 3 * DAY, NOW - DAY, NOW - 20 * DAY]
    (found,) = reached(ASK, [Success(each) for each in times], Reached(2, None, ()), None, NOW)
    assert found.reached_at == NOW - DAY


def test_activities_of_the_kinds_that_are_named_ask() -> None:
    assert milestones(Success(NOW, type="review_left")) == {"activity:review_left": 14 * DAY}
    assert milestones(Success(NOW, type="survey"), purchases=5) == {}  # nor is it a purchase


def test_the_tier_that_a_customer_has_asks_and_a_lower_one_is_passed_by() -> None:
    both = Success(NOW, tier="silver"), Success(NOW, tier="gold")
    assert milestones(*both, tier="gold") == {"tier:silver": 0 * DAY, "tier:gold": 14 * DAY}
    assert milestones(*both, tier="silver") == {"tier:silver": 14 * DAY}  # and has fallen from gold since
    assert milestones(*both, tier=None) == {}
    assert milestones(Success(NOW, tier="gone"), tier="gone") == {}
    assert milestones(*both, tier="gold", ask=Ask(tiers=False)) == {}
    assert reached(ASK, both, Reached(1, "gold", ()), None, NOW) == []


def test_a_customer_climbs_by_the_ladders_order() -> None:
    climbs = [(None, "bronze"), ("bronze", "gold"), ("gone", "bronze")]
    assert all(is_higher(ladder(), before, after) for before, after in climbs)
    assert not any(is_higher(ladder(), after, before) for before, after in climbs)
    assert not is_higher(ladder(), "silver", "silver")


def test_where_nothing_was_ever_offered_nobody_is_asked() -> None:
    assert milestones(BOUGHT, Success(NOW, tier="gold"), ask=FOLLOWED_ONLY.ask, purchases=100, tier="gold") == {}


def known(milestone: str = "purchase:5", *, since: timedelta = DAY, days: int = 14, **more: Any) -> ReferralAsk:
    return ReferralAsk(milestone, NOW - since, NOW - since + days * DAY, **more)


def shown(*asks: ReferralAsk, ask: Ask = ASK, now: datetime = NOW) -> list[str]:
    return [each.milestone for each in open_asks(ask, asks, now)]


def test_it_asks_from_the_success_until_its_days_are_over() -> None:
    assert shown(known()) == ["purchase:5"]
    assert shown(known(), now=NOW + 13 * DAY - MOMENT) == ["purchase:5"]
    assert shown(known(), now=NOW + 13 * DAY) == []
    assert shown(known(days=0)) == []


def test_the_newest_comes_first() -> None:
    asks = (
        known("purchase:2", since=3 * DAY),
        known("tier:gold", since=DAY),
        known("activity:review_left", since=2 * DAY),
    )
    assert shown(*asks) == ["tier:gold", "activity:review_left", "purchase:2"]
    assert shown(known("tier:gold"), known("purchase:5")) == shown(known("purchase:5"), known("tier:gold"))


def test_who_was_asked_is_not_asked_for_that_nor_for_what_was_before() -> None:
    asked = known("tier:gold", since=3 * DAY, asked_at=NOW - 2 * DAY)
    before, after = known("purchase:2", since=2 * DAY), known("purchase:5", since=2 * DAY - MOMENT)
    assert shown(asked, before, after) == ["purchase:5"]


def test_what_an_offer_does_not_name_any_more_asks_nobody() -> None:
    asks = [known(each) for each in ("purchase:5", "tier:gold", "activity:review_left")]
    assert len(shown(*asks)) == 3
    assert shown(*asks, ask=Ask(purchases=(50,), tiers=False)) == []
    assert [asks_after(Ask(), each) for each in ("purchase:2", "purchase:3", "tier:gold", "activity:x")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_a_milestone_that_was_never_reached_is_unknown() -> None:
    assert milestone_of([known()], "purchase:5") == known()
    for named in ("purchase:50", "", "purchase:5 "):
        with pytest.raises(Invalid) as refused:
            milestone_of([known()], named)
        assert (refused.value.pointer, refused.value.reason) == ("/milestone", "milestone_unknown")


def _of_one(milestone: str, at: datetime, days: int, announced: datetime | None, asked: datetime | None) -> ReferralAsk:
    return ReferralAsk(milestone, at, at + days * DAY, announced, asked)


names = st.sampled_from(["purchase:2", "purchase:5", "tier:gold"])
moments = st.integers(0, 40).map(lambda days: NOW - days * DAY)
asks_of_one = st.lists(
    st.builds(_of_one, names, moments, st.sampled_from([0, 14]), st.none() | moments, st.none() | moments),
    unique_by=lambda each: each.milestone,
)


@given(asks_of_one, asks_of_one)
def test_two_records_that_become_one_have_each_milestone_once_and_what_came_earlier(
    source: list[ReferralAsk], target: list[ReferralAsk]
) -> None:
    found = {each.milestone: each for each in merged(source, target)}
    assert len(found) == len(merged(source, target))
    assert found == {each.milestone: each for each in merged(target, source)}
    for name in ("purchase:2", "purchase:5", "tier:gold"):
        had = [each for each in (*source, *target) if each.milestone == name]
        assert (name in found) == bool(had)
        if had:
            its = found[name]
            assert its.reached_at == min(each.reached_at for each in had)
            assert its.until >= its.reached_at
            assert its.asked_at == min((each.asked_at for each in had if each.asked_at), default=None)
            assert its.announced_at == min((each.announced_at for each in had if each.announced_at), default=None)


@given(st.sets(st.integers(1, 30), max_size=8), st.integers(0, 40), st.data())
def test_nobody_is_asked_before_the_number_and_of_a_number_once(
    numbers: set[int], count: int, data: st.DataObject
) -> None:
    """However the purchases come, one by one or many at once."""
    ask, recorded, so_far = Ask(purchases=tuple(numbers), tiers=False), dict[str, bool](), 0
    while so_far < count:
        so_far = min(count, so_far + data.draw(st.integers(1, 9)))
        by = Reached(so_far, None, recorded)
        assert set(passed(ask, by)) == {each for each in numbers if each <= so_far} - {
            int(name.partition(":")[2]) for name in recorded
        }
        new = reached(ask, [BOUGHT], by, None, NOW)
        assert sum(each.until > each.reached_at for each in new) == bool(new)
        assert not {each.milestone for each in new} & set(recorded)
        recorded |= {each.milestone: each.until > each.reached_at for each in new}
    assert {int(name.partition(":")[2]) for name in recorded} == {each for each in numbers if each <= count}


def placed(position: int, at: datetime) -> Placed:
    return Placed(position, UUID(int=position), "purchase.rewarded", 1, UUID(int=position), at)


def test_a_booking_that_may_go_on_behind_a_page_is_left_to_the_next() -> None:
    one, two, three = placed(1, NOW), placed(2, NOW + MOMENT), placed(3, NOW + MOMENT)
    assert whole_bookings([one, two, three]) == [one]
    assert whole_bookings([two, three]) == [two, three]


def test_what_was_booked_months_ago_is_not_read() -> None:
    assert may_be_fresh(placed(1, NOW - 90 * DAY), NOW)
    assert not may_be_fresh(placed(1, NOW - 91 * DAY), NOW)
