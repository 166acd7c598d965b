"""Booking opening balances: many at once, each exactly once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer, CustomerErased, CustomerUnknown, newcomer
from service.kernel.errors import Refusal
from service.kernel.ids import randomness_of
from service.opening_balances import store
from service.opening_balances.rules import (
    Booking,
    Brought,
    Draft,
    OpeningBalance,
    OpeningBalanceConflict,
    bring_in,
    normalised,
)
from service.platform.claims import Claim, ClaimKind, claiming, content_hash
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, write_together
from service.platform.transaction import apart
from service.points import usecases as points
from service.points.account import Account
from service.points.usecases import Opened
from service.programs.rules import Enrolment, Program

BOOKED: Final = "opening_balance.booked"


class Accepted(msgspec.Struct, frozen=True):
    """An opening balance's answer; `replayed` when it was booked by an earlier report."""

    content: OpeningBalance
    brought: Brought
    replayed: bool = False


Outcome = Accepted | Refusal


def draft(opening: OpeningBalance, *, randomness: int) -> Draft:
    """Prepare a reported opening balance. Raises Invalid."""
    normal = normalised(opening)
    return Draft(normal, content_hash(normal), randomness)


@dataclass(slots=True)
class _Batch:
    """What is decided so far for the opening balances of one transaction."""

    program: Program
    opened: Opened
    known: Mapping[str, Brought | None]
    accounts: dict[str, Account]
    bookings: dict[str, Booking] = field(default_factory=dict[str, Booking])
    claims: dict[str, Claim] = field(default_factory=dict[str, Claim])


async def report(db: Db, *, program: Program, drafts: Sequence[Draft], entropy: int) -> list[Outcome]:
    """Book opening balances of one program in the caller's transaction; answer one outcome for each, in order.

    New ones are booked; those that are booked already are answered alike; other content under a known id and what can't
    be accepted are refused, each on its own. Raises RowsMissing where somebody else was first: begin again.
    """
    if not drafts:
        return []
    opened = await _open(db, program, drafts, entropy, lock=True)
    unknown = _to_enrol(program, drafts, opened)
    enrolled = await customers.enrol(db, customer_ids=unknown, now=opened.now) if unknown else {}
    batch = await _batch(db, program, drafts, opened, enrolled.values())
    outcomes = [_decide(batch, each) for each in drafts]
    await _write(db, batch)
    return outcomes


async def report_apart(db: Db, *, program: Program, drafts: Sequence[Draft], entropy: int) -> Sequence[Outcome]:
    """Book opening balances as `report` does, but for those that the database refuses: they harm no other of them."""
    return await apart(db, drafts, lambda some: report(db, program=program, drafts=some, entropy=entropy))


async def preview(db: Db, *, program: Program, drafts: Sequence[Draft], entropy: int) -> list[Outcome]:
    """Answer what reporting these opening balances would, and book nothing: no lock, no write."""
    if not drafts:
        return []
    opened = await _open(db, program, drafts, entropy, lock=False)
    unknown = _to_enrol(program, drafts, opened)
    nobody = [newcomer(-1 - place, customer_id, opened.now) for place, customer_id in enumerate(unknown)]
    batch = await _batch(db, program, drafts, opened, nobody)
    return [_decide(batch, each) for each in drafts]


async def _open(db: Db, program: Program, drafts: Sequence[Draft], entropy: int, *, lock: bool) -> Opened:
    facts = [(each.content.customer_id, each.content.id) for each in drafts]
    return await points.open_booking(
        db,
        program_id=program.id,
        facts=facts,
        kind=ClaimKind.OPENING_BALANCE,
        entropy=entropy,
        lock=lock,
        whole=any(each.content.debt for each in drafts),  # which may be repaid from what there is
    )


def _to_enrol(program: Program, drafts: Sequence[Draft], opened: Opened) -> list[str]:
    """Name the unknown customers whom a new opening balance may bring in."""
    if program.settings.enrolment is Enrolment.EXPLICIT:
        return []
    new = (each.content.customer_id for each in drafts if each.content.id not in opened.claims)
    return sorted({customer_id for customer_id in new if customer_id not in opened.accounts})


async def _batch(
    db: Db, program: Program, drafts: Sequence[Draft], opened: Opened, enrolled: Iterable[Customer]
) -> _Batch:
    claims = [opened.claims[each.content.id] for each in drafts if each.content.id in opened.claims]
    brought = await store.read(db, program_id=program.id, row_ids=list({claim.subject_id for claim in claims}))
    known = {claim.id: brought[claim.subject_id] for claim in claims}
    new = points.newcomers(enrolled, opened.now, opened.ids)
    return _Batch(program, opened, known, {**opened.accounts, **new})


def _decide(batch: _Batch, draft: Draft) -> Outcome:
    """Decide on one opening balance, after those before it in the batch."""
    content = draft.content
    claim = batch.opened.claims.get(content.id)
    if claim is not None:
        if claim.content_hash != draft.content_hash:
            return OpeningBalanceConflict()
        # The same random bits: this report booked it, and only the commit's answer was lost.
        ours = randomness_of(claim.subject_id) == draft.randomness
        known = batch.known[content.id]
        return CustomerErased() if known is None else Accepted(content, known, replayed=not ours)
    first = batch.bookings.get(content.id)
    if first is not None:
        same = batch.claims[content.id].content_hash == draft.content_hash
        return Accepted(content, first.brought, replayed=True) if same else OpeningBalanceConflict()
    account = batch.accounts.get(content.customer_id)
    if account is None:
        return CustomerUnknown("/customer_id")
    row_id = batch.opened.ids.next(draft.randomness)
    try:
        booking = bring_in(content, account=account, program=batch.program, row_id=row_id)
    except Refusal as refusal:
        return refusal
    batch.bookings[content.id] = booking
    batch.claims[content.id] = Claim(content.id, draft.content_hash, row_id)
    return Accepted(content, booking.brought)


async def _write(db: Db, batch: _Batch) -> None:
    """Write all that was decided, as one statement. A customer for whom nothing was booked is not enrolled."""
    program_id, now, ids = batch.program.id, batch.opened.now, batch.opened.ids
    bookings = list(batch.bookings.values())
    owners = {booking.content.customer_id for booking in bookings}
    changed = points.each_once(each for name, each in batch.accounts.items() if name in owners)
    events = customers.enrolments([account.customer for account in changed], ids) + points.news(changed, ids)
    events += [Event(ids.next(), BOOKED, booking.customer, booking.id) for booking in bookings]
    await write_together(
        db,
        [
            *points.booking(program_id, changed, recorded_at=now),
            claiming(program_id, ClaimKind.OPENING_BALANCE, list(batch.claims.values())),
            store.adding(program_id, bookings, now),
            announcing(program_id, events, now),
        ],
    )
