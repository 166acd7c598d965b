"""Whether a customer is silent, by the own rhythm of purchases. Pure; exact, in whole microseconds.

The rhythm is the mean time between purchases: from the first to the last, over one less than their number.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from service.kernel.times import FIRST_MOMENT
from service.surprises.campaigns import OnInactivity

_MICROSECOND: Final = timedelta(microseconds=1)
_WHOLE: Final = 10_000
"""Basis points of the rhythm that are the rhythm itself."""
_FEWEST: Final = 2
"""Purchases that have time between them."""


def silence_of(
    trigger: OnInactivity,
    *,
    purchase_count: int,
    first_purchase_at: datetime | None,
    last_purchase_at: datetime | None,
    now: datetime,
) -> str | None:
    """Return the occasion of a silence, named by the last purchase: `silence:20261123T081500.000000Z`; None without.

    It is one that is longer than `least_days` and than `times_rhythm` of the rhythm, and at most `most_days`.
    """
    if first_purchase_at is None or last_purchase_at is None or purchase_count < max(trigger.purchases, _FEWEST):
        return None
    silent = now - last_purchase_at
    if not timedelta(days=trigger.least_days) < silent <= timedelta(days=trigger.most_days):
        return None
    # silent > (last - first) / (count - 1) * times_rhythm / 10,000, without a division
    between = (last_purchase_at - first_purchase_at) // _MICROSECOND
    if silent // _MICROSECOND * (purchase_count - 1) * _WHOLE <= between * trigger.times_rhythm:
        return None
    return f"silence:{_compact(last_purchase_at)}"


def silent_since_bounds(trigger: OnInactivity, now: datetime) -> tuple[datetime, datetime]:
    """Return when the last purchase was of all who can be silent now: from the first until before the second moment.

    So that a statement reads few others. What lies before the calendar is its first moment, '-infinity' for the driver.
    """
    return _earlier(now, trigger.most_days), _earlier(now, trigger.least_days)


def _earlier(now: datetime, days: int) -> datetime:
    try:
        return now - timedelta(days=days)
    except OverflowError:
        return FIRST_MOMENT


def _compact(moment: datetime) -> str:
    """Write a moment in the basic format of ISO 8601, in UTC, always with microseconds."""
    written = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{written.replace('-', '').replace(':', '')}Z"
