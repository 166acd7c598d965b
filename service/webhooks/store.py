"""Rows of webhooks: endpoints, their secrets, their lanes and their deliveries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from asyncpg import Record

from service.platform.statements import Db, load
from service.webhooks.rules import Attempt, Delivery, DeliveryState, Secret, Webhook, WhyDisabled

_STATEMENTS = load(__file__)


class Lane(msgspec.Struct, frozen=True):
    """A lane that nobody works; `is_due` tells that something is to be tried again in it now."""

    program_id: int
    webhook_id: UUID
    position: int
    is_due: bool
    takes_new: bool


def _webhook(row: Record) -> Webhook:
    reason = None if row["reason"] is None else WhyDisabled(row["reason"])
    return Webhook(row[0], row[1], row[2], row[3], reason, *row[5:11])


def _delivery(row: Record) -> Delivery:
    attempts = msgspec.json.decode(row["attempts"], type=list[Attempt]) if "attempts" in row else []
    return Delivery(row[0], row[1], row[2], DeliveryState(row["state"]), *row[4:8], attempts=attempts)


async def lock_all(db: Db, *, program_id: int) -> int:
    """Keep others from making endpoints of a program until the transaction ends; returns how many there are."""
    await db.execute(_STATEMENTS["webhooks_lock"].sql, program_id)
    return await db.fetchval(_STATEMENTS["webhook_count"].sql, program_id)


async def insert_webhook(db: Db, *, program_id: int, webhook: Webhook) -> None:
    """Add an endpoint."""
    made = webhook
    values = (made.id, made.url, made.description, made.types, made.created_at, made.position)
    await db.execute(_STATEMENTS["webhook_insert"].sql, program_id, *values)


async def list_webhooks(db: Db, *, program_id: int, before: UUID, limit: int) -> list[Webhook]:
    """Read up to `limit` endpoints with an id below `before`, newest first."""
    return [_webhook(row) for row in await db.fetch(_STATEMENTS["webhook_list"].sql, program_id, before, limit)]


async def read_webhook(db: Db, *, program_id: int, webhook_id: UUID) -> Webhook | None:
    """Read an endpoint."""
    row = await db.fetchrow(_STATEMENTS["webhook_read"].sql, program_id, webhook_id)
    return None if row is None else _webhook(row)


async def lock_webhook(db: Db, *, program_id: int, webhook_id: UUID) -> Webhook | None:
    """Lock an endpoint and read it."""
    row = await db.fetchrow(_STATEMENTS["webhook_lock"].sql, program_id, webhook_id)
    return None if row is None else _webhook(row)


async def update_webhook(db: Db, *, program_id: int, webhook: Webhook) -> None:
    """Write what callers change of an endpoint."""
    await db.execute(
        _STATEMENTS["webhook_update"].sql,
        program_id,
        webhook.id,
        webhook.url,
        webhook.description,
        webhook.types,
        None if webhook.reason is None else webhook.reason.value,
        webhook.disabled_at,
        webhook.failing_since,
        webhook.position,
        webhook.waiting,
    )


async def delete_webhook(db: Db, *, program_id: int, webhook_id: UUID) -> None:
    """Hide an endpoint for ever, and remove its secrets."""
    await db.execute(_STATEMENTS["webhook_delete"].sql, program_id, webhook_id)
    await db.execute(_STATEMENTS["secret_delete"].sql, program_id, webhook_id)


async def insert_secret(db: Db, *, program_id: int, webhook_id: UUID, secret: Secret) -> None:
    """Add a secret without an end."""
    values = (secret.id, secret.secret, secret.created_at)
    await db.execute(_STATEMENTS["secret_insert"].sql, program_id, webhook_id, *values)


async def signing_secrets(db: Db, *, program_id: int, webhook_id: UUID) -> list[Secret]:
    """Read the secrets that sign now, the newest first."""
    rows = await db.fetch(_STATEMENTS["secret_signing"].sql, program_id, webhook_id)
    return [Secret(*row) for row in rows]


async def end_secret(db: Db, *, program_id: int, webhook_id: UUID, ends_at: datetime) -> None:
    """Let the newest secret end, and remove those that did."""
    await db.execute(_STATEMENTS["secret_end"].sql, program_id, webhook_id, ends_at)


async def free_lanes(db: Db) -> list[Lane]:
    """Read the lanes of enabled endpoints that nobody works."""
    return [
        Lane(
            row["program_id"],
            row["id"],
            row["position"],
            row["is_due"],
            Webhook.has_room(row["waiting"], row["failing_since"]),
        )
        for row in await db.fetch(_STATEMENTS["lanes_free"].sql)
    ]


async def lanes_standing(db: Db) -> list[tuple[int, int, int]]:
    """Read the program of each lane that is to be worked, its place, and how many deliveries wait in it."""
    rows = await db.fetch(_STATEMENTS["lanes_standing"].sql)
    return [(row["program_id"], row["position"], row["waiting"]) for row in rows]


async def take_lane(db: Db, *, program_id: int, webhook_id: UUID, lasts: timedelta) -> int | None:
    """Take a lane that nobody works; returns the lease, None where somebody does."""
    return await db.fetchval(_STATEMENTS["lane_take"].sql, program_id, webhook_id, lasts)


async def keep_lane(
    db: Db, *, program_id: int, webhook_id: UUID, lease: int, lasts: timedelta
) -> tuple[Webhook, datetime] | None:
    """Go on with a lane; returns it as it is, and the database's time. None: somebody else has taken it."""
    row = await db.fetchrow(_STATEMENTS["lane_keep"].sql, program_id, webhook_id, lease, lasts)
    return None if row is None else (_webhook(row), row["now"])


