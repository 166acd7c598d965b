"""What meets at customers' records: a merge or an erasure that stays open, and what happens between two statements."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from service.app import KEEPERS
from service.customers import records
from service.platform.roles import Role
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs.rules import Program
from tests.metrics.reading import scrape
from tests.shop import Answer, Shop, unique


@dataclass
class Office:
    """One connection on which records are merged and erased, in a transaction that stays open until the test says."""

    db: Db
    program: Program
    pid: int = field(init=False)

    def __post_init__(self) -> None:
        self.pid = self.db.get_server_pid()

    async def merge(self, customer_id: str, into: str) -> None:
        """Let a record go into another one. Raises what `records.merge` does."""
        await self.db.execute("BEGIN")
        await records.merge(
            self.db,
            program_id=self.program.id,
            customer_id=customer_id,
            into=into,
            keepers=KEEPERS,
            entropy=random.getrandbits(62),
        )

    async def erase(self, customer_id: str) -> None:
        """Erase a record. Raises what `records.erase` does."""
        await self.db.execute("BEGIN")
        await records.erase(
            self.db,
            program_id=self.program.id,
            customer_id=customer_id,
            keepers=KEEPERS,
            entropy=random.getrandbits(62),
        )

    async def end(self) -> None:
        """Commit."""
        await self.db.execute("COMMIT")


Result = TypeVar("Result")
Meanwhile = Callable[[], Awaitable[object]]


async def queue_behind(observer: Db, holding: int, count: int = 1) -> None:
    """Wait until so many others wait for one backend, directly or behind those who do."""
    async with asyncio.timeout(5):
        while await observer.fetchval(_WAITING, holding) < count:
            await asyncio.sleep(0.005)


_WAITING = """
WITH RECURSIVE waiting AS (
    SELECT $1::integer AS pid
    UNION
    SELECT a.pid FROM pg_stat_activity AS a INNER JOIN waiting AS w ON w.pid = ANY(pg_blocking_pids(a.pid))
)
SELECT count(*) - 1 FROM waiting
"""


class Interrupted:
    """A connection on which something else happens once, right behind the first statement that has certain words."""

    def __init__(self, db: Db, words: str, meanwhile: list[Meanwhile]) -> None:
        self._db = db
        self._words = words
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        """Give what the connection has; behind what reads or writes comes what happens meanwhile."""
        found = getattr(self._db, name)
        if name not in {"fetch", "fetchrow", "fetchval", "execute"}:
            return found

        async def and_then(sql: str, *arguments: object) -> object:
            result = await found(sql, *arguments)
            if self._words in sql and self._meanwhile:
                await self._meanwhile.pop()()
            return result

        return and_then


async def interrupted(shop: Shop, work: Callable[[Db], Awaitable[Result]], words: str, meanwhile: Meanwhile) -> Result:
    """Run work in a transaction; right behind its first statement with these words, something else happens, once."""
    assert shop.database is not None
    once = [meanwhile]
    done = await transact(
        shop.database.connection, lambda db: work(cast("Db", Interrupted(db, words, once))), patience=10
    )
    assert once == [], "no statement had these words"
    return done


async def outside(shop: Shop, work: Callable[[Db], Awaitable[Result]], words: str, meanwhile: Meanwhile) -> Result:
    """Run work as `interrupted` does, outside a transaction: to read, or to write at once."""
    assert shop.database is not None
    once = [meanwhile]
    async with shop.database.connection() as db:
        done = await work(cast("Db", Interrupted(db, words, once)))
    assert once == [], "no statement had these words"
    return done


async def merge(shop: Shop, customer_id: str, into: str) -> Answer:
    """Call for a merge, with a key of its own."""
    return await shop.post(
        f"/v1/customers/{customer_id}/merge", {"into": into}, Role.ADMIN, Idempotency_Key=unique("key")
    )


async def erase(shop: Shop, customer_id: str) -> Answer:
    """Call for an erasure."""
    return await shop.call("DELETE", f"/v1/customers/{customer_id}", role=Role.ADMIN)


async def deadlocks(shop: Shop) -> float:
    """Count the transactions that a deadlock ended so far."""
    numbers = await scrape(shop.client, shop.address)
    return numbers.value("loyalty_transactions_begun_again_total", reason="DeadlockDetectedError")


def entry(customer_id: str) -> dict[str, object]:
    """Make a purchase of ten points, as an entry of a bulk call."""
    return {
        "id": unique("order"),
        "customer_id": customer_id,
        "currency": "EUR",
        "total": 1_000,
        "occurred_at": "2026-01-02T10:00:00Z",
    }
