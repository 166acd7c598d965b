"""Counting again what moved in customers' points, for tiers of programs that count it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from service.platform.statements import Db
from service.points import usecases as points
from service.points.rules import Cause, Transfer
from service.programs.tier_policy import CountedPoints
from service.purchases import store
from service.purchases.counting import ended_in_vain
from service.tiers.movements import movement_of
from service.tiers.rules import Ladder

PURCHASE = "purchase"
Counted: TypeAlias = tuple[int, datetime, int]
"""Whose by the internal id, when, how much."""


async def moved_since(
    db: Db, *, program_id: int, ladder: Ladder, customers: Sequence[int], since: datetime
) -> list[Counted]:
    """Count what moved in customers' points and counts on a day since a moment. Nothing is read where none does."""
    if not ladder.movements:
        return []
    moved = await points.read_moved(db, program_id=program_id, customers=customers)
    found = [
        (owner, its.at, its.points)
        for owner, each in moved
        if (its := movement_of(each)) is not None and its.kind in ladder.movements
    ]
    if CountedPoints.REDEMPTIONS in ladder.movements:
        spent = await points.read_spent(db, program_id=program_id, customers=customers, since=since)
        found += [(owner, at, -amount) for owner, at, amount in spent]
    if CountedPoints.EXPIRY in ladder.movements:
        found += await _ended_in_vain(db, program_id, moved)
    return [each for each in found if each[1] >= since]


async def endings_of(db: Db, *, program_id: int, customer: int, purchase_id: str) -> list[tuple[datetime, int]]:
    """Read when how many points of a customer's purchase ended by time, in the order in which it was booked."""
    moved = await points.read_moved(db, program_id=program_id, customers=[customer])
    return endings(purchase_id, [each for _, each in moved])


def endings(purchase_id: str, transfers: Sequence[Transfer]) -> list[tuple[datetime, int]]:
    """Tell which transfers ended points of a purchase: when, how many."""
    cause = Cause(PURCHASE, purchase_id)
    ended = [each for each in transfers if each.cause == cause]
    return [(its.at, -its.points) for each in ended if (its := movement_of(each)) is not None]


async def _ended_in_vain(db: Db, program_id: int, moved: Sequence[tuple[int, Transfer]]) -> list[Counted]:
    ends = dict[str, list[tuple[int, Transfer]]]()
    for owner, each in moved:
        if each.cause.type == PURCHASE:
            ends.setdefault(each.cause.id, []).append((owner, each))
    left = await store.not_taken(db, program_id=program_id, purchase_ids=list(ends))
    found = list[Counted]()
    for purchase_id, points_left in left.items():
        owner, transfers = ends[purchase_id][0][0], [each for _, each in ends[purchase_id]]
        found += [(owner, *each) for each in ended_in_vain(endings(purchase_id, transfers), 0, points_left)]
    return found
