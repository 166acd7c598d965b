"""What an adjustment is: points given or taken by hand, and what that does to an account. Pure."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.customers.rules import Balance
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import to_wire
from service.kernel.times import Time, in_utc
from service.points.account import Account
from service.points.policies import alive_from, life_of, with_end
from service.points.rules import NEVER, Bucket, Cause, InsufficientPoints, Life
from service.programs.rules import ProgramSettings

_replace = msgspec.structs.replace
COUNTED: Final = timedelta(hours=24)
"""For how long what a key gave or took counts towards the program's limit: many small ones are one large one."""

AdjustedPoints = Annotated[
    int,
    Meta(
        ge=-BOUND,
        le=BOUND,
        description="Above zero they are given, below zero taken; not 0.",
        extra_json_schema={"not": {"const": 0}},
    ),
]
Note = Annotated[str, Meta(min_length=1, max_length=500)]
OwnExpiry = Annotated[
    Time | UnsetType | None,
    Meta(description="When they end; null: never; where it is left out, as the program's expiry says."),
]


class AdjustmentReason(Enum):
    """Why points were given or taken by hand."""

    GOODWILL = "goodwill"
    CORRECTION = "correction"
    MIGRATION = "migration"
    FRAUD = "fraud"


class AdjustmentStatus(Enum):
    """What became of an adjustment. `waiting`: it is above the limit, and another key is to approve it."""

    WAITING = "waiting"
    BOOKED = "booked"
    REFUSED = "refused"


class NewAdjustment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points to give or to take by hand. Only those that are given can have an `expires_at`."""

    points: AdjustedPoints
    reason: AdjustmentReason
    note: Note | None = None
    expires_at: OwnExpiry = UNSET


class Keyholder(msgspec.Struct, frozen=True):
    """Who asked for or decided on an adjustment: a key, and the first of the keys that it was rotated from."""

    key_id: UUID
    origin: UUID


class Adjustment(msgspec.Struct, frozen=True):
    """An adjustment as it stands. `expires_at` None: as the program says when it is booked.

    `customer_id` is the internal id of the record that it is of now, after merges. `decided_by` is who approved or
    refused it; None where it was booked at once.
    """

    id: UUID
    customer_id: int
    points: int
    reason: AdjustmentReason
    note: str | None
    expires_at: datetime | None
    asked_by: Keyholder
    asked_at: datetime
    status: AdjustmentStatus = AdjustmentStatus.WAITING
    transfer_id: UUID | None = None
    decided_by: Keyholder | None = None
    decided_at: datetime | None = None


class Adjusted(msgspec.Struct, frozen=True):
    """An adjustment as it is now, and the customer's balance with it."""

    adjustment: Adjustment
    balance: Balance


class AdjustmentNotWaiting(Refusal):
    """An adjustment was decided otherwise already."""

    kind = Kind.CONFLICT
    code = "adjustment_not_waiting"
    title = "The adjustment does not wait any more"


class SecondKeyNeeded(Refusal):
    """The key that asked, or one that it was rotated into, can't approve."""

    kind = Kind.CONFLICT
    code = "second_key_needed"
    title = "Another key than the one that asked for it must approve an adjustment"


class AdjustmentEnded(Refusal):
    """The points of an adjustment that waited would have ended already."""

    kind = Kind.CONFLICT
    code = "adjustment_ended"
    title = "The points of this adjustment would have ended already"


def asked(new: NewAdjustment, *, adjustment_id: UUID, customer_id: int, by: Keyholder, now: datetime) -> Adjustment:
    """Make an adjustment that is not booked yet. Raises Invalid."""
    if new.points == 0:
        raise Invalid("An adjustment gives or takes at least one point.", pointer="/points", reason="out_of_range")
    expires_at = None if isinstance(new.expires_at, UnsetType) else new.expires_at or NEVER
    if expires_at is not None:
        expires_at = in_utc(expires_at, "/expires_at")
        if new.points < 0:
            raise Invalid("Points that are taken don't end.", pointer="/expires_at", reason="not_allowed")
        if expires_at <= now:
            raise Invalid("This is in the past.", pointer="/expires_at", reason="in_the_past")
    return Adjustment(adjustment_id, customer_id, new.points, new.reason, new.note, expires_at, by, now)


