"""All that can happen to referrals and to both sides, many at once, by chance: the books hold, and no call fails."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from tests import referrals
from tests.conftest import NewShop, prove
from tests.shop import Answer, Shop, purchase, unique

NAMES = [f"c-{number}" for number in range(16)]
ROUNDS, AT_ONCE = 20, 8
REWARD = {
    "name": "Ten euros off",
    "gives": {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
    "points": 100,
    "status": "active",
    "stock": 4,
}
LIMITS = [{"every": "life", "scope": "all", "times": 12}, {"every": "life", "times": 4}]
STEPS = [{"number": 1, "points": 100}, {"number": 2, "points": 30}]


@dataclass
class Callers:
    """Those who call at once."""

    shop: Shop
    chance: random.Random
    codes: list[str] = field(default_factory=list[str])
    orders: list[str] = field(default_factory=list[str])
    referrals: list[str] = field(default_factory=list[str])

    def anybody(self) -> str:
        """Name a customer."""
        return self.chance.choice(NAMES)

    def entry(self) -> dict[str, Any]:
        """Make a purchase with anybody's code."""
        order = unique("order")
        self.orders.append(order)
        code = {"referral_code": self.chance.choice(self.codes)} if self.codes else {}
        return purchase(id=order, customer_id=self.anybody(), total=5000, **code)

    def keep(self, body: dict[str, Any]) -> None:
        """Remember the referral that a purchase claimed."""
        told = body.get("referral")
        if told and "id" in told:
            self.referrals.append(told["id"])

    async def looks(self) -> Answer:
        """Ask for a code."""
        answer = await self.shop.get(f"/v1/customers/{self.anybody()}/referral")
        if answer.status == 200 and answer.body["code"]:
            self.codes.append(answer.body["code"])
        return answer

    async def enrols(self) -> Answer:
        """Enrol somebody."""
        return await self.shop.call("PUT", f"/v1/customers/{self.anybody()}", {})

    async def buys(self) -> Answer:
        """Buy with a code: that is booked, whatever becomes of the code."""
        answer = await self.shop.post("/v1/purchases", self.entry())
        assert answer.status == 201, answer.text
        self.keep(answer.body)
        return answer

    async def buys_in_bulk(self) -> Answer:
        """Report purchases of several, with several codes."""
        answer = await self.shop.post("/v1/purchases/batch", {"purchases": [self.entry() for _ in range(5)]})
        assert {each["status"] for each in answer.body["results"]} == {201}, answer.text
        return answer

    async def tries(self) -> Answer:
        """Report a purchase in a dry run."""
        return await self.shop.post("/v1/purchases?dry_run=true", self.entry())

    async def claims(self) -> Answer:
        """Claim somebody, or try."""
        code, dry = self.chance.choice(self.codes or ["none"]), self.chance.random() < 0.2
        body, key = {"code": code, "referee_id": self.anybody()}, unique("key")
        path = "/v1/referrals?dry_run=true" if dry else "/v1/referrals"
        answer = await self.shop.post(path, body, Idempotency_Key=key)
        if answer.status == 201 and not dry:
            self.referrals.append(answer.body["id"])
        return answer

    async def returns(self) -> Answer:
        """Give something back."""
        body = {"id": unique("refund"), "amount": self.chance.choice([1000, 5000])}
        return await self.shop.post(f"/v1/purchases/{self.chance.choice(self.orders or ['none'])}/refunds", body)

    async def spends(self) -> Answer:
        """Hold points, and mostly spend them."""
        body = {"customer_id": self.anybody(), "points": 300}
        held = await self.shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
        if held.status == 201 and self.chance.random() < 0.7:
            path = f"/v1/redemptions/{held.body['id']}/capture"
            return await self.shop.post(path, {}, Idempotency_Key=unique("key"))
        return held

    async def reviews(self) -> Answer:
        """Approve or refuse."""
        verb = self.chance.choice(["approve", "approve", "refuse"])
        path = f"/v1/referrals/{self.chance.choice(self.referrals or ['none'])}/{verb}"
        return await self.shop.post(path, {}, Role.MARKETER, Idempotency_Key=unique("key"))

    async def merges(self) -> Answer:
        """Let two records become one."""
        path, into = f"/v1/customers/{self.anybody()}/merge", {"into": self.anybody()}
        return await self.shop.post(path, into, Role.ADMIN, Idempotency_Key=unique("key"))

    async def erases(self) -> Answer:
        """Erase somebody."""
        return await self.shop.call("DELETE", f"/v1/customers/{self.anybody()}", role=Role.ADMIN)

    async def does_something(self) -> None:
        """Make one call: whatever is refused, nothing fails."""
        often: list[Callable[[], Awaitable[Answer]]] = [self.buys, self.buys, self.claims, self.returns]
        seldom = [self.buys_in_bulk, self.tries, self.spends, self.reviews, self.enrols, self.looks, self.merges]
        answer = await self.chance.choice([*often, *often, *seldom, *seldom, self.erases])()
        assert answer.status in {200, 201, 204, 404, 409, 410, 422}, answer.text


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_the_books_hold_and_no_call_fails(
    new_shop: NewShop, database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    shop = await new_shop(debt_limit=chance.choice([None, 100]))
    callers = Callers(shop, chance)
    made = await shop.post("/v1/rewards", REWARD, Role.MARKETER)
    prize = {"referee": {"kind": "reward", "reward_id": made.body["id"]}} if seed % 2 else {}
    asked = {"kind": "purchase", "number": 1 + seed % 2, "minimum": {"EUR": 2000}}
    await referrals.offer(shop, waiting_days=0, limits=LIMITS, steps=STEPS, qualification=asked, **prize)
    callers.codes += [await referrals.code_of(shop, each) for each in NAMES[:4]]

    async def job() -> None:
        with suppress(TimeoutError):  # it is stopped amid what it does
            async with asyncio.timeout(chance.choice([0.02, 0.1, 60])):
                await referrals.judge(shop, database, workers=2)

    for _ in range(ROUNDS):
        jobs = [job()] if chance.random() < 0.5 else []
        await asyncio.gather(*(callers.does_something() for _ in range(AT_ONCE)), *jobs)
    await referrals.judge(shop, database, workers=3)
    await prove(database)
