"""What is done to the service while it books. Each fault returns when it has bitten and its cause is gone."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGSTOP, Signals

from tests.faults.long_run.stand import FAULTS_OF_A_KILLED_SERVER, Stand, children_of, kill, until
from tests.faults.proxy import AtCommit

PAUSE = 2.0
"""Seconds for which processes are stopped."""


@dataclass(frozen=True)
class Fault:
    """A fault: `kind` is what is killed, None where nothing is."""

    name: str
    kind: str | None
    strike: Callable[[Stand], Awaitable[None]]


async def break_next_commit(stand: Stand, what: AtCommit, *, within: float = 30.0) -> None:
    """Break one commit. Raises TimeoutError when none comes."""
    async with stand.breaking:
        before = stand.proxy.broken_commits
        stand.proxy.at_next_commit(what)
        try:
            await until(lambda: stand.proxy.broken_commits > before, within=within)
        finally:
            stand.proxy.at_next_commit(AtCommit.PASS)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def _gone(pids: list[int]) -> None:
    await until(lambda: not any(_lives(pid) for pid in pids))


async def _kill_a_worker(stand: Stand) -> None:
    worker = stand.api.workers[0]
    kill(worker)
    await _gone([worker])


async def _kill_workers_at_their_commit(stand: Stand) -> None:
    """Whoever answers before the commit has answered by then, and nothing will ever be committed."""
    for _ in range(2):
        await break_next_commit(stand, AtCommit.HOLD_BEFORE)
    await asyncio.sleep(0.05)
    workers = stand.api.workers
    for worker in workers:
        kill(worker)
    await _gone(workers)


async def _kill_the_api(stand: Stand) -> None:
    pid, workers = stand.api.pid, stand.api.workers
    kill(pid)
    await _gone(workers)


async def _end_the_connection(stand: Stand) -> None:
    pid = await stand.hot_backend()
    async with stand.database.connection() as db:
        await db.execute("SELECT pg_terminate_backend($1)", pid)
    await _gone([pid])


async def _kill_a_backend(stand: Stand) -> None:
    """The server ends all its other processes, recovers, and goes on."""
    others = children_of(stand.postmaster)
    kill(await stand.hot_backend())
    await _gone(others)


async def _kill_the_server(stand: Stand) -> None:
    postmaster = stand.postmaster
    processes = [postmaster, *children_of(postmaster)]
    kill(postmaster)
    await _gone(processes)


async def _stop_a_backend(stand: Stand) -> None:
    await _stop([await stand.hot_backend()])


async def _stop_the_server(stand: Stand) -> None:
    await _stop([stand.postmaster, *children_of(stand.postmaster)])


async def _stop(pids: list[int]) -> None:
    try:
        _signal(pids, SIGSTOP)
        await asyncio.sleep(PAUSE)
    finally:
        _signal(pids, SIGCONT)


def _signal(pids: list[int], signal: Signals) -> None:
    for pid in pids:
        if _lives(pid):
            os.kill(pid, signal)


async def _hold_a_commit(stand: Stand) -> None:
    await break_next_commit(stand, AtCommit.HOLD)


_POSTGRES_KILLED = Fault("Postgres killed", "database server", _kill_the_server)
KILLS = (
    Fault("API workers killed at their commit", "API", _kill_workers_at_their_commit),
    Fault("connection ended by the server", "database connection", _end_the_connection),
    _POSTGRES_KILLED,
    Fault("API killed, its parent first", "API", _kill_the_api),
    Fault("backend of a connection killed", "database connection", _kill_a_backend),
    _POSTGRES_KILLED,
    Fault("one API worker killed", "API", _kill_a_worker),
)
PAUSES = (
    Fault("commit answered never", None, _hold_a_commit),
    Fault("backend stopped for 2 s", None, _stop_a_backend),
    Fault("Postgres stopped for 2 s", None, _stop_the_server),
)


def schedule(kills: int) -> list[Fault]:
    """Order so many kills, each kind in turn, with a pause of something behind every other."""
    faults: list[Fault] = []
    for number in range(kills):
        faults.append(KILLS[number % len(KILLS)])
        if number % 2:
            faults.append(PAUSES[number // 2 % len(PAUSES)])
    return faults


async def strike(stand: Stand, fault: Fault) -> None:
    """Let a fault happen; a server that recovers from the one before is waited for."""
    while True:
        try:
            await fault.strike(stand)
        except FAULTS_OF_A_KILLED_SERVER:
            await asyncio.sleep(0.1)
        else:
            return
