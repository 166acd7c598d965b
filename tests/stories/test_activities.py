"""Activities as programs reward them: a survey once, reviews within limits, also late and after a merge."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.earning import usecases as earning
from service.earning.occasion import Known, Occasion
from service.platform.roles import Role
from service.purchases import usecases
from tests.activities import declare, earned, report, reward
from tests.rulebook import change_rule, set_rule
from tests.rules.earning import book
from tests.rules.earning import earned as decided
from tests.shop import Shop, unique


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """Give a program that rewards a survey with 50 points, once."""
    await declare(shop, once=True)
    await reward(shop)
    return shop


async def review(shop: Shop, day: str, **changes: Any) -> int:
    """Report a review on a day; returns what it earned."""
    return await earned(shop, type="review", occurred_at=f"2026-{day}T12:00:00Z", **changes)


async def merge(shop: Shop, source: str, target: str) -> None:
    path = f"/v1/customers/{source}/merge"
    answer = await shop.post(path, {"into": target}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert answer.status == 200, answer.text


async def test_a_survey_is_rewarded_once_and_the_second_is_told_why_it_is_not(shop: Shop) -> None:
    assert await earned(shop, id="s-1") == 50
    tried = await report(shop, "?dry_run=true", id="s-2")
    second = await report(shop, id="s-2")
    assert second.body["points"] == {
        "earned": 0,
        "pending": 0,
        "lines": [
            {
                "rule": "answers",
                "points": 0,
                "why": "a bonus of 50 points, not given: this is rewarded once, and was before",
            }
        ],
    }
    assert (second.status, tried.body) == (201, second.body)
    assert await earned(shop, customer_id="c-1") == 50
    again = await report(shop, id="s-1")
    assert (again.status, again.body["points"]["earned"]) == (200, 50)
    assert (await shop.balance("c-42"))["available"] == 50


async def test_an_earlier_survey_that_is_reported_late_is_not_rewarded_beside_the_later_one(shop: Shop) -> None:
    assert await earned(shop, occurred_at="2026-02-01T12:00:00Z") == 50
    assert await earned(shop, occurred_at="2026-01-01T12:00:00Z") == 0


async def test_two_records_that_become_one_have_been_rewarded(shop: Shop) -> None:
    assert [await earned(shop, customer_id=name) for name in ("guest", "c-42")] == [50, 50]
    await report(shop, customer_id="visitor", type="survey")
    await merge(shop, "guest", "c-42")
    await shop.call("PUT", "/v1/customers/other", {})
    await merge(shop, "visitor", "other")
    assert [await earned(shop, customer_id=name) for name in ("guest", "c-42", "visitor", "other")] == [0, 0, 0, 0]
    assert (await shop.balance("c-42"))["available"] == 100
    assert (await shop.get("/v1/customers/c-42/balance")).body["lifetime_earned"] == 100


async def test_who_was_rewarded_before_a_type_became_one_of_once_is_not_rewarded_again(shop: Shop) -> None:
    await declare(shop, "webinar")
    await reward(shop, "seen", activity="webinar")
    assert [await earned(shop, type="webinar") for _ in range(2)] == [50, 50]
    change = {"once": True, "valid_from": "2026-01-01T00:00:00Z"}
    assert (await shop.call("PATCH", "/v1/activity-types/webinar", change, role=Role.MARKETER)).status == 200
    assert await earned(shop, type="webinar") == 0
    assert await earned(shop, type="webinar", customer_id="c-1") == 50


async def test_two_reviews_a_month_are_rewarded_in_whatever_order_they_come(shop: Shop) -> None:
    await declare(shop, "review")
    limits = [{"every": "month", "times": 2}]
    await reward(shop, "reviews", activity="review", effect={"kind": "bonus", "points": 20}, limits=limits)
    assert [await review(shop, day) for day in ("01-05", "01-06", "01-07")] == [20, 20, 0]
    assert [await review(shop, day) for day in ("03-31", "03-01")] == [20, 20]
    # February comes late, behind March, and January still later.
    assert [await review(shop, day) for day in ("02-28", "02-01", "02-02", "01-31", "03-15")] == [20, 20, 0, 0, 0]
    assert await review(shop, "04-01") == 20
    assert (await shop.balance("c-42"))["available"] == 140


async def test_late_reviews_of_records_that_became_one_count_together(shop: Shop) -> None:
    await declare(shop, "review")
    limits = [{"every": "month", "times": 2}]
    await reward(shop, "reviews", activity="review", effect={"kind": "bonus", "points": 20}, limits=limits)
    assert await review(shop, "01-05", customer_id="guest") == 20
    assert [await review(shop, "01-06"), await review(shop, "02-06")] == [20, 20]
    await merge(shop, "guest", "c-42")
    assert [await review(shop, day) for day in ("01-07", "02-07", "02-08")] == [0, 20, 0]


async def test_a_limit_goes_on_counting_when_its_rule_turns_from_purchases_to_activities(shop: Shop) -> None:
    """Also for what comes late, for which all that the rule gave is counted from the facts of both kinds."""
    await declare(shop, "review")
    limits = [{"every": "month", "points": 100}]
    await set_rule(shop, "thanks", effect={"kind": "bonus", "points": 40}, limits=limits)
    await shop.buy(total=0, occurred_at="2026-02-02T10:00:00Z")
    await change_rule(shop, "thanks", activity="review", valid_from="2026-02-10T00:00:00Z")
    assert [await review(shop, "02-20"), await review(shop, "02-21"), await review(shop, "03-01")] == [40, 20, 40]
    late = await shop.buy(total=0, occurred_at="2026-02-03T10:00:00Z")
    assert (late.body["points"]["earned"], await review(shop, "02-22")) == (0, 0)


async def test_a_budget_for_all_is_spent_by_whoever_comes_first(shop: Shop) -> None:
    await declare(shop, "review")
    limits = [{"every": "life", "scope": "all", "points": 50}]
    await reward(shop, "reviews", activity="review", effect={"kind": "bonus", "points": 20}, limits=limits)
    assert [await review(shop, "01-05", customer_id=f"c-{number}") for number in range(4)] == [20, 20, 10, 0]


async def test_rules_of_activities_ask_for_the_customer(shop: Shop) -> None:
    await declare(shop, "review")
    await reward(
        shop,
        "regulars",
        activity="review",
        conditions={"customer": {"attributes": {"club": [True]}, "purchase_numbers": {"least": 2}}},
    )
    assert await review(shop, "01-05") == 0
    await shop.call("PUT", "/v1/customers/c-42", {"attributes": {"club": True}})
    assert await review(shop, "01-05") == 0
    await shop.buy()
    assert await review(shop, "01-05") == 50


async def test_rules_of_activities_ask_for_their_properties(shop: Shop) -> None:
    stars = {"type": "integer", "least": 1, "most": 5}
    await declare(shop, "review", properties={"stars": stars, "text": {"type": "string"}})
    asked = "activity.type == 'review' && activity.properties.stars >= 4 && size(activity.properties.text) > 10"
    await reward(shop, "fans", activity="review", conditions={"expression": asked})
    told = {"stars": 5, "text": "I drink no other tea"}
    given = [told, told | {"stars": 3}, told | {"text": "fine"}, {"stars": 5}, {}]
    assert [await review(shop, "01-05", properties=each) for each in given] == [50, 0, 0, 0, 0]


async def test_what_was_booked_can_be_computed_again(shop: Shop) -> None:
    """From the activity as it is kept, what the rules saw of the customer, and the versions that are named."""
    await declare(shop, "review")
    second = {"customer": {"purchase_numbers": {"least": 2}}}
    await reward(shop, "buyers", activity="review", conditions=second, effect={"kind": "bonus", "points": 7})
    await shop.buy(occurred_at="2026-01-01T10:00:00Z")
    assert await review(shop, "01-05", id="r-1") == 7
    await shop.buy()
    await change_rule(shop, "buyers", effect={"kind": "bonus", "points": 1}, valid_from="2026-01-01T00:00:00Z")
    assert shop.database is not None
    async with shop.database.reading() as db:
        kept = await usecases.read_activity(db, program_id=shop.program.id, activity_id="r-1")
        rule = await earning.rule_at(db, program_id=shop.program.id, rule="buyers", version=1)
    assert rule is not None
    seen, (line,) = kept.earnings.seen, kept.earnings.lines
    assert seen is not None
    assert (line.version, kept.earnings.type_version) == (1, 1)
    known = Known(seen.purchase_number - 1, seen.since, seen.last_purchase_at, seen.tier)
    occasion = Occasion(kept.occurred_at, ZoneInfo("UTC"), known, type=kept.type, properties=kept.properties)
    assert [each.line for each in decided(book(buyers=rule), occasion).given] == [line]
