"""What the room tells of: customers who come, change, become one, and are erased."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers import store
from service.customers.records import CUSTOMER_ERASED, CUSTOMER_MERGED
from service.customers.usecases import CUSTOMER_CHANGED, CUSTOMER_ENROLLED, named
from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.platform.statements import Db


class NothingMore(msgspec.Struct, frozen=True):
    """All that there is to tell is that it happened; a profile is read where it is kept."""


class CustomersMerged(msgspec.Struct, frozen=True):
    """Another record went into the customer's: its id, which stands for the customer now; null once that was erased.

    Its own events go on naming it by its own reference: who empties what it keeps of the customer empties both.
    """

    merged_id: str | None
    merged_ref: str


async def _nothing_more(_: Db, __: int, events: Sequence[Placed]) -> Mapping[UUID, NothingMore]:
    return {event.id: NothingMore() for event in events}


async def _merged(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, CustomersMerged]:
    sources = await store.merged_records(db, program_id=program_id, merge_ids=[event.subject_id for event in events])
    names = await named(db, program_id, sorted(set(sources.values())))
    told = {merge: names[source] for merge, source in sources.items()}
    return by_event(events, {merge: CustomersMerged(of.customer_id, of.reference) for merge, of in told.items()})


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
        CUSTOMER_ERASED,
        "A customer was erased; from now on no event names the customer any more.",
        NothingMore(),
        _nothing_more,
    ),
)
