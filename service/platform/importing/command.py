"""The commands that import a table: what an operator says about it, and how every fault is told."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NotRequired, Protocol, TextIO, TypedDict, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
import click

from service.kernel.errors import NotFound, Unavailable
from service.platform.command_line import in_one_sentence, settings
from service.platform.database import Database
from service.platform.importing.csv_lines import delimiter_named, encoding_named
from service.platform.importing.mapping import Fields, Mapping, MappingFault
from service.platform.importing.progress import ImportProgress, counted
from service.platform.importing.table import Table, Tally, Told

Command = TypeVar("Command", bound=Callable[..., Any])
INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as shells have it."""


@click.group("import")
def import_() -> None:
    """Bring in what happened elsewhere.

    Example: loyalty import purchases orders.csv --program tea-shop --column id=order --column total=amount ...
    """


class Options(TypedDict):
    """What an operator says about a table; see `table_options`."""

    program: str
    column: Sequence[str]
    value: Sequence[str]
    id_template: str | None
    decimal_mark: NotRequired[str | None]
    date_format: str | None
    time_zone: str | None
    delimiter: str
    encoding: str
    no_header: bool
    from_line: int
    errors: Path | None
    dry_run: bool


class Import(Protocol):
    """Books the lines of a table, and tells what becomes of them."""

    async def __call__(
        self, database: Database, table: Table, *, program_code: str, tally: Tally, told: Told, dry_run: bool
    ) -> None:
        """Import. Raises MappingFault, NotFound for an unknown program, OSError, Unavailable."""
        ...


_OPTIONS: Final[Sequence[Callable[[Any], Any]]] = (
    click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--program", required=True, metavar="CODE", help="The code of the program that the lines go to."),
    click.option("--column", multiple=True, metavar="FIELD=COLUMN", help="The column that holds a field; many times."),
    click.option(
        "--value", multiple=True, metavar="FIELD=TEXT", help="A field that is the same in all lines; many times."
    ),
    click.option("--id", "id_template", metavar="TEMPLATE", help="Make ids: 'orders-2025-{line}', '{invoice}-{row}'."),
    click.option(
        "--date-format", metavar="FORMAT", help="How times are written: '%d.%m.%Y %H:%M'; without it ISO 8601."
    ),
    click.option("--time-zone", metavar="ZONE", help="The zone of times that name none; without it the program's."),
    click.option(
        "--delimiter", default=",", show_default=True, help="A character, 'tab' or 'whitespace' (runs of it)."
    ),
    click.option("--encoding", default="utf-8", show_default=True, help="The file's: latin-1, cp1252, utf-16 ..."),
    click.option("--no-header", is_flag=True, help="The first line is data already; columns are numbers from 1 on."),
    click.option("--from-line", type=click.IntRange(1), default=1, metavar="N", help="Pass over the lines before it."),
    click.option(
        "--errors",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the bad lines' numbers and reasons into this file, anew; without it they are shown.",
    ),
    click.option("--dry-run", is_flag=True, help="Check every line and book nothing."),
)


def table_options(command: Command) -> Command:
    """Let a command take a table and what is said about it."""
    for option in reversed(_OPTIONS):
        option(command)
    return command


def mapping_of(options: Options, by_name: Fields | None = None) -> Mapping:
    """Read what was said about the columns; fields `by_name` need not be told. Raises MappingFault."""
    columns, values = _pairs("--column", options["column"]), _pairs("--value", options["value"])
    told = {*columns, *values, *(() if options["id_template"] is None else ("id",))}
    return Mapping(
        columns=columns,
        values=values,
        id_template=options["id_template"],
        date_format=options["date_format"],
        decimal_mark=options.get("decimal_mark"),
        header=not options["no_header"],
        by_name=() if by_name is None else tuple(field for field in by_name.kinds if field not in told),
    )


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


def run_import(
    context: click.Context,
    file: Path,
    options: Options,
    work: Import,
    *,
    check: Callable[[Mapping], None],
    by_name: Fields | None = None,
) -> None:
    """Import a file to its end; ends the command with status 1 where lines were bad. Raises ClickException."""
    tally = Tally()
    try:
        mapping = mapping_of(options, by_name)
        table = _table(file, mapping, options)
        check(mapping)
        with ExitStack() as stack:
            progress = stack.enter_context(ImportProgress(tally, file, dry_run=options["dry_run"]))
            out = None if (path := options["errors"]) is None else stack.enter_context(_opened(path, file))
            told = Told(lambda first, last, why: _tell(out, first, last, why), progress.went_on)
            _run(table, options, work, tally, told)
    except MappingFault as fault:
        raise click.ClickException(str(fault)) from None
    except KeyboardInterrupt:
        click.echo(f"Interrupted: {counted(tally)}. {_go_on(tally)}", err=True)
        context.exit(INTERRUPTED)
    click.echo(f"{counted(tally, dry_run=options['dry_run'])}.")
    if tally.bad:
        context.exit(1)


def _table(file: Path, mapping: Mapping, options: Options) -> Table:
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


def _opened(errors: Path, file: Path) -> TextIO:
    if errors.exists() and errors.samefile(file):
        msg = "--errors names the file that is imported: name another one."
        raise click.ClickException(msg)
    try:
        return errors.open("w", encoding="utf-8")
    except OSError as fault:
        msg = f"{errors} can't be written ({fault.strerror}): name another file with --errors."
        raise click.ClickException(msg) from None


def _run(table: Table, options: Options, work: Import, tally: Tally, told: Told) -> None:
    found = settings()

    async def run() -> None:
        database = Database(found)
        await database.open(size=1)
        code = options["program"]
        try:
            await work(database, table, program_code=code, tally=tally, told=told, dry_run=options["dry_run"])
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
