"""What a campaign can find before it starts: the smallest effect, and the share of holdout that this needs. Pure."""

from typing import Final

import msgspec

from service.kernel.shares import WHOLE
from service.surprises.proof.sequence import ALPHA, LEAST_CUSTOMERS, LEAST_OUTCOMES, Arm
from service.surprises.proof.verdict import findable

SHARES: Final = (500, 1000, 2000, 3000, 5000)
"""The shares of holdout of the table, in basis points."""
_MANY: Final = 50_000
"""Eligible customers from which on 5 % are holdout enough."""
_ENOUGH: Final = 2_500
"""Customers that a holdout should have: 5 % of 50,000."""
_FEWEST_SHARE: Final = 500
_LEAST_SHARE: Final = 2_000
_MOST_SHARE: Final = 5_000


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest effect that is found with a probability of 80 %, at a share of holdout in basis points.

    `smallest` is in the unit of the outcomes for each customer, `relative` the same as a part of the mean so far. Both
    are None where nothing will be told, `relative` also where the mean isn't positive.
    """

    share: int
    holdout: int
    treated: int
    smallest: float | None
    relative: float | None


def forecast(history: Arm, *, customers: int, share: int, planned: int | None = None, alpha: float = ALPHA) -> Forecast:
    """Return what a campaign with so many eligible customers can find at its end, by the confidence sequence.

    `history` has the outcomes of such customers over a window of the same length before the start. Both arms are
    expected to have their mean, their variance and as often an outcome other than nought. The sequence is the one that
    is planned for these customers.

    Raises:
        ValueError: `customers` is negative, or `share` isn't from 1 to 9,999 basis points.
    """
    if customers < 0 or not 0 < share < WHOLE:
        raise ValueError("customers must not be negative, and the share lies between 0 and 10,000 basis points")
    holdout = customers * share // WHOLE
    treated = customers - holdout
    smallest = _smallest(history, treated=treated, holdout=holdout, planned=planned, alpha=alpha)
    mean = history.mean
    relative = smallest / mean if smallest is not None and mean is not None and mean > 0 else None
    return Forecast(share=share, holdout=holdout, treated=treated, smallest=smallest, relative=relative)


def forecasts(history: Arm, *, customers: int, alpha: float = ALPHA) -> list[Forecast]:
    """Return the table: the forecast for each of the usual shares, the smallest share first."""
    return [forecast(history, customers=customers, share=share, alpha=alpha) for share in SHARES]


def needed_share(customers: int) -> int:
    """Return the share of holdout in basis points for so many eligible customers.

    5 % from 50,000 on; else what gives 2,500 customers in the holdout, but from 20 % to 50 %. Rounded up.
    """
    if customers >= _MANY:
        return _FEWEST_SHARE
    if customers <= 0:
        return _MOST_SHARE
    return min(max(-(-_ENOUGH * WHOLE // customers), _LEAST_SHARE), _MOST_SHARE)


def _smallest(history: Arm, *, treated: int, holdout: int, planned: int | None, alpha: float) -> float | None:
    """Return the smallest effect; None where the smaller arm will hardly have windows and outcomes enough."""
    variance, fewer = history.variance, min(treated, holdout)
    if variance is None or fewer < LEAST_CUSTOMERS or fewer * history.telling < LEAST_OUTCOMES * history.customers:
        return None
    customers = treated + holdout
    of_difference = customers * variance * (1 / treated + 1 / holdout)
    return findable(customers, variance=of_difference, planned=planned or customers, alpha=alpha)
