"""What the room tells of: endpoints that were switched off, and not by a call."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.platform.statements import Db
from service.webhooks import store
from service.webhooks.delivering import WEBHOOK_DISABLED
from service.webhooks.rules import WhyDisabled


class WebhookDisabled(msgspec.Struct, frozen=True):
    """An endpoint, why it is told nothing any more, and since when all had failed."""

    webhook_id: str
    reason: WhyDisabled
    failing_since: Time | None


async def _disabled(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, WebhookDisabled]:
    found = {
        row["id"]: WebhookDisabled(to_wire("whk", row["webhook_id"]), WhyDisabled(row["reason"]), row["failing_since"])
        for row in await store.news_of_disablings(
            db, program_id=program_id, disabling_ids=[event.subject_id for event in events]
        )
    }
    return by_event(events, found)


KINDS: Final = (
    EventKind(
        WEBHOOK_DISABLED,
        "An endpoint was switched off: it answered 410, or for three days nothing succeeded.",
        WebhookDisabled(
            "whk_019aa5f0601c7b3e8d11223344556677",
            WhyDisabled.FAILING,
            msgspec.convert("2026-11-21T10:00:00Z", Time),
        ),
        _disabled,
        concerns_customer=False,
    ),
)
