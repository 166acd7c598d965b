"""What a webhook is, when a delivery is tried again, and when an endpoint is given up. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from html import escape
from typing import Annotated, Final
from urllib.parse import quote, quote_plus
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.kernel.errors import Kind, Refusal
from service.kernel.times import Time

MOST_WEBHOOKS: Final = 20
MOST_SECRETS: Final = 5
MOST_TESTS: Final = 20
SECRET_BYTES: Final = 32
TRIED_FOR: Final = timedelta(days=3)
LONGEST_RETRY_AFTER: Final = timedelta(days=1)
PAUSES: Final = (
    *(timedelta(seconds=each) for each in (5, 30)),
    *(timedelta(minutes=each) for each in (2, 10, 30)),
    *(timedelta(hours=each) for each in (1, 2, 4, 8)),
)
"""How long is waited after the first attempt, the second and so on; from the last one on, always so long."""
SPREAD: Final = 0.2
"""By which part a pause may be longer or shorter, so that what failed together isn't tried together."""
MOST_WAITING_OF_FAILING: Final = 1_000
"""How many deliveries wait for an endpoint at which all fails: its further events wait in the feed."""
MOST_WAITING: Final = 100_000
"""Likewise for one at which some succeed."""
KEPT_BYTES: Final = 1024
"""How much of an answer is kept."""
_LOOKED_THROUGH: Final = 8 * KEPT_BYTES
"""Among how many of an answer's characters ids are looked for: a receiver shall not make that take long."""
GONE: Final = 410
_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_SECONDS: Final = re.compile("[0-9]{1,9}")
_replace = msgspec.structs.replace


class WhyDisabled(Enum):
    """Why an endpoint is told nothing. `gone`: it answered 410. `failing`: for three days nothing succeeded."""

    BY_CALL = "by_call"
    GONE = "gone"
    FAILING = "failing"


class DeliveryState(Enum):
    """Where a delivery is. `dead`: it failed for three days; it can be sent again."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class AttemptError(Enum):
    """Why an attempt came to no good answer of its own."""

    ADDRESS_REFUSED = "address_refused"
    UNRESOLVABLE = "unresolvable"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    BAD_ANSWER = "bad_answer"
    REDIRECTED = "redirected"


Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        pattern=r"^https?://[!-~]+$(?!\n)",
        description="An absolute https URL of the public internet, in ASCII, without credentials and fragment. Its port"
        " is 443, or 1024 and above.",
    ),
]
Description = Annotated[str, Meta(max_length=500)]
Types = Annotated[
    list[Annotated[str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$(?!\n)", max_length=64)]],
    Meta(min_length=1, max_length=100, description="The types of events that it is told."),
]


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to make. Without `types`, or with null, it is told events of all types."""

    url: Url
    description: Description = ""
    types: Types | None = None


class WebhookChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of an endpoint, for what is sent from now on. What is left out stays; `types` of null means all."""

    url: Url | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    types: Types | UnsetType | None = UNSET


class Webhook(msgspec.Struct, frozen=True):
    """An endpoint and where its lane is: every event of the feed up to `position` was tried."""

    id: UUID
    url: str
    description: str
    types: Sequence[str] | None
    reason: WhyDisabled | None
    disabled_at: datetime | None
    created_at: datetime
    position: int
    waiting: int
    failing_since: datetime | None
    lease: int

    @property
    def takes_new(self) -> bool:
        """Whether further events are tried, or wait in the feed until what was tried succeeds."""
        return self.has_room(self.waiting, self.failing_since)

    @staticmethod
    def has_room(waiting: int, failing_since: datetime | None) -> bool:
        """Tell it of an endpoint for which so many wait."""
        return waiting < (MOST_WAITING if failing_since is None else MOST_WAITING_OF_FAILING)


class Secret(msgspec.Struct, frozen=True):
    """What messages are signed with; the newest has no end."""

    id: UUID
    secret: bytes
    created_at: datetime
    ends_at: datetime | None


class Attempt(msgspec.Struct, frozen=True):
    """One attempt to tell an endpoint: when, how long it took, what it answered or why it didn't.

    `answer` are the first bytes of the answer's body, as text.
    """

    at: Time
    status: int | None
    milliseconds: int
    answer: str = ""
    error: AttemptError | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint has taken it."""
        return self.status in _SUCCESS and self.error is None


