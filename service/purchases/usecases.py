"""Booking purchases: many at once, each exactly once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Balance, Customer, CustomerErased, CustomerUnknown, newcomer
from service.kernel.errors import NotFound, Refusal
from service.kernel.ids import randomness_of
from service.platform.claims import Claim, ClaimKind, claiming, content_hash
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, write_together
from service.platform.transaction import apart
from service.points import usecases as points
from service.points.account import Account
from service.points.usecases import Opened
from service.programs.rules import Enrolment, Program
from service.purchases import store
from service.purchases.rules import (
    Booking,
    Draft,
    Earnings,
    Purchase,
    PurchaseConflict,
    book,
    check_occurred,
    normalised,
)
from service.purchases.store import Recorded

PURCHASE_REWARDED: Final = "purchase.rewarded"


class Accepted(msgspec.Struct, frozen=True):
    """A purchase's answer; `replayed` when it was booked by an earlier report."""

    purchase: Purchase
    earnings: Earnings
    replayed: bool = False


Outcome = Accepted | Refusal


def draft(purchase: Purchase, *, randomness: int) -> Draft:
    """Prepare a reported purchase. Raises Invalid."""
    normal = normalised(purchase)
    return Draft(normal, content_hash(normal), randomness)


@dataclass(slots=True)
class _Batch:
    """What is decided so far for the purchases of one transaction."""

    program: Program
    opened: Opened
    known: Mapping[str, Earnings | None]
    accounts: dict[str, Account]
    bookings: dict[str, Booking] = field(default_factory=dict[str, Booking])
    claims: dict[str, Claim] = field(default_factory=dict[str, Claim])


async def report(
    db: Db, *, program: Program, drafts: Sequence[Draft], entropy: int, lock: bool = True
) -> list[Outcome]:
    """Book purchases of one program in the caller's transaction; answer one outcome for each, in order.

    New ones are booked; those that are booked already are answered alike; other content under a known id and what can't
    be accepted are refused, each on its own. Raises RowsMissing where somebody else was first: roll back and begin
    again. Without `lock` the customers are only read; the one statement that writes proves that nobody changed them
    since, so that it needs no transaction around it.
    """
    if not drafts:
        return []
    opened = await _open(db, program, drafts, entropy, lock=lock)
    unknown = _to_enrol(program, drafts, opened)
    enrolled = await customers.enrol(db, customer_ids=unknown, now=opened.now) if unknown else {}
    batch = await _batch(db, program, drafts, opened, enrolled.values())
    outcomes = [_decide(batch, each) for each in drafts]
    await _write(db, batch)
    return outcomes


async def report_apart(db: Db, *, program: Program, drafts: Sequence[Draft], entropy: int) -> Sequence[Outcome]:
    """Book purchases as `report` does, but for those that the database refuses: they harm no other of them."""
    return await apart(db, drafts, lambda some: report(db, program=program, drafts=some, entropy=entropy))


async def preview(db: Db, *, program: Program, drafts: Sequence[Draft], entropy: int) -> list[Outcome]:
    """Answer what reporting these purchases would, and book nothing: no lock, no write."""
    if not drafts:
        return []
    opened = await _open(db, program, drafts, entropy, lock=False)
    unknown = _to_enrol(program, drafts, opened)
    nobody = [newcomer(-1 - place, customer_id, opened.now) for place, customer_id in enumerate(unknown)]
    batch = await _batch(db, program, drafts, opened, nobody)
    return [_decide(batch, each) for each in drafts]


async def _open(db: Db, program: Program, drafts: Sequence[Draft], entropy: int, *, lock: bool) -> Opened:
    facts = [(each.purchase.customer_id, each.purchase.id) for each in drafts]
    return await points.open_booking(
        db, program_id=program.id, facts=facts, kind=ClaimKind.PURCHASE, entropy=entropy, lock=lock
    )


def _to_enrol(program: Program, drafts: Sequence[Draft], opened: Opened) -> list[str]:
    """Name the unknown customers whom a new purchase may bring in."""
    if program.settings.enrolment is Enrolment.EXPLICIT:
        return []
    new = (each.purchase.customer_id for each in drafts if each.purchase.id not in opened.claims)
    return sorted({customer_id for customer_id in new if customer_id not in opened.accounts})


async def _batch(
    db: Db, program: Program, drafts: Sequence[Draft], opened: Opened, enrolled: Iterable[Customer]
) -> _Batch:
    known = await _known_earnings(db, program, drafts, opened)
    new = points.newcomers(enrolled, opened.now, opened.ids)
    return _Batch(program, opened, known, {**opened.accounts, **new})


