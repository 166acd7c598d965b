"""Rows of programs, their settings and their keys."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import msgspec
from asyncpg import CheckViolationError, Record

from service.events.rules import Placed
from service.kernel.errors import Invalid
from service.kernel.times import FIRST_MOMENT
from service.platform.authentication import Actor
from service.platform.rate_limits import DEFAULT_LIMIT, RateLimit
from service.platform.roles import Role
from service.platform.statements import Db, load
from service.programs.definitions import (
    NO_DEFINITIONS,
    Definition,
    Definitions,
    DefinitionVersion,
    State,
    applying_of,
)
from service.programs.rules import ApiKey, KeyLimit, Program, ProgramSettings, SettingsVersion
from service.programs.versions import applying

_STATEMENTS = load(__file__)


def _program(rows: Sequence[Record], definitions: Definitions) -> Program:
    """Make a program of its rows, one for each version of its settings, by number."""
    *earlier, newest = applying(map(_version, rows))
    row = rows[0]
    return Program(row["id"], row["code"], row["name"], row["live"], newest, tuple(earlier), definitions)


def _version(row: Record) -> SettingsVersion:
    settings = msgspec.json.decode(row["settings"], type=ProgramSettings)
    return SettingsVersion(row["version"], settings, row["valid_from"] or FIRST_MOMENT)


def _definition_version(row: Record) -> DefinitionVersion:
    content = row["content"].encode()
    return DefinitionVersion(
        row["version"], row["id"], State(row["state"]), content, row["valid_from"], row["recorded_at"]
    )


def _definitions(rows: Iterable[Record]) -> Definitions:
    """Make the definitions of a program of the rows of their versions, which come by number."""
    found = defaultdict[str, defaultdict[str, list[DefinitionVersion]]](lambda: defaultdict(list))
    for row in rows:
        found[row["kind"]][row["definition_id"]].append(_definition_version(row))
    return Definitions({kind: {its_id: applying_of(its) for its_id, its in of.items()} for kind, of in found.items()})


def _key(row: Record) -> ApiKey:
    limit = None if row["burst"] is None else KeyLimit(row["requests_per_second"], row["burst"])
    return ApiKey(row[0], row[1], Role(row[2]), *row[3:8], limit=limit, origin=row["origin"])


def _actor(row: Record) -> Actor:
    limit = DEFAULT_LIMIT if row["burst"] is None else RateLimit(row["requests_per_second"], row["burst"])
    return Actor(row["program_id"], row["id"], Role(row["role"]), row["origin"], limit)


def _columns(limit: KeyLimit | None) -> tuple[int | None, int | None]:
    return (None, None) if limit is None else (limit.per_second, limit.burst)


async def catalogue_version(db: Db) -> tuple[int, str, datetime]:
    """Read the number that grows with every change to programs and keys, what names this very database, its time."""
    row = await db.fetchrow(_STATEMENTS["catalogue_version"].sql)
    if row is None:
        raise LookupError
    return row["version"], row["identity"], row["now"]


async def bump_catalogue(db: Db) -> None:
    """Tell every process that programs or keys changed."""
    await db.execute(_STATEMENTS["catalogue_bump"].sql)


async def all_programs(db: Db) -> dict[int, Program]:
    """Read all programs, by id."""
    rows = await db.fetch(_STATEMENTS["program_all"].sql)
    versions = await db.fetch(_STATEMENTS["definition_all"].sql)
    definitions = {
        program_id: _definitions(its_rows)
        for program_id, its_rows in groupby(versions, key=lambda row: row["program_id"])
    }
    return {
        program_id: _program(list(its_rows), definitions.get(program_id, NO_DEFINITIONS))
        for program_id, its_rows in groupby(rows, key=lambda row: row["id"])
    }


async def _whole(db: Db, rows: Sequence[Record]) -> Program:
    versions = await db.fetch(_STATEMENTS["definition_of_program"].sql, rows[0]["id"])
    return _program(rows, _definitions(versions) if versions else NO_DEFINITIONS)


async def valid_keys(db: Db) -> tuple[dict[bytes, Actor], float | None]:
    """Read the actors of all valid keys by the keys' hashes, and in how many seconds the next of them ends."""
    rows = await db.fetch(_STATEMENTS["key_all_valid"].sql)
    ends = [(row["expires_at"] - row["now"]).total_seconds() for row in rows if row["expires_at"] is not None]
    return {row["hash"]: _actor(row) for row in rows}, min(ends, default=None)


async def lock_program(db: Db, *, program_id: int) -> Program:
    """Lock a program's row and read it."""
    await db.execute(_STATEMENTS["program_lock"].sql, program_id)
    rows = await db.fetch(_STATEMENTS["program_read"].sql, program_id)
    if not rows:
        raise LookupError(program_id)
    return await _whole(db, rows)


async def program_with_code(db: Db, *, code: str) -> Program | None:
    """Read a program by its code."""
    rows = await db.fetch(_STATEMENTS["program_with_code"].sql, code)
    return await _whole(db, rows) if rows else None


async def read_program(db: Db, *, program_id: int) -> Program | None:
    """Read a program by its id."""
    rows = await db.fetch(_STATEMENTS["program_read"].sql, program_id)
    return await _whole(db, rows) if rows else None


async def insert_program(db: Db, *, code: str, name: str, live: bool, first: SettingsVersion) -> int | None:
    """Add a program with its first settings; None where the code is taken."""
    row = await db.fetchrow(_STATEMENTS["program_insert"].sql, code, name, live)
    if row is None:
        return None
    await insert_settings(db, program_id=row["id"], version=first, recorded_at=row["created_at"])
    return row["id"]