class Sent(msgspec.Struct, frozen=True):
    """An attempt, and the `Retry-After` that came with its answer."""

    attempt: Attempt
    retry_after: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to an endpoint. `tries` counts since `since`: when it was begun, or asked for again.

    `customer` is the internal id of whom it concerns, where that is known.
    """

    event_id: UUID
    position: int
    type: str
    state: DeliveryState
    tries: int
    since: datetime
    next_at: datetime | None
    ended_at: datetime | None
    attempts: Sequence[Attempt] = ()
    customer: int | None = None


class TooManyWebhooks(Refusal):
    """A program has a bounded number of endpoints."""

    kind = Kind.CONFLICT
    code = "too_many_webhooks"
    title = f"A program has at most {MOST_WEBHOOKS} webhooks"


class TooManyTests(Refusal):
    """So many tests of a program's webhooks wait for answers, in this process."""

    kind = Kind.CONFLICT
    code = "too_many_tests"
    title = f"At most {MOST_TESTS} tests of webhooks wait for answers at a time"
    retry_after = 1


class TooManySecrets(Refusal):
    """So many secrets of an endpoint still sign."""

    kind = Kind.CONFLICT
    code = "too_many_secrets"
    title = f"At most {MOST_SECRETS} secrets of a webhook sign at a time: wait until one ends"


def tried(delivery: Delivery, sent: Sent, *, now: datetime, chance: float) -> Delivery:
    """Decide what becomes of a delivery after an attempt; `chance` is from 0 to 1.

    It is tried for three days, the last time at their end. `attempts` of what comes back holds this one alone. What an
    endpoint says is kept where it takes the message for bad: else it helps nobody.
    """
    after = _replace(delivery, tries=delivery.tries + 1, attempts=[sent.attempt])
    if sent.attempt.succeeded:
        silent = _replace(sent.attempt, answer="")
        return _replace(after, attempts=[silent], state=DeliveryState.DELIVERED, next_at=None, ended_at=now)
    end = delivery.since + TRIED_FOR
    if now >= end:
        return _replace(after, state=DeliveryState.DEAD, next_at=None, ended_at=now)
    pause = max(pause_after(after.tries, chance), retry_after(sent.retry_after, now))
    return _replace(after, state=DeliveryState.WAITING, next_at=min(now + pause, end), ended_at=None)


def pause_after(tries: int, chance: float) -> timedelta:
    """Tell how long to wait after so many attempts, spread by a chance from 0 to 1."""
    return PAUSES[min(tries, len(PAUSES)) - 1] * (1 + SPREAD * (2 * chance - 1))


def retry_after(text: str | None, now: datetime) -> timedelta:
    """Read `Retry-After`, seconds or a date: how long to wait, at most a day; nothing for what can't be read."""
    if text is None:
        return timedelta()
    if _SECONDS.fullmatch(text.strip()):
        return min(timedelta(seconds=int(text)), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        pause = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError, IndexError, TypeError):
        return timedelta()
    return max(timedelta(), min(pause, LONGEST_RETRY_AFTER))


def heard(webhook: Webhook, attempts: Sequence[Attempt], *, now: datetime) -> Webhook:
    """Decide what attempts mean for the endpoint: whether all fails, and whether it is switched off for that."""
    if not attempts:
        return webhook
    if any(attempt.succeeded for attempt in attempts):
        webhook = _replace(webhook, failing_since=None)
    elif webhook.failing_since is None:
        webhook = _replace(webhook, failing_since=min(attempt.at for attempt in attempts))
    if webhook.reason is not None:
        return webhook
    if any(attempt.status == GONE for attempt in attempts):
        return _replace(webhook, reason=WhyDisabled.GONE, disabled_at=now)
    if webhook.failing_since is not None and now - webhook.failing_since >= TRIED_FOR:
        return _replace(webhook, reason=WhyDisabled.FAILING, disabled_at=now)
    return webhook


def error_of(status: int) -> AttemptError | None:
    """Tell what is wrong with a status by itself: redirects are not followed."""
    return AttemptError.REDIRECTED if status in _REDIRECT else None


def kept_of(answer: bytes, never: Sequence[str]) -> str:
    """Give what is kept of an answer: its first bytes as text, without the callers' ids that the message named.

    One of them is the customer's, and an erasure wouldn't find it in what a receiver says: also in another case, and as
    JSON, URLs and HTML write it.
    """
    text = answer.decode("utf-8", "replace").replace("\x00", "\ufffd")
    spelled = sorted({spelling for each in never for spelling in _spellings(each)}, key=len, reverse=True)
    if spelled:
        # One may begin with another, and one may be cut where the text is.
        cut = len(spelled[0]) if len(text) > _LOOKED_THROUGH else 0
        text = re.sub("|".join(map(re.escape, spelled)), "...", text[:_LOOKED_THROUGH], flags=re.IGNORECASE)
        text = text[: len(text) - cut]
    return text[:KEPT_BYTES].encode()[:KEPT_BYTES].decode("utf-8", "ignore")


def _spellings(name: str) -> tuple[str, ...]:
    """Give an id as texts write it: plainly, in JSON, in URLs and in HTML."""
    in_json = msgspec.json.encode(name).decode()[1:-1]
    return name, in_json, in_json.replace("/", r"\/"), quote(name, safe=""), quote_plus(name), escape(name)