async def _known_earnings(
    db: Db, program: Program, drafts: Sequence[Draft], opened: Opened
) -> Mapping[str, Earnings | None]:
    """Read the answers of purchases that were booked before and are reported again with the same content.

    None where the customer was erased.
    """
    repeated = {
        each.purchase.id: claim.subject_id
        for each in drafts
        if (claim := opened.claims.get(each.purchase.id)) is not None and claim.content_hash == each.content_hash
    }
    if not repeated:
        return {}
    earnings = await store.earnings(db, program_id=program.id, purchase_ids=list(repeated.values()))
    return {purchase_id: earnings[row_id] for purchase_id, row_id in repeated.items()}


def _decide(batch: _Batch, draft: Draft) -> Outcome:
    """Decide on one purchase, after those before it in the batch."""
    purchase = draft.purchase
    claim = batch.opened.claims.get(purchase.id)
    if claim is not None:
        if claim.content_hash != draft.content_hash:
            return PurchaseConflict()
        # The same random bits: this report booked it, and only the commit's answer was lost.
        ours = randomness_of(claim.subject_id) == draft.randomness
        known = batch.known[purchase.id]
        return CustomerErased() if known is None else Accepted(purchase, known, replayed=not ours)
    first = batch.bookings.get(purchase.id)
    if first is not None:
        same = batch.claims[purchase.id].content_hash == draft.content_hash
        return Accepted(purchase, first.earnings, replayed=True) if same else PurchaseConflict()
    try:
        booking = _book(batch, draft)
    except Refusal as refusal:
        return refusal
    batch.bookings[purchase.id] = booking
    batch.claims[purchase.id] = Claim(purchase.id, draft.content_hash, booking.id)
    return Accepted(purchase, booking.earnings)


def _book(batch: _Batch, draft: Draft) -> Booking:
    purchase, settings, now = draft.purchase, batch.program.settings, batch.opened.now
    check_occurred(purchase.occurred_at, now=now, oldest_fact_days=settings.oldest_fact_days)
    account = batch.accounts.get(purchase.customer_id)
    if account is None:
        raise CustomerUnknown("/customer_id")
    purchase_id = batch.opened.ids.next(draft.randomness)
    return book(purchase, account=account, program=batch.program, purchase_id=purchase_id)


async def _write(db: Db, batch: _Batch) -> None:
    """Write all that was decided, as one statement. A customer for whom nothing was booked is not enrolled."""
    program_id, now, ids = batch.program.id, batch.opened.now, batch.opened.ids
    bookings = list(batch.bookings.values())
    buyers = {booking.purchase.customer_id for booking in bookings}
    changed = points.each_once(each for name, each in batch.accounts.items() if name in buyers)
    events = customers.enrolments([account.customer for account in changed], ids) + points.news(changed, ids)
    events += [Event(ids.next(), PURCHASE_REWARDED, booking.customer, booking.id) for booking in bookings]
    await write_together(
        db,
        [
            *points.booking(program_id, changed, recorded_at=now),
            claiming(program_id, ClaimKind.PURCHASE, list(batch.claims.values())),
            store.adding(program_id, bookings, now),
            announcing(program_id, events, now),
        ],
    )


async def read(db: Db, *, program_id: int, purchase_id: str) -> Recorded:
    """Read a purchase by the caller's id. Raises NotFound."""
    recorded = await store.read(db, program_id=program_id, purchase_id=purchase_id)
    if recorded is None:
        raise NotFound
    return recorded


async def read_of_customer(db: Db, *, program_id: int, purchase_id: str) -> Recorded:
    """Read a purchase whose customer is there. Raises NotFound, CustomerErased."""
    recorded = await read(db, program_id=program_id, purchase_id=purchase_id)
    if recorded.is_erased:
        raise CustomerErased
    return recorded


async def confirm(db: Db, *, program_id: int, purchase_id: str, entropy: int) -> tuple[Recorded, Balance]:
    """Make available what a purchase earned, if it is pending. Raises NotFound, CustomerErased, PointsLapsed."""
    recorded = await read_of_customer(db, program_id=program_id, purchase_id=purchase_id)
    balance = await points.confirm(
        db,
        program_id=program_id,
        customer_id=recorded.purchase.customer_id,
        owner=recorded.owner,
        lot_id=recorded.row_id,
        entropy=entropy,
    )
    return recorded, balance
