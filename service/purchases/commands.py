"""`loyalty import purchases` and `loyalty simulate`."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from service.kernel.amounts import as_text
from service.platform.command_line import in_one_sentence, settings
from service.platform.database import Database
from service.platform.http.body import Undecodable, check_syntax, decode
from service.platform.importing.command import Options, run_import, table_options
from service.programs import usecases as programs
from service.programs.rules import Program
from service.purchases.importing.line_reader import check
from service.purchases.importing.table import import_purchases
from service.purchases.simulating import Simulated, Trial
from service.purchases.simulations import Running, Simulations

_SECONDS_BETWEEN_LOOKS = 0.2


@click.command()
@table_options
@click.option("--decimal", "decimal_mark", flag_value=".", default=None, help="Amounts are 29.33; without it 2933.")
@click.option("--decimal-comma", "decimal_mark", flag_value=",", help="Amounts are 29,33.")
@click.pass_context
def purchases(context: click.Context, file: Path, **options: Unpack[Options]) -> None:
    """Import purchases from FILE, a table such as CSV, one a line.

    The fields are those of POST /v1/purchases. Needed are id, customer_id, currency, total and occurred_at. There are
    also tax, shipping, points_paid, channel, referral_code, metadata.NAME, and for a line's item item.amount,
    item.quantity, item.sku, item.category and item.id. In --id {line} is the line's number in the file, as editors show
    it, and {NAME} a column.

    A purchase is booked once, by its id, however often the file is imported: after an interruption or a correction run
    the same again. Bad lines are told with number and reason, the others go in. The exit status is 0 when all lines are
    in, else 1. What is booked can't be taken back: try --dry-run first.

    Example: loyalty import purchases orders.csv --program tea-shop --column id=order --column customer_id=customer
    --column total=amount --decimal --value currency=EUR --column occurred_at=date --date-format %d.%m.%Y
    --column metadata.till=till --dry-run
    """
    run_import(context, file, options, import_purchases, check=check)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--program", "code", required=True, metavar="CODE", help="The code of the program.")
@click.option("--since", required=True, metavar="TIME", help="2026-10-01, or with a time; its zone is the program's.")
@click.option("--until", required=True, metavar="TIME", help="Likewise: the first moment that isn't of the period.")
def simulate(file: Path, code: str, since: str, until: str) -> None:
    """Try the earning rules of FILE on the purchases of a period: what they would have given. Nothing is booked.

    FILE is JSON as POST /v1/earning-rules/simulate takes it, without the period: {"rules": [{"id": ...}], "drafts":
    ["id"], "without": ["id"]}. The cost is what the points are worth now.

    Example: loyalty simulate rules.json --program tea-shop --since 2026-10-01 --until 2026-11-01
    """
    found = settings()

    async def run() -> Simulated:
        database = Database(found)
        await database.open(size=1)
        try:
            async with database.connection() as db:
                program = await programs.program_with_code(db, code)
            trial = _trial(file, program, since=since, until=until)
            return await _watched(Simulations(database).begin(program, trial))
        finally:
            await database.close()

    _tell(in_one_sentence(run))


def _trial(file: Path, program: Program, **moments: str) -> Trial:
    """Read what to try. Raises Invalid, ClickException."""
    zone = ZoneInfo(program.settings.time_zone)
    raw = file.read_bytes()
    try:
        check_syntax(raw)
    except Undecodable as fault:
        msg = f"{file} can't be read: {fault.detail.replace('The body', 'It')}"
        raise click.ClickException(msg) from None
    content: Any = msgspec.json.decode(raw)
    if not isinstance(content, dict) or moments.keys() & content.keys():
        msg = f"{file} is no JSON object that tells rules and no period: see `loyalty simulate --help`."
        raise click.ClickException(msg)
    for name, text in moments.items():
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            msg = f"--{name} {text!r} is no time: write 2026-10-01 or 2026-10-01T12:00:00Z."
            raise click.ClickException(msg) from None
        content[name] = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return decode(msgspec.json.encode(content), Trial)


async def _watched(running: Running) -> Simulated:
    """Show how far a simulation is, to people, until it has ended."""
    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    shown = sys.stderr.isatty() and console.is_interactive
    with Progress(*columns, console=console, disable=not shown) as bar:
        task = bar.add_task("purchases", total=None)
        while not await running.wait(_SECONDS_BETWEEN_LOOKS):
            bar.update(task, completed=running.done, total=running.of or None)
        bar.update(task, completed=running.done, total=running.of)
    return running.task.result()


def _tell(found: Simulated) -> None:
    """Print what came of it."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule")
    for heading in ("given", "simulated", "difference", "purchases", "customers"):
        table.add_column(heading, justify="right")
    for each in (*found.by_rule, None):
        given, simulated = (found.given, found.simulated) if each is None else (each.given, each.simulated)
        numbers = given.points, simulated.points, simulated.points - given.points, simulated.purchases
        shown = [f"{number:,}" for number in (*numbers, simulated.customers)]
        table.add_row("all" if each is None else each.rule, *shown)
    cost = (found.given.cost, found.simulated.cost, found.difference.cost)
    table.add_row(f"cost in {found.currency}", *(_money(each, found.currency) for each in cost))
    Console(width=100, highlight=False).print(table)
    spread = found.distribution
    click.echo(
        f"{found.purchases:,} purchases of {found.customers:,} customers: {spread.more:,} would have got more, "
        f"{spread.less:,} less, {spread.same:,} the same. The middle one got {spread.given.p50:,} points and would "
        f"have got {spread.simulated.p50:,}; refunds took back {found.reversed:,} points of what was given."
    )


def _money(minor_units: int, currency: str) -> str:
    return as_text(minor_units, currency).partition(" ")[0]
