"""Connections that play several processes on one database."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.concurrency.till import Till
from tests.shop import Shop


@pytest.fixture
async def tills(settings: Settings, shop: Shop) -> AsyncGenerator[tuple[Till, Till, Till]]:
    """Give three callers of one shop's booking, each with a connection of its own as the service has it."""
    async with AsyncExitStack() as closing:
        made: list[Till] = []
        for _ in range(3):
            db: Db = await Database(settings).connect()
            closing.push_async_callback(db.close)
            made.append(Till(db, shop.program))
        yield made[0], made[1], made[2]
