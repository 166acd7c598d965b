"""Two ways to serve the same purchases, measured by turns in one run: for the benchmarks that compare them."""

import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias, TypeVar

import click
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import settle
from benchmarks.stand import Stand, standing

Command = TypeVar("Command", bound=Callable[..., None])
Run: TypeAlias = dict[str, Any]
"""What one run of the load has seen, as `run_load` gives it."""
Told: TypeAlias = Callable[[list[Run]], str]
"""What a cell of the table says of a side's runs."""

_SETTLING_SECONDS: Final = 20


def options(command: Command) -> Command:
    """Give a command the options of such a benchmark."""
    for option in (
        click.option("--processes", default=2, show_default=True, help="Of the service."),
        click.option("--repetitions", default=5, show_default=True),
        click.option("--seconds", default=10, show_default=True, help="Of each measurement."),
        click.option("--customers", default=100_000, show_default=True),
        click.option("--purchases", default=1_000_000, show_default=True, help="Past purchases to begin with."),
    ):
        command = option(command)
    return command


@contextmanager
def stand_for(console: Console, *, customers: int, purchases: int, processes: int) -> Generator[Stand]:
    """Set up servers, books and the service in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="loyalty-benchmark-"))
    try:
        with standing(console, folder, customers=customers, purchases=purchases, processes=processes) as stand:
            yield stand
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def by_turns(
    console: Console, stand: Stand, sides: Mapping[str, Callable[[], Run]], repetitions: int
) -> dict[str, list[Run]]:
    """Run each side `repetitions` times, in one order and in the other by turns; gives what each saw, by its name."""
    seen: dict[str, list[Run]] = {name: [] for name in sides}
    settle(stand, _SETTLING_SECONDS)
    for turn in range(repetitions):
        console.print(f"{turn + 1} of {repetitions}", style="dim")
        for name in sides if turn % 2 else reversed(list(sides)):
            seen[name].append(sides[name]())
    return seen


def report(
    console: Console, seen: Mapping[str, list[Run]], *, compared: str, more: Mapping[str, Told] | None = None
) -> None:
    """Print a line of medians for each side. `compared` heads its rate as a share of the first side's."""
    more = more or {}
    table = Table(title="Purchases, 64 connections: medians")
    for heading in ("", "runs", "calls /s", compared, "p50 ms", "p99 ms", *more):
        table.add_column(heading, justify="right" if heading else "left")
    rates = {name: median(each["calls"] / each["seconds"] for each in runs) for name, runs in seen.items()}
    first = next(iter(rates.values()))
    for name, runs in seen.items():
        latencies = [f"{median(each[key] for each in runs):.1f}" for key in ("p50_ms", "p99_ms")]
        told = [tell(runs) for tell in more.values()]
        table.add_row(name, str(len(runs)), f"{rates[name]:,.0f}", f"{rates[name] / first:.2f}", *latencies, *told)
    console.print(table)
