"""Waiting for events: callers of one process wait together, and few queries look for all of them."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

import structlog

from service.events import usecases
from service.platform.database import Database
from service.platform.metrics.values import Gauge

_LOOKS_EVERY: Final = 0.1
"""Seconds between looks at where the feeds are, while anybody waits."""
_AFTER_A_FAULT: Final = 0.5
_LOOKED_THROUGH_AT_ONCE: Final = 1_000
"""Among how many events it is looked whether some are of the types that somebody waits for."""
_FOLLOWERS: Final = Gauge("loyalty_feed_followers", "Callers who wait for events.")
_log = structlog.get_logger()


class _Follower:
    """Somebody who waits for what comes behind a place: anything, or events of some types."""

    __slots__ = ("after", "types", "wake")

    def __init__(self, after: int, types: Collection[str] | None) -> None:
        self.after = after
        self.types = types
        self.wake = asyncio.Event()


class Following:
    """Lets callers wait until there is something behind the place that they have seen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = defaultdict[int, set[_Follower]](set)
        self._somebody = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        _FOLLOWERS.watch(lambda: sum(len(those) for those in self._waiting.values()))

    def open(self) -> None:
        """Begin to look, whenever somebody waits."""
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Let nobody wait any longer."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        for those in self._waiting.values():
            for each in those:
                each.wake.set()

    async def wait(self, program_id: int, *, after: int, seconds: float, types: Collection[str] | None = None) -> None:
        """Wait until a feed has something behind a place, or something of some types there, at most so long."""
        follower = _Follower(after, types)
        self._waiting[program_id].add(follower)
        self._somebody.set()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await follower.wake.wait()
        finally:
            self._waiting[program_id].discard(follower)
            if not self._waiting[program_id]:
                del self._waiting[program_id]

    async def _look(self) -> None:
        while True:
            await self._somebody.wait()
            try:
                await self._wake()
            except Exception as fault:  # noqa: BLE001 - they wait on; whoever gives up asks the database and is told
                _log.warning("feed_not_looked_at", reason=type(fault).__name__)
                await asyncio.sleep(_AFTER_A_FAULT)
            await asyncio.sleep(_LOOKS_EVERY)
            if not self._waiting:
                self._somebody.clear()

    async def _wake(self) -> None:
        async with self._database.reading() as db:
            last = await usecases.last_places(db, program_ids=sorted(self._waiting))
        for program_id, place in last.items():
            behind = [each for each in self._waiting.get(program_id, ()) if place > each.after]
            for each in behind:
                if each.types is None:
                    each.wake.set()
            await self._wake_for_types(program_id, place, [each for each in behind if each.types is not None])

    async def _wake_for_types(self, program_id: int, place: int, behind: Sequence[_Follower]) -> None:
        """Wake those whose types have come; the others would each look, and find nothing."""
        first = min((each.after for each in behind), default=place)
        if place - first > _LOOKED_THROUGH_AT_ONCE:
            for each in behind:
                each.wake.set()
        elif place > first:
            async with self._database.reading() as db:
                came = await usecases.types_between(db, program_id=program_id, after=first, through=place)
            for each in behind:
                if any(came.get(name, 0) > each.after for name in each.types or ()):
                    each.wake.set()
                else:
                    each.after = place
