"""Adjustments: asked for, booked at once or after a second key's approval, refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from service.adjustments import rules, store
from service.adjustments.rules import (
    COUNTED,
    Adjusted,
    Adjustment,
    AdjustmentStatus,
    Keyholder,
    NewAdjustment,
)
from service.customers import usecases as customers
from service.customers.rules import CustomerErased
from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID, IdSource
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.usecases import Opened
from service.programs.rules import Program
from service.tiers import usecases as tiers

_ALL: Final = 10**9
EVENTS: Final = {status: f"adjustment.{status.value}" for status in AdjustmentStatus}


async def adjust(
    db: Db, *, program: Program, customer_id: str, new: NewAdjustment, by: Keyholder, entropy: int
) -> Adjusted:
    """Give or take points of a known customer; above the program's limit it waits for another key.

    What can't be booked now is refused, whether or not it would wait. Raises NotFound, Invalid, InsufficientPoints.
    """
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=[customer_id], entropy=entropy)
    account = opened.accounts.get(customer_id)
    if account is None:
        raise NotFound
    adjustment = rules.asked(
        new, adjustment_id=opened.ids.next(), customer_id=account.customer.id, by=by, now=opened.now
    )
    before = account.customer.balance
    booked = rules.book(adjustment, account=account, settings=program.settings)
    records = await customers.all_ids(db, program_id=program.id, customer=account.customer)
    counted = await store.read_adjusted(
        db, program_id=program.id, customer_ids=records, origin=by.origin, since=opened.now - COUNTED
    )
    if rules.must_wait(new.points, counted=counted, limit=program.settings.adjustment_limit):
        event = Event(opened.ids.next(), EVENTS[adjustment.status], account.customer.id, adjustment.id)
        adding = store.adding(program.id, adjustment)
        await write_together(db, [adding, announcing(program.id, [event], opened.now)])
        return Adjusted(adjustment, before)
    await _write(db, program, opened, account, booked, new=True)
    return Adjusted(booked, account.customer.balance)


async def approve(db: Db, *, program: Program, adjustment_id: UUID, by: Keyholder, entropy: int) -> Adjusted:
    """Book an adjustment that waits, now. Booked already: told again.

    Raises NotFound, CustomerErased, AdjustmentNotWaiting, and, where it goes on waiting, SecondKeyNeeded,
    InsufficientPoints, AdjustmentEnded.
    """
    opened, account, found = await _open_adjustment(db, program.id, adjustment_id, entropy)
    approved = rules.approved(found, by=by, account=account, settings=program.settings)
    if approved != found:
        await _write(db, program, opened, account, approved)
    return Adjusted(approved, account.customer.balance)


async def refuse(db: Db, *, program_id: int, adjustment_id: UUID, by: Keyholder, entropy: int) -> Adjusted:
    """Refuse an adjustment that waits; whoever asked for it may, too. Refused already: told again.

    Raises NotFound, CustomerErased, AdjustmentNotWaiting.
    """
    opened, account, found = await _open_adjustment(db, program_id, adjustment_id, entropy)
    refused = rules.refused(found, by=by, now=opened.now)
    if refused != found:
        event = Event(opened.ids.next(), EVENTS[refused.status], account.customer.id, refused.id)
        deciding = store.deciding(program_id, refused)
        await write_together(db, [deciding, announcing(program_id, [event], opened.now)])
    return Adjusted(refused, account.customer.balance)


async def _open_adjustment(
    db: Db, program_id: int, adjustment_id: UUID, entropy: int
) -> tuple[Opened, Account, Adjustment]:
    """Lock the customer of an adjustment, and read the adjustment under the lock: whoever decides on it holds that.

    One that is booked may name a record that went into the customer's since.
    """
    customer_id, before = await read(db, program_id=program_id, adjustment_id=adjustment_id)
    if customer_id is None:
        raise CustomerErased
    opened = await points.open_accounts(db, program_id=program_id, customer_ids=[customer_id], entropy=entropy)
    account = points.owned(opened, customer_id, before.customer_id)
    _, found = await read(db, program_id=program_id, adjustment_id=adjustment_id)
    return opened, account, found


async def _write(
    db: Db, program: Program, opened: Opened, account: Account, booked: Adjustment, *, new: bool = False
) -> None:
    besides = tiers.following(program)([account])
    told = Event(opened.ids.next(), EVENTS[booked.status], account.customer.id, booked.id)
    events = [*points.news([account], opened.ids), told]
    write = store.adding if new else store.deciding
    writes = [*points.booking(program.id, [account], recorded_at=opened.now), *besides]
    await write_together(db, [*writes, write(program.id, booked), announcing(program.id, events, opened.now)])


async def read(db: Db, *, program_id: int, adjustment_id: UUID) -> tuple[str | None, Adjustment]:
    """Read an adjustment, with its customer's id as the caller knows it; None where that is erased. Raises NotFound."""
    found = await store.read(db, program_id=program_id, adjustment_id=adjustment_id)
    if found is None:
        raise NotFound
    return found


async def list_adjustments(
    db: Db,
    *,
    program_id: int,
    before: UUID | None,
    limit: int,
    status: AdjustmentStatus | None = None,
    customer_id: str | None = None,
) -> list[tuple[str | None, Adjustment]]:
    """Read up to `limit` + 1 adjustments, newest first, behind `before`: all, or some. Raises NotFound."""
    records: list[int] | None = None
    if customer_id is not None:
        found = await customers.read(db, program_id=program_id, customer_ids=[customer_id])
        if customer_id not in found:
            raise NotFound
        records = await customers.all_ids(db, program_id=program_id, customer=found[customer_id])
    return await store.list_newest(
        db,
        program_id=program_id,
        before=before or GREATEST_ID,
        limit=limit + 1,
        status=status,
        customer_ids=records,
    )


async def forget(db: Db, *, program_id: int, all_ids: Sequence[int], now: datetime, ids: IdSource) -> None:
    """Empty the notes on a customer who is erased, and refuse what waits. The records of the customer are locked."""
    refused = await store.forget(db, program_id=program_id, customer_ids=all_ids, now=now)
    events = [Event(ids.next(), EVENTS[AdjustmentStatus.REFUSED], all_ids[0], each) for each in refused]
    await write_together(db, [announcing(program_id, events, now)])


async def export(db: Db, *, program_id: int, all_ids: Sequence[int]) -> list[tuple[str | None, Adjustment]]:
    """Read all adjustments of a customer's records, newest first."""
    return await store.list_newest(db, program_id=program_id, before=GREATEST_ID, limit=_ALL, customer_ids=all_ids)
