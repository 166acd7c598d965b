"""How points move. Pure: a balance and a transfer in, transfers, lots and the balance after out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import to_wire
from service.programs.rules import PointValue

POINTS_PENDING: Final = "points.pending"
POINTS_AVAILABLE: Final = "points.available"
POINTS_EXPIRING: Final = "points.expiring"
POINTS_EXPIRED: Final = "points.expired"
REDEMPTION_HELD: Final = "redemption.held"
REDEMPTION_CAPTURED: Final = "redemption.captured"
REDEMPTION_RELEASED: Final = "redemption.released"
REDEMPTION_LAPSED: Final = "redemption.lapsed"

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""When a lot expires that doesn't: 'infinity' in the database."""


class Bucket(Enum):
    """Where points are. Only pending, available, held and debt are counted for each customer."""

    ISSUED = "issued"
    PENDING = "pending"
    AVAILABLE = "available"
    HELD = "held"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVERSED = "reversed"
    DEBT = "debt"
    WRITTEN_OFF = "written_off"


class Cause(msgspec.Struct, frozen=True):
    """What made points move: a kind of fact and its id, as the caller knows it."""

    type: str
    id: str


class Transfer(msgspec.Struct, frozen=True):
    """One row of the ledger: `points` > 0 from one bucket to another. `version` and `after` are the customer's then.

    `undoes` is when that happened which it undoes, for who counts by days; it is not stored.
    """

    id: UUID
    customer_id: int
    source: Bucket
    target: Bucket
    points: int
    reason: str
    cause: Cause
    version: int
    after: Balance
    occurred_at: datetime
    rule: str | None = None
    rule_version: int | None = None
    reverses: UUID | None = None
    undoes: datetime | None = None


class Life(msgspec.Struct, frozen=True):
    """When points become available and when they end, as the policy says at the moment they are earned.

    `available_at` None: at once. Points that `lapse` end at that moment instead, unless they are confirmed before.
    Points that `slide` end when the customer has been inactive for too long. At `notify_at` the customer is to be told
    that they end; those that need a notice don't end before. Of what slides, the customer's own moment counts.
    """

    available_at: datetime | None = None
    lapses: bool = False
    expires_at: datetime = NEVER
    slides: bool = False
    needs_notice: bool = False
    notify_at: datetime | None = None


class Alive(msgspec.Struct, frozen=True):
    """Until when an activity keeps points alive that slide, and when the customer is to be told of that end."""

    until: datetime
    notify_at: datetime | None = None


class Lot(msgspec.Struct, frozen=True):
    """Points earned together. `remaining` of `granted` are left, `expired` of them ended unspent.

    While it is pending, what remains is pending, and at `available_at` it becomes available or lapses. It is open from
    then to before `expires_at`. `notify_at` is None once the customer was told of that end, or where nobody is told.
    """

    id: UUID
    customer_id: int
    granted: int
    remaining: int
    available_at: datetime
    expires_at: datetime
    cause: Cause
    expired: int = 0
    is_pending: bool = False
    lapses: bool = False
    slides: bool = False
    needs_notice: bool = False
    notify_at: datetime | None = None


class Notice(msgspec.Struct, frozen=True):
    """What a customer is told: so many points end at that moment."""

    id: UUID
    points: int
    ends_at: datetime


class Entry(msgspec.Struct, frozen=True):
    """What a transfer took from a lot (`points` < 0) or gave back to it."""

    lot_id: UUID
    transfer_id: UUID
    points: int


class HoldStatus(Enum):
    """What became of points that were set aside."""

    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    LAPSED = "lapsed"


class Part(msgspec.Struct, frozen=True):
    """The points of a hold that came from one lot; `captured` of them were spent, of which `restored` came back."""

    lot_id: UUID
    points: int
    captured: int = 0
    restored: int = 0


class Hold(msgspec.Struct, frozen=True):
    """Points set aside for a redemption, until it is captured or released, or lapses at `expires_at`."""

    id: UUID
    customer_id: int
    points: int
    parts: Sequence[Part]
    expires_at: datetime
    recorded_at: datetime
    order_id: str | None = None
    status: HoldStatus = HoldStatus.HELD
    captured: int = 0
    ended_at: datetime | None = None


