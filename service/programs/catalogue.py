"""Programs and keys, kept in each process and refreshed when a number in the database says so.

Polled twice a second: a notification can't pass a transaction pooler. A key that is not known is looked for with one
poll at once, shared by all who ask, so that a new key works at once and guessing costs one small read at a time.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from service.kernel.errors import Unavailable
from service.platform.authentication import Actor
from service.platform.database import Database
from service.platform.http.request import ApiRequest
from service.platform.metrics.values import Gauge
from service.platform.roles import PORTAL_PLAYS, PORTAL_REDEEMS, Right, Role
from service.programs import store
from service.programs.rules import Program

POLL_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 2.0  # who asks may wait for two looks, and is answered within 5 s
_AGE: Final = Gauge("loyalty_catalogue_age_seconds", "Since the last look at programs and keys that succeeded.")
_VERSION: Final = Gauge("loyalty_catalogue_version", "The version of programs and keys that is known; -1 before any.")
_log = structlog.get_logger()


class Catalogue:
    """What this process knows of programs and keys; at most half a second old while the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = -1
        self._looked_at = time.monotonic()
        self._identity: str | None = None
        self._ahead: datetime | None = None
        self._reload_at = float("inf")
        self._programs: dict[int, Program] = {}
        self._codes: dict[str, Program] = {}
        self._actors: dict[bytes, Actor] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to poll. Call it in the running loop."""
        self._polling = asyncio.create_task(self._poll())
        _AGE.watch(self._age)
        _VERSION.watch(self._known_version)

    async def close(self) -> None:
        """Stop polling."""
        tasks = [task for task in (self._polling, self._refreshing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _AGE.forget(self._age)
        _VERSION.forget(self._known_version)

    def known(self, key_hash: bytes) -> Actor | None:
        """Return the actor of a valid key as of the last look."""
        return self._actors.get(key_hash)

    async def find(self, key_hash: bytes) -> Actor | None:
        """Return the actor of a valid key."""
        actor = self._actors.get(key_hash)
        if actor is None:
            await self.refresh()
            actor = self._actors.get(key_hash)
        return actor

    def program(self, program_id: int) -> Program:
        """Return a program by its id. Raises KeyError."""
        return self._programs[program_id]

    def program_with_code(self, code: str) -> Program | None:
        """Return a program by its code, as of the last look."""
        return self._codes.get(code)

    def programs(self) -> Collection[Program]:
        """Return all programs, as of the last look."""
        return self._programs.values()

    def version(self) -> int:
        """Return the version of programs and keys that is known; -1 before any."""
        return self._version

    def now(self) -> datetime:
        """Return the database's time, going on from the last look: no decision rests on this machine's clock.

        Raises Unavailable before any look.
        """
        if self._ahead is None:
            raise Unavailable("The database has not been reached yet.")
        return self._ahead + timedelta(seconds=time.monotonic())

    def database_identity(self) -> str | None:
        """Return what names the database as of the last look: another one after a restore or a failover."""
        return self._identity

    def _age(self) -> float:
        return time.monotonic() - self._looked_at

    def _known_version(self) -> float:
        return self._version

    async def refresh(self) -> None:
        """Look for news now. Whoever asks while that is under way waits for the look after it."""
        under_way = self._refreshing
        if under_way is not None and not under_way.done():
            await asyncio.wait([under_way])
        if self._refreshing is under_way or self._refreshing is None:
            self._refreshing = asyncio.create_task(self._look())
        await asyncio.shield(self._refreshing)

    async def _look(self) -> None:
        async with self._database.reading(_PATIENCE_SECONDS) as db:
            asked_at = time.monotonic()
            version, self._identity, database_time = await store.catalogue_version(db)
            self._ahead = database_time - timedelta(seconds=asked_at)
            now = asyncio.get_running_loop().time()
            if version == self._version and now < self._reload_at:
                self._looked_at = time.monotonic()
                return
            # The version was read first: a change in between is loaded again at the next look. Keys before programs:
            # the program of each key that is found must be found, too.
            actors, seconds = await store.valid_keys(db)
            loaded = await store.all_programs(db)
        programs = {each.id: _with_what_was_made(each, self._programs.get(each.id)) for each in loaded.values()}
        self._programs, self._version = programs, version
        self._codes = {each.code: each for each in programs.values()}
        self._actors = {key_hash: _with_more(actor, programs) for key_hash, actor in actors.items()}
        self._looked_at = time.monotonic()
        self._reload_at = float("inf") if seconds is None else now + seconds
        _log.debug("catalogue_loaded", version=version, programs=len(programs))

    async def _poll(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as fault:  # noqa: BLE001 - what is known goes on being used until the database is back
                _log.warning("catalogue_stale", reason=type(fault).__name__)
            await asyncio.sleep(POLL_SECONDS)


def _with_what_was_made(program: Program, before: Program | None) -> Program:
    """Keep definitions that stayed the same, with what rooms have made of them: most changes are of something else."""
    if before is None or before.definitions.version_ids != program.definitions.version_ids:
        return program
    return msgspec.structs.replace(program, definitions=before.definitions)


def _with_more(actor: Actor, programs: Mapping[int, Program]) -> Actor:
    """Let keys of portals do what the program lets customers do there."""
    if actor.role is not Role.PORTAL:
        return actor
    policy = programs[actor.program_id].settings.portal
    more = set[Right]()
    if policy.may_redeem:
        more |= PORTAL_REDEEMS
    if policy.may_play:
        more |= PORTAL_PLAYS
    return replace(actor, more=frozenset(more))


def program_of(request: ApiRequest) -> Program:
    """Return the program of who calls."""
    return request.part(Catalogue).program(request.actor.program_id)
