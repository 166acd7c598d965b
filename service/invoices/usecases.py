"""What can be done with invoices: recording, changing and reading them, quotes, and customers' own terms."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer, CustomerErased, CustomerUnknown
from service.invoices import store, xrechnung
from service.invoices.bills import Bill, itemised, printed
from service.invoices.documents import Invoice
from service.invoices.rules import (
    InvoiceHasPayments,
    InvoiceNumberTaken,
    NewInvoice,
    agreed,
    bill_of,
    normalised,
)
from service.invoices.settling import Quote, quote
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import GREATEST_ID, IdSource
from service.kernel.periods import today_in
from service.platform.claims import content_hash
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing
from service.programs.payment_terms import PaymentTerms, check_terms
from service.programs.rules import Enrolment, Program

INVOICE_RECORDED: Final = "invoice.recorded"
INVOICE_CHANGED: Final = "invoice.changed"


class Recorded(msgspec.Struct, frozen=True):
    """An invoice as it was put or read. `look_alikes` are others whose numbers look like its.

    `locale` is the customer's.
    """

    invoice: Invoice
    look_alikes: list[str]
    locale: str | None
    is_new: bool = False


async def put(db: Db, *, program: Program, invoice_id: str, new: NewInvoice, entropy: int) -> Recorded:
    """Record an invoice, or change one on which nothing was paid, in the caller's transaction.

    The same content changes nothing. Raises Invalid, CustomerUnknown, CustomerErased, InvoiceHasPayments,
    InvoiceNumberTaken; RowsMissing where somebody else was first: begin again.
    """
    new = normalised(invoice_id, new)
    hashed = content_hash(new)
    seen = await _find(db, program.id, invoice_id)
    names = {new.customer_id}
    if seen is not None and seen.customer_id is not None:
        names.add(seen.customer_id)
    opened = await customers.lock(db, program_id=program.id, customer_ids=sorted(names))
    before = await _find(db, program.id, invoice_id)
    if before is not None:
        if before.is_erased:
            raise CustomerErased
        if before.customer_id not in names:
            msg = "the invoice was recorded, or is another customer's, meanwhile"
            raise RowsMissing(msg)
        if before.content_hash == hashed:
            return await _recorded(db, program.id, before)
        if before.is_frozen:
            raise InvoiceHasPayments
    customer = opened.customers.get(new.customer_id)
    if customer is None:
        if program.settings.enrolment is Enrolment.EXPLICIT:
            raise CustomerUnknown("/customer_id")
        customer = (await customers.enrol(db, customer_ids=[new.customer_id], now=opened.now))[new.customer_id]
    ids = IdSource(opened.now, entropy)
    made = await _made(db, program, invoice_id, new, customer, before, ids, opened.now)
    made = msgspec.structs.replace(made, content_hash=hashed)
    taken_by = await store.with_number(db, program_id=program.id, number=made.number or "")
    if taken_by not in {None, invoice_id}:
        raise InvoiceNumberTaken
    await _write(db, program.id, made, customer, before, ids)
    return await _recorded(db, program.id, made, is_new=before is None)


async def _made(
    db: Db,
    program: Program,
    invoice_id: str,
    new: NewInvoice,
    customer: Customer,
    before: Invoice | None,
    ids: IdSource,
    now: datetime,
) -> Invoice:
    """Decide what an invoice comes to, with the terms that hold for it."""
    of_customer = await store.read_terms(db, program_id=program.id, customer=customer.id)
    own = _own_terms(new)
    agreement = agreed(new, own=own, of_customer=of_customer, settings=program.settings)
    bill = bill_of(new, agreement)
    return Invoice(
        id=ids.next() if before is None else before.id,
        external_id=invoice_id,
        customer=customer.id,
        owner=customer.id,
        customer_id=customer.external_id,
        content_hash=b"",
        number=new.number,
        issued_on=new.issued_on,
        due_on=new.due_on,
        currency=new.currency,
        lines=new.lines,
        terms=own,
        agreement=agreement,
        bill=bill,
        charged=bill,
        credited=0,
        open=bill.total,
        is_frozen=False,
        version=1 if before is None else before.version + 1,
        revision=1 if before is None else before.revision,
        recorded_at=now if before is None else before.recorded_at,
        changed_at=now,
    )


def _own_terms(new: NewInvoice) -> PaymentTerms | None:
    """Give the terms that an invoice brings, however they were told. Raises Invalid."""
    if new.terms_text is None:
        return new.terms
    bill = _untouched(new)
    return xrechnung.read(
        new.terms_text,
        currency=new.currency,
        net=bill.net,
        total=bill.total,
        fixed_tax=bill.fixed,
        pointer="/terms_text",
    )


def _untouched(new: NewInvoice) -> Bill:
    """Make the bill of an invoice whose taxes nothing reduces from the start."""
    return printed(new.total or 0, new.tax or 0) if new.lines is None else itemised(new.lines)


async def _write(
    db: Db, program_id: int, made: Invoice, customer: Customer, before: Invoice | None, ids: IdSource
) -> None:
    version_id = ids.next()
    news = _news(INVOICE_RECORDED if before is None else INVOICE_CHANGED, ids, customer, version_id)
    events = [*customers.enrolments([customer], ids), news]
    await store.write(
        db,
        [
            *customers.storing(program_id, [customer] if customer.is_new else []),
            store.inserting(program_id, made) if before is None else store.changing(program_id, made),
            store.adding_version(program_id, version_id, made),
            announcing(program_id, events, made.changed_at),
        ],
    )


def _news(kind: str, ids: IdSource, customer: Customer, version_id: UUID) -> Event:
    return Event(ids.next(), kind, customer.id, version_id)


async def _recorded(db: Db, program_id: int, invoice: Invoice, *, is_new: bool = False) -> Recorded:
    alike = await store.look_alikes(
        db, program_id=program_id, number=invoice.number or "", external_id=invoice.external_id
    )
    return Recorded(invoice, alike, await _locale(db, program_id, invoice.owner), is_new)


async def _locale(db: Db, program_id: int, customer: int) -> str | None:
    profile = (await customers.read_profiles(db, program_id=program_id, customers=[customer])).get(customer)
    return None if profile is None else profile.locale


async def _find(db: Db, program_id: int, invoice_id: str) -> Invoice | None:
    return (await store.read(db, program_id=program_id, external_ids=[invoice_id])).get(invoice_id)


async def read(db: Db, *, program_id: int, invoice_id: str) -> Recorded:
    """Read an invoice by the caller's id. Raises NotFound."""
    found = await _find(db, program_id, invoice_id)
    if found is None:
        raise NotFound
    if found.is_erased:
        return Recorded(found, [], None)
    return await _recorded(db, program_id, found)


