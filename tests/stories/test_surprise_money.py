"""What gifts come to in points and money: refunds take them back, budgets have it again, and the books tell why."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from service.events import sequencing
from service.news import KINDS
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from service.surprises.noticing import TYPES
from tests import jobs
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.surprises import SWEET, buy, started
from tests.tiers import set_tiers

NO_POINTS: dict[str, Any] = {"base_rule": {"any_currency": None}}
"""Purchases earn nothing, so that all points are gifts."""
BOUNDED: dict[str, Any] = {
    "prizes": [SWEET | {"stock": 10}],
    "budget": {"points": 1000, "cost": 1000},
    "gifts_per_customer": None,
}
Taken = Callable[[Shop], Awaitable[dict[str, int]]]


@pytest.fixture
async def gifts(new_shop: NewShop) -> Shop:
    """Give a shop in which all points are gifts."""
    return await new_shop(**NO_POINTS, surprises={"per_year": None})


@pytest.fixture
def taken(owner: Db) -> Taken:
    """Give who reads what is taken of stock and budgets."""

    async def read(shop: Shop) -> dict[str, int]:
        rows = await owner.fetch(
            "SELECT resource, sum(taken)::bigint FROM campaign_slice WHERE program_id = $1 GROUP BY 1", shop.program.id
        )
        return {row[0]: row[1] for row in rows}

    return read


FULL = {"prize:sweet": 1, "points": 50, "cost": 10}
EMPTY = {"prize:sweet": 0, "points": 0, "cost": 0}


async def refund(shop: Shop, order: str, **report: Any) -> Answer:
    """Report a refund."""
    answer = await shop.post(f"/v1/purchases/{order}/refunds", {"id": unique("r")} | report)
    assert answer.status == 201, answer.text
    return answer


async def points_of(shop: Shop, customer: str = "c-42") -> int:
    return (await shop.balance(customer))["available"]


async def test_refunds_in_parts_take_a_gift_back_in_parts_and_give_its_budget_back_once_it_is_whole(
    gifts: Shop, taken: Taken
) -> None:
    await started(gifts, **BOUNDED)
    order = (await buy(gifts, total=1000)).body["id"]
    assert (await points_of(gifts), await taken(gifts)) == (50, FULL)
    for amount, left, of in ((333, 34, FULL), (333, 17, FULL), (1, 17, FULL), (333, 0, EMPTY)):
        await refund(gifts, order, amount=amount)
        assert (await points_of(gifts), await taken(gifts)) == (left, of)
    shown = (await gifts.get("/v1/customers/c-42/surprises")).body["data"]
    assert [each["state"] for each in shown] == ["taken_back"]
    assert (await gifts.get("/v1/customers/c-42/balance")).body["lifetime_earned"] == 0


async def test_where_nothing_was_paid_a_gift_is_taken_back_as_its_items_come_back(gifts: Shop, taken: Taken) -> None:
    """A purchase whose total is 0 isn't returned by the first of its pieces."""
    await started(gifts, **BOUNDED)
    items = [{"id": "1", "quantity": 2, "amount": 0}]
    order = (await buy(gifts, total=0, items=items)).body["id"]
    await refund(gifts, order, items=[{"id": "1", "quantity": 1}])
    assert (await points_of(gifts), await taken(gifts)) == (25, FULL)
    await refund(gifts, order, items=[{"id": "1", "quantity": 1}])
    assert (await points_of(gifts), await taken(gifts)) == (0, EMPTY)


async def test_a_gift_that_is_spent_becomes_debt_when_its_purchase_comes_back(gifts: Shop) -> None:
    await started(gifts, **BOUNDED)
    order = (await buy(gifts, total=1000)).body["id"]
    held = await gifts.post("/v1/redemptions", {"customer_id": "c-42", "points": 40}, Idempotency_Key=unique("key"))
    assert held.status == 201, held.text
    path = f"/v1/redemptions/{held.body['id']}/capture"
    assert (await gifts.post(path, {}, Idempotency_Key=unique("key"))).status == 200
    await refund(gifts, order, amount=1000)
    assert await gifts.balance("c-42") == {"available": 0, "pending": 0, "held": 0, "debt": 40}
    await buy(gifts, total=1000)
    assert await gifts.balance("c-42") == {"available": 10, "pending": 0, "held": 0, "debt": 0}


async def reward_campaign(shop: Shop, **voucher: Any) -> None:
    """Start a campaign of tickets."""
    made = await shop.post(
        "/v1/rewards",
        {"name": "A ticket", "gives": {"kind": "event_ticket", "event": "Opera"}, "points": 1000, "status": "active"}
        | voucher,
        Role.MARKETER,
    )
    assert made.status == 201, made.text
    ticket = {"id": "sweet", "gift": {"kind": "reward", "reward_id": made.body["id"]}, "stock": 5, "cost": 10}
    await started(shop, prizes=[ticket], budget={"cost": 100})


async def test_a_voucher_whose_purchase_comes_back_is_cancelled_and_its_cost_is_given_back(
    gifts: Shop, taken: Taken, database: Database
) -> None:
    await reward_campaign(gifts)
    order = (await buy(gifts, total=1000)).body["id"]
    await jobs.surprise(database)
    (shown,) = (await gifts.get("/v1/customers/c-42/surprises")).body["data"]
    await refund(gifts, order, amount=400)
    assert (await gifts.get(f"/v1/vouchers/{shown['voucher_code']}")).body["cancelled_at"] is None
    await refund(gifts, order, amount=600)
    assert (await gifts.get(f"/v1/vouchers/{shown['voucher_code']}")).body["cancelled_at"] is not None
    assert await taken(gifts) == {"prize:sweet": 0, "cost": 0}


