"""What the room tells of: offers that are set, and where referrals stand."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.ids import to_wire
from service.platform.statements import Db
from service.programs.news import definition_kinds
from service.referrals import store
from service.referrals.asks import news as asks
from service.referrals.defining import REFERRAL_OFFERS
from service.referrals.opening import EVENTS
from service.referrals.rules import ReferralState


class ReferralStands(msgspec.Struct, frozen=True):
    """A referral, by which offer it was claimed; the customer is the referee, none before the enrolment."""

    referral_id: str
    offer: str


class ReferralRewarded(msgspec.Struct, frozen=True):
    """A referral for which both sides got what was agreed; the customer is the referee.

    `number` tells which of the referrer's it was.
    """

    referral_id: str
    offer: str
    number: int
    referrer_points: int
    referee_points: int


async def _stands(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, ReferralStands]:
    rows = await store.news_of(db, program_id=program_id, referral_ids=[event.subject_id for event in events])
    return by_event(events, {row["id"]: ReferralStands(to_wire("ref", row["id"]), row["offer"]) for row in rows})


async def _rewarded(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, ReferralRewarded]:
    rows = await store.news_of(db, program_id=program_id, referral_ids=[event.subject_id for event in events])
    told = {
        row["id"]: ReferralRewarded(
            to_wire("ref", row["id"]), row["offer"], row["number"] or 0, row["referrer_points"], row["referee_points"]
        )
        for row in rows
    }
    return by_event(events, told)


_EXAMPLE_ID: Final = "ref_019aa5f0601c7b3e8d11223344556677"
_SAYS: Final = {
    ReferralState.SIGNED_UP: "Somebody was claimed with a referral code.",
    ReferralState.QUALIFIED: "A referee did what the offer asks for.",
    ReferralState.WAITING: "Nothing stands against a qualified referral; its waiting time runs.",
    ReferralState.IN_REVIEW: "Something speaks against a referral: somebody has to approve or refuse it.",
    ReferralState.REFUSED: "A referral was refused: nobody gets anything for it.",
    ReferralState.EXPIRED: "A referee did not qualify within the offer's time.",
    ReferralState.REVERSED: "What a referral gave was taken back from both sides.",
}
KINDS: Final = (
    *definition_kinds(REFERRAL_OFFERS),
    *asks.KINDS,
    *(EventKind(EVENTS[state], says, ReferralStands(_EXAMPLE_ID, "friends"), _stands) for state, says in _SAYS.items()),
    EventKind(
        EVENTS[ReferralState.REWARDED],
        "Both sides of a referral got what was agreed.",
        ReferralRewarded(_EXAMPLE_ID, "friends", 1, 500, 200),
        _rewarded,
    ),
)
