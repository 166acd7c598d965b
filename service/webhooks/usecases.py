"""What can be done with endpoints, and with what became of telling them."""

from collections.abc import Container, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from service.events import usecases as events
from service.events.rules import Event
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import GREATEST_ID, lowest_id_at, time_ordered_id, to_wire
from service.platform.clock import database_time
from service.platform.statements import Db
from service.webhooks import store
from service.webhooks.rules import (
    MOST_SECRETS,
    MOST_WEBHOOKS,
    Delivery,
    DeliveryState,
    NewWebhook,
    Secret,
    TooManySecrets,
    TooManyWebhooks,
    Webhook,
    WebhookChange,
    WhyDisabled,
)

TEST_TYPE = "webhook.test"
RESENT_AT_ONCE = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_replace = msgspec.structs.replace


def check_types(types: Sequence[str] | None, known: Container[str]) -> None:
    """Refuse types of events that there are not. Raises Invalid."""
    for place, each in enumerate(types or ()):
        if each not in known:
            detail = "There are no events of this type."
            raise Invalid(detail, pointer=f"/types/{place}", reason="unknown_type")


async def create(db: Db, *, program_id: int, new: NewWebhook, secret: bytes, entropy: int) -> tuple[Webhook, Secret]:
    """Make an endpoint with its first secret. It is told what comes into the feed from now on. Raises TooManyWebhooks.

    Its URL was checked and its types are known; see `Sender.check` and `check_types`.
    """
    if await store.lock_all(db, program_id=program_id) >= MOST_WEBHOOKS:
        raise TooManyWebhooks
    now = await database_time(db)
    place = (await events.last_places(db, program_ids=[program_id]))[program_id]
    made = Webhook(
        id=time_ordered_id(now, entropy),
        url=new.url,
        description=new.description,
        types=new.types,
        reason=None,
        disabled_at=None,
        created_at=now,
        position=place,
        waiting=0,
        failing_since=None,
        lease=0,
    )
    first = Secret(made.id, secret, now, None)
    await store.insert_webhook(db, program_id=program_id, webhook=made)
    await store.insert_secret(db, program_id=program_id, webhook_id=made.id, secret=first)
    return made, first


async def list_webhooks(db: Db, *, program_id: int, before: UUID | None, limit: int) -> list[Webhook]:
    """Read up to `limit` + 1 endpoints, newest first, behind `before`."""
    return await store.list_webhooks(db, program_id=program_id, before=before or GREATEST_ID, limit=limit + 1)


async def read(db: Db, *, program_id: int, webhook_id: UUID) -> Webhook:
    """Read an endpoint. Raises NotFound."""
    found = await store.read_webhook(db, program_id=program_id, webhook_id=webhook_id)
    if found is None:
        raise NotFound
    return found


async def change(db: Db, *, program_id: int, webhook_id: UUID, change: WebhookChange) -> Webhook:
    """Change an endpoint, for what is sent from now on. Raises NotFound."""
    before = await _lock(db, program_id, webhook_id)
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}
    return await _write(db, program_id, before, _replace(before, **given))


async def disable(db: Db, *, program_id: int, webhook_id: UUID) -> Webhook:
    """Tell an endpoint nothing more until it is enabled. One that is disabled stays as it is. Raises NotFound."""
    before = await _lock(db, program_id, webhook_id)
    if before.reason is not None:
        return before
    now = await database_time(db)
    return await _write(db, program_id, before, _replace(before, reason=WhyDisabled.BY_CALL, disabled_at=now))


async def enable(db: Db, *, program_id: int, webhook_id: UUID, skip_missed: bool) -> Webhook:
    """Go on telling an endpoint: what happened meanwhile, too, unless that is to be skipped. Raises NotFound."""
    before = await _lock(db, program_id, webhook_id)
    if before.reason is None:
        return before
    after = _replace(before, reason=None, disabled_at=None, failing_since=None)
    if skip_missed:
        place = (await events.last_places(db, program_ids=[program_id]))[program_id]
        after = _replace(after, position=max(place, before.position))
    return await _write(db, program_id, before, after)


async def delete(db: Db, *, program_id: int, webhook_id: UUID) -> None:
    """End an endpoint for ever: its secrets are removed now, its deliveries a little later. Raises NotFound."""
    await _lock(db, program_id, webhook_id)
    await store.delete_webhook(db, program_id=program_id, webhook_id=webhook_id)


