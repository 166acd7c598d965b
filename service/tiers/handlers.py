"""`/v1/tiers`, and `/v1/customers/{id}/balance`, which shows the tier beside the points."""

import asyncio
import re

from litestar import Router, get
from litestar.params import FromPath

from service.platform.authentication import Actor
from service.platform.http.direct import PLAIN_ID, Answer, Route
from service.platform.http.operation import operation
from service.platform.http.request import ApiRequest, caller_id
from service.platform.roles import Right
from service.programs.definition_handlers import routes_of
from service.tiers.balances import Balances, Shown
from service.tiers.defining import TIERS
from service.tiers.schemas import BalanceOut, balance_out


@get("/balance", operation_id="getBalance", opt=operation(Right.READ_BALANCES))
async def get_balance(request: ApiRequest, customer_id: FromPath[str]) -> BalanceOut:
    """Read a customer's balance, and the tier."""
    return balance_out(*await request.part(Balances).of(request.actor.program_id, caller_id(customer_id)))


def hot_routes(balances: Balances) -> list[Route[Shown]]:
    """Give the short way for what every page of a shop may ask; it answers as `get_balance`."""

    def ask(actor: Actor, segment: str, _: bytes) -> asyncio.Future[Shown]:
        return balances.of(actor.program_id, caller_id(segment))

    def answer(shown: Shown) -> Answer:
        return Answer(200, balance_out(*shown))

    path = re.compile(rb"/v1/customers/" + PLAIN_ID + rb"/balance")
    return [Route("getBalance", b"GET", path, Right.READ_BALANCES, ask, answer)]


tiers = routes_of(TIERS, reads=Right.READ_RULES, manages=Right.MANAGE_RULES)
balance = Router("/customers/{customer_id:str}", route_handlers=[get_balance], tags=["Points"])
