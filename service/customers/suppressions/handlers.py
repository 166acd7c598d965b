"""`/v1/customers/{id}/suppressions`."""

import random
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody

from service.customers.suppressions import usecases
from service.customers.suppressions.rules import NewSuppression, Suppressing, Suppression, SuppressionReason
from service.customers.suppressions.schemas import LiftedOut, SuppressionOut, suppression_out
from service.kernel.errors import NotFound
from service.platform.database import Database
from service.platform.http.commanding import REPLAYED, run_once
from service.platform.http.operation import CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact


@get(
    "/",
    operation_id="listSuppressions",
    opt=operation(Right.READ_SUPPRESSIONS, parameters=(LIMIT, CURSOR)),
)
async def list_suppressions(request: ApiRequest, customer_id: FromPath[str]) -> Page[SuppressionOut]:
    """List why a customer gets no message and no surprise now, newest first; what was lifted or is over is left out."""
    (limit, before), named = limit_and_before(request), caller_id(customer_id)
    async with request.part(Database).reading() as db:
        found = await usecases.list_newest(
            db, program_id=request.actor.program_id, customer_id=named, before=before, limit=limit
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([suppression_out(each) for each in found], limit, last)


@post(
    "/",
    operation_id="suppressCustomer",
    opt=operation(Right.SUPPRESS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), statuses=(200, 201)),
)
async def suppress_customer(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[NewSuppression]
) -> Response[SuppressionOut]:
    """Let a customer get no message and no surprise, for a reason. One that holds for it is replaced, with 200."""
    named, done = caller_id(customer_id), list[Suppressing]()

    async def work(db: Db) -> tuple[int, Any]:
        made = await usecases.suppress(
            db,
            program_id=request.actor.program_id,
            customer_id=named,
            new=data,
            by=request.actor.key_id,
            entropy=random.getrandbits(62),
            earlier=done,
        )
        done.append(made)
        shown = msgspec.structs.replace(suppression_out(made.suppression), reference=None)
        # A reference may be personal data: it is not kept with the answer, and a repetition has the same.
        return 201 if made.is_new else 200, msgspec.to_builtins(shown)

    answered = await run_once(request, f"suppressCustomer {named}", data, work, needs_key=False)
    shown = msgspec.structs.replace(msgspec.convert(answered.answer, SuppressionOut), reference=data.reference)
    return Response(shown, status_code=answered.status, headers=REPLAYED if answered.replayed else None)


@delete(
    "/{reason:str}",
    operation_id="liftSuppression",
    status_code=200,
    opt=operation(Right.SUPPRESS, parameters=(DRY_RUN,)),
)
async def lift_suppression(request: ApiRequest, customer_id: FromPath[str], reason: FromPath[str]) -> LiftedOut:
    """Let a reason hold no more. One that doesn't hold, or whose time is over, is unknown."""
    named, its_reason, done = caller_id(customer_id), _reason(reason), list[Suppression]()

    async def work(db: Db) -> Suppression:
        lifted = await usecases.lift(
            db,
            program_id=request.actor.program_id,
            customer_id=named,
            reason=its_reason,
            by=request.actor.key_id,
            entropy=random.getrandbits(62),
            earlier=done,
        )
        done.append(lifted)
        return lifted

    lifted = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    return LiftedOut(lifted.reason)


def _reason(text: str) -> SuppressionReason:
    try:
        return SuppressionReason(text)
    except ValueError:
        raise NotFound from None


router = Router(
    "/customers/{customer_id:str}/suppressions",
    route_handlers=[list_suppressions, suppress_customer, lift_suppression],
    tags=["Customers"],
)
