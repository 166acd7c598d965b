"""Customers are told before their points end, and see what ends when."""

from datetime import UTC, datetime, timedelta

from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Shop
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, NOTHING, command, now, redeem


async def told(shop: Shop, owner: Db) -> list[int]:
    """Read how many points each notice told of, the oldest first, and prove that each is in the outbox."""
    rows = await owner.fetch(
        "SELECT n.points, o.type FROM expiry_notice AS n"
        " LEFT JOIN outbox AS o ON n.program_id = o.program_id AND n.id = o.subject_id"
        " WHERE n.program_id = $1 ORDER BY n.id",
        shop.program.id,
    )
    assert {row["type"] for row in rows} <= {"points.expiring"}
    return [row["points"] for row in rows]


async def moment(shop: Shop, path: str) -> datetime | None:
    balance = (await shop.get(path)).body["next_expiry"]
    return None if balance is None else datetime.fromisoformat(balance["at"])


async def test_a_program_that_demands_a_notice_ends_nothing_without_one(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30, "notice": {"days": 10, "required": True}})
    await shop.buy(occurred_at=now(), total=10_000)
    # Nobody was there for two months, and no job ran.
    await pass_time(owner, shop.program.id, 60 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 100}
    assert await told(shop, owner) == []
    await shop.buy(id="o-2", occurred_at=now(), total=5_000)
    assert await told(shop, owner) == [100]
    await pass_time(owner, shop.program.id, 9 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 150}
    await pass_time(owner, shop.program.id, 2 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 50}


async def test_a_balance_and_the_lots_tell_when_points_end_that_slide(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "sliding", "days": 60, "notice": {"days": 10}})
    await shop.buy(occurred_at=now(), total=10_000)
    ends_at = await moment(shop, "/v1/customers/c-42/balance")
    assert ends_at is not None
    assert timedelta(days=60) < ends_at - datetime.now(UTC) <= timedelta(days=61)
    (lot,) = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert datetime.fromisoformat(lot["expires_at"]) == ends_at
    await pass_time(owner, shop.program.id, 55 * DAY)
    await redeem(shop, 10)
    assert await told(shop, owner) == [100]
    await pass_time(owner, shop.program.id, 7 * DAY)
    assert (await shop.get("/v1/customers/c-42/lots")).body["data"] == []
    assert await moment(shop, "/v1/customers/c-42/balance") is None


async def test_lots_are_those_of_now_whether_or_not_anybody_booked_what_came_due(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30})
    await shop.buy(occurred_at=now(), total=10_000)
    await pass_time(owner, shop.program.id, 20 * DAY)
    await shop.buy(id="o-2", occurred_at=now(), total=5_000)
    await redeem(shop, 120, expires_in=60)
    await pass_time(owner, shop.program.id, 12 * DAY)
    # The first lot has ended, and the redemption lapsed: what it held of the second is back.
    (lot,) = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert (lot["granted"], lot["remaining"]) == (50, 50)


async def test_points_that_come_back_after_their_end_have_the_programs_grace(new_shop: NewShop, owner: Db) -> None:
    for grace, left in ((None, 0), (14, 100)):
        shop = await new_shop(expiry={"kind": "rolling", "days": 30}, restored_grace_days=grace)
        await shop.buy(occurred_at=now(), total=10_000)
        held = await redeem(shop, 100, order_id="o-2")
        await command(shop, f"/v1/redemptions/{held.body['id']}/capture")
        await shop.buy(id="o-2", occurred_at=now(), total=0, points_paid=100, items=[{"id": "1", "amount": 100}])
        await pass_time(owner, shop.program.id, 40 * DAY)
        back = await shop.post("/v1/purchases/o-2/refunds", {"id": "r-1", "amount": 0})
        assert (back.status, back.body["points"]["restored"]) == (201, 100)
        assert await shop.balance("c-42") == NOTHING | {"available": left}
        await pass_time(owner, shop.program.id, 15 * DAY)
        assert await shop.balance("c-42") == NOTHING
