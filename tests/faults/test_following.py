"""Waiting for events, while the database can't be asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from service.events.following import Following
from service.events.sequencing import move_all
from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.shop import Shop


class AwayAtFirst(Database):
    """A database that can't be asked the first two times."""

    asked = 0

    @asynccontextmanager
    async def reading(self, patience: float = 4.0) -> AsyncGenerator[Db]:
        """Fail twice, then borrow a connection."""
        self.asked += 1
        if self.asked <= 2:
            detail = "The database doesn't answer."
            raise Unavailable(detail)
        async with super().reading(patience) as db:
            yield db


async def test_who_waits_is_told_once_the_database_can_be_asked_again(shop: Shop, settings: Settings) -> None:
    assert shop.database is not None
    database = AwayAtFirst(settings)
    await database.open()
    following = Following(database)
    following.open()
    await shop.buy()
    await move_all(shop.database)
    async with asyncio.timeout(30):
        await following.wait(shop.program.id, after=0, seconds=60)
    assert database.asked > 2
    await following.close()
    await database.close()
