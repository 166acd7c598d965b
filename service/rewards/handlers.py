"""`/v1/rewards` and `/v1/vouchers`."""

import random
from typing import Final

from litestar import Response, Router, get, patch, post
from litestar.params import FromPath, JSONBody

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import CALLER_ID_PATTERN
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import command
from service.platform.http.guessing import counting_wrong_codes
from service.platform.http.operation import (
    COMMAND_KEY,
    CURSOR,
    DRY_RUN,
    IDEMPOTENCY_KEY,
    LIMIT,
    Link,
    Parameter,
    operation,
)
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, choice, customer_asked_for, flag, own_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs.catalogue import program_of
from service.rewards import usecases
from service.rewards.rules import (
    MOST_CATEGORIES,
    CodesGenerated,
    NewReward,
    Reward,
    RewardChange,
    RewardStatus,
    StockTaken,
)
from service.rewards.schemas import (
    ForCustomerOut,
    LoadedCodes,
    LoadOut,
    RewardOut,
    UseOut,
    VoucherOut,
    for_customer_out,
    load_out,
    reward_out,
    use_out,
    voucher_out,
)
from service.rewards.vouchers import (
    Order,
    Unredeemable,
    VoucherCancelled,
    VoucherExpired,
    VoucherNotForOrder,
    VoucherUse,
    VoucherUseConflict,
    VoucherUsedUp,
    checked_order,
)

BULK_BYTES: Final = 4 * 1024 * 1024
_NOTHING: Final = Nothing()
STATUS: Final = Parameter(
    "status", "query", "Only rewards of this status.", {"type": "string", "enum": [each.value for each in RewardStatus]}
)
FOR_CUSTOMER: Final = Parameter(
    "customer_id",
    "query",
    "Tell of each reward whether this customer can have it now, and why not.",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": CALLER_ID_PATTERN},
)
AMOUNT: Final = Parameter(
    "amount",
    "query",
    "What an order costs, in minor units: what is the voucher worth for it? With `currency`.",
    {"type": "integer", "minimum": 0, "maximum": BOUND},
)
CURRENCY: Final = Parameter(
    "currency",
    "query",
    "The order's currency, ISO 4217. With `amount`.",
    {"type": "string", "pattern": "^[A-Z]{3}$", "format": "iso-4217"},
)
CATEGORIES: Final = Parameter(
    "categories",
    "query",
    "The categories of the order's items, separated by commas. `amount` is then that of the items in the voucher's.",
    {"type": "string"},
)
_OF_ANSWER: Final = (
    Link("getReward", "reward_id", "$response.body#/id"),
    Link("changeReward", "reward_id", "$response.body#/id"),
    Link("loadCodes", "reward_id", "$response.body#/id"),
)


@get(
    "/",
    operation_id="listRewards",
    opt=operation(Right.READ_REWARDS, parameters=(LIMIT, CURSOR, STATUS, FOR_CUSTOMER), refusals=(NotFound,)),
)
async def list_rewards(request: ApiRequest) -> Page[RewardOut]:
    """List the rewards, newest first; `?customer_id=` tells which of them the customer can have now."""
    limit, before = limit_and_before(request)
    status = choice(request, "status", RewardStatus)
    program_id, customer_id = request.actor.program_id, customer_asked_for(request)
    async with request.part(Database).reading() as db:
        found = await usecases.list_rewards(
            db,
            program_id=program_id,
            limit=limit,
            before=before,
            status=status,
        )
        told: list[ForCustomerOut | None] = [None] * len(found)
        if customer_id is not None:
            hindrances = await usecases.hindrances(
                db, program=program_of(request), customer_id=customer_id, rewards=found
            )
            told = [for_customer_out(each) for each in hindrances]
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([reward_out(*each) for each in zip(found, told, strict=True)], limit, last)


@post(
    "/",
    operation_id="createReward",
    opt=operation(Right.MANAGE_REWARDS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), statuses=(200, 201), links=_OF_ANSWER),
)
async def create_reward(request: ApiRequest, data: JSONBody[NewReward]) -> Response[RewardOut]:
    """Make a reward."""

    async def work(db: Db) -> RewardOut:
        made = await usecases.create_reward(
            db, program_id=request.actor.program_id, new=data, entropy=random.getrandbits(62)
        )
        return reward_out(made)

    return await command(request, "createReward", data, work, RewardOut, status=201, needs_key=False)


@get("/{reward_id:str}", operation_id="getReward", opt=operation(Right.READ_REWARDS))
async def get_reward(request: ApiRequest, reward_id: FromPath[str]) -> RewardOut:
    """Read a reward."""
    async with request.part(Database).reading() as db:
        return reward_out(
            await usecases.read_reward(db, program_id=request.actor.program_id, reward_id=own_id("rwd", reward_id))
        )


