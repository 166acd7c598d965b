"""Which movements of the ledger count for tiers, beside what purchases and activities earned. Pure.

A program may count points that were adjusted, spent or that ended, whatever had given them. A movement counts on the
day on which it occurred; one that undoes another, on that one's day: points that a refund restores were never spent.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

import msgspec

from service.points.rules import Bucket, Transfer
from service.programs.tier_policy import CountedPoints
from service.tiers.rules import Ladder, Reason

_REASONS: Final = {
    CountedPoints.ADJUSTMENTS: Reason.ADJUSTMENT,
    CountedPoints.REDEMPTIONS: Reason.REDEMPTION,
    CountedPoints.EXPIRY: Reason.EXPIRY,
}
_ENDINGS: Final = frozenset({"expiry", "lapse"})
"""Why points end by time; an erasure ends them, too, and there is nobody to count them for."""


class Movement(msgspec.Struct, frozen=True):
    """Points that count since they moved, above 0 or below, at the moment on whose day they do.

    At `booked` it happened: later than `at` where it undoes something.
    """

    kind: CountedPoints
    points: int
    at: datetime
    booked: datetime


class Booked(msgspec.Struct, frozen=True):
    """Movements of one moment and kind: together they may change a tier, once."""

    reason: Reason
    at: datetime
    amounts: Sequence[tuple[datetime, int]]
    """On whose day how much is counted."""


def movement_of(transfer: Transfer) -> Movement | None:
    """Tell what a transfer may count; None: nothing, whatever the policy says."""
    kind, points = None, -transfer.points
    if transfer.reason == "adjustment":
        kind = CountedPoints.ADJUSTMENTS
        points = transfer.points if transfer.source is Bucket.ISSUED else points
    elif transfer.target is Bucket.REDEEMED:
        kind = CountedPoints.REDEMPTIONS
    elif transfer.source is Bucket.REDEEMED:
        kind, points = CountedPoints.REDEMPTIONS, transfer.points
    elif transfer.target is Bucket.EXPIRED and transfer.reason in _ENDINGS:
        kind = CountedPoints.EXPIRY
    if kind is None:
        return None
    return Movement(kind, points, transfer.undoes or transfer.occurred_at, transfer.occurred_at)


def movements_of(transfers: Iterable[Transfer]) -> list[Movement]:
    """Tell which of an account's transfers a policy may count."""
    return [found for each in transfers if (found := movement_of(each)) is not None]


def counted_by(ladder: Ladder, movements: Iterable[Movement]) -> Iterator[Booked]:
    """Give those that a ladder counts, in their order; what is of one moment and kind is together."""
    counted = (each for each in movements if each.kind in ladder.movements)
    for (kind, at), same in groupby(counted, key=lambda each: (each.kind, each.booked)):
        yield Booked(_REASONS[kind], at, [(each.at, each.points) for each in same])
