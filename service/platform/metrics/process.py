"""The numbers of all processes behind one port, whichever of them is asked.

Each process writes its numbers into a shared folder, once a second and before it answers; who is asked adds up what
lies there. So a number that was told once is never told smaller by another process. A process takes a place in the
folder and holds it by a lock that ends with it; the next to start takes over the place and its counts, so that a
process that died takes no counts along, and restarts neither fill the folder nor make new series.
"""

import asyncio
import fcntl
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector

from service.platform.metrics.values import Gauge, Histogram, Series, Snapshot, snapshot

GONE_AFTER: Final = 5.0
"""Seconds after which a process that wrote nothing is taken for gone: its counts stay, its gauges don't."""
_TICK_SECONDS: Final = 0.25
_TICKS: Final = 4
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder made there has a name of its own and is its owner's alone
_LAG: Final = Histogram(
    "loyalty_event_loop_lag_seconds",
    "How late the event loop comes to what is due, looked at four times a second.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_BUILD: Final = Gauge("loyalty_build_info", "What runs here: always 1.", ("build", "python"))
_SYSTEM: Final = ProcessCollector(registry=None)


@contextmanager
def shared_folder() -> Generator[Path]:
    """Make a folder for the numbers of processes, in memory where that is possible, and remove it in the end."""
    memory = str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="loyalty-metrics-", dir=memory)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def of_system() -> list[Metric]:
    """Ask the system for this process's CPU, memory and files. Empty where there is no /proc."""
    return list(_SYSTEM.collect())


class Numbers:
    """The numbers of this process, and of those that share a folder with it."""

    def __init__(self, folder: Path | None, build: str) -> None:
        self._folder = folder
        self._build = build
        self._place: _Place | None = None
        self._sampling: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to sample. Call it in the running loop."""
        _BUILD.watch(_one, (self._build, platform.python_version()))
        if self._folder is not None:
            self._place = _Place(self._folder)
        self._sampling = asyncio.create_task(self._sample())

    async def close(self) -> None:
        """Write the last numbers; the next process to start goes on from there."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.wait([self._sampling])
        if self._place is not None:
            with suppress(OSError):
                self._place.write()
            self._place.leave()

    def all(self) -> list[tuple[str, Snapshot]]:
        """Return the numbers of each process, by the name of its place. Those of the gone have counts only."""
        if self._place is None:
            return [("0", snapshot({}, _system()))]
        self._place.write()
        return list(self._place.neighbours())

    async def _sample(self) -> None:
        loop, lag = asyncio.get_running_loop(), _LAG.at()
        while True:
            for _ in range(_TICKS):
                due = loop.time() + _TICK_SECONDS
                await asyncio.sleep(_TICK_SECONDS)
                lag.observe(max(loop.time() - due, 0))
            if self._place is not None:
                with suppress(OSError):  # a full disk harms the numbers of the others, and nothing else
                    self._place.write()


class _Place:
    """One process's place in the shared folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have tidied up
        self._folder = folder
        self._lock, self._name = _take(folder)
        before = _read(folder / f"{self._name}.numbers")
        self._earlier: dict[str, Series] = before.totals if before else {}

    def write(self) -> None:
        """Write the numbers of now. Raises OSError."""
        path = self._folder / f"{self._name}.numbers"
        fresh = path.with_suffix(".fresh")
        fresh.write_bytes(msgspec.msgpack.encode(snapshot(self._earlier, _system())))
        fresh.replace(path)  # readers see the old or the new, never a half

    def leave(self) -> None:
        """Leave the place to the next process."""
        self._lock.close()

    def neighbours(self) -> Iterator[tuple[str, Snapshot]]:
        """Read the numbers of all places, this one's too."""
        for path in sorted(self._folder.glob("*.numbers")):
            found = _read(path)
            if found is not None:
                if time.monotonic() - found.at > GONE_AFTER:
                    found.levels.clear()
                yield path.stem, found


def _take(folder: Path) -> tuple[BinaryIO, str]:
    """Lock the first place that is free."""
    for number in count():
        lock = (folder / f"{number}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return lock, str(number)
    raise AssertionError  # there is always a next number


def _read(path: Path) -> Snapshot | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)
    except FileNotFoundError:
        return None


def _system() -> dict[str, float]:
    return {family.name: family.samples[0].value for family in of_system()}


def _one() -> float:
    return 1
