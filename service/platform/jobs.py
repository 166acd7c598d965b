"""Scheduled work of the platform itself."""

from typing import Final

import structlog

from service.platform.database import Database
from service.platform.statements import load

_STATEMENTS = load(__file__)
QUARTERS_AHEAD: Final = 2
_log = structlog.get_logger()


async def make_partitions_ahead(database: Database) -> list[str]:
    """Make the partitions of this quarter and the next two, where they are missing. Safe to run at once by many."""
    async with database.connection() as db:
        rows = await db.fetch(_STATEMENTS["partitions_make"].sql, QUARTERS_AHEAD)
    made = [row["name"] for row in rows]
    _log.info("partitions_ahead", made=len(made))
    return made
