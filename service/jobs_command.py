"""`loyalty jobs`: what the worker has to do, what it does, what it gave up, and doing it now."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from service.platform import command_line
from service.platform.statements import Db

if TYPE_CHECKING:
    from service.platform.database import Database
    from service.platform.queue.job import Job, Subject
    from service.platform.queue.store import Queued, Scheduled, Standing

_SHOWN = 100
_SECONDS_BETWEEN_LINES = 2.0


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """List jobs: scheduled, running, waiting, set aside with their errors. Run one now, or again.

    Example: loyalty jobs
    """
    if context.invoked_subcommand is None:
        _list_jobs()


def _list_jobs() -> None:
    from service.platform.queue import store
    from service.programs import usecases as programs

    async def work(
        db: Db,
    ) -> "tuple[list[Scheduled], list[Queued], list[Standing], Mapping[int, str]]":
        codes = {program.id: program.code for program in await programs.list_programs(db)}
        return (
            await store.list_schedules(db),
            await store.list_queued(db, limit=_SHOWN + 1),
            await store.list_standings(db),
            codes,
        )

    schedules, queued, standings, codes = command_line.ask(work)
    known = {(each.name, each.subject): each for each in standings}
    _section("Scheduled", [f"{each.name:24} {each.cron:14} next {_time(each.at)}" for each in schedules])
    for title, is_running in (("Running", True), ("Waiting", False)):
        lines = [
            f"{_titled(each.name, each.subject, codes)} {_state(each, known.get((each.name, each.subject)))}"
            for each in queued[:_SHOWN]
            if each.is_running is is_running
        ]
        _section(title, lines)
    if len(queued) > _SHOWN:
        click.echo(f"  only the first {_SHOWN} are shown")
    _section("Set aside", [_dead(each, codes) for each in standings if each.dead_at is not None])


def _section(title: str, lines: Sequence[str]) -> None:
    click.echo(title if lines else f"{title}: nothing")
    for line in lines:
        click.echo(f"  {line.rstrip()}")


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _titled(name: str, subject: "Subject", codes: Mapping[int, str]) -> str:
    program = codes.get(subject.program_id, "")
    return f"{name:24} {' '.join(part for part in (program, subject.id) if part):24}"


def _state(queued: "Queued", standing: "Standing | None") -> str:
    if queued.is_running:
        begun = None if standing is None else standing.begun_at
        told = "beginning" if begun is None else f"since {_time(begun)}"
    else:
        told = f"due {_time(queued.at)}"
    if standing is None:
        return told
    if standing.done:
        told += f", {standing.done:,} done"
    if standing.error is not None:
        told += f", failed {standing.attempts} times: {standing.error}"
    return told


def _dead(standing: "Standing", codes: Mapping[int, str]) -> str:
    assert standing.dead_at is not None  # noqa: S101 - the caller asks for these only
    return (
        f"{standing.id:<6} {_titled(standing.name, standing.subject, codes)} {_time(standing.dead_at)}, "
        f"after {standing.attempts} attempts: {standing.error}"
    )


@jobs.command("run")
@click.argument("name")
@click.option("--program", "code", help="The program's code. [default: all programs]")
def run_job(name: str, code: str | None) -> None:
    """Run a scheduled job now, in this process, to its end. It goes on where it was, and takes it from a worker.

    Example: loyalty jobs run settle_due --program demo
    """
    from service.platform.database import Database
    from service.worker import JOBS

    job = {each.name: each for each in JOBS}.get(name)
    if job is None:
        msg = (
            f"There is no job {name} that can be run so: choose one of {', '.join(sorted(each.name for each in JOBS))}."
        )
        raise click.ClickException(msg)
    settings = command_line.settings()

    async def run() -> None:
        database = Database(settings)
        await database.open(size=2)
        try:
            async with database.connection() as db:
                wanted = await _wanted(db, job, code)
            for of, subject in wanted:
                await _run_to_the_end(database, job, subject, f"{name} of {of}" if of else name)
        finally:
            await database.close()

    command_line.in_one_sentence(run)


async def _wanted(db: Db, job: "Job", code: str | None) -> "list[tuple[str, Subject]]":
    """Find for what a job is to run, each with its program's code. Raises NotFound, ClickException."""
    from service.programs import usecases as programs

    found = await job.subjects(db)
    if code is None:
        codes = {program.id: program.code for program in await programs.list_programs(db)}
        return [(codes.get(each.program_id, ""), each) for each in found]
    program = await programs.program_with_code(db, code)
    wanted = [(code, each) for each in found if each.program_id == program.id]
    if not wanted:
        msg = f"{job.name} is no job of single programs: leave out --program."
        raise click.ClickException(msg)
    return wanted


async def _run_to_the_end(database: "Database", job: "Job", subject: "Subject", title: str) -> None:
    """Run turn after turn, and tell what each came to. Raises ClickException."""
    from service.platform.queue.running import Outcome, Runner

    runner, short = Runner(database, asyncio.Event()), replace(job, seconds=_SECONDS_BETWEEN_LINES)
    while (ended := await runner.run(short, subject)).outcome is Outcome.MORE:
        click.echo(f"{title}: {ended.done:,} so far")
    match ended.outcome:
        case Outcome.DONE:
            click.echo(f"{title}: done, {ended.done:,}")
        case Outcome.TAKEN_OVER:
            msg = f"{title}: a worker has begun it meanwhile and goes on; `loyalty jobs` tells how far it is."
            raise click.ClickException(msg)
        case Outcome.SET_ASIDE:
            msg = f"{title} is set aside: `loyalty jobs` tells its number, `loyalty jobs retry` lets it run again."
            raise click.ClickException(msg)
        case _:
            msg = f"{title} failed ({ended.error}): `loyalty jobs` tells how often; workers try it again."
            raise click.ClickException(msg)


@jobs.command("retry")
@click.argument("job_id", type=click.IntRange(min=1))
def retry_job(job_id: int) -> None:
    """Let a job that is set aside run again, from where it was.

    Example: loyalty jobs retry 17
    """

    async def work(db: Db) -> "tuple[str, Subject] | None":
        from pgqueuer import AsyncpgDriver, Queries

        from service.platform.queue import store
        from service.platform.queue.queue import enqueue

        found = await store.revive(db, job_id=job_id)
        if found is not None:
            await enqueue(Queries(AsyncpgDriver(db)), *found)
        return found

    click.echo(f"{_of_dead(command_line.ask(work), job_id)} is in the queue again.")


@jobs.command("discard")
@click.argument("job_id", type=click.IntRange(min=1))
def discard_job(job_id: int) -> None:
    """Forget a job that is set aside. A scheduled one begins anew at its next time.

    Example: loyalty jobs discard 17
    """

    async def work(db: Db) -> "tuple[str, Subject] | None":
        from service.platform.queue import store

        return await store.discard(db, job_id=job_id)

    click.echo(f"{_of_dead(command_line.ask(work), job_id)} is forgotten.")


def _of_dead(found: "tuple[str, Subject] | None", job_id: int) -> str:
    if found is None:
        msg = f"No job {job_id} is set aside: `loyalty jobs` lists those that are, with their numbers."
        raise click.ClickException(msg)
    return found[0]
