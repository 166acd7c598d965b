"""Points on the wire."""

from datetime import datetime

import msgspec

from service.customers.rules import Balance
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.points.rules import NEVER, Cause, Lot, lot_ends_at
from service.points.store import Booked


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
