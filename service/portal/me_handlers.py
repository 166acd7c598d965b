"""`/v1/me`: what customers read of themselves and do themselves, with their own tokens."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from litestar import Response, Router, get, post
from litestar.datastructures import CacheControlHeader
from litestar.params import FromPath, JSONBody

from service.kernel.errors import Invalid, NotFound
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import command
from service.platform.http.operation import COMMAND_KEY, CURSOR, DRY_RUN, LIMIT, REQUIRED_KEY, operation
from service.platform.http.paging import Page, limit_and_before
from service.platform.http.request import caller_id, flag, own_id
from service.platform.statements import Db
from service.points.rules import InsufficientPoints
from service.portal import doing, reading
from service.portal.admission import AuthenticateCustomer, CustomerRequest, NotAllowed
from service.portal.schemas import (
    ExpiringOut,
    GameOut,
    ListOut,
    MeOut,
    MyRedemption,
    MyTransactionOut,
    OpenInvoiceOut,
    PendingOut,
    WayOut,
)
from service.programs.catalogue import program_of
from service.referrals.codes.schemas import CustomerReferralOut
from service.referrals.codes.showing import show
from service.rewards.redemptions import RedemptionOut, redemption_out
from service.rewards.rules import RewardLimitReached, RewardNotAvailable, RewardOutOfStock, RewardTierTooLow
from service.rewards.schemas import RewardOut, VoucherOut
from service.surprises.gift_schemas import PlayOut, SurpriseOut, play_out
from service.surprises.playing import GameNotOpen, PlaysUsedUp

_NOTHING: Final = Nothing()
_READ: Final = operation(None, refusals=(NotFound,))


@asynccontextmanager
async def _own(request: CustomerRequest) -> AsyncGenerator[tuple[Db, dict[str, Any]]]:
    """Give a connection to read with, and whose section of which program is read."""
    async with request.part(Database).reading() as db:
        yield db, {"program": program_of(request), "customer_id": request.customer.customer_id}


@get("/", operation_id="getMe", opt=_READ)
async def get_me(request: CustomerRequest) -> MeOut:
    """Read the own balance with the tier, what it is worth, and the nearest reward."""
    own = request.customer
    async with _own(request) as (db, who):
        return await reading.read_me(db, **who, may_redeem=own.may_redeem, may_play=own.may_play)


@get("/pending", operation_id="listMyPending", opt=_READ)
async def list_pending(request: CustomerRequest) -> ListOut[PendingOut]:
    """List the own points that can't be spent yet, the first 50, with what brought them and until when."""
    async with _own(request) as (db, who):
        return ListOut((await reading.read_coming(db, **who))[0])


@get("/expiring", operation_id="listMyExpiring", opt=_READ)
async def list_expiring(request: CustomerRequest) -> ListOut[ExpiringOut]:
    """List the next 12 moments at which own points end, and how many."""
    async with _own(request) as (db, who):
        return ListOut((await reading.read_coming(db, **who))[1])


@get("/ways", operation_id="listMyWays", opt=_READ)
async def list_ways(request: CustomerRequest) -> ListOut[WayOut]:
    """List the ways to earn points that are open to the customer now."""
    async with _own(request) as (db, who):
        return ListOut(await reading.read_ways(db, **who))


@get("/rewards", operation_id="listMyRewards", opt=_READ)
async def list_rewards(request: CustomerRequest) -> ListOut[RewardOut]:
    """List the rewards that are offered now, those in reach first, with what keeps the customer from the others."""
    async with _own(request) as (db, who):
        return ListOut(await reading.read_rewards(db, **who))


@get("/vouchers", operation_id="listMyVouchers", opt=_READ)
async def list_vouchers(request: CustomerRequest) -> ListOut[VoucherOut]:
    """List the own vouchers, up to 50: those that can be used first, then the newest."""
    async with _own(request) as (db, who):
        return ListOut(await reading.read_vouchers(db, **who))


@get(
    "/transactions",
    operation_id="listMyTransactions",
    opt=operation(None, parameters=(LIMIT, CURSOR), refusals=(NotFound,)),
)
async def list_transactions(request: CustomerRequest) -> Page[MyTransactionOut]:
    """List every transfer of the own points, newest first, and why."""
    limit, before = limit_and_before(request)
    async with _own(request) as (db, who):
        return await reading.read_transactions(db, **who, limit=limit, before=before)


