"""The online retail log as events: what was bought, and of which earlier line each cancelled line takes pieces back.

- Money is in pennies: every price of the log has two decimals at most, and a line's amount is quantity x price.
- An invoice is a purchase, under its number; its items are its lines, under their numbers in the file, as an editor
  counts them: from 1, the header too. Lines that say the same are different pieces, lines at 0.00 are items, too.
- Four invoices go from one minute into the next: the first is the purchase's time. Times are those of London.
- A cancelled line (its invoice begins with C) is a refund of its own. It is worth what was paid for the pieces,
  whatever price the cancellation tells: 24 of them tell another.
- "Earlier" is by time, within a minute by line: customer 12457 bought and cancelled in the same.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from service.platform.settings import CHECKOUT

LOG = CHECKOUT / "tests" / "data" / "online_retail.csv.gz"
LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True)
class Line:
    """One line of the log; `quantity` is above 0 in a cancelled one, too; `price` is that of a piece, in pennies."""

    number: int
    invoice: str
    stock_code: str
    quantity: int
    at: datetime
    price: int
    customer: str

    @property
    def is_cancelled(self) -> bool:
        """Whether the line takes back what was bought earlier."""
        return self.invoice.startswith("C")

    @property
    def amount(self) -> int:
        """Pennies for all pieces."""
        return self.quantity * self.price


@dataclass(frozen=True)
class Bought:
    """One invoice."""

    id: str
    customer: str
    at: datetime
    lines: Sequence[Line]

    @property
    def total(self) -> int:
        """Pennies."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True)
class Returned:
    """A cancelled line, and the line of which it takes pieces back."""

    line: Line
    bought: Line


@dataclass(frozen=True)
class Log:
    """All that happened, and the cancelled lines that have no line to take back."""

    lines: Sequence[Line]
    purchases: Sequence[Bought]
    returns: Sequence[Returned]
    unmatched: Sequence[Line]

    def events(self) -> list[Bought | Returned]:
        """Give what happened in its order."""
        bought = [((each.at, each.lines[0].number), each) for each in self.purchases]
        returned = [((each.line.at, each.line.number), each) for each in self.returns]
        return [event for _, event in sorted([*bought, *returned], key=lambda one: one[0])]


def read_log() -> Log:
    """Read the log and match its cancelled lines."""
    lines = list(_lines())
    invoices = defaultdict[str, list[Line]](list)
    for line in lines:
        invoices[line.invoice].append(line)
    purchases = [
        Bought(number, its[0].customer, min(line.at for line in its), its)
        for number, its in invoices.items()
        if not its[0].is_cancelled
    ]
    returns, unmatched = _matched(purchases, [line for line in lines if line.is_cancelled])
    return Log(lines, purchases, returns, unmatched)


def _lines() -> Iterator[Line]:
    with gzip.open(LOG, "rt", encoding="latin-1", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for _, invoice, stock_code, _, quantity, date, price, customer, _ in rows:
            at = datetime.strptime(date, "%m/%d/%Y %H:%M").replace(tzinfo=LONDON)
            pennies = Decimal(price) * 100
            assert pennies == int(pennies)
            yield Line(rows.line_num, invoice, stock_code, abs(int(quantity)), at, int(pennies), customer)


def _matched(purchases: Sequence[Bought], cancelled: Sequence[Line]) -> tuple[list[Returned], list[Line]]:
    """Match each cancelled line, in their order, to an earlier line that still has the whole quantity.

    That is one of the same customer and stock code; of several, one of the newest invoice, there the highest number.
    """
    sold = defaultdict[tuple[str, str], list[tuple[tuple[datetime, str, int], Line]]](list)
    for purchase in purchases:
        for line in purchase.lines:
            newest_last = (purchase.at, purchase.id, line.number)
            sold[line.customer, line.stock_code].append((newest_last, line))
    left = {line.number: line.quantity for purchase in purchases for line in purchase.lines}
    returns, unmatched = list[Returned](), list[Line]()
    for line in sorted(cancelled, key=lambda each: (each.at, each.number)):
        having = [
            (newest_last, bought)
            for newest_last, bought in sold[line.customer, line.stock_code]
            if (newest_last[0], bought.number) < (line.at, line.number) and left[bought.number] >= line.quantity
        ]
        if having:
            _, bought = max(having, key=lambda one: one[0])
            left[bought.number] -= line.quantity
            returns.append(Returned(line, bought))
        else:
            unmatched.append(line)
    return returns, unmatched
