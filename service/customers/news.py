"""What the room tells of: customers who come, change, become one, are suppressed, and are erased."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers import store
from service.customers.records import CUSTOMER_ERASED, CUSTOMER_MERGED
from service.customers.suppressions import store as suppressions
from service.customers.suppressions.rules import SuppressionReason
from service.customers.suppressions.usecases import CUSTOMER_SUPPRESSED, SUPPRESSION_LIFTED
from service.customers.usecases import CUSTOMER_CHANGED, CUSTOMER_ENROLLED, named
from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.statements import Db


class NothingMore(msgspec.Struct, frozen=True):
    """All that there is to tell is that it happened; a profile is read where it is kept."""


class CustomersMerged(msgspec.Struct, frozen=True):
    """Another record went into the customer's: its id, which stands for the customer now; null once that was erased.

    Its own events go on naming it by its own reference: who empties what it keeps of the customer empties both.
    """

    merged_id: str | None
    merged_ref: str


class CustomerSuppressed(msgspec.Struct, frozen=True):
    """Why a customer gets no message and no surprise, and until when; null: until it is lifted."""

    reason: SuppressionReason
    until: Time | None


class SuppressionLifted(msgspec.Struct, frozen=True):
    """The reason that holds no more, and until when it was to hold; null: until it was lifted."""

    reason: SuppressionReason
    until: Time | None


async def _nothing_more(_: Db, __: int, events: Sequence[Placed]) -> Mapping[UUID, NothingMore]:
    return {event.id: NothingMore() for event in events}


async def _merged(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, CustomersMerged]:
    sources = await store.merged_records(db, program_id=program_id, merge_ids=[event.subject_id for event in events])
    names = await named(db, program_id, sorted(set(sources.values())))
    told = {merge: names[source] for merge, source in sources.items()}
    return by_event(events, {merge: CustomersMerged(of.customer_id, of.reference) for merge, of in told.items()})


async def _suppressed(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, CustomerSuppressed]:
    found = await suppressions.read(db, program_id=program_id, named=_named(events))
    return by_event(events, {each.id: CustomerSuppressed(each.reason, each.until) for each in found})


async def _lifted(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, SuppressionLifted]:
    found = await suppressions.read(db, program_id=program_id, named=_named(events))
    return by_event(events, {each.id: SuppressionLifted(each.reason, each.until) for each in found})


def _named(events: Sequence[Placed]) -> list[tuple[int, UUID]]:
    return [(event.customer_id, event.subject_id) for event in events if event.customer_id is not None]


_UNTIL: Final = msgspec.convert("2026-12-31T23:00:00Z", Time)
KINDS: Final = (
    EventKind(CUSTOMER_ENROLLED, "A customer became known.", NothingMore(), _nothing_more),
    EventKind(CUSTOMER_CHANGED, "A customer's profile changed.", NothingMore(), _nothing_more),
    EventKind(
        CUSTOMER_MERGED,
        "Another record went into a customer's.",
        CustomersMerged("guest-7", "cus_1f0c22ab34cd56ef7890a1b2c3d4e5f6"),
        _merged,
    ),
    EventKind(
        CUSTOMER_SUPPRESSED,
        "A customer gets no message and no surprise for a reason; also where the end of one that held was set anew.",
        CustomerSuppressed(SuppressionReason.OPEN_CASE, _UNTIL),
        _suppressed,
    ),
    EventKind(
        SUPPRESSION_LIFTED,
        "A reason was lifted; of one whose own time ends it, and of an erased customer's, nothing is told.",
        SuppressionLifted(SuppressionReason.OPEN_CASE, _UNTIL),
        _lifted,
    ),
    EventKind(
        CUSTOMER_ERASED,
        "A customer was erased; from now on no event names the customer any more.",
        NothingMore(),
        _nothing_more,
    ),
)
