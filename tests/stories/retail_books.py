"""The points of the online retail log by arithmetic of the test's own: whole numbers and lists, nothing of the service.

Where customers spend, they spend all whole hundreds that they have: those with an even number on each invoice, before
it is reported; the others after it, on something else.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.stories.online_retail import LONDON, Bought, Returned

YEARS = 100
"""How long points last after their day: all end in their order, and none before the test does."""


@dataclass
class Lot:
    """Points of one invoice; `last_day` is the last on which they are there."""

    invoice: str
    granted: int
    remaining: int
    last_day: date


@dataclass
class Sale:
    """An invoice and what became of it. `pieces` are those returned, by line; `paid` is what points paid, by lot."""

    bought: Bought
    earned: int
    lot: Lot
    paid: list[tuple[Lot, int]]
    pieces: dict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))
    refunded: int = 0
    taken: int = 0
    restored: int = 0


@dataclass
class Wallet:
    """One customer's points; `lots` in the order in which they were earned."""

    lots: list[Lot] = field(default_factory=list[Lot])
    debt: int = 0
    lifetime: int = 0

    @property
    def balance(self) -> dict[str, int]:
        """Points by bucket."""
        return {"available": sum(lot.remaining for lot in self.lots), "pending": 0, "held": 0, "debt": self.debt}

    def ending_first(self) -> list[Lot]:
        """Give the lots in the order in which they end; of one day the older first."""
        return sorted(self.lots, key=lambda lot: lot.last_day)

    def repay(self, lot: Lot) -> None:
        """Repay debt from what is in a lot."""
        repaid = min(self.debt, lot.remaining)
        self.debt -= repaid
        lot.remaining -= repaid


class Books:
    """What the service must answer, event by event. `debt_limit` None: without limit."""

    def __init__(self, debt_limit: int | None) -> None:
        self.debt_limit = debt_limit
        self.wallets = defaultdict[str, Wallet](Wallet)
        self.sales = dict[str, Sale]()
        self.spending = defaultdict[str, list[tuple[Lot, int]]](list)
        self.totals = defaultdict[str, int](int)

    def spend(self, customer: str, invoice: str) -> int:
        """Spend whole hundreds on an invoice or, under another name, on something else; returns the points.

        They are of the lots that end first.
        """
        wallet = self.wallets[customer]
        left = points = wallet.balance["available"] // 100 * 100
        for lot in wallet.ending_first():
            used = min(left, lot.remaining)
            if used:
                lot.remaining -= used
                left -= used
                self.spending[invoice].append((lot, used))
        self.totals["spent"] += points
        return points

    def buy(self, bought: Bought) -> dict[str, Any]:
        """Earn a point for each whole pound; debt is repaid of it first."""
        wallet, earned = self.wallets[bought.customer], bought.total // 100
        day = bought.at.astimezone(LONDON).date()
        lot = Lot(bought.id, earned, earned, day.replace(year=day.year + YEARS))
        self.sales[bought.id] = Sale(bought, earned, lot, self.spending[bought.id])
        wallet.lots.append(lot)
        wallet.lifetime += earned
        self.totals["earned"] += earned
        self.totals["repaid"] += min(wallet.debt, earned)
        wallet.repay(lot)
        return {"earned": earned, "balance": wallet.balance}

    def give_back(self, returned: Returned) -> dict[str, Any]:
        """Take pieces of a line back."""
        sale, line = self.sales[returned.bought.invoice], returned.bought
        wallet, total = self.wallets[line.customer], sale.bought.total
        worth_before = line.amount * sale.pieces[line.number] // line.quantity
        sale.pieces[line.number] += returned.line.quantity
        worth = line.amount * sale.pieces[line.number] // line.quantity - worth_before
        amount = min(worth, total - sale.refunded)
        sale.refunded += amount
        restored = self._restore(wallet, sale)
        kept = sale.earned * (total - sale.refunded) // total
        reversed_points = sale.earned - kept - sale.taken
        sale.taken += reversed_points
        wallet.lifetime -= reversed_points
        told = {"reversed": reversed_points, **self._take(wallet, sale.lot, reversed_points), "restored": restored}
        for name, points in told.items():
            self.totals[name] += points
        self.totals["refunded"] += amount
        return {"amount": amount, "points": told, "balance": wallet.balance}

    def _restore(self, wallet: Wallet, sale: Sale) -> int:
        """Give back the share of the points that paid, to the lots that end last first; debt is repaid of it first."""
        captured = sum(points for _, points in sale.paid)
        due = captured * sale.refunded // sale.bought.total
        before, sale.restored = sale.restored, due
        skipped, refilled = 0, list[Lot]()
        for lot, points in reversed(sale.paid):
            # Of the points from `before` to `due`, counted from the lot that ends last, those that this lot gave.
            back = max(0, min(due, skipped + points) - max(before, skipped))
            skipped += points
            lot.remaining += back
            refilled += [lot] if back else []
        owed = wallet.debt
        for lot in refilled:
            wallet.repay(lot)
        self.totals["repaid"] += owed - wallet.debt
        return due - before

    def _take(self, wallet: Wallet, own: Lot, points: int) -> dict[str, int]:
        """Take points from their own lot, then from those that end first, then as debt; the rest is written off."""
        left = points
        for lot in [own, *(each for each in wallet.ending_first() if each is not own)]:
            taken = min(left, lot.remaining)
            lot.remaining -= taken
            left -= taken
            self.totals["of_other_lots"] += 0 if lot is own else taken
        owed = left if self.debt_limit is None else min(left, max(0, self.debt_limit - wallet.debt))
        wallet.debt += owed
        return {"from_lots": points - left, "to_debt": owed, "written_off": left - owed}
