"""What suppressions stopped of a campaign, as marketers read it."""

from collections.abc import Mapping
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.platform.statements import Db
from service.surprises import lifecycle, store
from service.surprises.gifts import Stop


class OccasionKind(Enum):
    """What an occasion was, by how its name begins."""

    PURCHASE = "purchase"
    PURCHASE_NUMBER = "purchase_number"
    AFTER = "after"
    HOLIDAY = "holiday"
    BIRTHDAY = "birthday"
    ANNIVERSARY = "anniversary"
    TIER = "tier"
    ACTIVITY = "activity"
    SILENCE = "silence"
    EARLY_PAYMENT = "early_payment"
    LIST = "list"
    PLAY = "play"


_NAMED_OTHERWISE: Final[Mapping[str, OccasionKind]] = {
    "early payment": OccasionKind.EARLY_PAYMENT,
}
_NUMBER: Final = "purchase number "


class ShownStop(msgspec.Struct, frozen=True):
    """What was stopped, and for whom, by the caller's id as it is now; None: the customer was erased."""

    stop: Stop
    customer_id: str | None


def kind_of(occasion: str) -> OccasionKind:
    """Tell what an occasion was by its name."""
    if occasion.startswith(_NUMBER):
        return OccasionKind.PURCHASE_NUMBER
    head = occasion.partition(":")[0]
    return _NAMED_OTHERWISE[head] if head in _NAMED_OTHERWISE else OccasionKind(head)


async def list_stops(db: Db, *, program_id: int, wire_id: str, before: UUID | None, limit: int) -> list[ShownStop]:
    """Read up to `limit` + 1 stops of a campaign, the newest first, behind an id. Raises NotFound."""
    await lifecycle.read(db, program_id=program_id, wire_id=wire_id)
    found = await store.stops_of(
        db, program_id=program_id, campaign=lifecycle.id_of(wire_id), before=before, limit=limit + 1
    )
    records = sorted({each.customer for each in found})
    standing = await customers.standing_for(db, program_id=program_id, records=records)
    return [ShownStop(each, standing[each.customer].external_id or None) for each in found]
