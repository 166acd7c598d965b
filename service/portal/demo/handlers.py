"""`/demo`: the demo shop, served only where the settings name a test program for it."""

import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from service.customers import usecases as customers
from service.customers.rules import ProfileChange
from service.kernel.errors import NotFound, Refusal
from service.platform.database import Database
from service.platform.http import problems
from service.platform.http.request import ApiRequest
from service.platform.idempotency import Commands
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.portal.admission import CustomerActor, CustomerGate
from service.portal.demo.acting import Once, Shopper
from service.portal.demo.exchanges import Exchange, Exchanges
from service.portal.demo.forms import check_own_page, sent_form
from service.portal.demo.showing import DONE, Shown, page_of, problem_page
from service.portal.demo.visits import COOKIE, FORGET, SECRET_BYTES, Visit, Who, code_of, visit_of
from service.portal.keyring import Keyring
from service.portal.reading import read_everything
from service.portal.schemas import Everything
from service.portal.sessions import USUAL, link_to_page, token_for
from service.programs.catalogue import Catalogue
from service.programs.rules import Program
from service.purchases.booking import Purchases

ASSETS: Final = Path(__file__).parent / "assets"
_SERVED: Final = {
    "demo.css": "text/css",
    "demo.js": "text/javascript",
    "leaf.svg": "image/svg+xml",
    "demo.png": "image/png",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PRIVATE: Final = _SAFE | {"Cache-Control": "no-store", "Vary": "Cookie"}
_ALL_VISITORS: Final = 0xDE40 << 64
"""What the name of all visitors together begins with. They have one limit: nobody fills the database by the shop."""
_DIGITS: Final = 12
_NAMES: Final = {Who.YOU: "Robin", Who.FRIEND: "Sam"}
"""What the two customers are called in their portals."""


class TokenOut(msgspec.Struct, frozen=True):
    """A short-lived token for the widget, which may read and nothing else."""

    token: str


def shop_of(request: ApiRequest) -> Program:
    """Return the program of the demo shop. Raises NotFound where none is to be shown: live ones are not played with."""
    code = request.part(Settings).demo
    program = None if code is None else request.part(Catalogue).program_with_code(code)
    if program is None or program.live:
        raise NotFound
    return program


def counted_shop_of(request: ApiRequest) -> Program:
    """Return the program of the demo shop, and count the call. Raises NotFound, TooManyRequests."""
    program, now = shop_of(request), request.part(Catalogue).now()
    actor = CustomerActor(
        program.id, "", now, may_redeem=False, may_play=False, key_id=UUID(int=_ALL_VISITORS + program.id)
    )
    request.part(CustomerGate).count(actor)
    return program


@get("/", include_in_schema=False)
async def page(request: ApiRequest) -> Response[str]:
    """Show the shop to a visitor, who has two customers in it from the first look on."""
    program, visit = counted_shop_of(request), visit_of(request.cookies.get(COOKIE))
    headers = dict(_PRIVATE)
    if visit is None:
        visit = Visit(secrets.token_urlsafe(SECRET_BYTES))
        headers["Set-Cookie"] = visit.cookie()
    code, who = code_of(request.query_params.get("ref", "")), _who(request.query_params)
    everything = await _read(request, program, visit, who)
    if code is not None and "as" not in request.query_params and code == everything.referral.code:
        who = Who.FRIEND  # who opens the own link is shown what the friend sees
        everything = await _read(request, program, visit, who)
    did = request.query_params.get("did")
    shown = Shown(
        visit,
        who,
        everything,
        await request.part(Exchanges).newest(visit.customer_id(who)),
        program.code,
        request.part(Catalogue).now(),
        None if everything.referral.referred_by is not None else code,
        did if did in DONE else None,
    )
    return Response(page_of(shown), media_type=MediaType.HTML, headers=headers)


def _who(fields: Mapping[str, str]) -> Who:
    return Who.FRIEND if fields.get("as") == Who.FRIEND.value else Who.YOU


async def _read(request: ApiRequest, program: Program, visit: Visit, who: Who) -> Everything:
    """Read all of a customer, who is enrolled at the first look."""
    database, customer_id = request.part(Database), visit.customer_id(who)
    try:
        return await read_everything(database, program=program, customer_id=customer_id, may_redeem=True, may_play=True)
    except NotFound:
        change = ProfileChange(name=_NAMES[who])

        async def enrol(db: Db) -> None:
            await customers.put(
                db,
                program_id=program.id,
                customer_id=customer_id,
                change=change,
                entropy=random.getrandbits(62),
            )

        await transact(database.connection, enrol)
    return await read_everything(database, program=program, customer_id=customer_id, may_redeem=True, may_play=True)


@get("/token", include_in_schema=False)
async def token(request: ApiRequest) -> Response[TokenOut]:
    """Give the page's widget a token of the visitor's customer, as a shop's server gives its own page one."""
    program, visit = counted_shop_of(request), visit_of(request.cookies.get(COOKIE))
    check_own_page(request)
    if visit is None:
        raise NotFound
    made = await _token(request, program, visit.customer_id(_who(request.query_params)), read_only=True)
    return Response(TokenOut(made), headers=_PRIVATE)


async def _token(request: ApiRequest, program: Program, customer_id: str, *, read_only: bool) -> str:
    return token_for(
        program,
        customer_id,
        key=await request.part(Keyring).own(program),
        issued_at=request.part(Catalogue).now(),
        lasts=USUAL,
        read_only=read_only,
    )


_Act = Callable[[Shopper, Mapping[str, str]], Awaitable[Exchange]]


async def _buy(shopper: Shopper, form: Mapping[str, str]) -> Exchange:
    return await shopper.buy(_once(form), sku=form.get("sku", ""), code=code_of(form.get("ref", "")))


async def _redeem(shopper: Shopper, form: Mapping[str, str]) -> Exchange:
    return await shopper.redeem(_once(form), reward_id=form.get("reward", ""))


async def _play(shopper: Shopper, form: Mapping[str, str]) -> Exchange:
    return await shopper.play(_once(form), campaign_id=form.get("game", ""))


async def _invoice(shopper: Shopper, form: Mapping[str, str]) -> Exchange:
    return await shopper.invoice(_once(form))


async def _pay(shopper: Shopper, form: Mapping[str, str]) -> Exchange:
    amount = form.get("amount", "")
    whole = int(amount) if amount.isdecimal() and len(amount) <= _DIGITS else 0
    return await shopper.pay(_once(form), invoice_id=form.get("invoice", ""), amount=whole)


def _once(form: Mapping[str, str]) -> Once:
    return Once.read(form.get("once", ""))


_ACTS: Final[Mapping[str, tuple[str, _Act]]] = {
    "buy": ("buy", _buy),
    "redeem": ("redeem", _redeem),
    "play": ("play", _play),
    "invoice": ("invoice", _invoice),
    "pay": ("invoice", _pay),
}
"""What forms ask for, and in which part of the page it is told."""


@post("/{act:str}", include_in_schema=False)
async def act(request: ApiRequest, act: FromPath[str]) -> Response[None]:
    """Do what a form asks for, and show the page again."""
    program = counted_shop_of(request)
    visit, form = await sent_form(request)
    who = _who(form)
    if act == "anew":
        return _see_other("/demo", {"Set-Cookie": FORGET})
    customer_id = visit.customer_id(who)
    if act == "portal":
        return _see_other(link_to_page("", await _token(request, program, customer_id, read_only=False)))
    if act not in _ACTS:
        raise NotFound
    part, work = _ACTS[act]
    shopper = Shopper(program, customer_id, request.part(Database), request.part(Purchases), request.part(Commands))
    exchange = await work(shopper, form)
    await request.part(Exchanges).keep(customer_id, exchange)
    query = {"as": who.value, "did": part}
    if exchange.is_refused and "ref" in form:
        query["ref"] = form["ref"]
    return _see_other(f"/demo?{urlencode(query)}#{part}")


def _see_other(to: str, headers: Mapping[str, str] | None = None) -> Response[None]:
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={**_PRIVATE, **(headers or {}), "Location": to})


