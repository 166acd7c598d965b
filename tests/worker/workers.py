"""Workers as processes of their own, and waiting for what they do."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from service.platform.database import Database
from service.platform.queue.job import Job
from service.platform.queue.queue import Patience, Queue
from service.platform.queue.running import Runner
from service.platform.settings import CHECKOUT, Settings
from service.worker import JOBS

PATIENCE_SECONDS = 60
SCHEDULES = sum(1 for job in JOBS if job.cron is not None)
QUICK = Patience(silent=2.0, stopping=5.0)
"""Workers that die are noticed soon, so that tests needn't wait long."""


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await true():
            await asyncio.sleep(0.05)


async def until_so(true: Callable[[], bool]) -> None:
    """Wait for a condition of this process."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():
            await asyncio.sleep(0.01)


def start_worker(settings: Settings, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start the command, or with arguments a module of the tests instead."""
    named = {
        "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
        "PYTHONPATH": str(CHECKOUT),
        **environment,
    }
    others = {name: value for name, value in os.environ.items() if name not in named}
    return subprocess.Popen(
        [sys.executable, "-m", *(arguments or ("service", "worker"))],
        env=others | {name: value for name, value in named.items() if value is not None},
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
    )


@asynccontextmanager
async def working(
    settings: Settings, jobs: Sequence[Job], *, places: int = 8, patience: Patience = QUICK
) -> AsyncGenerator[Queue]:
    """Run jobs in this process."""
    database, stop = Database(settings), asyncio.Event()
    await database.open()
    queue = Queue(database, Runner(database, stop), jobs, places=places, patience=patience)
    work = asyncio.create_task(queue.work(stop))
    try:
        yield queue
    finally:
        stop.set()
        await work
        await database.close()
