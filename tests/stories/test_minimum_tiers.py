"""Rewards for customers of some tier at least, through HTTP, over months that pass."""

from datetime import timedelta
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.jobs import settle_tiers
from tests.shop import Shop
from tests.stories.months import pass_time
from tests.stories.test_records import merge
from tests.stories.test_tiers import buy, give_back
from tests.tiers import qualify, set_tier, set_tiers, tier
from tests.vouchers import TEN_PERCENT, end, make, redeem


async def can_have(shop: Shop, customer_id: str = "c-42") -> list[str | None]:
    """Tell of each reward, the oldest first, what keeps a customer from it; None: nothing does."""
    listed = await shop.get(f"/v1/rewards?customer_id={customer_id}", Role.PORTAL)
    assert listed.status == 200, listed.text
    return [each["for_customer"]["why"] for each in reversed(listed.body["data"])]


async def told(shop: Shop, reward_id: str, customer_id: str = "c-42") -> tuple[int, str | None]:
    """Redeem a reward and give it back; tells what was answered."""
    answer = await redeem(shop, reward_id, customer_id)
    if answer.status == 201:
        assert (await end(shop, answer.body["id"], "release")).status == 200
    return answer.status, answer.code if answer.status != 201 else None


TOO_LOW = (409, "reward_tier_too_low")
HAD = (201, None)


async def test_a_reward_is_for_its_tier_and_those_above_it(shop: Shop) -> None:
    await set_tiers(shop)  # bronze, silver, gold
    rewards = [await make(shop, minimum_tier=each) for each in ("bronze", "silver", "gold")]
    assert await buy(shop, 500) == "silver"
    assert await can_have(shop) == [None, None, "tier_too_low"]
    assert [await told(shop, each) for each in rewards] == [HAD, HAD, TOO_LOW]
    refused = await redeem(shop, rewards[2])
    assert refused.body["detail"] == "This reward asks for at least the tier gold."
    assert (await redeem(shop, rewards[2], query="?dry_run=true")).code == "reward_tier_too_low"
    assert await shop.balance("c-42") == {"available": 500, "pending": 0, "held": 0, "debt": 0}
    assert await buy(shop, 500) == "gold"
    assert await can_have(shop) == [None, None, None]
    assert await told(shop, rewards[2]) == HAD


async def test_the_order_of_tiers_decides_and_not_their_names_or_when_they_were_made(shop: Shop) -> None:
    await set_tiers(shop, {"zinc": 900, "amber": 100})
    reward = await make(shop, minimum_tier="amber")
    assert await buy(shop, 900) == "zinc"
    assert await told(shop, reward) == HAD
    await set_tier(shop, "top", 5_000)
    changed = await shop.call("PATCH", f"/v1/rewards/{reward}", {"minimum_tier": "top"}, role=Role.MARKETER)
    assert (changed.status, changed.body["version"]) == (200, 2)
    assert await told(shop, reward) == TOO_LOW
    # From now on less is enough for it: the customer is at the top whether anybody has settled that or not.
    lower = await shop.call("PATCH", "/v1/tiers/top", {"threshold": 899}, role=Role.MARKETER)
    assert lower.status == 200
    higher = await shop.call("PATCH", "/v1/tiers/zinc", {"threshold": 6_000}, role=Role.MARKETER)
    assert higher.status == 200
    assert await can_have(shop) == [None]
    assert await told(shop, reward) == HAD


async def test_the_tier_is_that_of_the_moment_whether_anybody_settled_it_or_not(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 30})
    reward = await make(shop, minimum_tier="gold")
    assert await buy(shop, 1_000) == "gold"
    held = await redeem(shop, reward, expires_in=30 * 86_400)
    assert held.status == 201
    await pass_time(owner, shop.program.id, timedelta(days=29))
    assert await told(shop, reward) == HAD
    await pass_time(owner, shop.program.id, timedelta(days=2))
    assert await can_have(shop) == ["tier_too_low"]
    assert await told(shop, reward) == TOO_LOW


async def test_points_that_ended_cost_the_tier_whether_anybody_booked_their_end_or_not(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, period={"kind": "rolling", "days": 60}, counts=["expiry"])
    reward = await make(shop, minimum_tier="gold")
    await buy(shop, 600)
    await pass_time(owner, shop.program.id, timedelta(days=5))
    assert await buy(shop, 500, id="o-2") == "gold"
    assert await told(shop, reward) == HAD
    await pass_time(owner, shop.program.id, timedelta(days=6))
    assert (await tier(shop))["id"] == "silver"
    assert (await can_have(shop), await told(shop, reward)) == (["tier_too_low"], TOO_LOW)


