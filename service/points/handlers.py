"""Balance and history: `/v1/customers/{id}/balance`, `/transactions`, `/lots`."""

import asyncio
import re
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from service.customers.rules import Standing
from service.platform.authentication import Actor
from service.platform.database import Database
from service.platform.http.direct import PLAIN_ID, Answer, Route
from service.platform.http.operation import CURSOR, LIMIT, operation
from service.platform.http.paging import Page, cursor_of, limit_of, page
from service.platform.http.request import ApiRequest, caller_id
from service.platform.roles import Right
from service.points import usecases
from service.points.balances import Balances
from service.points.schemas import BalanceOut, LotOut, TransferOut, balance_out, lot_out, transfer_out

_ID_BYTES = 16


@get("/balance", operation_id="getBalance", opt=operation(Right.READ_BALANCES))
async def get_balance(request: ApiRequest, customer_id: FromPath[str]) -> BalanceOut:
    """Read a customer's balance."""
    return balance_out(await request.part(Balances).of(request.actor.program_id, caller_id(customer_id)))


@get("/transactions", operation_id="listTransactions", opt=operation(Right.READ_HISTORY, parameters=(LIMIT, CURSOR)))
async def list_transactions(request: ApiRequest, customer_id: FromPath[str]) -> Page[TransferOut]:
    """List every transfer of a customer's points, newest first."""
    limit, place = limit_of(request), cursor_of(request, _ID_BYTES)
    async with request.part(Database).reading() as db:
        found = await usecases.history(
            db,
            program_id=request.actor.program_id,
            customer_id=caller_id(customer_id),
            limit=limit,
            before=None if place is None else UUID(bytes=place),
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([transfer_out(booked) for booked in found], limit, last)


@get("/lots", operation_id="listLots", opt=operation(Right.READ_HISTORY, parameters=(LIMIT, CURSOR)))
async def list_lots(request: ApiRequest, customer_id: FromPath[str]) -> Page[LotOut]:
    """List a customer's lots of points that have something left, newest first."""
    limit, place = limit_of(request), cursor_of(request, _ID_BYTES)
    async with request.part(Database).reading() as db:
        found, alive_until = await usecases.lots(
            db,
            program_id=request.actor.program_id,
            customer_id=caller_id(customer_id),
            limit=limit,
            before=None if place is None else UUID(bytes=place),
        )
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([lot_out(lot, alive_until) for lot in found], limit, last)


def hot_routes(balances: Balances) -> list[Route[Standing]]:
    """Give the short way for what every page of a shop may ask; it answers as `get_balance`."""

    def ask(actor: Actor, segment: str, _: bytes) -> asyncio.Future[Standing]:
        return balances.of(actor.program_id, caller_id(segment))

    def answer(standing: Standing) -> Answer:
        return Answer(200, balance_out(standing))

    path = re.compile(rb"/v1/customers/" + PLAIN_ID + rb"/balance")
    return [Route("getBalance", b"GET", path, Right.READ_BALANCES, ask, answer)]


router = Router(
    "/customers/{customer_id:str}", route_handlers=[get_balance, list_transactions, list_lots], tags=["Points"]
)
