"""The points that other people's systems worked out and published, come to by this one; each test names its source."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from service.customers.rules import Balance, newcomer
from service.kernel.ids import IdSource
from service.platform.statements import Db
from service.points.account import Account
from service.points.rules import NEVER, Cause, Life
from service.points.settling import settle
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique

NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}


def dollars(points: int, amount: int) -> dict[str, Any]:
    """Make a base rule of so many points for each amount of cents."""
    return {"rates": {"USD": {"points": points, "amount": amount}}, "any_currency": None}


async def earn(shop: Shop, points: int, purchase: str | None = None) -> Answer:
    """Buy for so many euros, which earn a point each."""
    return await shop.buy(id=purchase or unique("order"), total=points * 100)


async def spend(shop: Shop, points: int) -> None:
    content = {"customer_id": "c-42", "points": points}
    held = await shop.post("/v1/redemptions", content, Idempotency_Key=unique("key"))
    path = f"/v1/redemptions/{held.body['id']}/capture"
    assert (await shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200


async def claw_back(shop: Shop, purchase: str, points: int) -> Answer:
    """Refund so many euros of a purchase."""
    content = {"id": unique("refund"), "amount": points * 100}
    return await shop.post(f"/v1/purchases/{purchase}/refunds", content)


async def moves(shop: Shop, cause: str) -> list[tuple[str, str, int]]:
    """Read what one type of cause moved, the oldest first."""
    listed = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    return [(each["from"], each["to"], each["points"]) for each in reversed(listed) if each["cause"]["type"] == cause]


@pytest.mark.parametrize(("total", "points"), [(10_500, 10), (999, 0), (1_000, 1), (10_999, 10)])
async def test_square_one_point_for_each_10_00_and_fractions_are_dropped(
    new_shop: NewShop, total: int, points: int
) -> None:
    """Square, loyalty accrual rules: 1 point per 10.00: 105.00 earns 10. Fractions are dropped."""
    shop = await new_shop(currency="USD", base_rule=dollars(1, 1_000))
    bought = await shop.buy(currency="USD", total=total)
    assert (bought.body["points"]["earned"], bought.body["balance"]["available"]) == (points, points)


@pytest.mark.parametrize(("plain", "promoted"), [(4, 6), (5, 7)])
async def test_square_a_promotion_of_one_and_a_half_on_4_points_gives_6(
    new_shop: NewShop, plain: int, promoted: int
) -> None:
    """Square, loyalty promotions: a multiplier of 1.5 on 4 points gives 6; of 7.5 points for 5 the half is dropped.

    The rate is one and a half times that of the program beside it.
    """
    earned = [
        (await (await new_shop(base_rule=rule)).buy(currency="USD", total=plain * 1_000)).body["points"]["earned"]
        for rule in (dollars(1, 1_000), dollars(3, 2_000))
    ]
    assert earned == [plain, promoted]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles"])
@pytest.mark.parametrize(("day", "gone"), [("2026-01-25", "2026-02-26"), ("2026-01-31", "2026-03-01")])
async def test_voucherify_points_of_one_month_end_with_the_same_day_of_the_next_or_its_last(
    new_shop: NewShop, owner: Db, zone: str, day: str, gone: str
) -> None:
    """Voucherify, loyalty point expiration: earned on 25 January, they end with 25 February; on 31, with the 28th."""
    shop = await new_shop(time_zone=zone, expiry={"kind": "rolling", "months": 1})
    offset = {"UTC": "+00:00", "Europe/Berlin": "+01:00", "America/Los_Angeles": "-08:00"}[zone]
    for time in ("00:00:00", "23:59:59"):
        assert (await shop.buy(occurred_at=f"{day}T{time}{offset}")).status == 201
    ends = await owner.fetch("SELECT expires_at FROM lot WHERE program_id = $1", shop.program.id)
    assert [each[0] for each in ends] == [datetime.fromisoformat(f"{gone}T00:00:00{offset}")] * 2


async def test_sylius_50_then_80_clawed_back_then_100_leave_70(shop: Shop) -> None:
    """Sylius loyalty plugin: the debt is repaid first. Of the 80 that are clawed back, 30 were spent already."""
    await earn(shop, 80, "o-1")
    await spend(shop, 30)
    assert await shop.balance("c-42") == NOTHING | {"available": 50}
    clawed = await claw_back(shop, "o-1", 80)
    assert clawed.body["balance"] == NOTHING | {"debt": 30}
    assert (await earn(shop, 100)).body["balance"] == NOTHING | {"available": 70}


async def test_sylius_of_two_lots_of_50_70_burnt_leave_30_in_the_later_one(new_shop: NewShop) -> None:
    """Sylius loyalty plugin: the lot that expires first is burnt first."""
    shop = await new_shop(expiry={"kind": "rolling", "months": 1_200})
    for purchase, day in (("later", "2026-01-31"), ("earlier", "2026-01-30")):
        await shop.buy(id=purchase, total=5_000, occurred_at=f"{day}T10:00:00Z")
    await spend(shop, 70)
    lots = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert [(lot["cause"]["id"], lot["granted"], lot["remaining"]) for lot in lots] == [("later", 50, 30)]


@pytest.mark.parametrize(
    ("now", "expired"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 3, 1, tzinfo=UTC), 100),
        (datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), 100),
        (datetime(2026, 7, 1, tzinfo=UTC), 300),
        (datetime(9998, 1, 1, tzinfo=UTC), 300),
    ],
)
def test_sylius_of_100_200_and_50_points_100_expire_by_1_march_and_300_by_1_july(now: datetime, expired: int) -> None:
    """Sylius loyalty plugin: lots of 100 (to 1 March), 200 (to 1 July), 50 (for ever)."""
    earned_at = datetime(2026, 1, 10, tzinfo=UTC)
    account = Account(newcomer(1, "c-42", earned_at), earned_at, IdSource(earned_at, 1), {}, {})
    ends = [(100, datetime(2026, 3, 1, tzinfo=UTC)), (200, datetime(2026, 7, 1, tzinfo=UTC)), (50, NEVER)]
    for number, (points, end) in enumerate(ends, start=1):
        account.grant(
            points,
            transfer_id=UUID(int=number),
            cause=Cause("purchase", f"o-{number}"),
            rule="base",
            rule_version=1,
            occurred_at=earned_at,
            life=Life(expires_at=end),
        )
    account.now = now
    settle(account)
    assert account.customer.balance == Balance(available=350 - expired)
    assert sum(transfer.points for transfer in account.transfers if transfer.reason == "expiry") == expired


@pytest.mark.parametrize(
    ("debt_limit", "debt", "from_bucket", "in_the_ledger", "after_100_more"),
    [
        pytest.param(0, 0, "written_off", -50, NOTHING | {"available": 100}, id="clamped"),
        pytest.param(None, 100, "debt", -150, NOTHING, id="as debt"),
    ],
)
async def test_a_clawback_of_150_on_50_is_clamped_or_a_debt_and_a_second_one_does_nothing(
    new_shop: NewShop,
    debt_limit: int | None,
    debt: int,
    from_bucket: str,
    in_the_ledger: int,
    after_100_more: dict[str, int],
) -> None:
    """worked_examples.md, Points: 150 on a balance of 50 go to 0 where the programme clamps, else to a debt of 100.

    The ledger shows -50 where it clamps: what is taken from the customer, of points or as debt; what is beyond is
    written off, a bucket of its own. It shows -150 where it allows debt.
    """
    shop = await new_shop(debt_limit=debt_limit)
    await earn(shop, 150, "o-1")
    await spend(shop, 100)
    clawed = await claw_back(shop, "o-1", 150)
    assert (clawed.body["points"]["reversed"], clawed.body["balance"]) == (150, NOTHING | {"debt": debt})
    taken = await moves(shop, "refund")
    assert taken == [("available", "reversed", 50), (from_bucket, "reversed", 100)]
    assert -sum(points for source, _, points in taken if source in {"available", "debt"}) == in_the_ledger
    second = await claw_back(shop, "o-1", 150)
    assert (second.status, second.code) == (422, "refund_exceeds_purchase")
    assert await moves(shop, "refund") == taken
    assert await shop.balance("c-42") == NOTHING | {"debt": debt}
    assert (await earn(shop, 100)).body["balance"] == after_100_more


async def test_the_same_clawback_told_twice_is_one(shop: Shop) -> None:
    """worked_examples.md, Points: a second clawback of the same purchase does nothing."""
    await earn(shop, 150, "o-1")
    await spend(shop, 100)
    first, second = [await shop.post("/v1/purchases/o-1/refunds", {"id": "r-1", "amount": 15_000}) for _ in range(2)]
    assert (first.status, second.status, second.text, second.replayed) == (201, 200, first.text, True)
    assert await moves(shop, "refund") == [("available", "reversed", 50), ("debt", "reversed", 100)]
    assert await shop.balance("c-42") == NOTHING | {"debt": 100}
