"""A customer's balance on the wire, with the tier."""

import msgspec

from service.customers.rules import Standing
from service.kernel.times import Time
from service.programs.tier_policy import QualifyBy
from service.tiers.standing import TierAt, TierStanding


class NextExpiryOut(msgspec.Struct, frozen=True):
    """How many points expire next, and when."""

    points: int
    at: Time


class NextTierOut(msgspec.Struct, frozen=True):
    """The tier above, and how many points, minor units of `currency` or purchases (`unit`) are missing for it now."""

    id: str
    name: str
    missing: int
    unit: QualifyBy
    currency: str | None


class KeepingOut(msgspec.Struct, frozen=True):
    """Until when the tier is kept if nothing more is counted, and how much is missing to keep it longer.

    What is missing counts for that from `since` on; null: now.
    """

    until: Time
    missing: int
    since: Time | None


class TierAtOut(msgspec.Struct, frozen=True):
    """A tier (null: none) that the customer will have from a moment on, if nothing more is counted."""

    id: str | None
    name: str | None
    at: Time


class TierStandingOut(msgspec.Struct, frozen=True):
    """A customer's tier: `id`, `name` and `since` are null where none is reached, `next` in the highest.

    `keep` is null where it lasts for ever. `projected` is the tier after the current period of the calendar and its
    days of grace, or, where periods roll, after the end of this one; null: no other ever. `downgrade` is what the
    customer was told to expect. While all is counted anew after a change of the terms these are null.
    """

    id: str | None
    name: str | None
    since: Time | None
    next: NextTierOut | None
    keep: KeepingOut | None
    projected: TierAtOut | None
    downgrade: TierAtOut | None


class BalanceOut(msgspec.Struct, frozen=True):
    """A customer's points by bucket, and the tier; null where the program has none."""

    customer_id: str
    available: int
    pending: int
    held: int
    debt: int
    lifetime_earned: int
    next_expiry: NextExpiryOut | None = None
    tier: TierStandingOut | None = None


def balance_out(standing: Standing, tier: TierStanding | None) -> BalanceOut:
    """Render a balance."""
    has, expiry = standing.balance, None
    if standing.next_expiry_at is not None:
        expiry = NextExpiryOut(standing.next_expiry_points, standing.next_expiry_at)
    return BalanceOut(
        standing.customer_id,
        has.available,
        has.pending,
        has.held,
        has.debt,
        standing.lifetime_earned,
        expiry,
        None if tier is None else _tier_out(tier),
    )


def _tier_out(tier: TierStanding) -> TierStandingOut:
    above, keep = tier.next, tier.keep
    return TierStandingOut(
        tier.id,
        tier.name,
        tier.since,
        None if above is None else NextTierOut(above.id, above.name, above.missing, above.unit, above.currency),
        None if keep is None else KeepingOut(keep.until, keep.missing, keep.since),
        _at_out(tier.projected),
        _at_out(tier.downgrade),
    )


def _at_out(tier: TierAt | None) -> TierAtOut | None:
    return None if tier is None else TierAtOut(tier.id, tier.name, tier.at)
