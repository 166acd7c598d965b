"""Paying invoices early, again and again: what earning rules see of it, and what they give for it. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.customers.rules import with_activity
from service.earning.occasion import Known, Occasion
from service.earning.rules import INVOICE_PAID, Line
from service.earning.terms import Terms
from service.earning.vocabulary import InvoicePaid
from service.kernel.errors import Invalid
from service.points.account import Account
from service.points.policies import kept_alive
from service.points.rules import Cause
from service.programs.policies import QualifyingActivity
from service.programs.rules import ProgramSettings


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """That a payment closed an invoice, which charged a `total`, less credit notes, in minor units of `currency`.

    `occurred_at` is the moment by whose rules it is rewarded. An invoice without the day `due_on` is never paid early.
    It was `discounted` where a discount was earned on it, or points instead of one. `streak` is how many invoices in a
    row were paid early, this one included.
    """

    occurred_at: datetime
    currency: str
    total: int
    issued_on: date
    due_on: date | None
    paid_on: date
    discounted: bool
    streak: int

    @property
    def days_early(self) -> int:
        """How many days before the due day it was paid; 0 where it wasn't early."""
        return 0 if self.due_on is None else max(0, (self.due_on - self.paid_on).days)


class Rewarded(msgspec.Struct, frozen=True):
    """What rules gave for a closing: `points`, some `pending`. Each line names the lot of its points."""

    points: int
    pending: int
    lines: tuple[Line, ...]


def streak_of(closings: Sequence[bool]) -> int:
    """Return how many early closings stand at the end of a customer's, in the order in which invoices were closed.

    Each is true where it was early. Those whose payments bounced are not among them.
    """
    late = next((place for place, early in enumerate(reversed(closings)) if not early), None)
    return len(closings) if late is None else late


def occasion_of(closing: Closing, known: Known, settings: ProgramSettings) -> Occasion:
    """Show a closing to earning rules, as an activity with the properties of `InvoicePaid`."""
    early = closing.days_early > 0
    properties = InvoicePaid(
        early=early,
        days_early=closing.days_early,
        days_to_pay=max(0, (closing.paid_on - closing.issued_on).days),
        discounted=closing.discounted,
        streak=closing.streak if early else 0,
        total=closing.total,
        currency=closing.currency,
    )
    zone = ZoneInfo(settings.time_zone)
    given = msgspec.structs.asdict(properties)
    return Occasion(closing.occurred_at, zone, known, type=INVOICE_PAID, properties=given)


def reward(closing: Closing, account: Account, terms: Terms, *, row_id: UUID, cause: Cause) -> Rewarded:
    """Decide what rules give for a closing, and move it into the account of the customer. Raises Invalid.

    Rules, policies and calendar are those of the moment of the closing; `terms` are prepared for it. The first lot has
    the id `row_id`, which nothing else has: not the lot of points instead of a discount either. It is no purchase. It
    keeps points alive, as activities do; for tiers it doesn't count: they are counted again from facts of shops alone.
    """
    at, applied = closing.occurred_at, terms.program.at(closing.occurred_at)
    climber = terms.climbing.climber(account)
    occasion = occasion_of(closing, terms.known(climber.customer), applied.settings)
    try:
        decided = terms.decide(occasion, climber.customer, applied)
    except Invalid as refused:
        raise Invalid(refused.detail, pointer="", reason=refused.reason) from None  # no total stands in the body
    account.customer = with_activity(account.customer, decided.points)
    account.touch(kept_alive(applied.settings, QualifyingActivity.ACTIVITY, at))
    pending_before = account.customer.balance.pending
    lines = terms.reward(decided, account, applied, occasion=occasion, row_id=row_id, cause=cause)
    placed = tuple([msgspec.structs.replace(line, lot=line.lot or row_id) for line in lines])
    return Rewarded(decided.points, account.customer.balance.pending - pending_before, placed)


def granted_in(lines: Iterable[Line]) -> dict[UUID, int]:
    """Return how many points lines gave in each lot: what is taken back when the payment bounces."""
    lots = dict[UUID, int]()
    for line in lines:
        if line.lot is not None:
            lots[line.lot] = lots.get(line.lot, 0) + line.points
    return lots
