"""A service of a test's own: behind a proxy that can break what lies before Postgres, or on a database of its own."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import aiohttp
import asyncpg
import pytest

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import Servers, make_shop, new_database, prove, running
from tests.faults.proxy import PostgresProxy, proxy_before
from tests.shop import Shop


@dataclass(frozen=True)
class ShopBehindProxy:
    """A shop whose service reaches Postgres through a proxy."""

    shop: Shop
    proxy: PostgresProxy
    settings: Settings


@pytest.fixture
async def behind(
    settings: Settings, database: Database, client: aiohttp.ClientSession
) -> AsyncGenerator[ShopBehindProxy]:
    """Give a shop behind a proxy, its connections warm; afterwards the books are proved."""
    assert settings.database_url is not None
    async with proxy_before(settings.database_url) as proxy:
        proxied = settings.model_copy(update={"database_url": proxy.url})
        async with running(proxied) as address:
            shop = await make_shop(database, address, client)
            assert (await shop.buy(id="warm", customer_id="warm")).status == 201
            await asyncio.gather(shop.balance("warm"), *(shop.get("/v1/purchases/warm") for _ in range(16)))
            yield ShopBehindProxy(shop, proxy, proxied)
            proxy.resume()
    await prove(database)


@dataclass(frozen=True)
class ShopAlone:
    """A shop on a database that no other test uses, so that its schema can be spoilt."""

    shop: Shop
    owner: Db
    database: Database


@pytest.fixture
async def alone(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[ShopAlone]:
    """Give a shop on a database of its own, with a connection as the owner of its tables."""
    async with new_database(servers) as name:
        settings = servers.settings(name)
        database = Database(settings)
        await database.open()
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        try:
            async with running(settings) as address:
                yield ShopAlone(await make_shop(database, address, client), owner, database)
        finally:
            await owner.close()
            await database.close()
