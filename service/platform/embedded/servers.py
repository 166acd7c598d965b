"""Postgres and Valkey together, on one data folder."""

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from service.platform.embedded.account import ROOT, server_account, temporary_places
from service.platform.embedded.child import ChildProcess
from service.platform.embedded.data_folder import DataFolder
from service.platform.embedded.errors import Report
from service.platform.embedded.postgres import PostgresServer
from service.platform.embedded.socket_folder import SocketFolder
from service.platform.embedded.valkey import ValkeyServer


@dataclass(frozen=True, slots=True)
class Addresses:
    """How to reach the servers; None for one that wasn't asked for."""

    owner_database_url: str | None
    """For migrations: logs in as loyalty_owner, who owns the database and may make roles."""
    database_url: str | None
    """For the service: logs in as loyalty_login, a member of loyalty_service."""
    redis_url: str | None


class EmbeddedServers:
    """Servers that live as long as this process, however it ends. To be used from the main thread."""

    def __init__(
        self,
        folder: Path,
        report: Report,
        *,
        postgres: bool = True,
        valkey: bool = True,
        durable: bool = True,
        postgres_settings: Mapping[str, str] | None = None,
    ) -> None:
        """Choose the data folder and the servers; `durable=False` is for tests, a loss of power may lose the data.

        `postgres_settings` are for Postgres, before those that it gets otherwise.
        """
        self._path = folder
        self._report = report
        self._wants_postgres = postgres
        self._wants_valkey = valkey
        self._durable = durable
        self._postgres_settings = postgres_settings or {}
        self._folder: DataFolder | None = None
        self._sockets: SocketFolder | None = None
        self._children: list[ChildProcess] = []
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        """What `start` has returned.

        Raises:
            RuntimeError: the servers are not started.
        """
        if self._addresses is None:
            message = "The embedded servers are not started."
            raise RuntimeError(message)
        return self._addresses

    @property
    def process_ids(self) -> dict[str, int | None]:
        """The servers' process ids by name (`Postgres`, `Valkey`); None for one that is about to be started again."""
        return {child.plan.name: child.pid for child in self._children}

    @property
    def are_ready(self) -> bool:
        """Whether all of them run and answer, as of the last `check`."""
        return all(child.is_ready for child in self._children)

    def start(self) -> Addresses:
        """Start the servers, wait until they answer, and write the addresses to `servers.json` in the data folder.

        Raises:
            EmbeddedError: they can't run here; whatever had been started is stopped.
        """
        self._folder = DataFolder(self._path, self._report)
        try:
            self._folder.lock()
            self._addresses = self._start_in(self._folder)
        except BaseException:
            self.stop()
            raise
        self._folder.publish({name: url for name, url in asdict(self._addresses).items() if url is not None})
        return self._addresses

    def check(self) -> None:
        """Start again what has died; to be called about twice a second, never waits.

        Raises:
            EmbeddedError: the start of one has failed three times in a row.
        """
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """Stop the servers in order and leave the data folder to the next start; does nothing when none runs."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        try:
            folder.say_ending()
            if folder.is_locked:
                folder.withdraw()
            while self._children:
                self._children.pop().stop()
            if self._sockets is not None:
                self._sockets.remove()
        finally:
            self._sockets = self._addresses = None
            folder.unlock()

    def _start_in(self, folder: DataFolder) -> Addresses:
        folder.withdraw()  # Of a process that was killed.
        account = server_account(folder.path / "postgres")
        home = folder.home_for(account)
        owner = login = redis_url = None
        # Valkey first: a missing binary of either is told before a database is made.
        valkey = ValkeyServer(folder, home, self._report) if self._wants_valkey else None
        postgres = None
        if self._wants_postgres:
            more = self._postgres_settings
            postgres = PostgresServer(folder, home, self._report, durable=self._durable, more_settings=more)
        self._sockets = SocketFolder(home, account)
        if valkey is not None:
            redis_url = valkey.start(self._sockets)
            self._children.append(valkey.child)
        if postgres is not None:
            owner, login = postgres.start(self._sockets)
            self._children.append(postgres.child)
        return Addresses(owner, login, redis_url)


@contextmanager
def temporary_servers(
    report: Report = lambda _line: None, *, postgres: bool = True, valkey: bool = True
) -> Generator[EmbeddedServers, None, None]:
    """Give throw-away servers for tests, started; afterwards their folder is removed.

    They trade safety for speed: a loss of power would lose the data, a kill of any process doesn't.
    """
    places = temporary_places(server_account(Path("/nowhere")))
    folder = Path(tempfile.mkdtemp(prefix="loyalty-servers-", dir=next(iter(places), None)))
    if os.geteuid() == ROOT:
        folder.chmod(0o711)  # The servers run as another user, who must walk through.
    servers = EmbeddedServers(folder, report, postgres=postgres, valkey=valkey, durable=False)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
