"""What the room tells of: tiers that are set, customers who reach and leave them, and tiers that end soon."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.statements import Db
from service.programs.news import definition_kinds
from service.tiers import store
from service.tiers.climbing import TIER_CHANGED, TIER_ENDING
from service.tiers.defining import TIERS
from service.tiers.rules import Reason


class TierChanged(msgspec.Struct, frozen=True):
    """From which tier to which (null: none) a customer went, why, and when it was so."""

    from_tier: str | None
    to_tier: str | None
    reason: Reason
    occurred_at: Time


class TierEnding(msgspec.Struct, frozen=True):
    """The customer's tier is over at `ends_at`, and then it is another one (null: none), unless more is counted."""

    tier: str
    then: str | None
    ends_at: Time


async def _changed(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, TierChanged]:
    rows = await store.news_of_changes(db, program_id=program_id, named=_named(events))
    told = {
        row["id"]: TierChanged(row["from_tier"], row["to_tier"], Reason(row["reason"]), row["occurred_at"])
        for row in rows
    }
    return by_event(events, told)


async def _ending(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, TierEnding]:
    rows = await store.news_of_notices(db, program_id=program_id, named=_named(events))
    return by_event(events, {row["id"]: TierEnding(row["tier"], row["then_tier"], row["ends_at"]) for row in rows})


def _named(events: Sequence[Placed]) -> list[tuple[int, UUID]]:
    return [(event.customer_id, event.subject_id) for event in events if event.customer_id is not None]


_TIME: Final = msgspec.convert("2026-11-21T10:00:00Z", Time)
KINDS: Final = (
    *definition_kinds(TIERS),
    EventKind(
        TIER_CHANGED,
        "A customer reached another tier, or has it no more.",
        TierChanged("silver", "gold", Reason.PURCHASE, _TIME),
        _changed,
    ),
    EventKind(
        TIER_ENDING,
        "A customer's tier ends soon, as the program promised to tell.",
        TierEnding("gold", "silver", msgspec.convert("2026-12-31T23:00:00Z", Time)),
        _ending,
    ),
)
