"""`/v1/redemptions`: points are set aside, for an order or for a reward, then spent or given back."""

import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from service.customers.rules import Balance, CustomerErased, CustomerUnknown
from service.kernel.amounts import BOUND, MinorUnits
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import CallerId, to_wire
from service.kernel.times import Time
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import command
from service.platform.http.operation import COMMAND_KEY, DRY_RUN, Link, operation
from service.platform.http.request import ApiRequest, flag, own_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.points import holding
from service.points.rules import GreatestShareExceeded, HoldNotOpen, HoldStatus, InsufficientPoints, worth
from service.programs.catalogue import program_of
from service.programs.rules import Program
from service.rewards import redeeming
from service.rewards.redeeming import Redemption
from service.rewards.rules import RewardLimitReached, RewardNotAvailable, RewardOutOfStock, RewardTierTooLow
from service.rewards.schemas import VoucherOut, voucher_out
from service.rewards.vouchers import CODE_BITS
from service.tiers import usecases as tiers

LONGEST_HOLD_SECONDS: Final = 30 * 86_400
Points = Annotated[int, Meta(ge=1, le=BOUND)]


class NewRedemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Either points to set aside or a reward, which costs points; after `expires_in` seconds they go back.

    Points pay for the order that `order_id` names; a program that lets points pay for a part of it only needs its
    `order_total` as well, in minor units of the program's currency. With a reward both are for information.
    """

    customer_id: CallerId
    points: Points | None = None
    reward_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    order_id: CallerId | None = None
    order_total: MinorUnits | None = None
    expires_in: Annotated[int, Meta(ge=1, le=LONGEST_HOLD_SECONDS)] | None = None


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the held points are spent; all where it is left out, and for a reward. The others go back."""

    points: Points | None = None


class ValueOut(msgspec.Struct, frozen=True):
    """What a redemption is worth, in minor units."""

    amount: int
    currency: str


class RedemptionOut(msgspec.Struct, frozen=True):
    """Points set aside, what became of them, and the customer's balance with it.

    `value` is that of the points, once captured of those that were; of a reward its own, where it has one. `voucher` is
    there once a reward is captured, for keys that may read vouchers; a dry run issues none.
    """

    id: str
    status: HoldStatus
    points: int
    captured: int
    reward_id: str | None
    order_id: str | None
    value: ValueOut
    voucher: VoucherOut | None
    expires_at: Time
    balance: Balance


_NOTHING: Final = Nothing()
_ALL: Final = Capture()
_Work = Callable[[Db, Program], Awaitable[Redemption]]


@post(
    "/",
    operation_id="redeemPoints",
    opt=operation(
        Right.REDEEM,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(
            NotFound,
            InsufficientPoints,
            CustomerUnknown,
            GreatestShareExceeded,
            RewardNotAvailable,
            RewardOutOfStock,
            RewardLimitReached,
            RewardTierTooLow,
        ),
        statuses=(200, 201),
        links=(
            Link("getRedemption", "redemption_id", "$response.body#/id"),
            Link("captureRedemption", "redemption_id", "$response.body#/id"),
            Link("releaseRedemption", "redemption_id", "$response.body#/id"),
        ),
    ),
)
async def redeem(request: ApiRequest, data: JSONBody[NewRedemption]) -> Response[RedemptionOut]:
    """Set points aside, of those that end first: as many as told, or what a reward costs, with a piece of it."""
    expires_in = None if data.expires_in is None else timedelta(seconds=data.expires_in)
    reward_id = _reward_id(data)

    async def work(db: Db, program: Program) -> Redemption:
        if reward_id is not None:
            return await redeeming.redeem_reward(
                db,
                program=program,
                customer_id=data.customer_id,
                reward_id=reward_id,
                order_id=data.order_id,
                expires_in=expires_in,
                entropy=random.getrandbits(62),
            )
        held = await holding.hold(
            db,
            program=program,
            customer_id=data.customer_id,
            points=data.points or 0,
            order_id=data.order_id,
            expires_in=expires_in,
            following=tiers.following(program),
            entropy=random.getrandbits(62),
            order_total=data.order_total,
        )
        return Redemption(held.hold, held.balance)

    return await _run(request, "redeemPoints", data, work, status=201)


