"""Rows of the ledger. Transfers are added and never changed; the database role can't do otherwise."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.rules import Balance
from service.platform.statements import Db, Write, load
from service.points.account import Account
from service.points.rules import Bucket, Cause, Hold, HoldStatus, Lot, Notice, Part, Transfer

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


class Found(msgspec.Struct, frozen=True):
    """A transfer that was looked for by its id, whose it is, and what it names: its rule, the transfer it reverses."""

    booked: Booked
    customer: int
    rule: str | None
    rule_version: int | None
    reverses: UUID | None


def writing(program_id: int, accounts: Sequence[Account], recorded_at: datetime) -> list[Write]:
    """Write what movements of accounts left: transfers, lots, what was taken from which lot, holds, notices."""
    holds = [(account, hold) for account in accounts for hold in account.begun_holds.values()]
    ended = [(account, hold) for account in accounts for hold in account.changed_holds.values()]
    return [
        _transferring(program_id, [each for account in accounts for each in account.transfers], recorded_at),
        _lots(program_id, "lot_insert", [lot for account in accounts for lot in account.granted.values()]),
        _lots(program_id, "lot_update", [lot for account in accounts for lot in account.changed_lots.values()]),
        _entering(program_id, accounts),
        _holds(program_id, "hold_insert", [hold for _, hold in holds]),
        _parts(program_id, "part_insert", [hold for _, hold in holds]),
        _holds(program_id, "hold_update", [hold for _, hold in ended]),
        _parts(program_id, "part_update", [hold for _, hold in ended]),
        _telling(program_id, accounts, recorded_at),
    ]


def _transferring(program_id: int, transfers: Sequence[Transfer], recorded_at: datetime) -> Write:
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
            transfer.reverses,
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


def _lots(program_id: int, statement: str, lots: Sequence[Lot]) -> Write:
    rows = [
        (
            lot.customer_id,
            lot.id,
            lot.granted,
            lot.remaining,
            lot.expired,
            lot.available_at,
            lot.expires_at,
            lot.is_pending,
            lot.lapses,
            lot.slides,
            lot.needs_notice,
            lot.notify_at,
            lot.cause.type,
            lot.cause.id,
        )
        for lot in lots
    ]
    return Write(_STATEMENTS[statement], (program_id, rows), len(rows))


def _entering(program_id: int, accounts: Sequence[Account]) -> Write:
    rows = [
        (account.customer.id, entry.lot_id, entry.transfer_id, entry.points)
        for account in accounts
        for entry in account.entries
    ]
    return Write(_STATEMENTS["entry_insert"], (program_id, rows), len(rows))


def _telling(program_id: int, accounts: Sequence[Account], told_at: datetime) -> Write:
    rows = [
        (account.customer.id, notice.id, notice.points, notice.ends_at)
        for account in accounts
        for notice in account.notices
    ]
    return Write(_STATEMENTS["notice_insert"], (program_id, told_at, rows), len(rows))


def _holds(program_id: int, statement: str, holds: Sequence[Hold]) -> Write:
    rows = [
        (
            hold.customer_id,
            hold.id,
            hold.status.value,
            hold.points,
            hold.captured,
            hold.order_id,
            hold.expires_at,
            hold.recorded_at,
            hold.ended_at,
        )
        for hold in holds
    ]
    return Write(_STATEMENTS[statement], (program_id, rows), len(rows))


def _parts(program_id: int, statement: str, holds: Sequence[Hold]) -> Write:
    rows = [
        (hold.customer_id, hold.id, part.lot_id, part.points, part.captured, part.restored)
        for hold in holds
        for part in hold.parts
    ]
    return Write(_STATEMENTS[statement], (program_id, rows), len(rows))


async def read_lots(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Lot]:
    """Read the lots that can still change, of customers by their internal ids."""
    return [_lot(row) for row in await db.fetch(_STATEMENTS["lots_of"].sql, program_id, customers)]


async def read_holds(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Hold]:
    """Read the open holds of customers by their internal ids."""
    rows = await db.fetch(_STATEMENTS["holds_of"].sql, program_id, customers)
    found = list[Hold]()
    for _, parts in groupby(rows, key=lambda row: row["id"]):
        of = list(parts)
        row = of[0]
        taken = tuple(Part(part["lot_id"], part["part_points"]) for part in of)
        found.append(Hold(row[0], row[1], row[2], taken, row[3], row[4], row[5]))
    return found


async def read_due(db: Db, *, program_id: int, after: int, count: int) -> tuple[int | None, list[tuple[int, str]]]:
    """Look at the next customers behind an internal id; give the last, None at the end, and who has something due.

    Those are given in the order of their internal ids, each with the caller's own.
    """
    row = await db.fetchrow(_STATEMENTS["due_list"].sql, program_id, after, count)
    assert row is not None  # noqa: S101 - it always gives one row
    return row["last_id"], list(zip(row["due_ids"], row["due"], strict=True))


async def read_lots_by_id(db: Db, *, program_id: int, customer_id: int, lot_ids: Sequence[UUID]) -> list[Lot]:
    """Read lots of a customer, whatever is left of them; the unknown ones are missing."""
    return [_lot(row) for row in await db.fetch(_STATEMENTS["lots_by_id"].sql, program_id, customer_id, lot_ids)]


async def read_captured(db: Db, *, program_id: int, customer_id: int, order_id: str) -> list[Hold]:
    """Read the captured redemptions of an order by a customer, the oldest first."""
    rows = await db.fetch(_STATEMENTS["captured_of_order"].sql, program_id, order_id, customer_id)
    found = list[Hold]()
    for _, parts in groupby(rows, key=lambda row: row["id"]):
        of = list(parts)
        row = of[0]
        taken = tuple(Part(part[8], part[9], part[10], part[11]) for part in of)
        found.append(Hold(row[0], row[1], row[2], taken, row[3], row[4], row[5], HoldStatus.CAPTURED, row[6], row[7]))
    return found


async def read_hold(db: Db, *, program_id: int, hold_id: UUID) -> tuple[str | None, Hold] | None:
    """Read a hold, without its parts, and the `customer_id` that it is of; None of one who was erased."""
    row = await db.fetchrow(_STATEMENTS["hold_read"].sql, program_id, hold_id)
    if row is None:
        return None
    return row[9], Hold(row[0], row[1], row[2], (), row[3], row[4], row[5], HoldStatus(row[6]), row[7], row[8])


def _lot(row: Record) -> Lot:
    # The driver reads 'infinity' as a time without a zone.
    cause, expires_at = Cause(row[6], row[7]), row[5].replace(tzinfo=UTC)
    return Lot(row[0], row[1], row[2], row[3], row[4], expires_at, cause, *row[8:14])


def _booked(row: Record) -> Booked:
    cause, after = Cause(row[5], row[6]), Balance(*row[7:11])
    return Booked(row[0], row[1], row[2], row[3], row[4], cause, after, row[11], row[12])


async def list_transfers(
    db: Db, *, program_id: int, customer_ids: Sequence[int], before: UUID, limit: int
) -> list[Booked]:
    """Read up to `limit` transfers of customers with an id below `before`, newest first."""
    rows = await db.fetch(_STATEMENTS["transfer_list"].sql, program_id, customer_ids, before, limit)
    return [_booked(row) for row in rows]


async def list_lots(db: Db, *, program_id: int, customer_id: int, before: UUID, limit: int) -> list[Lot]:
    """Read up to `limit` lots of a customer that have something left, with an id below `before`, newest first."""
    rows = await db.fetch(_STATEMENTS["lot_list"].sql, program_id, customer_id, before, limit)
    return [_lot(row) for row in rows]


async def list_pending(db: Db, *, program_id: int, customer_id: int, limit: int) -> list[Lot]:
    """Read up to `limit` pending lots with something left, those first that time decides on first."""
    rows = await db.fetch(_STATEMENTS["lot_pending_list"].sql, program_id, customer_id, limit)
    return [_lot(row) for row in rows]


async def list_ending(
    db: Db, *, program_id: int, customer_id: int, alive_until: datetime | None, limit: int
) -> list[tuple[datetime, int]]:
    """Read up to `limit` moments at which available points end, the earliest first, and how many end then."""
    statement = _STATEMENTS["lot_ending_list"].sql
    rows = await db.fetch(statement, program_id, customer_id, alive_until, limit)
    return [(row["ends_at"], row["points"]) for row in rows]


async def all_lots(db: Db, *, program_id: int, customer_id: int) -> list[Lot]:
    """Read all lots of a customer, newest first, also those with nothing left."""
    return [_lot(row) for row in await db.fetch(_STATEMENTS["lot_all"].sql, program_id, customer_id)]


async def all_holds(db: Db, *, program_id: int, customer_id: int) -> list[Hold]:
    """Read all holds of a customer without their parts, newest first."""
    rows = await db.fetch(_STATEMENTS["hold_all"].sql, program_id, customer_id)
    return [
        Hold(row[0], row[1], row[2], (), row[3], row[4], row[5], HoldStatus(row[6]), row[7], row[8]) for row in rows
    ]


async def all_notices(db: Db, *, program_id: int, customer_ids: Sequence[int]) -> list[tuple[Notice, datetime]]:
    """Read all that customers were told of ends, each with when, newest first."""
    rows = await db.fetch(_STATEMENTS["notice_all"].sql, program_id, customer_ids)
    return [(Notice(row[0], row[1], row[2]), row[3]) for row in rows]


async def rehome(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let lots and holds of one customer be another's, by internal ids; both are locked."""
    for statement in ("lot_rehome", "part_rehome", "hold_rehome"):
        await db.execute(_STATEMENTS[statement].sql, program_id, source, target)


