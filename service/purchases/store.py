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
from service.purchases.rules import Booking, Item, Purchase, Reward

_STATEMENTS = load(__file__)
_decode_lines = msgspec.json.Decoder(list[Line]).decode
_decode_items = msgspec.json.Decoder(list[Item]).decode
_encoder = msgspec.json.Encoder()


class Recorded(msgspec.Struct, frozen=True):
    """A purchase as it stands, with what it was answered with."""

    purchase: Purchase
    reward: Reward
    recorded_at: datetime


def _text(content: object) -> str:
    return _encoder.encode(content).decode()


def adding(program_id: int, bookings: Sequence[Booking], recorded_at: datetime) -> Write:
    """Add purchases with what they are answered with."""
    purchases = [booking.purchase for booking in bookings]
    rewards = [booking.reward for booking in bookings]
    arguments = (
        program_id,
        recorded_at,
        [booking.customer.id for booking in bookings],
        [booking.id for booking in bookings],
        [purchase.id for purchase in purchases],
        [purchase.currency for purchase in purchases],
        [purchase.total for purchase in purchases],
        [purchase.tax for purchase in purchases],
        [purchase.shipping for purchase in purchases],
        [purchase.points_paid for purchase in purchases],
        [purchase.channel for purchase in purchases],
        [purchase.referral_code for purchase in purchases],
        [_text(purchase.items) for purchase in purchases],
        [_text(purchase.metadata) for purchase in purchases],
        [reward.earned for reward in rewards],
        [reward.pending for reward in rewards],
        [_text(reward.lines) for reward in rewards],
        [reward.balance.available for reward in rewards],
        [reward.balance.pending for reward in rewards],
        [reward.balance.held for reward in rewards],
        [reward.balance.debt for reward in rewards],
        [purchase.occurred_at for purchase in purchases],
    )
    return Write(_STATEMENTS["purchase_insert"], arguments, len(bookings))


def _reward(row: Record) -> Reward:
    balance = Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"])
    return Reward(row["earned"], row["pending"], _decode_lines(row["lines"]), balance)


async def rewards(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> dict[UUID, Reward]:
    """Read what purchases were answered with, by the ids of their rows."""
    rows = await db.fetch(_STATEMENTS["purchase_rewards"].sql, program_id, purchase_ids)
    return {row["id"]: _reward(row) for row in rows}


async def read(db: Db, *, program_id: int, purchase_id: str) -> Recorded | None:
    """Read a purchase by the caller's id."""
    row = await db.fetchrow(_STATEMENTS["purchase_read"].sql, program_id, int(ClaimKind.PURCHASE), purchase_id)
    if row is None:
        return None
    purchase = Purchase(*row[:10], items=_decode_items(row["items"]), metadata=msgspec.json.decode(row["metadata"]))
    return Recorded(purchase, _reward(row), row["recorded_at"])
