"""What a referral offer says: who gets what, for what, and when it is certain. Data only."""

from enum import Enum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from service.earning.rules import Every, Limit, Scope
from service.kernel.amounts import BOUND, CurrencyCode, exponent
from service.kernel.errors import Invalid
from service.kernel.ids import from_wire
from service.kernel.times import Time
from service.programs.definitions import DefinitionId
from service.programs.rules import Label

REFERRAL_OFFER: Final = "referral_offer"
"""The kind of definitions that offers are."""
DEFAULT_OFFER: Final = "default"
"""The name of what is offered where a program never defined an offer: referrals are followed, nobody gets anything."""
_MOST: Final = 1_000

Points = Annotated[int, Meta(ge=1, le=BOUND)]
Amount = Annotated[int, Meta(ge=1, le=BOUND)]
Amounts = Annotated[dict[CurrencyCode, Amount], Meta(max_length=200)]
Score = Annotated[int, Meta(ge=0, le=100)]


class PointsPrize(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="points"):
    """So many points."""

    points: Points


class RewardPrize(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="reward"):
    """A voucher for a reward of the catalogue."""

    reward_id: Annotated[str, Meta(max_length=64)]


Prize: TypeAlias = PointsPrize | RewardPrize


class ByPurchases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="purchase"):
    """The referee's purchase with this `number`, of those over the `minimum` of their currency (gross minor units).

    Where there is a minimum, purchases in other currencies don't count; what was returned is taken off.
    """

    number: Annotated[int, Meta(ge=1, le=_MOST)] = 1
    minimum: Amounts = {}


class BySpend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="spend"):
    """The referee has spent the amount of one of these currencies, less what was returned."""

    amounts: Annotated[dict[CurrencyCode, Amount], Meta(min_length=1, max_length=200)]


class ByActivity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="activity"):
    """The referee has done an activity of this type."""

    type: DefinitionId


Qualification: TypeAlias = ByPurchases | BySpend | ByActivity


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many `points` more for the referrer, for the referee of this `number` who is rewarded."""

    number: Annotated[int, Meta(ge=1, le=10_000)]
    points: Points


class Sign(Enum):
    """What speaks against a referral."""

    SAME_CUSTOMER = "same_customer"
    RING = "ring"
    """The referee brought the referrer, or somebody by whom that one came."""
    NOT_NEW = "not_new"
    """The referee bought before the claim, or was a customer once and was erased."""
    ALREADY_REFERRED = "already_referred"
    """The referee came by an earlier referral, as it turned out: two records became one."""
    SAME_EMAIL = "same_email"
    SAME_PHONE = "same_phone"
    SAME_PAYMENT = "same_payment"
    SAME_DEVICE = "same_device"
    SAME_ADDRESS = "same_address"
    BURST = "burst"
    """Many claims from one address within a short time."""
    RETURNS = "returns"
    """Of the referrer's earlier referees many gave everything back."""
    PRIZE_UNAVAILABLE = "prize_unavailable"
    """Nothing against the two: a reward of the offer is sold out or gone, and somebody has to see to it."""


ALWAYS_REFUSE: Final = frozenset({Sign.SAME_CUSTOMER, Sign.RING, Sign.NOT_NEW, Sign.ALREADY_REFERRED})


