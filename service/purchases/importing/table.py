"""Importing purchases from a table: line by line, in batches, each exactly once however often it is run.

What makes it safe to repeat is the purchases' ids, as for every caller: nothing is kept about the import itself.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from service.kernel.errors import Refusal
from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.purchases import usecases
from service.purchases.importing.csv_lines import CsvLines, Record
from service.purchases.importing.line_reader import BadLine, LineReader
from service.purchases.importing.mapping import Mapping, MappingFault, places
from service.purchases.rules import Draft
from service.purchases.usecases import Outcome

BATCH: Final = 250
"""Lines in a transaction: it holds the locks of their customers for some 50 ms, while a checkout may wait for one."""
PATIENCE: Final = 60.0
"""Seconds for which the database may be away, or a batch may wait for locks."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file of purchases and how to read it; `encoding` and `delimiter` are as `csv_lines` names them.

    `zone` is that of times without one, None for the program's. Lines before `from_line` are passed over.
    """

    path: Path
    mapping: Mapping
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    zone: ZoneInfo | None = None
    from_line: int = 1


@dataclass(slots=True)
class Tally:
    """How far an import is. `next_line` is the first not dealt with for good; `bytes_read` may be ahead."""

    booked: int = 0
    known: int = 0
    bad: int = 0
    next_line: int = 1
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What an import tells while it runs: each bad line (first, last, why), and after each batch that it went on."""

    bad: Callable[[int, int, str], None]
    went_on: Callable[[], None] = lambda: None


async def import_purchases(
    database: Database, table: Table, *, program_code: str, tally: Tally, told: Told, dry_run: bool = False
) -> None:
    """Book what the lines of a table say, at most `BATCH` lines a transaction, through the database's pool.

    The mapping must have been checked. A dry run books nothing. Raises MappingFault for what the first line shows,
    NotFound for an unknown program, OSError for the file, Unavailable when the database is away for `PATIENCE`; the
    tally tells where to go on.
    """
    program = await transact(database.connection, lambda db: programs.program_with_code(db, program_code))
    with table.path.open("rb") as file:
        lines = CsvLines(file, encoding=table.encoding, delimiter=table.delimiter)
        header = _header(lines) if table.mapping.header else None
        zone = table.zone or ZoneInfo(program.settings.time_zone)
        named = None if header is None else len(header)
        reader = LineReader(table.mapping, places(table.mapping, header), zone, named)
        records = (record for record in lines if record.first_line >= table.from_line)
        tally.next_line = max(lines.line + 1, table.from_line)
        while batch := list(islice(records, BATCH)):
            drafts = [_draft(reader, record) for record in batch]
            outcomes = await _book(database, program_code, drafts, dry_run=dry_run)
            for record, outcome in zip(batch, outcomes, strict=True):
                _count(tally, told, reader, record, outcome)
            tally.next_line = lines.line + 1
            tally.bytes_read = file.tell() if file.seekable() else 0
            told.went_on()


def _header(lines: Iterable[Record]) -> list[str]:
    first = next(iter(lines), None)
    if first is None:
        msg = "The file is empty: its first line must name the columns (or tell --no-header)."
        raise MappingFault(msg)
    if first.fault:
        msg = f"The first line doesn't name columns: {first.fault}"
        raise MappingFault(msg)
    return first.cells


def _draft(reader: LineReader, record: Record) -> Draft | BadLine:
    if record.fault:
        return BadLine(record.fault)
    try:
        return usecases.draft(reader.purchase(record.first_line, record.cells), randomness=random.getrandbits(62))
    except BadLine as bad:
        return bad
    except Refusal as refusal:
        return reader.bad(refusal)


async def _book(
    database: Database, program_code: str, drafts: Sequence[Draft | BadLine], *, dry_run: bool
) -> Iterator[Outcome | Exception]:
    """Book the drafts in one transaction; give an outcome for each entry, in order."""
    accepted = [each for each in drafts if isinstance(each, Draft)]
    verb = usecases.preview if dry_run else usecases.report_apart

    async def work(db: Db) -> Sequence[Outcome | Exception]:
        # Read anew for each batch: an import may take an hour, and a rule changed meanwhile counts from then on.
        program = await programs.program_with_code(db, program_code)
        return await verb(db, program=program, drafts=accepted, entropy=random.getrandbits(62))

    outcomes = iter(await transact(database.connection, work, patience=PATIENCE) if accepted else [])
    return (each if isinstance(each, BadLine) else next(outcomes) for each in drafts)


def _count(tally: Tally, told: Told, reader: LineReader, record: Record, outcome: Outcome | Exception) -> None:
    if isinstance(outcome, Exception):
        tally.bad += 1
        reason = reader.bad(outcome) if isinstance(outcome, Refusal) else outcome
        told.bad(record.first_line, record.last_line, str(reason))
    elif outcome.replayed:
        tally.known += 1
    else:
        tally.booked += 1
