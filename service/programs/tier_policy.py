"""How customers qualify for tiers and how they lose them: what a merchant may set. Pure.

What that comes to at a moment is decided in `service.tiers`.
"""

from enum import Enum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from service.kernel.amounts import CurrencyCode, exponent
from service.kernel.errors import Invalid
from service.kernel.periods import Period

LONGEST_WINDOW_MONTHS: Final = 36
LONGEST_WINDOW_DAYS: Final = 1_100
MONTHS_IN_YEAR: Final = 12
SHORTEST_MONTH: Final = 28
MONTHS_IN: Final = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}

_UNIQUE: Final = {"uniqueItems": True}


class QualifyBy(Enum):
    """What is counted for tiers."""

    POINTS = "points"
    """What purchases earned, less reversals."""
    SPEND = "spend"
    """The totals of purchases in one currency, less what was refunded."""
    PURCHASES = "purchases"
    """Purchases that did not come back whole."""


class CountedPoints(Enum):
    """Which points count for tiers beside those that purchases earned."""

    BONUSES = "bonuses"
    """What purchases earned by rules that are marked as bonus."""
    ACTIVITIES = "activities"
    ADJUSTMENTS = "adjustments"
    """Points given by hand are added, those taken are taken off, on the day on which the adjustment is booked."""
    REDEMPTIONS = "redemptions"
    """Spent points are taken off, whatever had given them, on the day of the capture.

    Held ones are not, and what is released was never spent. What a refund restores is added to that day again.
    """
    EXPIRY = "expiry"
    """Points that end by time are taken off, whatever had given them, on the day on which they end.

    So are those that lapse unconfirmed. What a refund would have taken back had it not ended is added to it again.
    """


class Downgrade(Enum):
    """How far a customer falls whose tier is over."""

    BY_BALANCE = "by_balance"
    """To the tier that what was counted says."""
    ONE_STEP = "one_step"
    """By one tier at most, which is then kept for a whole period."""


class RollingPeriod(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rolling"):
    """What occurred within the last `months` or `days` counts.

    It does until the end of the day that is so many months or days after it, as points last that end so.
    """

    months: Annotated[int, Meta(ge=1, le=LONGEST_WINDOW_MONTHS)] | None = None
    days: Annotated[int, Meta(ge=1, le=LONGEST_WINDOW_DAYS)] | None = None


class CalendarPeriod(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="calendar"):
    """What occurred in one month, quarter, half-year or year counts together; years begin with `start_month`.

    Who reaches a tier has it until the end of the next period.
    """

    period: Period
    start_month: Annotated[int, Meta(ge=1, le=MONTHS_IN_YEAR)] = 1


TierPeriod: TypeAlias = RollingPeriod | CalendarPeriod


class TierPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How customers qualify for tiers. What it says applies to all of them from its version's moment on."""

    period: TierPeriod
    qualify_by: QualifyBy = QualifyBy.POINTS
    currency: Annotated[
        CurrencyCode | None,
        Meta(description="Only for spend; purchases in others don't count. Null: the program's currency."),
    ] = None
    counts: Annotated[
        tuple[CountedPoints, ...],
        Meta(
            description="Only for points: which count beside what purchases earned by rules that are not marked as "
            "bonus, less reversals. Bonuses and activities are added, adjustments added or taken off. What is captured "
            "of redemptions, or expires, is taken off on that day, whatever had given these points; what a refund "
            "restores was never spent.",
            extra_json_schema=_UNIQUE,
        ),
    ] = ()
    downgrade: Downgrade = Downgrade.BY_BALANCE
    grace_days: Annotated[
        int, Meta(ge=0, le=365, description="For so many days a tier is kept that the period doesn't give any more.")
    ] = 0
    notice_days: Annotated[
        Annotated[int, Meta(ge=1, le=365)] | None,
        Meta(
            description="So many days before a tier is over the customer is told: fewer than it lasts at least; null: "
            "nobody is told."
        ),
    ] = None


def check_tiers(policy: TierPolicy, within: str) -> None:
    """Refuse what the types can't: a duration given twice or not at all, settings without a meaning, a notice too long.

    Raises Invalid; `within` is the pointer to the policy.
    """
    if isinstance(policy.period, RollingPeriod):
        months, days = policy.period.months, policy.period.days
        if months is None and days is None:
            detail, pointer = "Either months or days are required.", f"{within}/period/months"
            raise Invalid(detail, pointer=pointer, reason="missing")
        if months is not None and days is not None:
            detail, pointer = "Give either months or days, not both.", f"{within}/period/days"
            raise Invalid(detail, pointer=pointer, reason="exclusive")
    if policy.currency is not None and policy.qualify_by is not QualifyBy.SPEND:
        detail = "A currency has a meaning only where spend qualifies."
        raise Invalid(detail, pointer=f"{within}/currency", reason="contradictory")
    if policy.currency is not None and exponent(policy.currency) is None:
        detail = "This is no ISO 4217 currency with a minor unit."
        raise Invalid(detail, pointer=f"{within}/currency", reason="unknown_currency")
    if policy.counts and policy.qualify_by is not QualifyBy.POINTS:
        detail = "Kinds of points have a meaning only where points qualify."
        raise Invalid(detail, pointer=f"{within}/counts", reason="contradictory")
    for number, each in enumerate(policy.counts):
        if each in policy.counts[:number]:
            raise Invalid("This stands here twice.", pointer=f"{within}/counts/{number}", reason="duplicate")
    lasts = _lasts_at_least(policy)
    if policy.notice_days is not None and policy.notice_days >= lasts:
        detail = f"A tier may be over {lasts} days after it was reached: with each purchase the customer would be told."
        raise Invalid(detail, pointer=f"{within}/notice_days", reason="out_of_range")


def _lasts_at_least(policy: TierPolicy) -> int:
    """Return for how many days a tier is had at least, with nothing more after what reached it."""
    period = policy.period
    if isinstance(period, RollingPeriod):
        days = SHORTEST_MONTH * period.months if period.months is not None else period.days or 0
    else:
        days = SHORTEST_MONTH * MONTHS_IN[period.period]
    return days + policy.grace_days
