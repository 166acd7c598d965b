"""The job that books what has come due and nobody touched."""

import asyncio
from datetime import UTC, datetime, timedelta

from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.usecases import settle_customers
from service.tiers.usecases import following
from tests.concurrency.office import merge
from tests.conftest import NewShop
from tests.jobs import settle_due
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


async def test_two_names_of_one_customer_are_settled_as_one(shop: Shop, database: Database, owner: Db) -> None:
    """The list of who has something due may be minutes old: two of it can have become one."""
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=10_000)
    assert (await merge(shop, "guest", "c-42")).status == 200
    body = {"customer_id": "c-42", "points": 100, "expires_in": 5}
    assert (await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))).status == 201
    await pass_time(owner, shop.program.id, timedelta(seconds=5))

    async def work(db: Db) -> int:
        return await settle_customers(
            db,
            program_id=shop.program.id,
            customer_ids=["guest", "c-42", "nobody"],
            following=following(shop.program),
            entropy=7,
        )

    assert await transact(database.connection, work) == 1
    assert (await shop.balance("guest"))["available"] == 200


async def test_one_who_can_not_be_settled_keeps_no_other_from_it(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    for name in ("a", "b", "c"):
        await shop.buy(customer_id=name, occurred_at=now(), total=1_000)
    await pass_time(owner, shop.program.id, timedelta(days=12))
    row = (
        "UPDATE customer SET next_expiry_at = NULL, next_expiry_points = 0, available = {}"
        " WHERE program_id = $1 AND external_id = 'b'"
    )
    await owner.execute(row.format(0), shop.program.id)  # so that it would have less than nothing
    await settle_due(database)
    assert await expired(owner, shop) == [10, 10]
    await owner.execute(row.format(10), shop.program.id)
    await settle_due(database)
    assert await expired(owner, shop) == [10, 10, 10]


async def test_one_who_is_locked_for_long_is_left_for_the_next_time(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await shop.buy(occurred_at=now(), total=1_000)
    await pass_time(owner, shop.program.id, timedelta(days=12))
    async with owner.transaction():
        await owner.execute("SELECT FROM customer WHERE program_id = $1 FOR UPDATE", shop.program.id)
        await settle_due(database)
    assert await expired(owner, shop) == []
    await settle_due(database)
    assert await expired(owner, shop) == [10]
