"""Importing facts from a table: in batches, each exactly once however often it is run."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Generic, Protocol
from zoneinfo import ZoneInfo

from service.kernel.errors import Refusal
from service.platform.database import Database
from service.platform.importing.line_reader import BadLine
from service.platform.importing.table import BATCH, PATIENCE, Lines, Table, Tally, Told
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.facts import Accepted, Answer, Content, Draft, Facts, Outcome
from service.programs import usecases as programs


class Entry(Protocol, Generic[Content]):
    """What lines of a table tell of one fact."""

    @property
    def last_line(self) -> int:
        """The number of its last line."""
        ...

    @property
    def size(self) -> int:
        """How many lines it has."""
        ...

    def draft(self) -> Draft[Content]:
        """Prepare the fact. Raises BadLine, Refusal."""
        ...

    def bad(self, fault: BadLine | Refusal) -> tuple[int, int, str]:
        """Say why it can't be booked, in words of the table: the first and the last line of the fault, and what."""
        ...


@dataclass(frozen=True, slots=True)
class FactImport(Generic[Content, Answer]):
    """Imports facts of a kind: `entries` reads them from lines, whose times are of the zone given where they name none.

    Fields `required` need a column.
    """

    facts: Facts[Content, Answer]
    entries: Callable[[Lines, tzinfo], Iterator[Entry[Content]]]
    required: Sequence[str] = ()

    async def __call__(
        self, database: Database, table: Table, *, program_code: str, tally: Tally, told: Told, dry_run: bool = False
    ) -> None:
        """Book what the lines of a table say, some `BATCH` lines a transaction, through the database's pool.

        The mapping must have been checked. A dry run books nothing. The tally counts facts. Raises MappingFault for
        what the first line shows, NotFound for an unknown program, OSError for the file, Unavailable when the database
        is away for `PATIENCE`; the tally tells where to go on.
        """
        program = await transact(database.connection, lambda db: programs.program_with_code(db, program_code))
        with table.path.open("rb") as file:
            lines = Lines(table, file, self.required)
            zone = table.zone or ZoneInfo(program.settings.time_zone)
            tally.next_line = lines.first_line
            for batch in _batches(self.entries(lines, zone)):
                drafts = [_draft(entry) for entry in batch]
                outcomes = await self._book(database, program_code, drafts, dry_run=dry_run)
                for entry, outcome in zip(batch, outcomes, strict=True):
                    _count(tally, told, entry, outcome)
                tally.next_line, tally.bytes_read = batch[-1].last_line + 1, lines.bytes_read
                told.went_on()

    async def _book(
        self,
        database: Database,
        program_code: str,
        drafts: Sequence[Draft[Content] | BadLine | Refusal],
        *,
        dry_run: bool,
    ) -> Sequence[Outcome[Content, Answer] | BadLine]:
        """Book the drafts in one transaction; give an outcome for each entry, in order."""

        async def work(db: Db) -> Sequence[Outcome[Content, Answer] | BadLine]:
            # Read anew for each batch: an import may take an hour, and a setting changed meanwhile counts from then on.
            program = await programs.program_with_code(db, program_code)
            entropy = random.getrandbits(62)
            return await self.facts.take_each(db, program=program, entries=drafts, entropy=entropy, dry_run=dry_run)

        return await transact(database.connection, work, patience=PATIENCE)


def _batches(entries: Iterator[Entry[Content]]) -> Iterator[list[Entry[Content]]]:
    """Gather facts of some `BATCH` lines together; none is divided."""
    batch, size = list[Entry[Content]](), 0
    for entry in entries:
        batch.append(entry)
        size += entry.size
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _draft(entry: Entry[Content]) -> Draft[Content] | BadLine | Refusal:
    try:
        return entry.draft()
    except (BadLine, Refusal) as fault:
        return fault


def _count(tally: Tally, told: Told, entry: Entry[Content], outcome: Outcome[Content, Answer] | BadLine) -> None:
    if not isinstance(outcome, Accepted):
        tally.bad += 1
        told.bad(*entry.bad(outcome))
    elif outcome.replayed:
        tally.known += 1
    else:
        tally.booked += 1
