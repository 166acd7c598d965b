"""Payments on invoices, what becomes of them when they bounce, and credit notes."""

import random
from typing import Final, TypeVar

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.customers.rules import CustomerErased, CustomerUnknown
from service.invoices import payments, taking_back
from service.invoices.crediting import CreditNoteExceedsInvoice
from service.invoices.documents import CreditNote
from service.invoices.paying import PaymentReport, on_many, on_one
from service.invoices.payment_schemas import (
    AllocatedPaymentOut,
    CreditNoteOut,
    PaymentOut,
    RecordedPaymentOut,
    ReversedPaymentOut,
    allocated_out,
    credit_note_out,
    payment_out,
    recorded_payment_out,
    reversed_out,
)
from service.invoices.payments import AcceptedPayment
from service.invoices.rules import CreditNoteConflict, NewCreditNote, NewPayment, NewPaymentOnMany, PaymentConflict
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import REPLAYED, command
from service.platform.http.operation import COMMAND_KEY, CURSOR, DRY_RUN, LIMIT, Link, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.bulk import status_of
from service.programs.catalogue import program_of

_NOTHING: Final = Nothing()
Body = TypeVar("Body", bound=msgspec.Struct)


@post(
    "/{invoice_id:str}/payments",
    operation_id="reportPayment",
    opt=operation(
        Right.REPORT_INVOICES,
        parameters=(DRY_RUN,),
        refusals=(PaymentConflict, CustomerErased),
        statuses=(200, 201),
        links=(Link("getPayment", "payment_id", "$response.body#/id"),),
        fact=True,
    ),
)
async def report_payment(
    request: ApiRequest, invoice_id: FromPath[str], data: JSONBody[NewPayment]
) -> Response[PaymentOut]:
    """Report a payment on an invoice; the answer says what to book for it."""
    report, dry_run = on_one(caller_id(invoice_id), data), flag(request, "dry_run")
    customer_id, accepted = await _report(request, report, dry_run=dry_run)
    return _answer(payment_out(report, customer_id, accepted.answer), accepted, dry_run=dry_run)


@post(
    "/",
    operation_id="reportPaymentOnMany",
    opt=operation(
        Right.REPORT_INVOICES,
        parameters=(DRY_RUN,),
        refusals=(PaymentConflict, CustomerUnknown, CustomerErased),
        statuses=(200, 201),
        links=(Link("getPayment", "payment_id", "$response.body#/id"),),
        fact=True,
    ),
)
async def report_payment_on_many(
    request: ApiRequest, data: JSONBody[NewPaymentOnMany]
) -> Response[AllocatedPaymentOut]:
    """Report one payment over several invoices of a customer: all of it is booked, or nothing."""
    report, dry_run = on_many(data), flag(request, "dry_run")
    customer_id, accepted = await _report(request, report, dry_run=dry_run)
    return _answer(allocated_out(report, customer_id, accepted.answer), accepted, dry_run=dry_run)


async def _report(request: ApiRequest, report: PaymentReport, *, dry_run: bool) -> tuple[str, AcceptedPayment]:
    program, randomness = program_of(request), random.getrandbits(62)

    async def work(db: Db) -> tuple[str, AcceptedPayment]:
        return await payments.report_payment(
            db,
            program=program,
            report=report,
            randomness=randomness,
            entropy=random.getrandbits(62),
            dry_run=dry_run,
        )

    return await transact(request.part(Database).connection, work, rollback=dry_run)


def _answer(body: Body, accepted: AcceptedPayment, *, dry_run: bool) -> Response[Body]:
    return Response(
        body,
        status_code=200 if dry_run else status_of(accepted),
        headers=REPLAYED if accepted.replayed and not dry_run else None,
    )


@get("/{payment_id:str}", operation_id="getPayment", opt=operation(Right.READ_INVOICES))
async def get_payment(request: ApiRequest, payment_id: FromPath[str]) -> RecordedPaymentOut:
    """Read a payment as it was booked, and whether it was taken back."""
    async with request.part(Database).reading() as db:
        found = await taking_back.read_payment(
            db, program_id=request.actor.program_id, payment_id=caller_id(payment_id)
        )
    return recorded_payment_out(found)