async def leave_lane(db: Db, *, program_id: int, webhook_id: UUID, lease: int) -> None:
    """Let others take a lane."""
    await db.execute(_STATEMENTS["lane_leave"].sql, program_id, webhook_id, lease)


async def lock_lane(db: Db, *, program_id: int, webhook_id: UUID, lease: int) -> Webhook | None:
    """Lock a lane that is still one's own; None where it isn't."""
    row = await db.fetchrow(_STATEMENTS["lane_lock"].sql, program_id, webhook_id, lease)
    return None if row is None else _webhook(row)


async def write_lane(db: Db, *, program_id: int, webhook: Webhook, lasts: timedelta) -> None:
    """Write where a lane is, and how its endpoint fares."""
    await db.execute(
        _STATEMENTS["lane_write"].sql,
        program_id,
        webhook.id,
        webhook.position,
        webhook.waiting,
        webhook.failing_since,
        None if webhook.reason is None else webhook.reason.value,
        webhook.disabled_at,
        lasts,
    )


async def insert_disabling(db: Db, *, program_id: int, disabling_id: UUID, webhook: Webhook, now: datetime) -> None:
    """Keep that an endpoint was switched off."""
    assert webhook.reason is not None  # noqa: S101 - it was just switched off
    values = (disabling_id, webhook.id, webhook.reason.value, webhook.failing_since, now)
    await db.execute(_STATEMENTS["disabling_insert"].sql, program_id, *values)


async def news_of_disablings(db: Db, *, program_id: int, disabling_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of endpoints that were switched off."""
    return await db.fetch(_STATEMENTS["disabling_read"].sql, program_id, disabling_ids)


async def due_deliveries(db: Db, *, program_id: int, webhook_id: UUID, limit: int) -> list[Delivery]:
    """Read what is to be tried again now, without its attempts."""
    rows = await db.fetch(_STATEMENTS["delivery_due"].sql, program_id, webhook_id, limit)
    return [_delivery(row) for row in rows]


async def record_deliveries(db: Db, *, program_id: int, webhook_id: UUID, deliveries: Sequence[Delivery]) -> int:
    """Write what became of deliveries, each with its last attempt; returns how many of them wait."""
    columns = zip(
        *(
            (
                each.event_id,
                each.position,
                each.type,
                each.state.value,
                each.tries,
                each.since,
                each.next_at,
                each.ended_at,
                msgspec.json.encode(each.attempts).decode(),
                each.customer if any(attempt.answer for attempt in each.attempts) else None,
            )
            for each in deliveries
        ),
        strict=True,
    )
    return await db.fetchval(_STATEMENTS["delivery_record"].sql, program_id, webhook_id, *columns)


async def list_deliveries(
    db: Db, *, program_id: int, webhook_id: UUID, before: UUID, limit: int, state: DeliveryState | None
) -> list[Delivery]:
    """Read up to `limit` deliveries of events with an id below `before`, newest first: all, or of one state."""
    undelivered = state in {DeliveryState.WAITING, DeliveryState.DEAD}
    statement = _STATEMENTS["delivery_list_undelivered" if undelivered else "delivery_list"]
    of_state = None if state is None else state.value
    return [_delivery(row) for row in await db.fetch(statement.sql, program_id, webhook_id, before, limit, of_state)]


async def read_delivery(db: Db, *, program_id: int, webhook_id: UUID, event_id: UUID) -> Delivery | None:
    """Read the delivery of an event to an endpoint."""
    row = await db.fetchrow(_STATEMENTS["delivery_read"].sql, program_id, webhook_id, event_id)
    return None if row is None else _delivery(row)


async def deliver_again(db: Db, *, program_id: int, webhook_id: UUID, event_id: UUID) -> Delivery | None:
    """Let a delivery be tried again from now on; None where there is none."""
    row = await db.fetchrow(_STATEMENTS["delivery_again"].sql, program_id, webhook_id, event_id)
    return None if row is None else _delivery(row)


async def deliver_all_again(db: Db, *, program_id: int, webhook_id: UUID, first: UUID, limit: int) -> int:
    """Likewise for up to `limit` dead ones of events from the id `first` on; returns how many there were."""
    return await db.fetchval(_STATEMENTS["delivery_all_again"].sql, program_id, webhook_id, first, limit)


async def told_webhooks(db: Db) -> list[tuple[int, UUID, bool]]:
    """Read the program, the id and whether it was deleted, of all endpoints that have deliveries, in this order."""
    return [tuple(row) for row in await db.fetch(_STATEMENTS["webhook_told"].sql)]


async def prune_deliveries(
    db: Db,
    *,
    program_id: int,
    webhook_id: UUID,
    after: UUID,
    before: UUID,
    delivered_before: datetime,
    is_deleted: bool,
    count: int,
) -> tuple[UUID | None, int]:
    """Look through up to `count` deliveries and remove the old ones; returns where to go on, and how many it removed.

    There is nothing to go on with where that is None.
    """
    row = await db.fetchrow(
        _STATEMENTS["delivery_prune"].sql, program_id, webhook_id, after, before, delivered_before, is_deleted, count
    )
    assert row is not None  # noqa: S101 - a count has a row
    return (row["last"] if row["looked"] == count else None), row["removed"]


async def hold_webhooks(db: Db, *, program_id: int) -> None:
    """Wait for who writes what became of deliveries, and let nobody do so until the transaction ends."""
    await db.execute(_STATEMENTS["webhooks_hold"].sql, program_id)


async def forget_answers(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Empty what receivers answered about customers, by their internal ids."""
    await db.execute(_STATEMENTS["answers_forget"].sql, program_id, customers)
