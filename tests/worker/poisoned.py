"""A worker with a job that takes it along, and one that is only near: `python -m tests.worker.poisoned`."""

import asyncio
import os

from service.platform.database import Database
from service.platform.queue.job import Job
from service.platform.queue.turn import Turn
from service.platform.settings import Settings
from service.worker import run
from tests.worker.workers import QUICK

ATTEMPTS = 3


async def _kill(_: Database, __: Turn) -> bool:
    os._exit(9)


async def _be_near(_: Database, turn: Turn) -> bool:
    await turn.rest(0.5)
    return True


if __name__ == "__main__":
    jobs = [
        Job(name="poison", cron="0 0 1 1 *", run=_kill, attempts=ATTEMPTS),
        Job(name="near", cron="0 0 1 1 *", run=_be_near, attempts=ATTEMPTS),
    ]
    asyncio.run(run(Settings(), jobs, patience=QUICK))
