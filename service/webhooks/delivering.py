"""A lane at work: what is to be tried now, and what became of it. Between the two nothing is held in the database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from service.events import usecases as events
from service.events.kinds import EventKinds
from service.events.rules import Event, Placed
from service.kernel.ids import IdSource
from service.platform.clock import database_time
from service.platform.outbox import Event as News
from service.platform.outbox import announcing
from service.platform.statements import Db, write_together
from service.webhooks import store
from service.webhooks.rules import Delivery, DeliveryState, Secret, Sent, Webhook, heard, tried

WEBHOOK_DISABLED: Final = "webhook.disabled"
LEASE: Final = timedelta(seconds=15)
"""How long a lane stands still whose worker died."""
NEW_AT_ONCE: Final = 200
DUE_AT_ONCE: Final = 32
PROBED_AT_ONCE: Final = 16
"""How many of each are tried at once where all fails: an endpoint that hangs costs one round of waiting."""
_replace = msgspec.structs.replace


class Batch(msgspec.Struct, frozen=True):
    """What is to be tried now, `at` by the database's clock: first `new` deliveries by their places, then due ones.

    `events` are told to them, in the same order. Once all new ones were tried, the lane is at `last`.
    """

    webhook: Webhook
    at: datetime
    deliveries: Sequence[Delivery]
    events: Sequence[Event]
    secrets: Sequence[Secret]
    new: int
    last: int


async def take(db: Db, *, program_id: int, webhook_id: UUID) -> int | None:
    """Take a lane, so that nobody else works it; returns the lease, None where somebody does."""
    return await store.take_lane(db, program_id=program_id, webhook_id=webhook_id, lasts=LEASE)


async def keep(db: Db, *, program_id: int, webhook_id: UUID, lease: int) -> bool:
    """Go on with a lane; tells whether it is still one's own."""
    kept = await store.keep_lane(db, program_id=program_id, webhook_id=webhook_id, lease=lease, lasts=LEASE)
    return kept is not None


async def leave(db: Db, *, program_id: int, webhook_id: UUID, lease: int) -> None:
    """Let others take a lane."""
    await store.leave_lane(db, program_id=program_id, webhook_id=webhook_id, lease=lease)


async def load(db: Db, *, program_id: int, webhook_id: UUID, lease: int, kinds: EventKinds) -> Batch | None:
    """Read what is to be tried now; None where there is nothing, or the lane is no longer one's own."""
    kept = await store.keep_lane(db, program_id=program_id, webhook_id=webhook_id, lease=lease, lasts=LEASE)
    if kept is None or kept[0].reason is not None:
        return None
    webhook, now = kept
    probing = webhook.failing_since is not None
    due = list[Delivery]()
    if webhook.waiting:
        due = await store.due_deliveries(
            db, program_id=program_id, webhook_id=webhook_id, limit=PROBED_AT_ONCE if probing else DUE_AT_ONCE
        )
    found = events.Reading([], webhook.position, has_more=False)
    if webhook.takes_new:
        limit = PROBED_AT_ONCE if probing else NEW_AT_ONCE
        found = await events.read(db, program_id=program_id, after=webhook.position, limit=limit, types=webhook.types)
    if not due and found.last == webhook.position:
        return None
    known = await events.read_at(db, program_id=program_id, positions=[each.position for each in due])
    by_place = {each.position: each for each in known}
    placed = [*found.events, *(by_place[each.position] for each in due)]
    told = await kinds.tell(db, program_id=program_id, events=placed)
    secrets = await store.signing_secrets(db, program_id=program_id, webhook_id=webhook_id)
    if not secrets:
        return None  # it was deleted a moment ago
    known_due = [_replace(each, customer=by_place[each.position].customer_id) for each in due]
    deliveries = [*(_begun(each, now) for each in found.events), *known_due]
    return Batch(webhook, now, deliveries, told, secrets, len(found.events), found.last)


def _begun(event: Placed, now: datetime) -> Delivery:
    return Delivery(
        event.id, event.position, event.type, DeliveryState.WAITING, 0, now, now, None, customer=event.customer_id
    )


async def record(
    db: Db,
    *,
    program_id: int,
    batch: Batch,
    sent: Sequence[Sent | None],
    chances: Sequence[float],
    entropy: int,
    kinds: EventKinds,
) -> bool:
    """Write what became of a batch, in the transaction of the caller; tells whether the lane was still one's own.

    Where it wasn't, nothing is written: whoever has taken it tries the same again. `sent` ends with those that were not
    tried; `chances` are random numbers from 0 to 1, one for each.
    """
    before = batch.webhook
    webhook = await store.lock_lane(db, program_id=program_id, webhook_id=before.id, lease=before.lease)
    if webhook is None:
        return False
    now = await database_time(db)
    heard_of = [
        (delivery, each, chance)
        for delivery, each, chance in zip(batch.deliveries, sent, chances, strict=True)
        if each is not None
    ]
    waiting = webhook.waiting - max(0, len(heard_of) - batch.new)
    if heard_of:
        after_all = [tried(delivery, each, now=now, chance=chance) for delivery, each, chance in heard_of]
        waiting += await store.record_deliveries(
            db,
            program_id=program_id,
            webhook_id=webhook.id,
            deliveries=await _without_the_erased(db, program_id, kinds, after_all),
        )
    place = batch.last if len(heard_of) >= batch.new else max((each[0].position for each in heard_of), default=0)
    after = heard(webhook, [each.attempt for _, each, _ in heard_of], now=now)
    after = _replace(after, waiting=waiting, position=max(place, webhook.position))
    await store.write_lane(db, program_id=program_id, webhook=after, lasts=LEASE)
    if after.reason is not webhook.reason:
        await _announce(db, program_id, after, now=now, entropy=entropy)
    return True


async def _without_the_erased(
    db: Db, program_id: int, kinds: EventKinds, deliveries: Sequence[Delivery]
) -> list[Delivery]:
    """Drop what was answered about customers who were erased meanwhile. The lane is locked: no erasure is under way."""
    answered = {each.customer for each in deliveries if any(attempt.answer for attempt in each.attempts)} - {None}
    if not answered:
        return list(deliveries)
    names = await kinds.named(db, program_id, sorted(each for each in answered if each is not None))
    gone = {customer for customer, named in names.items() if named.customer_id is None}
    return [
        _replace(each, attempts=[_replace(attempt, answer="") for attempt in each.attempts])
        if each.customer in gone
        else each
        for each in deliveries
    ]


async def _announce(db: Db, program_id: int, webhook: Webhook, *, now: datetime, entropy: int) -> None:
    """Tell that an endpoint was switched off, and why."""
    ids = IdSource(now, entropy)
    disabling_id, event_id = ids.next(), ids.next()
    await store.insert_disabling(db, program_id=program_id, disabling_id=disabling_id, webhook=webhook, now=now)
    news = News(event_id, WEBHOOK_DISABLED, None, disabling_id)
    await write_together(db, [announcing(program_id, [news], now)])
