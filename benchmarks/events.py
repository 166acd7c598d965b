"""Purchases with events and without: `python -m benchmarks.events`, after `./run test --version`.

With events each purchase writes its own into the outbox, and a sequencer beside it gives them their places in the feed,
as a worker does; without, the same service tells of nothing. By turns, in one run.
"""

import asyncio
import multiprocessing
import shutil
import signal
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import click
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import PURCHASES_AT_64, run_load, settle
from benchmarks.processes import machine
from benchmarks.stand import Stand, free_port, serving, standing
from service.events import sequencing
from service.platform.database import Database
from service.platform.settings import Settings

_SETTLING_SECONDS = 20
_SILENT = Path(__file__).parent / "without_events"


@click.command()
@click.option("--purchases", default=1_000_000, show_default=True, help="Past purchases to begin with.")
@click.option("--customers", default=100_000, show_default=True)
@click.option("--seconds", default=10, show_default=True, help="Of each measurement.")
@click.option("--repetitions", default=5, show_default=True)
@click.option("--processes", default=2, show_default=True, help="Of the service.")
def main(purchases: int, customers: int, seconds: int, repetitions: int, processes: int) -> None:
    """Measure purchases with events and without."""
    console, folder = Console(width=140), Path(tempfile.mkdtemp(prefix="loyalty-benchmark-"))
    seen: dict[str, list[dict[str, Any]]] = {"without events": [], "with events, sequenced": []}
    lags = list[float]()
    try:
        with standing(console, folder, customers=customers, purchases=purchases, processes=processes) as stand:
            port = free_port()
            with serving(stand.settings, port, processes, path=_SILENT) as pid, _sequencing(stand):
                silent = replace(stand, port=port, service_pid=pid)
                settle(stand, _SETTLING_SECONDS)
                for turn in range(repetitions):
                    console.print(f"{turn + 1} of {repetitions}", style="dim")
                    for side in (silent, stand) if turn % 2 else (stand, silent):
                        name = "without events" if side is silent else "with events, sequenced"
                        before = _announced(stand)
                        seen[name].append(run_load(side, PURCHASES_AT_64, seconds, 0.0))
                        if side is stand:
                            lags.append(_caught_up(stand))
                        seen[name][-1]["events"] = _announced(stand) - before
        _report(console, seen)
        console.print(f"The feed was whole {median(lags):.2f} s after the last purchase of a run. On {machine()}.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sequencing(stand: Stand) -> Generator[None]:
    process = multiprocessing.get_context("spawn").Process(target=_sequence, args=(stand.settings.database_url,))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(10)


def _sequence(url: str) -> None:
    async def work() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        database = Database(Settings.model_validate({"DATABASE_URL": url}))
        await database.open(size=1)
        try:
            await sequencing.run(database, stop)
        finally:
            await database.close()

    asyncio.run(work())


def _caught_up(stand: Stand) -> float:
    """Wait until the outbox is empty; returns how many seconds that took."""

    async def wait() -> None:
        owner = await asyncpg.connect(stand.url)
        while await owner.fetchval("SELECT EXISTS (SELECT FROM outbox)"):  # noqa: ASYNC110 - no event of this process
            await asyncio.sleep(0.01)
        await owner.close()

    began = time.monotonic()
    asyncio.run(wait())
    return time.monotonic() - began


def _announced(stand: Stand) -> int:
    """Count all events."""

    async def count() -> int:
        owner = await asyncpg.connect(stand.url)
        events: int = await owner.fetchval("SELECT count(*) FROM announced")
        await owner.close()
        return events

    return asyncio.run(count())


def _report(console: Console, seen: dict[str, list[dict[str, Any]]]) -> None:
    table = Table(title="Purchases, 64 connections: medians")
    for heading in ("", "runs", "calls /s", "of the rate without", "p50 ms", "p99 ms", "events a call"):
        table.add_column(heading, justify="right" if heading else "left")
    rates = {name: [each["calls"] / each["seconds"] for each in runs] for name, runs in seen.items()}
    for name, runs in seen.items():
        ratio = median(rates[name]) / median(rates["without events"])
        latencies = [f"{median(each[key] for each in runs):.1f}" for key in ("p50_ms", "p99_ms")]
        told = sum(each["events"] for each in runs) / sum(each["sent"] for each in runs)
        table.add_row(name, str(len(runs)), f"{median(rates[name]):,.0f}", f"{ratio:.2f}", *latencies, f"{told:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
