"""What a customer has to bring others with, on the wire."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.programs.definitions import DefinitionId
from service.programs.rules import Program
from service.referrals.asks.rules import ReferralAsk
from service.referrals.asks.schemas import AskOut, ask_out
from service.referrals.book import Offer
from service.referrals.codes.links import link_of, qr_svg
from service.referrals.codes.overview import Overview
from service.referrals.codes.rules import VanityCode
from service.referrals.codes.usecases import Bringing
from service.referrals.offers import Prize, Qualification, Step
from service.referrals.rules import Code, Referral, ReferralState

OfOffer = Annotated[
    DefinitionId | None,
    Meta(description="The offer of a campaign whose code it is; null is the customer's own code."),
]


class NewCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code to be set, a random one where it is null; in place of the customer's own, or that of an offer."""

    code: VanityCode | None = None
    offer: OfOffer = None


class CodeToClose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which code of a customer is closed."""

    offer: OfOffer = None


class CodeOut(msgspec.Struct, frozen=True):
    """The open code of a customer, the own one or that of an `offer`; null once it is closed.

    A dry run tells no random code: another one will be drawn.
    """

    customer_id: str
    offer: str | None
    code: str | None
    vanity: bool


class KeptCode(msgspec.Struct, frozen=True):
    """What is kept of an answer: which code it was, not what it says, which may be personal."""

    code_id: UUID | None
    offer: str | None
    vanity: bool


class OfferedOut(msgspec.Struct, frozen=True):
    """What a customer can offer others now, and the code for it: that of a campaign, or the customer's own."""

    id: str
    name: str
    campaign: str | None
    code: str | None
    link: str | None
    referrer: Prize | None
    referee: Prize | None
    qualification: Qualification
    window_days: int
    waiting_days: int
    steps: tuple[Step, ...]
    ends_at: Time | None


class CountsOut(msgspec.Struct, frozen=True):
    """How many of a customer's referrals stand where."""

    signed_up: int
    qualified: int
    waiting: int
    in_review: int
    rewarded: int
    refused: int
    expired: int
    reversed: int


class BroughtOut(msgspec.Struct, frozen=True):
    """One of a customer's referrals. Who came isn't told: that is of another person. `points` are the customer's."""

    id: str
    status: ReferralState
    claimed_at: Time
    rewarded_at: Time | None
    points: int


class CameOut(msgspec.Struct, frozen=True):
    """The referral by which a customer came."""

    id: str
    status: ReferralState


class CustomerReferralOut(msgspec.Struct, frozen=True):
    """A customer's own code, its link, and a QR code as SVG; null where it was closed, or nothing is offered.

    `points_earned` are what the customer has for rewarded referrals, `points_waiting` what was agreed for those whose
    referees qualified and that are not decided yet, without the points of steps. `referrals` are the newest 20. `ask`
    tells whether to ask this customer for a referral now; who does so tells it, and is not told to ask again.
    """

    customer_id: str
    code: str | None
    link: str | None
    qr: str | None
    offers: list[OfferedOut]
    counts: CountsOut
    clicks: int
    points_earned: int
    points_waiting: int
    referred_by: CameOut | None
    referrals: list[BroughtOut]
    ask: AskOut | None


def customer_referral_out(
    program: Program, found: Bringing, its: Overview, ask: ReferralAsk | None
) -> CustomerReferralOut:
    """Render what a customer has to bring others with, and what became of it."""
    base = program.settings.referral_link
    offers = [_offered(each, found.codes, base) for each in found.offers]
    code, link = next(((each.code, each.link) for each in offers if each.campaign is None), (None, None))
    came = its.came_by
    return CustomerReferralOut(
        customer_id=found.customer.external_id,
        code=code,
        link=link,
        qr=None if code is None else qr_svg(link or code),
        offers=offers,
        counts=CountsOut(**{state.value: number for state, number in its.counts.items()}),
        clicks=its.clicks,
        points_earned=its.earned,
        points_waiting=its.waiting,
        referred_by=None if came is None else CameOut(to_wire("ref", came.id), came.state),
        referrals=[_brought(each) for each in its.newest],
        ask=ask_out(ask),
    )


def _offered(offer: Offer, codes: Mapping[str | None, Code], base: str | None) -> OfferedOut:
    terms = offer.content
    its = codes.get(None if terms.campaign is None else offer.id)
    return OfferedOut(
        id=offer.id,
        name=terms.name,
        campaign=terms.campaign,
        code=None if its is None else its.code,
        link=None if its is None else link_of(base, its.code),
        referrer=terms.referrer,
        referee=terms.referee,
        qualification=terms.qualification,
        window_days=terms.window_days,
        waiting_days=terms.waiting_days,
        steps=terms.steps,
        ends_at=terms.ends_at,
    )


def _brought(referral: Referral) -> BroughtOut:
    given = referral.referrer_gave.points
    return BroughtOut(to_wire("ref", referral.id), referral.state, referral.claimed_at, referral.rewarded_at, given)
