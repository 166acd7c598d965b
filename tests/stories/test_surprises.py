"""Surprises that follow what happens: a purchase, a reward, a milestone, an early payment, a list; and who is meant.

Each story is a list of dates, what happens then, and what the customer has after it: gifts, and points.
"""

from typing import Any

import pytest

from service.platform.roles import Role
from tests import activities, billing
from tests.shop import unique
from tests.stories.surprised import UNBOUND, Story, set_program
from tests.surprises import started
from tests.tiers import set_tiers

AFTER_PURCHASE: dict[str, Any] = {"kind": "after", "fact": "purchase", "minutes": 30}
BY_PURCHASES: dict[str, Any] = {"qualify_by": "purchases"}
NET_30: dict[str, Any] = {"kind": "steps", "steps": [{"days": 1, "basis_points": 100}], "net_days": 30}


async def test_a_second_sweet_comes_a_while_after_the_purchase(story: Story) -> None:
    await started(story.shop, trigger=AFTER_PURCHASE)
    bought = await story.buys()
    assert bought.body["surprises"] == []
    await story.goes(
        ("2030-12-01 10:01", None, 0, 0),
        ("2030-12-01 10:29", None, 0, 0),
        ("2030-12-01 10:31", None, 1, 50),
        ("2030-12-01 10:32", story.buying(), 1, 50),
        ("2030-12-01 12:00", None, 1, 50),
    )
    (shown,) = await story.gifts()
    assert (shown["prize"], shown["points"], shown["state"]) == ("sweet", 50, "revealed")


async def test_each_of_two_purchases_that_are_noticed_together_has_its_second_sweet(story: Story) -> None:
    await started(story.shop, trigger=AFTER_PURCHASE, **UNBOUND)
    await story.buys()
    await story.buys()
    await story.goes(("2030-12-01 10:01", None, 0, 0), ("2030-12-01 10:31", None, 2, 100))


