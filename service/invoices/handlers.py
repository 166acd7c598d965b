"""`/v1/invoices`: recording and changing them, quotes; customers' own terms."""

import random
import re
from datetime import date
from enum import Enum
from typing import Final

from litestar import Response, Router, delete, get, put
from litestar.params import FromPath, JSONBody

from service.customers.rules import CustomerErased, CustomerUnknown
from service.invoices import usecases
from service.invoices.rules import InvoiceHasPayments, InvoiceNumberTaken, NewInvoice
from service.invoices.schemas import (
    InvoiceOut,
    PaymentTermsOut,
    QuoteOut,
    RemovedTermsOut,
    invoice_out,
    quote_out,
    terms_out,
)
from service.invoices.usecases import Recorded
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import CALLER_ID_PATTERN
from service.platform.database import Database
from service.platform.http.operation import CURSOR, DAY, DRY_RUN, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, choice, customer_asked_for, flag, new_caller_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs.catalogue import program_of
from service.programs.payment_terms import PaymentTerms

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


class Status(Enum):
    """How an invoice stands."""

    OPEN = "open"
    SETTLED = "settled"


PAID_ON: Final = Parameter("paid_on", "query", "The day of the payment; today when it is left out.", DAY)
STATUS: Final = Parameter(
    "status", "query", "Only invoices of this status.", {"type": "string", "enum": [each.value for each in Status]}
)
OF_CUSTOMER: Final = Parameter(
    "customer_id",
    "query",
    "Only those of this customer.",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": CALLER_ID_PATTERN},
)


@put(
    "/{invoice_id:str}",
    operation_id="putInvoice",
    opt=operation(
        Right.REPORT_INVOICES,
        parameters=(DRY_RUN,),
        refusals=(InvoiceHasPayments, InvoiceNumberTaken, CustomerUnknown, CustomerErased),
        statuses=(200, 201),
        links=(
            Link("getInvoice", "invoice_id", "$response.body#/id"),
            Link("quoteInvoice", "invoice_id", "$response.body#/id"),
            Link("reportPayment", "invoice_id", "$response.body#/id"),
        ),
    ),
)
async def put_invoice(
    request: ApiRequest, invoice_id: FromPath[str], data: JSONBody[NewInvoice]
) -> Response[InvoiceOut]:
    """Record an invoice, with the terms that hold for it from now on, or change one on which nothing was paid."""
    named, dry_run, done = new_caller_id(invoice_id), flag(request, "dry_run"), list[bool]()

    async def work(db: Db) -> Recorded:
        recorded = await usecases.put(
            db, program=program_of(request), invoice_id=named, new=data, entropy=random.getrandbits(62)
        )
        done.append(recorded.is_new)
        return recorded

    recorded = await transact(request.part(Database).connection, work, rollback=dry_run)
    # Where the answer of the commit was lost, it was this very call that recorded it.
    is_new = any(done) and recorded.invoice.version == 1
    return Response(invoice_out(recorded), status_code=201 if is_new and not dry_run else 200)


@get("/{invoice_id:str}", operation_id="getInvoice", opt=operation(Right.READ_INVOICES))
async def get_invoice(request: ApiRequest, invoice_id: FromPath[str]) -> InvoiceOut:
    """Read an invoice as it stands."""
    async with request.part(Database).reading() as db:
        recorded = await usecases.read(db, program_id=request.actor.program_id, invoice_id=caller_id(invoice_id))
    return invoice_out(recorded)


@get(
    "/",
    operation_id="listInvoices",
    opt=operation(Right.READ_INVOICES, parameters=(LIMIT, CURSOR, STATUS, OF_CUSTOMER), refusals=(NotFound,)),
)
async def list_invoices(request: ApiRequest) -> Page[InvoiceOut]:
    """List invoices, newest first; `?customer_id=` those of a customer, `?status=open` those that aren't settled."""
    (limit, before), status = limit_and_before(request), choice(request, "status", Status)
    async with request.part(Database).reading() as db:
        found = await usecases.list_newest(
            db,
            program_id=request.actor.program_id,
            before=before,
            limit=limit,
            is_open=None if status is None else status is Status.OPEN,
            customer_id=customer_asked_for(request),
        )
    last = found[limit - 1].invoice.id.bytes if len(found) > limit else None
    return page([invoice_out(each) for each in found], limit, last)


@get(
    "/{invoice_id:str}/quote",
    operation_id="quoteInvoice",
    opt=operation(Right.READ_INVOICES, parameters=(PAID_ON,)),
)
async def quote_invoice(request: ApiRequest, invoice_id: FromPath[str]) -> QuoteOut:
    """Tell what closes an invoice on a day, and what may be deducted then; a past day is told by today's balance."""
    named, paid_on = caller_id(invoice_id), day_asked_for(request, "paid_on")
    async with request.part(Database).reading() as db:
        invoice, its = await usecases.price(db, program=program_of(request), invoice_id=named, paid_on=paid_on)
    return quote_out(invoice, its)


def day_asked_for(request: ApiRequest, name: str) -> date | None:
    """Read `?name=` as a day. Raises Invalid."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        # Other forms of ISO 8601, such as 2026-W48-3, are none of the contract's.
        return date.fromisoformat(text if _DAY.match(text) else "")
    except ValueError:
        raise Invalid("This is no day as in 2026-11-25.", pointer=f"?{name}", reason="invalid_format") from None


@put(
    "/",
    operation_id="putPaymentTerms",
    opt=operation(Right.REPORT_INVOICES, parameters=(DRY_RUN,), refusals=(NotFound,)),
)
async def put_terms(request: ApiRequest, customer_id: FromPath[str], data: JSONBody[PaymentTerms]) -> PaymentTermsOut:
    """Agree on terms with a customer, for new invoices that bring none of their own. They replace earlier ones."""
    named, program = caller_id(customer_id), program_of(request)

    async def work(db: Db) -> str | None:
        return await usecases.put_terms(db, program=program, customer_id=named, terms=data)

    locale = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    return terms_out(named, data, program.settings.currency, locale)


@get("/", operation_id="getPaymentTerms", opt=operation(Right.READ_INVOICES))
async def get_terms(request: ApiRequest, customer_id: FromPath[str]) -> PaymentTermsOut:
    """Read what is agreed with a customer; unknown where nothing is."""
    named, program = caller_id(customer_id), program_of(request)
    async with request.part(Database).reading() as db:
        terms, locale = await usecases.read_terms(db, program_id=program.id, customer_id=named)
    return terms_out(named, terms, program.settings.currency, locale)


@delete(
    "/",
    operation_id="removePaymentTerms",
    status_code=200,
    opt=operation(Right.REPORT_INVOICES, parameters=(DRY_RUN,)),
)
async def remove_terms(request: ApiRequest, customer_id: FromPath[str]) -> RemovedTermsOut:
    """Let the program's terms hold for a customer's new invoices again."""
    named = caller_id(customer_id)

    async def work(db: Db) -> None:
        await usecases.remove_terms(db, program_id=request.actor.program_id, customer_id=named)

    await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    return RemovedTermsOut(named, removed=True)


router = Router("/invoices", route_handlers=[put_invoice, get_invoice, list_invoices, quote_invoice], tags=["Invoices"])
terms_router = Router(
    "/customers/{customer_id:str}/payment-terms",
    route_handlers=[put_terms, get_terms, remove_terms],
    tags=["Invoices"],
)
