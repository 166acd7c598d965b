"""What comes back: purchases refunded by amount and by items, and what becomes of their points."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.kernel.ids import time_ordered_id
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time

NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}
ITEMS = [{"id": "tea", "amount": 9_000, "quantity": 3}, {"id": "cup", "amount": 1_000}]


def now() -> str:
    return datetime.now(UTC).isoformat()


async def refund(shop: Shop, purchase: str = "o-1", **content: Any) -> Answer:
    return await shop.post(f"/v1/purchases/{purchase}/refunds", {"id": unique("refund")} | content)


async def spend(shop: Shop, points: int, **more: Any) -> str:
    """Redeem points; returns the redemption's id."""
    body = {"customer_id": "c-42", "points": points} | more
    held = await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
    path = f"/v1/redemptions/{held.body['id']}/capture"
    assert (await shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200
    return held.body["id"]


def points(answer: Answer) -> tuple[int, int, int, int, int]:
    told = answer.body["points"]
    return told["reversed"], told["from_lots"], told["to_debt"], told["written_off"], told["restored"]


async def test_a_refund_takes_back_its_share_and_the_last_one_the_rest(shop: Shop) -> None:
    await shop.buy(id="o-1")
    first = await refund(shop, amount=5_000)
    assert (first.status, first.body["amount"], points(first)) == (201, 5_000, (50, 50, 0, 0, 0))
    assert first.body["balance"] == NOTHING | {"available": 79}
    last = await refund(shop, amount=7_990)
    assert (points(last), last.body["balance"]) == ((79, 79, 0, 0, 0), NOTHING)
    beyond = await refund(shop, amount=1)
    assert (beyond.status, beyond.code, beyond.pointer) == (422, "refund_exceeds_purchase", "/amount")
    assert (await shop.get("/v1/customers/c-42/balance")).body["lifetime_earned"] == 0


async def test_items_come_back_piece_by_piece(shop: Shop) -> None:
    await shop.buy(id="o-1", total=10_000, items=ITEMS)
    taken = [
        await refund(shop, items=[{"id": "tea", "quantity": 1}]),
        await refund(shop, items=[{"id": "tea", "quantity": 2}, {"id": "cup", "quantity": 1}]),
    ]
    assert [(each.body["amount"], each.body["points"]["reversed"]) for each in taken] == [(3_000, 30), (7_000, 70)]
    gone = await refund(shop, items=[{"id": "cup", "quantity": 1}])
    assert (gone.code, gone.pointer) == ("refund_exceeds_purchase", "/items/0/quantity")
    assert (await refund(shop, items=[{"id": "pot", "quantity": 1}])).pointer == "/items/0/id"


async def test_a_repeated_refund_is_one_and_another_content_is_a_conflict(shop: Shop) -> None:
    await shop.buy(id="o-1")
    first, again = [await refund(shop, id="r-1", amount=5_000) for _ in range(2)]
    assert (again.status, again.text, again.replayed) == (200, first.text, True)
    assert (await refund(shop, id="r-1", amount=5_001)).code == "refund_conflict"
    await shop.buy(id="o-2")
    assert (await refund(shop, "o-2", id="r-1", amount=5_000)).code == "refund_conflict"
    assert await shop.balance("c-42") == NOTHING | {"available": 208}


@pytest.mark.parametrize("amount", [5_000, 12_990], ids=["a part", "the whole"])
async def test_one_refund_fifty_times_at_once_is_booked_once(shop: Shop, amount: int) -> None:
    """Those that waited for the first find nothing left of the purchase, and themselves booked."""
    await shop.buy(id="o-1")
    answers = await asyncio.gather(*(refund(shop, id="r-1", amount=amount) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({answer.text for answer in answers}) == 1


async def test_fifty_refunds_at_once_take_no_more_than_the_purchase(shop: Shop) -> None:
    await shop.buy(id="o-1", total=10_000)
    answers = await asyncio.gather(*(refund(shop, amount=900) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [201] * 11 + [422] * 39
    assert await shop.balance("c-42") == NOTHING | {"available": 1}


async def test_a_clock_that_was_set_back_refunds_nothing_twice(shop: Shop, owner: Db) -> None:
    """After a failover the time may be earlier than that of what is booked: ids tell no order then."""
    await shop.buy(id="o-1", total=10_000, items=ITEMS)
    assert points(await refund(shop, id="r-1", amount=2_000)) == (20, 20, 0, 0, 0)
    ahead = time_ordered_id(datetime.now(UTC) + timedelta(hours=1), 7)
    await owner.execute("UPDATE refund SET id = $2 WHERE program_id = $1", shop.program.id, ahead)
    await owner.execute("UPDATE claim SET subject_id = $2 WHERE program_id = $1 AND kind = 2", shop.program.id, ahead)
    await owner.execute(
        "UPDATE outbox SET subject_id = $2 WHERE program_id = $1 AND type = 'purchase.refunded'", shop.program.id, ahead
    )
    assert points(await refund(shop, items=[{"id": "tea", "quantity": 2}])) == (60, 60, 0, 0, 0)
    assert (await refund(shop, items=[{"id": "tea", "quantity": 2}])).code == "refund_exceeds_purchase"
    assert (await refund(shop, amount=2_001)).code == "refund_exceeds_purchase"
    assert points(await refund(shop, amount=2_000)) == (20, 20, 0, 0, 0)


async def test_buy_spend_and_return_leaves_a_debt_that_the_next_purchase_repays(shop: Shop) -> None:
    await shop.buy(id="o-1", total=10_000)
    await spend(shop, 80)
    back = await refund(shop, amount=10_000)
    assert (points(back), back.body["balance"]) == ((100, 20, 80, 0, 0), NOTHING | {"debt": 80})
    bought = await shop.buy(total=10_000)
    assert bought.body["balance"] == NOTHING | {"available": 20}


async def test_debt_ends_at_the_programs_limit_and_the_rest_is_written_off(new_shop: NewShop) -> None:
    shop = await new_shop(debt_limit=50)
    await shop.buy(id="o-1", total=10_000)
    await spend(shop, 80)
    assert points(await refund(shop, amount=10_000)) == (100, 20, 50, 30, 0)
    assert await shop.balance("c-42") == NOTHING | {"debt": 50}


async def test_points_that_paid_for_the_purchase_come_back_to_the_lots_they_came_from(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30})
    await shop.buy(id="o-0", total=10_000, occurred_at=now())
    await spend(shop, 60, order_id="o-1")
    await shop.buy(id="o-1", total=10_000, occurred_at=now())
    assert await shop.balance("c-42") == NOTHING | {"available": 140}
    half = await refund(shop, amount=5_000)
    assert (points(half), half.body["balance"]["available"]) == ((50, 50, 0, 0, 30), 120)
    rest = await refund(shop, amount=5_000)
    assert (points(rest), rest.body["balance"]["available"]) == ((50, 50, 0, 0, 30), 100)
    lots = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert [(lot["cause"]["id"], lot["remaining"]) for lot in lots] == [("o-0", 100)]
    await pass_time(owner, shop.program.id, timedelta(days=32))
    assert await shop.balance("c-42") == NOTHING


async def test_points_that_ended_unspent_are_not_claimed_again(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30})
    await shop.buy(id="o-1", total=10_000, occurred_at=now())
    await spend(shop, 40)
    await pass_time(owner, shop.program.id, timedelta(days=32))
    back = await refund(shop, amount=10_000)
    assert (points(back), back.body["balance"]) == ((40, 0, 40, 0, 0), NOTHING | {"debt": 40})


async def test_pending_points_of_a_returned_purchase_never_come(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 14})
    await shop.buy(id="o-1", total=10_000, occurred_at=now())
    half = await refund(shop, amount=5_000)
    assert (points(half), half.body["balance"]) == ((50, 50, 0, 0, 0), NOTHING | {"pending": 50})
    await pass_time(owner, shop.program.id, timedelta(days=15))
    assert await shop.balance("c-42") == NOTHING | {"available": 50}


async def test_held_points_are_not_touched(shop: Shop) -> None:
    await shop.buy(id="o-1", total=10_000)
    body = {"customer_id": "c-42", "points": 70}
    held = (await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))).body["id"]
    assert (await refund(shop, amount=10_000)).body["balance"] == NOTHING | {"held": 70, "debt": 70}
    released = await shop.post(f"/v1/redemptions/{held}/release", {}, Idempotency_Key=unique("key"))
    assert released.body["balance"] == NOTHING


