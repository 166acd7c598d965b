"""Rows of jobs, and what the queue's own tables tell."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from service.platform.queue.job import Job, Subject
from service.platform.statements import Db, load

_STATEMENTS = load(__file__)


class Begun(msgspec.Struct, frozen=True):
    """An attempt that is counted; `run` is its number, by which it alone may save."""

    run: int
    attempts: int
    place: str | None
    done: int


class Standing(msgspec.Struct, frozen=True):
    """A job that runs, has come somewhere, or came to nothing; `dead_at` is since when it is set aside."""

    name: str
    subject: Subject
    id: int
    attempts: int
    done: int
    begun_at: datetime | None
    error: str | None
    dead_at: datetime | None


class Queued(msgspec.Struct, frozen=True):
    """A job in the queue; `at` is from when on it may run."""

    name: str
    subject: Subject
    is_running: bool
    at: datetime


class Scheduled(msgspec.Struct, frozen=True):
    """When a job is put into the queue next."""

    name: str
    cron: str
    at: datetime


async def read(db: Db, job: Job, subject: Subject) -> tuple[int, bool]:
    """Read how often a job was begun in vain, and whether it is set aside."""
    row = await db.fetchrow(_STATEMENTS["job_read"].sql, job.name, *subject)
    return (0, False) if row is None else (row["attempts"], row["is_dead"])


async def begin(db: Db, job: Job, subject: Subject) -> Begun | None:
    """Count an attempt; None where the job is set aside."""
    row = await db.fetchrow(_STATEMENTS["job_begin"].sql, job.name, *subject)
    return None if row is None else Begun(*row)


async def save(db: Db, job: Job, subject: Subject, *, run: int, place: str, done: int) -> bool:
    """Keep a place; False where somebody else has begun since."""
    return await db.fetchval(_STATEMENTS["job_save"].sql, job.name, *subject, run, place, done) is not None


async def end(db: Db, job: Job, subject: Subject, *, run: int) -> None:
    """Note that all is done."""
    await db.execute(_STATEMENTS["job_end"].sql, job.name, *subject, run)


async def pause(db: Db, job: Job, subject: Subject, *, run: int) -> None:
    """Note that the turn is over and there is more to do: jobs that wait come first."""
    await db.execute(_STATEMENTS["job_pause"].sql, job.name, *subject, run)
    await db.execute(_STATEMENTS["queue_step_back"].sql, subject.dedupe_key(job.name))


async def fail(db: Db, job: Job, subject: Subject, *, run: int, error: str, counts: bool) -> tuple[int, bool] | None:
    """Note what went wrong; gives the attempts and whether it is set aside. None where somebody else has begun.

    What doesn't count sets no job aside.
    """
    row = await db.fetchrow(_STATEMENTS["job_fail"].sql, job.name, *subject, run, error, job.attempts, counts)
    return None if row is None else (row["attempts"], row["is_dead"])


async def set_aside(db: Db, job: Job, subject: Subject, *, error: str) -> None:
    """Set a job aside whose attempts are used up."""
    await db.execute(_STATEMENTS["job_set_aside"].sql, job.name, *subject, error, job.attempts)


async def dead_subjects(db: Db, job: Job) -> set[Subject]:
    """Read for what a job is set aside."""
    rows = await db.fetch(_STATEMENTS["job_dead_subjects"].sql, job.name)
    return {Subject(row["program_id"], row["subject"]) for row in rows}


async def revive(db: Db, *, job_id: int) -> tuple[str, Subject] | None:
    """Let a job that is set aside run again; gives its name and for what. None where there is none."""
    row = await db.fetchrow(_STATEMENTS["job_revive"].sql, job_id)
    return None if row is None else (row["name"], Subject(row["program_id"], row["subject"]))


async def discard(db: Db, *, job_id: int) -> tuple[str, Subject] | None:
    """Forget a job that is set aside; gives its name and for what. None where there is none."""
    row = await db.fetchrow(_STATEMENTS["job_discard"].sql, job_id)
    return None if row is None else (row["name"], Subject(row["program_id"], row["subject"]))


async def list_standings(db: Db) -> list[Standing]:
    """Read the rows of all jobs that run, have come somewhere, or came to nothing."""
    rows = await db.fetch(_STATEMENTS["job_list"].sql)
    return [Standing(row["name"], Subject(row["program_id"], row["subject"]), *row[3:]) for row in rows]


async def list_queued(db: Db, *, limit: int) -> list[Queued]:
    """Read the queue: what runs first, then what waits, the oldest first."""
    rows = await db.fetch(_STATEMENTS["queue_list"].sql, limit)
    return [Queued(row["name"], Subject.read(row["payload"]), row["is_running"], row["at"]) for row in rows]


async def list_schedules(db: Db) -> list[Scheduled]:
    """Read the schedules, by name."""
    return [Scheduled(*row) for row in await db.fetch(_STATEMENTS["schedule_list"].sql)]


async def waiting(db: Db) -> dict[str, tuple[int, float]]:
    """Read how many jobs of each name wait, and for how long the first has (s)."""
    rows = await db.fetch(_STATEMENTS["queue_numbers"].sql)
    return {row["name"]: (row["waiting"], row["seconds"]) for row in rows}


async def dead(db: Db) -> dict[str, int]:
    """Read how many jobs of each name are set aside."""
    return {row["name"]: row["dead"] for row in await db.fetch(_STATEMENTS["dead_numbers"].sql)}


async def forget_log(db: Db, *, older_than: timedelta, count: int) -> int:
    """Take up to `count` old rows out of each of the queue's own logs; returns how many."""
    statements: Sequence[str] = ("queue_log_forget", "queue_statistics_forget")
    return sum([await db.fetchval(_STATEMENTS[each].sql, older_than, count) for each in statements])
