"""The queue: PgQueuer with our jobs in it. Its tables are written by workers alone, never inside a booking."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from pgqueuer import AsyncpgDriver, PgQueuer, Queries
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job as QueuedJob
from pgqueuer.models import Schedule

from service.platform.database import CONNECTION_FAULTS, Database
from service.platform.queue import store
from service.platform.queue.job import Job, Subject
from service.platform.queue.running import Ended, Outcome, Runner
from service.platform.statements import Db
from service.platform.waiting import wait_at_most

_LOOKS_EVERY: Final = 1.0
"""Seconds between looks for what nobody notified of: jobs that go on or are tried again, and those of dead workers."""
_AFTER_A_FAULT: Final = 1.0
_CUT_SECONDS: Final = 3.0
_FEELS_EVERY: Final = 2.0
_NO_ANSWER_SECONDS: Final = 10.0
"""Seconds without an answer after which the connection counts as lost: one that is half-open never ends by itself."""
_UNCOUNTED_PAUSE: Final = 5.0
"""Seconds before a job is begun again that could not be, since the database didn't answer."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker is waited for."""

    silent: float = 15.0
    """Seconds without a sign of life after which a worker's jobs are run by others."""
    stopping: float = 16.0
    """Seconds that running jobs have to end when the worker is told to stop; what doesn't, others run again."""


async def enqueue(queries: Queries, name: str, *subjects: Subject) -> None:
    """Put a job into the queue for each subject, unless it is there already."""
    if subjects:
        await queries.enqueue(
            [name] * len(subjects),
            [subject.payload() for subject in subjects],
            [0] * len(subjects),
            dedupe_key=[subject.dedupe_key(name) for subject in subjects],
            on_conflict="skip",
        )