async def test_points_that_were_held_when_they_were_taken_back_repay_that_also_after_their_end(
    new_shop: NewShop, owner: Db
) -> None:
    """Else they would be lost twice: they end, and are owed all the same."""
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await shop.buy(id="o-1", total=10_000, occurred_at=now())
    held = list[str]()
    for each in (50, 40):
        body = {"customer_id": "c-42", "points": each, "expires_in": 30 * 86_400}
        held.append((await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))).body["id"])
    await pass_time(owner, shop.program.id, timedelta(days=5))
    assert (await refund(shop, amount=6_000)).body["balance"] == NOTHING | {"held": 90, "debt": 50}
    await pass_time(owner, shop.program.id, timedelta(days=7))
    released = await shop.post(f"/v1/redemptions/{held[1]}/release", {}, Idempotency_Key=unique("key"))
    assert released.body["balance"] == NOTHING | {"held": 50, "debt": 10}
    await pass_time(owner, shop.program.id, timedelta(days=20))  # the other lapses
    assert await shop.balance("c-42") == NOTHING
    await shop.buy(total=0)
    listed = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    assert [each["points"] for each in listed if each["to"] == "expired"] == [40]


async def test_points_that_are_held_are_no_way_round_the_limit_of_debt(new_shop: NewShop) -> None:
    """What is held may come back: if it were written off, who buys, holds, returns and releases would keep it."""
    shop = await new_shop(debt_limit=30)
    await shop.buy(id="o-1", total=10_000)
    body = {"customer_id": "c-42", "points": 90}
    held = (await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))).body["id"]
    back = [await refund(shop, amount=5_000) for _ in range(2)]
    assert [points(each) for each in back] == [(50, 10, 40, 0, 0), (50, 0, 50, 0, 0)]
    released = await shop.post(f"/v1/redemptions/{held}/release", {}, Idempotency_Key=unique("key"))
    assert released.body["balance"] == NOTHING


