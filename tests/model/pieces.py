"""The plain model of rewards: terms, pieces that follow their holds, vouchers and their uses."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from tests.model.ledger import Customer, Hold

Terms = dict[str, Any]
Use = tuple[tuple[int, str], int | None]


@dataclass(eq=False)
class Reward:
    """A reward as it was made, and the pieces that were ever taken of it."""

    id: str
    terms: Terms
    pieces: list["Piece"] = field(default_factory=list["Piece"])

    @property
    def left(self) -> int | None:
        """How many can be had; None: any number."""
        stock = self.terms.get("stock")
        return None if stock is None else stock - sum(piece.is_taken for piece in self.pieces)

    def had(self, customer: Customer) -> int:
        """Count the pieces that a customer holds or has."""
        return sum(piece.is_taken and piece.customer.whole is customer for piece in self.pieces)


@dataclass(eq=False)
class Piece:
    """A piece of a reward: it is taken as long as its hold is open or captured. `is_back`: it must be back by now."""

    reward: Reward
    customer: Customer
    hold: Hold
    order: str | None
    is_back: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether it is held or issued."""
        return self.hold.status in {"held", "captured"}

    @property
    def states(self) -> set[str]:
        """What its row may say: what a lapsed hold took is given back by whoever comes first."""
        if self.is_taken:
            return {"held" if self.hold.status == "held" else "issued"}
        return {"given_back"} if self.is_back else {"given_back", "held"}


@dataclass(eq=False)
class Voucher:
    """A voucher, with its uses by order, in their sequence: amount, currency and discount."""

    code: str
    reward: Reward
    valid_until: datetime | None
    uses: dict[str, Use] = field(default_factory=dict[str, Use])
    is_cancelled: bool = False

    @property
    def limits(self) -> Terms:
        """How it can be used."""
        return self.reward.terms["voucher"]

    def why_not(self, now: datetime, order: tuple[int, str, list[str]] | None) -> str | None:
        """Tell why it can't be redeemed now, for an order of an amount, a currency and categories."""
        limits, reasons = self.limits, {
            "cancelled": self.is_cancelled,
            "used_up": len(self.uses) == self.limits["uses"],
            "expired": self.valid_until is not None and self.valid_until <= now,
        }  # fmt: skip
        if order is not None:
            amount, currency, categories = order
            money = [self.reward.terms["gives"], limits.get("minimum_order", {}), limits.get("maximum_discount", {})]
            wanted = limits.get("categories", [])
            reasons |= {
                "other_currency": any(each.get("currency", currency) != currency for each in money),
                "below_minimum_order": amount < limits.get("minimum_order", {"amount": 0})["amount"],
                "other_categories": bool(wanted) and not any(each in wanted for each in categories),
            }
        return next((reason for reason, is_so in reasons.items() if is_so), None)

    def discount(self, amount: int) -> int | None:
        """Return what it takes off; None: it is no discount."""
        gives = self.reward.terms["gives"]
        if gives["kind"] == "amount_off":
            less = min(gives["amount"], amount)
        elif gives["kind"] == "percent_off":
            less = floor(Fraction(amount * gives["basis_points"], 10_000))
        else:
            return None
        return min(less, self.limits["maximum_discount"]["amount"]) if "maximum_discount" in self.limits else less

    def shift(self, passing: timedelta) -> None:
        """Let time pass."""
        self.valid_until = self.valid_until and self.valid_until - passing

    def picture(self, now: datetime, order: tuple[int, str, list[str]] | None = None) -> Terms:
        """Give what callers are told of it, but when it was issued and cancelled."""
        why, gives = self.why_not(now, order), self.reward.terms["gives"]
        return {
            "code": self.code,
            "reward_id": self.reward.id,
            "reward_version": 1,
            "name": self.reward.terms["name"],
            "gives": gives,
            "value": self.reward.terms.get("value"),
            "uses": self.limits["uses"],
            "used": len(self.uses),
            "minimum_order": self.limits.get("minimum_order"),
            "maximum_discount": self.limits.get("maximum_discount"),
            "categories": self.limits.get("categories", []),
            "valid_until": self.valid_until,
            "redeemable": why is None,
            "why": why,
            "discount": None if order is None or why is not None else self.discount(order[0]),
        }


def told(body: Terms) -> Terms:
    """Read a voucher as callers are told of it."""
    valid_until = body["valid_until"]
    assert (body["cancelled_at"] is not None) == (body["why"] == "cancelled")
    read = {name: value for name, value in body.items() if name not in {"issued_at", "cancelled_at"}}
    return read | {"valid_until": valid_until and datetime.fromisoformat(valid_until)}
