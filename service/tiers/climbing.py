"""What becomes of customers' tiers in one booking: settled, counted, and told. Pure.

Who books a fact settles the customer's tier first, decides by it, then counts the fact. All of it is in the customer's
row, which the booking writes anyway; only a change and a notice are rows of their own.
"""

from collections.abc import Mapping, Sequence
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
from service.tiers.movements import counted_by, movements_of
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
from service.tiers.settling import and_then, brought_in, contribute, contribute_all, newcomer, settle

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
    counted: int = 0
    """How many of the account's transfers were counted in it, where any are."""


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
        """Settle an account's tier, and count what it moved so far; nothing is kept."""
        customer, now = account.customer, account.now
        ladder = ladder_at(self.program, now)
        if ladder is None:
            return Climber(customer, None, Settled(TierState(customer.tier)))
        if ladder.movements:
            settled = _moved(_state(account, ladder), ladder, account)
        else:
            settled = settle(state_of(customer, ladder, now), ladder, now)
        if settled.state.tier != customer.tier:
            customer = _replace(customer, tier=settled.state.tier)
        return Climber(customer, ladder, settled, len(account.transfers))

    def benefits(self, customer: Customer, moment: datetime) -> Tier | None:
        """Return a customer's tier as it was defined at a moment; None for none, and where it wasn't defined then."""
        if customer.tier is None or self.program.at(moment).settings.tiers is None:
            return None
        return tiers_of(self.program).at(moment).get(customer.tier)

    def count(
        self,
        account: Account,
        climber: Climber,
        *,
        occurred_at: datetime,
        amount: int,
        reason: Reason,
        besides: Sequence[tuple[datetime, int]] = (),
    ) -> TierName | None:
        """Count an amount for an account's customer, keep what comes of it, and give the tier after it.

        What else the fact counts, or moved in the account since the climber was asked for, is counted with it; what
        is `besides` each on the day of a moment of its own.
        """
        ladder, settled = climber.ladder, climber.settled
        if ladder is None:
            self._uncounted(account)
            return None
        if is_counted_otherwise(settled.state, ladder):
            # Who counts it all again counts this, too. Until then nothing that was counted is to be trusted, also by
            # those who know of another policy than this process.
            self.keep(account, ladder, _replace(settled, state=without_count(settled.state)))
            return _named(settled.state.tier, ladder)
        now, today = account.now, ladder.day_of(account.now)
        day = ladder.day_of(occurred_at, near=today)
        if ladder.movements:
            moved = counted_by(ladder, movements_of(account.transfers[climber.counted :]))
            besides = [*besides, *(each for its in moved for each in its.amounts)]
            amounts = [(day, amount), *((ladder.day_of(at, near=today), its_amount) for at, its_amount in besides)]
            after = contribute_all(settled.state, ladder, now=now, amounts=amounts, reason=reason)
        else:
            after = contribute(settled.state, ladder, now=now, day=day, amount=amount, reason=reason)
        self.keep(account, ladder, and_then(settled, after))
        return _named(after.state.tier, ladder)

    def bring(self, account: Account, climber: Climber, along: BroughtAlong | None, row_id: UUID) -> TierName | None:
        """Let an account's customer have what an opening balance, by its row's id, brings of tiers; None: nothing.

        Keeps what comes of it, and gives the tier after it. Who brings something has a ladder.
        """
        ladder, settled = climber.ladder, climber.settled
        if ladder is None:
            self._uncounted(account)
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
            settled = and_then(settled, after)
        elif is_counted_otherwise(settled.state, ladder):
            # What has come due of points may count by the policy that others know of.
            settled = _replace(settled, state=without_count(settled.state))
        self.keep(account, ladder, settled)
        return _named(settled.state.tier, ladder)

    def follow(self, account: Account) -> None:
        """Count what an account moved and nobody has counted yet, where the program's policy says so."""
        if account.followed == len(account.transfers) or not movements_of(account.transfers[account.followed :]):
            return
        ladder = ladder_at(self.program, account.now)
        if ladder is None:
            self._uncounted(account)
            return
        state = _state(account, ladder)
        if is_counted_otherwise(state, ladder):
            if state.basis:
                self.keep(account, ladder, Settled(without_count(state)))
        elif ladder.movements:
            self.keep(account, ladder, _moved(state, ladder, account))

    def keep(self, account: Account, ladder: Ladder, settled: Settled) -> None:
        """Keep what was decided of an account's customer, and tell of changes and of what ends soon."""
        self.now, state, account.followed = account.now, settled.state, len(account.transfers)
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
    has_begun = customer.has_facts or (customer.has_moved and bool(ladder.movements))
    return TierState(customer.tier) if has_begun else newcomer(ladder, now)


def _state(account: Account, ladder: Ladder) -> TierState:
    """Read where an account's customer stands, as it was before this booking moved anything."""
    customer = account.customer
    if customer.tier_state is None and account.transfers:
        customer = _replace(customer, version=customer.version - len(account.transfers))
    return state_of(customer, ladder, account.now)


def with_moved(amounts: Mapping[int, int], ladder: Ladder, account: Account) -> Mapping[int, int]:
    """Add what an account moved, and is not written yet, to what was counted anew by days."""
    together = dict(amounts)
    for its in counted_by(ladder, movements_of(account.transfers)):
        for at, amount in its.amounts:
            day = ladder.day_of(at)
            together[day] = together.get(day, 0) + amount
    return together


def _moved(state: TierState, ladder: Ladder, account: Account) -> Settled:
    """Count what an account moved and nobody has counted yet, each at its moment, and settle until now.

    Whoever books something books first what has come due, and counts that here. So it comes to the same whether each
    end of points was counted when it came, or all at once.
    """
    settled, today = Settled(state), ladder.day_of(account.now)
    for its in counted_by(ladder, movements_of(account.transfers[account.followed :])):
        amounts = [(ladder.day_of(at, near=today), amount) for at, amount in its.amounts]
        at = its.at if state.ladder == ladder.key else account.now
        after = contribute_all(settled.state, ladder, now=at, amounts=amounts, reason=its.reason)
        settled = and_then(settled, after)
    return and_then(settled, settle(settled.state, ladder, account.now))


def without_count(state: TierState) -> TierState:
    """Let all be counted again: what was counted is not all any more. The tier stays until then."""
    return _replace(state, basis="", days=(), amounts=(), next_day=None)


def _named(tier_id: str | None, ladder: Ladder) -> TierName | None:
    tier = ladder.at(ladder.level(tier_id))
    return None if tier is None else TierName(tier.id, tier.content.name)
