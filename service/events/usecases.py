"""What can be asked of the feed, and how events come into it."""

from collections.abc import Sequence

import msgspec

from service.events import store
from service.events.rules import Placed
from service.platform.statements import Db

MOVED_AT_ONCE = 1000
_LOOKED_THROUGH_AT_ONCE = 10_000
"""Among how many events those of some types are looked for in one call: it shall not take long."""


class Reading(msgspec.Struct, frozen=True):
    """Events of the feed, the oldest first; `last` is the place behind which to go on, `has_more` whether at once."""

    events: Sequence[Placed]
    last: int
    has_more: bool


async def sequence(db: Db, *, program_id: int) -> int:
    """Give the next thousand events of a program their places in the feed; returns how many. Commits by itself.

    Safe to run at once by many: one does it, the others do nothing.
    """
    moved = await store.move(db, program_id=program_id, count=MOVED_AT_ONCE)
    if not moved:
        await store.open_feed(db, program_id=program_id)
        moved = await store.move(db, program_id=program_id, count=MOVED_AT_ONCE)
    return moved


async def read(db: Db, *, program_id: int, after: int, limit: int, types: Sequence[str] | None = None) -> Reading:
    """Read up to `limit` events behind a place: all, or those of some types.

    Where it finds few it may have looked through a part of the feed only: `last` tells up to where.
    """
    head = (await store.positions(db, program_ids=[program_id]))[program_id]
    through = head if types is None else min(head, after + _LOOKED_THROUGH_AT_ONCE)
    found = await store.list_events(db, program_id=program_id, after=after, through=through, types=types, limit=limit)
    last = found[-1].position if len(found) == limit else max(after, through)
    return Reading(found, last, has_more=last < head)


async def read_at(db: Db, *, program_id: int, positions: Sequence[int]) -> list[Placed]:
    """Read the events at places, the oldest first."""
    return await store.read_events(db, program_id=program_id, positions=positions)


async def last_places(db: Db, *, program_ids: Sequence[int]) -> dict[int, int]:
    """Read the places of the newest events of programs; 0 where there are none."""
    return await store.positions(db, program_ids=program_ids)


async def all_last_places(db: Db) -> dict[int, int]:
    """Read the places of the newest events of all programs that have any."""
    return await store.all_positions(db)


async def types_between(db: Db, *, program_id: int, after: int, through: int) -> dict[str, int]:
    """Read of what types events are behind one place and up to another, and where the last of each is."""
    return await store.types_between(db, program_id=program_id, after=after, through=through)


async def lag(db: Db) -> tuple[int, float]:
    """Read how many events wait for their place, and for how many seconds the oldest has."""
    return await store.lag(db)
