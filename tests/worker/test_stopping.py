"""A worker that is told to stop: what it does ends at its next safe point and goes on elsewhere."""

import asyncio

import aiohttp

from service.platform.database import Database
from service.platform.queue.job import Job
from service.platform.queue.queue import Patience
from service.platform.queue.turn import Turn
from service.platform.settings import Settings
from service.platform.statements import Db
from service.worker import JOBS
from tests.metrics.reading import scrape
from tests.ports import free_port
from tests.worker.workers import PATIENCE_SECONDS, start_worker, until, until_so, working

YEARLY = "0 0 1 1 *"


async def test_what_runs_ends_at_its_next_safe_point_and_waits_in_the_queue(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    began = asyncio.Event()

    async def long(_: Database, turn: Turn) -> bool:
        await turn.save("half", 1)
        began.set()
        while not turn.is_over:
            await turn.rest(3600)  # who is told to stop rests no longer
        return False

    async with working(settings, [Job(name="long", cron=YEARLY, run=long, seconds=3600)]):
        await began.wait()
    row = await owner.fetchrow("SELECT attempts, place, begun_at FROM job")
    assert row is not None
    assert tuple(row) == (0, "half", None)
    assert await owner.fetchval("SELECT status::text FROM pgqueuer") == "queued"


async def test_what_does_not_end_in_time_is_left_and_run_by_another(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    began, stubborn, done = asyncio.Event(), [True], list[str | None]()

    async def work(_: Database, turn: Turn) -> bool:
        if not stubborn:
            done.append(turn.place)
            return True
        await turn.save("half", 1)
        began.set()
        await asyncio.sleep(3600)
        return True

    job = Job(name="stubborn", cron=YEARLY, run=work, seconds=3600)
    async with working(settings, [job], patience=Patience(silent=1.0, stopping=0.2)):
        await began.wait()
    assert await owner.fetchval("SELECT status::text FROM pgqueuer") == "picked"
    assert await owner.fetchval("SELECT attempts FROM job") == 1
    stubborn.clear()
    async with working(settings, [job], patience=Patience(silent=1.0, stopping=0.2)):
        await until_so(lambda: done == ["half"])


async def test_a_worker_tells_its_numbers_on_a_port_of_its_own(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    port = free_port()
    await owner.execute(
        "INSERT INTO outbox (program_id, id, type, customer_id, subject_id, recorded_at)"
        " SELECT 7, gen_random_uuid(), 'x', NULL, gen_random_uuid(), now() FROM generate_series(1, 3)"
    )
    await owner.execute(
        "INSERT INTO job (program_id, name, subject, run, attempts, done, dead_at)"
        " VALUES (1, 'settle_due', '', 1, 5, 0, now())"
    )
    worker = start_worker(settings, LOYALTY_WORKER_PORT=str(port))
    address = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as client:

            async def is_ready() -> bool:
                try:
                    async with client.get(f"{address}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            async def has_worked() -> bool:
                numbers = await scrape(client, address)
                return (
                    numbers.value("loyalty_events_sequenced_total") == 3
                    and numbers.value("loyalty_jobs_ended_total", job="make_partitions_ahead", outcome="done") >= 1
                    and numbers.value("loyalty_job_duration_seconds_count", job="make_partitions_ahead") >= 1
                    and numbers.value("loyalty_jobs_set_aside", job="settle_due") == 1
                )

            await until(is_ready)
            await until(has_worked)
            async with client.get(f"{address}/livez") as answer:
                assert await answer.json() == {"status": "alive"}
            text = (await scrape(client, address)).text
            for name in ("loyalty_jobs_waiting", "loyalty_jobs_oldest_waiting_seconds"):
                assert all(f'{name}{{job="{job.name}",process="0"}}' in text for job in JOBS)
            for name in ("loyalty_outbox_waiting", "loyalty_outbox_oldest_seconds", "loyalty_customers_settled_total"):
                assert f"\n{name}" in text

            async def tells_of_webhooks() -> bool:
                numbers = await scrape(client, address)
                behind = numbers.value("loyalty_webhook_events_behind", process="0")
                return (behind, numbers.value("loyalty_webhook_deliveries_waiting", process="0")) == (3, 2)

            await owner.execute(
                "INSERT INTO webhook (program_id, id, url, description, created_at, position, waiting, leased_until)"
                " VALUES (7, gen_random_uuid(), 'https://example.com/', '', now(), 0, 2, 'infinity')"
            )
            await until(tells_of_webhooks)
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, PATIENCE_SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()


async def test_a_port_that_is_taken_is_told_in_one_sentence(scratch: tuple[Settings, Db]) -> None:
    settings, _ = scratch
    port = free_port()
    first = await asyncio.start_server(lambda _, __: None, "127.0.0.1", port)
    worker = start_worker(settings, LOYALTY_WORKER_PORT=str(port))
    assert await asyncio.to_thread(worker.wait, PATIENCE_SECONDS) == 1
    first.close()