@get(
    "/{redemption_id:str}", operation_id="getRedemption", opt=operation(Right.READ_HISTORY, refusals=(CustomerErased,))
)
async def get_redemption(request: ApiRequest, redemption_id: FromPath[str]) -> RedemptionOut:
    """Read a redemption as it is now."""
    hold_id, program = own_id("hold", redemption_id), program_of(request)
    async with request.part(Database).reading() as db:
        found = await redeeming.read(db, program_id=program.id, hold_id=hold_id)
    return redemption_out(found, program, with_voucher=Right.READ_VOUCHERS in request.actor.rights)


@post(
    "/{redemption_id:str}/capture",
    operation_id="captureRedemption",
    status_code=200,
    opt=operation(Right.REDEEM, parameters=(DRY_RUN, COMMAND_KEY), refusals=(HoldNotOpen, CustomerErased)),
)
async def capture(
    request: ApiRequest, redemption_id: FromPath[str], data: JSONBody[Capture] = _ALL
) -> Response[RedemptionOut]:
    """Spend held points, all or some; the others go back. Of a reward all are, and its voucher is issued.

    The body may be empty.
    """
    hold_id = own_id("hold", redemption_id)

    async def work(db: Db, program: Program) -> Redemption:
        return await redeeming.capture(
            db,
            program=program,
            hold_id=hold_id,
            spent=data.points,
            entropy=random.getrandbits(124),
            code_bits=secrets.randbits(CODE_BITS),
        )

    return await _run(request, f"captureRedemption {hold_id}", data, work)


@post(
    "/{redemption_id:str}/release",
    operation_id="releaseRedemption",
    status_code=200,
    opt=operation(Right.REDEEM, parameters=(DRY_RUN, COMMAND_KEY), refusals=(HoldNotOpen, CustomerErased)),
)
async def release(
    request: ApiRequest, redemption_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[RedemptionOut]:
    """Give held points back, and the piece of a reward. The body may be empty."""
    hold_id = own_id("hold", redemption_id)

    async def work(db: Db, program: Program) -> Redemption:
        return await redeeming.release(db, program=program, hold_id=hold_id, entropy=random.getrandbits(62))

    return await _run(request, f"releaseRedemption {hold_id}", data, work)


async def _run(
    request: ApiRequest, named: str, content: msgspec.Struct, work: _Work, *, status: int = 200
) -> Response[RedemptionOut]:
    program, dry_run = program_of(request), flag(request, "dry_run")

    async def answer(db: Db) -> RedemptionOut:
        # Who may redeem may read vouchers. A dry run tells no code: one of a third party would be somebody else's.
        return redemption_out(await work(db, program), program, with_voucher=not dry_run)

    return await command(request, named, content, answer, RedemptionOut, status=status)


def redemption_out(found: Redemption, program: Program, *, with_voucher: bool) -> RedemptionOut:
    """Render a redemption."""
    hold, piece = found.hold, found.piece
    return RedemptionOut(
        id=to_wire("hold", hold.id),
        status=hold.status,
        points=hold.points,
        captured=hold.captured,
        reward_id=None if piece is None else to_wire("rwd", piece.reward_id),
        order_id=hold.order_id if piece is None else piece.order_id,
        value=_value(found, program),
        voucher=voucher_out(found.voucher, found.why) if found.voucher is not None and with_voucher else None,
        expires_at=hold.expires_at,
        balance=found.balance,
    )


def _value(found: Redemption, program: Program) -> ValueOut:
    hold, settings = found.hold, program.settings
    money = None if found.piece is None else found.piece.value
    if money is not None:
        return ValueOut(money.amount, money.currency)
    counted = hold.captured if hold.status is HoldStatus.CAPTURED else hold.points
    return ValueOut(worth(counted, settings.point_value), settings.currency)


def _reward_id(data: NewRedemption) -> UUID | None:
    """Read which reward is redeemed; None where it is points. Raises Invalid for both or neither, NotFound."""
    if data.reward_id is None:
        if data.points is None:
            raise Invalid("A redemption is of points or of a reward.", pointer="/points", reason="missing")
        if data.order_total is not None and data.order_id is None:
            raise Invalid("An order's total goes with its id.", pointer="/order_id", reason="missing")
        return None
    if data.points is not None:
        detail = "A redemption is of points or of a reward, which has a cost of its own."
        raise Invalid(detail, pointer="/reward_id", reason="contradictory")
    return own_id("rwd", data.reward_id)


router = Router("/redemptions", route_handlers=[redeem, get_redemption, capture, release], tags=["Redemptions"])