def must_wait(points: int, *, counted: int, limit: int | None) -> bool:
    """Tell whether an adjustment goes beyond the limit, with what is `counted` already; signs don't matter."""
    return limit is not None and abs(points) + counted > limit


def book(adjustment: Adjustment, *, account: Account, settings: ProgramSettings) -> Adjustment:
    """Move the points of an adjustment in the customer's whole account.

    Raises InsufficientPoints for more than is available, AdjustmentEnded. Then nothing was moved.
    """
    cause = Cause("adjustment", to_wire("adj", adjustment.id))
    move = _take if adjustment.points < 0 else _give
    return _replace(adjustment, status=AdjustmentStatus.BOOKED, transfer_id=move(adjustment, cause, account, settings))


def _give(adjustment: Adjustment, cause: Cause, account: Account, settings: ProgramSettings) -> UUID:
    life, transfer_id = _life(adjustment, account, settings), account.ids.next()
    account.grant(
        adjustment.points,
        transfer_id=transfer_id,
        cause=cause,
        rule=None,
        rule_version=None,
        occurred_at=account.now,
        life=life,
    )
    return transfer_id


def _life(adjustment: Adjustment, account: Account, settings: ProgramSettings) -> Life:
    life, ends_at = life_of(settings, "at_once", account.now), adjustment.expires_at
    if ends_at is not None:
        if ends_at <= account.now:
            raise AdjustmentEnded
        return with_end(life, settings, ends_at)
    alive_until = account.customer.alive_until
    if life.slides and (alive_until is None or alive_until <= account.now):
        # Who was away for too long would lose them at once: they last as if the customer had come back today.
        account.touch(alive_from(settings, account.now))
    return life


def _take(adjustment: Adjustment, cause: Cause, account: Account, _: ProgramSettings) -> UUID:
    left = -adjustment.points
    if left > account.customer.balance.available:
        detail = f"{left} points are to be taken, {account.customer.balance.available} are available."
        raise InsufficientPoints(detail)
    transfer = account.move(Bucket.AVAILABLE, Bucket.ISSUED, left, reason=cause.type, cause=cause, at=account.now)
    for lot in account.open_lots():
        taken = min(left, lot.remaining)
        if taken:
            account.take(lot.id, taken, transfer)
        left -= taken
    return transfer


def approved(adjustment: Adjustment, *, by: Keyholder, account: Account, settings: ProgramSettings) -> Adjustment:
    """Book an adjustment that waits, as another key approves. One that is booked already is given as it is.

    Raises AdjustmentNotWaiting, SecondKeyNeeded, InsufficientPoints, AdjustmentEnded.
    """
    if adjustment.status is AdjustmentStatus.BOOKED:
        return adjustment
    if adjustment.status is AdjustmentStatus.REFUSED:
        raise AdjustmentNotWaiting("The adjustment was refused.")
    if by.origin == adjustment.asked_by.origin:
        raise SecondKeyNeeded
    return _replace(book(adjustment, account=account, settings=settings), decided_by=by, decided_at=account.now)


def refused(adjustment: Adjustment, *, by: Keyholder, now: datetime) -> Adjustment:
    """Refuse an adjustment that waits. One that is refused already is given as it is. Raises AdjustmentNotWaiting."""
    if adjustment.status is AdjustmentStatus.REFUSED:
        return adjustment
    if adjustment.status is AdjustmentStatus.BOOKED:
        raise AdjustmentNotWaiting("The adjustment is booked.")
    return _replace(adjustment, status=AdjustmentStatus.REFUSED, decided_by=by, decided_at=now)
