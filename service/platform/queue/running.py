"""Running jobs: counted before they begin, bounded in time, set aside when they come to nothing again and again."""

import asyncio
import time
from enum import Enum
from functools import partial
from typing import Final, NamedTuple

import asyncpg
import structlog

from service.kernel.errors import Unavailable
from service.platform import telemetry
from service.platform.database import CONNECTION_FAULTS, TRY_AGAIN_FAULTS, Database
from service.platform.metrics.values import Counter, Histogram
from service.platform.queue import store
from service.platform.queue.job import Job, Subject
from service.platform.queue.turn import TakenOver, Turn

_NOT_ITS_OWN: Final = (*CONNECTION_FAULTS, *TRY_AGAIN_FAULTS, Unavailable)
"""Faults by which no job is set aside, however long they last: the database's, and others' locks. An InterfaceError may
be a wrong call as well, and counts."""
_SUSPECT_AFTER: Final = 2
"""Attempts in vain after which a job runs while no other suspect does: one of them may be killing the worker, and then
the others would be blamed, too."""
_ENDED: Final = Counter("loyalty_jobs_ended", "Runs of jobs by how they ended.", ("job", "outcome"))
_DURATION: Final = Histogram(
    "loyalty_job_duration_seconds", "Runs of jobs.", (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 40), ("job",)
)
_WORKED: Final = Counter("loyalty_job_steps", "What jobs have done: customers settled, keys forgotten.", ("job",))
_log = structlog.get_logger()


class Outcome(Enum):
    """How a run ended."""

    DONE = "done"
    MORE = "more"
    """The turn is over, the place is kept."""
    FAILED = "failed"
    SET_ASIDE = "set_aside"
    TAKEN_OVER = "taken_over"


class Ended(NamedTuple):
    """How a run ended, and when to run it again where it is to be (s from now)."""

    outcome: Outcome
    pause: float = 0.0
    done: int = 0
    """How much was done, since all was done last."""
    error: str = ""


class Runner:
    """Runs jobs of one worker."""

    def __init__(self, database: Database, stop: asyncio.Event) -> None:
        self._database = database
        self._stop = stop
        self._suspects = asyncio.Lock()

    async def run(self, job: Job, subject: Subject) -> Ended:
        """Run a job for one turn."""
        async with self._database.answering() as db:
            attempts, is_dead = await store.read(db, job, subject)
            if attempts >= job.attempts and not is_dead:
                await store.set_aside(db, job, subject, error=f"its worker ended under it {attempts} times")
        if attempts >= job.attempts or is_dead:
            if not is_dead:
                _log.error("job_set_aside", job=job.name, program=subject.program_id, attempts=attempts)
            return self._ended(job, Outcome.SET_ASIDE)
        if attempts < _SUSPECT_AFTER:
            return await self._attempt(job, subject)
        async with self._suspects:
            return Ended(Outcome.MORE) if self._stop.is_set() else await self._attempt(job, subject)

    async def _attempt(self, job: Job, subject: Subject) -> Ended:
        async with self._database.answering() as db:
            begun = await store.begin(db, job, subject)
        if begun is None:
            return self._ended(job, Outcome.SET_ASIDE)
        turn = Turn(
            *subject,
            place=begun.place,
            done=begun.done,
            seconds=job.seconds,
            stop=self._stop,
            keep=partial(self._keep, job, subject, begun.run),
        )
        began, limit = time.perf_counter(), asyncio.timeout(job.seconds + job.grace)
        try:
            async with limit:
                is_done = await job.run(self._database, turn)
        except TakenOver:
            return self._ended(job, Outcome.TAKEN_OVER)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is this job's
            counts = limit.expired() or isinstance(fault, asyncpg.InterfaceError) or not isinstance(fault, _NOT_ITS_OWN)
            return await self._failed(job, subject, begun.run, fault, counts=counts)
        finally:
            _DURATION.at((job.name,)).observe(time.perf_counter() - began)
            _WORKED.add((job.name,), turn.done - begun.done)
        async with self._database.answering() as db:
            await (store.end if is_done else store.pause)(db, job, subject, run=begun.run)
        tell = _log.debug if job.cron is None else _log.info
        tell("job_done" if is_done else "job_goes_on", job=job.name, program=subject.program_id, done=turn.done)
        return self._ended(job, Outcome.DONE if is_done else Outcome.MORE, done=turn.done)

    async def _keep(self, job: Job, subject: Subject, run: int, place: str, done: int) -> None:
        async with self._database.answering() as db:
            if not await store.save(db, job, subject, run=run, place=place, done=done):
                raise TakenOver

    async def _failed(self, job: Job, subject: Subject, run: int, fault: Exception, *, counts: bool) -> Ended:
        error = telemetry.place_of(fault)
        async with self._database.answering() as db:
            noted = await store.fail(db, job, subject, run=run, error=error, counts=counts)
        if noted is None:
            return self._ended(job, Outcome.TAKEN_OVER)
        attempts, is_dead = noted
        event = "job_set_aside" if is_dead else "job_failed"
        _log.error(event, job=job.name, program=subject.program_id, attempts=attempts, exc_info=fault)
        outcome = Outcome.SET_ASIDE if is_dead else Outcome.FAILED
        return self._ended(job, outcome, pause=job.pause_after(attempts), error=error)

    @staticmethod
    def _ended(job: Job, outcome: Outcome, *, pause: float = 0.0, done: int = 0, error: str = "") -> Ended:
        _ENDED.add((job.name, outcome.value))
        return Ended(outcome, pause, done, error)
