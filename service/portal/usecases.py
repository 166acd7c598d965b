"""Keys with which partners' servers sign tokens of their customers."""

from uuid import UUID

import msgspec

from service.kernel.errors import NotFound
from service.kernel.ids import IdSource
from service.platform.clock import database_time
from service.platform.statements import Db
from service.portal import store
from service.portal.signing_keys import MOST_KEYS, PublicJwk, SigningKey, TooManySigningKeys, imported
from service.programs import usecases as programs


async def add_key(db: Db, *, program_id: int, name: str, jwk: PublicJwk, entropy: int) -> SigningKey:
    """Register a public key. Raises Invalid, TooManySigningKeys."""
    algorithm, public_key = imported(jwk)
    await programs.lock(db, program_id=program_id)
    if await store.count_keys(db, program_id=program_id) >= MOST_KEYS:
        raise TooManySigningKeys
    now = await database_time(db)
    key = SigningKey(IdSource(now, entropy).next(), program_id, name, algorithm, public_key, now)
    await store.insert_key(db, key=key)
    await programs.tell_processes(db)
    return key


async def list_keys(db: Db, *, program_id: int, before: UUID | None, limit: int) -> list[SigningKey]:
    """Read up to `limit` + 1 of a program's keys, newest first."""
    return await store.list_keys(db, program_id=program_id, before=before, limit=limit)


async def revoke_key(db: Db, *, program_id: int, key_id: UUID) -> SigningKey:
    """End a key now; one that is revoked stays as it is. Raises NotFound."""
    key = await store.lock_key(db, program_id=program_id, key_id=key_id)
    if key is None:
        raise NotFound
    if key.revoked_at is not None:
        return key
    now = await database_time(db)
    await store.revoke_key(db, program_id=program_id, key_id=key_id, now=now)
    await programs.tell_processes(db)
    return msgspec.structs.replace(key, revoked_at=now)
