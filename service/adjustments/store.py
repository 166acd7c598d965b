"""Rows of adjustments. What was asked for never changes; what became of it does, once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from asyncpg import Record

from service.adjustments.rules import Adjustment, AdjustmentReason, AdjustmentStatus, Keyholder
from service.platform.statements import Db, Write, load

_STATEMENTS = load(__file__)


def adding(program_id: int, adjustment: Adjustment) -> Write:
    """Add an adjustment."""
    each, by = adjustment, adjustment.asked_by
    asked = (each.points, each.reason.value, each.note, each.expires_at)
    row = (each.id, each.customer_id, *asked, each.status.value, each.transfer_id, by.key_id, by.origin, each.asked_at)
    return Write(_STATEMENTS["adjustment_insert"], (program_id, *row), 1)


def deciding(program_id: int, adjustment: Adjustment) -> Write:
    """Write what was decided on an adjustment that waits. One that waits no more writes no row."""
    by = adjustment.decided_by
    decided = (None, None) if by is None else (by.key_id, by.origin)
    row = (program_id, adjustment.id, adjustment.status.value, adjustment.transfer_id, *decided, adjustment.decided_at)
    return Write(_STATEMENTS["adjustment_decide"], row, 1)


async def read_adjusted(db: Db, *, program_id: int, customer_ids: Sequence[int], origin: UUID, since: datetime) -> int:
    """Add up what keys of an origin gave to records and took since then, without a second key and without signs."""
    counted: int = await db.fetchval(_STATEMENTS["adjusted_read"].sql, program_id, customer_ids, origin, since)
    return counted


async def read(db: Db, *, program_id: int, adjustment_id: UUID) -> tuple[str | None, Adjustment] | None:
    """Read an adjustment, and the `customer_id` that it is of."""
    row = await db.fetchrow(_STATEMENTS["adjustment_read"].sql, program_id, adjustment_id)
    return None if row is None else (row["external_id"], _adjustment(row))


async def list_newest(
    db: Db,
    *,
    program_id: int,
    before: UUID,
    limit: int,
    status: AdjustmentStatus | None = None,
    customer_ids: Sequence[int] | None = None,
) -> list[tuple[str | None, Adjustment]]:
    """Read up to `limit` adjustments with an id below `before`, newest first: all, or of a status, or of records."""
    statement, filters = "adjustment_list", list[object]()
    if customer_ids is not None:
        statement, filters = "adjustment_list_of_customer", [None if status is None else status.value, customer_ids]
    elif status is not None:
        statement, filters = "adjustment_list_by_status", [status.value]
    rows = await db.fetch(_STATEMENTS[statement].sql, program_id, before, limit, *filters)
    return [(row["external_id"], _adjustment(row)) for row in rows]


async def forget(db: Db, *, program_id: int, customer_ids: Sequence[int], now: datetime) -> list[UUID]:
    """Empty the notes of records' adjustments and refuse those that wait; gives these."""
    rows = await db.fetch(_STATEMENTS["adjustment_forget"].sql, program_id, customer_ids, now)
    return [row["id"] for row in rows if row["was_waiting"]]


async def rehome(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let adjustments that wait of one customer be another's, by internal ids; both are locked."""
    await db.execute(_STATEMENTS["adjustment_rehome"].sql, program_id, source, target)


async def news_of(db: Db, *, program_id: int, adjustment_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of adjustments."""
    return await db.fetch(_STATEMENTS["adjustment_news"].sql, program_id, adjustment_ids)


def _adjustment(row: Record) -> Adjustment:
    ends_at, decided_by = row["expires_at"], row["decided_by"]
    return Adjustment(
        id=row["id"],
        customer_id=row["customer_id"],
        points=row["points"],
        reason=AdjustmentReason(row["reason"]),
        note=row["note"],
        expires_at=None if ends_at is None else ends_at.replace(tzinfo=UTC),
        asked_by=Keyholder(row["asked_by"], row["asked_origin"]),
        asked_at=row["asked_at"],
        status=AdjustmentStatus(row["status"]),
        transfer_id=row["transfer_id"],
        decided_by=None if decided_by is None else Keyholder(decided_by, row["decided_origin"]),
        decided_at=row["decided_at"],
    )
