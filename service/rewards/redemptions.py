"""`/v1/redemptions`: points are set aside, then spent or given back."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from service.customers.rules import Balance, CustomerUnknown
from service.kernel.amounts import BOUND
from service.kernel.errors import NotFound
from service.kernel.ids import CallerId, from_wire, to_wire
from service.kernel.times import Time
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import command
from service.platform.http.operation import COMMAND_KEY, DRY_RUN, Link, operation
from service.platform.http.request import ApiRequest
from service.platform.roles import Right
from service.platform.statements import Db
from service.points import usecases as points
from service.points.rules import HoldNotOpen, HoldStatus, InsufficientPoints, worth
from service.points.usecases import Redeemed
from service.programs.catalogue import Catalogue
from service.programs.rules import Program

LONGEST_HOLD_SECONDS: Final = 30 * 86_400
Points = Annotated[int, Meta(ge=1, le=BOUND)]


class NewRedemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points to set aside, for an order where `order_id` names one; after `expires_in` seconds they go back."""

    customer_id: CallerId
    points: Points
    order_id: CallerId | None = None
    expires_in: Annotated[int, Meta(ge=1, le=LONGEST_HOLD_SECONDS)] | None = None


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the held points are spent; all where it is left out. The others go back."""

    points: Points | None = None


class ValueOut(msgspec.Struct, frozen=True):
    """What points are worth, in minor units."""

    amount: int
    currency: str


class RedemptionOut(msgspec.Struct, frozen=True):
    """Points set aside, what became of them, and the customer's balance with it.

    `value` is that of the points, once captured of those that were.
    """

    id: str
    status: HoldStatus
    points: int
    captured: int
    value: ValueOut
    voucher: None
    expires_at: Time
    balance: Balance


_NOTHING: Final = Nothing()
_ALL: Final = Capture()
_Work = Callable[[Db, Program], Awaitable[Redeemed]]


@post(
    "/",
    operation_id="redeemPoints",
    opt=operation(
        Right.REDEEM,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(InsufficientPoints, CustomerUnknown),
        statuses=(200, 201),
        links=(
            Link("getRedemption", "redemption_id", "$response.body#/id"),
            Link("captureRedemption", "redemption_id", "$response.body#/id"),
            Link("releaseRedemption", "redemption_id", "$response.body#/id"),
        ),
    ),
)
async def redeem(request: ApiRequest, data: JSONBody[NewRedemption]) -> Response[RedemptionOut]:
    """Set points aside, of those that end first."""

    async def work(db: Db, program: Program) -> Redeemed:
        return await points.hold(
            db,
            program=program,
            customer_id=data.customer_id,
            points=data.points,
            order_id=data.order_id,
            expires_in=None if data.expires_in is None else timedelta(seconds=data.expires_in),
            entropy=random.getrandbits(62),
        )

    return await _run(request, "redeemPoints", data, work, status=201)


@get("/{redemption_id:str}", operation_id="getRedemption", opt=operation(Right.READ_HISTORY))
async def get_redemption(request: ApiRequest, redemption_id: FromPath[str]) -> RedemptionOut:
    """Read a redemption as it is now."""
    hold_id, program = _hold_id(redemption_id), _program(request)
    async with request.part(Database).reading() as db:
        found = await points.read_hold(db, program_id=program.id, hold_id=hold_id)
    return _rendered(found, program)


@post(
    "/{redemption_id:str}/capture",
    operation_id="captureRedemption",
    status_code=200,
    opt=operation(Right.REDEEM, parameters=(DRY_RUN, COMMAND_KEY), refusals=(HoldNotOpen,)),
)
async def capture(
    request: ApiRequest, redemption_id: FromPath[str], data: JSONBody[Capture] = _ALL
) -> Response[RedemptionOut]:
    """Spend held points, all or some; the others go back. The body may be empty."""
    hold_id = _hold_id(redemption_id)

    async def work(db: Db, program: Program) -> Redeemed:
        return await points.capture(
            db, program=program, hold_id=hold_id, points=data.points, entropy=random.getrandbits(62)
        )

    return await _run(request, f"captureRedemption {hold_id}", data, work)


@post(
    "/{redemption_id:str}/release",
    operation_id="releaseRedemption",
    status_code=200,
    opt=operation(Right.REDEEM, parameters=(DRY_RUN, COMMAND_KEY), refusals=(HoldNotOpen,)),
)
async def release(
    request: ApiRequest, redemption_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[RedemptionOut]:
    """Give held points back. The body may be empty."""
    hold_id = _hold_id(redemption_id)

    async def work(db: Db, program: Program) -> Redeemed:
        return await points.release(db, program=program, hold_id=hold_id, entropy=random.getrandbits(62))

    return await _run(request, f"releaseRedemption {hold_id}", data, work)


async def _run(
    request: ApiRequest, named: str, content: msgspec.Struct, work: _Work, *, status: int = 200
) -> Response[RedemptionOut]:
    program = _program(request)

    async def answer(db: Db) -> RedemptionOut:
        return _rendered(await work(db, program), program)

    return await command(request, named, content, answer, RedemptionOut, status=status)


def _rendered(found: Redeemed, program: Program) -> RedemptionOut:
    hold, settings = found.hold, program.settings
    counted = hold.captured if hold.status is HoldStatus.CAPTURED else hold.points
    return RedemptionOut(
        id=to_wire("hold", hold.id),
        status=hold.status,
        points=hold.points,
        captured=hold.captured,
        value=ValueOut(worth(counted, settings.point_value), settings.currency),
        voucher=None,
        expires_at=hold.expires_at,
        balance=found.balance,
    )


def _hold_id(text: str) -> UUID:
    hold_id = from_wire("hold", text)
    if hold_id is None:
        raise NotFound
    return hold_id


def _program(request: ApiRequest) -> Program:
    return request.part(Catalogue).program(request.actor.program_id)


router = Router("/redemptions", route_handlers=[redeem, get_redemption, capture, release], tags=["Redemptions"])
