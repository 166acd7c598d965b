"""Limits of all kinds at once, in some time zone, with facts that come in any order: what is given is what they allow.

Purchases alone and in bulk calls, activities, refunds, two merges, at once and over months that are told late. A plain
model counts by local days; behind the file the books are proved, and all that was counted for tiers is counted again.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from service.platform.database import Database
from service.platform.statements import Db
from tests.activities import declare, report
from tests.concurrency.office import merge
from tests.conftest import NewShop
from tests.jobs import settle_tiers
from tests.rulebook import set_rule
from tests.shop import Shop, purchase, unique
from tests.tiers import set_tiers

ZONES: Final = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
BEGINS: Final[dict[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "quarter": lambda day: date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
    "year": lambda day: date(day.year, 1, 1),
    "life": lambda _: date.min,
}
GIVES: Final = 30
NAMES: Final = ("a", "b", "c")
Key = tuple[str | None, date]


class Fate:
    """A shop with a rule for each kind of limit, and all that was reported to it."""

    def __init__(self, shop: Shop, zone: str, seed: int) -> None:
        self.shop = shop
        self.random = random.Random(seed)
        self._zone = ZoneInfo(zone)
        self._limits = {
            f"{every}-{scope}-{kind}": self.random.choice((45, 100, 1) if kind == "points" else (1, 2, 5))
            for every, scope, kind in product(BEGINS, ("customer", "all"), ("points", "times"))
        }
        self._purchases = list[tuple[str, datetime, dict[str, Any]]]()

    async def open(self) -> None:
        """Set the rules, one for visits, and tiers."""
        await declare(self.shop, once=True)
        for rule, most in self._limits.items():
            every, scope, kind = rule.split("-")
            limits = [{"every": every, "scope": scope, kind: most}]
            await set_rule(self.shop, rule, effect={"kind": "bonus", "points": GIVES}, limits=limits)
        await set_rule(self.shop, "visit", effect={"kind": "visit", "points": 7})
        await set_rule(self.shop, "answers", activity="survey", effect={"kind": "bonus", "points": 20})
        await set_tiers(self.shop, counts=["activities", "bonuses"], grace_days=self.random.choice((0, 20)))

    async def happen(self, times: int) -> None:
        """Let some things happen, many of them at once."""
        for _ in range(times):
            await asyncio.gather(*(self._one() for _ in range(self.random.choice((1, 6, 16)))))

    async def _one(self) -> None:
        what = self.random.random()
        if what < 0.5:
            bought = self._bought()
            answer = await self.shop.post("/v1/purchases", purchase(**bought))
            self._note(bought, answer.status, answer.body)
        elif what < 0.65:
            some = [self._bought() for _ in range(self.random.randrange(1, 8))]
            answer = await self.shop.post("/v1/purchases/batch", {"purchases": [purchase(**each) for each in some]})
            for bought, entry in zip(some, answer.body["results"], strict=True):
                self._note(bought, entry["status"], entry["purchase"])
        elif what < 0.85 or not self._purchases:
            told = {name: value for name, value in self._bought().items() if name != "total"}
            assert (await report(self.shop, **told)).status == 201
        else:
            refunded = self.random.choice(self._purchases)[2]["id"]
            body = {"id": unique("refund"), "amount": self.random.choice((0, 100, 500, 9_000))}
            assert (await self.shop.post(f"/v1/purchases/{refunded}/refunds", body)).status in {201, 422}

    def _bought(self) -> dict[str, Any]:
        days = self.random.choice((0, 0, 0, 1, 7, 33, 100, 200))
        at = datetime(2026, 3, 25, tzinfo=UTC) + timedelta(days=days, minutes=self.random.randrange(30 * 60))
        total = self.random.choice((0, 999, 50_000))
        return {"customer_id": self.random.choice(NAMES), "occurred_at": at.isoformat(), "total": total}

    def _note(self, bought: dict[str, Any], status: int, answer: dict[str, Any]) -> None:
        assert status == 201, answer
        self._purchases.append((bought["customer_id"], datetime.fromisoformat(bought["occurred_at"]), answer))

    def prove(self) -> None:
        """Compare what each rule gave in each period with what it may have given."""
        asked, given = Counter[tuple[str, Key]](), defaultdict[tuple[str, Key], list[int]](list)
        for customer, at, answer in self._purchases:
            day = at.astimezone(self._zone).date()
            lines = {line["rule"]: line["points"] for line in answer["points"]["lines"]}
            keys: dict[str, Key] = {"visit": (customer, day)}
            for rule in self._limits:
                every, scope, _ = rule.split("-")
                keys[rule] = (customer if scope == "customer" else None, BEGINS[every](day))
            for rule, key in keys.items():
                asked[rule, key] += 1
                given[rule, key] += [lines[rule]] if lines.get(rule) else []
        for (rule, key), times in asked.items():
            points = given[rule, key]
            if rule == "visit":
                assert points == [7], key
            elif rule.endswith("points"):
                assert sum(points) == min(self._limits[rule], GIVES * times), (rule, key)
            else:
                assert points == [GIVES] * min(self._limits[rule], times), (rule, key)


async def counted(owner: Db, shop: Shop) -> list[tuple[Any, ...]]:
    """Read the tiers of all customers, and what they rest on."""
    found = await owner.fetch(
        "SELECT external_id, tier, tier_state -> 'days' AS days, tier_state -> 'amounts' AS amounts FROM customer"
        " WHERE program_id = $1 AND merged_into IS NULL ORDER BY id",
        shop.program.id,
    )
    return [tuple(row) for row in found]


@pytest.mark.parametrize(("seed", "zone"), [*enumerate(ZONES)])
async def test_all_limits_hold_exactly_whatever_comes_in_whatever_order(
    new_shop: NewShop, database: Database, owner: Db, seed: int, zone: str
) -> None:
    shop = await new_shop(time_zone=zone)
    fate = Fate(shop, zone, seed)
    await fate.open()
    await fate.happen(10)
    fate.prove()
    for source, target in (("a", "b"), ("b", "c")):
        assert (await merge(shop, source, target)).status == 200
        await fate.happen(3)
    await settle_tiers(database)
    before = await counted(owner, shop)
    again = "UPDATE customer SET tier_state = tier_state - 'basis' WHERE program_id = $1 AND tier_state IS NOT NULL"
    await owner.execute(again, shop.program.id)
    await settle_tiers(database)
    assert await counted(owner, shop) == before
