"""A shop whose database has a clock that the test sets: for what hangs on the calendar, which no shift of rows keeps.

All of the service's decisions rest on the database's time (`service/platform/clock.py`), so no more is needed.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import asyncpg

from service.platform.database import Database
from service.platform.statements import Db
from tests.conftest import Servers, make_shop, new_database, prove, running
from tests.shop import Shop

_CLOCK = """
CREATE SCHEMA wall;
CREATE TABLE wall.clock (shows timestamptz NOT NULL, since timestamptz NOT NULL);
INSERT INTO wall.clock VALUES (pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp());
CREATE FUNCTION wall.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
AS 'SELECT c.shows + (pg_catalog.clock_timestamp() - c.since) FROM wall.clock AS c';
CREATE FUNCTION wall.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT wall.clock_timestamp()';
GRANT USAGE ON SCHEMA wall TO public;
GRANT SELECT ON wall.clock TO public;
ALTER FUNCTION make_partitions SET search_path = wall, pg_catalog, public, pg_temp;
"""
"""The schema stands before the system's own in the path of every session, so that its function is the one called."""


@dataclass(frozen=True)
class WallClock:
    """The clock of one database. It goes on from where it was set."""

    owner: Db

    async def set(self, moment: str) -> None:
        """Let it be another moment, RFC 3339, and make the partitions of its quarter and the next ones."""
        await self.owner.execute(
            "UPDATE wall.clock SET shows = $1, since = pg_catalog.clock_timestamp()", datetime.fromisoformat(moment)
        )
        await self.owner.execute("SELECT make_partitions(2)")


@asynccontextmanager
async def shop_with_clock(
    servers: Servers, client: aiohttp.ClientSession, moment: str, **settings: Any
) -> AsyncGenerator[tuple[Shop, WallClock]]:
    """Give a program in a service and a database of its own, made at a moment; in the end its books are proved."""
    async with new_database(servers) as name:
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        try:
            await owner.execute(_CLOCK)
            await owner.execute(f"ALTER DATABASE {name} SET search_path = wall, pg_catalog, public")
            await owner.close()
            owner = await asyncpg.connect(servers.database_url(name, owner=True))
            clock = WallClock(owner)
            await clock.set(moment)
            configured = servers.settings(name)
            database = Database(configured)
            await database.open()
            try:
                async with running(configured) as address:
                    yield await make_shop(database, address, client, **settings), clock
                await prove(database)
            finally:
                await database.close()
        finally:
            await owner.close()