class Queue:
    """Some jobs that share a connection and a number of places, so that they never wait for others' places."""

    def __init__(
        self, database: Database, runner: Runner, jobs: Sequence[Job], *, places: int, patience: Patience
    ) -> None:
        self._database = database
        self._runner = runner
        self._jobs = jobs
        self._places = places
        self._patience = patience
        self._running = set[tuple[str, Subject]]()
        self.is_working = False

    async def work(self, stop: asyncio.Event) -> None:
        """Run jobs until told to stop. A database that goes away is waited for, and no fault ends it."""
        while not stop.is_set():
            try:
                await self._work(stop)
            except CONNECTION_FAULTS as fault:
                _log.warning("worker_waits_for_database", reason=type(fault).__name__)
            except Exception as fault:  # noqa: BLE001 - tables that are missing still, a statement that took too long
                _log.error("queue_failed", exc_info=fault)
            self.is_working = False
            await wait_at_most(stop, _AFTER_A_FAULT)

    async def _work(self, stop: asyncio.Event) -> None:
        connection = await self._database.connect()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            queue = self._made(connection)
            queries = Queries(queue.connection)
            for job in self._jobs:
                if job.cron is not None:  # a worker that was away may have missed some times
                    await self._enqueue(queries, job)
            others = [self._look(queries, job) for job in self._jobs if job.looks_every is not None]
            await self._run(queue, [*others, self._feel(queue, lost)], stop, lost, cut=connection.terminate)
        finally:
            connection.terminate()

    def _made(self, connection: Db) -> PgQueuer:
        queue = PgQueuer(AsyncpgDriver(connection))
        queries = Queries(queue.connection)
        for job in self._jobs:
            queue.entrypoint(job.name)(self._running_of(job))
            if job.cron is not None:
                queue.schedule(job.name, job.cron, clean_old=True)(self._putting(queries, job))
        return queue

    async def _run(
        self,
        queue: PgQueuer,
        beside: Sequence[Awaitable[None]],
        stop: asyncio.Event,
        lost: asyncio.Event,
        *,
        cut: Callable[[], None],
    ) -> None:
        """Run until told to stop, or until the connection is lost: alone, the queue would notice late."""
        working = asyncio.create_task(self._managed(queue))
        others = [asyncio.ensure_future(each) for each in beside]
        ends = [asyncio.create_task(event.wait()) for event in (stop, lost)]
        self.is_working = True
        try:
            await asyncio.wait([working, *ends], return_when=asyncio.FIRST_COMPLETED)
            queue.shutdown.set()
            if not working.done() and not lost.is_set():
                await asyncio.wait([working, ends[1]], timeout=self._patience.stopping, return_when="FIRST_COMPLETED")
            if not working.done():
                # Cut first: what is cancelled then can't be taken out of the queue, and others run it again.
                _log.warning("worker_leaves_jobs", jobs=len(self._running), reason="lost" if lost.is_set() else "slow")
                cut()
                working.cancel()
                await asyncio.wait([working], timeout=_CUT_SECONDS)
        finally:
            for each in (*others, *ends):
                each.cancel()
            await asyncio.wait([*others, *ends])
        if working.done() and not working.cancelled():
            await working

    async def _managed(self, queue: PgQueuer) -> None:
        run = queue.run if any(job.cron for job in self._jobs) else queue.qm.run  # without schedules: no scheduler
        await run(
            dequeue_timeout=timedelta(seconds=_LOOKS_EVERY),
            batch_size=max(self._places // 4, 1),
            max_concurrent_tasks=self._places,
            heartbeat_timeout=timedelta(seconds=self._patience.silent),
            log_aggregation_interval=timedelta(0),  # numbers of our own tell more, and it writes each row of it twice
        )

    def _running_of(self, job: Job) -> Callable[[QueuedJob], Awaitable[None]]:
        async def run(queued: QueuedJob) -> None:
            subject = Subject.read(queued.payload)
            self._running.add((job.name, subject))
            try:
                ended = await self._runner.run(job, subject)
            except Exception as fault:  # noqa: BLE001 - what goes wrong in the job itself doesn't get here
                _log.warning("job_not_noted", job=job.name, reason=type(fault).__name__)
                ended = Ended(Outcome.FAILED, _UNCOUNTED_PAUSE)
            finally:
                self._running.discard((job.name, subject))
            # What is looked for goes back into the queue by that, which is sooner than this.
            if ended.outcome is Outcome.FAILED or (ended.outcome is Outcome.MORE and job.looks_every is None):
                raise RetryRequested(timedelta(seconds=ended.pause), ended.outcome.value)

        return run

    def _putting(self, queries: Queries, job: Job) -> Callable[[Schedule], Awaitable[None]]:
        async def put(_: Schedule) -> None:
            await self._enqueue(queries, job)

        return put

    async def _enqueue(self, queries: Queries, job: Job) -> None:
        async with self._database.answering() as db:
            subjects = await job.subjects(db)
            dead = await store.dead_subjects(db, job)
        fresh = [each for each in subjects if each not in dead and (job.name, each) not in self._running]
        await enqueue(queries, job.name, *fresh)

    async def _feel(self, queue: PgQueuer, lost: asyncio.Event) -> None:
        """Ask again and again whether the connection still carries an answer; tell where it doesn't."""
        while True:
            await asyncio.sleep(_FEELS_EVERY)
            try:
                async with asyncio.timeout(_NO_ANSWER_SECONDS):
                    await queue.connection.fetch("SELECT 1")
            except TimeoutError:
                await self._database.doubt()  # the others may be as silent
                lost.set()
                return
            except Exception as fault:  # noqa: BLE001 - the end of a connection is told by itself
                _log.warning("queue_not_felt", reason=type(fault).__name__)

    async def _look(self, queries: Queries, job: Job) -> None:
        """Look again and again whether there is anything to run a job for."""
        while True:
            pause = job.looks_every or _LOOKS_EVERY
            try:
                await self._enqueue(queries, job)
            except Exception as fault:  # noqa: BLE001 - looking goes on; a lost connection is seen by others
                _log.warning("looking_failed", job=job.name, reason=type(fault).__name__)
                pause = _AFTER_A_FAULT
            await asyncio.sleep(pause)
