"""Rows of milestones, of what was announced, and of the places up to which feeds were looked through."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from service.platform.statements import Db, Write, load
from service.referrals.asks.rules import ReferralAsk

_STATEMENTS = load(__file__)


class Told(msgspec.Struct, frozen=True):
    """What an event says, by its id."""

    id: UUID
    milestone: str
    until: datetime


async def read(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, list[ReferralAsk]]:
    """Read the milestones of records, by their internal ids; those without any have none."""
    found: dict[int, list[ReferralAsk]] = {each: [] for each in customers}
    for row in await db.fetch(_STATEMENTS["ask_read"].sql, program_id, customers):
        found[row["customer_id"]].append(ReferralAsk(*row[1:]))
    return found


def adding(program_id: int, asks: Sequence[tuple[int, ReferralAsk]]) -> Write:
    """Add milestones of customers; one that is known writes no row."""
    columns = (
        [customer for customer, _ in asks],
        [each.milestone for _, each in asks],
        [each.reached_at for _, each in asks],
        [each.until for _, each in asks],
        [each.announced_at for _, each in asks],
        [each.asked_at for _, each in asks],
    )
    return Write(_STATEMENTS["ask_insert"], (program_id, *columns), len(asks))


def announced(program_id: int, asks: Sequence[tuple[int, str]], now: datetime) -> Write:
    """Note that milestones of customers are announced; one that was already writes no row."""
    columns = [customer for customer, _ in asks], [milestone for _, milestone in asks]
    return Write(_STATEMENTS["ask_announced"], (program_id, *columns, now), len(asks))


def asked(program_id: int, customer: int, milestone: str, now: datetime) -> Write:
    """Note that a customer was asked for a milestone."""
    return Write(_STATEMENTS["ask_asked"], (program_id, customer, milestone, now), 1)


async def remove(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Remove the milestones of records; they are locked."""
    await db.execute(_STATEMENTS["ask_delete"].sql, program_id, customers)


async def waiting(db: Db, *, program_id: int, after: int, count: int) -> list[int]:
    """Read up to `count` customers behind one, by internal ids, with milestones that are still to be announced."""
    return [row["customer_id"] for row in await db.fetch(_STATEMENTS["ask_waiting"].sql, program_id, after, count)]


async def programs_waiting(db: Db) -> list[int]:
    """Read the programs with milestones that are still to be announced."""
    return [row["program_id"] for row in await db.fetch(_STATEMENTS["programs_waiting"].sql)]


def telling(program_id: int, told: Sequence[Told]) -> Write:
    """Keep what events say."""
    columns = [each.id for each in told], [each.milestone for each in told], [each.until for each in told]
    return Write(_STATEMENTS["told_insert"], (program_id, *columns), len(told))


async def read_told(db: Db, *, program_id: int, ids: Sequence[UUID]) -> list[Told]:
    """Read what events say, by their ids."""
    return [Told(*row) for row in await db.fetch(_STATEMENTS["told_read"].sql, program_id, ids)]


async def with_closed_codes(db: Db, *, program_id: int, customers: Sequence[int]) -> set[int]:
    """Read which customers have no own code any more, since it was closed."""
    return {row["id"] for row in await db.fetch(_STATEMENTS["codes_closed"].sql, program_id, customers)}


async def seen(db: Db, *, program_id: int) -> int:
    """Read up to which place a program's feed was looked through; 0 at first."""
    return await db.fetchval(_STATEMENTS["seen_read"].sql, program_id) or 0


async def seen_of_all(db: Db, *, program_ids: Sequence[int]) -> Mapping[int, int]:
    """Read up to which places the feeds of programs were looked through; 0 at first."""
    rows = await db.fetch(_STATEMENTS["seen_list"].sql, program_ids)
    return dict.fromkeys(program_ids, 0) | {row["program_id"]: row["position"] for row in rows}


def going_on(program_id: int, before: int, after: int) -> Write:
    """Go on from one place to another; where somebody else went on from there it writes no row."""
    return Write(_STATEMENTS["seen_write"], (program_id, before, after), 1)
