"""Rows of tiers' changes and notices, and of what was brought along. They are added and never changed."""

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

import msgspec
from asyncpg import Record

from service.platform.statements import Db, Write, load
from service.programs.tier_policy import QualifyBy
from service.tiers.bringing import BroughtAlong, FormerCount, FormerTier
from service.tiers.climbing import Climbing
from service.tiers.history import TierHistory, history
from service.tiers.rules import Ladder, Reason, TierChange

_STATEMENTS = load(__file__)
_decode_counted = msgspec.json.Decoder(tuple[FormerCount, ...]).decode


def writing(climbing: Climbing) -> list[Write]:
    """Write the changes and notices of a booking, and what was brought along."""
    program_id, now = climbing.program.id, climbing.now
    changes = [
        (customer, its_id, each.before, each.after, each.reason.value, each.at)
        for customer, its_id, each in climbing.changes
    ]
    brought = [(customer, its_id, *_brought_row(each)) for customer, its_id, each in climbing.brought]
    notices = [(customer, its_id, each.tier, each.after, each.ends_at) for customer, its_id, each in climbing.notices]
    return [
        Write(_STATEMENTS["tier_change_insert"], (program_id, now, changes), len(changes)),
        Write(_STATEMENTS["tier_notice_insert"], (program_id, now, notices), len(notices)),
        Write(_STATEMENTS["brought_tier_insert"], (program_id, now, brought), len(brought)),
    ]


async def read_due(
    db: Db, *, program_id: int, ladder: Ladder | None, after: int, count: int
) -> tuple[int | None, list[tuple[int, str]]]:
    """Look at the next customers behind an internal id; give the last, None at the end, and whose tier is due.

    Those are given in the order of their internal ids, each with the caller's own.
    """
    basis, key = (None, None) if ladder is None else (ladder.basis, ladder.key)
    row = await db.fetchrow(_STATEMENTS["tier_due_list"].sql, program_id, after, basis, key, count)
    assert row is not None  # noqa: S101 - it always gives one row
    return row["last_id"], list(zip(row["due_ids"], row["due"], strict=True))


async def brought_of(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, list[BroughtAlong]]:
    """Read what customers brought along, by their internal ids; those who brought nothing are missing."""
    found = dict[int, list[BroughtAlong]]()
    for row in await db.fetch(_STATEMENTS["brought_tier_list"].sql, program_id, customers):
        found.setdefault(row["owner_id"], []).append(_brought(row))
    return found


def _brought_row(along: BroughtAlong) -> tuple[object, ...]:
    former = (None, None, None) if along.tier is None else msgspec.structs.astuple(along.tier)
    return *former, msgspec.json.encode(along.counted).decode(), along.qualify_by.value, along.currency


def _brought(row: Record) -> BroughtAlong:
    former, until = None, row["until"]
    if row["tier"] is not None:
        # The driver reads 'infinity' as a time without a zone.
        former = FormerTier(row["tier"], row["since"], None if until is None else until.replace(tzinfo=UTC))
    return BroughtAlong(former, _decode_counted(row["counted"]), QualifyBy(row["qualify_by"]), row["currency"])


async def changes_of(db: Db, *, program_id: int, customers: Sequence[int]) -> list[TierChange]:
    """Read the changes of customers by their internal ids, newest first."""
    rows = await db.fetch(_STATEMENTS["tier_change_list"].sql, program_id, customers)
    return [TierChange(row["from_tier"], row["to_tier"], row["occurred_at"], Reason(row["reason"])) for row in rows]


async def histories(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, TierHistory]:
    """Read which tiers customers had when, by their internal ids; those without any change are missing."""
    found = dict[int, list[tuple[UUID, TierChange]]]()
    for row in await db.fetch(_STATEMENTS["tier_history"].sql, program_id, customers):
        change = TierChange(row["from_tier"], row["to_tier"], row["occurred_at"], Reason(row["reason"]))
        found.setdefault(row["customer_id"], []).append((row["id"], change))
    return {customer: history(changes) for customer, changes in found.items()}


async def news_of_changes(db: Db, *, program_id: int, named: Sequence[tuple[int, UUID]]) -> list[Record]:
    """Read what is told of changes, by their customers' internal ids and their own."""
    return await db.fetch(_STATEMENTS["tier_change_news"].sql, program_id, *_columns(named))


async def news_of_notices(db: Db, *, program_id: int, named: Sequence[tuple[int, UUID]]) -> list[Record]:
    """Read what is told of notices, likewise."""
    return await db.fetch(_STATEMENTS["tier_notice_news"].sql, program_id, *_columns(named))


def _columns(named: Sequence[tuple[int, UUID]]) -> tuple[list[int], list[UUID]]:
    return [customer for customer, _ in named], [its_id for _, its_id in named]
