"""The worker: scheduled and queued work, beside the API. Any number of them may run."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog
from pgqueuer import AsyncpgDriver, PgQueuer
from pgqueuer.models import Schedule

from service.platform import jobs
from service.platform.database import CONNECTION_FAULTS, Database
from service.platform.settings import Settings
from service.platform.statements import Db
from service.points import jobs as points
from service.rewards import jobs as rewards

Job = Callable[[Database], Awaitable[object]]

SCHEDULES: Final[dict[str, tuple[str, Job]]] = {
    "make_partitions_ahead": ("7 * * * *", jobs.make_partitions_ahead),
    "settle_due": ("*/10 * * * *", points.settle_due),
    "give_back_lapsed": ("*/5 * * * *", rewards.give_back_lapsed),
}
"""What runs when: cron expressions in UTC, and jobs that are safe to run twice and at once."""

_NOT_MIGRATED: Final = (asyncpg.UndefinedFunctionError, asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError)
_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Work until told to stop. A database that goes away is waited for."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    database = Database(settings)
    await database.open(size=4)
    try:
        while not stop.is_set():
            await _work(database, stop)
    finally:
        await database.close()


async def _work(database: Database, stop: asyncio.Event) -> None:
    """Run jobs on one connection until told to stop or until it is lost."""
    try:
        connection = await database.connect()
    except CONNECTION_FAULTS as fault:
        _log.warning("worker_waits_for_database", reason=type(fault).__name__)
        await _pause(stop)
        return
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    try:
        await _run_once_at_start(database)
        await _run_queue(_queue(connection, database), stop, lost)
    except (*CONNECTION_FAULTS, *_NOT_MIGRATED) as fault:
        _log.warning("worker_waits_for_database", reason=type(fault).__name__)
        await _pause(stop)
    finally:
        connection.terminate()


def _queue(connection: Db, database: Database) -> PgQueuer:
    queue = PgQueuer(AsyncpgDriver(connection))
    for name, (expression, job) in SCHEDULES.items():
        queue.schedule(name, expression, clean_old=True)(_scheduled(name, job, database))
    return queue


async def _run_queue(queue: PgQueuer, stop: asyncio.Event, lost: asyncio.Event) -> None:
    """Run until told to stop, or until the connection is lost: the queue alone would not notice for half a minute."""
    working = asyncio.create_task(queue.run())
    ends = [asyncio.create_task(event.wait()) for event in (stop, lost)]
    await asyncio.wait([working, *ends], return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    queue.shutdown.set()
    if lost.is_set():
        working.cancel()
        await asyncio.wait([working])
        _log.warning("worker_lost_connection")
        return
    await working


async def _run_once_at_start(database: Database) -> None:
    """Run every schedule once: a worker that was away may have missed some."""
    for name, (_, job) in SCHEDULES.items():
        await _run(name, job, database)


def _scheduled(name: str, job: Job, database: Database) -> Callable[[Schedule], Awaitable[None]]:
    async def run_job(_: Schedule) -> None:
        await _run(name, job, database)

    return run_job


async def _run(name: str, job: Job, database: Database) -> None:
    """Run a job. One that fails is told of and runs again at its next time; it keeps no other from running."""
    try:
        await job(database)
    except (*CONNECTION_FAULTS, *_NOT_MIGRATED):
        raise
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is this job's
        _log.error("job_failed", job=name, exc_info=fault)
        return
    _log.info("job_done", job=name)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(1):
            await stop.wait()
    except TimeoutError:
        return
