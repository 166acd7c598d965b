"""What a campaign says: whom it surprises, when, with what, how often, and how it is proved. Data and their check.

What it comes to is decided beside it. Money is in minor units of the program's currency, shares are basis points.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from service.earning.rules import Conditions
from service.kernel.amounts import BOUND, MinorUnits
from service.kernel.errors import Invalid
from service.kernel.ids import from_wire
from service.kernel.times import Time
from service.programs.definitions import DefinitionId
from service.programs.surprise_policy import Metric

CAMPAIGN: Final = "campaign"
"""The kind of definitions that campaigns are."""
MOST_PRIZES: Final = 50
MOST_WEIGHT: Final = 10**6
MOST_HOLDOUT: Final = 5_000
"""Basis points: half of all customers."""

_Days = Annotated[int, Meta(ge=0, le=60)]
_Points = Annotated[int, Meta(ge=1, le=BOUND)]


class PointsGift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="points"):
    """So many points, available at once."""

    points: _Points


class RewardGift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="reward"):
    """A voucher for a reward of the catalogue, whatever it costs in points."""

    reward_id: Annotated[str, Meta(max_length=64)]


class NoGift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="nothing"):
    """Nothing: an empty prize."""


Gift: TypeAlias = PointsGift | RewardGift | NoGift


class CampaignPrize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prize with its odds: its `weight` over the weights of all that are left. Null `stock`: as many as are drawn.

    One with the weight 0 is not drawn (any more).
    `cost` is what one of it costs the merchant; it counts against the budget, and in the report.
    """

    id: DefinitionId
    gift: Gift
    weight: Annotated[int, Meta(ge=0, le=MOST_WEIGHT)] = 1
    stock: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    cost: MinorUnits = 0


class OnPurchase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="purchase"):
    """Each purchase is an occasion: it is drawn inside the purchase, and told in its answer."""


class Following(Enum):
    """What a gift follows."""

    PURCHASE = "purchase"
    REWARD = "reward"
    """A reward that was redeemed, when its voucher is issued."""


class AfterFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="after"):
    """So many `minutes` after a purchase or a reward, and up to `spread_minutes` later: the second sweet."""

    fact: Following
    minutes: Annotated[int, Meta(ge=1, le=366 * 1440)]
    spread_minutes: Annotated[int, Meta(ge=0, le=31 * 1440)] = 0


class OnHoliday(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="holiday"):
    """A country's public holidays, all or those with these English `names`; each gift at its own moment around one.

    `country` is ISO 3166-1 alpha-2, `region` one of its subdivisions.
    """

    country: Annotated[str, Meta(pattern="^[A-Z]{2}$(?!\n)")]
    region: Annotated[str, Meta(pattern="^[A-Za-z0-9-]{1,12}$(?!\n)")] | None = None
    names: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)] = ()
    days_before: _Days = 0
    days_after: _Days = 0


class OnBirthday(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="birthday"):
    """The customer's birthday, each gift at its own moment around it."""

    days_before: _Days = 0
    days_after: _Days = 0


class OnAnniversary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="anniversary"):
    """The day on which the customer joined, each year, likewise."""

    days_before: _Days = 0
    days_after: _Days = 0


class OnMilestone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="milestone"):
    """The customer's n-th purchase, a higher tier that purchases or activities led to, an activity of these types."""

    purchases: Annotated[tuple[Annotated[int, Meta(ge=1, le=10**6)], ...], Meta(max_length=50)] = ()
    tiers: bool = False
    activities: Annotated[tuple[DefinitionId, ...], Meta(max_length=50)] = ()


class OnInactivity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="inactivity"):
    """A customer is silent for longer than `times_rhythm` (basis points) of the own mean time between purchases.

    Only who bought at least `purchases` times has a rhythm; it counts as at least `least_days`. A silence of more than
    `most_days` is none of these any more. Once a silence.
    """

    times_rhythm: Annotated[int, Meta(ge=10_000, le=1_000_000)] = 20_000
    purchases: Annotated[int, Meta(ge=2, le=1000)] = 3
    least_days: Annotated[int, Meta(ge=1, le=3_650)] = 14
    most_days: Annotated[int, Meta(ge=1, le=3_650)] = 365


class OnEarlyPayment(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="invoice_paid_early"
):
    """An invoice is closed by a payment at least so many days before it is due."""

    days_early: Annotated[int, Meta(ge=1, le=365)] = 1


class ByList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="list"):
    """The customers who are named by hand, each once."""


class ByPlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="play"):
    """A game: each play is an occasion. It costs `points`, or with `granted` a play that was granted before.

    A game that costs points has no holdout: nobody pays for a chance that there isn't. Prizes of games are neither
    bounded by the program's cool-down and yearly limit, nor do they count there.
    """

    points: Annotated[int, Meta(ge=0, le=BOUND)] = 0
    granted: bool = False
    per_day: Annotated[int, Meta(ge=1, le=1000)] | None = 1
    per_customer: Annotated[int, Meta(ge=1, le=10**6)] | None = None


