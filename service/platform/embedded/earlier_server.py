"""Processes of an earlier Postgres on the same cluster: still shutting down, or left by a postmaster that was killed.

Whoever holds the data folder's lock owns the cluster, so nobody else's server is met here.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT, Signals

from service.platform.embedded.account import Account
from service.platform.embedded.errors import EmbeddedError, Report

PROC = Path("/proc")
ASK_SECONDS = 45.0
"""A fast shutdown writes a checkpoint first, which takes its time on a slow disk."""
GIVE_UP_SECONDS = 75.0
REPORT_SECONDS = 5.0


def cluster_name(cluster: Path) -> str:
    """Return the name by which the process titles of a cluster's server are known, the same for the same path."""
    return "loyalty-" + hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]


def processes_of(cluster: Path, account: Account) -> list[int]:
    """Return the process ids of the account's servers on `cluster`.

    The postmaster is known by its `-D`, its children by their titles, which begin with the cluster's name. Both can be
    read of other users' processes too, unlike their working folder.
    """
    data_argument = f" -D {cluster} "
    title = f"postgres: {cluster_name(cluster)}:"
    return [
        pid
        for pid, command in _commands(account)
        if command.startswith(title) or (data_argument in f"{command} " and "postgres" in command.split(" -D ", 1)[0])
    ]


def wait_for_earlier_server(cluster: Path, account: Account, report: Report) -> None:
    """Wait until no server of an earlier start is left on `cluster`; one that stays too long is told to leave harder.

    Raises:
        EmbeddedError: it doesn't leave within GIVE_UP_SECONDS.
    """
    pids = processes_of(cluster, account)
    if pids:
        report(f"Waiting for an earlier Postgres to finish ({_list_of(pids)}).")
        _signal(pids, SIGINT)
    began = time.monotonic()
    tell_at, quit_at = began + REPORT_SECONDS, began + ASK_SECONDS
    while pids:
        now = time.monotonic()
        if now >= began + GIVE_UP_SECONDS:
            message = f"An earlier Postgres on {cluster} doesn't end ({_list_of(pids)}): end it by hand."
            raise EmbeddedError(message)
        if now >= quit_at or not _postmaster_lives(cluster, pids):
            _signal(pids, SIGQUIT)  # The log of changes makes up for the checkpoint that is left out.
            quit_at = now + REPORT_SECONDS
        if now >= tell_at:
            report(f"Still waiting for the earlier Postgres ({_list_of(pids)}).")
            tell_at = now + REPORT_SECONDS
        time.sleep(0.1)
        pids = processes_of(cluster, account)
    _forget_foreign_pid(cluster)


class Clearing:
    """Ends what a killed postmaster has left, without waiting. A new one refuses to start while they are there."""

    def __init__(self, cluster: Path, account: Account) -> None:
        """Remember whose processes; none is touched yet."""
        self._cluster = cluster
        self._account = account
        self._kill_at: float | None = None

    def is_done(self) -> bool:
        """Tell them to leave, harder after five seconds, and say whether all have left."""
        pids = processes_of(self._cluster, self._account)
        now = time.monotonic()
        if not pids:
            self._kill_at = None
            return True
        if self._kill_at is None:
            self._kill_at = now + 5.0
        _signal(pids, SIGKILL if now >= self._kill_at else SIGQUIT)
        return False


def pid_in_file(cluster: Path) -> int | None:
    """Return the process id that postmaster.pid names, None when there is none."""
    lines = lines_of_pid_file(cluster)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None


def lines_of_pid_file(cluster: Path) -> list[str]:
    """Return the lines of postmaster.pid: the process id first, the server's status eighth. Empty without a file."""
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _postmaster_lives(cluster: Path, pids: list[int]) -> bool:
    return pid_in_file(cluster) in pids


def _forget_foreign_pid(cluster: Path) -> None:
    """Remove a stale postmaster.pid whose number belongs to some other program now; Postgres would refuse to start.

    In containers process ids repeat from start to start. One that nobody has is left for Postgres to judge.
    """
    pid = pid_in_file(cluster)
    if pid is None:
        return
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    except PermissionError:
        pass
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _signal(pids: list[int], signal: Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal)
        except (ProcessLookupError, PermissionError):
            continue


def _list_of(pids: list[int]) -> str:
    return ("process " if len(pids) == 1 else "processes ") + ", ".join(str(pid) for pid in pids)


def _commands(account: Account) -> Iterator[tuple[int, str]]:
    """Yield the process id and the command line of every process of the account that is no zombie."""
    if sys.platform != "linux":
        yield from _commands_by_ps(account)
        return
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if folder.stat().st_uid == account.uid:
                raw = (folder / "cmdline").read_bytes()
                yield int(folder.name), os.fsdecode(raw.rstrip(b"\0 ").replace(b"\0", b" "))
        except OSError:
            continue  # It has ended meanwhile.


def _commands_by_ps(account: Account) -> Iterator[tuple[int, str]]:
    listing = subprocess.run(  # noqa: S603 - fixed program
        ["/bin/ps", "-ww", "-U", str(account.uid), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if pid.isdigit():
            yield int(pid), command.strip()
