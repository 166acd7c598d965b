"""What the room tells of: campaigns that are set, and surprises once they are revealed."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.ids import to_wire
from service.platform.statements import Db
from service.programs.news import definition_kinds
from service.surprises import store
from service.surprises.book import PREFIX as CAMPAIGN_PREFIX
from service.surprises.defining import CAMPAIGNS
from service.surprises.gifts import PREFIX, REVEALED, TAKEN_BACK


class SurpriseTold(msgspec.Struct, frozen=True):
    """A gift of a campaign: so many points, or a reward, whose voucher has the surprise's id in its own event."""

    surprise_id: str
    campaign_id: str
    prize: str
    points: int
    reward_id: str | None


async def _told(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, SurpriseTold]:
    found = await store.read_gifts(db, program_id=program_id, ids=[event.subject_id for event in events])
    told = {
        each.id: SurpriseTold(
            to_wire(PREFIX, each.id),
            to_wire(CAMPAIGN_PREFIX, each.campaign),
            each.prize,
            each.points,
            each.reward_id,
        )
        for each in found
    }
    return by_event(events, told)


_EXAMPLE: Final = SurpriseTold(
    "sur_019aa5f0601c7b3e8d11223344556677", "cmp_019aa5f0601c7b3e8d11223344556678", "sweet", 50, None
)
KINDS: Final = (
    *definition_kinds(CAMPAIGNS),
    EventKind(REVEALED, "A customer got a gift that a campaign had drawn.", _EXAMPLE, _told),
    EventKind(TAKEN_BACK, "A gift was taken back: what it was drawn for was returned.", _EXAMPLE, _told),
)
