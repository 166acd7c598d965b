"""Opening a referral to change it: both sides are locked, sorted, then the referral; and writing what became of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.ids import IdSource
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together
from service.points import usecases as points
from service.points.account import Account
from service.programs.rules import Program
from service.referrals import store
from service.referrals.rules import Fact, Referral, ReferralState
from service.tiers import usecases as tiers

FactsOf: TypeAlias = Callable[[Db, int, Sequence[int]], Awaitable[Mapping[int, Sequence[Fact]]]]
"""Reads all facts of customers of a program, by their internal ids, with what is left of them after returns."""
EVENTS: Final = {state: f"referral.{state.value}" for state in ReferralState}


@dataclass(frozen=True, slots=True)
class OpenReferral:
    """A referral whose sides and row are locked. A side is None where it was erased, or is not enrolled yet.

    `records` are those that stand now for both as the referral names them, also of who was erased.
    """

    program: Program
    referral: Referral
    referrer: Account | None
    referee: Account | None
    records: Mapping[int, Customer]
    now: datetime
    ids: IdSource

    @property
    def is_of_erased(self) -> bool:
        """Tell whether one of both was erased."""
        return self.referrer is None or (self.referee is None and self.referral.referee is not None)

    @property
    def accounts(self) -> list[Account]:
        """The accounts of both sides, once where they are one."""
        return points.each_once(each for each in (self.referrer, self.referee) if each is not None)


async def sides(db: Db, *, program_id: int, referrals: Sequence[Referral]) -> Mapping[int, Customer]:
    """Read the records that stand now for those which referrals name, by these; those of the erased have no name."""
    named = {side for each in referrals for side in (each.referrer, each.referee) if side is not None}
    return await customers.standing_for(db, program_id=program_id, records=sorted(named))


async def open_referral(
    db: Db, *, program: Program, found: Referral, entropy: int, ahead: str | None = None
) -> OpenReferral:
    """Lock both sides of a referral that was read unlocked, with `ahead` whom it named, then its row.

    Raises RowsMissing where a side was merged, erased or enrolled meanwhile: begin again.
    """
    known = await sides(db, program_id=program.id, referrals=[found])
    names = {its_id: each.external_id for its_id, each in known.items() if each.external_id}
    named = [*names.values(), *([] if ahead is None else [ahead])]
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=named, entropy=entropy)

    def side(its_id: int | None) -> Account | None:
        if its_id is None or its_id not in names:
            return None
        return points.owned(opened, names[its_id], known[its_id].id)

    referral = await store.lock(db, program_id=program.id, referral_id=found.id)
    if referral is None or referral.referee != found.referee:
        msg = "the referee was enrolled meanwhile"
        raise RowsMissing(msg)
    referee = side(found.referee) if ahead is None else opened.accounts.get(ahead)
    return OpenReferral(program, referral, side(found.referrer), referee, known, opened.now, opened.ids)


async def write_changed(db: Db, opened: OpenReferral, after: Referral) -> None:
    """Write what became of a referral with the accounts of both sides, and tell of it."""
    before, accounts, program_id = opened.referral, opened.accounts, opened.program.id
    for account in accounts:
        if account.customer.open_referral == after.id and after.state is not ReferralState.SIGNED_UP:
            account.customer = msgspec.structs.replace(account.customer, open_referral=None)
    besides = tiers.following(opened.program)(accounts)
    events = points.news(accounts, opened.ids)
    if after.state is not before.state:
        events = [*events, Event(opened.ids.next(), EVENTS[after.state], after.referee, after.id)]
    writes = [*points.booking(program_id, accounts, recorded_at=opened.now), store.changing(program_id, before, after)]
    await write_together(db, [*writes, *besides, announcing(program_id, events, opened.now)])
    if before.referee is None and after.state is not ReferralState.SIGNED_UP:
        await store.forget_ahead(db, program_id=program_id, referral_ids=[after.id])
