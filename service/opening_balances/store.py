"""Rows of opening balances. They are added and never changed; the database role can't do otherwise."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.rules import Balance
from service.opening_balances.rules import Brought, OpeningBalance
from service.platform.statements import Db, Write, load
from service.points.facts import Booking
from service.tiers.climbing import TierName

_STATEMENTS = load(__file__)
_decode_tier = msgspec.json.Decoder(TierName).decode


def adding(program_id: int, bookings: Sequence[Booking[OpeningBalance, Brought]], recorded_at: datetime) -> Write:
    """Add opening balances with what they are answered with."""
    rows = [
        (
            *(each.customer, each.id, each.draft.id, each.answer.granted, each.answer.debt),
            *msgspec.structs.astuple(each.answer.balance),
            None if each.answer.tier is None else msgspec.json.encode(each.answer.tier).decode(),
        )
        for each in bookings
    ]
    return Write(_STATEMENTS["opening_balance_insert"], (program_id, recorded_at, rows), len(rows))


async def brought(db: Db, program_id: int, row_ids: Sequence[UUID]) -> dict[UUID, Brought | None]:
    """Read what opening balances were answered with, by the ids of their rows; None for those of erased customers."""
    rows = await db.fetch(_STATEMENTS["opening_balance_read"].sql, program_id, row_ids)
    return {row[0]: None if row["is_erased"] else _brought(row) for row in rows}


async def list_of(db: Db, *, program_id: int, customer_ids: Sequence[int]) -> list[tuple[str, Brought]]:
    """Read the opening balances of records, by their internal ids, the oldest first, with their ids."""
    rows = await db.fetch(_STATEMENTS["opening_balance_list"].sql, program_id, customer_ids)
    return [(row["external_id"], _brought(row)) for row in rows]


async def news_of(db: Db, *, program_id: int, row_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of opening balances, by the ids of their rows."""
    return await db.fetch(_STATEMENTS["opening_balance_news"].sql, program_id, row_ids)


def _brought(row: Record) -> Brought:
    return Brought(row[1], row[2], Balance(*row[3:7]), None if row["tier"] is None else _decode_tier(row["tier"]))
