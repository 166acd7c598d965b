"""The customer's history in the customer's words: what each transfer was for, what it did, and where points went. Pure.

The words of staff and partners are in `service.points.wording`; these are said to the one whose points they are.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from markupsafe import Markup

from service.kernel.periods import day_of
from service.points.rules import Bucket, Cause
from service.points.schemas import TransferOut
from service.portal.pages.texts import message
from service.portal.pages.words import Words

_I, _P, _A, _H = Bucket.ISSUED, Bucket.PENDING, Bucket.AVAILABLE, Bucket.HELD
_E, _R, _D, _W = Bucket.EXPIRED, Bucket.REVERSED, Bucket.DEBT, Bucket.WRITTEN_OFF

CAUSES: Final[Mapping[str, str]] = {
    "purchase": message("Purchase {id}"),
    "activity": message("Activity {id}"),
    "payment": message("Payment {id}"),
    "refund": message("Return {id}"),
    "payment_reversal": message("Payment {id} bounced"),
    "credit_note": message("Credit note {id}"),
    "redemption": message("Reward"),
    "adjustment": message("Correction"),
    "referral": message("Referral"),
    "surprise": message("Surprise"),
    "opening_balance": message("Earlier points"),
    "merge": message("Accounts joined"),
    "erasure": message("Account closed"),
}
"""What brings points or takes them, by its type. Ids that the service made say nothing to a customer."""

_EARNED: Final = message("Points earned.")
_EARNED_LATER: Final = message("Points earned. They can be spent a little later.")
_TAKEN_BACK: Final = message("Taken back: what had earned these points was returned or cancelled.")
_OTHER_ACCOUNT: Final = message("Moved to your other account.")
_FROM_ACCOUNT: Final = message("Brought over from your other account.")

TELLS: Final[Mapping[tuple[str, Bucket, Bucket], str]] = {
    ("purchase", _I, _A): _EARNED,
    ("purchase", _I, _P): _EARNED_LATER,
    ("activity", _I, _A): _EARNED,
    ("activity", _I, _P): _EARNED_LATER,
    ("payment", _I, _A): message("Points for paying early."),
    ("payment", _I, _P): message("Points for paying early. They can be spent a little later."),
    ("activation", _P, _A): message("These points can be spent now."),
    ("expiry", _A, _E): message("Expired unspent."),
    ("expiry", _P, _E): message("Expired before they could be spent."),
    ("expiry", _H, _E): message("Came back unspent after their time was over, and expired."),
    ("lapse", _P, _E): message("Lapsed: nobody confirmed the purchase in time."),
    ("lapse", _H, _A): message("Came back: the reward was not collected in time."),
    ("redemption", _A, _H): message("Set aside for a reward."),
    ("redemption", _H, Bucket.REDEEMED): message("Spent."),
    ("release", _H, _A): message("Came back unspent."),
    ("restoration", Bucket.REDEEMED, _A): message("Given back: what these points had paid for was returned."),
    ("reversal", _P, _R): _TAKEN_BACK,
    ("reversal", _A, _R): _TAKEN_BACK,
    ("reversal", _D, _R): message(
        "Taken back, but spent already: the next points that you earn settle what is missing."
    ),
    ("reversal", _W, _R): message("Taken back, but spent already: nothing is missing, it was waived."),
    ("debt_repayment", _A, _D): message("Settled points that were missing."),
    ("adjustment", _I, _A): message("Added by hand."),
    ("adjustment", _A, _I): message("Taken away by hand."),
    ("referral", _I, _A): message("Thank you: points for a referral."),
    ("surprise", _I, _A): message("A surprise for you."),
    ("opening_balance", _I, _A): message("Points that you had before."),
    ("opening_balance", _I, _P): message("Points that you had before. They can be spent a little later."),
    ("opening_balance", _D, _I): message("Points that were missing before: the next ones settle them."),
    ("merge", _A, _I): _OTHER_ACCOUNT,
    ("merge", _P, _I): _OTHER_ACCOUNT,
    ("merge", _H, _I): _OTHER_ACCOUNT,
    ("merge", _I, _A): _FROM_ACCOUNT,
    ("merge", _I, _P): _FROM_ACCOUNT,
    ("merge", _I, _H): _FROM_ACCOUNT,
    ("merge", _I, _D): message("Missing points, moved to your other account."),
    ("merge", _D, _I): message("Missing points, brought over from your other account."),
    ("erasure", _A, _E): message("Expired: the account was closed."),
    ("erasure", _P, _E): message("Expired: the account was closed."),
    ("erasure", _H, _E): message("Expired: the account was closed."),
    ("erasure", _W, _D): message("Missing points, waived."),
}
"""What each transfer that is made did, by its reason and the buckets between which points moved."""

_GENERAL: Final[Mapping[Bucket, str]] = {
    _P: _EARNED_LATER,
    _A: message("Points added."),
    _H: message("Set aside for a reward."),
    Bucket.REDEEMED: message("Spent."),
    _E: message("Expired unspent."),
    _R: _TAKEN_BACK,
    _I: message("Points taken away."),
    _D: message("Settled points that were missing."),
    _W: message("Missing points, waived."),
}

BUCKETS: Final[Mapping[Bucket, str]] = {
    _P: message("on their way"),
    _A: message("yours to spend"),
    _H: message("set aside"),
    Bucket.REDEEMED: message("spent"),
    _E: message("expired"),
    _R: message("taken back"),
    _D: message("missing"),
    _W: message("waived"),
}


class Told(msgspec.Struct, frozen=True):
    """A transfer, told: `sign` is what it did to what can be spent, "+", "-", or "" where nothing."""

    title: Markup
    sentence: Markup
    where: Markup | None
    sign: str
    amount: str
    day: str
    machine_day: str
    after: Markup


def told(transfer: TransferOut, words: Words) -> Told:
    """Tell a transfer."""
    source, target = Bucket(transfer.source), Bucket(transfer.target)
    sentence = TELLS.get((transfer.reason, source, target), _GENERAL[target])
    sign = "+" if target is _A else "-" if source is _A else ""
    where = None
    if not sign:
        where = words.t(BUCKETS[target]) if target is not _I else None
    return Told(
        named(transfer.cause, words),
        words.t(sentence),
        where,
        sign,
        words.number(transfer.points),
        words.day_of(transfer.occurred_at),
        day_of(transfer.occurred_at, words.zone).isoformat(),
        words.t("{points} to spend after this", points=words.points(transfer.balance_after.available)),
    )


def named(cause: Cause, words: Words) -> Markup:
    """Name what brought points or took them."""
    text = CAUSES.get(cause.type)
    return words.t("Booking") if text is None else words.t(text, id=cause.id)
