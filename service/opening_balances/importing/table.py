"""Importing opening balances from a table: in batches, each balance exactly once however often it is run."""

import random
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from service.kernel.errors import Refusal
from service.opening_balances import usecases
from service.opening_balances.importing.balances import Read, read_balances
from service.opening_balances.importing.line_reader import FIELDS, BalanceReader
from service.opening_balances.usecases import OPENING_BALANCES, BalanceDraft, BalanceOutcome
from service.platform.database import Database
from service.platform.importing.table import BATCH, PATIENCE, Lines, Table, Tally, Told
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.facts import Accepted, Draft
from service.programs import usecases as programs


async def import_balances(
    database: Database, table: Table, *, program_code: str, tally: Tally, told: Told, dry_run: bool = False
) -> None:
    """Book what the lines of a table say, some `BATCH` lines a transaction, through the database's pool.

    The mapping must have been checked. A dry run books nothing. The tally counts balances, not lines. Raises
    MappingFault for what the first line shows, NotFound for an unknown program, OSError for the file, Unavailable when
    the database is away for `PATIENCE`; the tally tells where to go on.
    """
    program = await transact(database.connection, lambda db: programs.program_with_code(db, program_code))
    with table.path.open("rb") as file:
        lines = Lines(table, file, FIELDS.required)
        zone = table.zone or ZoneInfo(program.settings.time_zone)
        reader = BalanceReader(lines.mapping, lines.found, zone, lines.named)
        tally.next_line = lines.first_line
        for batch in _batches(read_balances(reader, lines.records)):
            drafts = [_draft(read) for read in batch]
            outcomes = await _book(database, program_code, drafts, dry_run=dry_run)
            for read, outcome in zip(batch, outcomes, strict=True):
                _count(tally, told, reader, read, outcome)
            tally.next_line, tally.bytes_read = batch[-1].last_line + 1, lines.bytes_read
            told.went_on()


def _batches(balances: Iterator[Read]) -> Iterator[list[Read]]:
    """Gather balances of some `BATCH` lines together; none is divided."""
    batch, size = list[Read](), 0
    for read in balances:
        batch.append(read)
        size += max(1, len(read.parts))
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _draft(read: Read) -> BalanceDraft | Refusal | None:
    """Prepare a balance; None for one that lines don't tell rightly."""
    if read.fault is not None:
        return None
    try:
        return usecases.draft(read.whole(), randomness=random.getrandbits(62))
    except Refusal as refusal:
        return refusal


async def _book(
    database: Database, program_code: str, drafts: Sequence[BalanceDraft | Refusal | None], *, dry_run: bool
) -> Iterator[BalanceOutcome | None]:
    """Book the drafts in one transaction; give an outcome for each entry, in order."""
    accepted = [each for each in drafts if isinstance(each, Draft)]

    async def work(db: Db) -> Sequence[BalanceOutcome]:
        # Read anew for each batch: an import may take an hour, and a setting changed meanwhile counts from then on.
        program = await programs.program_with_code(db, program_code)
        if dry_run:
            return await OPENING_BALANCES.preview(db, program=program, drafts=accepted)
        return await OPENING_BALANCES.report_apart(db, program=program, drafts=accepted, entropy=random.getrandbits(62))

    outcomes = iter(await transact(database.connection, work, patience=PATIENCE) if accepted else [])
    return (next(outcomes) if isinstance(each, Draft) else each for each in drafts)


def _count(tally: Tally, told: Told, reader: BalanceReader, read: Read, outcome: BalanceOutcome | None) -> None:
    if isinstance(outcome, Refusal):
        read.spoil(read.lines_of(outcome), str(reader.refused(outcome)))
    if read.fault is not None:
        tally.bad += 1
        told.bad(*read.fault[0], read.told(*read.fault))
    elif isinstance(outcome, Accepted) and outcome.replayed:
        tally.known += 1
    else:
        tally.booked += 1