async def grants(db: Db, *, program_id: int, customer_ids: Sequence[int], reason: str) -> list[UUID]:
    """Read the ids of transfers that brought points in for a reason, of customers by their internal ids."""
    rows = await db.fetch(_STATEMENTS["grant_list"].sql, program_id, customer_ids, reason)
    return [row["id"] for row in rows]


async def plan_anew(db: Db) -> None:
    """Let the rest of a transaction plan its statements for each call."""
    await db.execute(_STATEMENTS["plan_anew"].sql)


async def find_transfer(db: Db, *, program_id: int, transfer_id: UUID) -> Found | None:
    """Find a transfer by its id alone, behind `plan_anew`."""
    row = await db.fetchrow(_STATEMENTS["transfer_find"].sql, program_id, transfer_id)
    return None if row is None else Found(_booked(row), *row[13:17])


async def read_reversals(db: Db, *, program_id: int, customer_ids: Sequence[int], transfer_id: UUID) -> list[Booked]:
    """Read the transfers of customers that took back what one granted, the oldest first."""
    rows = await db.fetch(_STATEMENTS["transfer_reversals"].sql, program_id, customer_ids, transfer_id)
    return [_booked(row) for row in rows]


async def read_lots_of_transfer(db: Db, *, program_id: int, found: Found, owner: int) -> list[tuple[Lot, int]]:
    """Read the lots, of their owner now, that a transfer took points from, below zero, or gave them back to."""
    statement = _STATEMENTS["lots_of_transfer"].sql
    rows = await db.fetch(statement, program_id, found.customer, found.booked.id, owner)
    return [(_lot(row), row["points"]) for row in rows]


