"""`python -m tests.faults.long_run`."""

import asyncio
from collections import Counter

import click
from rich.console import Console
from rich.table import Table

from service.platform import telemetry
from tests.faults.long_run.planted import BUGS
from tests.faults.long_run.run import Outcome, Plan, run

SHOWN = 20


def report(console: Console, outcome: Outcome) -> None:
    """Print what came of a run."""
    book, table = outcome.book, Table(title="The long run", show_header=False)
    table.add_column("what")
    table.add_column("how many", justify="right")
    rate = len(book.acknowledged) / outcome.seconds
    table.add_row("purchases acknowledged", f"{len(book.acknowledged):,}")
    table.add_row("seconds, purchases a second", f"{outcome.seconds:.0f}, {rate:,.0f}")
    for name, count in sorted(book.counts.items()):
        table.add_row(name, f"{count:,}")
    table.add_row("commits whose answer was lost", f"{outcome.cuts:,}")
    table.add_row("kills", f"{outcome.kills():,}")
    times = Counter(fault.name for fault, _ in outcome.recoveries)
    for name, count in times.items():
        slowest = max(seconds for fault, seconds in outcome.recoveries if fault.name == name)
        table.add_row(f"{name}: times, slowest recovery", f"{count}, {slowest:.2f} s")
    table.add_row("slowest recovery of all", f"{max(seconds for _, seconds in outcome.recoveries):.2f} s")
    table.add_row("slowest answer to one call", f"{book.slowest_answer:.2f} s")
    table.add_row("longest time until a purchase was acknowledged", f"{book.longest_unacknowledged:.2f} s")
    table.add_row("things that are wrong", f"{len(outcome.wrong):,}")
    console.print(table)
    for sentence in outcome.wrong[:SHOWN]:
        console.print(sentence, highlight=False)


@click.command()
@click.option("--purchases", default=148_000, show_default=True)
@click.option("--kills", default=12, show_default=True)
@click.option("--cuts", default=120, show_default=True, help="Commits whose answer is lost.")
@click.option("--seed", default=1, show_default=True, help="Of the purchases, not of the moments of the faults.")
@click.option("--planted", type=click.Choice(sorted(BUGS)), help="Give the API this mistake: the run must find it.")
def main(purchases: int, kills: int, cuts: int, seed: int, planted: str | None) -> None:
    """Report purchases to a service that is killed and cut off meanwhile; prove that none is lost or doubled."""
    telemetry.configure(50)
    console = Console(width=120)
    outcome = asyncio.run(
        run(Plan(purchases, kills, cuts, seed, planted), lambda line: console.print(line, highlight=False))
    )
    report(console, outcome)
    if outcome.wrong:
        raise click.ClickException(f"{len(outcome.wrong)} things are wrong.")


if __name__ == "__main__":
    main()