async def test_what_was_held_in_time_is_captured_later(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 10})
    reward = await make(shop, minimum_tier="gold")
    assert await buy(shop, 1_000) == "gold"
    held = await redeem(shop, reward, expires_in=20 * 86_400)
    await pass_time(owner, shop.program.id, timedelta(days=12))
    assert (await tier(shop))["id"] is None
    assert (await end(shop, held.body["id"], "capture")).status == 200


async def test_a_refund_that_takes_the_tier_takes_its_rewards(shop: Shop) -> None:
    await set_tiers(shop)
    reward = await make(shop, minimum_tier="gold")
    assert await buy(shop, 400) == "bronze"
    assert await buy(shop, 600, id="o-2") == "gold"
    assert await told(shop, reward) == HAD
    await give_back(shop, "o-2", amount=100)
    assert (await can_have(shop), await told(shop, reward)) == (["tier_too_low"], TOO_LOW)


async def test_whom_a_merge_lifts_can_have_it(shop: Shop) -> None:
    await set_tiers(shop)
    reward = await make(shop, minimum_tier="gold")
    await buy(shop, 400, customer_id="guest")
    await buy(shop, 600)
    assert [await told(shop, reward, each) for each in ("guest", "c-42")] == [TOO_LOW, TOO_LOW]
    await merge(shop, "guest", "c-42")
    assert [await told(shop, reward, each) for each in ("guest", "c-42")] == [HAD, HAD]


async def test_who_has_done_nothing_has_the_tier_that_asks_for_nothing(shop: Shop) -> None:
    await set_tiers(shop, {"member": 0, "gold": 1_000})
    await make(shop, minimum_tier="member", points=1)
    await make(shop, minimum_tier="gold", points=1)
    await shop.call("PUT", "/v1/customers/new", {})
    assert await can_have(shop, "new") == ["not_enough_points", "tier_too_low"]


async def test_nobody_has_a_reward_of_a_tier_that_is_no_more_or_of_a_program_without_tiers(
    shop: Shop, database: Database
) -> None:
    await set_tiers(shop)
    reward = await make(shop, minimum_tier="bronze")
    assert await buy(shop, 1_000) == "gold"
    await qualify(shop)
    assert await told(shop, reward) == TOO_LOW
    await qualify(shop, period={"kind": "rolling", "months": 12})
    await settle_tiers(database)
    assert await told(shop, reward) == HAD
    ended = await shop.call("PATCH", "/v1/tiers/bronze", {"state": "ended"}, role=Role.MARKETER)
    assert ended.status == 200
    assert (await can_have(shop), await told(shop, reward)) == (["tier_too_low"], TOO_LOW)
    # The marketer may go on changing other terms, and take the condition away.
    for change in ({"name": "Another"}, {"minimum_tier": None}):
        assert (await shop.call("PATCH", f"/v1/rewards/{reward}", change, role=Role.MARKETER)).status == 200
    assert await told(shop, reward) == HAD


@pytest.mark.parametrize("state", [None, "draft", "ended"])
async def test_a_minimum_tier_that_there_is_not_is_refused(shop: Shop, state: str | None) -> None:
    if state == "draft":
        await set_tier(shop, "gold", 100, state="draft")
    elif state == "ended":
        await set_tier(shop, "gold", 100)
        await shop.call("PATCH", "/v1/tiers/gold", {"state": "ended"}, role=Role.MARKETER)
    await set_tier(shop, "silver", 50)
    made: dict[str, Any] = TEN_PERCENT | {"minimum_tier": "gold"}
    for query in ("", "?dry_run=true"):
        refused = await shop.post(f"/v1/rewards{query}", made, Role.MARKETER)
        assert (refused.status, refused.pointer) == (422, "/minimum_tier")
        assert refused.body["errors"][0]["code"] == "unknown_tier"
    reward = await make(shop, minimum_tier="silver")
    refused = await shop.call("PATCH", f"/v1/rewards/{reward}", {"minimum_tier": "gold"}, role=Role.MARKETER)
    assert (refused.status, refused.pointer) == (422, "/minimum_tier")


async def test_a_reward_may_wait_for_a_tier_to_come(shop: Shop) -> None:
    await set_tiers(shop)
    await set_tier(shop, "diamond", 9_000, valid_from="2126-01-01T00:00:00Z")
    reward = await make(shop, minimum_tier="diamond", status="draft")
    assert (await shop.get(f"/v1/rewards/{reward}")).body["minimum_tier"] == "diamond"
