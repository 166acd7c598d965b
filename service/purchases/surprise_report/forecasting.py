"""What a campaign can find before it starts: who is in its audience now, and what they did so far. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, sqrt
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from service.customers.rules import Customer, Profile
from service.earning.occasion import Occasion, known_of
from service.earning.rules import Conditions
from service.kernel.rounding import Rounding, divide
from service.kernel.shares import WHOLE
from service.purchases.surprise_report.figures import METHOD, AudiencePart, CampaignForecast, SmallestEffect
from service.purchases.surprise_report.rules import PLANNED, Outcomes, Study, rounded
from service.surprises.audience import Audience, Seeing, compiled_audience, occasion_of_customer, shown_to
from service.surprises.campaigns import CampaignContent, OnPurchase
from service.surprises.chance import Keyed, is_held_out_of_all
from service.surprises.had import Arm, read_had
from service.surprises.proof.forecast import SHARES, forecast, needed_share

MOST: Final = 20_000
"""Customers who are looked at, one by one: of more than these a part stands for all."""
_OF_CUSTOMER: Final = ("customer",)
_replace = msgspec.structs.replace


class Asked(msgspec.Struct, frozen=True):
    """An audience as far as it can be asked of customers who do nothing just now, and what was left out of it."""

    audience: Audience
    left_out: tuple[AudiencePart, ...]
    of_purchase: bool


class Looked(msgspec.Struct, frozen=True):
    """How many customers there are, how many were looked at, how many of these are in, and what those did."""

    now: datetime
    customers: int
    sampled: int
    found: int
    history: Outcomes

    @property
    def eligible(self) -> int:
        """How many of all are in, by the part that was looked at, rounded half up."""
        return divide(self.customers * self.found, self.sampled, Rounding.HALF_UP) if self.sampled else 0


def asked_of(content: CampaignContent) -> Asked:
    """Take from a campaign's audience what only an occasion can meet: a purchase, its items, its time.

    An expression stays where it names nothing but the customer.
    """
    of_purchase, left_out = isinstance(content.trigger, OnPurchase), list[AudiencePart]()
    conditions = content.audience
    for part in (AudiencePart.PURCHASE, AudiencePart.ITEMS, AudiencePart.TIME):
        if getattr(conditions, part.value) is not None:
            left_out.append(part)
    conditions = _replace(conditions, purchase=None, items=None, time=None)
    audience = compiled_audience(conditions, of_purchase=of_purchase)
    if any(each.split(".", 1)[0] not in _OF_CUSTOMER for each in audience.references):
        left_out.append(AudiencePart.EXPRESSION)
        audience = compiled_audience(_without_expression(conditions), of_purchase=of_purchase)
    return Asked(audience, tuple(left_out), of_purchase)


def _without_expression(conditions: Conditions) -> Conditions:
    return _replace(conditions, expression=None)


def eligible(
    asked: Asked,
    customers: Sequence[tuple[Customer, Profile]],
    *,
    now: datetime,
    zone: ZoneInfo,
    secret: Keyed,
    holdout: int,
) -> list[int]:
    """Return who is in an audience now, by internal ids, not suppressed, and not held out of all surprises.

    `holdout` is the program's own, in basis points: 0 for what it doesn't bind. Who would be in with a purchase of now
    is in where purchases are the occasions.
    """
    seeing, found = Seeing(shown_to([asked.audience])), list[int]()
    for customer, profile in customers:
        if customer.is_suppressed or (holdout and _is_held_out(customer, secret, holdout)):
            continue
        if asked.of_purchase:
            occasion = Occasion(now, zone, known_of(customer, profile))
        else:
            occasion = occasion_of_customer(customer, profile, at=now, zone=zone)
        if asked.audience.fits(occasion, seeing):
            found.append(customer.id)
    return found


def _is_held_out(customer: Customer, secret: Keyed, share: int) -> bool:
    arm = read_had(customer.surprises).arm
    if arm is not Arm.UNKNOWN:
        return arm is Arm.HELD_OUT
    return is_held_out_of_all(secret, customer=customer.id, share=share)


def told(campaign_id: str, study: Study, asked: Asked, looked: Looked) -> CampaignForecast:
    """Make the forecast of what was looked at."""
    customers, history = looked.eligible, looked.history.arm(study.metric)
    own = _smallest(study, looked, study.holdout) if study.holdout else None
    needed = needed_share(customers)
    obstacle = study.obstacle
    finds = None
    if study.target is not None and obstacle is None:
        finds = own is not None and own.smallest is not None and own.smallest <= study.target
    variance = history.variance
    return CampaignForecast(
        campaign_id=campaign_id,
        made_at=looked.now.astimezone(UTC),
        currency=study.currency,
        metric=study.metric,
        unit=study.unit,
        window_days=study.window_days,
        customers=looked.customers,
        sampled=looked.sampled,
        eligible=customers,
        left_out=list(asked.left_out),
        mean=rounded(study.scale * Fraction(history.total, history.customers)) if history.customers else None,
        deviation=None if variance is None else rounded(study.scale * Fraction(sqrt(variance))),
        holdout=study.holdout,
        at_holdout=own,
        at_shares=[_smallest(study, looked, share) for share in SHARES],
        needed_share=needed,
        share_suffices=study.holdout >= needed,
        target_effect=study.target,
        finds_target=finds,
        no_comparison=obstacle,
        method=METHOD,
    )


def _smallest(study: Study, looked: Looked, share: int) -> SmallestEffect:
    found = forecast(looked.history.arm(study.metric), customers=looked.eligible, share=share, planned=PLANNED)
    return SmallestEffect(
        share=share,
        held_out=found.holdout,
        treated=found.treated,
        smallest=None if found.smallest is None else ceil(study.scale * Fraction(found.smallest)),
        relative=None if found.relative is None else ceil(found.relative * WHOLE),
    )
