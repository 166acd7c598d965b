"""`/v1/purchases`."""

import asyncio
import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.customers.rules import CustomerUnknown
from service.kernel.errors import Invalid, Refusal
from service.platform.authentication import Actor
from service.platform.database import Database
from service.platform.http.body import Nothing, check_syntax, decode
from service.platform.http.commanding import REPLAYED, command, run_once
from service.platform.http.direct import Answer, Route
from service.platform.http.operation import COMMAND_KEY, DRY_RUN, IDEMPOTENCY_KEY, Link, operation
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.rules import PointsLapsed
from service.programs.catalogue import Catalogue
from service.programs.rules import Program
from service.purchases import usecases
from service.purchases.booking import Purchases, count
from service.purchases.refunding import RefundExceedsPurchase
from service.purchases.returning import RefundConflict, RefundReport, report_refund
from service.purchases.rules import Draft, Purchase, PurchaseConflict
from service.purchases.schemas import (
    BatchIn,
    BatchOut,
    ConfirmationOut,
    ConfirmedPointsOut,
    EntryOut,
    PurchaseOut,
    RecordedPurchaseOut,
    RefundOut,
    entry_out,
    purchase_out,
    recorded_out,
    refund_out,
    status_of,
)
from service.purchases.store import Refund
from service.purchases.usecases import Accepted, Outcome

BULK_BYTES = 4 * 1024 * 1024
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
        refusals=(PurchaseConflict, CustomerUnknown),
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


async def _preview(request: ApiRequest, draft: Draft) -> PurchaseOut:
    async with request.part(Database).reading() as db:
        (outcome,) = await usecases.preview(db, program=_program(request), drafts=[draft], entropy=0)
    if isinstance(outcome, Refusal):
        raise outcome
    return purchase_out(outcome)


def _program(request: ApiRequest) -> Program:
    return request.part(Catalogue).program(request.actor.program_id)


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
    drafts = list[Draft | Refusal]()
    for raw in data.purchases:
        drafts.append(_draft_or_refusal(raw))
        await asyncio.sleep(0)  # others' calls are not to wait until all entries are decoded
    dry_run, outcomes = flag(request, "dry_run"), list[Outcome]()

    async def work(db: Db) -> tuple[int, Any]:
        outcomes[:] = await _report_all(db, _program(request), drafts, dry_run=dry_run)
        # Kept without the purchases: their answers name customers, and are rendered anew for a repetition.
        entries = map(entry_out, outcomes)
        return 200, [msgspec.to_builtins(EntryOut(entry.status, problem=entry.problem)) for entry in entries]

    content = [_content(each) for each in drafts]
    answered = await run_once(request, "reportPurchases", content, work, needs_key=False)
    if answered.replayed:
        entries = await _replay(request, drafts, msgspec.convert(answered.answer, list[EntryOut]))
        return Response(BatchOut(entries), headers=REPLAYED)
    if not dry_run:
        count(outcomes)
    return Response(BatchOut([entry_out(each) for each in outcomes]))


async def _report_all(db: Db, program: Program, drafts: Sequence[Draft | Refusal], *, dry_run: bool) -> list[Outcome]:
    accepted = [each for each in drafts if isinstance(each, Draft)]
    verb = usecases.preview if dry_run else usecases.report_apart
    outcomes = iter(await verb(db, program=program, drafts=accepted, entropy=random.getrandbits(62)))
    return [each if isinstance(each, Refusal) else next(outcomes) for each in drafts]


async def _replay(request: ApiRequest, drafts: Sequence[Draft | Refusal], kept: list[EntryOut]) -> list[EntryOut]:
    """Render the first answer again: the problems as they were, the purchases from what is booked."""
    booked = [each for each, entry in zip(drafts, kept, strict=True) if entry.problem is None]
    async with request.part(Database).reading() as db:
        rendered = iter(await _report_all(db, _program(request), booked, dry_run=True))
    return [
        entry if entry.problem is not None else EntryOut(entry.status, purchase=entry_out(next(rendered)).purchase)
        for entry in kept
    ]


def _content(entry: Draft | Refusal) -> str:
    """Name what an entry of a batch says, whatever its spelling; what can't be accepted is told by its fault."""
    if isinstance(entry, Draft):
        return entry.content_hash.hex()
    return f"{entry.code} {entry.pointer} {entry.reason}" if isinstance(entry, Invalid) else entry.code


def _draft_or_refusal(raw: msgspec.Raw) -> Draft | Refusal:
    try:
        return usecases.draft(decode(raw, Purchase), randomness=random.getrandbits(62))
    except Refusal as refusal:
        return refusal


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
    opt=operation(Right.REPORT_PURCHASES, parameters=(DRY_RUN, COMMAND_KEY), refusals=(PointsLapsed,)),
)
async def confirm_purchase(
    request: ApiRequest, purchase_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[ConfirmationOut]:
    """Make available what a purchase earned, before its time. The body may be empty."""
    named = caller_id(purchase_id)

    async def work(db: Db) -> ConfirmationOut:
        recorded, balance = await usecases.confirm(
            db, program_id=request.actor.program_id, purchase_id=named, entropy=random.getrandbits(62)
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
        refusals=(RefundConflict, RefundExceedsPurchase),
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
            program=_program(request),
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


def hot_routes(purchases: Purchases) -> list[Route[Accepted]]:
    """Give the short way for what a checkout calls at each sale; it answers as `report_purchase`."""

    def ask(actor: Actor, _: str, body: bytes) -> asyncio.Future[Accepted]:
        check_syntax(body)
        draft = usecases.draft(decode(body, Purchase), randomness=random.getrandbits(62))
        return purchases.report(actor.program_id, draft)

    def answer(accepted: Accepted) -> Answer:
        headers = ((b"idempotent-replayed", b"true"),) if accepted.replayed else ()
        return Answer(status_of(accepted), purchase_out(accepted), headers)

    return [Route("reportPurchase", b"POST", re.compile(rb"/v1/purchases"), Right.REPORT_PURCHASES, ask, answer)]


router = Router(
    "/purchases",
    route_handlers=[report_purchase, report_purchases, get_purchase, confirm_purchase, refund_purchase],
    tags=["Purchases"],
)
