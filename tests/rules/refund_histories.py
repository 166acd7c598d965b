"""Purchases, refunds of them, and a slow model of what these come to: from the history alone, with fractions."""

import math
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import strategies as st

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.purchases.refunding import (
    EarnedLine,
    ItemReturn,
    Minimum,
    Refundable,
    Refunded,
    RefundRequest,
    Returned,
    refund,
)
from service.purchases.rules import Item

ITEM_IDS = ("a", "b", "c", "d")

small = st.integers(0, 12)
amounts = small | st.integers(0, 20_000) | st.integers(0, BOUND)
some_items = st.none() | st.lists(st.sampled_from(ITEM_IDS), unique=True, max_size=3).map(tuple)
minimums = st.none() | st.builds(Minimum, amount=amounts, items=some_items, counted=st.none() | amounts)


@st.composite
def purchases(draw: st.DrawFn) -> Refundable:
    """Draw a purchase: items that come to the total, to less, or to more; with a total of 0 now and then."""
    ids = draw(st.lists(st.sampled_from(ITEM_IDS), unique=True))
    items = [Item(each, draw(amounts), draw(st.integers(1, 7) | st.integers(1, 10**6))) for each in ids]
    total = draw(st.just(min(BOUND, sum(item.amount for item in items))) | st.just(0) | amounts)
    names = ["base", "bonus", "tea"][: draw(st.integers(0, 3))]
    lines = [EarnedLine(name, draw(amounts), draw(some_items), draw(minimums)) for name in names]
    if sum(line.points for line in lines) and draw(st.booleans()):
        lines.append(EarnedLine("double", draw(amounts), draw(some_items), draw(minimums), tuple(names)))
    return Refundable(total, items, lines, draw(amounts))


@st.composite
def requests(draw: st.DrawFn, purchase: Refundable) -> RefundRequest:
    """Draw a refund that may be too much."""
    if not purchase.items or draw(st.booleans()):
        return by_amount(draw(st.integers(0, purchase.total) | small))
    chosen = draw(st.lists(st.sampled_from(purchase.items), unique_by=lambda item: item.id, min_size=1))
    return by_items(*((item.id, draw(st.integers(1, item.quantity))) for item in chosen))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Refundable, list[RefundRequest]]:
    """Draw a purchase and refunds of it that are all accepted."""
    purchase = draw(purchases())
    accepted, before = list[RefundRequest](), Refunded()
    for request in draw(st.lists(requests(purchase), max_size=6)):
        try:
            before = refund(purchase, request, before).after
        except Invalid:
            continue
        accepted.append(request)
    return purchase, accepted


def by_amount(amount: int) -> RefundRequest:
    return RefundRequest(amount=amount)


def by_items(*returns: tuple[str, int]) -> RefundRequest:
    return RefundRequest(items=[ItemReturn(item_id, quantity) for item_id, quantity in returns])


def refunds(purchase: Refundable, *those: RefundRequest) -> list[Returned]:
    """Refund one after the other."""
    answers, before = list[Returned](), Refunded()
    for request in those:
        answers.append(refund(purchase, request, before))
        before = answers[-1].after
    return answers


def after(purchase: Refundable, those: Sequence[RefundRequest]) -> Refunded:
    return refunds(purchase, *those)[-1].after if those else Refunded()


def is_refunded_whole(purchase: Refundable, state: Refunded) -> bool:
    """Tell whether nothing is left: of the money, else of what items were worth, else of the pieces."""
    if purchase.total:
        return state.amount == purchase.total
    if any(item.amount for item in purchase.items):
        of_worth = [item for item in purchase.items if item.amount]
    else:
        of_worth = list(purchase.items)
    returned = [state.quantities.get(item.id, 0) == item.quantity for item in of_worth]
    return state.everything or (bool(returned) and all(returned))


class Model:
    """What a history of refunds comes to, from the history alone, with fractions, item by item."""

    def __init__(self, purchase: Refundable, history: Sequence[RefundRequest]) -> None:
        self.purchase = purchase
        self.pieces = dict.fromkeys((item.id for item in purchase.items), 0)
        for request in history:
            for each in request.items or []:
                self.pieces[each.id] += each.quantity
        self.all_at_zero = purchase.total == 0 and any(request.amount is not None for request in history)
        asked = sum(request.amount or 0 for request in history)
        worth = sum(math.floor(Fraction(item.amount * self.pieces[item.id], item.quantity)) for item in purchase.items)
        self.refunded = min(purchase.total, asked + worth)
        money_not_returned_by_item = purchase.total - (self.refunded - asked)
        self.spread = Fraction(asked, money_not_returned_by_item) if asked else Fraction(0)

    def share_left(self, item_ids: Sequence[str] | None) -> Fraction:
        """Return which part is left of items, or of the purchase."""
        whole = self._whole()
        if item_ids is None or whole == 0:
            return whole
        return self._of_items([item for item in self.purchase.items if item.id in item_ids]) * (1 - self.spread)

    def kept(self, line: EarnedLine) -> int:
        """Return the points that stay."""
        if line.minimum is not None:
            share = self.share_left(line.minimum.items)
            counted = line.minimum.counted
            if counted is None:
                counted = self.purchase.total
                if line.minimum.items is not None:
                    counted = sum(item.amount for item in self.purchase.items if item.id in line.minimum.items)
            if share < 1 and counted * share < line.minimum.amount:
                return 0
        share = self.share_left(line.items)
        if line.of is not None:
            named = [each for each in self.purchase.lines if each.rule in line.of]
            theirs = Fraction(sum(map(self.kept, named)), sum(each.points for each in named))
            share = theirs if line.items is None else min(share, theirs)
        return math.floor(line.points * share)

    def restored(self) -> int:
        """Return the points that are back."""
        return math.floor(self.purchase.captured * (1 - self._whole()))

    def _whole(self) -> Fraction:
        if self.purchase.total:
            return 1 - Fraction(self.refunded, self.purchase.total)
        return Fraction(0) if self.all_at_zero else self._of_items(self.purchase.items)

    def _of_items(self, items: Sequence[Item]) -> Fraction:
        weights = {item.id: item.amount for item in items}
        if sum(weights.values()) == 0:
            weights = {item.id: item.quantity for item in items}
        whole = sum(weights.values())
        if whole == 0:
            return Fraction(1)
        gone = sum(math.floor(Fraction(weights[item.id] * self.pieces[item.id], item.quantity)) for item in items)
        return 1 - Fraction(gone, whole)
