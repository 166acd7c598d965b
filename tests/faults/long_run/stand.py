"""What the long run runs against: servers of its own, the API as in production, and a proxy between the two."""

import asyncio
import contextlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import aiohttp
import asyncpg

from service.platform import migrations
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.embedded import EmbeddedServers
from service.platform.embedded.account import server_account, temporary_places
from service.platform.roles import Role
from service.platform.settings import CHECKOUT, Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import Program, ProgramSettings
from tests.faults.proxy import PostgresProxy, proxy_before
from tests.ports import free_port

KEYS = 8
"""So many keys share the load: the service limits the rate of each."""
STARTS_WITHIN = 60.0
"""Seconds, on a busy machine."""


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


async def until(condition: Callable[[], object], *, within: float = STARTS_WITHIN) -> None:
    """Wait until something is so. Raises TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


class Api:
    """`loyalty serve` with two workers, started again whenever it ends, as a supervisor of processes does."""

    def __init__(self, settings: Settings, log: Path, planted: str | None) -> None:
        self._planted = planted
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._port = free_port()
        self._environment = os.environ | {
            "DATABASE_URL": settings.database_url or "",
            "DATABASE_OWNER_URL": settings.database_owner_url or "",
            "REDIS_URL": settings.redis_url or "",
            "LOYALTY_PORT": str(self._port),
            "PLANTED_BUG": planted or "",
            # Modules are compiled once, as in an installation, whatever the environment of the tests says.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", str(log.parent / "bytecode")),
        }

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process that the supervisor started."""
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that answer calls."""
        if self._process is None:
            return []
        return [pid for pid in children_of(self.pid) if is_worker(pid)]

    def start(self) -> None:
        """Begin to keep it running."""
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Tell it to end, and start it no more."""
        assert self._keeping is not None
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def is_ready(self) -> bool:
        """Ask it once, on a connection of its own."""
        try:
            async with aiohttp.request("GET", f"{self.address}/readyz", timeout=aiohttp.ClientTimeout(5)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _keep(self) -> None:
        module = "tests.faults.long_run.planted" if self._planted else "service"
        while True:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", module, "serve", "--processes", "2",
                    cwd=CHECKOUT, env=self._environment, stderr=log,
                )  # fmt: skip
            await self._process.wait()
            await asyncio.sleep(0.2)


def is_worker(pid: int) -> bool:
    """Tell a worker from the process that Python keeps beside them."""
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@dataclass(frozen=True)
class Stand:
    """Everything that runs."""

    servers: EmbeddedServers
    proxy: PostgresProxy
    breaking: asyncio.Lock
    """Held by who wants the next commit broken."""
    api: Api
    database: Database
    """Past the proxy, as the service's role."""
    program: Program
    keys: list[str]

    async def hot_backend(self) -> int:
        """Return the process id of the backend that books just now, or has booked last."""
        async with self.database.connection() as db:
            return await db.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'loyalty' AND pid != pg_backend_pid() "
                "AND datname = current_database() ORDER BY (xact_start IS NULL), state_change DESC LIMIT 1"
            )

    @property
    def postmaster(self) -> int:
        """The process id of the database server."""
        pid = self.servers.process_ids["Postgres"]
        assert pid is not None
        return pid


@contextmanager
def _own_servers() -> Generator[tuple[EmbeddedServers, Path]]:
    """Give durable servers, and their folder: throw-away ones may lose what wasn't written when they are killed."""
    folder = Path(tempfile.mkdtemp(prefix="loyalty-test-", dir=temporary_places(server_account(Path("/nowhere")))[0]))
    folder.chmod(0o711)  # the servers' user must walk through
    servers = EmbeddedServers(folder, lambda _: None)
    try:
        servers.start()
        yield servers, folder
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def stand(planted: str | None = None) -> AsyncGenerator[Stand]:
    """Start everything; `planted` names a mistake that the API shall have. Call it in the main thread."""
    with _own_servers() as (servers, folder):
        async with _stand_on(servers, folder / "api.log", planted) as running:
            yield running


@asynccontextmanager
async def _stand_on(servers: EmbeddedServers, log: Path, planted: str | None) -> AsyncGenerator[Stand]:
    addresses = servers.addresses
    await migrations.migrate(addresses.owner_database_url or "")
    settings = Settings.model_validate(
        {
            "DATABASE_URL": addresses.database_url,
            "DATABASE_OWNER_URL": addresses.owner_database_url,
            "REDIS_URL": addresses.redis_url,
        }
    )
    database = Database(settings)
    await database.open()
    keeping = asyncio.create_task(_keep_checking(servers))
    try:
        async with proxy_before(addresses.database_url or "") as proxy:
            program, keys = await transact(database.connection, _make_program)
            api = Api(settings.model_copy(update={"database_url": proxy.url}), log, planted)
            api.start()
            try:
                async with asyncio.timeout(STARTS_WITHIN):
                    while not (len(api.workers) == 2 and await api.is_ready()):
                        await asyncio.sleep(0.1)
                yield Stand(servers, proxy, asyncio.Lock(), api, database, program, keys)
            finally:
                await api.stop()
    finally:
        keeping.cancel()
        await database.close()


async def _keep_checking(servers: EmbeddedServers) -> None:
    """Start again what was killed, as `./run` does."""
    while True:
        servers.check()
        await asyncio.sleep(0.1)


async def _make_program(db: Db) -> tuple[Program, list[str]]:
    program = await programs.create_program(
        db, code="long-run", name="Long run", live=False, settings=ProgramSettings()
    )
    keys = [new_key(live=False) for _ in range(KEYS)]
    for key in keys:
        await programs.add_key(
            db, program_id=program.id, role=Role.CHECKOUT, name="test", key=key, entropy=random.getrandbits(62)
        )
    return program, keys


def kill(pid: int) -> None:
    """End a process as nothing can be ended more suddenly; it may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, SIGKILL)


FAULTS_OF_A_KILLED_SERVER = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What a connection past the proxy may raise meanwhile."""
