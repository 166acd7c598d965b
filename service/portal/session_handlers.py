"""`/v1/customers/{id}/portal-sessions` and `/v1/signing-keys`."""

import random
from datetime import timedelta
from typing import Any, Final

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.customers import usecases as customers
from service.kernel.errors import Invalid
from service.kernel.times import Time
from service.platform.clock import database_time
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import REPLAYED, command, run_once
from service.platform.http.operation import CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, Link, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, flag, own_id
from service.platform.roles import Right
from service.platform.settings import Settings
from service.platform.statements import Db
from service.portal import usecases
from service.portal.keyring import Keyring
from service.portal.session_schemas import (
    NewPortalSession,
    NewSigningKey,
    PortalSessionOut,
    SigningKeyOut,
    signing_key_out,
)
from service.portal.sessions import link_to_page, token_for
from service.portal.signing_keys import PREFIX, TooManySigningKeys
from service.portal.tokens import audience
from service.programs.catalogue import Catalogue, program_of

_USUAL: Final = NewPortalSession()
_NOTHING: Final = Nothing()


class _Issued(msgspec.Struct, frozen=True):
    """What is kept of an answer: from when to when the token holds. It is signed again, and comes out the same."""

    issued_at: Time
    seconds: int
    read_only: bool


@post(
    "/portal-sessions",
    operation_id="openPortalSession",
    status_code=201,
    opt=operation(Right.OPEN_PORTAL, parameters=(IDEMPOTENCY_KEY,), statuses=(201,)),
)
async def open_session(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[NewPortalSession] = _USUAL
) -> Response[PortalSessionOut]:
    """Get a short-lived token of a customer, and a link to the customer's page. The body may be empty. No dry run."""
    if flag(request, "dry_run"):
        raise Invalid("A portal session has no dry run.", pointer="", reason="no_dry_run")
    named, program = caller_id(customer_id), program_of(request)

    async def work(db: Db) -> tuple[int, Any]:
        await customers.get(db, program_id=program.id, customer_id=named)
        return 201, msgspec.to_builtins(_Issued(await database_time(db), data.expires_in, data.read_only))

    answered = await run_once(request, f"openPortalSession {named}", data, work, needs_key=False)
    issued = msgspec.convert(answered.answer, _Issued)
    lasts = timedelta(seconds=issued.seconds)
    token = token_for(
        program,
        named,
        key=await request.part(Keyring).own(program),
        issued_at=issued.issued_at,
        lasts=lasts,
        read_only=issued.read_only,
    )
    ends_at = (issued.issued_at + lasts).replace(microsecond=0)  # tokens tell whole seconds
    content = PortalSessionOut(token, link_to_page(base_of(request), token), ends_at)
    headers = {"Cache-Control": "no-store"} | (REPLAYED if answered.replayed else {})
    return Response(content, status_code=answered.status, headers=headers)


def base_of(request: ApiRequest) -> str:
    """Return where the service is found from outside: as it is set, else as it was called."""
    told = request.part(Settings).public_url
    return str(request.base_url).rstrip("/") if told is None else told.rstrip("/")


@get("/", operation_id="listSigningKeys", opt=operation(Right.MANAGE_SIGNING_KEYS, parameters=(LIMIT, CURSOR)))
async def list_keys(request: ApiRequest) -> Page[SigningKeyOut]:
    """List the program's signing keys, newest first, also the revoked ones."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found = await usecases.list_keys(db, program_id=request.actor.program_id, before=before, limit=limit)
    last = found[limit - 1].id.bytes if len(found) > limit else None
    named = audience(program_of(request).code)
    return page([signing_key_out(each, named) for each in found], limit, last)


@post(
    "/",
    operation_id="createSigningKey",
    opt=operation(
        Right.MANAGE_SIGNING_KEYS,
        parameters=(DRY_RUN, IDEMPOTENCY_KEY),
        refusals=(TooManySigningKeys,),
        statuses=(200, 201),
        links=(Link("revokeSigningKey", "signing_key_id", "$response.body#/id"),),
    ),
)
async def create_key(request: ApiRequest, data: JSONBody[NewSigningKey]) -> Response[SigningKeyOut]:
    """Register a public key with which a partner's server signs tokens of customers itself."""
    program = program_of(request)

    async def work(db: Db) -> SigningKeyOut:
        made = await usecases.add_key(
            db, program_id=program.id, name=data.name, jwk=data.jwk, entropy=random.getrandbits(62)
        )
        return signing_key_out(made, audience(program.code))

    answer = await command(request, "createSigningKey", data, work, SigningKeyOut, status=201, needs_key=False)
    await request.part(Catalogue).refresh()
    return answer


@post(
    "/{signing_key_id:str}/revoke",
    operation_id="revokeSigningKey",
    status_code=200,
    opt=operation(Right.MANAGE_SIGNING_KEYS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def revoke_key(
    request: ApiRequest, signing_key_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[SigningKeyOut]:
    """End a signing key now: its tokens get in nowhere within a second. The body may be empty."""
    its_id, program = own_id(PREFIX, signing_key_id), program_of(request)

    async def work(db: Db) -> SigningKeyOut:
        key = await usecases.revoke_key(db, program_id=program.id, key_id=its_id)
        return signing_key_out(key, audience(program.code))

    answer = await command(request, f"revokeSigningKey {its_id}", data, work, SigningKeyOut, needs_key=False)
    await request.part(Catalogue).refresh()
    return answer


of_customers = Router("/customers/{customer_id:str}", route_handlers=[open_session], tags=["Portal"])
signing_keys = Router("/signing-keys", route_handlers=[list_keys, create_key, revoke_key], tags=["Portal"])
