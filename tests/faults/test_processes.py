"""`loyalty serve` with several processes: one is killed, their parent is killed, all are told to stop."""

import asyncio
import dataclasses
import os
import signal
import socket
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.faults.api_process import ApiProcess, api_process

RESPAWNED_WITHIN = 15.0
"""Seconds."""


@pytest.fixture
async def api(settings: Settings) -> AsyncGenerator[ApiProcess]:
    """Give a service of two processes."""
    async with api_process(settings, "--processes", "2") as running:
        yield running


async def livez(api: ApiProcess, seconds: float = 5) -> int:
    """Ask on a connection of its own; whichever process accepts it answers."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout) as client, client.get(f"{api.address}/livez") as answer:
        return answer.status


async def two_of(api: ApiProcess, *, without: int = 0) -> set[int]:
    """Wait until there are two processes that serve, `without` one that was killed."""
    async with asyncio.timeout(RESPAWNED_WITHIN):
        while without in api.workers or len(api.workers) < 2:
            await asyncio.sleep(0.05)
    return api.workers


async def test_a_process_that_is_killed_is_started_again_and_meanwhile_the_other_serves(api: ApiProcess) -> None:
    before = await two_of(api)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    after = await two_of(api, without=killed)
    assert len(after - before) == 1
    assert api.process.returncode is None
    assert [await livez(api) for _ in range(20)] == [200] * 20


async def test_a_process_that_is_killed_while_it_is_asked_for_a_sign_of_life_is_started_again_in_time(
    api: ApiProcess,
) -> None:
    """Whoever asks waits for the answer: the end of the process is an answer, too."""
    killed = min(await two_of(api))
    os.kill(killed, signal.SIGSTOP)
    await asyncio.sleep(1)  # they are asked twice a second
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(RESPAWNED_WITHIN - 5):  # less than what patience for an answer takes
        await two_of(api, without=killed)


@pytest.mark.parametrize("until_ready", [True, False], ids=["while they serve", "while they start"])
async def test_when_their_parent_is_killed_the_processes_end_and_the_port_is_free(
    settings: Settings, *, until_ready: bool
) -> None:
    async with api_process(settings, "--processes", "2", until_ready=until_ready) as api:
        await two_of(api)
        await api.kill()
        async with asyncio.timeout(25):
            while not _is_free(api):
                await asyncio.sleep(0.05)


def _is_free(api: ApiProcess) -> bool:
    """Whether nobody listens on the port any more; connections that have ended don't count."""
    address = urlsplit(api.address)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.hostname, address.port))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("processes", [1, 2])
async def test_told_to_stop_it_answers_what_is_in_flight_and_takes_nothing_new(
    settings: Settings, new_shop: NewShop, owner: Db, processes: int
) -> None:
    async with api_process(settings, "--processes", str(processes)) as api:
        shop = dataclasses.replace(await new_shop(), address=api.address)
        assert (await shop.buy(id="first")).status == 201
        async with owner.transaction():
            await owner.execute("SELECT FROM customer WHERE program_id = $1 FOR UPDATE", shop.program.id)
            reports = [asyncio.create_task(shop.buy(id=f"order-{number}")) for number in range(20)]
            await _one_waits(owner)
            api.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(3):
                while await _takes_calls(api):
                    await asyncio.sleep(0.02)
        assert [(await report).status for report in reports] == [201] * 20
        async with asyncio.timeout(20):
            # One process by itself ends by the signal, once everything is done.
            assert await api.process.wait() in {0, -signal.SIGTERM}
    assert (await dataclasses.replace(shop, address=(await new_shop()).address).balance("c-42"))[
        "available"
    ] == 21 * 129


async def _one_waits(owner: Db) -> None:
    """Wait until a booking waits for the lock."""
    async with asyncio.timeout(5):
        while not await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        ):
            await asyncio.sleep(0.01)


async def _takes_calls(api: ApiProcess) -> bool:
    try:
        return await livez(api, seconds=0.3) == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
