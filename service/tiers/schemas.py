"""A customer's balance on the wire, with the tier."""

import msgspec

from service.customers.rules import Standing
from service.kernel.times import Time
from service.tiers.standing import TierStanding


class NextExpiryOut(msgspec.Struct, frozen=True):
    """How many points expire next, and when."""

    points: int
    at: Time


class BalanceOut(msgspec.Struct, frozen=True):
    """A customer's points by bucket, and the tier; null where the program has none."""

    customer_id: str
    available: int
    pending: int
    held: int
    debt: int
    lifetime_earned: int
    next_expiry: NextExpiryOut | None = None
    tier: TierStanding | None = None


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
        tier,
    )
