"""Opening balances on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.customers.rules import Balance
from service.opening_balances.rules import Brought
from service.opening_balances.usecases import AcceptedBalance
from service.platform.http.body import Envelope
from service.platform.http.problems import Problem
from service.points.bulk import Fate
from service.tiers.climbing import TierName


class OpeningBalancesIn(Envelope, frozen=True):
    """Opening balances to report together, each on its own merits."""

    balances: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=500)]


class OpeningBalanceOut(msgspec.Struct, frozen=True):
    """The answer to an opening balance: the same for every repetition, also of the balance as it was then.

    `points` are those of all its lots, of which some may be pending. `tier` is the customer's after it; null: none.
    """

    id: str
    customer_id: str
    points: int
    debt: int
    balance: Balance
    tier: TierName | None


class OpeningBalanceEntryOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one opening balance: it, or the problem."""

    status: int
    opening_balance: OpeningBalanceOut | None = None
    problem: Problem | None = None


class OpeningBalancesOut(msgspec.Struct, frozen=True):
    """What became of each opening balance, in order."""

    results: list[OpeningBalanceEntryOut]


class BroughtOut(msgspec.Struct, frozen=True):
    """An opening balance as an export shows it, with the customer's balance and tier then."""

    id: str
    points: int
    debt: int
    balance: Balance
    tier: TierName | None


def brought_out(its_id: str, brought: Brought) -> BroughtOut:
    """Render an opening balance for an export."""
    return BroughtOut(its_id, brought.granted, brought.debt, brought.balance, brought.tier)


def entry_out(fate: Fate, accepted: AcceptedBalance | None) -> OpeningBalanceEntryOut:
    """Render what became of one opening balance."""
    if accepted is None:
        return OpeningBalanceEntryOut(fate.status, problem=fate.problem)
    content, brought = accepted.content, accepted.answer
    told = OpeningBalanceOut(
        content.id, content.customer_id, brought.granted, brought.debt, brought.balance, brought.tier
    )
    return OpeningBalanceEntryOut(fate.status, opening_balance=told)
