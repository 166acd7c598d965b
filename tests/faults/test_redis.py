"""Redis is away, hangs, was emptied or holds nonsense: everything goes on and is right."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from service.platform import redis as redis_client
from service.platform.database import Database
from service.platform.settings import Settings
from tests.conftest import make_shop, prove, running
from tests.shop import Shop, purchase

PATIENCE = 0.05
"""Seconds that a call may wait for an answer of Redis."""


@contextmanager
def closed_port() -> Generator[str]:
    """Give the address of a port that nobody listens on, kept from others meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


@contextmanager
def hanging() -> Generator[str]:
    """Give the address of a server whose connections are made and never answered: the system makes them by itself."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as silent:
        yield f"redis://127.0.0.1:{silent.getsockname()[1]}/0"


@pytest.fixture(params=[closed_port, hanging])
async def without_redis(
    request: pytest.FixtureRequest,
    settings: Settings,
    database: Database,
    client: aiohttp.ClientSession,
) -> AsyncGenerator[Shop]:
    """Give a shop whose service has no use of Redis; afterwards the books are proved."""
    with request.param() as url:
        async with running(settings.model_copy(update={"redis_url": url})) as address:
            yield await make_shop(database, address, client)
    await prove(database)


async def test_purchases_need_no_redis(without_redis: Shop) -> None:
    body = purchase()
    answers = await asyncio.gather(*(without_redis.post("/v1/purchases", body) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]


async def test_commands_need_no_redis(without_redis: Shop) -> None:
    batch = {"purchases": [purchase(id="order-1")]}
    first = await without_redis.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    again = await without_redis.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    other = await without_redis.post("/v1/purchases/batch", {"purchases": [purchase()]}, Idempotency_Key="k-1")
    assert (first.status, first.replayed) == (200, False)
    assert (again.status, again.replayed, again.text) == (200, True, first.text)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert (await without_redis.balance("c-42"))["available"] == 129


def test_a_call_waits_no_longer_than_50_ms_for_redis_and_tries_once() -> None:
    connection: Any = redis_client.connect("redis://127.0.0.1:6379/0").connection_pool.make_connection()
    assert 0 < connection.socket_timeout <= PATIENCE
    assert 0 < connection.socket_connect_timeout <= PATIENCE
    assert connection.retry.get_retries() == 0


@pytest.mark.parametrize("spoilt", [None, b"", b"nonsense", b"{}", b'{"status":"x"}'])
async def test_what_redis_has_lost_or_garbled_is_read_from_the_books(
    shop: Shop, settings: Settings, spoilt: bytes | None
) -> None:
    batch = {"purchases": [purchase(id="order-1")]}
    first = await shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    assert settings.redis_url is not None
    connected: Any = Redis.from_url(settings.redis_url)  # pyright: ignore[reportUnknownMemberType]
    async with connected as redis:
        (kept,) = [key async for key in redis.scan_iter(f"*:{shop.program.id}:k-1")]
        await (redis.delete(kept) if spoilt is None else redis.set(kept, spoilt))
    again = await shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    assert (again.status, again.replayed, again.text) == (200, True, first.text)
    assert (await shop.balance("c-42"))["available"] == 129
