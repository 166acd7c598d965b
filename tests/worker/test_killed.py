"""Workers that are killed: others go on with their jobs, from the last place that was kept."""

import asyncio
import random
import subprocess
from datetime import UTC, datetime, timedelta

import aiohttp

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import make_shop, prove, running
from tests.stories.months import pass_time
from tests.worker.poisoned import ATTEMPTS
from tests.worker.workers import start_worker, until

CUSTOMERS = 600
LOTS = "SELECT count(*) FROM transfer WHERE to_bucket = 'expired'"


async def test_a_job_that_kills_its_worker_is_counted_and_set_aside_in_the_end(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    deaths, worker = 0, start_worker(settings, "tests.worker.poisoned")
    try:

        async def is_set_aside() -> bool:
            nonlocal deaths, worker
            if worker.poll() is not None:
                deaths, worker = deaths + 1, start_worker(settings, "tests.worker.poisoned")
            return bool(await owner.fetchval("SELECT count(*) FROM job WHERE name = 'poison' AND dead_at IS NOT NULL"))

        async def is_well() -> bool:
            return bool(await owner.fetchval("SELECT ended_at IS NOT NULL FROM job WHERE name = 'near'"))

        await until(is_set_aside)
        await until(is_well)
        assert deaths == ATTEMPTS
        assert worker.poll() is None
        error = await owner.fetchval("SELECT error FROM job WHERE name = 'poison'")
        assert error == f"its worker ended under it {ATTEMPTS} times"
        assert await owner.fetchval("SELECT dead_at FROM job WHERE name = 'near'") is None
    finally:
        worker.kill()
        worker.wait()


async def test_workers_killed_again_and_again_expire_everything_exactly_once(
    scratch: tuple[Settings, Db],
) -> None:
    settings, owner = scratch
    database = Database(settings)
    await database.open()
    async with running(settings) as address, aiohttp.ClientSession() as client:
        shop = await make_shop(database, address, client, expiry={"kind": "rolling", "days": 10})
        now = datetime.now(UTC).isoformat()
        for start in range(0, CUSTOMERS, 100):
            bought = await asyncio.gather(
                *(
                    shop.buy(customer_id=f"c-{number}", occurred_at=now, total=1_000)
                    for number in range(start, start + 100)
                )
            )
            assert {answer.status for answer in bought} == {201}
        await pass_time(owner, shop.program.id, timedelta(days=12))
        workers = [start_worker(settings, "tests.worker.expiring") for _ in range(2)]
        try:
            places = await _kill_at_random(owner, settings, workers)

            async def is_done() -> bool:
                return await owner.fetchval(LOTS) >= CUSTOMERS

            await until(is_done)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        assert await owner.fetchval(LOTS) == CUSTOMERS
        assert places == sorted(set(places))  # each went on behind the one before it
        told = "SELECT count(*) FROM announced WHERE type = 'points.expired'"
        assert await owner.fetchval(told) == CUSTOMERS
        assert await owner.fetchval("SELECT count(*) FROM job WHERE dead_at IS NOT NULL") == 0
        await prove(database)
    await database.close()


async def _kill_at_random(owner: Db, settings: Settings, workers: "list[subprocess.Popen[bytes]]") -> list[int]:
    """Kill the one that works when some more is done, and start others; gives the places that were kept then."""
    places = list[int]()
    for share in (0.1, 0.25, 0.4, 0.55):
        wanted = CUSTOMERS * share

        async def has_come_so_far(wanted: float = wanted) -> bool:
            return await owner.fetchval(LOTS) >= wanted

        await until(has_come_so_far)
        await asyncio.sleep(random.random() * 0.02)
        for worker in workers:  # nobody knows which of them it is that works
            worker.kill()
            worker.wait()
        places.append(int(await owner.fetchval("SELECT place FROM job WHERE name = 'settle_due'")))
        workers[:] = [start_worker(settings, "tests.worker.expiring") for _ in workers]
    return places
