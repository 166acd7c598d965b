"""Several processes behind one port: whichever is asked tells the numbers of all."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp

from service.platform.database import Database
from service.platform.metrics.process import GONE_AFTER, shared_folder
from service.platform.settings import Settings
from tests.conftest import make_shop, prove
from tests.faults.api_process import api_process
from tests.faults.long_run.stand import is_worker
from tests.metrics.reading import Scrape, scrape

SCRAPES = 12


def _children(pid: int) -> list[int]:
    """Return the processes that serve, below one that supervises them."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [child for child in map(int, found) if is_worker(child)]


async def _when(client: aiohttp.ClientSession, address: str, processes: set[str]) -> Scrape:
    async with asyncio.timeout(GONE_AFTER + 15):
        while (told := await scrape(client, address)).labels("process_open_fds", "process") != processes:
            await asyncio.sleep(0.2)
    return told


async def test_every_process_tells_the_sums_of_all_also_of_one_that_was_killed(
    settings: Settings, database: Database
) -> None:
    one_connection_a_call = aiohttp.TCPConnector(force_close=True, limit=16)
    async with (
        aiohttp.ClientSession(connector=one_connection_a_call) as client,
        api_process(settings, "--processes", "2", variables={"LOYALTY_BUILD": "1.2.3"}) as api,
    ):
        shop = await make_shop(database, api.address, client)
        told = await _when(client, api.address, {"0", "1"})
        before = told.value("loyalty_purchases_total", outcome="booked")
        answers = await asyncio.gather(*(shop.buy(customer_id=f"c-{number % 9}") for number in range(200)))
        assert {answer.status for answer in answers} == {201}
        await asyncio.sleep(1.5)  # the other process writes its numbers once a second
        scrapes = [await scrape(client, api.address) for _ in range(SCRAPES)]
        for told in scrapes:
            assert told.value("loyalty_purchases_total", outcome="booked") == before + 200
            assert told.value("loyalty_points_issued_total") == 200 * 129
            assert told.value("loyalty_gatherer_wait_seconds_count", gatherer="purchases") == 200
            assert told.value("loyalty_build_info", build="1.2.3") == 2
        asked = [told.value("loyalty_request_duration_seconds_count", operation="metrics") for told in scrapes]
        assert asked == sorted(asked), "no number is ever told smaller than before"

        killed, living = _children(api.process.pid)
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(30):
            while len(serving := _children(api.process.pid)) < 2 or killed in serving:
                await asyncio.sleep(0.1)
        assert living in serving
        for _ in range(SCRAPES):
            told = await scrape(client, api.address)
            assert told.value("loyalty_purchases_total", outcome="booked") == before + 200
            assert told.labels("process_open_fds", "process") <= {"0", "1"}, "restarts make no new series"
    await prove(database)


async def test_the_folder_of_the_numbers_goes_with_the_processes(settings: Settings) -> None:
    def folders() -> set[Path]:
        return {path for place in ("/dev/shm", "/tmp") for path in Path(place).glob("loyalty-metrics-*")}  # noqa: S108

    before = folders()
    async with api_process(settings, "--processes", "2"):
        (made,) = folders() - before
        assert made.stat().st_mode & 0o077 == 0, "nobody else reads or writes there"
    assert folders() == before


async def test_a_process_that_is_gone_leaves_its_counts_and_takes_its_levels(
    settings: Settings, client: aiohttp.ClientSession
) -> None:
    with shared_folder() as folder:
        shared = {"LOYALTY_METRICS_FOLDER": str(folder)}
        async with api_process(settings, variables=shared) as one:
            async with api_process(settings, variables=shared) as other:
                for _ in range(5):
                    await client.get(f"{other.address}/livez")
                await _when(client, one.address, {"0", "1"})
                await scrape(client, other.address)
                await other.kill()
            told = await _when(client, one.address, {"0"})
            assert told.value("loyalty_request_duration_seconds_count", operation="liveness") == 5
            async with api_process(settings, variables=shared) as heir:
                await client.get(f"{heir.address}/livez")
                told = await scrape(client, heir.address)
                assert told.labels("process_open_fds", "process") == {"0", "1"}
                assert told.value("loyalty_request_duration_seconds_count", operation="liveness") == 6
