"""The folder that holds the servers' data: its layout, its lock, its secrets.

- `lock`: held while servers run on it; names the process.
- `postgres`: the cluster, or a link to where it lies.
- `valkey`: the configuration; there is no data, it is a cache.
- `run`: the sockets, or a link to a shorter place.
- `log`: the servers' logs.
- `passwords.json`, `servers.json`: mode 0600.
"""

import fcntl
import hashlib
import json
import os
import secrets
import time
from pathlib import Path

import msgspec

from service.platform.embedded.account import ROOT, Account
from service.platform.embedded.errors import EmbeddedError, Report
from service.platform.embedded.private_file import write_private

STATE_FOLDER = Path("/var/lib/loyalty")
"""Where root keeps a cluster whose data folder lies where the server's user can't go."""
GRACE_SECONDS = 2.0
"""A lock is tried for so long: its holder may have been killed a moment ago."""
ENDING_SECONDS = 90.0
"""A holder that is shutting down is waited for so long."""
ACCOUNTS_WITH_PASSWORD = ("postgres", "loyalty_owner", "loyalty_login", "valkey")


class DataFolder:
    """One data folder of this process. The path is made absolute and free of links, made if it isn't there."""

    def __init__(self, path: Path, report: Report) -> None:
        """Make the folder where it isn't there.

        Raises:
            EmbeddedError: it can't be made.
        """
        self._report = report
        self._lock: int | None = None
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir(exist_ok=True)
                # Another user's server must walk through; it can list nothing, and secrets are 0600.
                path.chmod(0o711 if os.geteuid() == ROOT else 0o700)
            self.path = path.resolve(strict=True)
        except OSError as error:
            message = f"The data folder {path} can't be made: {error.strerror}."
            raise EmbeddedError(message) from error

    @property
    def log(self) -> Path:
        """The folder of the logs."""
        return self.path / "log"

    @property
    def is_locked(self) -> bool:
        """Whether this process holds the folder."""
        return self._lock is not None

    def lock(self) -> None:
        """Take the folder for this process, waiting for one that is shutting down.

        Raises:
            EmbeddedError: another process uses it, or it can't be written to.
        """
        try:
            # Not inherited by children: exec closes it. A server that outlives this process doesn't hold the lock.
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"The data folder {self.path} can't be written to by this user: {error.strerror}."
            raise EmbeddedError(message) from error
        try:
            self._wait_for_lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor
        self._say(f"{os.getpid()}\n")

    def say_ending(self) -> None:
        """Let a next start know that this process is on its way out."""
        if self._lock is not None:
            self._say(f"{os.getpid()} ending\n")

    def unlock(self) -> None:
        """Leave the folder to the next process; does nothing without a lock."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def passwords(self) -> tuple[dict[str, str], bool]:
        """Return the servers' passwords by account, and whether they are new; they stay the same from start to start.

        Raises:
            EmbeddedError: the file is there and isn't to be read.
        """
        file = self.path / "passwords.json"
        if not file.exists():
            made = {account: secrets.token_hex(24) for account in ACCOUNTS_WITH_PASSWORD}
            write_private(file, json.dumps(made, indent=2) + "\n")
            return made, True
        try:
            return msgspec.json.decode(file.read_bytes(), type=dict[str, str]), False
        except (OSError, msgspec.MsgspecError) as error:
            message = f"{file} can't be read: remove it, and new passwords are set at the next start."
            raise EmbeddedError(message) from error

    def publish(self, addresses: dict[str, str]) -> None:
        """Write `servers.json`: the addresses while the servers run, and this process's id."""
        write_private(self.path / "servers.json", json.dumps({"pid": os.getpid(), **addresses}, indent=2) + "\n")

    def withdraw(self) -> None:
        """Remove `servers.json`."""
        (self.path / "servers.json").unlink(missing_ok=True)

    def home_for(self, account: Account) -> Path:
        """Return the folder for what `account`'s server uses: this one, or one under STATE_FOLDER where it can go.

        The second happens when root keeps the data folder in a closed place, such as its own home. The cluster is then
        a link here. A folder that an earlier, deleted data folder of this path has left is not used again.

        Raises:
            EmbeddedError: the other place can't be made either.
        """
        link = self.path / "postgres"
        if link.is_symlink():
            return link.readlink().parent
        if account.can_enter(self.path):
            return self.path
        home = self._free_home()
        try:
            STATE_FOLDER.mkdir(mode=0o755, exist_ok=True)
            home.mkdir()
            home.chmod(0o711)
        except OSError as error:
            problem = f"Postgres runs as {account.name}, who can't go to {self.path}, and {home} can't be made"
            message = f"{problem} ({error.strerror}): choose another data folder."
            raise EmbeddedError(message) from error
        if not account.can_enter(home):
            message = f"Postgres runs as {account.name}, who can go neither to {self.path} nor to {home}."
            raise EmbeddedError(message)
        link.symlink_to(home / "postgres")
        self._report(f"The user {account.name} can't go to {self.path}: Postgres keeps its data in {home}.")
        return home

    def _free_home(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:8]
        name = f"{self.path.name.lstrip('.') or 'data'}-{digest}"
        home, number = STATE_FOLDER / name, 1
        while home.exists():
            number += 1
            home = STATE_FOLDER / f"{name}-{number}"
        return home

    def _wait_for_lock(self, descriptor: int) -> None:
        began, told = time.monotonic(), False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 100, 0).decode().split()
            else:
                return
            is_ending = holder[1:] == ["ending"]
            if time.monotonic() - began >= (ENDING_SECONDS if is_ending else GRACE_SECONDS):
                who = f"process {holder[0]}" if holder else "another process"
                message = f"The data folder {self.path} is in use by {who}: end that, or choose another folder."
                raise EmbeddedError(message)
            if is_ending and not told:
                self._report(f"Waiting for process {holder[0]} to end.")
                told = True
            time.sleep(0.05)

    def _say(self, text: str) -> None:
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, text.encode(), 0)
