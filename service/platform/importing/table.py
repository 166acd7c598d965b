"""A table that is imported: line by line, in batches, and how far that is.

What makes it safe to repeat is the facts' ids, as for every caller: nothing is kept about the import itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from zoneinfo import ZoneInfo

from service.platform.importing.csv_lines import CsvLines, Record
from service.platform.importing.mapping import Mapping, MappingFault, places, with_names

BATCH: Final = 250
"""Lines in a transaction: it holds the locks of their customers for some 50 ms, while a checkout may wait for one."""
PATIENCE: Final = 60.0
"""Seconds for which the database may be away, or a batch may wait for locks."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file and how to read it; `encoding` and `delimiter` are as `csv_lines` names them.

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


class Lines:
    """The lines of a table in a file opened for reading bytes. Raises MappingFault for what the first line shows.

    `mapping` is the table's, with the columns that the first line names; `found` are the places of its columns, and
    `named` is how many the first line names, None where it names none. `required` fields need a column.
    """

    def __init__(self, table: Table, file: IO[bytes], required: Iterable[str] = ()) -> None:
        self._file = file
        self._lines = CsvLines(file, encoding=table.encoding, delimiter=table.delimiter)
        header = _header(self._lines) if table.mapping.header else None
        self.mapping = with_names(table.mapping, header, list(required))
        self.found = places(self.mapping, header)
        self.named = None if header is None else len(header)
        self.first_line = max(self._lines.line + 1, table.from_line)
        self.records = (record for record in self._lines if record.first_line >= table.from_line)

    @property
    def line(self) -> int:
        """The number of the last line that was read."""
        return self._lines.line

    @property
    def bytes_read(self) -> int:
        """How much of the file was read; 0 where that can't be told."""
        return self._file.tell() if self._file.seekable() else 0


def _header(lines: Iterable[Record]) -> list[str]:
    first = next(iter(lines), None)
    if first is None:
        msg = "The file is empty: its first line must name the columns (or tell --no-header)."
        raise MappingFault(msg)
    if first.fault:
        msg = f"The first line doesn't name columns: {first.fault}"
        raise MappingFault(msg)
    return first.cells
