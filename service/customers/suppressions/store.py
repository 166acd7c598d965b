"""Suppressions' rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from asyncpg import Record

from service.customers.suppressions.rules import Suppression, SuppressionEnd, SuppressionReason
from service.platform.statements import Db, Write, load

_STATEMENTS = load(__file__)


async def read_open(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Suppression]:
    """Read the suppressions of records, by their internal ids, whose end isn't noted; their time may be over."""
    rows = await db.fetch(_STATEMENTS["suppression_open"].sql, program_id, customers)
    return [_suppression(row) for row in rows]


async def list_newest(db: Db, *, program_id: int, customer: int, before: UUID, limit: int) -> list[Suppression]:
    """Read up to `limit` suppressions of a record that hold, newest first, behind `before`."""
    rows = await db.fetch(_STATEMENTS["suppression_list"].sql, program_id, customer, before, limit)
    return [_suppression(row) for row in rows]


async def read_all(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Suppression]:
    """Read all suppressions of records, newest first, also those that ended."""
    rows = await db.fetch(_STATEMENTS["suppression_export"].sql, program_id, customers)
    return [_suppression(row) for row in rows]


async def read(db: Db, *, program_id: int, named: Sequence[tuple[int, UUID]]) -> list[Suppression]:
    """Read suppressions by their customers' internal ids and their own."""
    customers, ids = [customer for customer, _ in named], [its_id for _, its_id in named]
    rows = await db.fetch(_STATEMENTS["suppression_read"].sql, program_id, customers, ids)
    return [_suppression(row) for row in rows]


async def reasons(
    db: Db, *, program_id: int, customers: Sequence[int], now: datetime
) -> dict[int, list[SuppressionReason]]:
    """Read the reasons that hold for customers, by their internal ids; those without any are missing."""
    found = dict[int, list[SuppressionReason]]()
    for row in await db.fetch(_STATEMENTS["suppression_reasons"].sql, program_id, customers, now):
        found.setdefault(row["id"], []).append(SuppressionReason(row["reason"]))
    return found


def adding(program_id: int, suppressions: Sequence[Suppression]) -> Write:
    """Add suppressions that begin."""
    columns = (
        [each.customer_id for each in suppressions],
        [each.id for each in suppressions],
        [each.reason.value for each in suppressions],
        [each.until for each in suppressions],
        [each.reference for each in suppressions],
        [each.set_by for each in suppressions],
        [each.set_at for each in suppressions],
    )
    return Write(_STATEMENTS["suppression_insert"], (program_id, *columns), len(suppressions))


def ending(program_id: int, suppressions: Sequence[Suppression]) -> Write:
    """Note how suppressions ended. One whose end is noted already writes no row."""
    columns = (
        [each.customer_id for each in suppressions],
        [each.id for each in suppressions],
        [each.ended_at for each in suppressions],
        [None if each.ended_as is None else each.ended_as.value for each in suppressions],
        [each.lifted_by for each in suppressions],
    )
    return Write(_STATEMENTS["suppression_end"], (program_id, *columns), len(suppressions))


async def forget(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Empty the references of records' suppressions."""
    await db.execute(_STATEMENTS["suppression_forget"].sql, program_id, customers)


def _suppression(row: Record) -> Suppression:
    until, ended_as = row["until"], row["ended_as"]
    return Suppression(
        id=row["id"],
        customer_id=row["customer_id"],
        reason=SuppressionReason(row["reason"]),
        until=None if until is None else until.replace(tzinfo=UTC),  # the last moment is read without a zone
        reference=row["reference"],
        set_by=row["set_by"],
        set_at=row["set_at"],
        ended_at=row["ended_at"],
        ended_as=None if ended_as is None else SuppressionEnd(ended_as),
        lifted_by=row["lifted_by"],
    )
