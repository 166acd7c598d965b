"""What a refund of a purchase is worth, what it takes back of what was earned, and what it gives back. Pure.

All shares are cumulative and exact: how far a line has shrunk follows from what was refunded altogether, never from the
order or the number of refunds, and only the points that come of it are rounded, down, once. So nothing is lost or won
by splitting a refund.

What is left of a purchase is (total - refunded) / total. What is left of certain items is

    (their amounts - worth of their returned pieces) / their amounts x (total - refunded) / (total - refunded by items)

The second factor is what refunds by amount leave: they name no item, so they lie evenly on all that was not returned by
item. Where only amounts are refunded, both come to (total - refunded) / total. Of points that multiplied those of
several rules as much is left as of theirs, and at most as much as of the items because of which they were given.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from service.kernel.amounts import MinorUnits, Quantity
from service.kernel.errors import Invalid
from service.kernel.ids import CallerId
from service.kernel.rounding import Rounding, divide
from service.purchases.rules import Item


class ItemReturn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of an item, named by its id in the purchase."""

    id: CallerId
    quantity: Quantity


class RefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What is refunded: either an `amount` in minor units or `items`. `amount` 0 returns all where the total is 0."""

    amount: MinorUnits | None = None
    items: Annotated[list[ItemReturn], Meta(min_length=1, max_length=1000)] | None = None


class Minimum(msgspec.Struct, frozen=True):
    """What a bonus asked for: at least `amount` minor units of `items` (ids), or of the whole purchase where None.

    `counted` is what the rule held against it; None means the items' amounts, or the purchase's total.
    """

    amount: int
    items: tuple[str, ...] | None = None
    counted: int | None = None


class EarnedLine(msgspec.Struct, frozen=True):
    """Points >= 0 that one rule gave for a purchase, for certain `items` (ids), or for the whole of it where None.

    One that multiplied the points `of` other rules gave because of the `items`, where there are any.
    """

    rule: str
    points: int
    items: tuple[str, ...] | None = None
    minimum: Minimum | None = None
    of: tuple[str, ...] | None = None


class Refundable(msgspec.Struct, frozen=True):
    """A purchase as refunds look at it; `captured` are the points that paid for it.

    Each rule has one line at most, since what was taken back is known by rule; raises ValueError otherwise.
    """

    total: int
    items: Sequence[Item]
    lines: Sequence[EarnedLine]
    captured: int = 0

    def __post_init__(self) -> None:
        """Refuse two lines of a rule."""
        if len({line.rule for line in self.lines}) < len(self.lines):
            msg = "a rule has one line of a purchase"
            raise ValueError(msg)


class Refunded(msgspec.Struct, frozen=True, omit_defaults=True):
    """What all refunds of a purchase so far took together: minor units, pieces by item, points by rule.

    `reversed_points` and `restored` are what was decided; what the ledger then took from lots or as debt is its own:
    `taken`, by lot, where a purchase has several. `everything` says that `amount` 0 returned all of a purchase with a
    total of 0.
    """

    by_amount: int = 0
    by_items: int = 0
    everything: bool = False
    quantities: Mapping[str, int] = {}
    reversed_points: Mapping[str, int] = {}
    restored: int = 0
    taken: Mapping[str, int] = {}

    @property
    def amount(self) -> int:
        """Minor units that were refunded."""
        return self.by_amount + self.by_items

    @property
    def extent(self) -> tuple[int, int, bool]:
        """Order states of one purchase: every refund makes this greater. Their times and ids are a clock's."""
        return self.amount, sum(self.quantities.values()), self.everything


class Reversal(msgspec.Struct, frozen=True):
    """Points > 0 to take back of what a rule gave."""

    rule: str
    points: int


class Returned(msgspec.Struct, frozen=True):
    """What one refund comes to: `amount` in minor units, points to take back, points that paid to give back."""

    amount: int
    reversals: Sequence[Reversal]
    restored: int
    after: Refunded

    @property
    def reversed_points(self) -> int:
        """Points to take back, of all rules."""
        return sum(reversal.points for reversal in self.reversals)


