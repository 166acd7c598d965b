"""Rows of the ledger. Transfers are added and never changed; the database role can't do otherwise."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.platform.statements import Db, Write, load
from service.points.rules import Cause, Lot, Transfer

_STATEMENTS = load(__file__)


class Booked(msgspec.Struct, frozen=True):
    """A transfer as it stands in the ledger."""

    id: UUID
    reason: str
    source: str
    target: str
    points: int
    cause: Cause
    after: Balance
    occurred_at: datetime
    recorded_at: datetime


def transferring(program_id: int, transfers: Sequence[Transfer], recorded_at: datetime) -> Write:
    """Add transfers to the ledger."""
    rows = [
        (
            transfer.customer_id,
            transfer.id,
            transfer.source.value,
            transfer.target.value,
            transfer.points,
            transfer.reason,
            transfer.cause.type,
            transfer.cause.id,
            transfer.rule,
            transfer.rule_version,
            transfer.version,
            transfer.after.available,
            transfer.after.pending,
            transfer.after.held,
            transfer.after.debt,
            transfer.occurred_at,
        )
        for transfer in transfers
    ]
    return Write(_STATEMENTS["transfer_insert"], (program_id, recorded_at, rows), len(rows))


def granting(program_id: int, lots: Sequence[Lot]) -> Write:
    """Add lots."""
    rows = [
        (
            lot.customer_id,
            lot.id,
            lot.granted,
            lot.remaining,
            lot.available_at,
            lot.expires_at,
            lot.cause.type,
            lot.cause.id,
        )
        for lot in lots
    ]
    return Write(_STATEMENTS["lot_insert"], (program_id, rows), len(rows))


async def list_transfers(db: Db, *, program_id: int, customer_id: int, before: UUID, limit: int) -> list[Booked]:
    """Read up to `limit` transfers of a customer with an id below `before`, newest first."""
    rows = await db.fetch(_STATEMENTS["transfer_list"].sql, program_id, customer_id, before, limit)
    return [
        Booked(row[0], row[1], row[2], row[3], row[4], Cause(row[5], row[6]), Balance(*row[7:11]), row[11], row[12])
        for row in rows
    ]


async def list_lots(db: Db, *, program_id: int, customer_id: int, before: UUID, limit: int) -> list[Lot]:
    """Read up to `limit` lots of a customer that have something left, with an id below `before`, newest first."""
    rows = await db.fetch(_STATEMENTS["lot_list"].sql, program_id, customer_id, before, limit)
    return [
        # The driver reads 'infinity' as a time without a zone.
        Lot(row[0], customer_id, row[1], row[2], row[3], row[4].replace(tzinfo=UTC), Cause(row[5], row[6]))
        for row in rows
    ]