async def read_lots_of_capture(db: Db, *, program_id: int, hold_id: UUID) -> list[tuple[Lot, int]]:
    """Read the lots of which a hold's capture spent points, and how many."""
    rows = await db.fetch(_STATEMENTS["lots_of_capture"].sql, program_id, hold_id)
    return [(_lot(row), row["captured"]) for row in rows]


async def read_lots_of_cause(db: Db, *, program_id: int, customer_id: int, cause: Cause) -> list[Lot]:
    """Read the lots of a customer that one cause granted, the oldest first."""
    rows = await db.fetch(_STATEMENTS["lots_of_cause"].sql, program_id, customer_id, cause.type, cause.id)
    return [_lot(row) for row in rows]


async def read_moved(db: Db, *, program_id: int, customers: Sequence[int]) -> list[tuple[int, Transfer]]:
    """Read what was adjusted of customers and what ended by time, each with whose it is now, in its order."""
    rows = await db.fetch(_STATEMENTS["moved_list"].sql, program_id, customers)
    return [
        (
            row[0],
            Transfer(
                id=row[1],
                customer_id=row[2],
                source=Bucket(row[3]),
                target=Bucket(row[4]),
                points=row[5],
                reason=row[6],
                cause=Cause(row[7], row[8]),
                version=row[9],
                after=Balance(*row[10:14]),
                occurred_at=row[14],
            ),
        )
        for row in rows
    ]


async def read_spent(
    db: Db, *, program_id: int, customers: Sequence[int], since: datetime
) -> list[tuple[int, datetime, int]]:
    """Read what customers spent from a moment on and have not back: whose, when, how many points."""
    rows = await db.fetch(_STATEMENTS["spent_list"].sql, program_id, customers, since)
    return [(row[0], row[1], row[2]) for row in rows]


async def news_of_transfers(db: Db, *, program_id: int, named: Sequence[tuple[int, UUID]]) -> list[Record]:
    """Read what is told of transfers, by their customers' internal ids and their own."""
    return await db.fetch(_STATEMENTS["transfer_news"].sql, program_id, *_columns(named))


async def news_of_notices(db: Db, *, program_id: int, named: Sequence[tuple[int, UUID]]) -> list[Record]:
    """Read what is told of notices that points end, likewise."""
    return await db.fetch(_STATEMENTS["notice_news"].sql, program_id, *_columns(named))


def _columns(named: Sequence[tuple[int, UUID]]) -> tuple[list[int], list[UUID]]:
    return [customer for customer, _ in named], [its_id for _, its_id in named]
