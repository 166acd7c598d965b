"""The service beside pgbench, on the same tables, in one run: `python -m benchmarks`, after `./run test --version`."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import click
from rich.console import Console

from benchmarks import database
from benchmarks.measuring import CASES, PGBENCH, PURCHASES_AT_64, SIDES, Case, Measured, measure, rows_written, settle
from benchmarks.processes import machine
from benchmarks.report import report
from benchmarks.stand import standing

_SETTLING_SECONDS = 20


@click.command()
@click.option("--purchases", default=10_000_000, show_default=True, help="Past purchases to begin with.")
@click.option("--customers", default=1_000_000, show_default=True)
@click.option("--seconds", default=10, show_default=True, help="Of each measurement.")
@click.option("--repetitions", default=3, show_default=True)
@click.option("--processes", default=os.cpu_count() or 1, show_default=True, help="Of the service.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the filled database here for the next run.")
@click.option("--only", multiple=True, help="Cases whose name holds this; may be given several times.")
def main(
    purchases: int,
    customers: int,
    seconds: int,
    repetitions: int,
    processes: int,
    folder: Path | None,
    only: tuple[str, ...],
) -> None:
    """Measure the service beside pgbench doing the same on the same tables."""
    console = Console(width=170)
    kept = folder or Path(tempfile.mkdtemp(prefix="loyalty-benchmark-"))
    kept.mkdir(parents=True, exist_ok=True)
    chosen = [case for case in CASES if not only or any(part in case.name for part in only)]
    if not chosen:
        names = "; ".join(case.name for case in CASES)
        raise click.UsageError(f"no case is named so; there are: {names}")
    measured = {case: Measured() for case in chosen}
    try:
        with standing(console, kept, customers=customers, purchases=purchases, processes=processes) as stand:
            console.print("Booking for a while", style="dim")
            settle(stand, _SETTLING_SECONDS)
            for turn, case in _turns(chosen, repetitions):
                console.print(f"{turn + 1} of {repetitions}: {case.name}", style="dim")
                rate = _closed_rate(measured) if case.load else 0.0
                measure(stand, case, seconds, measured[case], turn=turn, closed_rate=rate)
            console.print(
                f"On {machine()}; the load, the service and Postgres on the same machine, fsync on. "
                f"{purchases:,} past purchases of {customers:,} customers. Service: {processes} processes over TCP; "
                f"pgbench: one thread, prepared statements, over TCP, too. "
                f"{repetitions} repetitions of {seconds} s, by turns."
            )
            report(console, measured)
            for side in SIDES:
                rows = ", ".join(f"{table} {count:.3f}" for table, count in rows_written(stand, side).items())
                console.print(f"Rows written a purchase, {side}: {rows}")
            indexes = asyncio.run(database.indexes_of_a_purchase(stand.url))
            console.print(
                f"B-trees that a purchase of a known customer is inserted into, by both: {', '.join(indexes)}"
            )
    finally:
        if folder is None:
            shutil.rmtree(kept, ignore_errors=True)


def _turns(cases: Sequence[Case], repetitions: int) -> Iterator[tuple[int, Case]]:
    """Give repetitions by turns. Cases that ask for a checkpoint are last: for a minute it slows whatever follows."""
    for last in (False, True):
        for turn in range(repetitions):
            yield from ((turn, case) for case in cases if case.after_checkpoint == last)


def _closed_rate(measured: dict[Case, Measured]) -> float:
    """Return pgbench's rate with closed arrivals. Raises UsageError where that was not measured."""
    found = measured.get(PURCHASES_AT_64)
    if found is None:
        raise click.UsageError(f"open arrivals are told in shares of another case: add --only '{PURCHASES_AT_64.name}'")
    return median(result.rate for result in found.results[PGBENCH])


if __name__ == "__main__":
    main()