class RefundExceedsPurchase(Invalid):
    """More is to be refunded than is left of the purchase, or more pieces than are left of an item."""

    code = "refund_exceeds_purchase"
    title = "More is refunded than is left of the purchase"

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(detail, pointer=pointer, reason="refund_exceeds_purchase")


class _Share(msgspec.Struct, frozen=True):
    """`left` of `of`; 0 <= left <= of, of > 0."""

    left: int
    of: int


def check_request(request: RefundRequest) -> None:
    """Refuse what can be told without the purchase: both or neither of amount and items, an item twice.

    Raises Invalid.
    """
    if request.amount is not None and request.items is not None:
        detail = "A refund is either by amount or by items."
        raise Invalid(detail, pointer="/items", reason="contradictory")
    if request.amount is None and request.items is None:
        detail = "A refund tells its amount or its items."
        raise Invalid(detail, pointer="/amount", reason="missing")
    seen = set[str]()
    for number, item in enumerate(request.items or ()):
        if item.id in seen:
            raise Invalid("This item is returned twice.", pointer=f"/items/{number}/id", reason="duplicate")
        seen.add(item.id)


def refund(purchase: Refundable, request: RefundRequest, before: Refunded) -> Returned:
    """Decide what a refund comes to after those `before` it.

    By items, q of Q pieces are worth floor(line amount x returned / Q) less what they were worth before, together at
    most what is left of the total. Kept is floor(points x what is left) of each line, given back floor(captured x what
    is returned). Raises Invalid, RefundExceedsPurchase.
    """
    check_request(request)
    if request.items is None:
        taken = _by_amount(purchase, request.amount or 0, before)
    else:
        taken = _by_items(purchase, request.items, before)
    kept = _kept(purchase, taken)
    due = (
        (line.rule, line.points - kept[line.rule] - taken.reversed_points.get(line.rule, 0)) for line in purchase.lines
    )
    # Below 0 it is where more was taken back before.
    reversals = [Reversal(rule, points) for rule, points in due if points > 0]
    restored = restorable(purchase, taken)
    after = msgspec.structs.replace(
        taken,
        reversed_points={
            **before.reversed_points,
            **{each.rule: before.reversed_points.get(each.rule, 0) + each.points for each in reversals},
        },
        restored=before.restored + restored,
    )
    return Returned(after.amount - before.amount, reversals, restored, after)


def restorable(purchase: Refundable, refunded: Refunded) -> int:
    """Return the points that paid and are due back for what was refunded, less those given back already.

    It is 0 after each refund; a redemption of the purchase that is captured later makes it more.
    """
    share = _left(purchase, refunded, None)
    due = divide(purchase.captured * (share.of - share.left), share.of, Rounding.DOWN)
    return max(0, due - refunded.restored)


def returned_of(purchase: Refundable, refunded: Refunded) -> tuple[int, int]:
    """Return how much of a purchase came back: so many parts of so many, at least one; also where nothing was paid."""
    share = _whole_left(purchase, refunded)
    return share.of - share.left, share.of


def is_whole(purchase: Refundable, refunded: Refunded) -> bool:
    """Tell whether nothing is left of a purchase."""
    return _whole_left(purchase, refunded).left == 0


def _by_amount(purchase: Refundable, amount: int, before: Refunded) -> Refunded:
    if amount > purchase.total - before.amount:
        raise RefundExceedsPurchase("This is more than is left of the purchase.", "/amount")
    if amount:
        return msgspec.structs.replace(before, by_amount=before.by_amount + amount)
    if purchase.total:
        detail = "A refund is of at least one minor unit, where something was paid."
        raise Invalid(detail, pointer="/amount", reason="out_of_range")
    if _left(purchase, before, None).left == 0:
        raise RefundExceedsPurchase("Nothing is left of the purchase.", "/amount")
    return msgspec.structs.replace(before, everything=True)


