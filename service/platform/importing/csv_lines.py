"""CSV as a stream of records that know their line numbers. Pure but for reading the file it is given.

Lines are numbered as an editor does: from 1, the header too. A record over several lines (line breaks in quotes) has
the number of its first. Memory doesn't grow with the file.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

LONGEST_LINE: Final = 1 << 20
"""Characters. What is longer is no line of a table, and mustn't fill the memory."""
WHITESPACE: Final = "whitespace"
_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", WHITESPACE: WHITESPACE}
_UNDECODABLE: Final = "\udcff"
"""Stands for bytes that don't fit the encoding: half of a surrogate pair, which no text of a file can hold."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the table, or what is wrong with it: `fault` is a sentence, or empty."""

    first_line: int
    last_line: int
    cells: list[str] = field(default_factory=list[str])
    fault: str = ""


def delimiter_named(text: str) -> str:
    """Return the delimiter that an operator means: one character, `tab`, or `whitespace`. Raises ValueError."""
    if text in _DELIMITERS:
        return _DELIMITERS[text]
    if len(text) != 1 or text in '"\r\n\0':
        msg = "--delimiter is one character (but no quote), or tab, or whitespace."
        raise ValueError(msg)
    return text


def encoding_named(text: str) -> str:
    """Return the encoding that an operator means, which passes over a byte order mark. Raises ValueError."""
    try:
        "".encode(text)  # refuses codecs that aren't of text, such as base64
        name = codecs.lookup(text).name
    except (LookupError, ValueError):
        msg = "--encoding names none that is known: try utf-8, latin-1, cp1252 or utf-16."
        raise ValueError(msg) from None
    return "utf-8-sig" if name == "utf-8" else name


def _stand_in(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeDecodeError):
        raise fault
    return _UNDECODABLE, fault.end


codecs.register_error("loyalty.stand_in", _stand_in)


class CsvLines:
    """The records of a file opened for reading bytes. `line` is the number of the last line that was read."""

    def __init__(self, file: IO[bytes], *, encoding: str, delimiter: str) -> None:
        self.line = 0
        self._text = io.TextIOWrapper(file, encoding=encoding, errors="loyalty.stand_in", newline="")
        self._delimiter = delimiter
        self._cut = 0
        self._of_record = list[str]()
        self._put_back = deque[str]()
        self._records = self._split() if delimiter == WHITESPACE else self._parsed()

    def __iter__(self) -> Iterator[Record]:
        """Give the records; blank lines are none."""
        return self._records

    def _lines(self) -> Iterator[str]:
        while line := self._put_back.popleft() if self._put_back else self._text.readline(LONGEST_LINE):
            self.line += 1
            if len(line) == LONGEST_LINE and not line.endswith("\n"):
                self._cut = self.line
                while len(rest := self._text.readline(LONGEST_LINE)) == LONGEST_LINE and not rest.endswith("\n"):
                    pass
            self._of_record.append(line)
            yield line

    def _split(self) -> Iterator[Record]:
        for line in self._lines():
            self._of_record.clear()
            if cells := line.split():
                yield self._record(self.line, cells)

    def _parsed(self) -> Iterator[Record]:
        rows = self._reader()
        while True:
            self._of_record.clear()
            first = self.line + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as fault:
                # A quote that isn't closed swallows the lines behind it: they are read again, each for itself.
                self._put_back.extendleft(reversed(self._of_record[1:]))
                self.line = first
                rows = self._reader()
                yield self._record(first, [], _in_words(str(fault)))
            else:
                if cells:
                    yield self._record(first, cells)

    def _reader(self) -> Iterator[list[str]]:
        # Strict: text behind a closing quote, and a quote that is never closed, are told and not guessed at.
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _record(self, first: int, cells: list[str], fault: str = "") -> Record:
        if first <= self._cut <= self.line:
            return Record(first, self.line, fault=f"The line is longer than {LONGEST_LINE:,} characters.")
        return Record(first, self.line, cells, fault)


def _in_words(said: str) -> str:
    if "expected after" in said or "end of data" in said:
        return "A quote is not closed, or text follows the closing one: double the quotes inside a quoted column."
    if "field limit" in said:
        return f"A column is longer than {csv.field_size_limit():,} characters: is a quote not closed?"
    return f"This is no CSV: {said}."