Trigger: TypeAlias = (
    OnPurchase
    | AfterFact
    | OnHoliday
    | OnBirthday
    | OnAnniversary
    | OnMilestone
    | OnInactivity
    | OnEarlyPayment
    | ByList
    | ByPlay
)


class Pacing(Enum):
    """How stock and budgets are released."""

    AT_ONCE = "at_once"
    EVEN = "even"
    """In proportion to the part of the period that is over, so that the last day has prizes, too."""


class CampaignBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many points, and so much money, are given in all; null: no bound."""

    points: Annotated[int, Meta(ge=0, le=BOUND)] | None = None
    cost: MinorUnits | None = None


CampaignName = Annotated[str, Meta(min_length=1, max_length=200)]
Prizes = Annotated[tuple[CampaignPrize, ...], Meta(min_length=1, max_length=MOST_PRIZES)]
GiftsPerCustomer = Annotated[int, Meta(ge=1, le=10**6)]
Holdout = Annotated[int, Meta(ge=0, le=MOST_HOLDOUT)]
WindowDays = Annotated[int, Meta(ge=1, le=366)]
Effect = Annotated[int, Meta(ge=1, le=BOUND)]


class CampaignContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a campaign says. It gives from `starts_at` (null: from its activation) until `ends_at`.

    `audience` is said as conditions of earning rules are. Where no purchase is the occasion it is of `customer`, whose
    `purchase_numbers` are then of the last purchase, of `time`, and an `expression` that names these two. Expressions
    may name more of the customer than rules: `customer.purchases`, how many so far, and `customer.lifetime_earned`.

    `gifts_per_customer` null: no bound. `holdout` basis points of all customers never get a gift of it, by lot, so that
    `metric` over `window_days` from each one's first occasion shows what it changes; `target_effect`, in the metric's
    unit (minor units, or basis points of customers who buy again), is what it would have to change to be worth it.
    """

    name: CampaignName
    trigger: Trigger
    prizes: Prizes
    audience: Conditions = Conditions()
    pacing: Pacing = Pacing.AT_ONCE
    budget: CampaignBudget = CampaignBudget()
    gifts_per_customer: GiftsPerCustomer | None = 1
    holdout: Holdout = 0
    metric: Metric = Metric.SPEND
    window_days: WindowDays = 30
    target_effect: Effect | None = None
    starts_at: Time | None = None
    ends_at: Time | None = None


FIXED: Final = ("trigger", "audience", "holdout", "metric", "window_days", "starts_at")
"""What stays as it is once a campaign has started: else its two arms would not be comparable any more."""


def checked(content: CampaignContent) -> CampaignContent:
    """Refuse what the types can't. Raises Invalid with pointers into the body."""
    _check_prizes(content.prizes)
    starts, ends = content.starts_at, content.ends_at
    if starts is not None and ends is not None and ends <= starts:
        raise Invalid("This is not after `starts_at`.", pointer="/ends_at", reason="out_of_range")
    if content.pacing is Pacing.EVEN and ends is None:
        raise Invalid("Only what ends can be paced.", pointer="/ends_at", reason="missing")
    trigger = content.trigger
    if isinstance(trigger, ByPlay) and trigger.points and content.holdout:
        detail = "Nobody pays points for a chance that there isn't: a game that costs points has no holdout."
        raise Invalid(detail, pointer="/holdout", reason="contradictory")
    if isinstance(trigger, ByPlay) and trigger.points and trigger.granted:
        detail = "A play costs points or a granted play, not both."
        raise Invalid(detail, pointer="/trigger/granted", reason="exclusive")
    if isinstance(trigger, OnMilestone) and not (trigger.purchases or trigger.tiers or trigger.activities):
        raise Invalid("It names no milestone.", pointer="/trigger/purchases", reason="missing")
    if isinstance(trigger, OnInactivity) and trigger.most_days <= trigger.least_days:
        raise Invalid("This is not more than `least_days`.", pointer="/trigger/most_days", reason="out_of_range")
    return content


def _check_prizes(prizes: Sequence[CampaignPrize]) -> None:
    seen = set[str]()
    for place, prize in enumerate(prizes):
        if prize.id in seen:
            raise Invalid("Two prizes have this id.", pointer=f"/prizes/{place}/id", reason="duplicate")
        seen.add(prize.id)
        if isinstance(prize.gift, RewardGift) and from_wire("rwd", prize.gift.reward_id) is None:
            raise Invalid(
                "This is no id of a reward.", pointer=f"/prizes/{place}/gift/reward_id", reason="unknown_reward"
            )
        if isinstance(prize.gift, NoGift) and (prize.stock is not None or prize.cost):
            raise Invalid("Nothing has no stock and no cost.", pointer=f"/prizes/{place}", reason="contradictory")
    if not any(each.weight and not isinstance(each.gift, NoGift) for each in prizes):
        raise Invalid("At least one prize with a weight is something.", pointer="/prizes", reason="missing")
