"""Rows of invoices and customers' terms. Who changes them holds the lock of their customer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record, UniqueViolationError

from service.invoices.bills import Bill, InvoiceLine
from service.invoices.discounts import Agreement
from service.invoices.documents import Invoice
from service.invoices.rules import digest, key_of, likeness_of
from service.invoices.settling import Left
from service.platform.statements import Db, RowsMissing, Write, load, write_together
from service.programs.payment_terms import PaymentTerms

_STATEMENTS = load(__file__)
_encoder = msgspec.json.Encoder()
_decode_lines = msgspec.json.Decoder(tuple[InvoiceLine, ...]).decode
_decode_terms = msgspec.json.Decoder[PaymentTerms](PaymentTerms).decode
_decode_agreement = msgspec.json.Decoder(Agreement).decode
_decode_bill = msgspec.json.Decoder(Bill).decode


def text_of(content: object) -> str:
    """Write what is stored as JSON."""
    return _encoder.encode(content).decode()


def inserting(program_id: int, invoice: Invoice) -> Write:
    """Add an invoice. One whose id or number is taken writes no row."""
    row = (program_id, invoice.id, invoice.external_id, *_content(invoice))
    return Write(_STATEMENTS["invoice_insert"], (*row, invoice.recorded_at), 1)


def changing(program_id: int, invoice: Invoice) -> Write:
    """Write a new version of an invoice; `revision` is the one that was read."""
    row = (program_id, invoice.id, *_content(invoice), invoice.changed_at, invoice.revision)
    return Write(_STATEMENTS["invoice_change"], row, 1)


def _content(invoice: Invoice) -> tuple[object, ...]:
    number = invoice.number or ""
    return (
        invoice.customer,
        invoice.content_hash,
        number,
        digest(key_of(number)),
        digest(likeness_of(number)),
        invoice.issued_on,
        invoice.due_on,
        invoice.currency,
        None if invoice.lines is None else text_of(invoice.lines),
        None if invoice.terms is None else text_of(invoice.terms),
        text_of(invoice.agreement),
        text_of(invoice.bill),
        invoice.bill.total,
        invoice.bill.tax,
    )


async def write(db: Db, writes: Sequence[Write]) -> None:
    """Write an invoice with what goes with it. Raises RowsMissing, also where another one takes its number meanwhile.

    A new one passes over that by itself, a changed one can't.
    """
    try:
        await write_together(db, writes)
    except UniqueViolationError as fault:
        raise RowsMissing(str(fault)) from None


def adding_version(program_id: int, version_id: UUID, invoice: Invoice) -> Write:
    """Add what is told of an invoice's version."""
    due_on, bill = invoice.agreement.due_on, invoice.bill
    told = (invoice.issued_on, due_on, invoice.currency, bill.total, bill.tax, invoice.changed_at)
    row = (program_id, version_id, invoice.id, invoice.version, invoice.customer, *told)
    return Write(_STATEMENTS["invoice_version_insert"], row, 1)


def standing(program_id: int, invoices: Sequence[Invoice], now: datetime) -> Write:
    """Write what became of invoices; their `revision` is the one that was read. One that was changed writes no row."""
    rows = [
        (each.id, each.revision, each.open, each.credited, text_of(each.charged))
        for each in sorted(invoices, key=lambda each: each.id)
    ]
    return Write(_STATEMENTS["invoice_stand"], (program_id, now, rows), len(rows))


async def read(db: Db, *, program_id: int, external_ids: Sequence[str]) -> dict[str, Invoice]:
    """Read invoices by the callers' ids; the unknown ones are missing."""
    rows = await db.fetch(_STATEMENTS["invoice_read"].sql, program_id, external_ids)
    return {row["external_id"]: _invoice(row) for row in rows}


async def read_by_id(db: Db, *, program_id: int, ids: Sequence[UUID]) -> dict[UUID, Invoice]:
    """Read invoices by their own ids."""
    rows = await db.fetch(_STATEMENTS["invoice_read_by_id"].sql, program_id, ids)
    return {row["id"]: _invoice(row) for row in rows}


