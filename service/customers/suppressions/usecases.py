"""Suppressions: set, lifted, read; what becomes of them when two records become one and when one is erased."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from service.customers import usecases as customers
from service.customers.suppressions import rules, store
from service.customers.suppressions.rules import (
    NewSuppression,
    Suppressing,
    Suppression,
    SuppressionEnd,
    SuppressionReason,
)
from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID, IdSource
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, write_together

CUSTOMER_SUPPRESSED: Final = "customer.suppressed"
SUPPRESSION_LIFTED: Final = "customer.suppression_lifted"


async def suppress(
    db: Db,
    *,
    program_id: int,
    customer_id: str,
    new: NewSuppression,
    by: UUID,
    entropy: int,
    earlier: Sequence[Suppressing] = (),
) -> Suppressing:
    """Suppress a known customer for a reason, in place of what holds for it; the same content again changes nothing.

    `earlier` is what earlier attempts of the same call gave: one that was committed, and only its answer was lost, is
    given again. Raises NotFound, Invalid.
    """
    opened = await customers.lock(db, program_id=program_id, customer_ids=[customer_id])
    for each in earlier:
        if each.begun and await _stored(db, program_id, each.suppression) is not None:
            return each
    if customer_id not in opened.customers:
        raise NotFound
    customer, ids = opened.customers[customer_id], IdSource(opened.now, entropy)
    before = await _open(db, program_id, customer.id, new.reason)
    made = rules.suppressed(new, customer_id=customer.id, before=before, by=by, ids=ids, now=opened.now)
    await _write(db, program_id, made.ended, made.begun, ids=ids, now=opened.now)
    if made.ended or made.begun:
        await customers.keep_suppressed(db, program_id=program_id, customers=[customer.id])
    return made


async def lift(
    db: Db,
    *,
    program_id: int,
    customer_id: str,
    reason: SuppressionReason,
    by: UUID,
    entropy: int,
    earlier: Sequence[Suppression] = (),
) -> Suppression:
    """End what holds for a customer for a reason. `earlier` as for `suppress`. Raises NotFound where nothing does."""
    opened = await customers.lock(db, program_id=program_id, customer_ids=[customer_id])
    for each in earlier:
        if await _stored(db, program_id, each) == each:
            return each
    if customer_id not in opened.customers:
        raise NotFound
    found = await _open(db, program_id, opened.customers[customer_id].id, reason)
    if found is None or not found.holds(opened.now):
        raise NotFound
    lifted, ids = rules.ended_as(found, SuppressionEnd.LIFTED, now=opened.now, by=by), IdSource(opened.now, entropy)
    event = Event(ids.next(), SUPPRESSION_LIFTED, lifted.customer_id, lifted.id)
    await write_together(db, [store.ending(program_id, [lifted]), announcing(program_id, [event], opened.now)])
    await customers.keep_suppressed(db, program_id=program_id, customers=[lifted.customer_id])
    return lifted


async def _open(db: Db, program_id: int, customer: int, reason: SuppressionReason) -> Suppression | None:
    found = await store.read_open(db, program_id=program_id, customers=[customer])
    return next((each for each in found if each.reason is reason), None)


async def _stored(db: Db, program_id: int, suppression: Suppression) -> Suppression | None:
    found = await store.read(db, program_id=program_id, named=[(suppression.customer_id, suppression.id)])
    return found[0] if found else None


async def _write(
    db: Db,
    program_id: int,
    ended: Sequence[Suppression],
    begun: Sequence[Suppression],
    *,
    ids: IdSource,
    now: datetime,
) -> None:
    """Note what ended, then add what begins: of a reason that is one row behind the other. Only that is told."""
    events = [Event(ids.next(), CUSTOMER_SUPPRESSED, each.customer_id, each.id) for each in begun]
    await write_together(db, [store.ending(program_id, ended)])
    await write_together(db, [store.adding(program_id, begun), announcing(program_id, events, now)])


async def list_newest(
    db: Db, *, program_id: int, customer_id: str, before: UUID | None, limit: int
) -> list[Suppression]:
    """Read up to `limit` + 1 suppressions of a customer that hold now, newest first, behind `before`.

    Raises NotFound.
    """
    async with db.transaction(isolation="repeatable_read", readonly=True):  # not of a record that is merged meanwhile
        found = await customers.read(db, program_id=program_id, customer_ids=[customer_id])
        if customer_id not in found:
            raise NotFound
        return await store.list_newest(
            db, program_id=program_id, customer=found[customer_id].id, before=before or GREATEST_ID, limit=limit + 1
        )


async def merge(db: Db, *, program_id: int, source: int, target: int, now: datetime, entropy: int) -> None:
    """Let what holds for a record hold for the one that it goes into, by internal ids. Both are locked."""
    found = await store.read_open(db, program_id=program_id, customers=[source, target])
    ids = IdSource(now, entropy)
    ended, begun = rules.merged(
        [each for each in found if each.customer_id == source],
        [each for each in found if each.customer_id == target],
        customer_id=target,
        ids=ids,
        now=now,
    )
    await _write(db, program_id, ended, begun, ids=ids, now=now)
    if ended or begun:
        await customers.keep_suppressed(db, program_id=program_id, customers=[source, target])


async def forget(db: Db, *, program_id: int, all_ids: Sequence[int], now: datetime) -> None:
    """End what holds for a customer who is erased, and empty all references; it is told with the erasure."""
    found = await store.read_open(db, program_id=program_id, customers=all_ids)
    ended = [rules.ended_as(each, SuppressionEnd.ERASED, now=now) for each in found]
    await write_together(db, [store.ending(program_id, ended)])
    if ended:
        await customers.keep_suppressed(db, program_id=program_id, customers=all_ids)
    await store.forget(db, program_id=program_id, customers=all_ids)
