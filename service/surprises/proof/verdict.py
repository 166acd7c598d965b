"""What a campaign's interval says, and how many customers would tell a given effect. Pure."""

from enum import StrEnum
from math import ceil, sqrt
from statistics import NormalDist
from typing import Final

import msgspec

from service.surprises.proof.sequence import (
    ALPHA,
    LEAST_CUSTOMERS,
    LEAST_OUTCOMES,
    Arm,
    Interval,
    margin,
    variance_of,
)

POWER: Final = 0.8
"""How often an effect of the size in question is to be told."""
_Z: Final = NormalDist().inv_cdf(POWER)


class Verdict(StrEnum):
    """Whether the surprises changed anything. What is told at any one look is wrong in at most 5 % of campaigns.

    A later look may be less sure again, and hold nought: that doesn't make the earlier one more often wrong.
    """

    WORKS = "works"
    HARMS = "harms"
    CANNOT_TELL_YET = "cannot_tell_yet"


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers with closed windows both arms need together, and how many more than now that is."""

    customers: int
    more: int


def verdict(interval: Interval) -> Verdict:
    """Return what the interval says: the effect is certain where nought lies outside; a bound at nought is not yet."""
    if interval.low is not None and interval.low > 0:
        return Verdict.WORKS
    if interval.high is not None and interval.high < 0:
        return Verdict.HARMS
    return Verdict.CANNOT_TELL_YET


def customers_needed(treated: Arm, control: Arm, *, target: float, planned: int, alpha: float = ALPHA) -> Needed | None:
    """Return how many customers tell a true effect of `target` with a probability of 80 %; None while none can be told.

    `target` is in the unit of the outcomes, for each customer; its sign doesn't matter. The arms keep their shares and
    variances, and the rarer outcomes their rate. That it may be told at a look before isn't counted on.

    Raises:
        ValueError: `target` is nought, or see `margin`.
    """
    if not target:
        raise ValueError("target must not be nought")
    variance = variance_of(treated, control)
    if variance is None:
        return None
    now = treated.customers + control.customers
    least = max(max(LEAST_CUSTOMERS / arm.customers, LEAST_OUTCOMES / arm.telling) for arm in (treated, control))
    high = max(1, ceil(now * least))
    low = high - 1  # `low` is never enough, from here on `high` always is
    while findable(high, variance=variance, planned=planned, alpha=alpha) > abs(target):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if findable(middle, variance=variance, planned=planned, alpha=alpha) > abs(target):
            low = middle
        else:
            high = middle
    return Needed(customers=high, more=max(0, high - now))


def findable(customers: int, *, variance: float, planned: int, alpha: float = ALPHA) -> float:
    """Return the effect that is told at so many customers with a probability of 80 %; it falls with the customers.

    The estimate is about normal around the true effect, with a standard error of sqrt(variance / customers), and must
    lie `margin` off nought: so the true effect lies a further 0.8416 standard errors off. `variance` is that of
    `variance_of`. ValueError: see `margin`.
    """
    return sqrt(variance) * (margin(customers, planned=planned, alpha=alpha) + _Z / sqrt(customers))
