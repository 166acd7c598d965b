"""All that can happen to surprises, many at once, by chance: budgets and limits hold, and no call fails."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from service.events import sequencing
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from service.surprises.had import read_had
from tests import jobs
from tests.conftest import NewShop, prove
from tests.shop import Answer, Shop, purchase, unique
from tests.surprises import NOTHING, SWEET, started

NAMES = [f"c-{number}" for number in range(12)]
ROUNDS, AT_ONCE = 20, 8
TICKET = {
    "name": "A ticket",
    "gives": {"kind": "event_ticket", "event": "Opera"},
    "points": 1000,
    "status": "active",
    "stock": 6,
}


@dataclass
class Callers:
    """Those who call at once."""

    shop: Shop
    chance: random.Random
    campaigns: dict[str, str] = field(default_factory=dict[str, str])
    orders: list[str] = field(default_factory=list[str])

    def anybody(self) -> str:
        """Name a customer."""
        return self.chance.choice(NAMES)

    def entry(self) -> dict[str, Any]:
        """Make a purchase of now."""
        order = unique("order")
        self.orders.append(order)
        now = datetime.now(UTC).isoformat()
        return purchase(id=order, customer_id=self.anybody(), total=5000, occurred_at=now)

    async def buys(self) -> Answer:
        """Buy something."""
        answer = await self.shop.post("/v1/purchases", self.entry())
        assert answer.status == 201, answer.text
        return answer

    async def buys_in_bulk(self) -> Answer:
        """Report purchases of several."""
        answer = await self.shop.post("/v1/purchases/batch", {"purchases": [self.entry() for _ in range(5)]})
        assert {each["status"] for each in answer.body["results"]} == {201}, answer.text
        return answer

    async def returns(self) -> Answer:
        """Give something back."""
        body = {"id": unique("refund"), "amount": self.chance.choice([1000, 5000])}
        return await self.shop.post(f"/v1/purchases/{self.chance.choice(self.orders or ['none'])}/refunds", body)

    async def plays(self) -> Answer:
        """Play one of the games."""
        game = self.campaigns[self.chance.choice(["wheel", "door"])]
        body = {"customer_id": self.anybody()}
        return await self.shop.post(f"/v1/campaigns/{game}/plays", body, Idempotency_Key=unique("key"))

    async def grants(self) -> Answer:
        """Grant a play."""
        path, body = f"/v1/campaigns/{self.campaigns['door']}/play-grants", {"customer_id": self.anybody(), "plays": 1}
        return await self.shop.post(path, body, Role.MARKETER, Idempotency_Key=unique("key"))

    async def lists(self) -> Answer:
        """Put somebody on the list."""
        body = {"customer_ids": [self.anybody(), self.anybody()]}
        return await self.shop.post(f"/v1/campaigns/{self.campaigns['list']}/customers", body, Role.MARKETER)

    async def suppresses(self) -> Answer:
        """Suppress somebody, or lift that."""
        path = f"/v1/customers/{self.anybody()}/suppressions"
        if self.chance.random() < 0.5:
            return await self.shop.post(path, {"reason": "open_case"}, Role.SUPPORT)
        return await self.shop.call("DELETE", f"{path}/open_case", role=Role.SUPPORT)

    async def edits(self) -> Answer:
        """Give a campaign more or less stock."""
        stock = self.chance.choice([5, 20, 60])
        prizes = [SWEET | {"stock": stock}, NOTHING]
        return await self.shop.call(
            "PATCH", f"/v1/campaigns/{self.campaigns['sweet']}", {"prizes": prizes}, role=Role.MARKETER
        )

    async def moves(self) -> Answer:
        """Pause a campaign, or let it go on."""
        its_id = self.chance.choice([*self.campaigns.values()])
        verb = self.chance.choice(["pause", "activate", "activate"])
        return await self.shop.post(f"/v1/campaigns/{its_id}/{verb}", {}, Role.MARKETER)

    async def merges(self) -> Answer:
        """Let two records become one."""
        path, into = f"/v1/customers/{self.anybody()}/merge", {"into": self.anybody()}
        return await self.shop.post(path, into, Role.ADMIN, Idempotency_Key=unique("key"))

    async def erases(self) -> Answer:
        """Erase somebody."""
        return await self.shop.call("DELETE", f"/v1/customers/{self.anybody()}", role=Role.ADMIN)

    async def does_something(self) -> None:
        """Make one call: whatever is refused, nothing fails."""
        often: list[Callable[[], Awaitable[Answer]]] = [self.buys, self.buys, self.plays, self.returns, self.grants]
        seldom = [self.buys_in_bulk, self.lists, self.suppresses, self.edits, self.moves, self.merges]
        answer = await self.chance.choice([*often, *often, *seldom, *seldom, self.erases])()
        assert answer.status in {200, 201, 204, 404, 409, 410, 422}, answer.text


async def begun(shop: Shop, chance: random.Random) -> dict[str, str]:
    """Start a campaign of each kind that can meet the others."""
    made = await shop.post("/v1/rewards", TICKET, Role.MARKETER)
    ticket = {"id": "ticket", "gift": {"kind": "reward", "reward_id": made.body["id"]}, "stock": 8, "cost": 900}
    small = {"id": "small", "gift": {"kind": "points", "points": 7}, "cost": 3}
    often = {"gifts_per_customer": None}
    half = chance.choice([0, 5000])
    return {
        "sweet": await started(shop, prizes=[SWEET | {"stock": 20}, NOTHING], gifts_per_customer=3, holdout=half),
        "budget": await started(shop, prizes=[SWEET, small], budget={"points": 400, "cost": 100}, **often),
        "ticket": await started(shop, prizes=[ticket, NOTHING], **often),
        "second": await started(
            shop,
            trigger={"kind": "after", "fact": "purchase", "minutes": 1},
            prizes=[SWEET | {"stock": 40}, ticket | {"stock": 4}],
            **often,
        ),
        "list": await started(shop, trigger={"kind": "list"}, prizes=[SWEET | {"stock": 5}]),
        "wheel": await started(
            shop,
            trigger={"kind": "play", "points": 5, "per_day": None},
            prizes=[small | {"stock": 30}, NOTHING],
            **often,
        ),
        "door": await started(
            shop,
            trigger={"kind": "play", "granted": True, "per_day": 2},
            prizes=[small | {"stock": 10}, ticket | {"stock": 3}, NOTHING],
            **often,
        ),
    }


_TAKEN = """
SELECT s.campaign_id, s.resource, sum(s.taken)::bigint AS taken, sum(s.cap)::bigint AS cap,
    (
        SELECT coalesce(sum(CASE s.resource WHEN 'points' THEN g.points WHEN 'cost' THEN g.cost
            ELSE (s.resource = 'prize:' || g.prize)::integer END), 0)::bigint
        FROM surprise AS g
        WHERE g.program_id = s.program_id AND g.campaign_id = s.campaign_id AND g.state IN ('waiting', 'revealed')
    ) AS given