async def test_a_reward_that_still_waits_is_never_issued_when_its_purchase_comes_back(
    gifts: Shop, taken: Taken, database: Database, owner: Db
) -> None:
    await reward_campaign(gifts)
    order = (await buy(gifts, total=1000)).body["id"]
    await refund(gifts, order, amount=1000)
    await jobs.surprise(database)
    assert (await gifts.get("/v1/customers/c-42/surprises")).body["data"] == []
    assert await owner.fetchval("SELECT count(*) FROM voucher WHERE program_id = $1", gifts.program.id) == 0
    assert await taken(gifts) == {"prize:sweet": 0, "cost": 0}


@pytest.mark.parametrize("reward", [False, True], ids=["points", "reward"])
async def test_two_refunds_and_a_reveal_at_once_give_the_budget_back_once(
    gifts: Shop, taken: Taken, database: Database, *, reward: bool
) -> None:
    if reward:
        await reward_campaign(gifts)
    else:
        await started(gifts, **BOUNDED)
    orders = [(await buy(gifts, f"c-{each}", total=1000)).body["id"] for each in range(4)]
    calls = [
        gifts.post(f"/v1/purchases/{order}/refunds", {"id": unique("r"), "amount": 1000})
        for order in orders
        for _ in range(2)
    ]
    working = asyncio.gather(jobs.surprise(database), jobs.surprise(database))
    answers = await asyncio.gather(*calls)
    await working
    assert sorted(each.status for each in answers) == [201] * 4 + [422] * 4
    await jobs.surprise(database)
    assert set((await taken(gifts)).values()) == {0}
    assert [await points_of(gifts, f"c-{each}") for each in range(4)] == [0] * 4


async def test_every_movement_of_a_gift_is_explained(gifts: Shop) -> None:
    await started(gifts, **BOUNDED)
    order = (await buy(gifts, total=1000)).body["id"]
    await refund(gifts, order, amount=500)
    transfers = (await gifts.get("/v1/customers/c-42/transactions")).body["data"]
    assert {each["cause"]["type"] for each in transfers} == {"surprise"}
    for each in transfers:
        told = await gifts.get(f"/v1/transactions/{each['id']}/explain")
        assert told.status == 200, told.text
    assert [each["points"] for each in transfers] == [25, 50]


async def test_a_purchase_of_the_day_before_yesterday_draws_nothing(gifts: Shop) -> None:
    await started(gifts, **BOUNDED)
    assert (await buy(gifts, occurred_at="2026-01-02T10:00:00Z")).body["surprises"] == []


async def test_who_buys_twice_between_two_looks_at_the_feed_gets_a_second_sweet_for_each(
    gifts: Shop, database: Database, owner: Db
) -> None:
    trigger = {"kind": "after", "fact": "purchase", "minutes": 1}
    await started(gifts, trigger=trigger, gifts_per_customer=None)
    for _ in range(3):
        await buy(gifts)
    while await sequencing.move_all(database):
        pass
    await jobs.surprise(database)
    await jobs.surprise(database)
    assert await owner.fetchval("SELECT count(*) FROM surprise WHERE program_id = $1", gifts.program.id) == 3


async def test_a_game_that_costs_points_gives_each_customer_no_more_prizes_than_it_says(gifts: Shop) -> None:
    """Who has all of them pays for no further play."""
    game = await started(gifts, trigger={"kind": "play", "points": 5, "per_day": None}, gifts_per_customer=2)
    await started(gifts)
    await buy(gifts)
    path, body = f"/v1/campaigns/{game}/plays", {"customer_id": "c-42"}
    answers = [await gifts.post(path, body, Idempotency_Key=unique("key")) for _ in range(3)]
    assert [each.status for each in answers] == [201, 201, 409]
    assert answers[-1].code == "game_not_open"
    assert await points_of(gifts) == 50 + 2 * 45


async def test_what_has_ended_is_told_where_an_occasion_finds_it(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    """Drawing outside purchases books first what has come due of the customer, and says so."""
    shop = await new_shop(surprises={"per_year": None}, expiry={"kind": "rolling", "days": 30})
    await buy(shop)
    await pass_time(owner, shop.program.id, timedelta(days=40))
    campaign_id = await started(shop, trigger={"kind": "list"})
    path = f"/v1/campaigns/{campaign_id}/customers"
    assert (await shop.post(path, {"customer_ids": ["c-42"]}, Role.MARKETER)).body["added"] == 1
    await jobs.surprise(database)
    expired = "SELECT count(*) FROM transfer WHERE program_id = $1 AND reason = 'expiry'"
    told = "SELECT count(*) FROM announced WHERE program_id = $1 AND type = 'points.expired'"
    assert await owner.fetchval(expired, shop.program.id) == 1
    assert await owner.fetchval(told, shop.program.id) == 1


async def test_a_higher_tier_that_a_purchase_led_to_is_a_milestone(shop: Shop, database: Database, owner: Db) -> None:
    """By the event as it is told."""
    await set_tiers(shop)
    await started(shop, trigger={"kind": "milestone", "tiers": True})
    await buy(shop, total=20_000)
    while await sequencing.move_all(database):
        pass
    await jobs.surprise(database)
    await jobs.surprise(database)
    occasions = await owner.fetch("SELECT occasion FROM campaign_draw WHERE program_id = $1", shop.program.id)
    assert [row["occasion"] for row in occasions] == ["tier:bronze"]
    assert await points_of(shop) == 200 + 50


def test_occasions_are_noticed_by_types_of_events_that_there_are() -> None:
    assert set(TYPES) <= {kind.type for kind in KINDS}
