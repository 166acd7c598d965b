"""What the ledger tells of: points that are pending, available, about to end, and ended."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.rules import Balance
from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.platform.statements import Db
from service.points import store
from service.points.rules import POINTS_AVAILABLE, POINTS_EXPIRED, POINTS_EXPIRING, POINTS_PENDING, Cause


class PointsMoved(msgspec.Struct, frozen=True):
    """Points that one transaction moved, what earned them (`cause`), and the balance right after it.

    What follows in transactions of their own, as debt that these points repay, is not in that balance yet.
    """

    transaction_id: str
    points: int
    cause: Cause
    balance_after: Balance
    occurred_at: Time


class PointsExpired(msgspec.Struct, frozen=True):
    """Points that ended, what had earned them (`cause`), and the balance right after it.

    `reason` is `expiry`, or `lapse` for points that were pending and not confirmed in time.
    """

    transaction_id: str
    points: int
    reason: str
    cause: Cause
    balance_after: Balance
    occurred_at: Time


class PointsExpiring(msgspec.Struct, frozen=True):
    """Points that will end at `ends_at` unless they are spent before."""

    points: int
    ends_at: Time


async def _moved(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PointsMoved]:
    rows = await store.news_of_transfers(db, program_id=program_id, named=_named(events))
    return by_event(
        events,
        {
            row["id"]: PointsMoved(
                to_wire("txn", row["id"]), row["points"], _cause(row), _balance(row), row["occurred_at"]
            )
            for row in rows
        },
    )


async def _expired(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PointsExpired]:
    rows = await store.news_of_transfers(db, program_id=program_id, named=_named(events))
    return by_event(
        events,
        {
            row["id"]: PointsExpired(
                to_wire("txn", row["id"]), row["points"], row["reason"], _cause(row), _balance(row), row["occurred_at"]
            )
            for row in rows
        },
    )


async def _expiring(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PointsExpiring]:
    rows = await store.news_of_notices(db, program_id=program_id, named=_named(events))
    return by_event(events, {row["id"]: PointsExpiring(row["points"], row["ends_at"]) for row in rows})


def _named(events: Sequence[Placed]) -> list[tuple[int, UUID]]:
    return [(event.customer_id, event.subject_id) for event in events if event.customer_id is not None]


def _cause(row: Record) -> Cause:
    return Cause(row["cause_type"], row["cause_id"])


def _balance(row: Record) -> Balance:
    return Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"])


_EXAMPLE_ID: Final = "txn_019aa5f04c457794b35e1e8ee8f3acee"
_EXAMPLE_CAUSE: Final = Cause("purchase", "order-1001")
_EXAMPLE_TIME: Final = msgspec.convert("2026-11-21T10:00:00Z", Time)
KINDS: Final = (
    EventKind(
        POINTS_PENDING,
        "Points were earned that can't be spent yet.",
        PointsMoved(_EXAMPLE_ID, 129, _EXAMPLE_CAUSE, Balance(0, 129, 0, 0), _EXAMPLE_TIME),
        _moved,
    ),
    EventKind(
        POINTS_AVAILABLE,
        "Points that were pending can be spent: they were confirmed, or their time has come.",
        PointsMoved(_EXAMPLE_ID, 129, _EXAMPLE_CAUSE, Balance(129, 0, 0, 0), _EXAMPLE_TIME),
        _moved,
    ),
    EventKind(
        POINTS_EXPIRING,
        "Points end soon, as the program promised to tell.",
        PointsExpiring(129, msgspec.convert("2027-11-21T23:00:00Z", Time)),
        _expiring,
    ),
    EventKind(
        POINTS_EXPIRED,
        "Points ended unspent.",
        PointsExpired(_EXAMPLE_ID, 129, "expiry", _EXAMPLE_CAUSE, Balance(0, 0, 0, 0), _EXAMPLE_TIME),
        _expired,
    ),
)
