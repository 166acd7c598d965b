"""What the room tells of: customers who come, change, become one, and are erased."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers import store
from service.customers.records import CUSTOMER_ERASED, CUSTOMER_MERGED
from service.customers.usecases import CUSTOMER_CHANGED, CUSTOMER_ENROLLED
from service.events.kinds import EventKind
from service.events.rules import Placed
from service.platform.statements import Db


class NothingMore(msgspec.Struct, frozen=True):
    """All that there is to tell is that it happened; a profile is read where it is kept."""


class CustomersMerged(msgspec.Struct, frozen=True):
    """Another record went into the customer's: its id, which stands for the customer now; null once that was erased."""

    merged_id: str | None


async def _nothing_more(_: Db, __: int, events: Sequence[Placed]) -> Mapping[UUID, NothingMore]:
    return {event.id: NothingMore() for event in events}


async def _merged(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, CustomersMerged]:
    names = await store.names_of_merged(db, program_id=program_id, merge_ids=[event.subject_id for event in events])
    return {event.id: CustomersMerged(names.get(event.subject_id)) for event in events}


KINDS: Final = (
    EventKind(CUSTOMER_ENROLLED, "A customer became known.", NothingMore(), _nothing_more),
    EventKind(CUSTOMER_CHANGED, "A customer's profile changed.", NothingMore(), _nothing_more),
    EventKind(CUSTOMER_MERGED, "Another record went into a customer's.", CustomersMerged("guest-7"), _merged),
    EventKind(
        CUSTOMER_ERASED,
        "A customer was erased; from now on no event names the customer any more.",
        NothingMore(),
        _nothing_more,
    ),
)
