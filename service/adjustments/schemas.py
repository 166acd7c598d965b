"""Adjustments on the wire."""

import msgspec
from msgspec import UNSET, UnsetType

from service.adjustments.rules import Adjusted, Adjustment, AdjustmentReason, AdjustmentStatus
from service.customers.rules import Balance
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.points.rules import NEVER


class AdjustmentOut(msgspec.Struct, frozen=True):
    """What became of an adjustment, and the customer's balance with it. Whose it is, only reading it tells."""

    id: str
    status: AdjustmentStatus
    points: int
    reason: AdjustmentReason
    transaction_id: str | None
    balance: Balance


def adjustment_out(adjusted: Adjusted) -> AdjustmentOut:
    """Render what became of an adjustment."""
    each = adjusted.adjustment
    transfer = None if each.transfer_id is None else to_wire("txn", each.transfer_id)
    return AdjustmentOut(to_wire("adj", each.id), each.status, each.points, each.reason, transfer, adjusted.balance)


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
