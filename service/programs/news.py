"""What the room tells of: changes to the program, and for rooms above changes to what they have defined.

Of its keys nothing is told: they concern nobody but admins.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.statements import Db
from service.programs import store
from service.programs.definitions import Content, DefinitionKind, State
from service.programs.usecases import PROGRAM_CHANGED


class ProgramChanged(msgspec.Struct, frozen=True):
    """The version of the settings after the change, and from when on they apply to what occurs.

    Null: to all that occurred, as the first settings do. A change of the name alone leaves it as it was.
    """

    version: int
    valid_from: Time | None


class DefinitionTold(msgspec.Struct, frozen=True):
    """A version that was made, and from when on it applies, drafts never. What it says is read where it is kept."""

    id: str
    version: int
    state: State
    valid_from: Time


def definition_kinds(kind: DefinitionKind[Content]) -> tuple[EventKind, EventKind]:
    """Make what is told of a kind of definitions: of the first version of each, and of all others."""
    return (
        EventKind(
            kind.created,
            f"{kind.a_noun.capitalize()} was made.",
            DefinitionTold("example", 1, State.ACTIVE, _TIME),
            _versions,
            concerns_customer=False,
        ),
        EventKind(
            kind.changed,
            f"{kind.a_noun.capitalize()} got a new version.",
            DefinitionTold("example", 2, State.PAUSED, _TIME),
            _versions,
            concerns_customer=False,
        ),
    )


async def _versions(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, DefinitionTold]:
    rows = await store.news_of_definitions(
        db, program_id=program_id, version_ids=[event.subject_id for event in events]
    )
    told = {
        row["id"]: DefinitionTold(row["definition_id"], row["version"], State(row["state"]), row["valid_from"])
        for row in rows
    }
    return by_event(events, told)


async def _changed(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, ProgramChanged]:
    rows = await store.news_of_changes(db, program_id=program_id, events=events)
    return {row["event_id"]: ProgramChanged(row["version"], row["valid_from"]) for row in rows}


_TIME: Final = msgspec.convert("2026-11-21T10:00:00Z", Time)
KINDS: Final = (
    EventKind(
        PROGRAM_CHANGED,
        "The program's settings or its name changed.",
        ProgramChanged(2, _TIME),
        _changed,
        concerns_customer=False,
    ),
)
