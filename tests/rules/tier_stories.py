"""Words in which customers' tiers are told: what they buy on which day, and what came of it."""

from datetime import date

from service.kernel.periods import Period
from service.programs.tier_policy import CalendarPeriod, RollingPeriod, TierPolicy
from service.tiers.rules import Reason
from tests.rules.tier_model import Books, Fact, ladder

TIERS = [("bronze", 0), ("silver", 500), ("gold", 1_000), ("platinum", 2_000)]
ROLLING = TierPolicy(RollingPeriod(months=12))
YEARLY = TierPolicy(CalendarPeriod(Period.YEAR))
TIME, PURCHASE, REFUND = Reason.TIME, Reason.PURCHASE, Reason.REFUND


def day(text: str) -> date:
    """Read a date."""
    return date.fromisoformat(text)


def number(text: str) -> int:
    """Number a day, as the rules do."""
    return day(text).toordinal()


def books(policy: TierPolicy, zone: str = "Europe/Berlin") -> Books:
    """Begin a customer's story."""
    return Books(ladder(policy, TIERS, zone))


def bought(amount: int, on: str, known: str | None = None) -> Fact:
    """Make a purchase, reported on its day or on a later one."""
    return Fact(day(on), amount, day(known or on))


def refunded(amount: int, of: str, known: str) -> Fact:
    """Make a refund of what was bought on a day."""
    return Fact(day(of), -amount, day(known), REFUND)


def told(of: Books) -> list[tuple[str | None, str | None, str, Reason]]:
    """Tell the changes so far."""
    return [(before, after, on.isoformat(), reason) for before, after, on, reason in of.changes]
