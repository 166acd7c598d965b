"""The routes of a kind of definitions, such as `/v1/earning-rules`: the room that has the kind makes them of it.

Annotations are texts here: the router says what `New`, `Changed`, `Out` and `VersionOut` are for its kind.
"""

from __future__ import annotations

import random
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Response, Router, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from service.platform.database import Database
from service.platform.http.commanding import command
from service.platform.http.operation import CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, cursor_of, limit_and_before, limit_of, page
from service.platform.http.request import ApiRequest, caller_id, choice, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import defining
from service.programs.catalogue import Catalogue
from service.programs.definition_schemas import GREATEST_VERSION, Wire, change_of, wire_of
from service.programs.definitions import (
    Content,
    DefinitionEnded,
    DefinitionExists,
    DefinitionKind,
    StateNotReachable,
    Status,
    VersionConflict,
)

New: TypeAlias = msgspec.Struct
Changed: TypeAlias = msgspec.Struct
Out: TypeAlias = msgspec.Struct
VersionOut: TypeAlias = msgspec.Struct

_NUMBER_BYTES: Final = 8
STATUS: Final = Parameter(
    "status",
    "query",
    "Only those that stand there now.",
    {"type": "string", "enum": [each.value for each in Status]},
)


def routes_of(kind: DefinitionKind[Content], *, reads: Right, manages: Right) -> Router:
    """Make the router of a kind, under its name in the plural; `reads` and `manages` are the rights that it asks for.

    The operations are named after the kind, too: `createEarningRule`, with `earning_rule_id` in the path.
    """
    wire = wire_of(kind)
    return Router(
        f"/{kind.name.replace('_', '-')}s",
        route_handlers=[
            _creating(wire, manages),
            _listing(wire, reads),
            _getting(wire, reads),
            _changing(wire, manages),
            _listing_versions(wire, reads),
        ],
        signature_namespace={
            "New": wire.new,
            "Changed": wire.changed,
            "Out": wire.out,
            "VersionOut": wire.version_out,
        },
        tags=[f"{kind.noun.capitalize()}s"],
    )


def _creating(wire: Wire[Any], right: Right) -> HTTPRouteHandler:
    of_one = (f"get{wire.title}", f"change{wire.title}", f"list{wire.title}Versions")

    @post(
        "/",
        operation_id=f"create{wire.title}",
        summary=f"Make {wire.kind.a_noun}, a draft unless its `state` is `active`.",
        opt=operation(
            right,
            parameters=(DRY_RUN, IDEMPOTENCY_KEY),
            refusals=(DefinitionExists,),
            statuses=(200, 201),
            links=[Link(each, wire.id_in_path, "$response.body#/id") for each in of_one],
        ),
    )
    async def create(request: ApiRequest, data: JSONBody[New]) -> Response[Out]:
        async def work(db: Db) -> Out:
            made = await defining.create(
                db,
                program_id=request.actor.program_id,
                kind=wire.kind,
                definition_id=wire.id(data),
                content=wire.content(data),
                change=change_of(data),
                entropy=random.getrandbits(62),
            )
            return wire.render(*made)

        answer = await command(request, f"create{wire.title}", data, work, wire.out, status=201, needs_key=False)
        await request.part(Catalogue).refresh()
        return answer

    return create


def _listing(wire: Wire[Any], right: Right) -> HTTPRouteHandler:
    @get(
        "/",
        operation_id=f"list{wire.title}s",
        summary=f"List the {wire.kind.noun}s, newest first, those that ended, too.",
        opt=operation(right, parameters=(LIMIT, CURSOR, STATUS)),
    )
    async def list_all(request: ApiRequest) -> Page[Out]:
        limit, before = limit_and_before(request)
        status = choice(request, "status", Status)
        async with request.part(Database).reading() as db:
            found = await defining.list_definitions(
                db,
                program_id=request.actor.program_id,
                kind=wire.kind.name,
                before=before,
                limit=limit,
                status=status,
            )
        last = found[limit - 1][0].place.bytes if len(found) > limit else None
        return page([wire.render(*each) for each in found], limit, last)

    return list_all


def _getting(wire: Wire[Any], right: Right) -> HTTPRouteHandler:
    @get(
        f"/{{{wire.id_in_path}:str}}",
        operation_id=f"get{wire.title}",
        summary=f"Read {wire.kind.a_noun} as its newest version has it, and where it stands now.",
        opt=operation(right),
    )
    async def read(request: ApiRequest) -> Out:
        async with request.part(Database).reading() as db:
            found = await defining.read(
                db,
                program_id=request.actor.program_id,
                kind=wire.kind.name,
                definition_id=_id_in_path(request, wire),
            )
        return wire.render(*found)

    return read


def _changing(wire: Wire[Any], right: Right) -> HTTPRouteHandler:
    @patch(
        f"/{{{wire.id_in_path}:str}}",
        operation_id=f"change{wire.title}",
        summary=f"Make a new version of {wire.kind.a_noun}, from a moment on; what was booked stays as it was.",
        opt=operation(right, parameters=(DRY_RUN,), refusals=(DefinitionEnded, StateNotReachable, VersionConflict)),
    )
    async def change(request: ApiRequest, data: JSONBody[Changed]) -> Out:
        async def work(db: Db) -> Out:
            made = await defining.change(
                db,
                program_id=request.actor.program_id,
                kind=wire.kind,
                definition_id=_id_in_path(request, wire),
                members=wire.members(data),
                change=change_of(data),
                entropy=random.getrandbits(62),
            )
            return wire.render(*made)

        answer = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
        await request.part(Catalogue).refresh()
        return answer

    return change


def _listing_versions(wire: Wire[Any], right: Right) -> HTTPRouteHandler:
    @get(
        f"/{{{wire.id_in_path}:str}}/versions",
        operation_id=f"list{wire.title}Versions",
        summary=f"List the versions of {wire.kind.a_noun}, newest first, those that never applied, too.",
        opt=operation(right, parameters=(LIMIT, CURSOR)),
    )
    async def list_versions(request: ApiRequest) -> Page[VersionOut]:
        limit, place, its_id = limit_of(request), cursor_of(request, _NUMBER_BYTES), _id_in_path(request, wire)
        async with request.part(Database).reading() as db:
            found = await defining.list_versions(
                db,
                program_id=request.actor.program_id,
                kind=wire.kind.name,
                definition_id=its_id,
                before=GREATEST_VERSION if place is None else min(int.from_bytes(place), GREATEST_VERSION),
                limit=limit,
            )
        last = found[limit - 1].number.to_bytes(_NUMBER_BYTES) if len(found) > limit else None
        return page([wire.render_version(its_id, each) for each in found], limit, last)

    return list_versions


def _id_in_path(request: ApiRequest, wire: Wire[Any]) -> str:
    return caller_id(request.path_params[wire.id_in_path])