class PointsLapsed(Refusal):
    """Points can't be confirmed any more: they lapsed, or were taken back."""

    kind = Kind.CONFLICT
    code = "points_lapsed"
    title = "These points are not there to be confirmed any more"


class InsufficientPoints(Refusal):
    """A redemption asks for more points than are available."""

    kind = Kind.CONFLICT
    code = "insufficient_points"
    title = "The customer has not enough points available"


class GreatestShareExceeded(Invalid):
    """Points would pay for more of an order than the program lets them."""

    code = "greatest_share_exceeded"
    title = "Points may pay for a part of an order only"


class HoldNotOpen(Refusal):
    """A hold ended otherwise already."""

    kind = Kind.CONFLICT
    code = "hold_not_open"
    title = "The points are not held any more"


def redemption(hold_id: UUID) -> Cause:
    """Name a redemption as what made points move."""
    return Cause("redemption", to_wire("hold", hold_id))


def check_redeemable(points: int, value: PointValue) -> None:
    """Refuse a number of points that the program redeems none of: too few, or between its steps. Raises Invalid."""
    if points < value.minimum:
        detail = f"At least {value.minimum} points are redeemed at once."
        raise Invalid(detail, pointer="/points", reason="below_minimum")
    if points % value.step:
        detail = f"Points are redeemed in steps of {value.step}."
        raise Invalid(detail, pointer="/points", reason="between_steps")


def most_payable(order_total: int | None, value: PointValue) -> int | None:
    """Return how many points may pay for an order of so many minor units; None where any number may.

    They are the most whose worth is within the greatest share of the total, rounded down. Raises Invalid where the
    program sets a share and no total is told.
    """
    if value.greatest_share is None:
        return None
    if order_total is None:
        detail = "Points may pay for a part of an order only: tell what it costs."
        raise Invalid(detail, pointer="/order_total", reason="missing")
    share = order_total * value.greatest_share // 10_000
    return ((share + 1) * value.points - 1) // value.amount  # the most that are not worth a minor unit more


def check_share(points: int, value: PointValue, left: int) -> None:
    """Refuse more points than the `left` ones that may still pay for an order. Raises GreatestShareExceeded."""
    if points > left:
        possible = max(0, left) // value.step * value.step
        possible = possible if possible >= value.minimum else 0
        detail = f"For this order {possible} more points can be redeemed at most."
        raise GreatestShareExceeded(detail, pointer="/points", reason=GreatestShareExceeded.code)


def worth(points: int, value: PointValue) -> int:
    """Return what points are worth, in minor units of the program's currency, rounded down."""
    return points * value.amount // value.points


def moved(before: Balance, source: Bucket, target: Bucket, points: int) -> Balance:
    """Move points between buckets. Debt counts the other way round: points that leave it make it grow."""
    available, pending, held, debt = before.available, before.pending, before.held, before.debt
    for bucket, change in ((source, -points), (target, points)):
        if bucket is Bucket.AVAILABLE:
            available += change
        elif bucket is Bucket.PENDING:
            pending += change
        elif bucket is Bucket.HELD:
            held += change
        elif bucket is Bucket.DEBT:
            debt -= change
    return Balance(available, pending, held, debt)


def portions(points: int) -> Iterator[int]:
    """Split points into parts that one row may hold each: what somebody has is not bounded as a row is."""
    while points:
        yield (part := min(points, BOUND))
        points -= part


class Reversed(msgspec.Struct, frozen=True):
    """What taking back points came to: from lots, as debt, or written off."""

    from_lots: int
    to_debt: int
    written_off: int


def expiry_order(lot: Lot, alive_until: datetime | None) -> tuple[datetime, UUID]:
    """Order lots by what ends first; among those that end at once, the older is first."""
    return lot_ends_at(lot, alive_until), lot.id


def lot_ends_at(lot: Lot, alive_until: datetime | None) -> datetime:
    """Return when a lot ends by its own date or by the customer's inactivity."""
    return min(lot.expires_at, alive_until) if lot.slides and alive_until is not None else lot.expires_at
