"""The operating system's account that the servers run as: Postgres refuses to run as root."""

import os
import pwd
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from service.platform.embedded.errors import EmbeddedError

ROOT = 0
CANDIDATES = ("postgres", "nobody")
BOUND_EXEC = Path(__file__).with_name("bound_exec.py")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and a group by number, and the user's name for messages."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether this process runs as this user."""
        return self.uid == os.geteuid()

    def give(self, path: Path) -> None:
        """Make this account the owner of a file or folder that this process has made."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Whether this account can walk into `folder`, asked of the kernel (modes alone leave out ACLs)."""
        if self.is_ours:
            return os.access(folder, os.X_OK)
        probe = subprocess.run(  # noqa: S603 - fixed program, the path is an argument
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder],
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
        return probe.returncode == 0


def our_account() -> Account:
    """Return the account of this process; a number without a name in the system's list serves as its own name."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return Account(name, os.geteuid(), os.getegid())


def server_account(cluster: Path) -> Account:
    """Return whom the servers run as: ourselves or, when we are root, who owns the cluster, else postgres, else nobody.

    Raises:
        EmbeddedError: we are root and the system has none of these users.
    """
    if os.geteuid() != ROOT:
        return our_account()
    if cluster.exists():
        owner = cluster.stat()
        if owner.st_uid != ROOT:  # Made by a plain user, who shall be able to go on with it.
            return Account(str(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    message = "Postgres doesn't run as root and this system has no user postgres or nobody: start as a plain user."
    raise EmbeddedError(message)


def temporary_places(account: Account) -> list[Path]:
    """Return the folders for temporary files where `account` can go; the configured one may be closed to it."""
    places = dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp")))  # noqa: S108 - private folders are made in it
    return [place for place in places if place.is_dir() and account.can_enter(place)]


def bound_command(account: Account, death_signal: Signals, command: list[str]) -> list[str]:
    """Return what to start so that `command` runs as `account` and gets `death_signal` when this process dies.

    The kernel takes the end of the thread that started it for the end of the process: start from the main thread.
    Where the system has no such signal (macOS), the command runs without it.
    """
    binding = [str(os.getpid()), str(int(death_signal)), str(account.uid), str(account.gid)]
    return [sys.executable, "-I", "-S", str(BOUND_EXEC), *binding, *command]
