"""Rows of purchases. They are facts: added and never changed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.rules import Balance
from service.earning.rules import Line
from service.platform.claims import ClaimKind
from service.platform.statements import Db, Write, load
from service.points.facts import Booking
from service.points.rules import Reversed
from service.purchases.refunding import Refunded
from service.purchases.rules import Earnings, Item, Purchase

_STATEMENTS = load(__file__)
_decode_lines = msgspec.json.Decoder(list[Line]).decode
_decode_items = msgspec.json.Decoder(list[Item]).decode
_decode_state = msgspec.json.Decoder(Refunded).decode
_encoder = msgspec.json.Encoder()


class Recorded(msgspec.Struct, frozen=True):
    """A purchase as it stands, with what it was answered with."""

    purchase: Purchase
    earnings: Earnings
    recorded_at: datetime
    row_id: UUID
    """The id of its row, and of the transfer and the lot that it earned."""
    owner: int
    """The customer whose it is now, by the internal id: after a merge another one than it was reported for."""
    is_erased: bool = False
    """Its customer was erased; `customer_id` is None then."""


class Refund(msgspec.Struct, frozen=True):
    """A refund that is booked, with what it is answered with."""

    id: UUID
    external_id: str
    amount: int
    taken: Reversed
    restored: int
    state: Refunded
    balance: Balance
    occurred_at: datetime
    replayed: bool = False


def _text(content: object) -> str:
    return _encoder.encode(content).decode()


def adding(program_id: int, bookings: Sequence[Booking[Purchase, Earnings]], recorded_at: datetime) -> Write:
    """Add purchases with what they are answered with."""
    rows = [_row(booking.id, booking.customer, booking.draft.content, booking.answer) for booking in bookings]
    return Write(_STATEMENTS["purchase_insert"], (program_id, recorded_at, rows), len(rows))


def _row(row_id: UUID, customer_id: int, purchase: Purchase, earnings: Earnings) -> tuple[object, ...]:
    balance = earnings.balance
    return (
        customer_id,
        row_id,
        purchase.id,
        purchase.currency,
        purchase.total,
        purchase.tax,
        purchase.shipping,
        purchase.points_paid,
        purchase.channel,
        purchase.referral_code,
        _text(purchase.items),
        _text(purchase.metadata),
        earnings.earned,
        earnings.pending,
        _text(earnings.lines),
        balance.available,
        balance.pending,
        balance.held,
        balance.debt,
        purchase.occurred_at,
    )


def _reward(row: Record) -> Earnings:
    balance = Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"])
    return Earnings(row["earned"], row["pending"], _decode_lines(row["lines"]), balance)


async def earnings(db: Db, program_id: int, row_ids: Sequence[UUID]) -> dict[UUID, Earnings | None]:
    """Read what purchases were answered with, by the ids of their rows; None for those of erased customers."""
    rows = await db.fetch(_STATEMENTS["purchase_earnings"].sql, program_id, row_ids)
    return {row["id"]: None if row["is_erased"] else _reward(row) for row in rows}


async def read(db: Db, *, program_id: int, purchase_id: str) -> Recorded | None:
    """Read a purchase by the caller's id."""
    row = await db.fetchrow(_STATEMENTS["purchase_read"].sql, program_id, int(ClaimKind.PURCHASE), purchase_id)
    return None if row is None else _recorded(row)


async def read_many(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> list[Recorded]:
    """Read purchases by the ids of their rows, the oldest first."""
    return [_recorded(row) for row in await db.fetch(_STATEMENTS["purchase_list"].sql, program_id, purchase_ids)]


def _recorded(row: Record) -> Recorded:
    purchase = Purchase(*row[:10], items=_decode_items(row["items"]), metadata=msgspec.json.decode(row["metadata"]))
    is_erased = row["customer_id"] is None
    return Recorded(purchase, _reward(row), row["recorded_at"], row["id"], row["owner_id"], is_erased)


async def without_points(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the ids of the purchases that earned nothing, by the customers' internal ids."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["purchase_without_points"].sql, program_id, customers)]


async def empty(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> None:
    """Empty what callers worded freely in purchases and what refunds remember of it, for an erasure."""
    for statement in ("purchase_empty", "refund_empty"):
        await db.execute(_STATEMENTS[statement].sql, program_id, purchase_ids)


def adding_refund(program_id: int, customer_id: int, purchase_id: UUID, refund: Refund, recorded_at: datetime) -> Write:
    """Add a refund with what it is answered with."""
    balance, taken = refund.balance, refund.taken
    row = (
        program_id,
        customer_id,
        refund.id,
        refund.external_id,
        purchase_id,
        refund.amount,
        taken.from_lots,
        taken.to_debt,
        taken.written_off,
        refund.restored,
        _text(refund.state),
        balance.available,
        balance.pending,
        balance.held,
        balance.debt,
        refund.occurred_at,
        recorded_at,
    )
    return Write(_STATEMENTS["refund_insert"], row, 1)


async def refunds(db: Db, *, program_id: int, purchase_id: UUID) -> list[Refund]:
    """Read the refunds of a purchase, by the id of its row, the oldest first."""
    found = await refunds_of_many(db, program_id=program_id, purchase_ids=[purchase_id])
    return [refund for _, refund in found]


async def refunds_of_many(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> list[tuple[UUID, Refund]]:
    """Read the refunds of purchases, by the ids of their rows, each with that id; the oldest first."""
    rows = await db.fetch(_STATEMENTS["refund_list"].sql, program_id, purchase_ids)
    return [(row["purchase_id"], _refund(row)) for row in rows]


def _refund(row: Record) -> Refund:
    taken, balance = Reversed(row[3], row[4], row[5]), Balance(*row[8:12])
    return Refund(row[0], row[1], row[2], taken, row[6], _decode_state(row[7]), balance, row[12])


async def news_of_purchases(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of purchases, by the ids of their rows."""
    return await db.fetch(_STATEMENTS["purchase_news"].sql, program_id, purchase_ids)


async def news_of_refunds(db: Db, *, program_id: int, refund_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of refunds, by the ids of their rows."""
    return await db.fetch(_STATEMENTS["refund_news"].sql, program_id, refund_ids)
