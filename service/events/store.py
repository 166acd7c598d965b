"""Rows of the feed. Events are added to it and never changed."""

from collections.abc import Sequence

from asyncpg import Record

from service.events.rules import Placed
from service.platform.statements import Db, load

_STATEMENTS = load(__file__)


async def programs_waiting(db: Db) -> list[int]:
    """Read which programs have events without a place."""
    return [row["program_id"] for row in await db.fetch(_STATEMENTS["programs_waiting"].sql)]


async def move(db: Db, *, program_id: int, count: int) -> int:
    """Give up to `count` events of a program their places; returns how many. None while somebody else does."""
    return await db.fetchval(_STATEMENTS["feed_move"].sql, program_id, count) or 0


async def open_feed(db: Db, *, program_id: int) -> None:
    """Make a program's feed, where there is none yet."""
    await db.execute(_STATEMENTS["feed_open"].sql, program_id)


async def list_events(
    db: Db, *, program_id: int, after: int, through: int, types: Sequence[str] | None, limit: int
) -> list[Placed]:
    """Read events behind one place and up to another, the oldest first: all, or those of some types."""
    rows = await db.fetch(_STATEMENTS["event_list"].sql, program_id, after, through, types, limit)
    return [_placed(row) for row in rows]


async def read_events(db: Db, *, program_id: int, positions: Sequence[int]) -> list[Placed]:
    """Read the events at places, the oldest first."""
    return [_placed(row) for row in await db.fetch(_STATEMENTS["event_read"].sql, program_id, positions)]


async def positions(db: Db, *, program_ids: Sequence[int]) -> dict[int, int]:
    """Read the last places of programs; 0 for one without events."""
    rows = await db.fetch(_STATEMENTS["feed_positions"].sql, program_ids)
    return dict.fromkeys(program_ids, 0) | {row["program_id"]: row["position"] for row in rows}


async def all_positions(db: Db) -> dict[int, int]:
    """Read the last places of all programs that have events."""
    return {row["program_id"]: row["position"] for row in await db.fetch(_STATEMENTS["feed_list"].sql)}


async def types_between(db: Db, *, program_id: int, after: int, through: int) -> dict[str, int]:
    """Read of what types events are behind one place and up to another, and the last place of each."""
    rows = await db.fetch(_STATEMENTS["event_types"].sql, program_id, after, through)
    return {row["type"]: row["position"] for row in rows}


async def lag(db: Db) -> tuple[int, float]:
    """Read how many events wait for their place, and for how many seconds the oldest has."""
    row = await db.fetchrow(_STATEMENTS["feed_lag"].sql)
    assert row is not None  # noqa: S101 - an aggregate has a row
    return row["waiting"], row["seconds"]


def _placed(row: Record) -> Placed:
    return Placed(*row)
