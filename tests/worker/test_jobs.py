"""Jobs: each runs until it is done, however often that takes, and one that can't keeps no other from it."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import asyncpg
import pytest

from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.queue import store
from service.platform.queue.job import Job, Subject
from service.platform.queue.running import Outcome, Runner
from service.platform.queue.turn import Turn
from service.platform.settings import Settings, WebhookTargets
from service.platform.statements import Db
from service.webhooks.sending import ATTEMPT_SECONDS, Sender
from service.worker import deliveries
from tests.worker.workers import until, until_so, working

LONGEST_WRITE_SECONDS = 4.5
"""The patience of a transaction."""
YEARLY = "0 0 1 1 *"
"""No tick of it comes in a test: what runs was put into the queue when the worker began."""


async def test_a_job_that_fails_is_tried_again_then_set_aside_and_the_queue_goes_on(
    scratch: tuple[Settings, Db],
) -> None:
    settings, owner = scratch
    tried, others = list[int](), list[int]()

    async def fails(_: Database, turn: Turn) -> bool:
        tried.append(turn.program_id)
        message = "a customer's own words"
        raise ValueError(message)

    async def works(_: Database, turn: Turn) -> bool:
        others.append(turn.program_id)
        return True

    poison = Job(name="poison", cron=YEARLY, run=fails, attempts=3, retry_after=0.01)
    jobs = [poison, Job(name="fine", cron=YEARLY, run=works)]
    async with working(settings, jobs):

        async def is_set_aside() -> bool:
            return await owner.fetchval("SELECT count(*) FROM job WHERE dead_at IS NOT NULL") == 1

        await until(is_set_aside)
        await until_so(lambda: len(others) == 1)
    assert len(tried) == 3
    row = await owner.fetchrow("SELECT name, attempts, error FROM job WHERE dead_at IS NOT NULL")
    assert row is not None
    assert row["name"] == "poison"
    assert row["attempts"] == 3
    assert row["error"].startswith("ValueError at test_jobs.py:")
    everything = await owner.fetch("SELECT l.traceback::text AS told FROM pgqueuer_log AS l")
    assert not [row for row in everything if "own words" in (row["told"] or "")]
    async with working(settings, jobs):  # a worker that begins doesn't wake it
        await until_so(lambda: len(others) == 2)
    assert len(tried) == 3


async def test_what_a_turn_does_not_finish_goes_on_from_its_place_in_the_next(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    places = list[str | None]()

    async def count(_: Database, turn: Turn) -> bool:
        places.append(turn.place)
        place = int(turn.place or 0) + 1
        await turn.save(str(place), 10)
        return place == 4

    async with working(settings, [Job(name="count", cron=YEARLY, run=count)]):

        async def is_done() -> bool:
            return await owner.fetchval("SELECT count(*) FROM job WHERE ended_at IS NOT NULL") == 1

        await until(is_done)
    assert places == [None, "1", "2", "3"]
    assert await owner.fetchval("SELECT place FROM job") is None  # the next round begins anew


async def test_workers_share_jobs_and_each_runs_once(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    ran = Counter[int]()

    async def many(_: Db) -> Sequence[Subject]:
        return [Subject(number) for number in range(1, 41)]

    async def run(_: Database, turn: Turn) -> bool:
        ran[turn.program_id] += 1
        await until_so(lambda: len(ran) >= 16)  # so many run at once: more than one worker has places for
        return True

    job = Job(name="shared", cron=YEARLY, run=run, subjects=many)
    async with working(settings, [job]), working(settings, [job]):

        async def all_ended() -> bool:
            return await owner.fetchval("SELECT count(*) FROM job WHERE ended_at IS NOT NULL") == 40

        await until(all_ended)
    assert set(ran) == set(range(1, 41))


async def test_a_run_that_another_took_over_saves_nothing_more(database: Database) -> None:
    entered, go_on, saved = asyncio.Event(), asyncio.Event(), list[str]()

    async def slow(_: Database, turn: Turn) -> bool:
        entered.set()
        await go_on.wait()
        await turn.save("slow")
        saved.append("slow")
        return True

    async def quick(_: Database, turn: Turn) -> bool:
        await turn.save("quick")
        return False

    runner = Runner(database, asyncio.Event())
    first = asyncio.create_task(runner.run(Job(name="taken", run=slow), Subject()))
    await entered.wait()
    assert (await runner.run(Job(name="taken", run=quick), Subject())).outcome is Outcome.MORE
    go_on.set()
    assert (await first).outcome is Outcome.TAKEN_OVER
    assert saved == []
    async with database.connection() as db:
        assert await db.fetchval("SELECT place FROM job WHERE name = 'taken'") == "quick"


async def test_having_come_further_is_worth_new_attempts(database: Database) -> None:
    async def fails_later(_: Database, turn: Turn) -> bool:
        await turn.save(str(int(turn.place or 0) + 1))
        raise ValueError

    runner, job = Runner(database, asyncio.Event()), Job(name="slow_but_sure", run=fails_later, attempts=2)
    for _ in range(5):
        assert (await runner.run(job, Subject())).outcome is Outcome.FAILED


async def test_a_job_that_takes_too_long_is_ended_and_counted(database: Database) -> None:
    async def hangs(_: Database, __: Turn) -> bool:
        await asyncio.Event().wait()
        return True

    runner, job = Runner(database, asyncio.Event()), Job(name="hangs", run=hangs, seconds=0.01, grace=0, attempts=1)
    ended = await runner.run(job, Subject())
    assert ended.outcome is Outcome.SET_ASIDE
    assert ended.error.startswith("TimeoutError")


async def test_a_job_may_take_its_grace_once_its_turn_is_over(database: Database) -> None:
    async def ends_late(_: Database, turn: Turn) -> bool:
        while not turn.is_over:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return False

    runner, job = Runner(database, asyncio.Event()), Job(name="late", run=ends_late, seconds=0.01, grace=5)
    assert (await runner.run(job, Subject())).outcome is Outcome.MORE


async def test_an_attempt_that_begins_when_a_lanes_turn_ends_may_take_all_its_time_and_is_written() -> None:
    sender = Sender(WebhookTargets.PUBLIC)
    assert deliveries(sender).grace >= ATTEMPT_SECONDS + 2 * LONGEST_WRITE_SECONDS
    await sender.close()


async def test_jobs_that_may_have_killed_their_worker_run_one_at_a_time(database: Database) -> None:
    """Else those that were only near it would be blamed and set aside with it."""
    at_once, most, many = 0, 0, [Subject(program_id) for program_id in range(1, 6)]

    async def run(_: Database, __: Turn) -> bool:
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        await asyncio.sleep(0.01)
        at_once -= 1
        return True

    job = Job(name="suspect", run=run)
    async with database.connection() as db:
        await db.executemany(
            "INSERT INTO job (program_id, name, subject, run, attempts, done) VALUES ($1, 'suspect', '', 1, 2, 0)",
            [(each.program_id,) for each in many],
        )
    runner = Runner(database, asyncio.Event())
    ended = await asyncio.gather(*(runner.run(job, each) for each in many))
    assert {each.outcome for each in ended} == {Outcome.DONE}
    assert most == 1


async def test_a_schedule_runs_a_job_for_each_program_again_and_again_and_never_twice_at_once(
    scratch: tuple[Settings, Db],
) -> None:
    """One program's job takes as long as three rounds of the other's: it is in the queue once all the while."""
    settings, owner = scratch
    ran, at_once, most = Counter[int](), Counter[int](), Counter[int]()

    async def two(_: Db) -> Sequence[Subject]:
        return [Subject(1), Subject(2)]

    async def run(_: Database, turn: Turn) -> bool:
        at_once[turn.program_id] += 1
        most[turn.program_id] = max(most[turn.program_id], at_once[turn.program_id])
        if turn.program_id == 1 and not ran[1]:
            await until_so(lambda: ran[2] >= 3)
            assert await owner.fetchval("SELECT count(*) FROM pgqueuer WHERE dedupe_key = 'often:1:'") == 1
        ran[turn.program_id] += 1
        at_once[turn.program_id] -= 1
        return True

    async with working(settings, [Job(name="often", cron="* * * * * *", run=run, subjects=two, seconds=60)]):
        await until_so(lambda: ran[1] >= 2)
    assert most == {1: 1, 2: 1}


async def test_jobs_that_wait_run_before_those_that_go_on(scratch: tuple[Settings, Db]) -> None:
    """Else as many large jobs as there are places would keep all others from running until they are done."""
    settings, _ = scratch
    turns = Counter[str]()

    async def three(_: Db) -> Sequence[Subject]:
        return [Subject(number) for number in range(1, 4)]

    async def goes_on(_: Database, turn: Turn) -> bool:
        turns[f"large {turn.program_id}"] += 1
        await turn.rest(0.05)
        return turns["small"] > 0 and len(turns) == 4

    async def small(_: Database, __: Turn) -> bool:
        turns["small"] += 1
        return True

    jobs = [
        Job(name="large", cron=YEARLY, run=goes_on, subjects=three),
        Job(name="small", cron=YEARLY, run=small),
    ]
    async with working(settings, jobs, places=2):
        await until_so(lambda: len(turns) == 4)
    assert max(turns.values()) <= 3


@pytest.mark.parametrize(
    "fault", [Unavailable("others hold it"), asyncpg.LockNotAvailableError(), ConnectionResetError(), TimeoutError()]
)
async def test_what_the_database_does_sets_no_job_aside(database: Database, fault: Exception) -> None:
    """A lock that somebody holds for ten minutes would else end a webhook, or the partitions of next year."""

    async def fails(_: Database, __: Turn) -> bool:
        raise fault

    name = f"innocent_{type(fault).__name__}"
    runner, job = Runner(database, asyncio.Event()), Job(name=name, run=fails, attempts=2)
    ended = [await runner.run(job, Subject()) for _ in range(4)]
    assert {(each.outcome, each.pause) for each in ended} == {(Outcome.FAILED, job.retry_after)}
    assert all(each.error.startswith(type(fault).__name__) for each in ended)


async def test_a_run_that_goes_on_after_its_job_was_discarded_saves_nothing(database: Database) -> None:
    job = Job(name="discarded", run=lambda _, __: asyncio.sleep(0, result=True), attempts=1)
    async with database.connection() as db:
        first = await store.begin(db, job, Subject())
        assert first is not None
        await store.set_aside(db, job, Subject(), error="it was silent")
        number = await db.fetchval("SELECT id FROM job WHERE name = 'discarded'")
        assert await store.discard(db, job_id=number) == ("discarded", Subject())
        again = await store.begin(db, job, Subject())
        assert again is not None
        assert (again.place, again.done, again.attempts) == (None, 0, 1)
        assert not await store.save(db, job, Subject(), run=first.run, place="far", done=7)
        assert await store.save(db, job, Subject(), run=again.run, place="near", done=1)
