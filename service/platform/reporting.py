"""Reports in a running process: one at a time, so that whoever asks for many keeps no connections from others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg

from service.kernel.errors import Unavailable
from service.platform.clock import database_time
from service.platform.database import Database
from service.platform.statements import Db

T = TypeVar("T")
_PATIENCE_SECONDS: Final = 12.0
"""Longer than one statement may take: the database ends it by itself then."""
_BEGINS_WITHIN: Final = 4.0
"""Seconds after which whoever waits for a turn, or for a database that says nothing, is told so."""
_SETTINGS: Final = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (
        "plan_cache_mode = force_custom_plan",
        "enable_seqscan = off",
        "enable_nestloop = off",
        "enable_hashjoin = on",
        "enable_mergejoin = on",
        "enable_bitmapscan = on",
        "max_parallel_workers_per_gather = 0",
        "work_mem = '32MB'",
    )
)


async def for_whole_programs(db: Db) -> None:
    """Set a transaction for statements that go through all that a program has of a time, on one core.

    They are planned for that program alone, and don't read what others have. A login behind a pooler brings settings
    for look-ups by key, by which a million rows would be looked up one by one.
    """
    await db.execute(_SETTINGS)


class Reporting:
    """Lets reports be made, each in one snapshot, which a replica can give as well."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()

    async def make(self, work: Callable[[Db], Awaitable[T]]) -> T:
        """Do the work in the snapshot of a transaction that is set for it. Raises Unavailable, and what it raises."""
        try:
            async with (
                asyncio.timeout(_BEGINS_WITHIN) as patience,
                self._turn,
                self._database.reading(_PATIENCE_SECONDS) as db,
                db.transaction(isolation="repeatable_read", readonly=True),
            ):
                await for_whole_programs(db)
                await database_time(db)  # the database answers: what is read from now on may take long
                patience.reschedule(asyncio.get_running_loop().time() + _PATIENCE_SECONDS)
                return await work(db)
        except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as fault:
            detail = "The report takes too long now. Ask later, or for fewer days."
            raise Unavailable(detail, retry_after=5) from fault
