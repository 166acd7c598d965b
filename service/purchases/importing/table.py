"""A table of purchases, one a line."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from service.kernel.errors import Refusal
from service.platform.importing.csv_lines import Record
from service.platform.importing.line_reader import BadLine
from service.platform.importing.table import Lines
from service.points.importing import FactImport
from service.purchases import usecases
from service.purchases.importing.line_reader import PurchaseReader
from service.purchases.usecases import PURCHASES, PurchaseDraft


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, which is a purchase."""

    reader: PurchaseReader
    record: Record
    size: int = 1

    @property
    def last_line(self) -> int:
        return self.record.last_line

    def draft(self) -> PurchaseDraft:
        if self.record.fault:
            raise BadLine(self.record.fault)
        purchase = self.reader.purchase(self.record.first_line, self.record.cells)
        return usecases.draft(purchase, randomness=random.getrandbits(62))

    def bad(self, fault: BadLine | Refusal) -> tuple[int, int, str]:
        reason = self.reader.bad(fault) if isinstance(fault, Refusal) else fault
        return self.record.first_line, self.record.last_line, str(reason)


def _entries(lines: Lines, zone: tzinfo) -> Iterator[_Line]:
    reader = PurchaseReader(lines.mapping, lines.found, zone, lines.named)
    return (_Line(reader, record) for record in lines.records)


import_purchases: Final = FactImport(PURCHASES, _entries)
