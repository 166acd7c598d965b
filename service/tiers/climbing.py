"""What becomes of customers' tiers in one booking: settled, counted, and told. Pure.

Who books a fact settles the customer's tier first, decides by it, then counts the fact. All of it is in the customer's
row, which the booking writes anyway; only a change and a notice are rows of their own.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Customer, Standing
from service.kernel.ids import IdSource
from service.points.account import Account
from service.programs.rules import Program
from service.tiers.book import ladder_at, tiers_of
from service.tiers.bringing import BroughtAlong, amounts_of, last_of
from service.tiers.rules import (
    Ladder,
    Reason,
    Settled,
    Tier,
    TierChange,
    TierNotice,
    TierState,
    decode,
    encode,
    is_counted_otherwise,
    next_change_at,
)
from service.tiers.settling import brought_in, contribute, newcomer, settle, told_after

TIER_CHANGED: Final = "customer.tier_changed"
TIER_ENDING: Final = "customer.tier_ending"
_replace = msgspec.structs.replace


class TierName(msgspec.Struct, frozen=True):
    """A tier that a customer has, by its id and what it is called."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Climber:
    """A customer while a fact is decided: settled, and nothing is kept yet. No ladder: the program has no tiers."""

    customer: Customer
    """With the tier that is settled."""
    ladder: Ladder | None
    settled: Settled


@dataclass(slots=True)
class Climbing:
    """The tiers of a batch's customers; what is to be written besides their rows adds up in it."""

    program: Program
    now: datetime | None = None
    """When the batch is booked, once something was kept."""
    changes: list[tuple[int, UUID, TierChange]] = field(default_factory=list[tuple[int, UUID, TierChange]])
    notices: list[tuple[int, UUID, TierNotice]] = field(default_factory=list[tuple[int, UUID, TierNotice]])
    brought: list[tuple[int, UUID, BroughtAlong]] = field(default_factory=list[tuple[int, UUID, BroughtAlong]])
    """With the ids of the opening balances' rows."""

    def climber(self, account: Account) -> Climber:
        """Settle an account's tier; nothing is kept."""
        customer, now = account.customer, account.now
        ladder = ladder_at(self.program, now)
        if ladder is None:
            return Climber(customer, None, Settled(TierState(customer.tier)))
        settled = settle(state_of(customer, ladder, now), ladder, now)
        if settled.state.tier != customer.tier:
            customer = _replace(customer, tier=settled.state.tier)
        return Climber(customer, ladder, settled)

    def benefits(self, customer: Customer, moment: datetime) -> Tier | None:
        """Return a customer's tier as it was defined at a moment; None for none, and where it wasn't defined then."""
        if customer.tier is None or self.program.at(moment).settings.tiers is None:
            return None
        return tiers_of(self.program).at(moment).get(customer.tier)

    def count(
        self, account: Account, climber: Climber, *, occurred_at: datetime, amount: int, reason: Reason
    ) -> TierName | None:
        """Count an amount for an account's customer, keep what comes of it, and give the tier after it."""
        ladder, settled = climber.ladder, climber.settled
        if ladder is None:
            self._uncounted(account)
            return None
        if is_counted_otherwise(settled.state, ladder):
            # Who counts it all again counts this, too. Until then nothing that was counted is to be trusted, also by
            # those who know of another policy than this process.
            self.keep(account, ladder, _replace(settled, state=without_count(settled.state)))
            return _named(settled.state.tier, ladder)
        day = ladder.day_of(occurred_at, near=ladder.day_of(account.now))
        after = contribute(settled.state, ladder, now=account.now, day=day, amount=amount, reason=reason)
        changes, notice = (*settled.changes, *after.changes), told_after(settled, after)
        self.keep(account, ladder, Settled(after.state, changes, notice))
        return _named(after.state.tier, ladder)

    def bring(self, account: Account, climber: Climber, along: BroughtAlong | None, row_id: UUID) -> TierName | None:
        """Let an account's customer have what an opening balance, by its row's id, brings of tiers; None: nothing.

        Keeps what comes of it, and gives the tier after it. Who brings something has a ladder.
        """
        ladder, settled = climber.ladder, climber.settled
        if ladder is None:
            return None
        if along is not None:
            self.brought.append((account.customer.id, row_id, along))
            former = along.tier
            after = brought_in(
                settled.state,
                ladder,
                now=account.now,
                tier=None if former is None else former.tier,
                since=account.now if former is None else former.since,
                until=None if former is None else last_of(former, ladder),
                amounts=amounts_of(along, ladder),
            )
            settled = Settled(after.state, (*settled.changes, *after.changes), told_after(settled, after))
        self.keep(account, ladder, settled)
        return _named(settled.state.tier, ladder)

    def keep(self, account: Account, ladder: Ladder, settled: Settled) -> None:
        """Keep what was decided of an account's customer, and tell of changes and of what ends soon."""
        self.now, state = account.now, settled.state
        account.customer = _replace(
            account.customer,
            tier=state.tier,
            tier_state=encode(state),
            tier_due_at=next_change_at(state, ladder),
        )
        account.news += self.tell(account.customer.id, settled, account.ids)

    def tell(self, customer: int, settled: Settled, ids: IdSource) -> list[tuple[str, UUID]]:
        """Note the changes and the notice of a customer by the internal id; gives the events' types and subjects."""
        news = list[tuple[str, UUID]]()
        for change in settled.changes:
            self.changes.append((customer, ids.next(), change))
            news.append((TIER_CHANGED, self.changes[-1][1]))
        if settled.notice is not None:
            self.notices.append((customer, ids.next(), settled.notice))
            news.append((TIER_ENDING, self.notices[-1][1]))
        return news

    def leave(self, account: Account) -> None:
        """Take away the tier of a program that has none any more, and all that was counted for it.

        Should the program have tiers again, all is counted again, also of who only brought a tier along.
        """
        self.now, customer = account.now, account.customer
        account.customer = _replace(customer, tier=None, tier_state=encode(TierState()), tier_due_at=None)
        if customer.tier is not None:
            change = TierChange(customer.tier, None, account.now, Reason.TERMS)
            account.news += self.tell(customer.id, Settled(TierState(), (change,)), account.ids)

    def _uncounted(self, account: Account) -> None:
        """Note that something was not counted: should the program have tiers again, all is to be counted again."""
        if account.customer.tier_state is not None:
            state = decode(account.customer.tier_state)
            if state.basis:
                text = encode(without_count(state))
                account.customer = _replace(account.customer, tier_state=text, tier_due_at=None)


def state_of(customer: Customer | Standing, ladder: Ladder, now: datetime) -> TierState:
    """Read where a customer stands. Who has none of the facts that could have been counted begins now."""
    if customer.tier_state is not None:
        return decode(customer.tier_state)
    return TierState(customer.tier) if customer.has_facts else newcomer(ladder, now)


def without_count(state: TierState) -> TierState:
    """Let all be counted again: what was counted is not all any more. The tier stays until then."""
    return _replace(state, basis="", days=(), amounts=(), next_day=None)


def _named(tier_id: str | None, ladder: Ladder) -> TierName | None:
    tier = ladder.at(ladder.level(tier_id))
    return None if tier is None else TierName(tier.id, tier.content.name)
