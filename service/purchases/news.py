"""What the room tells of: purchases, refunds and activities."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.statements import Db
from service.purchases import store
from service.purchases.returning import PURCHASE_REFUNDED
from service.purchases.usecases import ACTIVITIES, PURCHASES


class PurchaseRewarded(msgspec.Struct, frozen=True):
    """A purchase and what it earned: points, of which `pending` aren't available yet, and the balance after it."""

    purchase_id: str
    currency: str
    total: int
    earned: int
    pending: int
    balance: Balance
    occurred_at: Time


class PurchaseRefunded(msgspec.Struct, frozen=True):
    """A refund, the points that it took back (`reversed`) and gave back (`restored`), and the balance after it."""

    purchase_id: str
    refund_id: str
    amount: int
    reversed: int
    restored: int
    balance: Balance
    occurred_at: Time


class ActivityRewarded(msgspec.Struct, frozen=True):
    """An activity and what it earned: points, of which `pending` aren't available yet, and the balance after it."""

    activity_id: str
    type: str
    earned: int
    pending: int
    balance: Balance
    occurred_at: Time


async def _rewarded(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PurchaseRewarded]:
    found = {
        row["id"]: PurchaseRewarded(
            row["external_id"],
            row["currency"],
            row["total"],
            row["earned"],
            row["pending"],
            Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"]),
            row["occurred_at"],
        )
        for row in await store.news_of_purchases(
            db, program_id=program_id, purchase_ids=[event.subject_id for event in events]
        )
    }
    return by_event(events, found)


async def _refunded(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PurchaseRefunded]:
    found = {
        row["id"]: PurchaseRefunded(
            row["purchase_id"],
            row["external_id"],
            row["amount"],
            row["from_lots"] + row["to_debt"] + row["written_off"],
            row["restored"],
            Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"]),
            row["occurred_at"],
        )
        for row in await store.news_of_refunds(
            db, program_id=program_id, refund_ids=[event.subject_id for event in events]
        )
    }
    return by_event(events, found)


async def _engaged(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, ActivityRewarded]:
    ids = [event.subject_id for event in events]
    found = {
        each.row_id: ActivityRewarded(
            each.id,
            each.type,
            each.earnings.earned,
            each.earnings.pending,
            each.earnings.balance,
            each.occurred_at,
        )
        for each in await store.activities(db, program_id=program_id, activity_ids=ids)
    }
    return by_event(events, found)


_EXAMPLE_TIME: Final = msgspec.convert("2026-11-21T10:00:00Z", Time)
KINDS: Final = (
    EventKind(
        PURCHASES.event,
        "A purchase was booked, with what it earned.",
        PurchaseRewarded("order-1001", "EUR", 12990, 129, 0, Balance(129, 0, 0, 0), _EXAMPLE_TIME),
        _rewarded,
    ),
    EventKind(
        PURCHASE_REFUNDED,
        "A purchase, or a part of it, was refunded.",
        PurchaseRefunded("order-1001", "r-1", 5000, 50, 0, Balance(79, 0, 0, 0), _EXAMPLE_TIME),
        _refunded,
    ),
    EventKind(
        ACTIVITIES.event,
        "An activity was booked, with what it earned.",
        ActivityRewarded("review-7", "review", 20, 0, Balance(149, 0, 0, 0), _EXAMPLE_TIME),
        _engaged,
    ),
)
