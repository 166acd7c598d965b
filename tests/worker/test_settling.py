"""The job that books what has come due and nobody touched."""

import asyncio
from datetime import UTC, datetime, timedelta

from service.platform.database import Database
from service.platform.statements import Db
from service.points.jobs import settle_due
from tests.conftest import NewShop
from tests.shop import Shop, unique
from tests.stories.months import pass_time

CUSTOMERS = 250


def now() -> str:
    return datetime.now(UTC).isoformat()


async def expired(owner: Db, shop: Shop) -> list[int]:
    """Return the points of all expiries that are booked."""
    rows = await owner.fetch(
        "SELECT points FROM transfer WHERE program_id = $1 AND to_bucket = 'expired'", shop.program.id
    )
    return [row["points"] for row in rows]


async def test_everything_that_is_due_is_booked_once_however_many_do_it(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    bought = await asyncio.gather(
        *(shop.buy(customer_id=f"c-{number}", occurred_at=now(), total=1_000) for number in range(CUSTOMERS))
    )
    assert {answer.status for answer in bought} == {201}
    await settle_due(database)
    assert await expired(owner, shop) == []
    await pass_time(owner, shop.program.id, timedelta(days=12))
    assert sum(await asyncio.gather(settle_due(database), settle_due(database))) >= CUSTOMERS
    assert await expired(owner, shop) == [10] * CUSTOMERS
    assert await settle_due(database) == 0
    told = "SELECT count(*) FROM outbox WHERE program_id = $1 AND type = 'points.expired'"
    assert await owner.fetchval(told, shop.program.id) == CUSTOMERS


async def test_purchases_meanwhile_are_booked_and_find_all_settled(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 1})
    await asyncio.gather(*(shop.buy(customer_id=f"c-{number}", occurred_at=now()) for number in range(100)))
    await pass_time(owner, shop.program.id, timedelta(days=2))
    settling = asyncio.create_task(settle_due(database))
    bought = await asyncio.gather(
        *(shop.buy(customer_id=f"c-{number}", occurred_at=now(), total=0) for number in range(100))
    )
    await settling
    assert {(answer.status, answer.body["balance"]["available"]) for answer in bought} == {(201, 129)}


async def test_redemptions_that_nobody_ended_are_told_to_have_lapsed(shop: Shop, database: Database, owner: Db) -> None:
    await shop.buy()
    body = {"customer_id": "c-42", "points": 100, "expires_in": 5}
    held = await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
    assert held.status == 201
    await pass_time(owner, shop.program.id, timedelta(seconds=5))
    assert await settle_due(database) >= 1
    rows = await owner.fetch("SELECT type FROM outbox WHERE program_id = $1 ORDER BY id", shop.program.id)
    assert [row["type"] for row in rows] == [
        "customer.enrolled", "purchase.rewarded", "redemption.held", "redemption.lapsed",
    ]  # fmt: skip
