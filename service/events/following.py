"""Waiting for events: callers of one process wait together, and one query looks for all of them."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Final

import structlog

from service.events import usecases
from service.platform.database import Database
from service.platform.metrics.values import Gauge

_LOOKS_EVERY: Final = 0.1
"""Seconds between looks at where the feeds are, while anybody waits."""
_AFTER_A_FAULT: Final = 0.5
_FOLLOWERS: Final = Gauge("loyalty_feed_followers", "Callers who wait for events.")
_log = structlog.get_logger()


class Following:
    """Lets callers wait until there is something behind the place that they have seen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = defaultdict[int, set[tuple[int, asyncio.Event]]](set)
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
            for _, wake in those:
                wake.set()

    async def wait(self, program_id: int, *, after: int, seconds: float) -> None:
        """Wait until the feed of a program has gone beyond a place, at most so long."""
        wake = asyncio.Event()
        self._waiting[program_id].add((after, wake))
        self._somebody.set()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await wake.wait()
        finally:
            self._waiting[program_id].discard((after, wake))
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
            for after, wake in self._waiting.get(program_id, ()):
                if place > after:
                    wake.set()
