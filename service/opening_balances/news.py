"""What the room tells of: opening balances."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.opening_balances import store
from service.opening_balances.usecases import OPENING_BALANCES
from service.platform.statements import Db


class OpeningBalanceBooked(msgspec.Struct, frozen=True):
    """What a customer brought from elsewhere: points in lots (`granted`) or a debt, and the balance after it."""

    opening_balance_id: str
    granted: int
    debt: int
    balance: Balance


async def _booked(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, OpeningBalanceBooked]:
    rows = await store.news_of(db, program_id=program_id, row_ids=[event.subject_id for event in events])
    return by_event(
        events,
        {
            row["id"]: OpeningBalanceBooked(
                row["external_id"],
                row["granted"],
                row["debt"],
                Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"]),
            )
            for row in rows
        },
    )


KINDS: Final = (
    EventKind(
        OPENING_BALANCES.event,
        "What a customer brought from elsewhere was booked.",
        OpeningBalanceBooked("old-42", 500, 0, Balance(500, 0, 0, 0)),
        _booked,
    ),
)
