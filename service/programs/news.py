"""What the room tells of: changes to the program. Of its keys nothing is told: they concern nobody but admins."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.statements import Db
from service.programs import store
from service.programs.usecases import PROGRAM_CHANGED


class ProgramChanged(msgspec.Struct, frozen=True):
    """The version of the settings after the change, and from when on they apply to what occurs.

    Null: to all that occurred, as the first settings do. A change of the name alone leaves it as it was.
    """

    version: int
    valid_from: Time | None


async def _changed(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, ProgramChanged]:
    rows = await store.news_of_changes(db, program_id=program_id, events=events)
    return {row["event_id"]: ProgramChanged(row["version"], row["valid_from"]) for row in rows}


KINDS: Final = (
    EventKind(
        PROGRAM_CHANGED,
        "The program's settings or its name changed.",
        ProgramChanged(2, msgspec.convert("2026-11-21T10:00:00Z", Time)),
        _changed,
        concerns_customer=False,
    ),
)
