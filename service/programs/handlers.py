"""`/v1/program` and `/v1/api-keys`."""

import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, patch, post
from litestar.params import FromPath, JSONBody

from service.platform.authentication import key_of, new_key, repeatable_secret
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import REPLAYED, run_once
from service.platform.http.operation import CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, Link, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, flag, own_id
from service.platform.idempotency import Answered
from service.platform.roles import Right, Role
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases
from service.programs.catalogue import Catalogue, program_of
from service.programs.rules import ApiKey, KeyEnds, KeyLimit, Program
from service.programs.schemas import (
    KeyChange,
    KeyOut,
    NewKey,
    ProgramChange,
    ProgramOut,
    Rotation,
    key_out,
    program_out,
)

_ROTATION = Rotation()
_NOTHING = Nothing()
_Work = Callable[[Db], Awaitable[tuple[int, Any]]]


@get("/program", operation_id="getProgram", opt=operation(Right.READ_PROGRAM))
async def get_program(request: ApiRequest) -> ProgramOut:
    """Read the program of the key, with its settings."""
    return program_out(program_of(request))


@patch("/program", operation_id="changeProgram", opt=operation(Right.CHANGE_PROGRAM, parameters=(DRY_RUN,)))
async def change_program(request: ApiRequest, data: JSONBody[ProgramChange]) -> ProgramOut:
    """Change the program's name or settings, from now or an earlier moment on; what was booked stays as it was."""
    entropy = random.getrandbits(62)

    async def work(db: Db) -> Program:
        return await usecases.change_program(
            db,
            program_id=request.actor.program_id,
            name=data.name,
            settings=data.settings,
            valid_from=data.valid_from,
            entropy=entropy,
        )

    program = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    await request.part(Catalogue).refresh()
    return program_out(program)


@get("/api-keys", operation_id="listApiKeys", opt=operation(Right.MANAGE_KEYS, parameters=(LIMIT, CURSOR)))
async def list_keys(request: ApiRequest) -> Page[KeyOut]:
    """List the program's keys, newest first, also the revoked ones."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found = await usecases.list_keys(db, program_id=request.actor.program_id, limit=limit, before=before)
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([key_out(key) for key in found], limit, last)


@post(
    "/api-keys",
    operation_id="createApiKey",
    opt=operation(
        Right.MANAGE_KEYS,
        parameters=(DRY_RUN, IDEMPOTENCY_KEY),
        statuses=(200, 201),
        links=(
            Link("changeApiKey", "key_id", "$response.body#/id"),
            Link("rotateApiKey", "key_id", "$response.body#/id"),
            Link("revokeApiKey", "key_id", "$response.body#/id"),
        ),
    ),
)
async def create_key(request: ApiRequest, data: JSONBody[NewKey]) -> Response[KeyOut]:
    """Make a key. It is shown in this answer and nowhere else; a repetition with the same Idempotency-Key shows it."""

    async def work(db: Db) -> tuple[int, Any]:
        return 201, await _made(request, db, data.role, data.name, limit=data.rate_limit)

    answered = await _run(request, "createApiKey", data, work)
    return _shown(request, answered)


@patch("/api-keys/{key_id:str}", operation_id="changeApiKey", opt=operation(Right.MANAGE_KEYS, parameters=(DRY_RUN,)))
async def change_key(request: ApiRequest, key_id: FromPath[str], data: JSONBody[KeyChange]) -> KeyOut:
    """Change a key's rate limit, on every process within a second."""
    its_id = own_id("key", key_id)

    async def work(db: Db) -> ApiKey:
        if isinstance(data.rate_limit, msgspec.UnsetType):
            return await usecases.lock_key(db, program_id=request.actor.program_id, key_id=its_id)
        return await usecases.limit_key(db, program_id=request.actor.program_id, key_id=its_id, limit=data.rate_limit)

    key = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    await request.part(Catalogue).refresh()
    return key_out(key)


@post(
    "/api-keys/{key_id:str}/rotate",
    operation_id="rotateApiKey",
    opt=operation(
        Right.MANAGE_KEYS,
        parameters=(DRY_RUN, IDEMPOTENCY_KEY),
        refusals=(KeyEnds,),
        statuses=(200, 201),
    ),
)
async def rotate_key(
    request: ApiRequest, key_id: FromPath[str], data: JSONBody[Rotation] = _ROTATION
) -> Response[KeyOut]:
    """Make a key of the same role, name and limit; the old one goes on for the grace period. The body may be empty."""
    old_id = own_id("key", key_id)

    async def work(db: Db) -> tuple[int, Any]:
        old = await usecases.retire_key(
            db, program_id=request.actor.program_id, key_id=old_id, grace=timedelta(seconds=data.grace_seconds)
        )
        return 201, await _made(request, db, old.role, old.name, limit=old.limit, origin=old.origin or old.id)

    answered = await _run(request, f"rotateApiKey {old_id}", data, work)
    return _shown(request, answered)


@post(
    "/api-keys/{key_id:str}/revoke",
    operation_id="revokeApiKey",
    status_code=200,
    opt=operation(Right.MANAGE_KEYS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def revoke_key(
    request: ApiRequest, key_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[KeyOut]:
    """End a key now, on every process within a second. The body may be empty."""
    its_id = own_id("key", key_id)

    async def work(db: Db) -> tuple[int, Any]:
        key = await usecases.revoke_key(db, program_id=request.actor.program_id, key_id=its_id)
        return 200, msgspec.to_builtins(key)

    answered = await _run(request, f"revokeApiKey {its_id}", data, work)
    key = msgspec.convert(answered.answer, ApiKey)
    return Response(key_out(key), headers=REPLAYED if answered.replayed else None)


async def _made(
    request: ApiRequest, db: Db, role: Role, name: str, *, limit: KeyLimit | None, origin: UUID | None = None
) -> dict[str, Any]:
    """Make a key; give what is kept of the answer: the record, and the salt to make the secret from again."""
    salt = secrets.token_bytes(32)
    made = await usecases.add_key(
        db,
        program_id=request.actor.program_id,
        role=role,
        name=name,
        key=_secret(request, salt),
        entropy=random.getrandbits(62),
        limit=limit,
        origin=origin,
    )
    return {"key": msgspec.to_builtins(made), "salt": salt.hex()}


def _secret(request: ApiRequest, salt: bytes) -> str:
    live = program_of(request).live
    return new_key(live=live, secret=repeatable_secret(key_of(request.scope["headers"]), salt))


async def _run(request: ApiRequest, operation_id: str, data: object, work: _Work) -> Answered:
    # A new secret is made from the caller's key, so that another caller's repetition can't be answered alike.
    answered = await run_once(request, f"{operation_id} by {request.actor.key_id}", data, work, needs_key=False)
    await request.part(Catalogue).refresh()
    return answered


def _shown(request: ApiRequest, answered: Answered) -> Response[KeyOut]:
    key = msgspec.convert(answered.answer["key"], ApiKey)
    # A dry run has made no key: there is none to show.
    secret = None if flag(request, "dry_run") else _secret(request, bytes.fromhex(answered.answer["salt"]))
    headers = {"Cache-Control": "no-store"} | (REPLAYED if answered.replayed else {})
    return Response(key_out(key, secret), status_code=answered.status, headers=headers)


router = Router(
    "/",
    route_handlers=[get_program, change_program, list_keys, create_key, change_key, rotate_key, revoke_key],
    tags=["Program"],
)
