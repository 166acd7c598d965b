"""A million lots end while purchases go on: `python -m benchmarks.expiry`, after `./run test --version`."""

import asyncio
import contextlib
import multiprocessing
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import click
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import PURCHASES_AT_64, run_load, settle
from benchmarks.processes import machine
from benchmarks.stand import Stand, standing
from service.platform.database import Database
from service.platform.settings import Settings
from service.points.jobs import settle_due

_SETTLING_SECONDS = 20
_END_ALL = """
UPDATE lot SET expires_at = clock_timestamp() - interval '1 day' WHERE program_id = $1;
UPDATE customer SET next_due_at = clock_timestamp() - interval '1 day', next_expiry_points = available,
    next_expiry_at = clock_timestamp() - interval '1 day'
WHERE program_id = $1 AND available > 0
"""


@click.command()
@click.option("--lots", default=1_000_000, show_default=True, help="That end.")
@click.option("--customers", default=1_000_000, show_default=True, help="Who have them, each as many.")
@click.option("--seconds", default=10, show_default=True, help="Of each measurement.")
@click.option("--processes", default=2, show_default=True, help="Of the service.")
def main(lots: int, customers: int, seconds: int, processes: int) -> None:
    """Measure purchases beside the job that books a million ended lots, and without it."""
    console, folder = Console(width=140), Path(tempfile.mkdtemp(prefix="loyalty-benchmark-"))
    try:
        with standing(console, folder, customers=customers, purchases=lots, processes=processes) as stand:
            settle(stand, _SETTLING_SECONDS)
            quiet = _measured(stand, seconds, times=3)
            console.print("Letting all lots end", style="dim")
            asyncio.run(_end_all(stand))
            took, beside = _beside_the_job(stand, seconds)
            again = _measured(stand, seconds, times=3)
        _report(console, {"no lot ends": quiet, "while all lots end": beside, "afterwards": again})
        console.print(f"{lots:,} lots of {customers:,} customers: booked within {took:.0f} s. On {machine()}.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(stand: Stand, seconds: int, *, times: int) -> list[dict[str, Any]]:
    return [run_load(stand, PURCHASES_AT_64, seconds, 0.0) for _ in range(times)]


def _beside_the_job(stand: Stand, seconds: int) -> tuple[float, list[dict[str, Any]]]:
    """Run the job in a process of its own, and purchases beside it until it is through."""
    job = multiprocessing.get_context("spawn").Process(target=_settle, args=(stand.url,))
    began, seen = time.monotonic(), list[dict[str, Any]]()
    job.start()
    while job.is_alive():
        seen.append(run_load(stand, PURCHASES_AT_64, seconds, 0.0))
    job.join()
    if job.exitcode:
        raise click.ClickException("the job failed")
    return time.monotonic() - began, seen


def _settle(url: str) -> None:
    async def work() -> None:
        database = Database(Settings.model_validate({"DATABASE_URL": url}))
        await database.open(size=1)
        try:
            await settle_due(database)
        finally:
            await database.close()

    asyncio.run(work())


async def _end_all(stand: Stand) -> None:
    owner = await asyncpg.connect(stand.url)
    try:
        for statement in _END_ALL.split(";"):
            await owner.execute(statement, stand.program_id, timeout=600)
        with contextlib.suppress(asyncpg.PostgresError):
            await owner.execute("VACUUM (ANALYZE) customer, lot", timeout=600)
        await owner.execute("CHECKPOINT", timeout=600)
    finally:
        await owner.close()


def _report(console: Console, found: dict[str, list[dict[str, Any]]]) -> None:
    table = Table(title="Purchases, 64 connections: medians")
    for heading in ("", "runs", "calls /s", "of the quiet rate", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right" if heading else "left")
    base = median(each["calls"] / each["seconds"] for each in next(iter(found.values())))
    for name, runs in found.items():
        rate = median(each["calls"] / each["seconds"] for each in runs)
        latencies = [f"{median(each[key] for each in runs):.1f}" for key in ("p50_ms", "p99_ms")]
        table.add_row(name, str(len(runs)), f"{rate:,.0f}", f"{rate / base:.2f}", *latencies)
    console.print(table)


if __name__ == "__main__":
    main()
