"""What is told: that it is time to ask a customer for a referral."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.statements import Db
from service.referrals.asks import store
from service.referrals.asks.usecases import TIME_TO_ASK


class TimeToAsk(msgspec.Struct, frozen=True):
    """After which success the customer may be asked for a referral, and until when."""

    milestone: str
    until: Time


async def _told(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, TimeToAsk]:
    found = await store.read_told(db, program_id=program_id, ids=[event.subject_id for event in events])
    return by_event(events, {each.id: TimeToAsk(each.milestone, each.until) for each in found})


KINDS: Final = (
    EventKind(
        TIME_TO_ASK,
        "It is time to ask a customer for a referral: after a success, and while nothing speaks against it.",
        TimeToAsk("purchase:5", msgspec.convert("2026-12-05T10:00:00Z", Time)),
        _told,
    ),
)
