"""Real servers for the tests: Postgres and Redis of their own, or those that the environment names."""

import asyncio
import os
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg
import pytest
import uvicorn
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from service.app import uvicorn_config
from service.news import KINDS
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

ONE_AT_A_TIME: Final = {"faults", "metrics", "test_rate_limits.py"}
"""Folders and files of tests that kill, cut off and hold up, or count what comes through in seconds."""

_LOGGED_IN: Final = """
SELECT a.usename, a.application_name, a.pid FROM pg_stat_activity AS a
WHERE a.datname = $1 AND a.usename IS NOT NULL
"""
"""Who is in a database, but for the server itself, which has no name there."""


def pytest_configure(config: pytest.Config) -> None:
    """Have modules compiled once for the run, also where the environment forbids it: tests start many processes.

    Compiling them takes longer than all else that a start of the service does. Workers of pytest-xdist inherit this.
    """
    if sys.dont_write_bytecode:
        folder = tempfile.mkdtemp(prefix="loyalty-bytecode-")
        os.environ.update(PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=folder)
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Where processes share the tests (`-n 2`), keep each file whole, so that its fixtures are made once.

    What breaks things or measures is one group, too, which one process gets behind all else.
    """
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):
    """Gives out the tests file by file. pytest-xdist's own `loadgroup` keeps nothing together under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return "one at a time" if is_alone(nodeid) else nodeid.partition("::")[0]


def is_alone(nodeid: str) -> bool:
    """Whether a test is of those that never run beside each other."""
    return not ONE_AT_A_TIME.isdisjoint(nodeid.partition("::")[0].split("/"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, begin with the longest files, so that none of them is waited for in the end.

    That group comes last, when the other processes have nothing left to do: deadlines bear no busy neighbours.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (is_alone(item.nodeid), item.get_closest_marker("long") is None))


@dataclass(frozen=True)
class Servers:
    """Where Postgres and Redis are."""

    owner_url: str
    login_url: str | None
    redis_url: str
    template: str
    """A database with the newest schema and nothing in it, which new ones are copies of."""

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
                "wrong_codes_of_address_per_minute": 10**6,
                "webhook_targets": "any",  # receivers of the tests are on this machine
            }
        )


@pytest.fixture(scope="session")
async def servers() -> AsyncGenerator[Servers]:
    """Give the servers for the whole run; where several processes share it (`-n 2`), each has servers of its own."""
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
        empty = Servers(database_url, login, redis_url, "template1")
        async with new_database(empty, migrated=False) as template:
            await _migrate(empty, template)
            yield replace(empty, template=template)


async def _migrate(servers: Servers, name: str) -> None:
    """Migrate a database. Roles are the server's, and another process may be making them for its own."""
    admin = await asyncpg.connect(servers.owner_url)
    try:
        await admin.execute("SELECT pg_advisory_lock(1)")
        await migrations.migrate(servers.database_url(name, owner=True))
    finally:
        await admin.close()


@asynccontextmanager
async def new_database(servers: Servers, *, migrated: bool = True) -> AsyncGenerator[str]:
    """Make a database of a server, and remove it in the end."""
    name = f"loyalty_test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(servers.owner_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {servers.template if migrated else 'template1'}")
    try:
        yield name
    finally:
        try:
            await drop_database(admin, name)
        finally:
            await admin.close()


async def drop_database(admin: Db, name: str, *, patience: float = 180) -> None:
    """Remove a database. Who was logged in gets `patience` (s) to be gone; who stays was left behind, and is named.

    The server itself may be cleaning up in it, which isn't ours to end: that is waited for as long as it takes.
    """
    ends_at = asyncio.get_running_loop().time() + patience
    while True:
        try:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        except asyncpg.InsufficientPrivilegeError:  # somebody is in it whom its owner may not end
            logged_in = await admin.fetch(_LOGGED_IN, name)
            is_over = asyncio.get_running_loop().time() >= ends_at
            assert not (logged_in and is_over), f"still in {name}: {[tuple(each) for each in logged_in]}"
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
    """Run the service on a free port; gives its address.

    It ends with the block, also where a test fails in it: it would stay in the database, which could not be removed.
    """
    server = _Server(uvicorn_config(settings.model_copy(update={"port": 0})))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not serving.done(), "the service didn't start"
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
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


@pytest.fixture(scope="module")
async def makers(database: Database) -> AsyncGenerator[dict[int, str]]:
    """Give the tests of a file by the programs that they made; behind the last of them the books are proved.

    Nobody touches a test's program later, so one proof for all tells the same as one behind each, and whose it is.
    """
    made = dict[int, str]()
    yield made
    await prove(database, made)


@pytest.fixture
async def new_shop(
    request: pytest.FixtureRequest,
    database: Database,
    address: str,
    client: aiohttp.ClientSession,
    makers: dict[int, str],
) -> AsyncGenerator[NewShop]:
    """Give a maker of programs with keys; the books are proved behind the last test of the file.

    Their keys end with the test: each process reads all that are valid whenever one is made.
    """
    programs_made = list[int]()

    async def make(at: str = address, **settings: Any) -> Shop:
        made = await make_shop(database, at, client, **settings)
        makers[made.program.id] = request.node.name
        programs_made.append(made.program.id)
        return made

    yield make
    async with database.connection() as db:
        await db.execute(
            "UPDATE api_key SET revoked_at = clock_timestamp() WHERE revoked_at IS NULL AND program_id = ANY($1)",
            programs_made,
        )


@pytest.fixture
async def shop(new_shop: NewShop) -> Shop:
    """Give a program as `./run` makes it."""
    return await new_shop()


async def make_shop(
    database: Database, address: str, client: aiohttp.ClientSession, roles: Iterable[Role] = Role, **settings: Any
) -> Shop:
    """Make a program with a key for each role. Tests call as often as they like: limits have tests of their own."""
    keys = {role: new_key(live=False) for role in roles}

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


async def prove(database: Database, makers: Mapping[int, str] = MappingProxyType({})) -> None:
    """Prove every invariant of the books, and that something is told of all that was announced.

    `makers` says which test made a program.
    """
    async with database.connection() as db:
        announced = {row["type"] for row in await db.fetch("SELECT DISTINCT type FROM announced")}
        broken = {finding.invariant.name: finding.broken for finding in await verify(db) if finding.broken}
    tests = {makers.get(row.get("program_id", 0), "?") for rows in broken.values() for row in rows}
    assert broken == {}, f"broken by {sorted(tests)}"
    assert announced <= {kind.type for kind in KINDS}
