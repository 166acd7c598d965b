"""Which tier a customer has at a moment, for those who ask for at least some tier. Pure."""

from datetime import datetime

import msgspec

from service.customers.rules import Customer, Standing
from service.points.account import Account
from service.programs.rules import Program
from service.tiers.book import ladder_at, tiers_of
from service.tiers.climbing import Climbing, state_of
from service.tiers.rules import Ladder, reaches
from service.tiers.settling import settle


class Reached(msgspec.Struct, frozen=True):
    """The tier that a customer has (None: none) on the ladder of a moment; no ladder: the program has no tiers."""

    ladder: Ladder | None
    tier: str | None

    def is_at_least(self, minimum: str | None) -> bool:
        """Tell whether that is enough for a minimum, by the ladder's order. None asks for nothing.

        Nobody has what asks for a tier that there is not, or no more.
        """
        return minimum is None or (self.ladder is not None and reaches(self.ladder, self.tier, minimum))


def reached(customer: Customer | Standing, program: Program, now: datetime) -> Reached:
    """Return the tier that a customer has now, with all that time did, whether it was settled or not."""
    ladder = ladder_at(program, now)
    if ladder is None:
        return Reached(None, None)
    return Reached(ladder, settle(state_of(customer, ladder, now), ladder, now).state.tier)


def reached_by(account: Account, program: Program) -> Reached:
    """Return the tier that the customer of an account has, with what was moved in it and is not counted yet."""
    climber = Climbing(program).climber(account)
    return Reached(climber.ladder, climber.settled.state.tier)


def is_offered(tier: str, program: Program, now: datetime) -> bool:
    """Tell whether there is a tier with this id, now or later."""
    tiers = tiers_of(program)
    return any(tier in tiers.at(moment) for moment in tiers.moments_from(now))
