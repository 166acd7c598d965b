"""Purchases and what comes back of them: refunds worked out from the whole history, with fractions."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from tests.model.ledger import Customer, Lot


@dataclass
class Refund:
    """A refund that was booked: as it was reported, and what it came to."""

    body: dict[str, Any]
    answer: str
    amount: int
    taken: int


@dataclass
class Purchase:
    """A purchase that was booked: as it was reported, what it was answered, and what came back of it."""

    body: dict[str, Any]
    answer: str
    buyer: Customer
    earned: int
    lot: Lot | None
    refunds: list[Refund] = field(default_factory=list[Refund])
    decided: int = 0
    """Points that all refunds so far were to take back; the ledger may have taken fewer."""
    restored: int = 0

    @property
    def customer(self) -> Customer:
        """Whose it is now."""
        return self.buyer.whole

    @property
    def id(self) -> str:
        """The caller's id."""
        return self.body["id"]

    @property
    def total(self) -> int:
        """What was paid."""
        return self.body["total"]

    @property
    def refunded(self) -> int:
        """What was refunded of it."""
        return sum(refund.amount for refund in self.refunds)

    def items(self) -> dict[str, tuple[int, int]]:
        """Give the amount and the quantity of each item."""
        return {item["id"]: (item["amount"], item.get("quantity", 1)) for item in self.body.get("items", [])}

    def returned(self) -> dict[str, int]:
        """Count the pieces that came back of each item."""
        pieces = dict.fromkeys(self.items(), 0)
        for refund in self.refunds:
            for each in refund.body.get("items", []):
                pieces[each["id"]] += each["quantity"]
        return pieces

    def refusal(self, body: dict[str, Any]) -> tuple[str, str] | None:
        """Tell why a refund is refused: the code and the pointer; None: it isn't."""
        exceeds = "refund_exceeds_purchase"
        if "amount" in body:
            if body["amount"] > self.total - self.refunded or (self.total == 0 and self.left() == 0):
                return exceeds, "/amount"
            return ("invalid_content", "/amount") if body["amount"] == 0 and self.total else None
        items, returned = self.items(), self.returned()
        for number, each in enumerate(body["items"]):
            if each["id"] not in items:
                return "invalid_content", f"/items/{number}/id"
            if each["quantity"] > items[each["id"]][1] - returned[each["id"]]:
                return exceeds, f"/items/{number}/quantity"
        return None

    def worth(self, body: dict[str, Any]) -> int:
        """Return what a refund is worth, as the next one."""
        if "amount" in body:
            return body["amount"]
        items, before, worth = self.items(), self.returned(), 0
        for each in body["items"]:
            amount, quantity = items[each["id"]]
            back = before[each["id"]]
            worth += floor(Fraction(amount * (back + each["quantity"]), quantity))
            worth -= floor(Fraction(amount * back, quantity))
        return min(worth, self.total - self.refunded)

    def left(self) -> Fraction:
        """Return which part of the purchase is left after its refunds."""
        if self.total:
            return 1 - Fraction(self.refunded, self.total)
        if any("amount" in refund.body for refund in self.refunds):
            return Fraction(0)
        items, returned = self.items(), self.returned()
        by_pieces = not any(amount for amount, _ in items.values())
        weights = {name: quantity if by_pieces else amount for name, (amount, quantity) in items.items()}
        if not sum(weights.values()):
            return Fraction(1)
        gone = sum(floor(Fraction(weights[name] * returned[name], items[name][1])) for name in items)
        return 1 - Fraction(gone, sum(weights.values()))

    def restorable(self, captured: int) -> int:
        """Return the points that paid and are due back now, of so many that were captured for it."""
        return max(0, floor(captured * (1 - self.left())) - self.restored)

    def reversible(self) -> int:
        """Return the points that are to be taken back now."""
        return self.earned - floor(self.earned * self.left()) - self.decided
