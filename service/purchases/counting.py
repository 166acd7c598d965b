"""What a purchase counts for its customer's tier, with all its refunds. Pure."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from service.earning.rules import Line
from service.purchases.refunding import Refundable, Refunded, is_whole
from service.purchases.rules import Item
from service.purchases.terms import points_of
from service.tiers.rules import Ladder, purchase_counts, refund_counts


class CountedPurchase(msgspec.Struct, frozen=True):
    """A purchase as far as tiers ask, of a customer by the internal id, and how it was refunded; None: it wasn't."""

    customer: int
    occurred_at: datetime
    currency: str
    total: int
    items: Sequence[Item]
    lines: Sequence[Line]
    refunded: Refunded | None


def counted(purchase: CountedPurchase, ladder: Ladder) -> int:
    """Return what is left of what a purchase counted when its refunds are taken off."""
    points, bonus = points_of(purchase.lines)
    amount = purchase_counts(ladder, currency=purchase.currency, total=purchase.total, points=points, bonus=bonus)
    refunded = purchase.refunded
    if refunded is None:
        return amount
    points, bonus = points_of(purchase.lines, refunded.reversed_points)
    return amount + refund_counts(
        ladder,
        currency=purchase.currency,
        amount=refunded.amount,
        points=points,
        bonus=bonus,
        whole=is_whole(Refundable(purchase.total, purchase.items, ()), refunded),
    )