async def list_newest(
    db: Db, *, program_id: int, before: UUID | None, limit: int, is_open: bool | None, customer_id: str | None
) -> list[Recorded]:
    """Read up to `limit` + 1 invoices, newest first, behind `before`: all, or of a customer. Raises NotFound."""
    records = None
    if customer_id is not None:
        found = await customers.read(db, program_id=program_id, customer_ids=[customer_id])
        if customer_id not in found:
            raise NotFound
        records = await customers.all_ids(db, program_id=program_id, customer=found[customer_id])
    invoices = await store.list_newest(
        db, program_id=program_id, before=before or GREATEST_ID, limit=limit + 1, is_open=is_open, customers=records
    )
    owners = sorted({each.owner for each in invoices})
    profiles = await customers.read_profiles(db, program_id=program_id, customers=owners)
    return [Recorded(each, [], profiles[each.owner].locale if each.owner in profiles else None) for each in invoices]


async def price(db: Db, *, program: Program, invoice_id: str, paid_on: date | None) -> tuple[Invoice, Quote]:
    """Tell what may be deducted from an invoice on a day, today when it is left out. Raises NotFound, Invalid."""
    found = await _find(db, program.id, invoice_id)
    if found is None or found.is_erased:
        raise NotFound
    if paid_on is None:
        today = today_in(await database_time(db), program.settings.time_zone)
        paid_on = max(today, found.issued_on)
    if paid_on < found.issued_on:
        raise Invalid("This is before the invoice was issued.", pointer="?paid_on", reason="before_invoice")
    return found, quote(found.standing, paid_on)


async def put_terms(db: Db, *, program: Program, customer_id: str, terms: PaymentTerms) -> str | None:
    """Set what holds for a customer's new invoices that bring no terms of their own; gives the customer's locale.

    Raises NotFound, Invalid.
    """
    check_terms(terms, "")
    opened = await customers.lock(db, program_id=program.id, customer_ids=[customer_id])
    customer = opened.customers.get(customer_id)
    if customer is None:
        raise NotFound
    await store.write_terms(db, program_id=program.id, customer=customer.id, terms=terms, now=opened.now)
    return await _locale(db, program.id, customer.id)


async def read_terms(db: Db, *, program_id: int, customer_id: str) -> tuple[PaymentTerms, str | None]:
    """Read a customer's own terms, and the customer's locale. Raises NotFound, also where nothing was agreed."""
    customer = (await customers.read(db, program_id=program_id, customer_ids=[customer_id])).get(customer_id)
    found = None if customer is None else await store.read_terms(db, program_id=program_id, customer=customer.id)
    if customer is None or found is None:
        raise NotFound
    return found, await _locale(db, program_id, customer.id)


async def remove_terms(db: Db, *, program_id: int, customer_id: str) -> None:
    """Remove a customer's own terms: the program's hold for new invoices. Raises NotFound for who isn't known."""
    opened = await customers.lock(db, program_id=program_id, customer_ids=[customer_id])
    customer = opened.customers.get(customer_id)
    if customer is None:
        raise NotFound
    await store.remove_terms(db, program_id=program_id, customers=[customer.id])


async def all_of(db: Db, *, program_id: int, all_ids: Sequence[int]) -> list[Invoice]:
    """Read all invoices of records, newest first."""
    return await store.list_newest(db, program_id=program_id, before=GREATEST_ID, limit=10**9, customers=all_ids)