async def list_newest(
    db: Db,
    *,
    program_id: int,
    before: UUID,
    limit: int,
    is_open: bool | None = None,
    customers: Sequence[int] | None = None,
) -> list[Invoice]:
    """Read up to `limit` invoices with an id below `before`, newest first: all, or those open or not, or of records."""
    if customers is None:
        rows = await db.fetch(_STATEMENTS["invoice_list"].sql, program_id, before, limit, is_open)
    else:
        sql = _STATEMENTS["invoice_list_of_customer"].sql
        rows = await db.fetch(sql, program_id, before, limit, is_open, customers)
    return [_invoice(row) for row in rows]


async def with_number(db: Db, *, program_id: int, number: str) -> str | None:
    """Name the invoice, by the caller's id, that has a number, whatever its spelling."""
    found: str | None = await db.fetchval(_STATEMENTS["invoice_with_number"].sql, program_id, digest(key_of(number)))
    return found


async def look_alikes(db: Db, *, program_id: int, number: str, external_id: str) -> list[str]:
    """Name up to five other invoices whose numbers look like one."""
    sql = _STATEMENTS["invoice_look_alike"].sql
    rows = await db.fetch(sql, program_id, digest(likeness_of(number)), external_id)
    return [row["external_id"] for row in rows]


async def left(db: Db, *, program_id: int, invoices: Sequence[UUID]) -> Mapping[UUID, list[Left]]:
    """Read what is left of the settlements of invoices, the newest first."""
    found: dict[UUID, list[Left]] = {each: [] for each in invoices}
    for row in await db.fetch(_STATEMENTS["settlement_left"].sql, program_id, invoices):
        parts = (row["settled"], row["cash"], row["discount"], row["tax_reduction"], row["points"], row["payment"])
        found[row["invoice_id"]].append(Left(row["payment_id"], *parts))
    return found


async def write_terms(db: Db, *, program_id: int, customer: int, terms: PaymentTerms, now: datetime) -> None:
    """Write a customer's terms, in place of what was there."""
    await db.execute(_STATEMENTS["terms_write"].sql, program_id, customer, text_of(terms), now)


async def read_terms(db: Db, *, program_id: int, customer: int) -> PaymentTerms | None:
    """Read a customer's terms; None: there are none."""
    found: str | None = await db.fetchval(_STATEMENTS["terms_read"].sql, program_id, customer)
    return None if found is None else _decode_terms(found)


async def remove_terms(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Remove the terms of records."""
    await db.execute(_STATEMENTS["terms_remove"].sql, program_id, customers)


async def rehome_terms(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let a record's terms be another's, unless that has some of its own."""
    await db.execute(_STATEMENTS["terms_rehome"].sql, program_id, source, target)
    await remove_terms(db, program_id=program_id, customers=[source])


async def empty(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Empty the numbers and lines of records' invoices."""
    await db.execute(_STATEMENTS["invoice_empty"].sql, program_id, customers)


async def news_of_versions(db: Db, *, program_id: int, version_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of versions of invoices."""
    return await db.fetch(_STATEMENTS["version_news"].sql, program_id, version_ids)


async def news_of_settled(
    db: Db, *, program_id: int, events: Sequence[tuple[UUID, UUID, datetime]]
) -> dict[UUID, Record]:
    """Read what is told of invoices of which nothing is open: by events' ids, with the invoices and the moments.

    `paid_on` is None where no payment closed it then.
    """
    columns = [each for each, _, _ in events], [each for _, each, _ in events], [each for _, _, each in events]
    rows = await db.fetch(_STATEMENTS["settled_news"].sql, program_id, *columns)
    return {row["event_id"]: row for row in rows}


def _invoice(row: Record) -> Invoice:
    its: dict[str, Any] = dict(row)
    its["lines"] = None if its["lines"] is None else _decode_lines(its["lines"])
    its["terms"] = None if its["terms"] is None else _decode_terms(its["terms"])
    its["agreement"] = _decode_agreement(its["agreement"])
    its["bill"], its["charged"] = _decode_bill(its["bill"]), _decode_bill(its["charged"])
    return Invoice(**its)
