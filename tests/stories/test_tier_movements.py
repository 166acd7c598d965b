"""Tiers of programs that count what is spent, what ends and what is adjusted, through HTTP, over months that pass."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.jobs import give_back_lapsed, settle_due, settle_tiers
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, command, now
from tests.stories.test_records import admin, merge
from tests.stories.test_tiers import Told, ago, buy, give_back
from tests.tiers import ROLLING, check_counted, qualify, set_tiers, tier

ALL = ["adjustments", "redemptions", "expiry"]


async def hold(shop: Shop, points: int, customer_id: str = "c-42", **more: Any) -> str:
    held = await command(shop, "/v1/redemptions", {"customer_id": customer_id, "points": points} | more)
    assert held.status == 201, held.text
    return held.body["id"]


async def capture(shop: Shop, hold_id: str, points: int | None = None) -> None:
    done = await command(shop, f"/v1/redemptions/{hold_id}/capture", {} if points is None else {"points": points})
    assert done.status == 200, done.text


async def release(shop: Shop, hold_id: str) -> None:
    assert (await command(shop, f"/v1/redemptions/{hold_id}/release")).status == 200


async def spend(shop: Shop, points: int, **more: Any) -> None:
    await capture(shop, await hold(shop, points, **more))


async def adjust(shop: Shop, points: int, customer_id: str = "c-42") -> Answer:
    body = {"points": points, "reason": "goodwill"}
    return await shop.post(
        f"/v1/customers/{customer_id}/adjustments", body, Role.ADMIN, Idempotency_Key=unique("adjust")
    )


async def missing(shop: Shop) -> int:
    """Tell how much is missing for the next tier; whatever is kept is what all facts say."""
    assert await check_counted(shop) >= 1
    return (await tier(shop))["next"]["missing"]


async def test_what_is_captured_is_taken_off_and_what_is_only_held_is_not(shop: Shop) -> None:
    await set_tiers(shop, counts=["redemptions"])
    told = Told(shop)
    assert await buy(shop, 600) == "silver"
    first, second = await hold(shop, 150), await hold(shop, 100)
    assert await missing(shop) == 400
    await release(shop, second)
    assert ((await tier(shop))["id"], await missing(shop)) == ("silver", 400)
    await capture(shop, first, 101)  # of 150, the others go back
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 1)
    lapsing = await hold(shop, 100, expires_in=60)
    assert await buy(shop, 1) == "silver"
    await capture(shop, lapsing)
    assert await told.changes() == [
        (None, "silver", "purchase"),
        ("silver", "bronze", "redemption"),
        ("bronze", "silver", "purchase"),
        ("silver", "bronze", "redemption"),
    ]
    assert await adjust_counts_nothing(shop)


async def adjust_counts_nothing(shop: Shop) -> bool:
    before = await missing(shop)
    assert (await adjust(shop, 70)).status == 201
    return before == await missing(shop)


async def test_a_reward_is_spent_when_it_is_captured(shop: Shop) -> None:
    await set_tiers(shop, counts=["redemptions"])
    assert await buy(shop, 600) == "silver"
    mug = {"name": "Mug", "points": 200, "gives": {"kind": "gift", "description": "a mug"}}
    made = await shop.post("/v1/rewards", mug, Role.MARKETER)
    assert made.status == 201, made.text
    held = await command(shop, "/v1/redemptions", {"customer_id": "c-42", "reward_id": made.body["id"]})
    assert await missing(shop) == 400
    await capture(shop, held.body["id"])
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 100)


async def test_what_a_refund_restores_was_never_spent(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 30}, counts=["redemptions"])
    told = Told(shop)
    assert await buy(shop, 900) == "silver"
    await spend(shop, 450, order_id="o-2")
    assert await buy(shop, 100, id="o-2") == "silver"  # 550 are left
    await pass_time(owner, shop.program.id, 10 * DAY)
    await give_back(shop, "o-2", amount=5_000)
    assert await missing(shop) == 1_000 - (900 - 225 + 50)
    await give_back(shop, "o-2", amount=5_000)
    assert await missing(shop) == 100
    # On the day on which they were spent: when that is out of the window, nothing is left of either.
    assert [each for each in await told.changes() if each[2] == "redemption"] == [("silver", "bronze", "redemption")]
    await pass_time(owner, shop.program.id, 21 * DAY)
    assert await buy(shop, 1) is None
    assert await check_counted(shop) == 1


async def test_who_spent_what_comes_back_owes_it_and_it_is_taken_off_once(shop: Shop) -> None:
    await set_tiers(shop, counts=["redemptions"])
    await buy(shop, 600, id="o-1")
    await spend(shop, 600)
    await give_back(shop, "o-1", amount=60_000)
    assert await shop.balance("c-42") == {"available": 0, "pending": 0, "held": 0, "debt": 600}
    assert await missing(shop) == 100  # never below nothing
    assert await buy(shop, 700) == "bronze"  # which repays 600 first, as 600 of it count for what was spent
    assert await missing(shop) == 400


@pytest.mark.parametrize(
    "books", ["job", "purchase", "redemption", "adjustment", "refund", "merge", "opening balance", "tiers' job"]
)
async def test_what_ended_is_taken_off_on_its_day_whoever_books_it(
    new_shop: NewShop, database: Database, owner: Db, books: str
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, period={"kind": "rolling", "days": 60}, counts=["expiry"])
    told = Told(shop)
    assert await buy(shop, 480, id="o-1") == "bronze"
    await pass_time(owner, shop.program.id, 5 * DAY)
    assert await buy(shop, 120, id="o-2") == "silver"
    await pass_time(owner, shop.program.id, 9 * DAY)
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"]) == ("bronze", 500 - 120)  # before anybody booked it
    await BOOKING[books](shop, database)
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 500 - 120)
    await settle_due(database)
    await settle_tiers(database)
    assert await told.changes() == [
        (None, "bronze", "purchase"),
        ("bronze", "silver", "purchase"),
        ("silver", "bronze", "expiry"),
    ]
    exported = (await admin(shop, "GET", "/v1/customers/c-42/export")).body["records"]
    (ended,) = [each for each in exported["transactions"] if each["to"] == "expired"]
    assert exported["tier_changes"][0]["occurred_at"] == ended["occurred_at"]
    await pass_time(owner, shop.program.id, 54 * DAY)
    await settle_due(database)
    await settle_tiers(database)
    assert await check_counted(shop) == 1
    assert (await tier(shop))["id"] is None


async def _merge(shop: Shop, _: Database) -> None:
    assert (await shop.call("PUT", "/v1/customers/guest", {})).status == 201
    assert (await merge(shop, "guest", "c-42")).status == 200


async def _nothing(shop: Shop, _: Database) -> None:
    await release(shop, await hold(shop, 1))


async def _adjust(shop: Shop, _: Database) -> None:
    assert (await adjust(shop, 5)).status == 201


async def _refund(shop: Shop, _: Database) -> None:
    await buy(shop, 3, id="o-3")
    await give_back(shop, "o-3", amount=300)


async def _bring(shop: Shop, _: Database) -> None:
    lot = {"points": 7, "earned_at": ago(1)}
    body = {"balances": [{"id": unique("opening"), "customer_id": "c-42", "lots": [lot]}]}
    assert (await shop.post("/v1/opening-balances", body, Role.ADMIN)).body["results"][0]["status"] == 201


async def _buy(shop: Shop, _: Database) -> None:
    assert await buy(shop, 0) == "bronze"


async def _settle_due(_: Shop, database: Database) -> None:
    assert await settle_due(database) >= 1


async def _settle_tiers(_: Shop, database: Database) -> None:
    await settle_due(database)
    await settle_tiers(database)


BOOKING: dict[str, Callable[[Shop, Database], Awaitable[None]]] = {
    "job": _settle_due,
    "purchase": _buy,
    "redemption": _nothing,
    "adjustment": _adjust,
    "refund": _refund,
    "merge": _merge,
    "opening balance": _bring,
    "tiers' job": _settle_tiers,
}


async def test_points_that_lapse_unconfirmed_end_too(new_shop: NewShop, database: Database, owner: Db) -> None:
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "lapse"})
    await set_tiers(shop, counts=["expiry"])
    assert await buy(shop, 500, id="o-1") == "silver"
    assert await buy(shop, 100, id="o-2") == "silver"
    assert (await command(shop, "/v1/purchases/o-2/confirm")).status == 200
    await pass_time(owner, shop.program.id, 32 * DAY)
    await settle_due(database)
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 400)


async def test_what_comes_back_had_never_been_bought_and_so_never_ended(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, period={"kind": "rolling", "days": 60}, counts=["expiry"])
    await buy(shop, 600, id="o-1")
    await spend(shop, 150)
    await pass_time(owner, shop.program.id, 12 * DAY)
    assert await buy(shop, 200) == "bronze"  # 600 - 450 + 200
    assert await missing(shop) == 150
    took = (await give_back(shop, "o-1", amount=20_000)).body["points"]
    assert took["reversed"] == 150  # all that had not ended
    assert await missing(shop) == 150 + 200 - 50
    took = (await give_back(shop, "o-1", amount=40_000)).body["points"]
    assert took["reversed"] == 0
    assert await missing(shop) == 500 - 200  # as if there had been the other purchase only
    await qualify(shop, period={"kind": "rolling", "days": 59}, counts=["expiry"])
    await settle_tiers(database)
    assert await missing(shop) == 500 - 200


async def test_a_late_purchase_whose_points_have_ended_counts_as_if_it_had_come_in_time(new_shop: NewShop) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, period={"kind": "rolling", "days": 30}, counts=["expiry"])
    assert await buy(shop, 150) == "bronze"
    assert await buy(shop, 900, occurred_at=ago(50)) == "bronze"  # it came and ended before the window
    assert await check_counted(shop) == 1
    assert await buy(shop, 900, occurred_at=ago(20)) == "bronze"  # both within
    assert await check_counted(shop) == 1
    assert await buy(shop, 49, occurred_at=ago(35)) == "bronze"  # only its end within
    assert await check_counted(shop) == 1
    assert await missing(shop) == 500 - 101


async def test_points_given_by_hand_count_and_those_taken_don_t(shop: Shop, database: Database) -> None:
    assert (await shop.call("PUT", "/v1/customers/c-42", {})).status == 201
    await set_tiers(shop, counts=["adjustments"])
    told = Told(shop)
    assert (await adjust(shop, 520)).status == 201
    assert ((await tier(shop))["id"], await missing(shop)) == ("silver", 480)
    assert (await adjust(shop, -30)).status == 201
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 10)
    assert await buy(shop, 10) == "silver"
    assert await told.changes() == [
        (None, "silver", "adjustment"),
        ("silver", "bronze", "adjustment"),
        ("bronze", "silver", "purchase"),
    ]
    await settle_tiers(database)
    assert await missing(shop) == 500


async def test_what_moved_before_it_counts_is_counted_by_a_job(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 20})
    assert (await shop.call("PUT", "/v1/customers/hand", {})).status == 201
    assert (await adjust(shop, 510, "hand")).status == 201
    await buy(shop, 300)
    await pass_time(owner, shop.program.id, 15 * DAY)
    await buy(shop, 600)
    await spend(shop, 80)
    await pass_time(owner, shop.program.id, 7 * DAY)
    await set_tiers(shop)
    await settle_tiers(database)
    assert ((await tier(shop))["id"], (await tier(shop, "hand"))["id"]) == ("silver", None)
    for counts, by_hand in ((["adjustments"], "silver"), (["redemptions"], None), (ALL, None), ([], None)):
        await qualify(shop, **(ROLLING | {"counts": counts}))
        await settle_tiers(database)
        assert await check_counted(shop) == 2
        assert (await tier(shop, "hand"))["id"] == by_hand  # of ALL they ended, too
    await qualify(shop, **(ROLLING | {"counts": ALL}))
    await settle_tiers(database)
    assert await missing(shop) == 1_000 - (300 + 600 - 80 - 220)
    # Whoever books while another policy counts leaves what is kept to the job.
    await qualify(shop, **(ROLLING | {"counts": ["redemptions"]}))
    await spend(shop, 100)
    await settle_tiers(database)
    assert await missing(shop) == 1_000 - (300 + 600 - 80 - 100)


async def test_what_moves_while_there_are_no_tiers_is_counted_when_there_are(shop: Shop, database: Database) -> None:
    await set_tiers(shop, counts=ALL)
    assert await buy(shop, 600) == "silver"
    await qualify(shop)
    await spend(shop, 200)
    assert (await adjust(shop, 50)).status == 201
    await qualify(shop, **(ROLLING | {"counts": ALL}))
    await settle_tiers(database)
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 50)


async def test_what_was_spent_and_ended_of_two_records_is_taken_off_one(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, period={"kind": "rolling", "days": 60}, counts=ALL)
    assert await buy(shop, 700, customer_id="guest", id="g-1") == "silver"
    await spend(shop, 100, customer_id="guest", order_id="g-2")
    assert await buy(shop, 100, customer_id="guest", id="g-2") == "silver"
    await pass_time(owner, shop.program.id, 12 * DAY)  # 700 of the guest's end, nobody booked it
    assert await buy(shop, 450) == "bronze"
    await merge(shop, "guest", "c-42")
    # Of the guest's 800 points 100 were spent, and the others ended.
    assert ((await tier(shop))["id"], await missing(shop)) == ("bronze", 50)
    await give_back(shop, "g-2", amount=10_000)  # restores what paid for it, which ends again
    assert await missing(shop) == 50
    await give_back(shop, "g-1", amount=70_000)
    assert await check_counted(shop) == 1
    await qualify(shop, period={"kind": "rolling", "days": 59}, counts=ALL)
    await settle_tiers(database)
    assert await check_counted(shop) == 1


async def test_who_is_erased_is_counted_no_more(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, counts=ALL)
    told = Told(shop)
    await buy(shop, 400)
    await hold(shop, 100)
    await pass_time(owner, shop.program.id, 12 * DAY)
    assert (await admin(shop, "DELETE", "/v1/customers/c-42")).status == 200
    assert await told.changes() == [(None, "bronze", "purchase")]
    left = "SELECT count(*) FROM customer WHERE program_id = $1 AND (tier, tier_state::text, tier_due_at) IS NOT NULL"
    assert await owner.fetchval(left, shop.program.id) == 0


async def test_a_dry_run_tells_the_tier_after_what_ended_and_keeps_nothing(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await set_tiers(shop, counts=["expiry"])
    assert await buy(shop, 600) == "silver"
    await pass_time(owner, shop.program.id, 12 * DAY)
    body = {"id": "try", "customer_id": "c-42", "currency": "EUR", "occurred_at": now(), "total": 20_000}
    tried = await shop.post("/v1/purchases?dry_run=true", body)
    assert tried.body["tier"] == {"id": "bronze", "name": "Bronze"}
    kept = "SELECT tier FROM customer WHERE program_id = $1"
    assert await owner.fetchval(kept, shop.program.id) == "silver"


POLICIES: dict[str, dict[str, Any]] = {
    "all, rolling": {"period": {"kind": "rolling", "days": 40}, "counts": [*ALL, "bonuses", "activities"]},
    "spent, with grace": {"period": {"kind": "rolling", "days": 15}, "counts": ["redemptions"], "grace_days": 9},
    "ended, by step": {"period": {"kind": "rolling", "months": 1}, "counts": ["expiry"], "downgrade": "one_step"},
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_what_is_kept_is_what_all_facts_say(
    new_shop: NewShop, database: Database, owner: Db, policy: str, seed: int
) -> None:
    chance = random.Random(f"{policy} {seed}")
    pending = chance.choice([{}, {"pending": {"kind": "after", "days": 3}}])
    shop = await new_shop(expiry={"kind": "rolling", "days": chance.choice([8, 20])}, **pending)
    await set_tiers(shop, **POLICIES[policy])
    life = _Life(shop, database, owner, chance)
    for _ in range(40):
        await life.step()
        await check_counted(shop)
    await settle_due(database)
    await settle_tiers(database)
    assert await check_counted(shop) >= 1
    await qualify(shop, **(POLICIES[policy] | {"period": {"kind": "rolling", "days": 33}}))
    await settle_tiers(database)
    assert await check_counted(shop) >= 1


class _Life:
    """What customers of a shop do, at random: what the service refuses, it refuses."""

    def __init__(self, shop: Shop, database: Database, owner: Db, chance: random.Random) -> None:
        self._shop, self._database, self._owner, self._chance = shop, database, owner, chance
        self._names, self._orders, self._holds = ["a", "b", "c"], list[tuple[str, str]](), list[str]()

    async def step(self) -> None:
        """Let something happen."""
        steps = [self._buy] * 6 + [self._refund] * 4 + [self._redeem] * 5 + [self._end] * 4 + [self._adjust] * 3
        await self._chance.choice(steps + [self._pass] * 5 + [self._job] * 2 + [self._merge])()

    def _name(self) -> str:
        return self._chance.choice(self._names)

    async def _buy(self) -> None:
        order, name = unique("o"), self._name()
        if self._chance.random() < 0.5 and await self._redeem(order_id=order, name=name):
            await capture(self._shop, self._holds.pop())
        late = self._chance.choice([0, 0, 0, 2, 12, 30])
        bought = await self._shop.buy(
            id=order, customer_id=name, total=self._chance.randint(0, 60_000), occurred_at=ago(late)
        )
        assert bought.status == 201
        self._orders.append((order, name))

    async def _refund(self) -> None:
        if self._orders:
            order, _ = self._chance.choice(self._orders)
            total = (await self._shop.get(f"/v1/purchases/{order}")).body["total"]
            body = {"id": unique("refund"), "amount": self._chance.choice([total, total // 2, total // 3])}
            answer = await self._shop.post(f"/v1/purchases/{order}/refunds", body)
            assert answer.status in {201, 409, 422}, answer.text

    async def _redeem(self, order_id: str | None = None, name: str | None = None) -> bool:
        body: dict[str, Any] = {"customer_id": name or self._name(), "points": self._chance.randint(1, 300)}
        if order_id is not None:
            body["order_id"] = order_id
        body["expires_in"] = self._chance.choice([3_600, 20 * 86_400])
        held = await command(self._shop, "/v1/redemptions", body)
        assert held.status in {201, 409, 422}, held.text
        if held.status == 201:
            self._holds.append(held.body["id"])
        return held.status == 201

    async def _end(self) -> None:
        if self._holds:
            held = self._holds.pop(self._chance.randrange(len(self._holds)))
            body = self._chance.choice([{}, {"points": 1}])
            verb = self._chance.choice(["capture", "capture", "release"])
            body = body if verb == "capture" else {}
            assert (await command(self._shop, f"/v1/redemptions/{held}/{verb}", body)).status in {200, 409}

    async def _adjust(self) -> None:
        answer = await adjust(self._shop, self._chance.choice([-200, -20, 15, 150]), self._name())
        assert answer.status in {201, 404, 409}, answer.text

    async def _pass(self) -> None:
        await pass_time(self._owner, self._shop.program.id, self._chance.choice([1, 3, 9, 21]) * DAY)

    async def _job(self) -> None:
        await self._chance.choice([settle_due, settle_tiers, give_back_lapsed])(self._database)

    async def _merge(self) -> None:
        if len(self._names) > 1:
            gone = self._names.pop(self._chance.randrange(len(self._names)))
            answer = await merge(self._shop, gone, self._name())
            assert answer.status in {200, 404, 422}, answer.text
