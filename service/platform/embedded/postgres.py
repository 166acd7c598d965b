"""The embedded Postgres server."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT

import asyncpg

from service.platform.embedded.account import Account, server_account
from service.platform.embedded.binaries import find_postgres
from service.platform.embedded.child import ChildPlan, ChildProcess
from service.platform.embedded.child_log import ChildLog
from service.platform.embedded.cluster import Cluster, server_environment
from service.platform.embedded.data_folder import DataFolder
from service.platform.embedded.earlier_server import (
    Clearing,
    cluster_name,
    lines_of_pid_file,
    wait_for_earlier_server,
)
from service.platform.embedded.errors import EmbeddedError, Report
from service.platform.embedded.installation import reachable
from service.platform.embedded.socket_folder import POSTGRES_PORT, SocketFolder

STATUS_LINE = 7
"""The line of postmaster.pid that says `ready`, counted from 0; pg_ctl reads it too."""
STOP_SIGNALS = ((SIGINT, 60.0), (SIGQUIT, 10.0), (SIGKILL, 5.0))
"""A fast shutdown with a checkpoint, one without, none at all. What was committed is safe with each."""
LOGIN_SECONDS = 10.0
MEGABYTE = 2**20
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class PostgresServer:
    """A Postgres on a data folder whose lock this process holds, reached by a socket alone."""

    def __init__(
        self, folder: DataFolder, home: Path, report: Report, *, durable: bool, more_settings: Mapping[str, str]
    ) -> None:
        """Prepare the cluster, making it at the first start; nothing runs yet.

        Raises:
            EmbeddedError: there are no binaries, the cluster is another version's, or it can't be made.
        """
        self.account: Account = server_account(home / "postgres")
        self._report = report
        self._durable = durable
        self._more_settings = more_settings
        binaries = reachable(find_postgres(), self.account, home, report)
        self._cluster = Cluster(home / "postgres", binaries, self.account)
        self._log = ChildLog(folder.log / "postgres.log")
        self._passwords, passwords_are_new = folder.passwords()
        if not self._cluster.path.exists():
            report(f"Making a Postgres {binaries.version} database in {self._cluster.path} (once, some seconds).")
            self._cluster.make(self._passwords, durable=durable)
            return
        self._cluster.check_version()
        wait_for_earlier_server(self._cluster.path, self.account, report)
        if passwords_are_new:
            self._cluster.set_roles(self._passwords)

    def start(self, sockets: SocketFolder) -> tuple[str, str]:
        """Start, wait until a login works, and return the addresses of the owner and of the service.

        Raises:
            EmbeddedError: it doesn't start.
        """
        self.child = ChildProcess(self._plan(sockets), self._report)
        try:
            self.child.start()
            self.child.wait_until_ready()
            owner, login = (self._address(role, sockets) for role in ("loyalty_owner", "loyalty_login"))
            for address in (owner, login):
                _log_in(address)
        except BaseException:
            self.child.stop()
            raise
        return owner, login

    def _address(self, role: str, sockets: SocketFolder) -> str:
        return f"postgresql://{role}:{self._passwords[role]}@/loyalty?host={sockets.path}"

    def _plan(self, sockets: SocketFolder) -> ChildPlan:
        cluster = self._cluster
        settings = {
            **_settings(cluster),
            "unix_socket_directories": str(sockets.path),
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on",  # also without fsync: a kill of any process loses nothing
            "full_page_writes": "on" if self._durable else "off",
            **self._more_settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ChildPlan(
            name="Postgres",
            command=[cluster.binaries.server, "-D", str(cluster.path), *options],
            environment=server_environment(),
            folder=Path("/"),
            account=self.account,
            log=self._log,
            death_signal=SIGINT,
            stop_signals=STOP_SIGNALS,
            steady_seconds=0.0,
            is_ready=self._is_ready,
            may_start=Clearing(cluster.path, self.account).is_done,
        )

    def _is_ready(self, pid: int) -> bool:
        lines = lines_of_pid_file(self._cluster.path)
        return len(lines) > STATUS_LINE and lines[0].strip() == str(pid) and lines[STATUS_LINE].strip() == "ready"


def _settings(cluster: Cluster) -> dict[str, str]:
    """Return what every start sets. In the log stand neither statements nor details: they may hold personal data."""
    return {
        "cluster_name": cluster_name(cluster.path),
        "listen_addresses": "",
        "port": str(POSTGRES_PORT),
        "max_connections": "100",
        "shared_buffers": f"{_shared_buffers()}MB",
        "max_wal_size": "2GB",
        # lz4 or nothing: pglz costs more than it saves.
        "wal_compression": "lz4" if cluster.accepts("wal_compression", "lz4") else "off",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
    }


def _shared_buffers() -> int:
    """Return megabytes: an eighth of the memory that this process may have, from 32 to 256."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # No such limit, or `max`.
        memory = min(memory, int(CGROUP_LIMIT.read_text(encoding="ascii")))
    return max(32, min(256, memory // MEGABYTE // 8))


def _log_in(address: str) -> None:
    """Log in and out by the driver that the service uses; in a thread, since the caller's may run an event loop.

    Raises:
        EmbeddedError: the server refuses or doesn't answer.
    """

    async def log_in() -> None:
        connection = await asyncpg.connect(address, timeout=LOGIN_SECONDS)
        await connection.close()

    try:
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(lambda: asyncio.run(log_in())).result()
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        message = f"The embedded Postgres has started, but a login fails ({error}): its log may say why."
        raise EmbeddedError(message) from error
