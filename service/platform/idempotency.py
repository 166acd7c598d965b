"""Commands: calls without an id of their own, made safe to repeat by the caller's `Idempotency-Key`.

Postgres decides, in the transaction of the change. Redis keeps recent answers, so that a storm of repetitions costs no
transaction; when it is down, empty or behind, nothing is wrong, only slower.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from service.kernel.errors import Invalid, Kind, Refusal
from service.platform.database import Database
from service.platform.redis import FAULTS, Availability
from service.platform.statements import Db, load
from service.platform.transaction import transact

_STATEMENTS = load(__file__)
_RECENT_SECONDS: Final = 300


class KeyInFlight(Refusal):
    """The first call with this key isn't through yet."""

    kind = Kind.CONFLICT
    code = "idempotency_key_in_flight"
    title = "A call with this Idempotency-Key is in flight"
    retry_after = 1


class KeyReused(Invalid):
    """The key came with another request before."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key belongs to another request"

    def __init__(self) -> None:
        detail = "Use a new Idempotency-Key for a new request."
        super().__init__(detail, pointer="", reason="idempotency_key_reused")


class Answered(msgspec.Struct, frozen=True):
    """What a command was answered with. `answer` holds no personal data: it outlives an erasure."""

    request_hash: bytes
    status: int
    answer: Any
    replayed: bool = False


def hash_of_request(operation: str, content: object) -> bytes:
    """Hash what a command asks for: the operation with its path, and its decoded body."""
    body = msgspec.json.encode(content, order="sorted")
    return hashlib.blake2b(operation.encode() + b"\n" + body, digest_size=16).digest()


class RecentAnswers:
    """Answers of the last minutes in Redis. Every fault of Redis is the same as an empty one.

    They are kept under the identity of the database, so that no other database's answers are found, nor those of a
    database before it was restored or failed over and maybe lost the command. `identity` gives None while unknown.
    """

    def __init__(self, redis: Redis, identity: Callable[[], str | None]) -> None:
        self._redis = redis
        self._identity = identity
        self._availability = Availability()

    async def find(self, program_id: int, key: str) -> Answered | None:
        """Return a recent answer; None where there is none or Redis doesn't answer at once."""
        name = self._name(program_id, key)
        if name is None:
            return None
        try:
            found = await self._redis.get(name)
            return None if found is None else msgspec.json.decode(found, type=Answered)
        except msgspec.DecodeError:
            return None
        except FAULTS as fault:
            self._availability.failed(fault)
            return None

    async def keep(self, program_id: int, key: str, answered: Answered) -> None:
        """Keep an answer that is committed."""
        name = self._name(program_id, key)
        if name is None:
            return
        try:
            await self._redis.set(name, msgspec.json.encode(answered), ex=_RECENT_SECONDS)
        except FAULTS as fault:
            self._availability.failed(fault)

    def _name(self, program_id: int, key: str) -> str | None:
        """Return the key in Redis; None where it isn't to be asked."""
        identity = self._identity()
        if identity is None or self._availability.is_away():
            return None
        return f"loyalty:answer:{identity}:{program_id}:{key}"


class Commands:
    """Runs commands: once for each key, in one transaction with the record of their answer."""

    def __init__(self, database: Database, recent: RecentAnswers) -> None:
        self._database = database
        self._recent = recent

    async def run(
        self,
        *,
        program_id: int,
        key: str | None,
        request_hash: bytes,
        work: Callable[[Db], Awaitable[tuple[int, Any]]],
        dry_run: bool = False,
    ) -> Answered:
        """Run work that gives a status and an answer, or replay what it gave. Raises KeyInFlight, KeyReused.

        Refusals of the work are not kept: it did nothing, and a repetition may fare otherwise.
        """
        if key is None or dry_run:
            status, answer = await transact(self._database.connection, work, rollback=dry_run)
            return Answered(request_hash, 200 if dry_run else status, answer)
        answered = await self._recent.find(program_id, key)
        if answered is None:
            made = list[Answered]()
            answered = await transact(
                self._database.connection, lambda db: self._once(db, program_id, key, request_hash, work, made)
            )
            await self._recent.keep(program_id, key, msgspec.structs.replace(answered, replayed=True))
        if answered.request_hash != request_hash:
            raise KeyReused
        return answered

    async def find(self, *, program_id: int, key: str, request_hash: bytes) -> Answered | None:
        """Return what a command was answered with before; None where it wasn't, or not yet. Raises KeyReused.

        For what must not be done again before the command is run, and can't be done in its transaction.
        """
        answered = await self._recent.find(program_id, key)
        if answered is None:
            async with self._database.reading() as db:
                answered = await _read(db, program_id, key)
        if answered is not None and answered.request_hash != request_hash:
            raise KeyReused
        return answered

    async def _once(
        self,
        db: Db,
        program_id: int,
        key: str,
        request_hash: bytes,
        work: Callable[[Db], Awaitable[tuple[int, Any]]],
        made: list[Answered],
    ) -> Answered:
        """Do the work, or read what was answered. `made` holds what earlier attempts of this call have answered."""
        if not await db.fetchval(_STATEMENTS["command_lock"].sql, program_id, key):
            raise KeyInFlight
        found = await _read(db, program_id, key)
        if found is not None:
            # Our own: it was committed, and only the commit's answer was lost.
            its_own = msgspec.structs.replace(found, replayed=False)
            return its_own if its_own in made else found
        status, answer = await work(db)
        text = msgspec.json.encode(answer).decode()
        await db.execute(_STATEMENTS["command_insert"].sql, program_id, key, request_hash, status, text)
        made.append(Answered(request_hash, status, msgspec.json.decode(text)))
        return Answered(request_hash, status, answer)


async def _read(db: Db, program_id: int, key: str) -> Answered | None:
    """Read what a key's command was answered with."""
    row = await db.fetchrow(_STATEMENTS["command_read"].sql, program_id, key)
    if row is None:
        return None
    return Answered(row["request_hash"], row["status"], msgspec.json.decode(row["answer"]), replayed=True)
