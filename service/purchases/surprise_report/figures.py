"""What reports and forecasts of surprises tell. Data only, and so it goes to the wire."""

from enum import Enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.amounts import CurrencyCode
from service.kernel.shares import BasisPoints
from service.kernel.times import Time
from service.programs.surprise_policy import Metric
from service.surprises.proof.verdict import Verdict

METHOD: Final = (
    "Asymptotic confidence sequence for the difference of two means, valid at all looks together: Waudby-Smith,"
    " Arbour, Sinha, Kennedy, Ramdas, Time-uniform central limit theory and asymptotic confidence sequences,"
    " Annals of Statistics 52 (2024), arXiv 2103.06476; Gaussian mixture (Robbins 1970), with the larger variance"
    " of the two arms, from 200 closed windows and 50 outcomes in each arm on."
)

Count = Annotated[int, Meta(ge=0)]
Measured = Annotated[int, Meta(description="In the unit of the metric.")]
Amount = Annotated[int, Meta(description="Minor units of the program's currency.")]


class Unit(Enum):
    """In what a metric is told: minor units of the program's currency, or basis points of customers."""

    MINOR_UNITS = "minor_units"
    BASIS_POINTS = "basis_points"


class NoComparison(Enum):
    """Why the arms can't be compared."""

    NO_HOLDOUT = "no_holdout"
    PAID_GAME = "paid_game"
    """It costs points to play: nobody is held out of what they pay for."""
    NO_MARGIN = "no_margin"
    """The metric is the margin, and the program's settings tell none."""


class ReportedArm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm. `customers` were enrolled; of those whose windows are `closed` the rest is told.

    `any` bought anything in their windows that they kept; `spent` is what they paid, less what refunds gave back by
    now. `mean` is that of the metric, rounded half up; null of nobody.
    """

    customers: Count
    closed: Count
    any: Count
    spent: Amount
    mean: Measured | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How far the treated lie above the held-out for each customer, and between which bounds that truly is.

    `difference` is rounded half away from zero, null while an arm is empty; `low` is rounded down and `high` up, null
    while nothing can be told. They hold at all looks together with `confidence`, basis points: one may look every day,
    and stop whenever one likes. The verdict is made before they are rounded. `more_customers` so many more, in both
    arms together and with their windows closed, would tell a true effect of `target_effect` four times of five; null
    without a target, once it is told, and while nothing can be told.
    """

    difference: Measured | None
    low: Measured | None
    high: Measured | None
    confidence: BasisPoints
    verdict: Verdict
    target_effect: Measured | None
    more_customers: Count | None
    method: str


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """What the treated whose windows are closed brought beyond the held-out, and what the gifts in these windows cost.

    `margin_gained` is the difference of what was spent for each customer, times these customers, times the `margin` of
    the program, whatever the metric; `low` and `high` come of the bounds of the comparison, null of repeat purchases.
    `per_unit_spent` is the margin gained over the `cost`, in basis points: 15,000 is 1.50 for each unit. It is null
    where nothing was spent.
    """

    margin: BasisPoints
    margin_gained: Amount
    low: Amount | None
    high: Amount | None
    cost: Amount
    per_unit_spent: int | None


class GiftsByState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gifts that were drawn stand, in all."""

    waiting: Count
    revealed: Count
    stopped: Count
    failed: Count
    taken_back: Count


class GiftCost(msgspec.Struct, frozen=True, kw_only=True):
    """What the revealed gifts cost that were not taken back, by the cost of their prizes, and the points that stayed.

    Of gifts that refunds took back in part the whole cost counts.
    """

    cost: Amount
    points: Count


class StopsByReason(msgspec.Struct, frozen=True, kw_only=True):
    """So many occasions and so many gifts were stopped for this reason; one that had two is told with both."""

    reason: SuppressionReason
    at_draw: Count
    at_sending: Count


class SurpriseReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether surprises changed the metric of those who could get them, and what they cost, as all stood at `made_at`.

    A customer's window begins with the first occasion that the audience and no suppression kept from a gift, on either
    side of the lot, and lasts `window_days` of 24 hours. Purchases of the program's currency count that were recorded
    behind its begin and occurred in it. Whatever came later (a suppression, an empty prize, a failed delivery, an
    erasure) takes nobody out. Only closed windows count.
    """

    made_at: Time
    currency: CurrencyCode
    metric: Metric
    unit: Unit
    window_days: int
    holdout: BasisPoints
    treated: ReportedArm
    held_out: ReportedArm
    comparison: Comparison | None
    no_comparison: NoComparison | None
    gain: Gain | None
    cost: GiftCost
    gifts: GiftsByState
    stops: list[StopsByReason]


class CampaignReport(SurpriseReport, frozen=True, kw_only=True):
    """The same of one campaign: of those of its audience, but for those who never get any surprise."""

    campaign_id: str


class AudiencePart(Enum):
    """A part of an audience that only an occasion meets: a forecast leaves it out."""

    PURCHASE = "purchase"
    ITEMS = "items"
    TIME = "time"
    EXPRESSION = "expression"


class SmallestEffect(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest true effect that is told four times of five once all windows are closed, at a `share` of holdout.

    Rounded up; null where nothing will be told. `relative` is the same as basis points of the mean so far.
    """

    share: BasisPoints
    held_out: Count
    treated: Count
    smallest: Measured | None
    relative: Count | None


class CampaignForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign can find, by what its audience did in the last `window_days`, without it.

    Of `customers` so many were looked at (`sampled`, evenly by when they were enrolled); `eligible` is scaled up to
    all. They are in the audience now, not suppressed, and not held out of all surprises; parts of the audience that
    need an occasion are `left_out`, and how many will have one while it runs nobody knows: at most so many are
    compared. `mean` is rounded half up, and so is the standard `deviation`. `needed_share` of holdout suits so many
    customers. `finds_target`: at its own holdout an effect of its `target_effect` will be told; null without a target.
    """

    campaign_id: str
    made_at: Time
    currency: CurrencyCode
    metric: Metric
    unit: Unit
    window_days: int
    customers: Count
    sampled: Count
    eligible: Count
    left_out: list[AudiencePart]
    mean: Measured | None
    deviation: Measured | None
    holdout: BasisPoints
    at_holdout: SmallestEffect | None
    at_shares: list[SmallestEffect]
    needed_share: BasisPoints
    share_suffices: bool
    target_effect: Measured | None
    finds_target: bool | None
    no_comparison: NoComparison | None
    method: str
