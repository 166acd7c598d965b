"""Points on the wire."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from service.customers.rules import Balance, Standing
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.points.correcting import Adjustment, AdjustmentReason, AdjustmentStatus
from service.points.rules import NEVER, Cause, Lot, lot_ends_at
from service.points.store import Booked


class NextExpiryOut(msgspec.Struct, frozen=True):
    """How many points expire next, and when."""

    points: int
    at: Time


class BalanceOut(msgspec.Struct, frozen=True):
    """A customer's points by bucket."""

    customer_id: str
    available: int
    pending: int
    held: int
    debt: int
    lifetime_earned: int
    next_expiry: NextExpiryOut | None = None
    tier: dict[str, Any] | None = None


class TransferOut(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One transfer of points between two buckets."""

    id: str
    reason: str
    source: str
    target: str
    points: int
    cause: Cause
    balance_after: Balance
    occurred_at: Time
    recorded_at: Time


class LotOut(msgspec.Struct, frozen=True):
    """Points earned together, of which some are left. `expires_at` is null where they never expire.

    Points that end with the customer's inactivity tell when that is as things stand; an activity that counts moves it.
    """

    granted: int
    remaining: int
    available_at: Time
    expires_at: Time | None
    cause: Cause


def balance_out(standing: Standing) -> BalanceOut:
    """Render a balance."""
    has, expiry = standing.balance, None
    if standing.next_expiry_at is not None:
        expiry = NextExpiryOut(standing.next_expiry_points, standing.next_expiry_at)
    return BalanceOut(
        standing.customer_id, has.available, has.pending, has.held, has.debt, standing.lifetime_earned, expiry
    )


def transfer_out(booked: Booked) -> TransferOut:
    """Render a transfer."""
    return TransferOut(
        to_wire("txn", booked.id),
        booked.reason,
        booked.source,
        booked.target,
        booked.points,
        booked.cause,
        booked.after,
        booked.occurred_at,
        booked.recorded_at,
    )


def lot_out(lot: Lot, alive_until: datetime | None) -> LotOut:
    """Render a lot of a customer whose sliding points end at `alive_until`."""
    ends_at = lot_ends_at(lot, alive_until)
    return LotOut(lot.granted, lot.remaining, lot.available_at, None if ends_at == NEVER else ends_at, lot.cause)


class RecordedAdjustmentOut(msgspec.Struct, frozen=True):
    """An adjustment as it stands: who asked for it, and who approved or refused it.

    `expires_at` is absent where the program's expiry says when its points end, null where they never do.
    """

    id: str
    customer_id: str | None
    status: AdjustmentStatus
    points: int
    reason: AdjustmentReason
    note: str | None
    transaction_id: str | None
    asked_by: str
    asked_at: Time
    decided_by: str | None
    decided_at: Time | None
    expires_at: Time | UnsetType | None = UNSET


def recorded_adjustment_out(customer_id: str | None, each: Adjustment) -> RecordedAdjustmentOut:
    """Render an adjustment of a customer, None where that is erased."""
    return RecordedAdjustmentOut(
        id=to_wire("adj", each.id),
        customer_id=customer_id,
        status=each.status,
        points=each.points,
        reason=each.reason,
        note=each.note,
        transaction_id=None if each.transfer_id is None else to_wire("txn", each.transfer_id),
        asked_by=to_wire("key", each.asked_by.key_id),
        asked_at=each.asked_at,
        decided_by=None if each.decided_by is None else to_wire("key", each.decided_by.key_id),
        decided_at=each.decided_at,
        expires_at=UNSET if each.expires_at is None else None if each.expires_at == NEVER else each.expires_at,
    )
