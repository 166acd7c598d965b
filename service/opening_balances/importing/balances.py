"""From lines to opening balances: the lines of one id, which stand behind each other, are one balance. Pure.

A balance is taken whole or not at all: one with a bad line is bad, and so is one beside a line of which nobody knows
whose it is. Else a corrected table would tell other content under an id that is booked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from service.kernel.errors import Invalid, Refusal
from service.opening_balances.importing.line_reader import BalanceReader
from service.opening_balances.rules import MOST_COUNTED, MOST_LOTS, OpeningBalance
from service.platform.importing.csv_lines import Record
from service.platform.importing.line_reader import BadLine

Lines = tuple[int, int]
"""The first and the last line of a record."""


@dataclass(slots=True)
class Read:
    """A balance as lines of one id tell it. `fault` is what is wrong with it, and where; such a one isn't booked."""

    id: str
    first_line: int
    last_line: int
    parts: list[OpeningBalance] = field(default_factory=list[OpeningBalance])
    lots: list[Lines] = field(default_factory=list[Lines])
    """Where each lot stands."""
    counted: list[Lines] = field(default_factory=list[Lines])
    """Where each amount stands that was counted for tiers."""
    fault: tuple[Lines, str] | None = None

    def spoil(self, lines: Lines, why: str) -> None:
        """Note what is wrong with it; the first that is counts."""
        self.fault = self.fault or (lines, why)

    def whole(self) -> OpeningBalance:
        """Put the parts together. It has no fault."""
        first = next((part for part in self.parts if part.tier is not None), self.parts[0])
        lots = [lot for part in self.parts for lot in part.lots]
        counted = [each for part in self.parts for each in part.counted]
        debt = sum(part.debt for part in self.parts)
        return msgspec.structs.replace(first, lots=lots, debt=debt, counted=counted)

    def lines_of(self, refusal: Refusal) -> Lines:
        """Tell at which lines a refusal of the whole points."""
        step = refusal.pointer.split("/") if isinstance(refusal, Invalid) else []
        stands = {"lots": self.lots, "counted": self.counted}
        if len(step) > 2 and step[1] in stands:  # noqa: PLR2004 - /lots/3/points
            return stands[step[1]][int(step[2])]
        return self.first_line, self.last_line

    def told(self, lines: Lines, why: str) -> str:
        """Say what is wrong, and which other lines are not booked for it."""
        all_of_it = (self.first_line, self.last_line)
        return why if lines == all_of_it else f"{why} Lines {all_of_it[0]} to {all_of_it[1]} are one balance."


def read_balances(reader: BalanceReader, records: Iterable[Record]) -> Iterator[Read]:
    """Put lines together to balances, in their order. A line of which nobody knows whose it is comes by itself.

    It remembers a number for each id, by which it knows one that stands apart from its other lines.
    """
    current: Read | None = None
    unknown: Lines | None = None
    seen = set[int]()
    for record in records:
        lines = (record.first_line, record.last_line)
        try:
            its_id, texts = _read(reader, record)
        except BadLine as bad:
            if current is not None:
                current.spoil((current.first_line, current.last_line), _beside(lines))
                yield current
            current, unknown = None, lines
            yield Read("", *lines, fault=(lines, str(bad)))
            continue
        if current is None or current.id != its_id:
            if current is not None:
                yield current
            current = Read(its_id, *lines)
            if hash(its_id) in seen:
                current.spoil(lines, "The lines of one id must stand behind each other, and this id stands above, too.")
            if unknown is not None:
                current.spoil(lines, _beside(unknown))
            seen.add(hash(its_id))
        unknown = None
        _add(reader, current, lines, texts)
    if current is not None:
        yield current


def _tier_of(part: OpeningBalance) -> tuple[object, ...]:
    """Return what a line tells of the tier; tables repeat it with each lot."""
    return part.tier, part.tier_since, part.tier_until


def _beside(lines: Lines) -> str:
    return f"Line {lines[0]} beside it can't be read, and may be a part of it."


def _read(reader: BalanceReader, record: Record) -> tuple[str, dict[str, str]]:
    if record.fault:
        raise BadLine(record.fault)
    return reader.id_and_texts(record.first_line, record.cells)


def _add(reader: BalanceReader, to: Read, lines: Lines, texts: dict[str, str]) -> None:
    to.last_line = lines[1]
    if to.fault is not None:
        return  # it isn't booked, and need not be kept
    try:
        part = reader.part_of(texts)
    except BadLine as bad:
        to.spoil(lines, str(bad))
        return
    if to.parts and part.customer_id != to.parts[0].customer_id:
        to.spoil(lines, str(reader.bad_field("customer_id", "The lines of one id name different customers.")))
    if part.debt and any(other.debt for other in to.parts):
        to.spoil(lines, str(reader.bad_field("debt", "Only one line of an id tells a debt.")))
    told = [other for other in to.parts if other.tier is not None]
    if part.tier is not None and told and _tier_of(part) != _tier_of(told[0]):
        to.spoil(lines, str(reader.bad_field("tier", "The lines of one id tell different tiers, or times.")))
    to.parts.append(part)
    to.lots += [lines for _ in part.lots]
    to.counted += [lines for _ in part.counted]
    if len(to.lots) > MOST_LOTS:
        to.spoil(lines, f"A balance has at most {MOST_LOTS} lots.")
    if len(to.counted) > MOST_COUNTED:
        to.spoil(lines, f"A balance has at most {MOST_COUNTED} sums of what was counted.")
