"""Why a transfer was made, in words: a sentence for each reason and move, and general ones for all others. Pure.

Sentences are written so that they are right for one point as for many.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from service.points.rules import NEVER, Bucket, Cause, Lot

_P, _A, _H, _E = Bucket.PENDING, Bucket.AVAILABLE, Bucket.HELD, Bucket.EXPIRED


class Facts(msgspec.Struct, frozen=True):
    """What is known of a transfer. `lot` is the one that all its points are of, as it is now, where there is one.

    `earned_by` says in words how a rule came to the points, `order_id` is that of a redemption, `reversed_cause` what
    had brought the points that are taken back. Moments are told in `time_zone`, one of the IANA database.
    """

    reason: str
    source: Bucket
    target: Bucket
    points: int
    cause: Cause
    occurred_at: datetime
    recorded_at: datetime
    time_zone: str = "UTC"
    lot: Lot | None = None
    earned_by: str | None = None
    order_id: str | None = None
    reversed_cause: Cause | None = None


SENTENCES: Final[Mapping[tuple[str, Bucket, Bucket], str]] = {
    ("purchase", Bucket.ISSUED, _A): "{Cause} earned {points}{rule}.",
    ("purchase", Bucket.ISSUED, _P): "{Cause} earned {points}{rule}. {held_back}",
    ("activity", Bucket.ISSUED, _A): "{Cause} earned {points}{rule}.",
    ("activity", Bucket.ISSUED, _P): "{Cause} earned {points}{rule}. {held_back}",
    ("payment", Bucket.ISSUED, _A): "{Cause} earned {points}{rule}.",
    ("payment", Bucket.ISSUED, _P): "{Cause} earned {points}{rule}. {held_back}",
    ("activation", _P, _A): "{points} from {cause} became available at {at}, {activated}.",
    ("expiry", _A, _E): "{points} from {cause} expired unspent at {at}, {ended}.",
    ("expiry", _P, _E): "{points} from {cause} expired at {at}, still held back, {ended}.",
    ("expiry", _H, _E): "{points} from {cause} came back from a redemption at {at}, {ended}, and expired.",
    ("lapse", _P, _E): "{points} from {cause} lapsed at {at}: nobody had confirmed by then.",
    ("lapse", _H, _A): "{points} set aside for {cause}{order} came back at {at}: nobody had captured it by then.",
    ("redemption", _A, _H): "{Cause}{order} set {points} aside.",
    ("redemption", _H, Bucket.REDEEMED): "{Cause}{order} was captured and spent {points}.",
    ("release", _H, _A): "{points} set aside for {cause}{order} came back unspent.",
    ("restoration", Bucket.REDEEMED, _A): "{Cause} gave back {points} that had paid for what was returned.",
    ("reversal", _P, Bucket.REVERSED): "{Cause} took back {points} that {reversed} had earned, still held back.",
    ("reversal", _A, Bucket.REVERSED): "{Cause} took back {points} that {reversed} had earned.",
    ("reversal", Bucket.DEBT, Bucket.REVERSED): (
        "{Cause} took back {points} that {reversed} had earned. No more was available: this is owed, and what comes in "
        "next repays it first."
    ),
    ("reversal", Bucket.WRITTEN_OFF, Bucket.REVERSED): (
        "{Cause} took back {points} that {reversed} had earned. No more was available and no more may be owed: this is "
        "written off."
    ),
    ("debt_repayment", _A, Bucket.DEBT): "{points} from {cause} repaid what was owed.",
    ("adjustment", Bucket.ISSUED, _A): "{Cause} gave {points} by hand.",
    ("adjustment", _A, Bucket.ISSUED): "{Cause} took {points} away by hand.",
    ("referral", Bucket.ISSUED, _A): "{Cause} brought {points}: it was rewarded.",
    ("surprise", Bucket.ISSUED, _A): "{Cause} brought {points}: a gift.",
    ("opening_balance", Bucket.ISSUED, _A): "{Cause} brought {points} from elsewhere.",
    ("opening_balance", Bucket.ISSUED, _P): "{Cause} brought {points} from elsewhere. {held_back}",
    ("opening_balance", Bucket.DEBT, Bucket.ISSUED): "{Cause} brought a debt of {points} from elsewhere.",
    ("merge", _A, Bucket.ISSUED): "{Cause} moved {points} to the other record.",
    ("merge", _P, Bucket.ISSUED): "{Cause} moved {points} to the other record, still held back.",
    ("merge", _H, Bucket.ISSUED): "{Cause} moved {points} to the other record, still set aside.",
    ("merge", Bucket.ISSUED, _A): "{Cause} brought {points} from the other record.",
    ("merge", Bucket.ISSUED, _P): "{Cause} brought {points} from the other record, still held back.",
    ("merge", Bucket.ISSUED, _H): "{Cause} brought {points} from the other record, still set aside.",
    ("merge", Bucket.ISSUED, Bucket.DEBT): "{Cause} moved a debt of {points} to the other record.",
    ("merge", Bucket.DEBT, Bucket.ISSUED): "{Cause} brought a debt of {points} from the other record.",
    ("erasure", _A, _E): "{points} from {cause} expired at {at}: the customer was erased.",
    ("erasure", _P, _E): "{points} from {cause} expired at {at}, still held back: the customer was erased.",
    ("erasure", _H, _E): "{Cause} let {points} expire, set aside until then.",
    ("erasure", Bucket.WRITTEN_OFF, Bucket.DEBT): "{Cause} wrote off a debt of {points}.",
}
"""What each transfer that the code makes says of itself; the words in braces are those of `sentence`."""

_GRANTED: Final[Mapping[Bucket, str]] = {
    _A: "{Cause} brought {points}{rule}.",
    _P: "{Cause} brought {points}{rule}. {held_back}",
}
_GENERAL: Final = "{Cause} moved {points} from {source} to {target}: {reason}."
_BUCKETS: Final[Mapping[Bucket, str]] = {
    Bucket.ISSUED: "the program",
    Bucket.PENDING: "what is held back",
    Bucket.AVAILABLE: "what is available",
    Bucket.HELD: "what is set aside",
    Bucket.REDEEMED: "what is spent",
    Bucket.EXPIRED: "what expired",
    Bucket.REVERSED: "what was taken back",
    Bucket.DEBT: "what is owed",
    Bucket.WRITTEN_OFF: "what is written off",
}


def sentence(facts: Facts) -> str:
    """Say in one plain sentence or two why a transfer was made; of a reason that has no words here, what it moved."""
    template = SENTENCES.get((facts.reason, facts.source, facts.target))
    if template is None:
        template = _GRANTED.get(facts.target, _GENERAL) if facts.source is Bucket.ISSUED else _GENERAL
    cause = _named(facts.cause)
    return template.format(
        points="1 point" if facts.points == 1 else f"{facts.points} points",
        cause=cause,
        Cause=cause[:1].upper() + cause[1:],
        at=moment(facts.occurred_at, facts.time_zone),
        rule="" if facts.earned_by is None else f": {facts.earned_by}",
        order="" if facts.order_id is None else f" for order {facts.order_id}",
        reversed="an earlier transfer" if facts.reversed_cause is None else _named(facts.reversed_cause),
        held_back=_held_back(facts),
        # A confirmation is booked when it happens; the end of a wait is booked some time after it.
        activated="when the wait was over" if facts.occurred_at < facts.recorded_at else "once confirmed",
        ended=_ended(facts),
        reason=facts.reason.replace("_", " "),
        source=_BUCKETS[facts.source],
        target=_BUCKETS[facts.target],
    )


def moment(at: datetime, time_zone: str) -> str:
    """Tell a moment to the minute by the clock of a zone; what that clock doesn't reach, in UTC."""
    try:
        local = at.astimezone(ZoneInfo(time_zone))
    except OverflowError:
        local, time_zone = at.astimezone(UTC), "UTC"
    return f"{local.replace(tzinfo=None).isoformat(' ', 'minutes')} {time_zone}"


def _named(cause: Cause) -> str:
    return f"{cause.type.replace('_', ' ')} {cause.id}"


def _held_back(facts: Facts) -> str:
    lot = facts.lot
    if lot is None or not lot.is_pending or not lot.remaining:
        return "At first, nothing of it could be spent."
    if lot.available_at == NEVER:
        return "Until confirmed, nothing of it can be spent."
    until = moment(lot.available_at, facts.time_zone)
    if lot.cause.type != "purchase":  # nothing else is confirmed
        return f"Until {until}, nothing of it can be spent."
    if lot.lapses:
        return f"Unless confirmed before {until}, it lapses."
    return f"Until {until}, or until confirmed, nothing of it can be spent."


def _ended(facts: Facts) -> str:
    if facts.lot is not None and facts.lot.slides:
        return "after too long without an activity that keeps points alive"
    return "when the time for spending was over"