async def test_a_second_sweet_that_is_spread_comes_at_its_own_moment(story: Story) -> None:
    await started(story.shop, trigger=AFTER_PURCHASE | {"spread_minutes": 600}, **UNBOUND)
    names = [f"guest {number}" for number in range(12)]
    for name in names:
        await story.buys(name)
    await story.at("2030-12-01 10:29")
    came = [sum([await story.points(name) for name in names]) // 50]
    for moment in ("2030-12-01 14:00", "2030-12-01 17:30", "2030-12-01 20:31"):
        await story.at(moment)
        came.append(sum([await story.points(name) for name in names]) // 50)
    assert came[0] == 0
    assert came[-1] == 12
    assert 0 < came[1] < 12


async def test_a_sweet_comes_a_day_after_a_reward_is_redeemed(story: Story) -> None:
    made = await story.shop.post(
        "/v1/rewards",
        {"name": "A mug", "gives": {"kind": "gift", "description": "a mug"}, "points": 100},
        Role.MARKETER,
    )
    await started(story.shop, trigger={"kind": "after", "fact": "reward", "minutes": 1440})

    async def redeems(**what: Any) -> None:
        held = await story.shop.post("/v1/redemptions", {"customer_id": "anna"} | what, Idempotency_Key=unique("key"))
        assert held.status == 201, held.text
        path = f"/v1/redemptions/{held.body['id']}/capture"
        assert (await story.shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200

    await story.goes(
        ("2030-12-01 10:00", story.buying(), 0, 0),
        ("2030-12-01 10:01", lambda: story.gives(200), 0, 200),
        ("2030-12-02 10:00", lambda: redeems(points=100), 0, 100),
        ("2030-12-03 12:00", None, 0, 100),
        ("2030-12-04 10:00", lambda: redeems(reward_id=made.body["id"]), 0, 0),
        ("2030-12-05 09:59", None, 0, 0),
        ("2030-12-05 10:01", None, 1, 50),
    )


async def test_the_tenth_purchase_brings_a_gift_in_its_answer(story: Story) -> None:
    await started(story.shop, trigger={"kind": "milestone", "purchases": [10]}, **UNBOUND)
    told = [len((await story.buys()).body["surprises"]) for _ in range(11)]
    assert told == [0] * 9 + [1, 0]
    await story.goes(("2030-12-02 10:00", None, 1, 50))


async def test_a_higher_tier_is_a_milestone_and_a_lower_one_is_none(story: Story) -> None:
    await set_tiers(story.shop, {"silver": 2, "gold": 4}, **BY_PURCHASES)
    await started(story.shop, trigger={"kind": "milestone", "tiers": True}, **UNBOUND)
    await story.goes(
        ("2030-12-01 10:05", story.buying(), 0, 0),
        ("2030-12-02 10:00", story.buying(), 1, 50),
        ("2030-12-03 10:00", story.buying(), 1, 50),
        ("2030-12-04 10:00", story.buying(), 2, 100),
        ("2032-12-04 10:00", None, 2, 100),
    )


async def test_an_activity_of_a_type_is_a_milestone(story: Story) -> None:
    for its_id in ("installed", "rated"):
        await activities.declare(story.shop, its_id, properties={})
    await started(story.shop, trigger={"kind": "milestone", "activities": ["installed"]})
    await story.goes(
        ("2030-12-01 10:00", lambda: story.does("rated"), 0, 0),
        ("2030-12-02 10:00", lambda: story.does("installed"), 1, 50),
        ("2030-12-03 10:00", lambda: story.does("installed"), 1, 50),
    )


async def test_who_pays_an_invoice_ten_days_early_gets_a_gift_and_once_for_it(story: Story) -> None:
    await started(story.shop, trigger={"kind": "invoice_paid_early", "days_early": 10}, **UNBOUND)
    shop, of_anna = story.shop, {"customer_id": "anna", "issued_on": "2030-12-01", "terms": NET_30}
    for name in ("early", "nine-days-early", "in-time"):
        await billing.issue(shop, name, **of_anna)
    early = unique("pay")
    await story.goes(
        ("2030-12-21 10:00", lambda: billing.pay(shop, "early", 100_000, "2030-12-21", id=early), 1, 50),
        ("2030-12-22 10:00", lambda: billing.reverse(shop, "early", early), 1, 50),
        ("2030-12-22 11:00", lambda: billing.pay(shop, "early", 100_000, "2030-12-20"), 1, 50),
        ("2030-12-22 12:00", lambda: billing.pay(shop, "nine-days-early", 100_000, "2030-12-22"), 1, 50),
        ("2030-12-31 10:00", lambda: billing.pay(shop, "in-time", 100_000, "2030-12-31"), 1, 50),
    )


async def test_who_is_on_the_list_gets_a_gift_once(story: Story) -> None:
    campaign_id = await started(story.shop, trigger={"kind": "list"}, **UNBOUND)
    for name in ("anna", "bert", "cleo"):
        await story.buys(name)

    async def lists(*names: str) -> dict[str, Any]:
        body = {"customer_ids": list(names)}
        answer = await story.shop.post(f"/v1/campaigns/{campaign_id}/customers", body, Role.MARKETER)
        assert answer.status == 200, answer.text
        return answer.body

    assert await lists("anna", "bert", "nobody") == {"added": 2, "unknown": ["nobody"]}
    await story.goes(("2030-12-01 10:10", None, 1, 50))
    assert await lists("anna", "cleo") == {"added": 1, "unknown": []}
    await story.goes(("2030-12-01 10:20", None, 1, 50))
    assert [await story.points(name) for name in ("anna", "bert", "cleo")] == [50, 50, 50]


@pytest.mark.parametrize(
    ("audience", "won"),
    [
        ({"expression": "customer.lifetime_earned >= 100"}, ["anna"]),
        ({"expression": "customer.tier == 'gold'"}, ["anna"]),
        ({"expression": "customer.attributes.vip == 'yes'"}, ["bert"]),
        ({"expression": "customer.days_since_last_purchase >= 5"}, ["bert"]),
    ],
    ids=["lifetime", "tier", "attributes", "days since the last purchase"],
)
async def test_an_audience_is_told_in_cel(story: Story, audience: dict[str, Any], won: list[str]) -> None:
    await set_tiers(story.shop, {"gold": 3}, **BY_PURCHASES)
    await set_program(story.shop, base_rule={"any_currency": {"points": 1, "units": 3}})
    await story.tells("bert", attributes={"vip": "yes"})
    await story.at("2030-12-02 10:00")
    await story.buys("bert")
    await story.at("2030-12-10 10:00")
    for _ in range(3):
        await story.buys("anna")
    campaign_id = await started(story.shop, trigger={"kind": "list"}, audience=audience)
    listed = {"customer_ids": ["anna", "bert"]}
    await story.shop.post(f"/v1/campaigns/{campaign_id}/customers", listed, Role.MARKETER)
    await story.at("2030-12-10 10:10")
    assert [name for name in ("anna", "bert") if await story.gifts(name)] == won


async def test_a_second_sweet_goes_with_the_purchase_that_comes_back(story: Story) -> None:
    await started(story.shop, trigger={"kind": "after", "fact": "purchase", "minutes": 30})
    bought = await story.buys()
    await story.work()
    await story.at("2030-12-01T09:31:00Z")
    assert await story.points() == 50
    await story.shop.post(f"/v1/purchases/{bought.body['id']}/refunds", {"id": unique("refund"), "amount": 12990})
    assert await story.points() == 0