def _by_items(purchase: Refundable, returns: Sequence[ItemReturn], before: Refunded) -> Refunded:
    items = {item.id: item for item in purchase.items}
    quantities, worth = dict(before.quantities), 0
    for number, each in enumerate(returns):
        item = items.get(each.id)
        if item is None:
            detail = "The purchase has no item with this id."
            raise Invalid(detail, pointer=f"/items/{number}/id", reason="unknown_item")
        earlier = quantities.get(item.id, 0)
        if each.quantity > item.quantity - earlier:
            raise RefundExceedsPurchase("This is more than is left of the item.", f"/items/{number}/quantity")
        quantities[item.id] = earlier + each.quantity
        worth += _worth(item, quantities[item.id]) - _worth(item, earlier)
    amount = min(worth, purchase.total - before.amount)
    return msgspec.structs.replace(before, by_items=before.by_items + amount, quantities=quantities)


def _worth(item: Item, pieces: int) -> int:
    """Return what pieces of an item are worth together, in minor units."""
    return divide(item.amount * pieces, item.quantity, Rounding.DOWN)


def _kept(purchase: Refundable, refunded: Refunded) -> dict[str, int]:
    """Return by rule the points of lines that are kept. What multiplied several of them comes behind these."""
    kept = dict[str, int]()
    for line in sorted(purchase.lines, key=lambda line: line.of is not None):
        share = _left(purchase, refunded, line.items)
        if line.of is not None:
            points = sum(each.points for each in purchase.lines if each.rule in line.of)
            theirs = _Share(sum(kept[rule] for rule in line.of), points)
            if line.items is None or theirs.left * share.of < share.left * theirs.of:
                share = theirs
        missed = line.minimum is not None and _misses(purchase, line.minimum, refunded)
        kept[line.rule] = 0 if missed else divide(line.points * share.left, share.of, Rounding.DOWN)
    return kept


def _misses(purchase: Refundable, minimum: Minimum, refunded: Refunded) -> bool:
    """Tell whether what is left of what a bonus asked for is too little, because some of it was refunded."""
    share = _left(purchase, refunded, minimum.items)
    counted = minimum.counted
    if counted is None and minimum.items is None:
        counted = purchase.total
    elif counted is None:
        counted = sum(item.amount for item in _named(purchase, minimum.items or ()))
    return share.left < share.of and counted * share.left < minimum.amount * share.of


def _left(purchase: Refundable, refunded: Refunded, item_ids: Collection[str] | None) -> _Share:
    """Return what is left of certain items, or of the whole purchase. After a full refund it is nothing of anything."""
    whole = _whole_left(purchase, refunded)
    if item_ids is None or whole.left == 0:
        return whole
    own = _items_left(_named(purchase, item_ids), refunded)
    if purchase.total == 0:
        return own
    return _Share(own.left * whole.left, own.of * (purchase.total - refunded.by_items))


def _whole_left(purchase: Refundable, refunded: Refunded) -> _Share:
    if purchase.total:
        return _Share(purchase.total - refunded.amount, purchase.total)
    if refunded.everything:
        return _Share(0, 1)
    return _items_left(purchase.items, refunded)


def _named(purchase: Refundable, item_ids: Collection[str]) -> list[Item]:
    wanted = frozenset(item_ids)
    return [item for item in purchase.items if item.id in wanted]


def _items_left(items: Sequence[Item], refunded: Refunded) -> _Share:
    """Return what returns by item leave of items: by their amounts, or by their pieces where these come to 0."""
    returned = [(item, refunded.quantities.get(item.id, 0)) for item in items]
    if amount := sum(item.amount for item in items):
        return _Share(amount - sum(_worth(item, pieces) for item, pieces in returned), amount)
    if quantity := sum(item.quantity for item in items):
        return _Share(quantity - sum(pieces for _, pieces in returned), quantity)
    return _Share(1, 1)