FROM campaign_slice AS s
WHERE s.program_id = $1
GROUP BY s.program_id, s.campaign_id, s.resource
"""
_HAD = "SELECT id, surprises FROM customer WHERE program_id = $1 AND merged_into IS NULL AND external_id IS NOT NULL"
_GIFTS = """
SELECT coalesce(c.merged_into, c.id) AS owner, g.campaign_id, count(*) AS gifts
FROM surprise AS g INNER JOIN customer AS c ON g.program_id = c.program_id AND g.customer_id = c.id
WHERE g.program_id = $1 AND (g.state IN ('waiting', 'revealed', 'taken_back') OR g.reason = 'returned')
GROUP BY 1, 2
"""
"""What was taken back with a purchase goes on counting for its customer."""
_SIDES = "SELECT campaign_id, customer_id, held_out FROM campaign_enrolment WHERE program_id = $1"


async def check(db: Db, program_id: int) -> None:
    """Prove that what is taken is what was given, and that customers' rows say what they had."""
    for row in await db.fetch(_TAKEN, program_id):
        assert row["taken"] == row["given"] <= row["cap"], dict(row)
    had = {row["id"]: read_had(row["surprises"]) for row in await db.fetch(_HAD, program_id)}
    counted = {(its, each): of.gifts for its, every in had.items() for each, of in every.campaigns.items() if of.gifts}
    given = {(row["owner"], row["campaign_id"].hex): row["gifts"] for row in await db.fetch(_GIFTS, program_id)}
    assert counted == {key: gifts for key, gifts in given.items() if key[0] in had}
    sides = {
        (row["customer_id"], row["campaign_id"].hex): 1 + row["held_out"] for row in await db.fetch(_SIDES, program_id)
    }
    known = {(its, each): int(of.arm) for its, every in had.items() for each, of in every.campaigns.items() if of.arm}
    known |= {(its, "0" * 32): int(every.arm) for its, every in had.items() if every.arm}
    assert known == {key: side for key, side in sides.items() if key[0] in had}


@pytest.mark.parametrize("seed", [3, 5])
async def test_whatever_happens_budgets_and_limits_hold_and_no_call_fails(
    new_shop: NewShop, database: Database, owner: Db, seed: int
) -> None:
    chance = random.Random(seed)
    shop = await new_shop(
        debt_limit=chance.choice([None, 100]),
        surprises={"per_year": None, "holdout": chance.choice([0, 2000])},
    )
    callers = Callers(shop, chance)
    callers.campaigns = await begun(shop, chance)

    async def job() -> None:
        with suppress(TimeoutError):  # it is stopped amid what it does
            async with asyncio.timeout(chance.choice([0.02, 0.1, 60])):
                await sequencing.move_all(database)
                await jobs.surprise(database)

    for _ in range(ROUNDS):
        working = [job(), job()] if chance.random() < 0.5 else []
        await owner.execute(_HURRY, shop.program.id)
        await asyncio.gather(*(callers.does_something() for _ in range(AT_ONCE)), *working)
    await job()
    await check(owner, shop.program.id)
    gifts = await owner.fetch("SELECT state FROM surprise WHERE program_id = $1", shop.program.id)
    assert gifts
    await prove(database)


_HURRY = """
UPDATE surprise SET reveal_at = clock_timestamp() - interval '1 second' WHERE program_id = $1 AND state = 'waiting'
"""