@patch(
    "/{reward_id:str}",
    operation_id="changeReward",
    opt=operation(Right.MANAGE_REWARDS, parameters=(DRY_RUN,), refusals=(StockTaken,)),
)
async def change_reward(request: ApiRequest, reward_id: FromPath[str], data: JSONBody[RewardChange]) -> RewardOut:
    """Change a reward, from now on; what was held or issued keeps the terms that it had."""
    its_id = own_id("rwd", reward_id)

    async def work(db: Db) -> Reward:
        return await usecases.change_reward(
            db,
            program_id=request.actor.program_id,
            reward_id=its_id,
            change=data,
            entropy=random.getrandbits(62),
        )

    return reward_out(await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run")))


@post(
    "/{reward_id:str}/codes",
    operation_id="loadCodes",
    status_code=200,
    request_max_body_size=BULK_BYTES,
    opt=operation(Right.MANAGE_REWARDS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), refusals=(CodesGenerated,)),
)
async def load_codes(request: ApiRequest, reward_id: FromPath[str], data: JSONBody[LoadedCodes]) -> Response[LoadOut]:
    """Load up to 5,000 codes of a third party; each is handed out once, in the order in which they were loaded."""
    its_id = own_id("rwd", reward_id)

    async def work(db: Db) -> LoadOut:
        duplicates, reward = await usecases.load_codes(
            db,
            program_id=request.actor.program_id,
            reward_id=its_id,
            codes=data.codes,
            entropy=random.getrandbits(62),
        )
        return load_out(len(data.codes), duplicates, reward)

    return await command(request, f"loadCodes {its_id}", data, work, LoadOut, needs_key=False)


@get(
    "/{code:str}",
    operation_id="getVoucher",
    opt=operation(Right.READ_VOUCHERS, parameters=(AMOUNT, CURRENCY, CATEGORIES)),
)
async def get_voucher(request: ApiRequest, code: FromPath[str]) -> VoucherOut:
    """Check a voucher: whether it can be redeemed now, and, with an order's amounts, what it is worth for it."""
    order = _order(request)
    async with counting_wrong_codes(request), request.part(Database).reading() as db:
        voucher, why = await usecases.check(db, program_id=request.actor.program_id, code=caller_id(code), order=order)
    return voucher_out(voucher, why, order)


@post(
    "/{code:str}/redeem",
    operation_id="redeemVoucher",
    status_code=200,
    opt=operation(
        Right.USE_VOUCHERS,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(VoucherUsedUp, VoucherCancelled, VoucherExpired, VoucherNotForOrder, VoucherUseConflict),
    ),
)
async def redeem_voucher(request: ApiRequest, code: FromPath[str], data: JSONBody[VoucherUse]) -> Response[UseOut]:
    """Redeem a voucher for an order, once for each order. The same order again is answered with its redemption."""
    order = checked_order(data.amount, data.currency, data.categories, pointer="/")

    async def work(db: Db) -> UseOut:
        redeemed = await usecases.redeem(
            db,
            program_id=request.actor.program_id,
            code=caller_id(code),
            order_id=data.order_id,
            order=order,
            entropy=random.getrandbits(62),
        )
        return use_out(*redeemed)

    async with counting_wrong_codes(request):
        return await command(request, f"redeemVoucher {code}", data, work, UseOut)


@post(
    "/{code:str}/cancel",
    operation_id="cancelVoucher",
    status_code=200,
    opt=operation(Right.USE_VOUCHERS, parameters=(DRY_RUN, COMMAND_KEY), refusals=(VoucherUsedUp,)),
)
async def cancel_voucher(
    request: ApiRequest, code: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[VoucherOut]:
    """Cancel a voucher: it can't be redeemed any more. The body may be empty."""

    async def work(db: Db) -> VoucherOut:
        voucher = await usecases.cancel(
            db, program_id=request.actor.program_id, code=caller_id(code), entropy=random.getrandbits(62)
        )
        return voucher_out(voucher, Unredeemable.CANCELLED)

    async with counting_wrong_codes(request):
        return await command(request, f"cancelVoucher {code}", data, work, VoucherOut)


def _order(request: ApiRequest) -> Order | None:
    """Read the order that a voucher is held against, None where none is told. Raises Invalid."""
    given = request.query_params
    amount, currency, categories = given.get("amount"), given.get("currency"), given.get("categories")
    if amount is None and currency is None and categories is None:
        return None
    if amount is None or currency is None:
        pointer = "?currency" if currency is None else "?amount"
        raise Invalid("An order has an amount and a currency.", pointer=pointer, reason="missing")
    if not (amount.isascii() and amount.isdigit() and len(amount) <= len(str(BOUND)) and int(amount) <= BOUND):
        detail = f"An amount is a whole number of minor units up to {BOUND}."
        raise Invalid(detail, pointer="?amount", reason="out_of_range")
    names = [name for name in (categories or "").split(",") if name]
    if len(names) > MOST_CATEGORIES:
        detail = f"At most {MOST_CATEGORIES} categories."
        raise Invalid(detail, pointer="?categories", reason="out_of_range")
    return checked_order(int(amount), currency, names, pointer="?")


_of_rewards = Router(
    "/rewards", route_handlers=[list_rewards, create_reward, get_reward, change_reward, load_codes], tags=["Rewards"]
)
_of_vouchers = Router("/vouchers", route_handlers=[get_voucher, redeem_voucher, cancel_voucher], tags=["Vouchers"])
router = Router("/", route_handlers=[_of_rewards, _of_vouchers])
