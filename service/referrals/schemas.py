"""Referrals on the wire."""

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from service.customers.rules import Customer
from service.earning.rules import Limit
from service.kernel.ids import CallerId, to_wire
from service.kernel.times import Time
from service.referrals.offers import Sign
from service.referrals.rules import Gave, Referral, ReferralReason, ReferralState

NOBODY: Final[Mapping[UUID, str]] = {}
Mark = Annotated[str, Meta(min_length=1, max_length=500)]


class Marks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody is known by, best as hashes of the caller's: a means of payment, a device, an address.

    Only keyed hashes of them are kept, and compared: nobody can read them back.
    """

    payment: Mark | None = None
    device: Mark | None = None
    address: Mark | None = None


class Click(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody followed the link of a code, or showed its QR code."""

    code: Annotated[str, Meta(max_length=128)]


class ClickOut(msgspec.Struct, frozen=True):
    """A click was received. Whether there is such a code isn't told."""

    received: bool


class MarksOut(msgspec.Struct, frozen=True):
    """How many means of payment, devices and addresses a customer is known by."""

    customer_id: str
    payment: int
    device: int
    address: int


class NewReferral(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A claim: who came with a code, also before the enrolment."""

    code: Annotated[str, Meta(max_length=128)]
    referee_id: CallerId
    marks: Annotated[Marks, Meta(description="What is known of the referee, to find out who refers himself.")] = Marks()


class GaveOut(msgspec.Struct, frozen=True):
    """What one side got: points, and the transaction that booked them; the voucher's id where there is one."""

    points: int
    transaction_id: str | None
    voucher_id: str | None


class ReferralOut(msgspec.Struct, frozen=True):
    """A referral and where it stands; who was erased has no id. `reasons` and `score` are for those who review."""

    id: str
    status: ReferralState
    offer: str
    offer_version: int
    referrer_id: str | None
    referee_id: str | None
    claimed_at: Time
    expires_at: Time
    qualified_at: Time | None
    waits_until: Time | None
    rewarded_at: Time | None
    ended_at: Time | None
    number: int | None
    step: int | None
    referrer: GaveOut
    referee: GaveOut
    reason: ReferralReason | None = None
    signs: tuple[Sign, ...] = ()
    score: int | None = None
    limit: Limit | None = None
    reviewed_at: Time | None = None


class Kept(msgspec.Struct, frozen=True):
    """What is kept of an answer: without names, which may be personal, and with the internal ids of both sides."""

    referrer: int
    referee: int | None
    shown: ReferralOut


class ExportedCode(msgspec.Struct, frozen=True):
    """A code that a customer has or had, as it is given out with all else that is kept."""

    code: str
    offer: str | None
    vanity: bool
    closed_at: Time | None


def marks_of(marks: Marks) -> dict[str, str]:
    """Give the marks that were told, by kind."""
    return {kind: text for kind, text in msgspec.structs.asdict(marks).items() if text is not None}


def with_names(
    shown: ReferralOut, known: Mapping[int, Customer], referrer: int | None, referee: int | None
) -> ReferralOut:
    """Name the sides of a referral, given by internal ids, as they are now."""
    return msgspec.structs.replace(shown, referrer_id=_name(known, referrer), referee_id=_name(known, referee))


def referral_out(
    referral: Referral, known: Mapping[int, Customer], *, reasons: bool, ahead: Mapping[UUID, str] = NOBODY
) -> ReferralOut:
    """Render a referral. `known` are its sides by the ids that it names, `ahead` names those who are not enrolled."""
    shown = ReferralOut(
        to_wire("ref", referral.id),
        referral.state,
        referral.offer,
        referral.offer_version,
        _name(known, referral.referrer),
        ahead.get(referral.id) or _name(known, referral.referee),
        referral.claimed_at,
        referral.expires_at,
        referral.qualified_at,
        referral.waits_until,
        referral.rewarded_at,
        referral.ended_at,
        referral.number,
        referral.step,
        _gave(referral.referrer_gave),
        _gave(referral.referee_gave),
    )
    if not reasons:
        return shown
    return msgspec.structs.replace(
        shown,
        reason=referral.reason,
        signs=referral.signs,
        score=referral.score,
        limit=referral.reached_limit,
        reviewed_at=referral.reviewed_at,
    )


def _name(known: Mapping[int, Customer], side: int | None) -> str | None:
    found = None if side is None else known.get(side)
    return None if found is None else found.external_id


def _gave(gave: Gave) -> GaveOut:
    return GaveOut(
        gave.points,
        None if gave.lot is None else to_wire("txn", gave.lot),
        None if gave.piece is None else to_wire("vch", gave.piece),
    )
