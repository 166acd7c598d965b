"""`/v1/customers`."""

import random

from litestar import Response, Router, get, put
from litestar.params import FromPath, JSONBody

from service.customers import usecases
from service.customers.rules import Customer, Profile, ProfileChange
from service.customers.schemas import CustomerOut, change_out, customer_out
from service.kernel.errors import Invalid
from service.platform.database import Database
from service.platform.http.operation import CURSOR, DRY_RUN, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, cursor_of, limit_of, page
from service.platform.http.request import ApiRequest, caller_id, flag, new_caller_id
from service.platform.roles import RIGHTS, Right
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
    may_read = Right.READ_CUSTOMERS in RIGHTS[request.actor.role]
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


router = Router("/customers", route_handlers=[put_customer, get_customer, list_customers], tags=["Customers"])
