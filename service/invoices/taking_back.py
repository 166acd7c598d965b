"""What takes back what payments settled: those that bounced, and credit notes."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import CustomerErased
from service.invoices import payment_store, store
from service.invoices.bills import Bill
from service.invoices.crediting import reduced, reduced_by_lines
from service.invoices.documents import Charge, CreditNote, Invoice, Payment, Reopened, Reversal
from service.invoices.payments import INVOICE_SETTLED
from service.invoices.rules import CreditNoteConflict, NewCreditNote, check_amounts, check_day, reduced_by
from service.invoices.settling import Left, Settlement, credit
from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID, randomness_of
from service.kernel.periods import today_in
from service.platform.claims import Claim, ClaimKind, claiming, content_hash
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.rules import Cause, Reversed
from service.points.usecases import Granted, Opened
from service.programs.rules import Program
from service.tiers import usecases as tiers

PAYMENT_REVERSED: Final = "payment.reversed"
INVOICE_CREDITED: Final = "invoice.credited"
_NOTHING: Final = Reversed(0, 0, 0)
_replace = msgspec.structs.replace


class _Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What tells a repetition of a credit note from a conflict: the note, and the invoice that it is on."""

    invoice_id: str
    note: NewCreditNote


async def reverse(db: Db, *, program: Program, invoice_id: str, payment_id: str, entropy: int) -> Reversal:
    """Take back a payment that bounced, on all its invoices, in the caller's transaction.

    What it settled is open again, but for what credit notes took back of that; its discounts and points are taken back.
    One that was taken back already is answered alike. Raises NotFound where there is no such payment on that invoice,
    CustomerErased.
    """
    found = await read_payment(db, program_id=program.id, payment_id=payment_id)
    if invoice_id not in {each.invoice_id for each in found.accepted.settled}:
        raise NotFound
    if found.customer_id is None:
        raise CustomerErased
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=[found.customer_id], entropy=entropy)
    account = points.owned(opened, found.customer_id, found.owner)
    (payment,) = await payment_store.read(db, program_id=program.id, payment_ids=[found.id])
    if payment.reversal is not None:
        return payment.reversal
    ids = [each.invoice for each in payment.accepted.settled]
    invoices = await store.read_by_id(db, program_id=program.id, ids=ids)
    left = await store.left(db, program_id=program.id, invoices=ids)
    own = {each: next(its for its in left[each] if its.payment_id == payment.id) for each in ids}
    after = [_replace(invoices[each], open=invoices[each].open + own[each].settled) for each in ids]
    taken = await _take_back(db, program, account, payment, own)
    reopened = tuple(
        _reopened(its, own[each.invoice], each.settlement)
        for its, each in zip(after, payment.accepted.settled, strict=True)
    )
    reversal = Reversal(reopened, taken, account.customer.balance)
    followed = tiers.following(program)([account])
    await write_together(
        db,
        [
            *points.booking(program.id, [account], recorded_at=opened.now),
            payment_store.adding_reversal(program.id, payment.id, opened.ids.next(), reversal, opened.now),
            store.standing(program.id, after, opened.now),
            *followed,
            announcing(
                program.id,
                [
                    *points.news([account], opened.ids),
                    Event(opened.ids.next(), PAYMENT_REVERSED, account.customer.id, payment.id),
                ],
                opened.now,
            ),
        ],
    )
    return reversal


def _reopened(invoice: Invoice, left: Left, settlement: Settlement) -> Reopened:
    """Tell what is open again, and which cash that was told as overpaid is the customer's no more."""
    overpaid = settlement.amount - left.cash
    return Reopened(invoice.external_id, left.settled, left.discount, left.tax_reduction, overpaid, invoice.open)


async def _take_back(db: Db, program: Program, account: Account, payment: Payment, left: dict[UUID, Left]) -> Reversed:
    """Take back the points that a payment brought, but for those that credit notes took back."""
    rewards = payment.accepted.rewards
    gone = {
        rewards.instead[each.invoice.hex]: each.settlement.points - left[each.invoice].points
        for each in payment.accepted.settled
        if each.invoice.hex in rewards.instead
    }
    granted = [
        Granted(UUID(hex=lot), granted - gone.get(lot, 0), gone.get(lot, 0)) for lot, granted in rewards.lots.items()
    ]
    return await _refund(db, program, account, granted, Cause("payment_reversal", payment.external_id))