@get(
    "/{invoice_id:str}/payments",
    operation_id="listPayments",
    opt=operation(Right.READ_INVOICES, parameters=(LIMIT, CURSOR)),
)
async def list_payments(request: ApiRequest, invoice_id: FromPath[str]) -> Page[RecordedPaymentOut]:
    """List the payments on an invoice, newest first, also those that bounced."""
    (limit, before), named = limit_and_before(request), caller_id(invoice_id)
    async with request.part(Database).reading() as db:
        found = await taking_back.payments_on(
            db, program_id=request.actor.program_id, invoice_id=named, before=before, limit=limit
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([recorded_payment_out(each) for each in found], limit, last)


@post(
    "/{invoice_id:str}/payments/{payment_id:str}/reverse",
    operation_id="reversePayment",
    status_code=200,
    opt=operation(Right.REPORT_INVOICES, parameters=(DRY_RUN, COMMAND_KEY), refusals=(CustomerErased,)),
)
async def reverse_payment(
    request: ApiRequest,
    invoice_id: FromPath[str],
    payment_id: FromPath[str],
    data: JSONBody[Nothing] = _NOTHING,
) -> Response[ReversedPaymentOut]:
    """Take back a payment that bounced, on all its invoices, with its discounts and points. The body may be empty."""
    on, named, program = caller_id(invoice_id), caller_id(payment_id), program_of(request)

    async def work(db: Db) -> ReversedPaymentOut:
        reversal = await taking_back.reverse(
            db, program=program, invoice_id=on, payment_id=named, entropy=random.getrandbits(62)
        )
        return reversed_out(named, reversal)

    # No id holds a line feed.
    return await command(request, f"reversePayment {named}\n{on}", data, work, ReversedPaymentOut)


@post(
    "/{invoice_id:str}/credit-notes",
    operation_id="reportCreditNote",
    opt=operation(
        Right.REPORT_INVOICES,
        parameters=(DRY_RUN,),
        refusals=(CreditNoteConflict, CreditNoteExceedsInvoice, CustomerErased),
        statuses=(200, 201),
        fact=True,
    ),
)
async def report_credit_note(
    request: ApiRequest, invoice_id: FromPath[str], data: JSONBody[NewCreditNote]
) -> Response[CreditNoteOut]:
    """Report a credit note on an invoice: it takes from what is open first, then of what was settled."""
    named, dry_run, randomness = caller_id(invoice_id), flag(request, "dry_run"), random.getrandbits(62)

    async def work(db: Db) -> CreditNote:
        return await taking_back.report_credit_note(
            db,
            program=program_of(request),
            invoice_id=named,
            note=data,
            randomness=randomness,
            entropy=random.getrandbits(62),
        )

    note = await transact(request.part(Database).connection, work, rollback=dry_run)
    return Response(
        credit_note_out(named, note),
        status_code=200 if dry_run or note.replayed else 201,
        headers=REPLAYED if note.replayed and not dry_run else None,
    )


@get(
    "/{invoice_id:str}/credit-notes",
    operation_id="listCreditNotes",
    opt=operation(Right.READ_INVOICES, parameters=(LIMIT, CURSOR)),
)
async def list_credit_notes(request: ApiRequest, invoice_id: FromPath[str]) -> Page[CreditNoteOut]:
    """List the credit notes on an invoice, newest first."""
    (limit, before), named = limit_and_before(request), caller_id(invoice_id)
    async with request.part(Database).reading() as db:
        found = await taking_back.credit_notes_on(
            db, program_id=request.actor.program_id, invoice_id=named, before=before, limit=limit
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([credit_note_out(named, each) for each in found], limit, last)


on_invoices = Router(
    "/invoices",
    route_handlers=[report_payment, list_payments, reverse_payment, report_credit_note, list_credit_notes],
    tags=["Invoices"],
)
router = Router("/payments", route_handlers=[report_payment_on_many, get_payment], tags=["Invoices"])
