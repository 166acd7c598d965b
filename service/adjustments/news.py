"""What the room tells of: points given or taken by hand."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.adjustments import store
from service.adjustments.rules import AdjustmentReason, AdjustmentStatus
from service.adjustments.usecases import EVENTS
from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.ids import to_wire
from service.platform.statements import Db


class AdjustmentUnbooked(msgspec.Struct, frozen=True):
    """Points that somebody asked to give, or below zero to take; none moved."""

    adjustment_id: str
    points: int
    reason: AdjustmentReason


class AdjustmentBooked(msgspec.Struct, frozen=True):
    """Points given, or below zero taken, by a transaction."""

    adjustment_id: str
    points: int
    reason: AdjustmentReason
    transaction_id: str


async def _unbooked(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, AdjustmentUnbooked]:
    rows = await store.news_of(db, program_id=program_id, adjustment_ids=[event.subject_id for event in events])
    found = {
        row["id"]: AdjustmentUnbooked(to_wire("adj", row["id"]), row["points"], AdjustmentReason(row["reason"]))
        for row in rows
    }
    return by_event(events, found)


async def _booked(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, AdjustmentBooked]:
    rows = await store.news_of(db, program_id=program_id, adjustment_ids=[event.subject_id for event in events])
    found = {
        row["id"]: AdjustmentBooked(
            to_wire("adj", row["id"]),
            row["points"],
            AdjustmentReason(row["reason"]),
            to_wire("txn", row["transfer_id"]),
        )
        for row in rows
    }
    return by_event(events, found)


_EXAMPLE_ID: Final = "adj_019aa5f0601c7b3e8d11223344556677"
_EXAMPLE_TRANSACTION: Final = "txn_019aa5f04c457794b35e1e8ee8f3acee"
KINDS: Final = (
    EventKind(
        EVENTS[AdjustmentStatus.WAITING],
        "Somebody asked for an adjustment above the program's limit: another key is to approve it.",
        AdjustmentUnbooked(_EXAMPLE_ID, -50, AdjustmentReason.CORRECTION),
        _unbooked,
    ),
    EventKind(
        EVENTS[AdjustmentStatus.BOOKED],
        "Points were given or taken by hand, at once or after an approval.",
        AdjustmentBooked(_EXAMPLE_ID, 50, AdjustmentReason.GOODWILL, _EXAMPLE_TRANSACTION),
        _booked,
    ),
    EventKind(
        EVENTS[AdjustmentStatus.REFUSED],
        "An adjustment that waited was refused, by a key or because the customer was erased.",
        AdjustmentUnbooked(_EXAMPLE_ID, -50, AdjustmentReason.CORRECTION),
        _unbooked,
    ),
)
