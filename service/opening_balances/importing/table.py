"""A table of opening balances, a lot or a debt a line."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from service.kernel.errors import Refusal
from service.opening_balances import usecases
from service.opening_balances.importing.balances import Read, read_balances
from service.opening_balances.importing.line_reader import FIELDS, BalanceReader
from service.opening_balances.usecases import OPENING_BALANCES, BalanceDraft
from service.platform.importing.line_reader import BadLine
from service.platform.importing.table import Lines
from service.points.importing import FactImport


@dataclass(frozen=True, slots=True)
class _Balance:
    """A balance, as lines of one id tell it."""

    reader: BalanceReader
    read: Read

    @property
    def last_line(self) -> int:
        return self.read.last_line

    @property
    def size(self) -> int:
        return max(1, len(self.read.parts))

    def draft(self) -> BalanceDraft:
        if self.read.fault is not None:
            raise BadLine(self.read.fault[1])
        return usecases.draft(self.read.whole(), randomness=random.getrandbits(62))

    def bad(self, fault: BadLine | Refusal) -> tuple[int, int, str]:
        if isinstance(fault, Refusal):
            lines, why = self.read.lines_of(fault), str(self.reader.refused(fault))
        else:
            lines, why = self.read.fault or ((self.read.first_line, self.read.last_line), str(fault))
        return *lines, self.read.told(lines, why)


def _entries(lines: Lines, zone: tzinfo) -> Iterator[_Balance]:
    reader = BalanceReader(lines.mapping, lines.found, zone, lines.named)
    return (_Balance(reader, read) for read in read_balances(reader, lines.records))


import_balances: Final = FactImport(OPENING_BALANCES, _entries, FIELDS.required)