class Scores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much each sign counts; 0: not at all.

    Who refers himself or in a ring, isn't new or came before is refused always.
    """

    same_email: Score = 100
    same_phone: Score = 100
    same_payment: Score = 100
    same_device: Score = 60
    same_address: Score = 30
    burst: Score = 40
    returns: Score = 60


class Cheating(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which score on a referral is reviewed by hand, and from which it is refused at once.

    A `burst` is more than so many claims from one address within so many hours; `returns` counts from so many of the
    referrer's referees on who gave everything back.
    """

    scores: Scores = Scores()
    review_from: Annotated[int, Meta(ge=1, le=1_000)] = 50
    refuse_from: Annotated[int, Meta(ge=1, le=1_000)] = 100
    burst_claims: Annotated[int, Meta(ge=1, le=_MOST)] = 5
    burst_hours: Annotated[int, Meta(ge=1, le=24 * 30)] = 24
    returning_referees: Annotated[int, Meta(ge=1, le=_MOST)] = 3


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After which successes of a customer it is time to ask for a referral, and for how many `days`.

    Purchases with these numbers, each higher tier, activities of these types.
    """

    purchases: Annotated[tuple[Annotated[int, Meta(ge=1, le=_MOST)], ...], Meta(max_length=50)] = (2, 5, 10)
    tiers: bool = True
    activities: Annotated[tuple[DefinitionId, ...], Meta(max_length=50)] = ()
    days: Annotated[int, Meta(ge=1, le=90)] = 14


class ReferralOfferContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a referrer and a referee get, and for what. What was offered at the claim stays so for that referral.

    A referee is new: enrolled within `claim_days` before the claim, and without a purchase. Within `window_days` after
    it the referee must qualify; then `waiting_days` pass in which a return refuses it. `limits` count rewarded
    referrals (`times`) and the points of both sides, of each referrer or of all; what would go beyond is refused whole.

    Of the offers whose `minimum_tier` a referrer has, the one with the highest `priority` applies to the referrer's own
    code (of equals the first by name). An offer of a `campaign` has codes of its own. From `ends_at` on nobody is
    claimed by it. As long as a program never had an active offer, who is claimed is followed, and nobody gets anything.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    referrer: Prize | None = None
    referee: Prize | None = None
    qualification: Qualification = ByPurchases()
    claim_days: Annotated[int, Meta(ge=1, le=365)] = 30
    window_days: Annotated[int, Meta(ge=1, le=365)] = 30
    waiting_days: Annotated[int, Meta(ge=0, le=90)] = 14
    minimum_tier: DefinitionId | None = None
    campaign: Label | None = None
    priority: Annotated[int, Meta(ge=0, le=_MOST)] = 0
    limits: Annotated[tuple[Limit, ...], Meta(max_length=10)] = ()
    steps: Annotated[tuple[Step, ...], Meta(max_length=50)] = ()
    cheating: Cheating = Cheating()
    ask: Ask = Ask()
    ends_at: Time | None = None


FOLLOWED_ONLY: Final = ReferralOfferContent(name="Referrals are followed", ask=Ask(purchases=(), tiers=False))
"""Nobody is asked to refer others where there is nothing in it for them."""


def checked(content: ReferralOfferContent) -> ReferralOfferContent:
    """Refuse what the types can't: unknown currencies, steps and limits that stand there twice. Raises Invalid.

    With the prize, a step has no more points than one booking can hold.
    """
    qualification = content.qualification
    if isinstance(qualification, ByPurchases):
        _check_currencies(qualification.minimum, "/qualification/minimum")
    elif isinstance(qualification, BySpend):
        _check_currencies(qualification.amounts, "/qualification/amounts")
    for side in ("referrer", "referee"):
        prize = getattr(content, side)
        if isinstance(prize, RewardPrize) and from_wire("rwd", prize.reward_id) is None:
            raise Invalid("This is no id of a reward.", pointer=f"/{side}/reward_id", reason="invalid_format")
    _check_steps(content)
    if content.cheating.refuse_from < content.cheating.review_from:
        raise Invalid("This is below `review_from`.", pointer="/cheating/refuse_from", reason="out_of_range")
    _check_limits(content)
    return content


def _check_steps(content: ReferralOfferContent) -> None:
    beside = content.referrer.points if isinstance(content.referrer, PointsPrize) else 0
    numbers = [step.number for step in content.steps]
    for place, step in enumerate(content.steps):
        if step.number in numbers[:place]:
            raise Invalid("There is a step with this number.", pointer=f"/steps/{place}/number", reason="duplicate")
        if step.points + beside > BOUND:
            detail = f"With the referrer's points these are more than {BOUND}."
            raise Invalid(detail, pointer=f"/steps/{place}/points", reason="out_of_range")


def _check_currencies(amounts: dict[str, int], within: str) -> None:
    for code in amounts:
        if exponent(code) is None:
            detail = "This is no ISO 4217 currency with a minor unit."
            raise Invalid(detail, pointer=f"{within}/{code}", reason="unknown_currency")


def _check_limits(content: ReferralOfferContent) -> None:
    seen = set[tuple[Scope, Every]]()
    most = max([0, *(step.points for step in content.steps)])
    most += sum(its.points for its in (content.referrer, content.referee) if isinstance(its, PointsPrize))
    for place, limit in enumerate(content.limits):
        within = f"/limits/{place}"
        if limit.points is None and limit.times is None:
            raise Invalid("A limit is of points, of times, or both.", pointer=within, reason="missing")
        if limit.every is Every.FACT:
            raise Invalid("Referrals have no limit of one fact.", pointer=f"{within}/every", reason="exclusive")
        if limit.points is not None and limit.points < most:
            detail = f"One referral gives up to {most} points to both: it would never be rewarded."
            raise Invalid(detail, pointer=f"{within}/points", reason="out_of_range")
        if (limit.scope, limit.every) in seen:
            raise Invalid("There is such a limit already.", pointer=within, reason="duplicate")
        seen.add((limit.scope, limit.every))
