"""Processes that are killed under load: what was acknowledged is there, once; what was not may be sent again."""

import asyncio
import dataclasses
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.platform import migrations
from service.platform.database import Database
from service.platform.embedded import EmbeddedServers
from service.platform.embedded.account import server_account, temporary_places
from service.platform.settings import Settings
from tests.conftest import NewShop, make_shop, prove, running
from tests.faults.api_process import api_process
from tests.shop import Shop, purchase, unique

CALLERS = 16


class Load:
    """Callers who report purchases one after the other and note what they were told. A lost answer counts as none."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.acknowledged: dict[str, str] = {}

    @asynccontextmanager
    async def on(self, shop: Shop) -> AsyncGenerator[None]:
        """Let callers call while the block runs; then wait for the answers that are due."""
        stop = asyncio.Event()
        callers = [asyncio.create_task(self._call(shop, stop)) for _ in range(CALLERS)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*callers)

    async def acknowledged_more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        goal = len(self.acknowledged) + count
        async with asyncio.timeout(30):
            while len(self.acknowledged) < goal:
                await asyncio.sleep(0.01)

    async def _call(self, shop: Shop, stop: asyncio.Event) -> None:
        while not stop.is_set():
            body = purchase(id=unique("order"), customer_id=f"c-{len(self.sent) % 5}")
            self.sent.append(body)
            try:
                answer = await shop.post("/v1/purchases", body)
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
                continue
            assert answer.status in {201, 503}, answer.text  # a fault is never told as a refusal
            if answer.status == 201:
                self.acknowledged[body["id"]] = answer.text

    async def check(self, shop: Shop) -> None:
        """Send everything again: what was acknowledged is answered alike, and each is booked once in the end."""
        for body in self.sent:
            again = await shop.post("/v1/purchases", body)
            if body["id"] in self.acknowledged:
                assert (again.status, again.text) == (200, self.acknowledged[body["id"]])
            else:
                assert again.status in {200, 201}
        available = [(await shop.balance(f"c-{number}"))["available"] for number in range(5)]
        assert sum(available) == 129 * len(self.sent)


async def test_an_api_process_that_is_killed_under_load_loses_and_doubles_nothing(
    settings: Settings, new_shop: NewShop
) -> None:
    load, shop = Load(), await new_shop()
    for _ in range(2):
        async with api_process(settings) as api, load.on(dataclasses.replace(shop, address=api.address)):
            await load.acknowledged_more(200)
            await api.kill()
    await load.check(shop)


@pytest.fixture
def own_servers() -> Generator[EmbeddedServers]:
    """Give a durable Postgres of the test's own: a throw-away one may lose what wasn't written when it is killed."""
    folder = Path(tempfile.mkdtemp(prefix="loyalty-test-", dir=temporary_places(server_account(Path("/nowhere")))[0]))
    folder.chmod(0o711)  # the servers' user must walk through
    servers = EmbeddedServers(folder, lambda _: None, valkey=False)
    servers.start()
    yield servers
    servers.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _kill_a_backend(postmaster: int) -> None:
    """Kill a process of the server: it ends all others, recovers, and goes on."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
    os.kill(int(children[-1]), signal.SIGKILL)


def _kill_the_server(postmaster: int) -> None:
    os.kill(postmaster, signal.SIGKILL)


async def test_a_postgres_that_is_killed_under_load_loses_and_doubles_nothing(
    own_servers: EmbeddedServers, settings: Settings, client: aiohttp.ClientSession
) -> None:
    addresses = own_servers.addresses
    assert addresses.owner_database_url is not None
    await migrations.migrate(addresses.owner_database_url)
    settings = settings.model_copy(
        update={
            "database_url": addresses.database_url,
            "database_owner_url": addresses.owner_database_url,
        }
    )
    kills: list[Callable[[int], None]] = [_kill_a_backend, _kill_the_server]
    database = Database(settings)
    await database.open()
    async with running(settings) as address:
        shop, load = await make_shop(database, address, client), Load()
        await shop.buy(id="first")
        async with load.on(shop):
            for kill in kills:
                await load.acknowledged_more(100)
                postmaster = own_servers.process_ids["Postgres"]
                assert postmaster is not None
                kill(postmaster)
                recovering = asyncio.create_task(_keep_checking(own_servers))
                await load.acknowledged_more(100)  # well again by itself
                recovering.cancel()
        await load.check(shop)
    await prove(database)
    await database.close()


async def _keep_checking(servers: EmbeddedServers) -> None:
    while True:
        servers.check()
        await asyncio.sleep(0.1)
