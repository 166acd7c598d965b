"""What a customer's tier is worth showing: what is missing for the next, what keeps this one, what comes. Pure.

The structs are those on the wire.
"""

from datetime import datetime

import msgspec

from service.kernel.times import Time
from service.programs.tier_policy import QualifyBy
from service.tiers.rules import Ladder, TierState, is_counted_otherwise
from service.tiers.settling import ends_on, settle
from service.tiers.windows import NEVER_DAY, Calendar


class NextTier(msgspec.Struct, frozen=True):
    """The tier above, and how many points, minor units of `currency` or purchases (`unit`) are missing for it now."""

    id: str
    name: str
    missing: int
    unit: QualifyBy
    currency: str | None


class Keeping(msgspec.Struct, frozen=True):
    """Until when the tier is kept if nothing more is counted, and how much is missing to keep it longer.

    What is missing counts for that from `since` on; null: now.
    """

    until: Time
    missing: int
    since: Time | None


class TierAt(msgspec.Struct, frozen=True):
    """A tier (null: none) that the customer will have from a moment on, if nothing more is counted."""

    id: str | None
    name: str | None
    at: Time


class TierStanding(msgspec.Struct, frozen=True):
    """A customer's tier: `id`, `name` and `since` are null where none is reached, `next` in the highest.

    `keep` is null where it lasts for ever. `projected` is the tier after the current period of the calendar and its
    days of grace, or, where periods roll, after the end of this one; null: no other ever. `downgrade` is what the
    customer was told to expect. While all is counted anew after a change of the terms these are null.
    """

    id: str | None
    name: str | None
    since: Time | None
    next: NextTier | None
    keep: Keeping | None
    projected: TierAt | None
    downgrade: TierAt | None


def standing_of(state: TierState, ladder: Ladder, now: datetime) -> TierStanding:
    """Tell what a customer's tier shows now, whether it was settled or not."""
    state = settle(state, ladder, now).state
    level, today = ladder.level(state.tier), ladder.day_of(now)
    tier = ladder.at(level)
    name = None if tier is None else tier.content.name
    if is_counted_otherwise(state, ladder):
        return TierStanding(state.tier, name, state.since, next=None, keep=None, projected=None, downgrade=None)
    ends = ends_on(state, ladder, level, today)
    return TierStanding(
        state.tier,
        name,
        state.since,
        _next(state, ladder, level, today),
        _keeping(state, ladder, level, today, ends),
        _projected(state, ladder, today, ends),
        None if state.noticed_day is None else _tier_at(state, ladder, state.noticed_day),
    )


def _next(state: TierState, ladder: Ladder, level: int, today: int) -> NextTier | None:
    if level + 1 == len(ladder.tiers):
        return None
    tier, unit = ladder.tiers[level + 1], ladder.policy.qualify_by
    missing = tier.content.threshold - ladder.window.progress(state.days, state.amounts, today)
    return NextTier(tier.id, tier.content.name, missing, unit, ladder.currency if unit is QualifyBy.SPEND else None)


def _keeping(state: TierState, ladder: Ladder, level: int, today: int, ends: int) -> Keeping | None:
    until = ladder.start_of(ends)
    if until is None:
        return None
    there, since = ladder.window.renewal(state.days, state.amounts, today, ends)
    missing = ladder.thresholds[level] - there
    return Keeping(until, missing, ladder.start_of(since) if since > today else None)


def _projected(state: TierState, ladder: Ladder, today: int, ends: int) -> TierAt | None:
    day = ladder.window.step_from(today) if isinstance(ladder.window, Calendar) else ends
    return _tier_at(state, ladder, day) if day < NEVER_DAY else None


def _tier_at(state: TierState, ladder: Ladder, day: int) -> TierAt | None:
    at = ladder.start_of(day)
    if at is None:
        return None
    state = settle(state, ladder, at).state
    tier = ladder.at(ladder.level(state.tier))
    return TierAt(state.tier, None if tier is None else tier.content.name, at)
