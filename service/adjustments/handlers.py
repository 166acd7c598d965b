"""Adjustments: `/v1/customers/{id}/adjustments` and `/v1/adjustments`."""

import random
from typing import Final

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.adjustments import usecases
from service.adjustments.rules import (
    AdjustmentEnded,
    AdjustmentNotWaiting,
    AdjustmentStatus,
    Keyholder,
    NewAdjustment,
    SecondKeyNeeded,
)
from service.adjustments.schemas import AdjustmentOut, RecordedAdjustmentOut, adjustment_out, recorded_adjustment_out
from service.customers.rules import CustomerErased
from service.kernel.errors import NotFound
from service.kernel.ids import CALLER_ID_PATTERN
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import command
from service.platform.http.operation import COMMAND_KEY, CURSOR, DRY_RUN, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, choice, customer_asked_for, own_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.points.rules import InsufficientPoints
from service.programs.catalogue import program_of

_NOTHING: Final = Nothing()
STATUS: Final = Parameter(
    "status",
    "query",
    "Only adjustments of this status.",
    {"type": "string", "enum": [each.value for each in AdjustmentStatus]},
)
OF_CUSTOMER: Final = Parameter(
    "customer_id",
    "query",
    "Only those of this customer.",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": CALLER_ID_PATTERN},
)


@post(
    "/customers/{customer_id:str}/adjustments",
    operation_id="adjustPoints",
    opt=operation(
        Right.ADJUST,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(InsufficientPoints,),
        statuses=(200, 201),
        links=(
            Link("getAdjustment", "adjustment_id", "$response.body#/id"),
            Link("approveAdjustment", "adjustment_id", "$response.body#/id"),
            Link("refuseAdjustment", "adjustment_id", "$response.body#/id"),
        ),
    ),
)
async def adjust(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[NewAdjustment]
) -> Response[AdjustmentOut]:
    """Give or take points by hand. What goes beyond the program's `adjustment_limit` waits for another key."""
    named, program = caller_id(customer_id), program_of(request)

    async def work(db: Db) -> AdjustmentOut:
        adjusted = await usecases.adjust(
            db, program=program, customer_id=named, new=data, by=_by(request), entropy=random.getrandbits(62)
        )
        return adjustment_out(adjusted)

    return await command(request, f"adjustPoints {named}", data, work, AdjustmentOut, status=201)


@get(
    "/adjustments",
    operation_id="listAdjustments",
    opt=operation(Right.READ_ADJUSTMENTS, parameters=(LIMIT, CURSOR, STATUS, OF_CUSTOMER), refusals=(NotFound,)),
)
async def list_adjustments(request: ApiRequest) -> Page[RecordedAdjustmentOut]:
    """List adjustments, newest first; `?status=waiting` are those to decide on."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found = await usecases.list_adjustments(
            db,
            program_id=request.actor.program_id,
            before=before,
            limit=limit,
            status=choice(request, "status", AdjustmentStatus),
            customer_id=customer_asked_for(request),
        )
    last = found[limit - 1][1].id.bytes if len(found) > limit else None
    return page([recorded_adjustment_out(*each) for each in found], limit, last)


@get("/adjustments/{adjustment_id:str}", operation_id="getAdjustment", opt=operation(Right.READ_ADJUSTMENTS))
async def get_adjustment(request: ApiRequest, adjustment_id: FromPath[str]) -> RecordedAdjustmentOut:
    """Read an adjustment."""
    its_id = own_id("adj", adjustment_id)
    async with request.part(Database).reading() as db:
        found = await usecases.read(db, program_id=request.actor.program_id, adjustment_id=its_id)
    return recorded_adjustment_out(*found)


@post(
    "/adjustments/{adjustment_id:str}/approve",
    operation_id="approveAdjustment",
    status_code=200,
    opt=operation(
        Right.APPROVE_ADJUSTMENTS,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(CustomerErased, SecondKeyNeeded, AdjustmentNotWaiting, InsufficientPoints, AdjustmentEnded),
    ),
)
async def approve(
    request: ApiRequest, adjustment_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[AdjustmentOut]:
    """Approve an adjustment that waits: it is booked now. Not by the key that asked for it. The body may be empty."""
    its_id, program = own_id("adj", adjustment_id), program_of(request)

    async def work(db: Db) -> AdjustmentOut:
        adjusted = await usecases.approve(
            db, program=program, adjustment_id=its_id, by=_by(request), entropy=random.getrandbits(62)
        )
        return adjustment_out(adjusted)

    # The key is part of it: another key's approval is another command.
    return await command(request, f"approveAdjustment {its_id} by {request.actor.key_id}", data, work, AdjustmentOut)


@post(
    "/adjustments/{adjustment_id:str}/refuse",
    operation_id="refuseAdjustment",
    status_code=200,
    opt=operation(
        Right.APPROVE_ADJUSTMENTS, parameters=(DRY_RUN, COMMAND_KEY), refusals=(CustomerErased, AdjustmentNotWaiting)
    ),
)
async def refuse(
    request: ApiRequest, adjustment_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[AdjustmentOut]:
    """Refuse an adjustment that waits: nothing is booked. The body may be empty."""
    its_id = own_id("adj", adjustment_id)

    async def work(db: Db) -> AdjustmentOut:
        adjusted = await usecases.refuse(
            db,
            program_id=request.actor.program_id,
            adjustment_id=its_id,
            by=_by(request),
            entropy=random.getrandbits(62),
        )
        return adjustment_out(adjusted)

    return await command(request, f"refuseAdjustment {its_id} by {request.actor.key_id}", data, work, AdjustmentOut)


def _by(request: ApiRequest) -> Keyholder:
    return Keyholder(request.actor.key_id, request.actor.origin)


router = Router("/", route_handlers=[adjust, list_adjustments, get_adjustment, approve, refuse], tags=["Adjustments"])
