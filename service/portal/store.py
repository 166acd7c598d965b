"""Rows of the portal."""

from datetime import datetime
from uuid import UUID

from asyncpg import Record

from service.kernel.ids import GREATEST_ID
from service.platform.statements import Db, load
from service.portal.signing_keys import SigningKey

_STATEMENTS = load(__file__)


def _key(row: Record) -> SigningKey:
    return SigningKey(**row)


async def insert_key(db: Db, *, key: SigningKey) -> None:
    """Add a key."""
    await db.execute(
        _STATEMENTS["signing_key_insert"].sql,
        key.program_id,
        key.id,
        key.name,
        key.algorithm,
        key.public_key,
        key.created_at,
    )


async def list_keys(db: Db, *, program_id: int, before: UUID | None, limit: int) -> list[SigningKey]:
    """Read up to `limit` + 1 keys of a program, newest first, behind an id."""
    rows = await db.fetch(_STATEMENTS["signing_key_list"].sql, program_id, before or GREATEST_ID, limit + 1)
    return [_key(row) for row in rows]


async def lock_key(db: Db, *, program_id: int, key_id: UUID) -> SigningKey | None:
    """Lock a key and read it."""
    row = await db.fetchrow(_STATEMENTS["signing_key_lock"].sql, program_id, key_id)
    return None if row is None else _key(row)


async def count_keys(db: Db, *, program_id: int) -> int:
    """Count a program's keys that are not revoked."""
    return int(await db.fetchval(_STATEMENTS["signing_key_count"].sql, program_id))


async def revoke_key(db: Db, *, program_id: int, key_id: UUID, now: datetime) -> None:
    """End a key."""
    await db.execute(_STATEMENTS["signing_key_revoke"].sql, program_id, key_id, now)


async def all_keys(db: Db) -> list[SigningKey]:
    """Read all keys of all programs that are not revoked."""
    return [_key(row) for row in await db.fetch(_STATEMENTS["signing_key_all"].sql)]
