"""Tracing a transfer back: which lots, what it reversed, what reversed it, the balance before."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Balance, Customer
from service.kernel.errors import NotFound
from service.kernel.ids import from_wire
from service.platform.statements import Db
from service.points import store
from service.points.rules import Bucket, Lot, moved
from service.points.store import Booked, Found
from service.points.wording import Facts, sentence

_SPENT: Final = (Bucket.HELD, Bucket.REDEEMED)
_ACTIVATED: Final = (Bucket.PENDING, Bucket.AVAILABLE)
_ENDED_HELD: Final = (Bucket.HELD, Bucket.EXPIRED)


class Share(msgspec.Struct, frozen=True):
    """A lot, as it is now, and how many of its points a transfer moved, >= 1.

    `change` is what that did to what remains of the lot: above zero it was granted or given back, below zero taken; 0
    where the points had left it before, or only became available.
    """

    lot: Lot
    points: int
    change: int


class Traced(msgspec.Struct, frozen=True):
    """A transfer with all that led to it, or followed from it, in the ledger."""

    booked: Booked
    before: Balance
    owner: Customer
    """Whose it is now: the record that its own went into, where it was merged."""
    rule: tuple[str, int] | None
    """The rule that granted the points, and its version."""
    shares: Sequence[Share]
    reverses: Booked | None
    reversed_by: Sequence[Booked]
    order_id: str | None
    """The order that a redemption named."""


async def trace(db: Db, *, program_id: int, transfer_id: UUID) -> Traced:
    """Trace a transfer back, as of one moment. Raises NotFound."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        await store.plan_anew(db)
        found = await store.find_transfer(db, program_id=program_id, transfer_id=transfer_id)
        if found is None:
            raise NotFound
        booked, reverses, reversed_by = found.booked, None, list[Booked]()
        owner = await _owner(db, program_id, found)
        if found.reverses is not None:
            reverses = await store.find_transfer(db, program_id=program_id, transfer_id=found.reverses)
        source, target = _move(booked)
        if source is Bucket.ISSUED:
            records = await customers.all_ids(db, program_id=program_id, customer=owner)
            reversed_by = await store.read_reversals(
                db, program_id=program_id, customer_ids=records, transfer_id=transfer_id
            )
        hold_id = from_wire("hold", booked.cause.id) if booked.cause.type == "redemption" else None
        held = None if hold_id is None else await store.read_hold(db, program_id=program_id, hold_id=hold_id)
        return Traced(
            booked,
            before=moved(booked.after, target, source, booked.points),
            owner=owner,
            rule=None if found.rule is None or found.rule_version is None else (found.rule, found.rule_version),
            shares=await _shares(db, program_id, found, owner.id, hold_id),
            reverses=None if reverses is None else reverses.booked,
            reversed_by=reversed_by,
            order_id=None if held is None else held[1].order_id,
        )


async def _owner(db: Db, program_id: int, found: Found) -> Customer:
    (own,) = await customers.read_by_id(db, program_id=program_id, customers=[found.customer])
    if own.merged_into is None:
        return own
    (other,) = await customers.read_by_id(db, program_id=program_id, customers=[own.merged_into])
    return other


async def _shares(db: Db, program_id: int, found: Found, owner: int, hold_id: UUID | None) -> list[Share]:
    """Read which lots the points were of. Where more than one lot may be meant, none is named."""
    booked, move = found.booked, _move(found.booked)
    taken = await store.read_lots_of_transfer(db, program_id=program_id, found=found, owner=owner)
    if taken:
        return [Share(lot, abs(points), points) for lot, points in taken]
    if move == _SPENT and hold_id is not None:
        spent = await store.read_lots_of_capture(db, program_id=program_id, hold_id=hold_id)
        return [Share(lot, points, 0) for lot, points in spent]
    if move in {_ACTIVATED, _ENDED_HELD}:
        lots = await store.read_lots_of_cause(db, program_id=program_id, customer_id=owner, cause=booked.cause)
        meant = [lot for lot in lots if _may_be_of(booked, lot)]
        return [Share(lot, booked.points, 0) for lot in meant] if len(meant) == 1 else []
    granted = await store.read_lots_by_id(db, program_id=program_id, customer_id=owner, lot_ids=[booked.id])
    return [Share(lot, lot.granted, lot.granted) for lot in granted]


def _may_be_of(booked: Booked, lot: Lot) -> bool:
    """Tell whether an activation, or the end of points that were held, can have been that of a lot of its cause."""
    if _move(booked) == _ACTIVATED:
        return not lot.is_pending and lot.available_at == booked.occurred_at
    return lot.expired >= booked.points


def _move(booked: Booked) -> tuple[Bucket, Bucket]:
    return Bucket(booked.source), Bucket(booked.target)


def in_short(booked: Booked, time_zone: str) -> str:
    """Say why a transfer was made by what itself tells, without looking for rules, lots and orders."""
    return sentence(
        Facts(
            booked.reason,
            *_move(booked),
            booked.points,
            booked.cause,
            occurred_at=booked.occurred_at,
            recorded_at=booked.recorded_at,
            time_zone=time_zone,
        )
    )
