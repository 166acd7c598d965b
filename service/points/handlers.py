"""A customer's points in detail: `/v1/customers/{id}/transactions`, `/lots`."""

from litestar import Router, get
from litestar.params import FromPath

from service.platform.database import Database
from service.platform.http.operation import CURSOR, LIMIT, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id
from service.platform.roles import Right
from service.points import usecases
from service.points.schemas import LotOut, TransferOut, lot_out, transfer_out


@get("/transactions", operation_id="listTransactions", opt=operation(Right.READ_HISTORY, parameters=(LIMIT, CURSOR)))
async def list_transactions(request: ApiRequest, customer_id: FromPath[str]) -> Page[TransferOut]:
    """List every transfer of a customer's points, newest first."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found = await usecases.history(
            db,
            program_id=request.actor.program_id,
            customer_id=caller_id(customer_id),
            limit=limit,
            before=before,
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([transfer_out(booked) for booked in found], limit, last)


@get("/lots", operation_id="listLots", opt=operation(Right.READ_HISTORY, parameters=(LIMIT, CURSOR)))
async def list_lots(request: ApiRequest, customer_id: FromPath[str]) -> Page[LotOut]:
    """List a customer's lots of points that have something left, newest first."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found, alive_until = await usecases.lots(
            db,
            program_id=request.actor.program_id,
            customer_id=caller_id(customer_id),
            limit=limit,
            before=before,
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([lot_out(lot, alive_until) for lot in found], limit, last)


router = Router("/customers/{customer_id:str}", route_handlers=[list_transactions, list_lots], tags=["Points"])
