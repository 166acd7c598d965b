"""Everything at once, by chance: the books hold, nobody is told of a fault, and nothing waits in a circle."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests.concurrency.office import deadlocks, entry, erase, merge
from tests.conftest import NewShop
from tests.jobs import give_back_lapsed, settle_due
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import command, now
from tests.vouchers import make

NAMES: Final = [f"c-{number}" for number in range(8)]
POLICIES: Final[list[dict[str, Any]]] = [
    {},
    {"expiry": {"kind": "sliding", "days": 20, "notice": {"days": 5, "required": True}}},
    {"expiry": {"kind": "rolling", "days": 15}, "pending": {"kind": "after", "days": 3}},
    {
        "debt_limit": 30,
        "expiry": {"kind": "rolling", "days": 15, "notice": {"days": 5, "required": True}},
        "restored_grace_days": 5,
    },
    {"pending": {"kind": "until_confirmed", "days": 5, "otherwise": "lapse"}},
]
REFUSALS: Final = {
    "adjustment_not_waiting", "customer_erased", "customer_merged", "customer_unknown", "hold_not_open",
    "insufficient_points", "invalid_content", "not_found", "points_lapsed", "refund_exceeds_purchase",
    "reward_out_of_stock", "voucher_used_up",
}  # fmt: skip
"""What may be answered, where it comes too late."""


@dataclass
class Callers:
    """Those who call at once; each does by chance what tills and offices do."""

    shop: Shop
    database: Database
    chance: random.Random
    reward: str
    orders: list[str] = field(default_factory=lambda: ["unknown"])
    holds: list[str] = field(default_factory=lambda: ["hold_" + "0" * 32])
    vouchers: list[str] = field(default_factory=lambda: ["unknown"])
    adjustments: list[str] = field(default_factory=lambda: ["adj_" + "0" * 32])

    def anybody(self) -> str:
        """Name a customer."""
        return self.chance.choice(NAMES)

    async def buys(self) -> Answer:
        """Buy, with words that an erasure must find."""
        order = unique("order")
        bought = await self.shop.buy(
            id=order,
            customer_id=self.anybody(),
            total=self.chance.choice([0, 500, 1_000, 2_000]),
            occurred_at=now(),
            items=[{"id": "a", "amount": 500, "quantity": 2}],
            channel="till",
            metadata={"x": 1},
        )
        self.orders.append(order)
        return bought

    async def buys_in_bulk(self) -> Answer:
        """Report purchases of several at once."""
        entries = [entry(self.anybody()) for _ in range(6)]
        answer = await self.shop.post("/v1/purchases/batch", {"purchases": entries})
        assert {each["status"] for each in answer.body["results"]} == {201}, answer.text
        return answer

    async def returns(self) -> Answer:
        """Refund by amount or by an item."""
        amount = {"amount": self.chance.choice([0, 100, 500, 1_000])}
        content = self.chance.choice([amount, {"items": [{"id": "a", "quantity": 1}]}])
        path = f"/v1/purchases/{self.chance.choice(self.orders)}/refunds"
        return await self.shop.post(path, {"id": unique("refund")} | content)

    async def redeems(self) -> Answer:
        """Set points aside for an order, for a second or for days."""
        body = {
            "customer_id": self.anybody(),
            "points": self.chance.randint(1, 12),
            "order_id": self.chance.choice(self.orders),
            "expires_in": self.chance.choice([1, 86_400, 10 * 86_400]),
        }
        held = await command(self.shop, "/v1/redemptions", body)
        if held.status == 201:
            self.holds.append(held.body["id"])
        return held

    async def ends_a_hold(self) -> Answer:
        """Capture or release."""
        verb = self.chance.choice(["capture", "release"])
        ended = await command(self.shop, f"/v1/redemptions/{self.chance.choice(self.holds)}/{verb}")
        if ended.status == 200 and ended.body["voucher"] is not None:
            self.vouchers.append(ended.body["voucher"]["code"])
        return ended

    async def redeems_a_reward(self) -> Answer:
        """Take one of few pieces, for a second or for a day."""
        body = {
            "customer_id": self.anybody(),
            "reward_id": self.reward,
            "expires_in": self.chance.choice([1, 86_400]),
        }
        held = await command(self.shop, "/v1/redemptions", body)
        if held.status == 201:
            self.holds.append(held.body["id"])
        return held

    async def uses_a_voucher(self) -> Answer:
        """Use what a redemption issued."""
        order = {"order_id": unique("order"), "amount": 1_000, "currency": "EUR"}
        return await command(self.shop, f"/v1/vouchers/{self.chance.choice(self.vouchers)}/redeem", order)

    async def adjusts(self) -> Answer:
        """Give or take points; some wait for a second key."""
        body = {"points": self.chance.choice([-5, 3, 8]), "reason": "correction", "note": "told by telephone"}
        path = f"/v1/customers/{self.anybody()}/adjustments"
        answer = await self.shop.post(path, body, Role.SUPPORT, Idempotency_Key=unique("key"))
        if answer.status == 201:
            self.adjustments.append(answer.body["id"])
        return answer

    async def decides(self) -> Answer:
        """Approve or refuse."""
        verb = self.chance.choice(["approve", "refuse"])
        path = f"/v1/adjustments/{self.chance.choice(self.adjustments)}/{verb}"
        return await self.shop.post(path, {}, Role.ADMIN, Idempotency_Key=unique("key"))

    async def brings(self) -> Answer:
        """Bring balances from elsewhere, of two who may be one."""
        brought: list[dict[str, Any]] = [{"lots": [{"points": 5, "earned_at": now()}]}, {"lots": [], "debt": 3}]
        balances = [each | {"id": unique("old"), "customer_id": self.anybody()} for each in brought]
        return await self.shop.post("/v1/opening-balances", {"balances": balances}, Role.ADMIN)

    async def confirms(self) -> Answer:
        """Confirm a purchase."""
        return await command(self.shop, f"/v1/purchases/{self.chance.choice(self.orders)}/confirm")

    async def merges(self) -> Answer:
        """Let somebody's record go into somebody else's."""
        source, target = self.chance.sample(NAMES, 2)
        return await merge(self.shop, source, target)

    async def erases(self) -> Answer:
        """Erase somebody."""
        return await erase(self.shop, self.anybody())

    async def suppresses(self) -> Answer:
        """Set a suppression."""
        body: dict[str, Any] = {"reason": self.chance.choice(["complaint", "left"])}
        body["until"] = self.chance.choice([None, (datetime.now(UTC) + timedelta(days=3)).isoformat()])
        return await self.shop.post(f"/v1/customers/{self.anybody()}/suppressions", body, Role.SUPPORT)

    async def lifts(self) -> Answer:
        """Lift one."""
        path = f"/v1/customers/{self.anybody()}/suppressions/{self.chance.choice(['complaint', 'left'])}"
        return await self.shop.call("DELETE", path, role=Role.SUPPORT)

    async def enrols(self) -> Answer:
        """Tell of somebody."""
        told = {"name": "Ann", "email": "ann@example.org", "attributes": {"a": 1}}
        return await self.shop.call("PUT", f"/v1/customers/{self.anybody()}", told)

    async def reads(self) -> Answer:
        """Read what is there of somebody."""
        what = self.chance.choice(["/balance", "/balance", "/lots", "/export", "/suppressions", ""])
        return await self.shop.get(f"/v1/customers/{self.anybody()}{what}", Role.ADMIN)

    async def settles(self) -> None:
        """Let the jobs run."""
        await settle_due(self.database)
        await give_back_lapsed(self.database)

    def anything(self) -> Awaitable[Answer | None]:
        """Do one of all these, what is usual more often."""
        usual = (
            [self.buys] * 8
            + [self.redeems_a_reward] * 4
            + [self.uses_a_voucher] * 2
            + [self.returns] * 5
            + [self.redeems] * 4
            + [self.ends_a_hold] * 4
            + [self.reads] * 4
        )
        office = [self.adjusts] * 3 + [self.decides] * 2 + [self.brings] + [self.suppresses] * 3 + [self.lifts]
        rare = [self.buys_in_bulk] * 2 + [self.confirms] * 2 + [self.merges] * 2 + [self.enrols] * 2 + [self.erases]
        kinds: list[Callable[[], Awaitable[Answer | None]]] = [*usual, *office, *rare, self.settles]
        return self.chance.choice(kinds)()


@pytest.mark.parametrize("seed", range(len(POLICIES)))
async def test_whatever_meets_the_books_hold(new_shop: NewShop, database: Database, owner: Db, seed: int) -> None:
    shop = await new_shop(adjustment_limit=10, **POLICIES[seed])
    reward = await make(shop, points=5, stock=4, voucher={"uses": 2})
    callers, before = Callers(shop, database, random.Random(seed), reward), await deadlocks(shop)
    for _ in range(3):
        for answer in await asyncio.gather(*(callers.anything() for _ in range(60))):
            if answer is not None and answer.status >= 400:
                assert answer.code in REFUSALS, answer.text
        await pass_time(owner, shop.program.id, timedelta(days=callers.chance.choice([1, 4, 8])))
    assert await deadlocks(shop) == before
