"""What may be redeemed: points or a reward, and of an order no more than the program lets points pay for."""

from datetime import timedelta
from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.tiers import set_tier
from tests.vouchers import end, make, redeem

NO_REWARD = "rwd_00000000000070008000000000000000"


async def command(shop: Shop, **body: Any) -> Answer:
    sent = {"customer_id": "c-42"} | body
    return await shop.post("/v1/redemptions", sent, Idempotency_Key=unique("key"))


@pytest.mark.parametrize(
    ("body", "pointer", "why"),
    [
        ({}, "/points", "missing"),
        ({"points": None, "reward_id": None}, "/points", "missing"),
        ({"points": 100, "reward_id": NO_REWARD}, "/reward_id", "contradictory"),
        ({"points": 100, "order_total": 100}, "/order_id", "missing"),
        ({"points": 100, "order_id": "o-1", "order_total": -1}, "/order_total", "out_of_range"),
        ({"points": 100, "order_id": "o-1", "order_total": 10**12 + 1}, "/order_total", "out_of_range"),
        ({"reward_id": ""}, "/reward_id", "out_of_range"),
        ({"reward_id": 7}, "/reward_id", "type"),
        ({"reward_id": NO_REWARD, "order_id": ""}, "/order_id", "invalid_format"),
    ],
)
async def test_a_redemption_is_of_points_or_of_a_reward(
    shop: Shop, body: dict[str, Any], pointer: str, why: str
) -> None:
    await shop.buy(total=100_000)
    refused = await command(shop, **body)
    assert (refused.pointer, refused.body["errors"][0]["code"]) == (pointer, why)


async def test_a_field_that_is_null_is_as_one_that_is_left_out(shop: Shop) -> None:
    await shop.buy(total=10_000)
    body = {"customer_id": "c-42", "points": 60}
    first = await shop.post("/v1/redemptions", body, Idempotency_Key="the-same")
    again = await shop.post("/v1/redemptions", body | {"reward_id": None, "order_id": None}, Idempotency_Key="the-same")
    assert (first.status, again.status, again.text, again.replayed) == (201, 201, first.text, True)


async def test_what_nobody_has_and_what_another_program_has_is_404_alike(new_shop: NewShop) -> None:
    shop, other = await new_shop(), await new_shop()
    await shop.buy(total=10_000)
    answers = [await redeem(shop, each) for each in (NO_REWARD, await make(other), "rwd_7", "anything else")]
    assert {answer.status for answer in answers} == {404}
    told = [{name: each for name, each in answer.body.items() if name != "request_id"} for answer in answers]
    assert told == told[:1] * 4


async def test_who_is_not_there_redeems_no_reward(shop: Shop) -> None:
    refused = await redeem(shop, await make(shop), "nobody")
    assert (refused.status, refused.code, refused.pointer) == (422, "customer_unknown", "/customer_id")


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"points": 101}, "insufficient_points", "not_enough_points"),
        ({"stock": 0}, "reward_out_of_stock", "out_of_stock"),
        ({"stock": 0, "points": 101}, "reward_out_of_stock", "out_of_stock"),
        ({"status": "draft"}, "reward_not_available", "draft"),
        ({"status": "archived", "points": 101}, "reward_not_available", "archived"),
        ({"valid_from": "2999-01-01T00:00:00Z"}, "reward_not_available", "not_yet"),
        ({"valid_until": "2026-01-01T00:00:00Z"}, "reward_not_available", "over"),
        ({"minimum_tier": "gold"}, "reward_tier_too_low", "tier_too_low"),
    ],
)
async def test_a_reward_is_refused_for_the_reason_that_the_list_tells(
    shop: Shop, changes: dict[str, Any], code: str, why: str
) -> None:
    await set_tier(shop, "gold", 1_000)  # of a program that has no way to qualify
    await shop.buy(total=10_000)
    reward_id = await make(shop, **changes)
    refused = await redeem(shop, reward_id)
    assert (refused.status, refused.code) == (409, code)
    (listed,) = (await shop.get("/v1/rewards?customer_id=c-42")).body["data"]
    assert (listed["for_customer"]["available"], listed["for_customer"]["why"]) == (False, why)
    assert (await shop.balance("c-42"))["held"] == 0


async def test_a_reward_costs_points(shop: Shop) -> None:
    """A hold is of one point at least, and so is a reward: what costs nothing is given, not bought."""
    body = {"name": "A gift", "gives": {"kind": "gift", "description": "a mug"}, "points": 0}
    assert (await shop.post("/v1/rewards", body, Role.MARKETER)).pointer == "/points"


def possible(answer: Answer) -> int:
    """Read how many points a refusal names."""
    assert (answer.code, answer.pointer) == ("greatest_share_exceeded", "/points"), answer.text
    return int("".join(each for each in answer.body["detail"] if each.isdigit()))


async def test_points_pay_for_their_share_of_an_order_and_no_more(new_shop: NewShop, owner: Db) -> None:
    """100 points are 1.50 EUR and pay for half of an order: 666 points for 20.00 EUR, in steps of 10."""
    value = {"points": 100, "amount": 150, "minimum": 50, "step": 10, "greatest_share": 5_000}
    shop = await new_shop(point_value=value)
    await shop.buy(total=1_000_000)

    async def pay(points: int, order_id: str = "o-1", **more: Any) -> Answer:
        return await command(shop, points=points, order_id=order_id, order_total=2_000, **more)

    assert (await command(shop, points=100, order_id="o-1")).pointer == "/order_total"
    assert possible(await pay(670)) == 660
    captured, released, lapsed = [await pay(points, expires_in=60) for points in (200, 300, 160)]
    assert (captured.status, captured.body["order_id"]) == (201, "o-1")
    assert possible(await pay(50)) == 0, "6 points are left, and they are fewer than the least"
    await end(shop, captured.body["id"], "capture", points=100)
    assert possible(await pay(110)) == 100
    await end(shop, released.body["id"], "release")
    assert possible(await pay(410)) == 400
    await pass_time(owner, shop.program.id, timedelta(minutes=2))
    assert (await shop.get(f"/v1/redemptions/{lapsed.body['id']}")).body["status"] == "lapsed"
    assert possible(await pay(570)) == 560
    assert (await pay(560)).status == 201
    assert (await pay(660, "o-2")).status == 201, "each order has its own"


async def test_the_share_is_of_this_customers_order_and_of_points_only(new_shop: NewShop) -> None:
    shop = await new_shop(point_value={"greatest_share": 2_500})
    for customer in ("c-42", "other"):
        await shop.buy(customer_id=customer, total=50_000)
    reward_id = await make(shop)
    order = {"order_id": "o-1", "order_total": 403}
    assert possible(await command(shop, points=101, **order)) == 100
    assert (await command(shop, points=100, **order)).status == 201
    assert possible(await command(shop, points=1, **order)) == 0
    assert (await command(shop, points=100, customer_id="other", **order)).status == 201
    assert (await command(shop, points=100)).status == 201, "for no order"
    assert (await command(shop, reward_id=reward_id, order_id="o-1")).status == 201
    assert (await command(shop, reward_id=reward_id, **order)).status == 201
    assert possible(await command(shop, points=1, order_id="free", order_total=0)) == 0


async def test_a_program_without_a_share_needs_no_total(shop: Shop) -> None:
    await shop.buy(total=10_000)
    assert (await command(shop, points=40, order_id="o-1")).status == 201
    assert (await command(shop, points=60, order_id="o-1", order_total=1)).status == 201
