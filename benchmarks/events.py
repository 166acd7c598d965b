"""Purchases with events and without: `python -m benchmarks.events`, after `./run test --version`.

With events each purchase writes its own into the outbox, and a sequencer beside it gives them their places in the feed,
as a worker does; without, the same service tells of nothing. By turns, in one run.
"""

import asyncio
import multiprocessing
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import asyncpg
import click
from rich.console import Console

from benchmarks.measuring import PURCHASES_AT_64, run_load
from benchmarks.processes import machine
from benchmarks.stand import Stand, free_port, serving
from benchmarks.turns import Run, by_turns, options, report, stand_for
from service.events import sequencing
from service.platform.database import Database
from service.platform.settings import Settings

_SILENT = Path(__file__).parent / "without_events"


@click.command()
@options
def main(purchases: int, customers: int, seconds: int, repetitions: int, processes: int) -> None:
    """Measure purchases with events and without."""
    console, lags = Console(width=140), list[float]()
    with stand_for(console, customers=customers, purchases=purchases, processes=processes) as stand:

        def run(side: Stand) -> Run:
            before = _announced(stand)
            seen = run_load(side, PURCHASES_AT_64, seconds, 0.0)
            if side is stand:
                lags.append(_caught_up(stand))
            return seen | {"events": _announced(stand) - before}

        port = free_port()
        with serving(stand.settings, port, processes, path=_SILENT) as pid, _sequencing(stand):
            silent = replace(stand, port=port, service_pid=pid)
            sides = {"without events": partial(run, silent), "with events, sequenced": partial(run, stand)}
            seen = by_turns(console, stand, sides, repetitions)
        report(console, seen, compared="of the rate without", more={"events a call": _events_a_call})
        console.print(f"The feed was whole {median(lags):.2f} s after the last purchase of a run. On {machine()}.")


def _events_a_call(runs: list[Run]) -> str:
    return f"{sum(each['events'] for each in runs) / sum(each['sent'] for each in runs):.2f}"


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


if __name__ == "__main__":
    main()