async def rotate(
    db: Db, *, program_id: int, webhook_id: UUID, grace: timedelta, secret: bytes, entropy: int
) -> tuple[Secret, datetime]:
    """Make a new secret, and let the one before it sign beside it for a while; returns it, and until when that is.

    Raises NotFound, TooManySecrets.
    """
    await _lock(db, program_id, webhook_id)
    now = await database_time(db)
    await store.end_secret(db, program_id=program_id, webhook_id=webhook_id, ends_at=now + grace)
    if len(await store.signing_secrets(db, program_id=program_id, webhook_id=webhook_id)) >= MOST_SECRETS:
        raise TooManySecrets
    made = Secret(time_ordered_id(now, entropy), secret, now, None)
    await store.insert_secret(db, program_id=program_id, webhook_id=webhook_id, secret=made)
    return made, now + grace


async def signing_secrets(db: Db, *, program_id: int, webhook_id: UUID) -> list[Secret]:
    """Read the secrets that sign an endpoint's messages now, the newest first."""
    return await store.signing_secrets(db, program_id=program_id, webhook_id=webhook_id)


async def event_of_test(db: Db, *, webhook_id: UUID, entropy: int) -> Event:
    """Make an event that tells of nothing but the test of an endpoint. It has no place in the feed."""
    now = await database_time(db)
    data = {"webhook_id": to_wire("whk", webhook_id)}
    return Event(to_wire("evt", time_ordered_id(now, entropy)), TEST_TYPE, 1, now, 0, None, None, data)


async def list_deliveries(
    db: Db, *, program_id: int, webhook_id: UUID, before: UUID | None, limit: int, state: DeliveryState | None
) -> list[Delivery]:
    """Read up to `limit` + 1 deliveries, newest first, behind `before`. Raises NotFound."""
    await read(db, program_id=program_id, webhook_id=webhook_id)
    return await store.list_deliveries(
        db,
        program_id=program_id,
        webhook_id=webhook_id,
        before=before or GREATEST_ID,
        limit=limit + 1,
        state=state,
    )


async def resend(db: Db, *, program_id: int, webhook_id: UUID, event_id: UUID) -> Delivery:
    """Let an event be sent again, whatever became of it. Raises NotFound."""
    webhook = await _lock(db, program_id, webhook_id)
    before = await store.read_delivery(db, program_id=program_id, webhook_id=webhook_id, event_id=event_id)
    if before is None:
        raise NotFound
    again = await store.deliver_again(db, program_id=program_id, webhook_id=webhook_id, event_id=event_id)
    if again is None:
        raise NotFound  # it was old, and was removed a moment ago
    if before.state is not DeliveryState.WAITING:
        await _write(db, program_id, webhook, _replace(webhook, waiting=webhook.waiting + 1))
    return again


async def resend_since(db: Db, *, program_id: int, webhook_id: UUID, since: datetime) -> int:
    """Let dead deliveries of events since a time be sent again, at most 10,000; returns how many. Raises NotFound."""
    webhook = await _lock(db, program_id, webhook_id)
    again = await store.deliver_all_again(
        db,
        program_id=program_id,
        webhook_id=webhook_id,
        first=lowest_id_at(max(since, _EPOCH)),
        limit=RESENT_AT_ONCE,
    )
    await _write(db, program_id, webhook, _replace(webhook, waiting=webhook.waiting + again))
    return again


async def _lock(db: Db, program_id: int, webhook_id: UUID) -> Webhook:
    found = await store.lock_webhook(db, program_id=program_id, webhook_id=webhook_id)
    if found is None:
        raise NotFound
    return found


async def _write(db: Db, program_id: int, before: Webhook, after: Webhook) -> Webhook:
    if after != before:
        await store.update_webhook(db, program_id=program_id, webhook=after)
    return after


async def lag(db: Db) -> tuple[int, int]:
    """Read how many events the endpoint is behind its feed that is furthest, and how many deliveries wait in all."""
    lanes = await store.lanes_standing(db)
    places = await events.last_places(db, program_ids=sorted({program_id for program_id, _, _ in lanes}))
    behind = max((places[program_id] - position for program_id, position, _ in lanes), default=0)
    return behind, sum(waiting for _, _, waiting in lanes)
