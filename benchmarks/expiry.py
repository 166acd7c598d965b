"""A million lots end while purchases go on: `python -m benchmarks.expiry`, after `./run test --version`."""

import asyncio
import contextlib
import multiprocessing
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import click
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import PURCHASES_AT_64, Case, run_load, settle
from benchmarks.processes import machine
from benchmarks.stand import Stand, standing
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.settings import Settings
from service.points.jobs import settle_due
from service.tiers import usecases as tiers

_SETTLING_SECONDS = 20
_OPEN_LOAD = 0.5
"""At which share of the quiet rate calls arrive, whoever waits."""
_END_LOTS = """
UPDATE lot SET expires_at = clock_timestamp() - interval '1 day' WHERE program_id = $1 AND customer_id > $2;
UPDATE customer SET next_due_at = clock_timestamp() - interval '1 day', next_expiry_points = available,
    next_expiry_at = clock_timestamp() - interval '1 day'
WHERE program_id = $1 AND id > $2 AND available > 0
"""


@click.command()
@click.option("--lots", default=1_000_000, show_default=True, help="That end, at one moment.")
@click.option("--customers", default=1_000_000, show_default=True, help="Half of them have these lots, each as many.")
@click.option("--seconds", default=5, show_default=True, help="Of each measurement.")
@click.option("--processes", default=2, show_default=True, help="Of the service.")
def main(lots: int, customers: int, seconds: int, processes: int) -> None:
    """Measure purchases beside the job that books a million ended lots, and without it.

    Of customers of whom nothing ends, what they notice is the job; of all, whose first purchase books what has ended of
    theirs if the job hasn't been there yet, it is both. Under closed arrivals each of 64 connections calls as soon as
    it is answered; open ones arrive at half of that rate.
    """
    console, folder = Console(width=140), Path(tempfile.mkdtemp(prefix="loyalty-benchmark-"))
    try:
        with standing(console, folder, customers=customers, purchases=2 * lots, processes=processes) as stand:
            settle(stand, _SETTLING_SECONDS)
            measure = _Measuring(stand, seconds)
            for _ in range(3):
                measure.each_case("no lot ends")
            console.print("Letting lots end", style="dim")
            asyncio.run(_end_lots(stand))
            took = _beside_the_job(stand, measure)
            for _ in range(3):
                measure.each_case("afterwards")
        _report(console, measure)
        console.print(f"{lots:,} lots of {customers // 2:,} customers: booked within {took:.0f} s. On {machine()}.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Measuring:
    """What was seen, by moment and case."""

    def __init__(self, stand: Stand, seconds: int) -> None:
        self._stand, self._seconds = stand, seconds
        self._cases = {
            "of whom nothing ends": Case("", "purchases", 64, customers=stand.customers // 2),
            "of all": PURCHASES_AT_64,
        }
        self.seen = defaultdict[tuple[str, str, str], list[dict[str, Any]]](list)

    def each_case(self, moment: str) -> None:
        """Measure each case once."""
        for whose, case in self._cases.items():
            closed = self.seen[whose, "closed", moment]
            closed.append(run_load(self._stand, case, self._seconds, 0.0))
            rate = _OPEN_LOAD * _rate(self.seen[whose, "closed", "no lot ends"])
            self.seen[whose, "open", moment].append(run_load(self._stand, case, self._seconds, rate))


def _rate(runs: list[dict[str, Any]]) -> float:
    return median(each["calls"] / each["seconds"] for each in runs)


def _beside_the_job(stand: Stand, measure: _Measuring) -> float:
    """Run the job in a process of its own, and purchases beside it until it is through; returns its seconds."""
    job = multiprocessing.get_context("spawn").Process(target=_settle, args=(stand.url, stand.program_id))
    began, ended = time.monotonic(), list[float]()
    job.start()
    watching = threading.Thread(target=lambda: (job.join(), ended.append(time.monotonic())))
    watching.start()
    while job.is_alive():
        measure.each_case("while lots end")
    watching.join()
    if job.exitcode:
        raise click.ClickException("the job failed")
    return ended[0] - began


def _settle(url: str, program_id: int) -> None:
    async def work() -> None:
        database = Database(Settings.model_validate({"DATABASE_URL": url}))
        await database.open(size=1)
        try:
            await settle_due(database, Turn(program_id), following_of=tiers.following_of)
        finally:
            await database.close()

    asyncio.run(work())


async def _end_lots(stand: Stand) -> None:
    owner = await asyncpg.connect(stand.url)
    try:
        for statement in _END_LOTS.split(";"):
            await owner.execute(statement, stand.program_id, stand.customers // 2, timeout=600)
        with contextlib.suppress(asyncpg.PostgresError):
            await owner.execute("VACUUM (ANALYZE) customer, lot", timeout=600)
        await owner.execute("CHECKPOINT", timeout=600)
    finally:
        await owner.close()


def _report(console: Console, measure: _Measuring) -> None:
    table = Table(title="Purchases, 64 connections: medians")
    for heading in ("customers", "arrivals", "", "runs", "calls /s", "of the quiet rate", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="left" if heading in {"customers", "arrivals", ""} else "right")
    for (whose, arrivals, moment), runs in sorted(measure.seen.items(), key=lambda item: item[0][:2]):
        rate, base = _rate(runs), _rate(measure.seen[whose, arrivals, "no lot ends"])
        latencies = [f"{median(each[key] for each in runs):.1f}" for key in ("p50_ms", "p99_ms")]
        table.add_row(whose, arrivals, moment, str(len(runs)), f"{rate:,.0f}", f"{rate / base:.2f}", *latencies)
    console.print(table)


if __name__ == "__main__":
    main()