async def _refund(db: Db, program: Program, account: Account, granted: Sequence[Granted], cause: Cause) -> Reversed:
    taken = await points.refund(
        db, program=program, account=account, restored=0, granted=granted, cause=cause, at=account.now
    )
    if not taken:
        return _NOTHING
    return Reversed(*(sum(part) for part in zip(*map(msgspec.structs.astuple, taken), strict=True)))


async def report_credit_note(
    db: Db, *, program: Program, invoice_id: str, note: NewCreditNote, randomness: int, entropy: int
) -> CreditNote:
    """Book a credit note in the caller's transaction; one that is booked already is answered alike.

    `randomness` is 62 random bits of this report, by which it knows its own booking again. Raises NotFound,
    CustomerErased, CreditNoteConflict, CreditNoteExceedsInvoice, Invalid.
    """
    check_amounts(note.total, note.tax, has_lines=note.lines is not None)
    note = note if note.total is None else _replace(note, tax=note.tax or 0)
    seen = (await store.read(db, program_id=program.id, external_ids=[invoice_id])).get(invoice_id)
    if seen is None:
        raise NotFound
    if seen.customer_id is None:
        raise CustomerErased
    opened = await points.open_booking(
        db,
        program_id=program.id,
        facts=[(seen.customer_id, note.id)],
        kind=ClaimKind.CREDIT_NOTE,
        entropy=entropy,
        whole=True,
    )
    account = points.owned(opened, seen.customer_id, seen.owner)
    hashed = content_hash(_Content(invoice_id, note))
    booked = await payment_store.credit_note(db, program_id=program.id, invoice=seen.id, external_id=note.id)
    claim = opened.claims.get(note.id)
    if claim is not None:
        if claim.content_hash != hashed or booked is None:
            raise CreditNoteConflict
        return _replace(booked, replayed=randomness_of(claim.subject_id) != randomness)
    if booked is not None:
        # Claims are looked up before the wait for the lock, credit notes behind it.
        msg = "it was booked meanwhile"
        raise RowsMissing(msg)
    invoice = (await store.read_by_id(db, program_id=program.id, ids=[seen.id]))[seen.id]
    check_day(
        note.issued_on,
        today=today_in(opened.now, program.settings.time_zone),
        issued_on=invoice.issued_on,
        pointer="/issued_on",
    )
    made, after = await _credit(db, program, account, invoice, note, opened.ids.next(randomness))
    await _write_credit(db, program, opened, account, made, after, Claim(note.id, hashed, made.id))
    return made


async def _credit(
    db: Db, program: Program, account: Account, invoice: Invoice, note: NewCreditNote, note_id: UUID
) -> tuple[CreditNote, Invoice]:
    left = (await store.left(db, program_id=program.id, invoices=[invoice.id]))[invoice.id]
    its = credit(invoice.standing, left, _left_of(invoice, note))
    granted = await _points_of(db, program.id, invoice, its.taken)
    taken = await _refund(db, program, account, granted, Cause("credit_note", note.id))
    total, tax = invoice.charged.total - its.bill.total, invoice.charged.tax - its.bill.tax
    charge = Charge(its.bill, its.taken, taken, account.customer.balance)
    made = CreditNote(
        note_id, note.id, note.issued_on, total, tax, its.from_open, its.overpaid, its.remaining, charge, account.now
    )
    after = _replace(invoice, open=its.remaining, credited=invoice.credited + total, charged=its.bill)
    return made, after


def _left_of(invoice: Invoice, note: NewCreditNote) -> Bill:
    """Return what a credit note leaves of an invoice's bill. Raises CreditNoteExceedsInvoice, Invalid."""
    share = Fraction() if invoice.lines is None else reduced_by(invoice.agreement, invoice.bill.net)
    if note.lines is not None:
        return reduced_by_lines(invoice.charged, note.lines, reduced_by=share)
    return reduced(invoice.charged, total=note.total or 0, tax=note.tax or 0, reduced_by=share)


