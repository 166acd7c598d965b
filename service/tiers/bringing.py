"""What customers bring along of tiers: one that they had elsewhere, and what was counted for them there. Pure.

It is a fact like a purchase: kept as it was told, and looked at again whenever all facts are.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from service.points.rules import NEVER
from service.programs.tier_policy import QualifyBy
from service.tiers.rules import Guarantee, Ladder
from service.tiers.windows import NEVER_DAY


class FormerTier(msgspec.Struct, frozen=True):
    """A tier that a customer had elsewhere, by its id here.

    Its period is over with `until` (NEVER: it lasts for ever); None: as long as that of a tier reached here `since`.
    """

    tier: str
    since: datetime
    until: datetime | None


class FormerCount(msgspec.Struct, frozen=True):
    """What was counted elsewhere at a moment, > 0: points, minor units or purchases."""

    amount: int
    occurred_at: datetime


class BroughtAlong(msgspec.Struct, frozen=True):
    """What an opening balance brought of tiers. `counted` is in what the program qualified by then, and its currency.

    The currency is None but for spend.
    """

    tier: FormerTier | None
    counted: tuple[FormerCount, ...]
    qualify_by: QualifyBy
    currency: str | None


def unit_of(ladder: Ladder) -> tuple[QualifyBy, str | None]:
    """Return what is counted: in which unit, and of spend in which currency."""
    by = ladder.policy.qualify_by
    return by, ladder.currency if by is QualifyBy.SPEND else None


def last_of(former: FormerTier, ladder: Ladder) -> int:
    """Return before which day a tier that was brought along is over, days of grace included."""
    if former.until is None:
        return ladder.window.kept_from(ladder.day_of(former.since))
    if former.until == NEVER:
        return NEVER_DAY
    day = ladder.day_of(former.until)
    if ladder.start_of(day) != former.until:
        day += 1  # a tier is had for whole days
    return min(day + ladder.window.grace, NEVER_DAY)


def amounts_of(along: BroughtAlong, ladder: Ladder) -> list[tuple[int, int]]:
    """Return what counts of what was counted elsewhere, by day: nothing where the program counts something else now."""
    if (along.qualify_by, along.currency) != unit_of(ladder):
        return []
    return [(ladder.day_of(each.occurred_at), each.amount) for each in along.counted]


def guarantees_of(brought: Sequence[BroughtAlong], ladder: Ladder) -> tuple[Guarantee, ...]:
    """Return for how long which tiers are had that were brought along."""
    tiers = (each.tier for each in brought if each.tier is not None)
    return tuple([Guarantee(each.tier, last_of(each, ladder), brought=True) for each in tiers])
