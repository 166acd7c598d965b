"""What was measured, as tables: both sides, their ratios, and what a call cost."""

from collections.abc import Callable, Mapping
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.measuring import PGBENCH, SERVICE, Case, Measured, Result


def report(console: Console, measured: Mapping[Case, Measured]) -> None:
    """Print medians over the repetitions; a ratio is the median of the ratios of each repetition."""
    rates = _table("Calls a second and latencies", "service /s", "pgbench /s", "ratio", "lowest", "highest")
    for heading in ("p50 ms", "p99 ms", "pgbench p50", "p99 ms"):
        rates.add_column(heading, justify="right")
    costs = _table("Cost of one call: microseconds of CPU, bytes of WAL", "service", "postgres", "load")
    for heading in ("pgbench: postgres", "pgbench", "WAL", "pgbench: WAL", "checkpoints met"):
        costs.add_column(heading, justify="right")
    for case, found in measured.items():
        ratios = found.ratios()
        service, alone = (_medians(found.results[side]) for side in (SERVICE, PGBENCH))
        rates.add_row(
            case.name,
            f"{service(_rate):,.0f}",
            f"{alone(_rate):,.0f}",
            *(f"{ratio:.2f}" for ratio in (median(ratios), min(ratios), max(ratios))),
            *(f"{side(latency):.2f}" for side in (service, alone) for latency in (_p50, _p99)),
        )
        costs.add_row(
            case.name,
            *(f"{service(lambda result, name=name: result.cpu[name]):.0f}" for name in (SERVICE, "postgres", "client")),
            *(f"{alone(lambda result, name=name: result.cpu[name]):.0f}" for name in ("postgres", "client")),
            *(f"{side(lambda result: result.wal):,.0f}" for side in (service, alone)),
            "/".join(str(sum(each.checkpoints for each in found.results[side])) for side in (SERVICE, PGBENCH)),
        )
    console.print(rates)
    console.print(costs)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    table.add_column("medians")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _medians(results: list[Result]) -> Callable[[Callable[[Result], float]], float]:
    return lambda figure: median(figure(result) for result in results)


def _rate(result: Result) -> float:
    return result.rate


def _p50(result: Result) -> float:
    return result.p50_ms


def _p99(result: Result) -> float:
    return result.p99_ms
