"""What can be done with definitions of any kind. One program's are changed one at a time, under the program's lock."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import GREATEST_ID, IdSource
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, write_together
from service.programs import store
from service.programs.definitions import (
    MOST_DEFINITIONS,
    Change,
    Content,
    Definition,
    DefinitionExists,
    DefinitionKind,
    DefinitionVersion,
    State,
    Status,
    check_change,
    check_content,
    check_id,
    is_news,
    since,
)

_PAGE: Final = 200
_FIRST_STATES: Final = frozenset({State.DRAFT, State.ACTIVE})


async def create(
    db: Db,
    *,
    program_id: int,
    kind: DefinitionKind[Content],
    definition_id: str,
    content: Content,
    change: Change,
    entropy: int,
) -> tuple[Definition, Status]:
    """Make a definition, a draft unless the change says that it is active. Raises Invalid, DefinitionExists."""
    check_id(kind, definition_id)
    program = await store.lock_program(db, program_id=program_id)
    now = await database_time(db)
    state = change.state or State.DRAFT
    if state not in _FIRST_STATES:
        raise Invalid("It begins as draft or active.", pointer="/state", reason="invalid_format")
    moment = since(None, change, state, now=now)
    content = check_content(kind, definition_id, content, program, moment=moment)
    ids = IdSource(now, entropy)
    made = DefinitionVersion(1, ids.next(), state, msgspec.json.encode(content), moment, now)
    await _check_number(db, program_id, kind.name, now)
    if not await store.insert_definition(
        db, program_id=program_id, kind=kind.name, definition_id=definition_id, version=made
    ):
        raise DefinitionExists
    await _tell(db, program_id, kind.created, made, ids.next())
    definition = Definition(definition_id, made.id, (made,))
    return definition, definition.status(now)


async def change(
    db: Db,
    *,
    program_id: int,
    kind: DefinitionKind[Content],
    definition_id: str,
    members: Mapping[str, Any],
    change: Change,
    entropy: int,
) -> tuple[Definition, Status]:
    """Make a new version of a definition, with these members of its content replaced. Nothing to change makes none.

    Raises NotFound, Invalid, VersionConflict, DefinitionEnded, StateNotReachable.
    """
    program = await store.lock_program(db, program_id=program_id)
    now = await database_time(db)
    before = await _read(db, program_id, kind.name, definition_id)
    newest = before.newest
    state = check_change(newest, change, now=now)
    moment = since(newest, change, state, now=now)
    old = msgspec.json.decode(newest.content, type=kind.content)
    content = msgspec.structs.replace(old, **members)
    if members or state in _FIRST_STATES:  # what was allowed once can be paused and ended, whatever is allowed now
        content = check_content(kind, definition_id, content, program, moment=moment)
    if not is_news(newest, change, state, same=content == old, moment=moment):
        return before, before.status(now)
    ids = IdSource(now, entropy)
    made = DefinitionVersion(newest.number + 1, ids.next(), state, msgspec.json.encode(content), moment, now)
    if newest.is_over(now) and not made.is_over(now):
        await _check_number(db, program_id, kind.name, now)
    await store.change_definition(db, program_id=program_id, kind=kind.name, definition_id=definition_id, version=made)
    await _tell(db, program_id, kind.changed, made, ids.next())
    after = msgspec.structs.replace(before, versions=(*before.versions, made))
    return after, after.status(now)


async def read(db: Db, *, program_id: int, kind: str, definition_id: str) -> tuple[Definition, Status]:
    """Read a definition with all its versions, and where it stands now. Raises NotFound."""
    found = await _read(db, program_id, kind, definition_id)
    return found, found.status(await database_time(db))


async def list_definitions(
    db: Db, *, program_id: int, kind: str, before: UUID | None, limit: int, status: Status | None = None
) -> list[tuple[Definition, Status]]:
    """Read up to `limit` + 1 definitions behind the place `before`, newest first; those of one status, where given."""
    now, place, found = await database_time(db), before or GREATEST_ID, list[tuple[Definition, Status]]()
    while True:
        looked_at = await store.list_definitions(
            db, program_id=program_id, kind=kind, before=place, limit=_PAGE, now=now
        )
        of_now = ((each, each.status(now)) for each in looked_at)
        found += [each for each in of_now if status in {None, each[1]}]
        if len(found) > limit or len(looked_at) < _PAGE:
            return found[: limit + 1]
        place = looked_at[-1].place


async def list_versions(
    db: Db, *, program_id: int, kind: str, definition_id: str, before: int, limit: int
) -> list[DefinitionVersion]:
    """Read up to `limit` + 1 versions of a definition with numbers below `before`, newest first. Raises NotFound."""
    found = await store.list_definition_versions(
        db, program_id=program_id, kind=kind, definition_id=definition_id, before=before, limit=limit + 1
    )
    if not found:
        await _read(db, program_id, kind, definition_id)
    return found


async def content_at(db: Db, *, program_id: int, kind: str, definition_id: str, version: int) -> bytes | None:
    """Read the content of a version, as JSON; None where there is no such version."""
    found = await store.list_definition_versions(
        db, program_id=program_id, kind=kind, definition_id=definition_id, before=version + 1, limit=1
    )
    return found[0].content if found and found[0].number == version else None


async def _read(db: Db, program_id: int, kind: str, definition_id: str) -> Definition:
    found = await store.read_definition(db, program_id=program_id, kind=kind, definition_id=definition_id)
    if found is None:
        raise NotFound
    return found


async def _check_number(db: Db, program_id: int, kind: str, now: datetime) -> None:
    """Refuse one more definition than a program may have. Raises Invalid."""
    if await store.count_definitions(db, program_id=program_id, kind=kind, now=now) >= MOST_DEFINITIONS:
        detail = f"A program has at most {MOST_DEFINITIONS} of these that are not over. End one first."
        raise Invalid(detail, pointer="", reason="too_many")


async def _tell(db: Db, program_id: int, event: str, version: DefinitionVersion, event_id: UUID) -> None:
    """Announce a version, and let every process load it."""
    await store.bump_catalogue(db)
    await write_together(db, [announcing(program_id, [Event(event_id, event, None, version.id)], version.recorded_at)])
