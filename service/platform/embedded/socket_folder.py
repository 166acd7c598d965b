"""A folder for the servers' sockets whose path is short enough and open to both sides."""

import re
import shutil
import socket
import tempfile
from pathlib import Path

from service.platform.embedded.account import Account, temporary_places
from service.platform.embedded.errors import EmbeddedError

LONGEST_SOCKET_PATH = 103
"""Bytes. Linux takes 107, macOS 103."""
POSTGRES_PORT = 5432
"""No TCP port: Postgres names its socket after a number."""
POSTGRES_SOCKET = f".s.PGSQL.{POSTGRES_PORT}"
VALKEY_SOCKET = "valkey.sock"
PREFIX = "loyalty-"
SIMPLE_PATH = re.compile(r"[A-Za-z0-9_./-]+", re.ASCII)
"""A path that needs no escape in an address; clients differ in how they read commas and blanks."""


class SocketFolder:
    """`<home>/run`, or a private folder in the system's temporary one with `<home>/run` as a link to it."""

    def __init__(self, home: Path, account: Account) -> None:
        """Make the folder, empty, mode 0700, owned by the account of the servers.

        Raises:
            EmbeddedError: no place takes a socket.
        """
        self._name = home / "run"
        self._clear()
        self.path = self._make(account)

    @property
    def valkey_socket(self) -> Path:
        """Where Valkey listens."""
        return self.path / VALKEY_SOCKET

    def remove(self) -> None:
        """Remove the folder with what is in it."""
        self._clear()

    def _make(self, account: Account) -> Path:
        if _takes_a_path(self._name):
            self._name.mkdir(mode=0o700)
            if _takes_a_socket(self._name):
                account.give(self._name)
                return self._name
            self._name.rmdir()
        for parent in temporary_places(account):
            if not _takes_a_path(parent / f"{PREFIX}12345678"):
                continue
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            if _takes_a_socket(folder):
                account.give(folder)
                self._name.symlink_to(folder)
                return folder
            folder.rmdir()
        message = f"Neither {self._name} nor the system's temporary folder takes a socket: choose another data folder."
        raise EmbeddedError(message)

    def _clear(self) -> None:
        """Remove what an earlier start has left, the folder behind a link only if it is of our making."""
        if self._name.is_symlink():
            target = self._name.readlink()
            if target.name.startswith(PREFIX) and not target.is_symlink():
                shutil.rmtree(target, ignore_errors=True)
            self._name.unlink()
        elif self._name.exists():
            shutil.rmtree(self._name)


def _takes_a_path(folder: Path) -> bool:
    longest = max(len(POSTGRES_SOCKET), len(VALKEY_SOCKET)) + 1
    return SIMPLE_PATH.fullmatch(str(folder)) is not None and len(str(folder)) + longest <= LONGEST_SOCKET_PATH


def _takes_a_socket(folder: Path) -> bool:
    """Try it: some mounted file systems have no sockets."""
    probe = folder / "probe"
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(probe))
    except OSError:
        return False
    probe.unlink()
    return True
