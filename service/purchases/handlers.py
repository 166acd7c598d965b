"""`/v1/purchases`."""

import asyncio
import random
import re

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from service.customers.rules import CustomerErased, CustomerUnknown
from service.platform.authentication import Actor
from service.platform.database import Database
from service.platform.http.body import Nothing, check_syntax, decode
from service.platform.http.commanding import REPLAYED, command
from service.platform.http.direct import Answer, Route
from service.platform.http.guessing import check_guesses, count_guesses
from service.platform.http.operation import COMMAND_KEY, DRY_RUN, IDEMPOTENCY_KEY, Link, operation
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.bulk import BULK_BYTES, report_each, status_of
from service.points.rules import PointsLapsed
from service.programs.catalogue import program_of
from service.purchases import usecases
from service.purchases.booking import Purchases, count
from service.purchases.refunding import RefundExceedsPurchase
from service.purchases.returning import RefundConflict, RefundReport, report_refund
from service.purchases.rules import Purchase, PurchaseConflict
from service.purchases.schemas import (
    BatchIn,
    BatchOut,
    ConfirmationOut,
    ConfirmedPointsOut,
    PurchaseOut,
    RecordedPurchaseOut,
    RefundOut,
    entry_out,
    purchase_out,
    recorded_out,
    refund_out,
)
from service.purchases.store import Refund
from service.purchases.usecases import PURCHASES, AcceptedPurchase, PurchaseDraft
from service.referrals.rules import ReferralState

_NOTHING = Nothing()


_OF_ANSWER = (
    Link("getPurchase", "purchase_id", "$response.body#/id"),
    Link("getBalance", "customer_id", "$response.body#/customer_id"),
    Link("listTransactions", "customer_id", "$response.body#/customer_id"),
)


@post(
    "/",
    operation_id="reportPurchase",
    opt=operation(
        Right.REPORT_PURCHASES,
        parameters=(DRY_RUN,),
        refusals=(PurchaseConflict, CustomerUnknown, CustomerErased),
        links=_OF_ANSWER,
        statuses=(200, 201),
        fact=True,
    ),
)
async def report_purchase(request: ApiRequest, data: JSONBody[Purchase]) -> Response[PurchaseOut]:
    """Report a purchase: its points are booked once, however often it is reported."""
    draft = usecases.draft(data, randomness=random.getrandbits(62))
    if flag(request, "dry_run"):
        return Response(await _preview(request, draft), status_code=200)
    accepted = await request.part(Purchases).report(request.actor.program_id, draft)
    headers = REPLAYED if accepted.replayed else None
    return Response(purchase_out(accepted), status_code=status_of(accepted), headers=headers)


async def _preview(request: ApiRequest, draft: PurchaseDraft) -> PurchaseOut:
    """Preview a purchase. A dry run costs nothing, so that codes could be guessed by it: wrong ones are counted."""
    named = draft.content.referral_code is not None
    if named:
        check_guesses(request)
    async with request.part(Database).reading() as db:
        accepted, quote = await usecases.preview(db, program=program_of(request), draft=draft)
    await count_guesses(request, int(_is_guess(accepted)))
    return purchase_out(accepted, quote or UNSET)


@post(
    "/batch",
    operation_id="reportPurchases",
    status_code=200,
    request_max_body_size=BULK_BYTES,
    opt=operation(
        Right.REPORT_PURCHASES,
        parameters=(DRY_RUN, IDEMPOTENCY_KEY),
    ),
)
async def report_purchases(request: ApiRequest, data: JSONBody[BatchIn]) -> Response[BatchOut]:
    """Report up to 500 purchases together; each is booked or refused on its own."""
    dry_run = flag(request, "dry_run")
    if dry_run:
        check_guesses(request)
    ended = await report_each(request, "reportPurchases", data.purchases, PURCHASES, _draft)
    count(ended.outcomes)
    if dry_run:
        await count_guesses(request, sum(each is not None and _is_guess(each) for _, each in ended.entries))
    entries = [entry_out(fate, accepted) for fate, accepted in ended.entries]
    return Response(BatchOut(entries), headers=REPLAYED if ended.replayed else None)


