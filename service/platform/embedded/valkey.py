"""The embedded Valkey server: a cache, so it keeps nothing over a restart."""

from pathlib import Path
from signal import SIGKILL, SIGTERM

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.platform.embedded.account import Account, our_account, server_account
from service.platform.embedded.binaries import find_valkey
from service.platform.embedded.child import ChildPlan, ChildProcess
from service.platform.embedded.child_log import ChildLog
from service.platform.embedded.data_folder import DataFolder
from service.platform.embedded.errors import Report
from service.platform.embedded.installation import can_run
from service.platform.embedded.private_file import write_private
from service.platform.embedded.socket_folder import SocketFolder

PROBE_SECONDS = 0.2
CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
save ""
appendonly no
dir {folder}
maxmemory 64mb
maxmemory-policy allkeys-lru
loglevel notice
"""


class ValkeyServer:
    """A Valkey (or Redis) server, reached by a socket alone."""

    def __init__(self, folder: DataFolder, home: Path, report: Report) -> None:
        """Find the binary; nothing runs yet.

        Raises:
            EmbeddedError: there is no binary.
        """
        self._report = report
        self._folder = home / "valkey"
        self._log = ChildLog(folder.log / "valkey.log")
        self._password = folder.passwords()[0]["valkey"]
        self._program = find_valkey()
        # Not as root, where that is possible: unlike Postgres it doesn't insist.
        wanted = server_account(home / "postgres")
        self._account: Account = wanted if can_run(wanted, self._program) else our_account()

    def start(self, sockets: SocketFolder) -> str:
        """Start, wait until it answers, and return its address.

        Raises:
            EmbeddedError: it doesn't start.
        """
        address = f"unix://:{self._password}@{sockets.valkey_socket}?db=0"
        self.child = ChildProcess(self._plan(sockets, address), self._report)
        try:
            self.child.start()
            self.child.wait_until_ready()
        except BaseException:
            self.child.stop()
            raise
        return address

    def _plan(self, sockets: SocketFolder, address: str) -> ChildPlan:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._account.give(self._folder)
        file = self._folder / "valkey.conf"
        text = CONFIGURATION.format(socket=sockets.valkey_socket, password=self._password, folder=self._folder)
        write_private(file, text)
        self._account.give(file)
        return ChildPlan(
            name="Valkey",
            command=[self._program, str(file)],
            folder=Path("/"),
            account=self._account,
            log=self._log,
            death_signal=SIGKILL,
            stop_signals=((SIGTERM, 5.0), (SIGKILL, 5.0)),
            steady_seconds=0.0,
            is_ready=lambda _pid: _answers(address),
        )


def _answers(address: str) -> bool:
    # redis leaves parts of its methods' arguments untyped.
    client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        address, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    try:
        return client.ping()  # pyright: ignore[reportUnknownMemberType]
    except redis.RedisError:
        return False
    finally:
        client.close()
