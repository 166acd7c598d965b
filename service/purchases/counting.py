"""What a purchase counts for its customer's tier, with all its refunds. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from service.earning.rules import Line
from service.earning.terms import points_of
from service.points.rules import Reversed
from service.purchases.refunding import Refundable, Refunded, is_whole
from service.purchases.rules import Item
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


def not_taken(decided: Mapping[str, int], taken: Sequence[Reversed]) -> int:
    """Return how many points refunds of a purchase did not take back, since they had ended unspent.

    By rule what was `decided`, and what was taken each time.
    """
    return sum(decided.values()) - sum(each.from_lots + each.to_debt + each.written_off for each in taken)


def ended_in_vain(endings: Sequence[tuple[datetime, int]], before: int, after: int) -> list[tuple[datetime, int]]:
    """Return what counts again of the ends of a purchase's points: as if what came back had never been bought.

    Of the ends, in the order in which they were booked, so many points count again `after` a refund, and did `before`.
    """
    found, passed = list[tuple[datetime, int]](), 0
    for at, points in endings:
        again = min(passed + points, after) - max(passed, before)
        if again > 0:
            found.append((at, again))
        passed += points
    return found