async def _points_of(db: Db, program_id: int, invoice: Invoice, taken: Sequence[Left]) -> list[Granted]:
    """Tell which points instead of a discount go with what a credit note takes back of settlements."""
    of = [each.payment_id for each in taken if each.points]
    payments = {each.id: each for each in await payment_store.read(db, program_id=program_id, payment_ids=of)}
    left = (await store.left(db, program_id=program_id, invoices=[invoice.id]))[invoice.id] if of else []
    left_of = {each.payment_id: each.points for each in left}
    found = list[Granted]()
    for each in taken:
        if each.points:
            rewards = payments[each.payment_id].accepted.rewards
            lot = rewards.instead[invoice.id.hex]
            before = rewards.lots[lot] - left_of[each.payment_id]
            found.append(Granted(UUID(hex=lot), each.points, before))
    return found


async def _write_credit(
    db: Db, program: Program, opened: Opened, account: Account, made: CreditNote, after: Invoice, claim: Claim
) -> None:
    customer, followed = account.customer.id, tiers.following(program)([account])
    events = [*points.news([account], opened.ids), Event(opened.ids.next(), INVOICE_CREDITED, customer, made.id)]
    if made.from_open and not made.remaining:
        events.append(Event(opened.ids.next(), INVOICE_SETTLED, customer, after.id))
    await write_together(
        db,
        [
            *points.booking(program.id, [account], recorded_at=opened.now),
            claiming(program.id, ClaimKind.CREDIT_NOTE, [claim]),
            *payment_store.adding_credit_note(program.id, customer, after.id, made),
            store.standing(program.id, [after], opened.now),
            *followed,
            announcing(program.id, events, opened.now),
        ],
    )


async def read_payment(db: Db, *, program_id: int, payment_id: str) -> Payment:
    """Read a payment by the caller's id. Raises NotFound."""
    row_id = await payment_store.row_of(db, program_id=program_id, kind=ClaimKind.PAYMENT, external_id=payment_id)
    if row_id is None:
        raise NotFound
    (found,) = await payment_store.read(db, program_id=program_id, payment_ids=[row_id])
    return found


async def payments_on(db: Db, *, program_id: int, invoice_id: str, before: UUID | None, limit: int) -> list[Payment]:
    """Read up to `limit` + 1 payments on an invoice, newest first, behind `before`. Raises NotFound."""
    invoice = await _invoice(db, program_id, invoice_id)
    found = await payment_store.on_invoice(
        db, program_id=program_id, invoice=invoice, before=before or GREATEST_ID, limit=limit + 1
    )
    return await payment_store.read(db, program_id=program_id, payment_ids=found)


async def credit_notes_on(
    db: Db, *, program_id: int, invoice_id: str, before: UUID | None, limit: int
) -> list[CreditNote]:
    """Read up to `limit` + 1 credit notes on an invoice, newest first, behind `before`. Raises NotFound."""
    invoice = await _invoice(db, program_id, invoice_id)
    return await payment_store.credit_notes(
        db, program_id=program_id, invoice=invoice, before=before or GREATEST_ID, limit=limit + 1
    )


async def _invoice(db: Db, program_id: int, invoice_id: str) -> UUID:
    found = (await store.read(db, program_id=program_id, external_ids=[invoice_id])).get(invoice_id)
    if found is None:
        raise NotFound
    return found.id


async def payments_of(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Payment]:
    """Read all payments of records, newest first."""
    found = await payment_store.of_customers(db, program_id=program_id, customers=customers)
    return await payment_store.read(db, program_id=program_id, payment_ids=found)


async def credit_notes_of(db: Db, *, program_id: int, invoices: Sequence[UUID]) -> list[tuple[UUID, CreditNote]]:
    """Read all credit notes on invoices, newest first, each with its invoice."""
    return await payment_store.credit_notes_of(db, program_id=program_id, invoices=invoices)
