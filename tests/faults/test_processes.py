"""`loyalty serve` with several processes: one is killed, their parent is killed, all are told to stop."""

import asyncio
import dataclasses
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import click
import pytest

from service.platform.command_line import listen
from service.platform.http.workers import SharedPort
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


_ESTABLISHED, _LISTENS = "01", "0A"
"""As the kernel names these states of a socket."""


def _sockets(api: ApiProcess, workers: set[int], state: str) -> Counter[int]:
    """Count the sockets in a state at the service's end of its port, by the process that has them."""
    port = urlsplit(api.address).port
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == state}
    found = Counter[int]()
    for worker in workers:
        for descriptor in Path(f"/proc/{worker}/fd").iterdir():
            try:
                found[worker] += str(descriptor.readlink()) in sockets
            except FileNotFoundError:  # closed meanwhile
                continue
    return +found


async def _both_listen(api: ApiProcess, workers: set[int]) -> None:
    """Wait until each process has a socket by which it listens; one alone answers before."""
    async with asyncio.timeout(RESPAWNED_WITHIN):
        while set(_sockets(api, workers, _LISTENS)) < workers:
            await asyncio.sleep(0.05)


async def test_a_process_that_is_killed_is_started_again_and_meanwhile_the_other_serves(api: ApiProcess) -> None:
    before = await two_of(api)
    await _both_listen(api, before)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    after = await two_of(api, without=killed)
    assert len(after - before) == 1
    assert api.process.returncode is None
    assert [await livez(api) for _ in range(20)] == [200] * 20


async def test_when_a_process_is_killed_no_caller_waits_for_it(api: ApiProcess) -> None:
    """Its socket ends with it: what it had not accepted yet is reset, what comes then is the other's."""
    workers = await two_of(api)
    await _both_listen(api, workers)
    os.kill(min(workers), signal.SIGKILL)
    answers = await asyncio.gather(*(livez(api, seconds=10) for _ in range(40)), return_exceptions=True)
    assert not [answer for answer in answers if isinstance(answer, TimeoutError)]
    assert 200 in answers


async def test_connections_that_are_made_at_once_are_spread_over_the_processes(api: ApiProcess) -> None:
    """By one socket for both, whichever wakes first would take them all."""
    workers = await two_of(api)
    await _both_listen(api, workers)
    address = urlsplit(api.address)
    made = await asyncio.gather(*(asyncio.open_connection(address.hostname, address.port) for _ in range(40)))
    async with asyncio.timeout(10):
        while (accepted := _sockets(api, workers, _ESTABLISHED)).total() < 40:
            await asyncio.sleep(0.05)
    for _, writer in made:
        writer.close()
    assert set(accepted) == workers


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_second_service_on_the_same_port_is_refused_in_one_sentence(
    settings: Settings, api: ApiProcess, processes: int
) -> None:
    port = str(urlsplit(api.address).port)
    async with api_process(
        settings,
        "--processes",
        str(processes),
        variables={"LOYALTY_PORT": port},
        log=asyncio.subprocess.PIPE,
        until_ready=False,
    ) as second:
        _, told = await second.process.communicate()
    assert second.process.returncode == 1
    (sentence,) = told.decode().splitlines()
    assert sentence.startswith(f"Error: Port {port} of 127.0.0.1 can't be used")
    assert await livez(api) == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104 - all addresses are meant
def test_a_port_is_nobody_elses_while_no_process_listens_yet_or_any_more(host: str) -> None:
    listener = listen(host, 0)
    port = listener.getsockname()[1]
    shared = SharedPort(listener)
    with pytest.raises(click.ClickException, match="can't be used"):
        listen(host, port)
    for _ in range(2):
        with shared.bound() as one, shared.bound() as other:
            one.listen()
            other.listen()
            with pytest.raises(click.ClickException, match="can't be used"):
                listen(host, port)
        with pytest.raises(click.ClickException, match="can't be used"):
            listen(host, port)
    shared.close()
    listen(host, port).close()


def test_a_port_may_be_shared_right_after_a_service_that_closed_connections_there() -> None:
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    with socket.create_connection(address):
        listener.accept()[0].close()  # who closes first keeps the address for a while
    listener.close()
    shared = SharedPort(listen(*address))
    shared.bound().close()
    shared.close()


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