@get("/referral", operation_id="getMyReferral", opt=_READ)
async def get_referral(request: CustomerRequest) -> CustomerReferralOut:
    """Read the own code, its link, what it brings and what became of it. Nobody who came by it is named."""
    own = request.customer
    return await show(request.part(Database), program=program_of(request), customer_id=own.customer_id)


@get("/invoices", operation_id="listMyInvoices", opt=_READ)
async def list_invoices(request: CustomerRequest) -> ListOut[OpenInvoiceOut]:
    """List the own open invoices, up to 50, those that are due first, with what closes each today."""
    async with _own(request) as (db, who):
        return ListOut(await reading.read_invoices(db, **who))


@get("/games", operation_id="listMyGames", opt=_READ)
async def list_games(request: CustomerRequest) -> ListOut[GameOut]:
    """List the games that run now and are for the customer."""
    async with _own(request) as (db, who):
        return ListOut(await reading.read_games(db, **who))


@get("/surprises", operation_id="listMySurprises", opt=_READ)
async def list_surprises(request: CustomerRequest) -> ListOut[SurpriseOut]:
    """List the newest 50 own gifts and prizes that were revealed."""
    async with _own(request) as (db, who):
        return ListOut(await reading.read_surprises(db, **who))


@post(
    "/redemptions",
    operation_id="redeemMyReward",
    status_code=201,
    opt=operation(
        None,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(
            NotFound,
            NotAllowed,
            InsufficientPoints,
            RewardNotAvailable,
            RewardOutOfStock,
            RewardLimitReached,
            RewardTierTooLow,
        ),
        statuses=(200, 201),
    ),
)
async def redeem_reward(request: CustomerRequest, data: JSONBody[MyRedemption]) -> Response[RedemptionOut]:
    """Redeem a reward at once: its points are spent, and its voucher is issued. Where the program lets customers."""
    own, program, dry_run = request.customer, program_of(request), flag(request, "dry_run")
    if not own.may_redeem:
        raise NotAllowed
    reward_id = own_id("rwd", data.reward_id)

    async def work(db: Db) -> RedemptionOut:
        found = await doing.redeem_at_once(db, program=program, customer_id=own.customer_id, reward_id=reward_id)
        return redemption_out(found, program, with_voucher=not dry_run)

    return await command(request, "redeemMyReward", data, work, RedemptionOut, status=201)


@post(
    "/games/{campaign_id:str}/plays",
    operation_id="playMyGame",
    status_code=201,
    opt=operation(
        None, parameters=(REQUIRED_KEY,), refusals=(NotAllowed, GameNotOpen, PlaysUsedUp, InsufficientPoints)
    ),
)
async def play_game(
    request: CustomerRequest, campaign_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[PlayOut]:
    """Play a game, once for each key; it has no dry run. Where the program lets customers. The body may be empty."""
    if not request.customer.may_play:
        raise NotAllowed
    if flag(request, "dry_run"):
        raise Invalid("A play has no dry run: nobody can shop for prizes.", pointer="", reason="no_dry_run")
    named, program, customer_id = caller_id(campaign_id), program_of(request), request.customer.customer_id

    async def work(db: Db) -> PlayOut:
        played = await doing.play(db, program=program, customer_id=customer_id, campaign_id=named)
        # The customer's id is the caller's and may be personal data: it is not kept with the answer.
        return play_out("", played)

    answer = await command(request, f"playMyGame {named}", data, work, PlayOut, status=201)
    answer.content = msgspec.structs.replace(answer.content, customer_id=customer_id)
    return answer


router: Final = Router(
    "/v1/me",
    route_handlers=[
        get_me,
        list_pending,
        list_expiring,
        list_ways,
        list_rewards,
        list_vouchers,
        list_transactions,
        get_referral,
        list_invoices,
        list_games,
        list_surprises,
        redeem_reward,
        play_game,
    ],
    middleware=[AuthenticateCustomer()],
    request_class=CustomerRequest,
    cache_control=CacheControlHeader(no_store=True),
    tags=["Me"],
)
