"""`/v1/customers`."""

import random
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import FromPath, JSONBody

from service.customers import records, usecases
from service.customers.keeping import Keepers
from service.customers.rules import Balance, Customer, CustomerMerged, Profile, ProfileChange
from service.customers.schemas import (
    CustomerOut,
    ErasedOut,
    ExportOut,
    Merge,
    MergedOut,
    change_out,
    customer_out,
    export_out,
)
from service.kernel.errors import Invalid
from service.platform.database import Database
from service.platform.http.commanding import REPLAYED, run_once
from service.platform.http.operation import COMMAND_KEY, CURSOR, DRY_RUN, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, cursor_of, limit_of, page
from service.platform.http.request import ApiRequest, caller_id, flag, new_caller_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact

_ID_BYTES = 8
EMAIL = Parameter("email", "query", "Exactly this e-mail address.", {"type": "string"})


@put(
    "/{customer_id:str}",
    operation_id="putCustomer",
    opt=operation(
        Right.ENROL_CUSTOMERS,
        parameters=(DRY_RUN,),
        statuses=(200, 201),
        links=(
            Link("getCustomer", "customer_id", "$response.body#/customer_id"),
            Link("getBalance", "customer_id", "$response.body#/customer_id"),
        ),
    ),
)
async def put_customer(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[ProfileChange]
) -> Response[CustomerOut]:
    """Enrol a customer, or change the record: what is given is replaced, the rest is kept."""
    external_id, dry_run = new_caller_id(customer_id), flag(request, "dry_run")

    async def work(db: Db) -> tuple[Customer, Profile, bool]:
        return await usecases.put(
            db,
            program_id=request.actor.program_id,
            customer_id=external_id,
            change=data,
            entropy=random.getrandbits(62),
        )

    customer, profile, is_new = await transact(request.part(Database).connection, work, rollback=dry_run)
    may_read = Right.READ_CUSTOMERS in request.actor.rights
    answer = customer_out(customer, profile) if may_read else change_out(customer, data)
    return Response(answer, status_code=201 if is_new and not dry_run else 200)


@get("/{customer_id:str}", operation_id="getCustomer", opt=operation(Right.READ_CUSTOMERS))
async def get_customer(request: ApiRequest, customer_id: FromPath[str]) -> CustomerOut:
    """Read a customer's record."""
    async with request.part(Database).reading() as db:
        customer, profile = await usecases.get(
            db, program_id=request.actor.program_id, customer_id=caller_id(customer_id)
        )
    return customer_out(customer, profile)


@get(
    "/",
    operation_id="listCustomers",
    opt=operation(
        Right.LIST_CUSTOMERS,
        parameters=(LIMIT, CURSOR, EMAIL),
    ),
)
async def list_customers(request: ApiRequest) -> Page[CustomerOut]:
    """List customers, newest first; `?email=` finds those with exactly this address."""
    limit, place, email = limit_of(request), cursor_of(request, _ID_BYTES), request.query_params.get("email")
    if email is not None and "\x00" in email:
        raise Invalid("This is no e-mail address.", pointer="?email", reason="invalid_format")
    before = None if place is None else min(int.from_bytes(place), usecases.GREATEST_INTERNAL_ID)
    async with request.part(Database).reading() as db:
        found = await usecases.list_newest(
            db, program_id=request.actor.program_id, before=before, email=email, limit=limit
        )
    last = found[limit - 1][0].id.to_bytes(_ID_BYTES) if len(found) > limit else None
    return page([customer_out(customer, profile) for customer, profile in found], limit, last)


@delete(
    "/{customer_id:str}",
    operation_id="eraseCustomer",
    status_code=200,
    opt=operation(Right.ERASE_CUSTOMERS, parameters=(DRY_RUN,)),
)
async def erase_customer(request: ApiRequest, customer_id: FromPath[str]) -> ErasedOut:
    """Erase a customer: all balances are closed, and no personal data is left. It can't be undone."""
    external_id, done = caller_id(customer_id), list[Customer]()

    async def work(db: Db) -> Customer:
        erased = await records.erase(
            db,
            program_id=request.actor.program_id,
            customer_id=external_id,
            keepers=request.part(Keepers),
            entropy=random.getrandbits(62),
            earlier=done,
        )
        done.append(erased)
        return erased

    erased = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    return ErasedOut(external_id, erased=True, closed=erased.balance)


@post(
    "/{customer_id:str}/merge",
    operation_id="mergeCustomer",
    status_code=200,
    opt=operation(Right.MERGE_CUSTOMERS, parameters=(DRY_RUN, COMMAND_KEY), refusals=(CustomerMerged,)),
)
async def merge_customer(request: ApiRequest, customer_id: FromPath[str], data: JSONBody[Merge]) -> Response[MergedOut]:
    """Let a record go into another one, which has all of both from then on; both ids stand for it."""
    external_id = caller_id(customer_id)

    async def work(db: Db) -> tuple[int, Any]:
        merged = await records.merge(
            db,
            program_id=request.actor.program_id,
            customer_id=external_id,
            into=data.into,
            keepers=request.part(Keepers),
            entropy=random.getrandbits(62),
        )
        return 200, msgspec.to_builtins(merged.balance)  # the ids are personal data: they are not kept with the answer

    answered = await run_once(request, f"mergeCustomer {external_id}", data, work)
    balance = msgspec.convert(answered.answer, Balance)
    return Response(MergedOut(external_id, data.into, balance), headers=REPLAYED if answered.replayed else None)


@get("/{customer_id:str}/export", operation_id="exportCustomer", opt=operation(Right.EXPORT_CUSTOMERS))
async def export_customer(request: ApiRequest, customer_id: FromPath[str]) -> ExportOut:
    """Give out all that is kept of a customer."""
    async with request.part(Database).reading() as db:
        export = await records.export(
            db,
            program_id=request.actor.program_id,
            customer_id=caller_id(customer_id),
            keepers=request.part(Keepers),
        )
    return export_out(export)


router = Router(
    "/customers",
    route_handlers=[put_customer, get_customer, list_customers, erase_customer, merge_customer, export_customer],
    tags=["Customers"],
)
