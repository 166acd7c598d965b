"""A service that is killed takes its servers along, and the next start has everything that was acknowledged."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL
from subprocess import Popen

from service.platform.embedded import EmbeddedServers

Query = Callable[[str | None, str], object]
StartParent = Callable[[str], "Popen[str]"]

SERVICE = """
import asyncio, asyncpg, time
from service.platform.embedded import EmbeddedServers
servers = EmbeddedServers(FOLDER, lambda line: None)
address = servers.start().owner_database_url
async def write():
    connection = await asyncpg.connect(address)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (points int)")
    for points in range(1000000):
        await connection.execute("INSERT INTO kept VALUES ($1)", points)
        if points == 0:
            print(*servers.process_ids.values(), flush=True)
        print(points, flush=True)
asyncio.run(write())
"""
WORKER = """
import sys, time
from service.platform.embedded import ChildPlan, ChildProcess
plan = ChildPlan(name="the worker", command=[sys.executable, "-c", "import time; time.sleep(600)"])
child = ChildProcess(plan, print)
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
FIRST_START = """
from service.platform.embedded import EmbeddedServers
EmbeddedServers(FOLDER, lambda line: print(line, flush=True)).start()
"""


def has_ended(pid: int) -> bool:
    """Whether no such process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for_the_end(pids: list[int]) -> None:
    """Wait until none of the processes runs."""
    give_up_at = time.monotonic() + 30
    while not all(has_ended(pid) for pid in pids):
        assert time.monotonic() < give_up_at, f"one of {pids} is still there"
        time.sleep(0.05)


def line_of(process: "Popen[str]") -> str:
    """Return the next line that the process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_parent_leaves_no_process_and_loses_nothing(
    servers: EmbeddedServers, start_parent: StartParent, query: Query
) -> None:
    """After kill -9 amid writes the next start waits for the old server and finds each acknowledged row."""
    parent = start_parent(SERVICE)
    pids = [int(pid) for pid in line_of(parent).split()]
    acknowledged = [line_of(parent) for _ in range(200)]
    parent.send_signal(SIGKILL)
    parent.wait()
    owner = servers.start().owner_database_url  # At once: the old server is still shutting down.
    assert len(pids) == 2
    wait_for_the_end(pids)
    rows = query(owner, "SELECT count(*) FROM kept")
    assert isinstance(rows, int)
    assert rows >= len(acknowledged) == 200


def test_a_kill_amid_the_first_start_is_harmless(
    servers: EmbeddedServers, start_parent: StartParent, query: Query, folder: Path
) -> None:
    """The half-made cluster is thrown away and made anew."""
    for pause in (0.1, 0.3):
        parent = start_parent(FIRST_START)
        assert line_of(parent).startswith("Making a Postgres")
        time.sleep(pause)
        parent.send_signal(SIGKILL)
        parent.wait()
    assert query(servers.start().database_url, "SELECT 1") == 1
    assert not list(folder.glob(".postgres.new-*"))


def test_a_child_dies_with_its_parent(start_parent: StartParent) -> None:
    """So does the worker that runs beside the API."""
    parent = start_parent(WORKER)
    pid = int(line_of(parent))
    assert not has_ended(pid)
    parent.send_signal(SIGKILL)
    parent.wait()
    wait_for_the_end([pid])
