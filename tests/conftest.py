"""Real servers for the tests: Postgres and Redis of their own, or those that the environment names."""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg
import pytest
import uvicorn

from service.app import uvicorn_config
from service.platform import migrations, telemetry
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.embedded import temporary_servers
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.platform.verify import verify
from service.programs import usecases as programs
from service.programs.rules import KeyLimit, ProgramSettings
from tests.shop import Shop, unique


@dataclass(frozen=True)
class Servers:
    """Where Postgres and Redis are."""

    owner_url: str
    login_url: str | None
    redis_url: str

    def database_url(self, name: str, *, owner: bool = False) -> str:
        """Return the address of a database of this server."""
        url = self.owner_url if owner or self.login_url is None else self.login_url
        parts = urlsplit(url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    def settings(self, database: str) -> Settings:
        """Return the settings of a service on a database of this server."""
        owner = None if self.login_url is None else self.database_url(database, owner=True)
        return Settings.model_validate(
            {
                "DATABASE_URL": self.database_url(database),
                "DATABASE_OWNER_URL": owner,
                "REDIS_URL": self.redis_url,
                "failed_logins_per_minute": 10**6,  # all tests call from one address
                "wrong_codes_per_minute": 10**6,
            }
        )


@pytest.fixture(scope="session")
def servers() -> Generator[Servers]:
    """Give the servers for the whole run."""
    telemetry.configure(50)
    database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    with ExitStack() as stack:
        login = None
        if database_url is None or redis_url is None:
            own = stack.enter_context(temporary_servers(postgres=database_url is None, valkey=redis_url is None))
            database_url = database_url or own.addresses.owner_database_url
            login = own.addresses.database_url
            redis_url = redis_url or own.addresses.redis_url
        assert database_url is not None
        assert redis_url is not None
        yield Servers(database_url, login, redis_url)


@asynccontextmanager
async def new_database(servers: Servers, *, migrated: bool = True) -> AsyncGenerator[str]:
    """Make a database of a server, and remove it in the end."""
    name = f"loyalty_test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(servers.owner_url)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        if migrated:
            await migrations.migrate(servers.database_url(name, owner=True))
        yield name
    finally:
        await _drop(admin, name)
        await admin.close()


async def _drop(admin: Db, name: str) -> None:
    """Remove a database. The server itself may be cleaning up in it, which ends soon and isn't ours to end."""
    async with asyncio.timeout(60):
        while True:
            try:
                await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            except asyncpg.InsufficientPrivilegeError:
                await asyncio.sleep(0.1)
            else:
                return


@pytest.fixture(scope="session")
async def database_name(servers: Servers) -> AsyncGenerator[str]:
    """Give the database that most tests share: each has a program of its own in it."""
    async with new_database(servers) as name:
        yield name


@pytest.fixture(scope="session")
def settings(servers: Servers, database_name: str) -> Settings:
    """Give the settings of the service under test."""
    return servers.settings(database_name)


@pytest.fixture(scope="session")
async def database(settings: Settings) -> AsyncGenerator[Database]:
    """Give connections as the service's role."""
    opened = Database(settings)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def owner(servers: Servers, database_name: str) -> AsyncGenerator[Db]:
    """Give a connection as the owner of the tables, who may do what the service can't."""
    connection = await asyncpg.connect(servers.database_url(database_name, owner=True))
    yield connection
    await connection.close()


class _Server(uvicorn.Server):
    """A server inside the tests' process, which keeps its own signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[str]:
    """Run the service on a free port; gives its address."""
    server = _Server(uvicorn_config(settings.model_copy(update={"port": 0})))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not serving.done(), "the service didn't start"
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def address(settings: Settings) -> AsyncGenerator[str]:
    """Give the address of the service under test."""
    async with running(settings) as at:
        yield at


@pytest.fixture(scope="session")
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    """Give an HTTP client."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


NewShop = Callable[..., Awaitable[Shop]]


@pytest.fixture
async def new_shop(database: Database, address: str, client: aiohttp.ClientSession) -> AsyncGenerator[NewShop]:
    """Give a maker of programs with keys; afterwards the books are proved."""

    async def make(at: str = address, **settings: Any) -> Shop:
        return await make_shop(database, at, client, **settings)

    yield make
    await prove(database)


@pytest.fixture
async def shop(new_shop: NewShop) -> Shop:
    """Give a program as `./run` makes it."""
    return await new_shop()


async def make_shop(database: Database, address: str, client: aiohttp.ClientSession, **settings: Any) -> Shop:
    """Make a program with a key for each role. Tests call as often as they like: limits have tests of their own."""
    keys = {role: new_key(live=False) for role in Role}

    async def work(db: Db) -> Shop:
        from service.programs.rules import changed

        program = await programs.create_program(
            db, code=unique("shop"), name="Shop", live=False, settings=changed(ProgramSettings(), settings)
        )
        for role, key in keys.items():
            await programs.add_key(
                db,
                program_id=program.id,
                role=role,
                name="test",
                key=key,
                entropy=random.getrandbits(62),
                limit=KeyLimit(10**6, 10**7),
            )
        return Shop(address, client, program, keys, database)

    return await transact(database.connection, work)


async def prove(database: Database) -> None:
    """Prove every invariant of the books."""
    async with database.connection() as db:
        broken = {finding.invariant.name: finding.broken for finding in await verify(db) if finding.broken}
    assert broken == {}
