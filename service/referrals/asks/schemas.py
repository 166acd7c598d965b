"""Asking for referrals on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.kernel.times import Time
from service.referrals.asks.rules import LONGEST_MILESTONE, ReferralAsk

Milestone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_MILESTONE,
        description="The success: `purchase:5`, `tier:gold`, `activity:review_left`.",
    ),
]


class AskOut(msgspec.Struct, frozen=True):
    """It is time to ask this customer for a referral: after which success, of when, and until when."""

    milestone: str
    since: Time
    until: Time


class CustomerAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The customer was asked, after this milestone."""

    milestone: Milestone


class AskedOut(msgspec.Struct, frozen=True):
    """After which success a customer was asked for a referral, and when that was told first."""

    milestone: str
    since: Time
    asked_at: Time


def ask_out(ask: ReferralAsk | None) -> AskOut | None:
    """Render when to ask; None: not now."""
    return None if ask is None else AskOut(ask.milestone, ask.reached_at, ask.until)


class RecordedAskOut(msgspec.Struct, frozen=True):
    """A milestone as an export shows it, with what was made of it."""

    milestone: str
    reached_at: Time
    until: Time
    announced_at: Time | None
    asked_at: Time | None


def recorded_ask_out(ask: ReferralAsk) -> RecordedAskOut:
    """Render a milestone for an export."""
    return RecordedAskOut(ask.milestone, ask.reached_at, ask.until, ask.announced_at, ask.asked_at)
