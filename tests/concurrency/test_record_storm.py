"""Everything at once, by chance: the books hold, nobody is told of a fault, and nothing waits in a circle."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from service.points.jobs import settle_due
from tests.concurrency.office import deadlocks, entry, erase, merge
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import command, now

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
    "customer_erased", "customer_merged", "customer_unknown", "hold_not_open", "insufficient_points",
    "invalid_content", "not_found", "points_lapsed", "refund_exceeds_purchase",
}  # fmt: skip
"""What may be answered, where it comes too late."""


@dataclass
class Callers:
    """Those who call at once; each does by chance what tills and offices do."""

    shop: Shop
    database: Database
    chance: random.Random
    orders: list[str] = field(default_factory=lambda: ["unknown"])
    holds: list[str] = field(default_factory=lambda: ["hold_" + "0" * 32])

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
        return await command(self.shop, f"/v1/redemptions/{self.chance.choice(self.holds)}/{verb}")

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

    async def enrols(self) -> Answer:
        """Tell of somebody."""
        told = {"name": "Ann", "email": "ann@example.org", "attributes": {"a": 1}}
        return await self.shop.call("PUT", f"/v1/customers/{self.anybody()}", told)

    async def reads(self) -> Answer:
        """Read what is there of somebody."""
        what = self.chance.choice(["/balance", "/balance", "/lots", "/export", ""])
        return await self.shop.get(f"/v1/customers/{self.anybody()}{what}", Role.ADMIN)

    async def settles(self) -> None:
        """Let the job run."""
        await settle_due(self.database)

    def anything(self) -> Awaitable[Answer | None]:
        """Do one of all these, what is usual more often."""
        usual = [self.buys] * 8 + [self.returns] * 5 + [self.redeems] * 4 + [self.ends_a_hold] * 4 + [self.reads] * 4
        rare = [self.buys_in_bulk] * 2 + [self.confirms] * 2 + [self.merges] * 2 + [self.enrols] * 2 + [self.erases]
        kinds: list[Callable[[], Awaitable[Answer | None]]] = [*usual, *rare, self.settles]
        return self.chance.choice(kinds)()


@pytest.mark.parametrize("seed", range(len(POLICIES)))
async def test_whatever_meets_the_books_hold(new_shop: NewShop, database: Database, owner: Db, seed: int) -> None:
    shop = await new_shop(**POLICIES[seed])
    callers, before = Callers(shop, database, random.Random(seed)), await deadlocks(shop)
    for _ in range(3):
        for answer in await asyncio.gather(*(callers.anything() for _ in range(60))):
            if answer is not None and answer.status >= 400:
                assert answer.code in REFUSALS, answer.text
        await pass_time(owner, shop.program.id, timedelta(days=callers.chance.choice([1, 4, 8])))
    assert await deadlocks(shop) == before
