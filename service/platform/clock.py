"""The database's time: no decision rests on another clock."""

from datetime import datetime
from typing import Final

from service.platform.statements import Db, load

_TIME: Final = load(__file__)["time_read"].sql


async def database_time(db: Db) -> datetime:
    """Tell the database's time now, also within a transaction that began before."""
    now: datetime = await db.fetchval(_TIME)
    return now
