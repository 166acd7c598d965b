"""Scheduled work of the platform itself."""

from datetime import timedelta
from typing import Final

import structlog

from service.platform.database import Database
from service.platform.queue import store as queue
from service.platform.queue.turn import Turn
from service.platform.statements import load

_STATEMENTS = load(__file__)
QUARTERS_AHEAD: Final = 2
COMMANDS_KEPT: Final = timedelta(days=30)
"""How long a command's key is known: the contract promises so much at least."""
QUEUE_LOG_KEPT: Final = timedelta(hours=1)
"""Nobody reads it, and each turn of a lane writes three rows: a busy webhook 3 kB a second."""
_KEYS_AT_ONCE: Final = 2000
_LOG_ROWS_AT_ONCE: Final = 5000
_log = structlog.get_logger()


async def make_partitions_ahead(database: Database) -> list[str]:
    """Make the partitions of this quarter and the next two, where they are missing. Safe to run at once by many."""
    async with database.connection() as db:
        rows = await db.fetch(_STATEMENTS["partitions_make"].sql, QUARTERS_AHEAD)
    made = [row["name"] for row in rows]
    _log.info("partitions_ahead", made=len(made))
    return made


async def forget_commands(database: Database, turn: Turn) -> bool:
    """Forget a program's commands that are older than they have to be known; tells whether all were looked at.

    It goes through all keys, some at a time: nobody waits for the rows of old commands, and the table has no index by
    time, which each command would have to write.
    """
    last: str | None = turn.place or ""
    while last is not None:
        async with database.connection() as db:
            row = await db.fetchrow(
                _STATEMENTS["commands_forget"].sql, turn.program_id, last, _KEYS_AT_ONCE, COMMANDS_KEPT
            )
        assert row is not None  # noqa: S101 - it always gives one row
        last = row["last_key"]
        if last is not None:
            await turn.save(last, row["forgotten"])
            if turn.is_over:
                return False
    return True


async def forget_queue_log(database: Database, turn: Turn) -> bool:
    """Take what is old out of the queue's own logs; tells whether all was. Safe to run at once by many."""
    while True:
        async with database.connection() as db:
            forgotten = await queue.forget_log(db, older_than=QUEUE_LOG_KEPT, count=_LOG_ROWS_AT_ONCE)
        await turn.save("", forgotten)
        if not forgotten:
            return True
        if turn.is_over:
            return False
