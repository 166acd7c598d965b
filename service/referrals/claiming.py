"""Who may be claimed by a code: a new customer, once, by another one. Pure.

A batch of purchases reads what is known of codes and of those who came with them, decides with it, and writes claims
and qualified referrals together with the purchases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Customer
from service.kernel.times import FIRST_MOMENT
from service.points.account import Account
from service.programs.rules import Program
from service.referrals.book import offer_of_code
from service.referrals.codes.rules import key_of
from service.referrals.offers import ByActivity
from service.referrals.rules import (
    BEFORE_THE_CLAIM,
    Code,
    CodeUnusable,
    Fact,
    Referral,
    ReferralState,
    qualified,
    qualifies,
)

SIGNED_UP: Final = "referral.signed_up"
QUALIFIED: Final = "referral.qualified"
_FIRST: Final = FIRST_MOMENT + timedelta(microseconds=1)
"""The first moment that a row can hold."""
_replace = msgspec.structs.replace


class Came(msgspec.Struct, frozen=True):
    """That somebody was claimed already, and by whom, by internal ids as they are now."""

    referee: int
    referrer: int
    claimed_at: datetime = FIRST_MOMENT


class Told(msgspec.Struct, frozen=True):
    """What became of the code that a new customer's purchase brought, as it is answered for ever: refused, without id.

    Of somebody who isn't new nothing is kept: no code could have been used.
    """

    status: ReferralState
    id: UUID | None = None


def claim(
    code: Code | None,
    *,
    program: Program,
    referee: Customer | None,
    came: Sequence[Came],
    referral_id: UUID,
    now: datetime,
    occurred_at: datetime | None = None,
    claimed_with: UUID | None = None,
) -> Referral:
    """Claim a referee with a code; None: somebody who is not enrolled yet. Raises CodeUnusable, whatever the reason.

    `came` are the referrals by which the referee and the code's owner came themselves. `occurred_at` is when the
    purchase did that the code came with.
    """
    if referee is not None and (referee.purchase_count or any(each.referee == referee.id for each in came)):
        raise CodeUnusable(is_guess=False)
    if code is None or code.closed_at is not None:
        raise CodeUnusable
    offer = offer_of_code(program, code.offer, code.tier, now)
    if offer is None:
        raise CodeUnusable
    terms = offer.content
    if referee is not None:
        is_new = referee.enrolled_at >= now - timedelta(days=terms.claim_days)
        if not is_new or referee.id == code.customer or any(_stands_against(each, referee, code) for each in came):
            raise CodeUnusable
    began = now if occurred_at is None else min(now, occurred_at)
    expires_at = now + timedelta(days=terms.window_days)
    may_be_done = isinstance(terms.qualification, ByActivity) and referee is not None and not referee.is_new
    return Referral(
        id=referral_id,
        referrer=code.customer,
        referee=None if referee is None else referee.id,
        code_id=code.id,
        offer=offer.id,
        offer_version=offer.version,
        terms=terms,
        state=ReferralState.SIGNED_UP,
        claimed_with=claimed_with,
        claimed_at=now,
        counts_from=max(began, _FIRST + BEFORE_THE_CLAIM) - BEFORE_THE_CLAIM,
        expires_at=expires_at,
        look_at=now if may_be_done else expires_at,  # activities from before the claim are not known here
    )


def _stands_against(came: Came, referee: Customer, code: Code) -> bool:
    """Tell whether the referee was brought by somebody, or brought the code's owner."""
    return came.referee == referee.id or (came.referee == code.customer and came.referrer == referee.id)


class Known(msgspec.Struct, frozen=True):
    """What was read for a batch.

    Codes by their keys; how those who came with them, and the owners, came themselves; the callers' ids of those who
    were claimed ahead; the referrals for which facts of customers count, by their ids, with the facts so far.
    """

    codes: Mapping[str, Code] = {}
    came: Sequence[Came] = ()
    ahead: frozenset[str] = frozenset()
    open: Mapping[UUID, tuple[Referral, Sequence[Fact]]] = {}


NOTHING_KNOWN: Final = Known()


@dataclass(slots=True)
class Referring:
    """The referrals of a batch; what is to be written besides the customers' rows adds up in it."""

    program: Program
    known: Known = NOTHING_KNOWN
    claimed: dict[UUID, Referral] = field(default_factory=dict[UUID, Referral])
    changed: dict[UUID, Referral] = field(default_factory=dict[UUID, Referral])
    _facts: dict[UUID, list[Fact]] = field(default_factory=dict[UUID, list[Fact]])

    def bought(self, typed: str | None, account: Account, purchase: Fact) -> Told | None:
        """Claim an account's customer with the code that came with a purchase, before this is counted; and count it.

        None where there was no code, or the customer isn't new. The purchase is booked whatever becomes of the code.
        """
        if typed is None:
            self.count(account, purchase)
            return None
        is_new = account.customer.purchase_count == 0 and account.customer.open_referral is None
        claimed = self._claim(typed, account, purchase)
        self.count(account, purchase)
        if claimed is not None:
            return Told(self.claimed[claimed].state, claimed)
        return Told(ReferralState.REFUSED) if is_new else None

    def _claim(self, typed: str, account: Account, purchase: Fact) -> UUID | None:
        customer, key = account.customer, key_of(typed)
        if customer.open_referral is not None or customer.external_id in self.known.ahead or key is None:
            return None
        try:
            made = claim(
                self.known.codes.get(key),
                program=self.program,
                referee=customer,
                came=[*self.known.came, *(Came(each.referee or 0, each.referrer) for each in self.claimed.values())],
                referral_id=account.ids.next(),
                now=account.now,
                occurred_at=purchase.at,
                claimed_with=purchase.id,
            )
        except CodeUnusable:
            return None
        account.customer = _replace(customer, open_referral=made.id)
        account.news.append((SIGNED_UP, made.id))
        self.claimed[made.id] = made
        return made.id

    def count(self, account: Account, fact: Fact) -> None:
        """Count a fact of a customer for whose referral facts count; where that is enough, mark it as qualified.

        A row may name one for which they count no more: the other side was erased. It is forgotten. One that this
        release can't read stays named, for one that can.
        """
        its_id = account.customer.open_referral
        if its_id is None:
            return
        referral, so_far = self._open(its_id)
        if referral is None:
            return
        if referral.state is not ReferralState.SIGNED_UP:
            account.customer = _replace(account.customer, open_referral=None)
            return
        so_far.append(fact)
        if not qualifies(referral, so_far):
            return
        done = qualified(referral, account.now)
        (self.claimed if its_id in self.claimed else self.changed)[its_id] = done
        account.customer = _replace(account.customer, open_referral=None)
        account.news.append((QUALIFIED, its_id))

    def _open(self, its_id: UUID) -> tuple[Referral | None, list[Fact]]:
        if its_id in self.claimed:
            return self.claimed[its_id], self._facts.setdefault(its_id, [])
        known = self.known.open.get(its_id)
        if known is None:
            return None, []
        return known[0], self._facts.setdefault(its_id, list(known[1]))
