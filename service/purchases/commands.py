"""`loyalty import`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TextIO, TypedDict, Unpack
from zoneinfo import ZoneInfo

import asyncpg
import click

from service.kernel.errors import NotFound, Unavailable
from service.platform.command_line import in_one_sentence, settings
from service.platform.database import Database
from service.purchases.importing.csv_lines import delimiter_named, encoding_named
from service.purchases.importing.line_reader import check
from service.purchases.importing.mapping import Mapping, MappingFault
from service.purchases.importing.progress import ImportProgress, counted
from service.purchases.importing.table import Table, Tally, Told, import_purchases

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as shells have it."""


@click.group("import")
def import_() -> None:
    """Bring in what happened elsewhere.

    Example: loyalty import purchases orders.csv --program tea-shop --column id=order --column total=amount ...
    """


class _Options(TypedDict):
    program: str
    column: Sequence[str]
    value: Sequence[str]
    id_template: str | None
    decimal_mark: str | None
    date_format: str | None
    time_zone: str | None
    delimiter: str
    encoding: str
    no_header: bool
    from_line: int
    errors: Path | None
    dry_run: bool


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--program", required=True, metavar="CODE", help="The code of the program that the purchases go to.")
@click.option("--column", multiple=True, metavar="FIELD=COLUMN", help="The column that holds a field; many times.")
@click.option("--value", multiple=True, metavar="FIELD=TEXT", help="A field that is the same in all lines; many times.")
@click.option("--id", "id_template", metavar="TEMPLATE", help="Make ids: 'orders-2025-{line}', '{invoice}-{row}'.")
@click.option("--decimal", "decimal_mark", flag_value=".", default=None, help="Amounts are 29.33; without it 2933.")
@click.option("--decimal-comma", "decimal_mark", flag_value=",", help="Amounts are 29,33.")
@click.option("--date-format", metavar="FORMAT", help="How times are written: '%d.%m.%Y %H:%M'; without it ISO 8601.")
@click.option("--time-zone", metavar="ZONE", help="The zone of times that name none; without it the program's.")
@click.option("--delimiter", default=",", show_default=True, help="A character, 'tab' or 'whitespace' (runs of it).")
@click.option("--encoding", default="utf-8", show_default=True, help="The file's: latin-1, cp1252, utf-16 ...")
@click.option("--no-header", is_flag=True, help="The first line is a purchase already; columns are numbers from 1 on.")
@click.option("--from-line", type=click.IntRange(1), default=1, metavar="N", help="Pass over the lines before it.")
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the bad lines' numbers and reasons into this file, anew; without it they are shown.",
)
@click.option("--dry-run", is_flag=True, help="Check every line and book nothing.")
@click.pass_context
def purchases(context: click.Context, file: Path, **options: Unpack[_Options]) -> None:
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
    tally = Tally()
    try:
        table = _table(file, options)
        check(table.mapping)
        with ExitStack() as stack:
            progress = stack.enter_context(ImportProgress(tally, file, dry_run=options["dry_run"]))
            out = None if (path := options["errors"]) is None else stack.enter_context(_opened(path, file))
            _run(table, options, tally, Told(lambda first, last, why: _tell(out, first, last, why), progress.went_on))
    except MappingFault as fault:
        raise click.ClickException(str(fault)) from None
    except KeyboardInterrupt:
        click.echo(f"Interrupted: {counted(tally)}. {_go_on(tally)}", err=True)
        context.exit(INTERRUPTED)
    click.echo(f"{counted(tally, dry_run=options['dry_run'])}.")
    if tally.bad:
        context.exit(1)


def _table(file: Path, options: _Options) -> Table:
    mapping = Mapping(
        columns=_pairs("--column", options["column"]),
        values=_pairs("--value", options["value"]),
        id_template=options["id_template"],
        date_format=options["date_format"],
        decimal_mark=options["decimal_mark"],
        header=not options["no_header"],
    )
    try:
        encoding, delimiter = encoding_named(options["encoding"]), delimiter_named(options["delimiter"])
    except ValueError as fault:
        raise MappingFault(str(fault)) from None
    return Table(file, mapping, encoding, delimiter, _zone(options["time_zone"]), options["from_line"])


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = f"There is no time zone {name!r}: name one of the IANA database, such as Europe/Berlin."
        raise MappingFault(msg) from None


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs = dict[str, str]()
    for text in texts:
        field, equals, rest = text.partition("=")
        if not equals or not field or (option == "--column" and not rest):
            msg = f"{option} {text!r} can't be read: write FIELD=..., as in {option} currency=EUR."
            raise MappingFault(msg)
        if field in pairs:
            msg = f"{option} tells the field {field} twice: leave one out."
            raise MappingFault(msg)
        pairs[field] = rest
    return pairs


def _opened(errors: Path, file: Path) -> TextIO:
    if errors.exists() and errors.samefile(file):
        msg = "--errors names the file that is imported: name another one."
        raise click.ClickException(msg)
    try:
        return errors.open("w", encoding="utf-8")
    except OSError as fault:
        msg = f"{errors} can't be written ({fault.strerror}): name another file with --errors."
        raise click.ClickException(msg) from None


def _run(table: Table, options: _Options, tally: Tally, told: Told) -> None:
    found = settings()

    async def run() -> None:
        database = Database(found)
        await database.open(size=1)
        code = options["program"]
        try:
            await import_purchases(
                database, table, program_code=code, tally=tally, told=told, dry_run=options["dry_run"]
            )
        except NotFound:
            msg = f"There is no program {code!r}: `loyalty programs list` names them."
            raise click.ClickException(msg) from None
        except Unavailable as fault:
            msg = f"{fault.detail} {counted(tally)}. Check DATABASE_URL. {_go_on(tally)}"
            raise click.ClickException(msg) from None
        except asyncpg.PostgresError as fault:
            msg = f"The database refuses ({type(fault).__name__}); {counted(tally)}. {_go_on(tally)}"
            raise click.ClickException(msg) from None
        except OSError as fault:
            msg = f"{fault.filename or table.path} can't be used ({fault.strerror}). {_go_on(tally)}"
            raise click.ClickException(msg) from None
        finally:
            await database.close()

    in_one_sentence(run)


def _tell(out: TextIO | None, first: int, last: int, why: str) -> None:
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    click.echo(f"{lines}: {why}", file=out, err=out is None)


def _go_on(tally: Tally) -> str:
    return f"Go on with --from-line {tally.next_line}, or run the same again: nothing is booked twice."
