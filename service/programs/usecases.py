"""What can be done with programs and keys."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID, time_ordered_id
from service.platform.authentication import Actor, hash_of_key
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.roles import Role
from service.platform.statements import Db, write_together
from service.programs import store
from service.programs.rules import (
    ApiKey,
    KeyEnds,
    KeyLimit,
    Program,
    ProgramExists,
    ProgramSettings,
    SettingsVersion,
    changed,
    check_names,
    checked,
    checked_limit,
    with_settings,
)

PROGRAM_CHANGED: Final = "program.changed"


async def create_program(db: Db, *, code: str, name: str, live: bool, settings: ProgramSettings) -> Program:
    """Make a program. Its first settings apply to whatever occurred before them, too. Raises ProgramExists, Invalid."""
    check_names(code=code, name=name)
    first = SettingsVersion(1, checked(settings, live=live))
    program_id = await store.insert_program(db, code=code, name=name, live=live, first=first)
    if program_id is None:
        raise ProgramExists
    await store.bump_catalogue(db)
    return Program(program_id, code, name, live, first)


async def lock(db: Db, *, program_id: int) -> Program:
    """Lock a program for a change of what belongs to it, before all else of it, and read it."""
    return await store.lock_program(db, program_id=program_id)


async def tell_processes(db: Db) -> None:
    """Let every process read anew, within a second, what it keeps of programs: something of one changed."""
    await store.bump_catalogue(db)


async def list_programs(db: Db) -> list[Program]:
    """Read all programs, by code."""
    return sorted((await store.all_programs(db)).values(), key=lambda program: program.code)


async def read_program(db: Db, *, program_id: int) -> Program:
    """Read a program by its id. Raises NotFound."""
    program = await store.read_program(db, program_id=program_id)
    if program is None:
        raise NotFound
    return program


async def program_with_code(db: Db, code: str) -> Program:
    """Find a program by its code. Raises NotFound."""
    program = await store.program_with_code(db, code=code)
    if program is None:
        raise NotFound
    return program


async def change_program(
    db: Db,
    *,
    program_id: int,
    name: str | None,
    settings: Mapping[str, Any],
    valid_from: datetime | None = None,
    entropy: int,
) -> Program:
    """Replace the given settings by a new version, for what occurs from `valid_from` on, without it from now on.

    Nothing to change makes no version and tells nobody. What was booked stays as it was. Raises Invalid.
    """
    before = await store.lock_program(db, program_id=program_id)
    now = await database_time(db)
    wanted = changed(before.settings, dict(settings), live=before.live)
    after = with_settings(before, wanted, valid_from=valid_from, now=now)
    after = msgspec.structs.replace(after, name=name or before.name)
    if after == before:
        return before
    if after.newest != before.newest:
        await store.insert_settings(db, program_id=program_id, version=after.newest, recorded_at=now)
    await store.update_program(db, program_id=program_id, name=after.name, version=after.version)
    await store.bump_catalogue(db)
    event_id = time_ordered_id(now, entropy)
    event = Event(event_id, PROGRAM_CHANGED, None, event_id)
    await write_together(db, [announcing(program_id, [event], now)])
    return after


async def settings_at(db: Db, *, program_id: int, version: int) -> ProgramSettings:
    """Read a program's settings as they were at a version. Raises NotFound."""
    settings = await store.read_settings(db, program_id=program_id, version=version)
    if settings is None:
        raise NotFound
    return settings


async def add_key(
    db: Db,
    *,
    program_id: int,
    role: Role,
    name: str,
    key: str,
    entropy: int,
    limit: KeyLimit | None = None,
    origin: UUID | None = None,
) -> ApiKey:
    """Store a new key, by its hash. `key` is shown to the caller once; it is not kept. Raises Invalid.

    `origin` is the first key of the line of rotations that it goes on, None where it begins one.
    """
    now = await database_time(db)
    made = ApiKey(
        id=time_ordered_id(now, entropy),
        program_id=program_id,
        role=role,
        name=name,
        hint=key[-4:],
        created_at=now,
        limit=checked_limit(limit),
        origin=origin,
    )
    await store.insert_key(db, key=made, key_hash=hash_of_key(key))
    await store.bump_catalogue(db)
    return made


async def valid_actors(db: Db) -> Mapping[bytes, Actor]:
    """Read the actors of all valid keys, by the keys' hashes."""
    actors, _ = await store.valid_keys(db)
    return actors


async def list_keys(db: Db, *, program_id: int, before: UUID | None, limit: int) -> list[ApiKey]:
    """Read up to `limit` + 1 keys, newest first, behind `before`."""
    return await store.list_keys(db, program_id=program_id, before=before or GREATEST_ID, limit=limit + 1)


async def lock_key(db: Db, *, program_id: int, key_id: UUID) -> ApiKey:
    """Lock a key and read it. Raises NotFound."""
    key = await store.lock_key(db, program_id=program_id, key_id=key_id)
    if key is None:
        raise NotFound
    return key


async def limit_key(db: Db, *, program_id: int, key_id: UUID, limit: KeyLimit | None) -> ApiKey:
    """Give a key a rate limit of its own, or the default. Raises NotFound, Invalid."""
    key = await lock_key(db, program_id=program_id, key_id=key_id)
    limited = msgspec.structs.replace(key, limit=checked_limit(limit))
    if limited != key:
        await store.limit_key(db, key=limited)
        await store.bump_catalogue(db)
    return limited


async def revoke_key(db: Db, *, program_id: int, key_id: UUID) -> ApiKey:
    """End a key now; one that is revoked stays as it is. Raises NotFound."""
    key = await lock_key(db, program_id=program_id, key_id=key_id)
    if key.revoked_at is not None:
        return key
    revoked = msgspec.structs.replace(key, revoked_at=await database_time(db))
    await store.end_key(db, key=revoked)
    await store.bump_catalogue(db)
    return revoked


async def retire_key(db: Db, *, program_id: int, key_id: UUID, grace: timedelta) -> ApiKey:
    """Let a key end after a grace period, for its successor to be put in place. Raises NotFound, KeyEnds."""
    key = await lock_key(db, program_id=program_id, key_id=key_id)
    ends = await database_time(db) + grace
    if key.revoked_at is not None or key.expires_at is not None:
        raise KeyEnds
    retired = msgspec.structs.replace(key, expires_at=ends)
    await store.end_key(db, key=retired)
    await store.bump_catalogue(db)
    return retired
