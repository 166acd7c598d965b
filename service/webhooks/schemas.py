"""Webhooks on the wire."""

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.webhooks.rules import Attempt, AttemptError, Delivery, DeliveryState, Webhook, WhyDisabled


class WebhookStatus(Enum):
    """Whether an endpoint is told what happens."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class WebhookOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint. Every event of the feed up to `position` was tried; `waiting` of them will be tried again.

    `failing_since` is since when nothing succeeded. `secret` is in the answer that made it, and nowhere else.
    """

    id: str
    url: str
    description: str
    types: list[str] | None
    status: WebhookStatus
    reason: WhyDisabled | None
    disabled_at: Time | None
    created_at: Time
    position: int
    waiting: int
    failing_since: Time | None
    secret: str | None = None


class SecretRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the secret before signs beside the new one."""

    grace_seconds: Annotated[int, Meta(ge=0, le=7 * 86_400)] = 86_400


class SecretOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new secret. Until `earlier_ends_at` the one before signs, too. It is in this answer and nowhere else."""

    webhook_id: str
    created_at: Time
    earlier_ends_at: Time
    secret: str | None = None


class Enabling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether what happened while the endpoint was disabled is left out."""

    skip_missed: bool = False


class AttemptOut(msgspec.Struct, frozen=True):
    """One attempt: what the endpoint answered, the first bytes of it, or why it didn't."""

    at: Time
    status: int | None
    milliseconds: int
    answer: str
    error: AttemptError | None


class DeliveryOut(msgspec.Struct, frozen=True):
    """An event on its way to an endpoint, with its last attempts, the oldest first."""

    event_id: str
    type: str
    position: int
    state: DeliveryState
    next_at: Time | None
    ended_at: Time | None
    attempts: list[AttemptOut]


class TestOut(msgspec.Struct, frozen=True):
    """What became of a test: the event's id, and the attempt; null for a dry run, which sends nothing."""

    event_id: str
    attempt: AttemptOut | None


class Resending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Since when events happened whose dead deliveries are sent again."""

    since: Time


class ResentOut(msgspec.Struct, frozen=True):
    """How many deliveries are sent again, and whether there are more: then repeat the call."""

    resent: int
    has_more: bool


class DeletedOut(msgspec.Struct, frozen=True):
    """An endpoint that there was."""

    id: str
    deleted: bool = True


def webhook_out(webhook: Webhook, secret: str | None = None) -> WebhookOut:
    """Render an endpoint, with its secret where it was just made."""
    return WebhookOut(
        to_wire("whk", webhook.id),
        webhook.url,
        webhook.description,
        None if webhook.types is None else [*webhook.types],
        WebhookStatus.ENABLED if webhook.reason is None else WebhookStatus.DISABLED,
        webhook.reason,
        webhook.disabled_at,
        webhook.created_at,
        webhook.position,
        webhook.waiting,
        webhook.failing_since,
        secret,
    )


def attempt_out(attempt: Attempt) -> AttemptOut:
    """Render an attempt."""
    return AttemptOut(attempt.at, attempt.status, attempt.milliseconds, attempt.answer, attempt.error)


def delivery_out(delivery: Delivery) -> DeliveryOut:
    """Render a delivery."""
    return DeliveryOut(
        to_wire("evt", delivery.event_id),
        delivery.type,
        delivery.position,
        delivery.state,
        delivery.next_at,
        delivery.ended_at,
        [attempt_out(each) for each in delivery.attempts],
    )
