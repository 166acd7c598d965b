"""A database of a test's own: a worker works for all that is in one."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import Servers, new_database


@pytest.fixture
async def scratch(servers: Servers) -> AsyncGenerator[tuple[Settings, Db]]:
    """Give a database of the test's own, with a connection as its owner."""
    async with new_database(servers) as name:
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        yield servers.settings(name), owner
        await owner.close()