def _is_guess(accepted: AcceptedPurchase) -> bool:
    """Tell whether a purchase brought a code that can't be used, and would have told one that can."""
    told = accepted.answer.referral
    return told is not None and told.status is ReferralState.REFUSED


def _draft(raw: msgspec.Raw) -> PurchaseDraft:
    return usecases.draft(decode(raw, Purchase), randomness=random.getrandbits(62))


@get("/{purchase_id:str}", operation_id="getPurchase", opt=operation(Right.READ_PURCHASES))
async def get_purchase(request: ApiRequest, purchase_id: FromPath[str]) -> RecordedPurchaseOut:
    """Read a purchase as it was reported, with what it earned."""
    async with request.part(Database).reading() as db:
        recorded = await usecases.read(db, program_id=request.actor.program_id, purchase_id=caller_id(purchase_id))
    return recorded_out(recorded)


@post(
    "/{purchase_id:str}/confirm",
    operation_id="confirmPurchase",
    status_code=200,
    opt=operation(Right.REPORT_PURCHASES, parameters=(DRY_RUN, COMMAND_KEY), refusals=(PointsLapsed, CustomerErased)),
)
async def confirm_purchase(
    request: ApiRequest, purchase_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[ConfirmationOut]:
    """Make available what a purchase earned, before its time. The body may be empty."""
    named, program = caller_id(purchase_id), program_of(request)

    async def work(db: Db) -> ConfirmationOut:
        recorded, balance = await usecases.confirm(
            db, program=program, purchase_id=named, entropy=random.getrandbits(62)
        )
        confirmed = ConfirmedPointsOut(recorded.earnings.earned, 0)
        return ConfirmationOut(named, confirmed, balance)

    return await command(request, f"confirmPurchase {named}", data, work, ConfirmationOut)


@post(
    "/{purchase_id:str}/refunds",
    operation_id="refundPurchase",
    opt=operation(
        Right.REPORT_PURCHASES,
        parameters=(DRY_RUN,),
        refusals=(RefundConflict, RefundExceedsPurchase, CustomerErased),
        statuses=(200, 201),
        fact=True,
    ),
)
async def refund_purchase(
    request: ApiRequest, purchase_id: FromPath[str], data: JSONBody[RefundReport]
) -> Response[RefundOut]:
    """Report a refund: what the returned part earned is taken back, points that paid for it are given back."""
    named, dry_run, randomness = caller_id(purchase_id), flag(request, "dry_run"), random.getrandbits(62)

    async def work(db: Db) -> Refund:
        return await report_refund(
            db,
            program=program_of(request),
            purchase_id=named,
            report=data,
            randomness=randomness,
            entropy=random.getrandbits(62),
        )

    refund = await transact(request.part(Database).connection, work, rollback=dry_run)
    return Response(
        refund_out(named, refund),
        status_code=200 if dry_run or refund.replayed else 201,
        headers=REPLAYED if refund.replayed else None,
    )


def hot_routes(purchases: Purchases) -> list[Route[AcceptedPurchase]]:
    """Give the short way for what a checkout calls at each sale; it answers as `report_purchase`."""

    def ask(actor: Actor, _: str, body: bytes) -> asyncio.Future[AcceptedPurchase]:
        check_syntax(body)
        draft = usecases.draft(decode(body, Purchase), randomness=random.getrandbits(62))
        return purchases.report(actor.program_id, draft)

    def answer(accepted: AcceptedPurchase) -> Answer:
        headers = ((b"idempotent-replayed", b"true"),) if accepted.replayed else ()
        return Answer(status_of(accepted), purchase_out(accepted), headers)

    return [Route("reportPurchase", b"POST", re.compile(rb"/v1/purchases"), Right.REPORT_PURCHASES, ask, answer)]


router = Router(
    "/purchases",
    route_handlers=[report_purchase, report_purchases, get_purchase, confirm_purchase, refund_purchase],
    tags=["Purchases"],
)