async def test_what_was_spent_before_is_written_off_beyond_the_limit_whatever_is_held(new_shop: NewShop) -> None:
    shop = await new_shop(debt_limit=30)
    await shop.buy(id="o-1", total=10_000)
    await spend(shop, 80)
    body = {"customer_id": "c-42", "points": 20}
    held = (await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))).body["id"]
    assert points(await refund(shop, amount=10_000)) == (100, 0, 50, 50, 0)
    released = await shop.post(f"/v1/redemptions/{held}/release", {}, Idempotency_Key=unique("key"))
    assert released.body["balance"] == NOTHING | {"debt": 30}


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({}, "/amount"),
        ({"amount": 1, "items": [{"id": "tea", "quantity": 1}]}, "/items"),
        ({"amount": 0}, "/amount"),
        ({"amount": -1}, "/amount"),
        ({"items": []}, "/items"),
        ({"items": [{"id": "tea", "quantity": 1}] * 2}, "/items/1/id"),
        ({"amount": 1, "occurred_at": "2999-01-01T00:00:00Z"}, "/occurred_at"),
        ({"amount": 1, "occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
    ],
)
async def test_what_is_no_refund_is_refused_with_a_pointer(shop: Shop, content: dict[str, Any], pointer: str) -> None:
    await shop.buy(id="o-1", total=10_000, items=ITEMS)
    assert (await refund(shop, **content)).pointer == pointer
    assert await shop.balance("c-42") == NOTHING | {"available": 100}


async def test_a_refund_of_what_nobody_bought_is_404_and_a_dry_run_takes_nothing(shop: Shop) -> None:
    assert (await refund(shop, "nothing", amount=1)).status == 404
    await shop.buy(id="o-1")
    tried = await shop.post("/v1/purchases/o-1/refunds?dry_run=true", {"id": "r-1", "amount": 5_000})
    assert (tried.status, points(tried)) == (200, (50, 50, 0, 0, 0))
    assert await shop.balance("c-42") == NOTHING | {"available": 129}


async def test_a_purchase_that_cost_nothing_comes_back_by_items_or_as_a_whole(shop: Shop) -> None:
    await shop.buy(id="o-1", total=0, items=ITEMS)
    assert (await refund(shop, items=[{"id": "tea", "quantity": 1}])).body["amount"] == 0
    assert (await refund(shop, amount=0)).status == 201
    assert (await refund(shop, amount=0)).code == "refund_exceeds_purchase"