async def insert_settings(db: Db, *, program_id: int, version: SettingsVersion, recorded_at: datetime) -> None:
    """Add a version of a program's settings."""
    text = msgspec.json.encode(version.settings).decode()
    valid_from = None if version.valid_from == FIRST_MOMENT else version.valid_from
    await db.execute(_STATEMENTS["settings_insert"].sql, program_id, version.number, text, recorded_at, valid_from)


async def read_settings(db: Db, *, program_id: int, version: int) -> ProgramSettings | None:
    """Read a program's settings as they were at a version."""
    text = await db.fetchval(_STATEMENTS["settings_read"].sql, program_id, version)
    return None if text is None else msgspec.json.decode(text, type=ProgramSettings)


async def update_program(db: Db, *, program_id: int, name: str, version: int) -> None:
    """Write a program's name and the version of its settings."""
    await db.execute(_STATEMENTS["program_update"].sql, program_id, name, version)


async def insert_key(db: Db, *, key: ApiKey, key_hash: bytes) -> None:
    """Add a key."""
    await db.execute(
        _STATEMENTS["key_insert"].sql,
        key.program_id,
        key.id,
        key.role.value,
        key.name,
        key_hash,
        key.hint,
        key.created_at,
        *_columns(key.limit),
        key.origin,
    )


async def list_keys(db: Db, *, program_id: int, before: UUID, limit: int) -> list[ApiKey]:
    """Read up to `limit` keys with an id below `before`, newest first."""
    return [_key(row) for row in await db.fetch(_STATEMENTS["key_list"].sql, program_id, before, limit)]


async def lock_key(db: Db, *, program_id: int, key_id: UUID) -> ApiKey | None:
    """Lock a key's row and read it."""
    row = await db.fetchrow(_STATEMENTS["key_lock"].sql, program_id, key_id)
    return None if row is None else _key(row)


async def end_key(db: Db, *, key: ApiKey) -> None:
    """Write when a key was revoked and when it expires."""
    await db.execute(_STATEMENTS["key_end"].sql, key.program_id, key.id, key.revoked_at, key.expires_at)


async def limit_key(db: Db, *, key: ApiKey) -> None:
    """Write a key's own rate limit."""
    await db.execute(_STATEMENTS["key_limit"].sql, key.program_id, key.id, *_columns(key.limit))


async def news_of_changes(db: Db, *, program_id: int, events: Sequence[Placed]) -> list[Record]:
    """Read what is told of changes to a program: the settings' version when the events were recorded."""
    ids, times = [event.id for event in events], [event.recorded_at for event in events]
    return await db.fetch(_STATEMENTS["settings_news"].sql, program_id, ids, times)


async def list_definitions(
    db: Db, *, program_id: int, kind: str, before: UUID, limit: int, now: datetime
) -> list[Definition]:
    """Read up to `limit` definitions with a place before `before`, newest first: what applies now, and the newest."""
    rows = await db.fetch(_STATEMENTS["definition_list"].sql, program_id, kind, before, limit, now)
    return [
        Definition(its_id, place, tuple(map(_definition_version, its_rows)))
        for (its_id, place), its_rows in groupby(rows, key=lambda row: (row["definition_id"], row["place"]))
    ]


async def read_definition(db: Db, *, program_id: int, kind: str, definition_id: str) -> Definition | None:
    """Read a definition with all its versions."""
    rows = await db.fetch(_STATEMENTS["definition_read"].sql, program_id, kind, definition_id)
    return Definition(definition_id, rows[0]["id"], tuple(map(_definition_version, rows))) if rows else None


async def list_definition_versions(
    db: Db, *, program_id: int, kind: str, definition_id: str, before: int, limit: int
) -> list[DefinitionVersion]:
    """Read up to `limit` versions of a definition with a number below `before`, newest first."""
    rows = await db.fetch(_STATEMENTS["definition_versions"].sql, program_id, kind, definition_id, before, limit)
    return [_definition_version(row) for row in rows]


async def count_definitions(db: Db, *, program_id: int, kind: str, now: datetime) -> int:
    """Count the definitions of a kind that are not over."""
    return await db.fetchval(_STATEMENTS["definition_count"].sql, program_id, kind, now)


async def insert_definition(
    db: Db, *, program_id: int, kind: str, definition_id: str, version: DefinitionVersion
) -> bool:
    """Add a definition, and its first version; False where the id is taken."""
    made = await db.fetchval(_STATEMENTS["definition_insert"].sql, program_id, kind, definition_id, version.recorded_at)
    if made is not None:
        await _insert_version(db, program_id, kind, definition_id, version)
    return made is not None


async def change_definition(
    db: Db, *, program_id: int, kind: str, definition_id: str, version: DefinitionVersion
) -> None:
    """Add a version of a definition, its newest."""
    await _insert_version(db, program_id, kind, definition_id, version)
    await db.execute(_STATEMENTS["definition_update"].sql, program_id, kind, definition_id, version.number)


async def _insert_version(db: Db, program_id: int, kind: str, definition_id: str, version: DefinitionVersion) -> None:
    """Add a version. Raises Invalid for content that Postgres writes too long: it has no exponents of ten."""
    try:
        await db.execute(
            _STATEMENTS["definition_version_insert"].sql,
            program_id,
            kind,
            definition_id,
            version.number,
            version.id,
            version.state.value,
            version.content.decode(),
            version.valid_from,
            version.recorded_at,
        )
    except CheckViolationError as fault:
        if fault.constraint_name != "definition_version_content_check":
            raise
        detail = "This is too large as it is stored: its fractions have too many digits."
        raise Invalid(detail, pointer="", reason="too_large") from None


async def news_of_definitions(db: Db, *, program_id: int, version_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of versions of definitions."""
    return await db.fetch(_STATEMENTS["definition_news"].sql, program_id, version_ids)
