"""Rows of programs, their settings and their keys."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import msgspec
from asyncpg import Record

from service.events.rules import Placed
from service.kernel.times import FIRST_MOMENT
from service.platform.authentication import Actor
from service.platform.rate_limits import DEFAULT_LIMIT, RateLimit
from service.platform.roles import Role
from service.platform.statements import Db, load
from service.programs.rules import ApiKey, KeyLimit, Program, ProgramSettings, SettingsVersion, applying

_STATEMENTS = load(__file__)


def _program(rows: Sequence[Record]) -> Program:
    """Make a program of its rows, one for each version of its settings, by number."""
    *earlier, newest = applying(map(_version, rows))
    row = rows[0]
    return Program(row["id"], row["code"], row["name"], row["live"], newest, tuple(earlier))


def _version(row: Record) -> SettingsVersion:
    settings = msgspec.json.decode(row["settings"], type=ProgramSettings)
    return SettingsVersion(row["version"], settings, row["valid_from"] or FIRST_MOMENT)


def _key(row: Record) -> ApiKey:
    limit = None if row["burst"] is None else KeyLimit(row["requests_per_second"], row["burst"])
    return ApiKey(row[0], row[1], Role(row[2]), *row[3:8], limit=limit, origin=row["origin"])


def _actor(row: Record) -> Actor:
    limit = DEFAULT_LIMIT if row["burst"] is None else RateLimit(row["requests_per_second"], row["burst"])
    return Actor(row["program_id"], row["id"], Role(row["role"]), row["origin"], limit)


def _columns(limit: KeyLimit | None) -> tuple[int | None, int | None]:
    return (None, None) if limit is None else (limit.per_second, limit.burst)


async def database_time(db: Db) -> datetime:
    """Tell the database's time."""
    return await db.fetchval(_STATEMENTS["database_time"].sql)


async def catalogue_version(db: Db) -> tuple[int, str]:
    """Read the number that grows with every change to programs and keys, and what names this very database."""
    row = await db.fetchrow(_STATEMENTS["catalogue_version"].sql)
    if row is None:
        raise LookupError
    return row["version"], row["identity"]


async def bump_catalogue(db: Db) -> None:
    """Tell every process that programs or keys changed."""
    await db.execute(_STATEMENTS["catalogue_bump"].sql)


async def all_programs(db: Db) -> dict[int, Program]:
    """Read all programs, by id."""
    rows = await db.fetch(_STATEMENTS["program_all"].sql)
    return {program_id: _program(list(its_rows)) for program_id, its_rows in groupby(rows, key=lambda row: row["id"])}


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
    return _program(rows)


async def program_with_code(db: Db, *, code: str) -> Program | None:
    """Read a program by its code."""
    rows = await db.fetch(_STATEMENTS["program_with_code"].sql, code)
    return _program(rows) if rows else None


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
