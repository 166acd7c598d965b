"""A worker whose sequencer fails at first: `python -m tests.worker.faulty`."""

import asyncio

from service.events import sequencing
from service.platform.database import Database
from service.platform.settings import Settings
from service.worker import run
from tests.worker.workers import QUICK

_sequence, _failures = sequencing.run, [ValueError(), ValueError()]


async def _fail_first(database: Database, stop: asyncio.Event) -> None:
    if _failures:
        raise _failures.pop()
    await _sequence(database, stop)


if __name__ == "__main__":
    sequencing.run = _fail_first
    asyncio.run(run(Settings(), patience=QUICK))
