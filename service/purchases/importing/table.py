"""Importing purchases from a table: line by line, in batches, each exactly once however often it is run."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from zoneinfo import ZoneInfo

from service.kernel.errors import Refusal
from service.platform.database import Database
from service.platform.importing.csv_lines import Record
from service.platform.importing.line_reader import BadLine
from service.platform.importing.table import BATCH, PATIENCE, Lines, Table, Tally, Told
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.facts import Draft
from service.programs import usecases as programs
from service.purchases import usecases
from service.purchases.importing.line_reader import PurchaseReader
from service.purchases.usecases import PURCHASES, PurchaseDraft, PurchaseOutcome


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
        lines = Lines(table, file)
        zone = table.zone or ZoneInfo(program.settings.time_zone)
        reader = PurchaseReader(lines.mapping, lines.found, zone, lines.named)
        tally.next_line = lines.first_line
        while batch := list(islice(lines.records, BATCH)):
            drafts = [_draft(reader, record) for record in batch]
            outcomes = await _book(database, program_code, drafts, dry_run=dry_run)
            for record, outcome in zip(batch, outcomes, strict=True):
                _count(tally, told, reader, record, outcome)
            tally.next_line, tally.bytes_read = lines.line + 1, lines.bytes_read
            told.went_on()


def _draft(reader: PurchaseReader, record: Record) -> PurchaseDraft | BadLine:
    if record.fault:
        return BadLine(record.fault)
    try:
        return usecases.draft(reader.purchase(record.first_line, record.cells), randomness=random.getrandbits(62))
    except BadLine as bad:
        return bad
    except Refusal as refusal:
        return reader.bad(refusal)


async def _book(
    database: Database, program_code: str, drafts: Sequence[PurchaseDraft | BadLine], *, dry_run: bool
) -> Iterator[PurchaseOutcome | Exception]:
    """Book the drafts in one transaction; give an outcome for each entry, in order."""
    accepted = [each for each in drafts if isinstance(each, Draft)]

    async def work(db: Db) -> Sequence[PurchaseOutcome | Exception]:
        # Read anew for each batch: an import may take an hour, and a rule changed meanwhile counts from then on.
        program = await programs.program_with_code(db, program_code)
        if dry_run:
            return await PURCHASES.preview(db, program=program, drafts=accepted)
        return await PURCHASES.report_apart(db, program=program, drafts=accepted, entropy=random.getrandbits(62))

    outcomes = iter(await transact(database.connection, work, patience=PATIENCE) if accepted else [])
    return (each if isinstance(each, BadLine) else next(outcomes) for each in drafts)


def _count(
    tally: Tally, told: Told, reader: PurchaseReader, record: Record, outcome: PurchaseOutcome | Exception
) -> None:
    if isinstance(outcome, Exception):
        tally.bad += 1
        reason = reader.bad(outcome) if isinstance(outcome, Refusal) else outcome
        told.bad(record.first_line, record.last_line, str(reason))
    elif outcome.replayed:
        tally.known += 1
    else:
        tally.booked += 1