@get("/assets/{name:str}", include_in_schema=False)
async def asset(request: ApiRequest, name: FromPath[str]) -> Response[bytes]:
    """Serve what the pages need; nothing of it is anybody's."""
    shop_of(request)
    if name not in _SERVED:
        raise NotFound
    headers = _SAFE | {"Cache-Control": "no-cache"}
    return Response((ASSETS / name).read_bytes(), media_type=_SERVED[name], headers=headers)


def _problem(made: tuple[problems.Problem, Mapping[str, str]]) -> Response[str]:
    problem, headers = made
    text = problem_page(problem.title, problem.detail)
    return Response(text, status_code=problem.status, media_type=MediaType.HTML, headers={**_PRIVATE, **headers})


def _on_refusal(request: Request[Any, Any, Any], refusal: Refusal) -> Response[str]:
    return _problem(problems.refused(refusal, problems.request_id_of(request.scope)))


def _on_fault(request: Request[Any, Any, Any], fault: Exception) -> Response[str]:
    return _problem(problems.unavailable(fault, problems.request_id_of(request.scope)))


router = Router(
    "/demo",
    route_handlers=[page, token, act, asset],
    exception_handlers={
        Refusal: _on_refusal,
        HTTPException: problems.on_framework_refusal,
        Exception: _on_fault,
    },
)
