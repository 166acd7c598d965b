"""Referrals: `/v1/referrals`, `/v1/referral-offers`."""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import REPLAYED, command, run_once
from service.platform.http.guessing import check_guesses, count_guesses
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
from service.platform.http.request import ApiRequest, choice, own_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.programs.catalogue import program_of
from service.programs.definition_handlers import routes_of
from service.referrals import usecases
from service.referrals.defining import REFERRAL_OFFERS
from service.referrals.rules import CodeUnusable, Referral, ReferralNotOpen, ReferralState
from service.referrals.schemas import (
    Click,
    ClickOut,
    Kept,
    NewReferral,
    ReferralOut,
    marks_of,
    referral_out,
    with_names,
)

Stands: TypeAlias = tuple[Referral, Mapping[int, Customer]]
"""A referral with its sides as they are now, by the internal ids that it names."""
_NOTHING: Final = Nothing()
STATUS: Final = Parameter(
    "status",
    "query",
    "Only referrals that stand there.",
    {"type": "string", "enum": [each.value for each in ReferralState]},
)


@post(
    "/",
    operation_id="claimReferral",
    opt=operation(
        Right.CLAIM_REFERRALS,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(CodeUnusable,),
        statuses=(200, 201),
        links=[
            Link(each, "referral_id", "$response.body#/id")
            for each in ("getReferral", "approveReferral", "refuseReferral")
        ],
    ),
)
async def claim(request: ApiRequest, data: JSONBody[NewReferral]) -> Response[ReferralOut]:
    """Claim a new customer with a code, also before the enrolment. All codes that can't be used are refused alike."""
    program = program_of(request)

    async def work(db: Db) -> Stands:
        return await usecases.claim(
            db,
            program=program,
            code=data.code,
            referee_id=data.referee_id,
            marks=marks_of(data.marks),
            entropy=random.getrandbits(62),
        )

    check_guesses(request)
    try:
        shown = await _told(request, "claimReferral", data, work, status=201)
    except CodeUnusable as unusable:
        await count_guesses(request, int(unusable.is_guess))
        raise
    return _with(shown, referee_id=data.referee_id)


@post(
    "/clicks",
    operation_id="clickReferralCode",
    status_code=200,
    opt=operation(Right.CLAIM_REFERRALS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def click(request: ApiRequest, data: JSONBody[Click]) -> Response[ClickOut]:
    """Count that somebody followed the link of a code. The answer is the same whether there is such a code or not."""
    # So clicks are not counted as guesses: visitors of a page can make up links, and would lock out the shop's claims.

    async def work(db: Db) -> ClickOut:
        await usecases.click(db, program_id=request.actor.program_id, code=data.code)
        return ClickOut(received=True)  # in any case, so that a repetition is told alike, too

    return await command(request, "clickReferralCode", data, work, ClickOut, needs_key=False)


@get("/", operation_id="listReferrals", opt=operation(Right.LIST_REFERRALS, parameters=(LIMIT, CURSOR, STATUS)))
async def list_referrals(request: ApiRequest) -> Page[ReferralOut]:
    """List the referrals, newest first: those to review with `status=in_review`."""
    limit, before = limit_and_before(request)
    state = choice(request, "status", ReferralState)
    async with request.part(Database).reading() as db:
        found, known = await usecases.list_referrals(
            db, program_id=request.actor.program_id, before=before, limit=limit, state=state
        )
        ahead = await usecases.names_ahead(db, program_id=request.actor.program_id, referrals=found)
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([referral_out(each, known, reasons=True, ahead=ahead) for each in found], limit, last)


@get("/{referral_id:str}", operation_id="getReferral", opt=operation(Right.READ_REFERRALS))
async def get_referral(request: ApiRequest, referral_id: FromPath[str]) -> ReferralOut:
    """Read a referral and where it stands; why, is told to those who may list them."""
    its_id = own_id("ref", referral_id)
    async with request.part(Database).reading() as db:
        found, known = await usecases.read(db, program_id=request.actor.program_id, referral_id=its_id)
        ahead = await usecases.names_ahead(db, program_id=request.actor.program_id, referrals=[found])
    return referral_out(found, known, reasons=_reviews(request), ahead=ahead)


def _reviews(request: ApiRequest) -> bool:
    return Right.LIST_REFERRALS in request.actor.rights


def _reviewing() -> dict[str, object]:
    return operation(Right.REVIEW_REFERRALS, parameters=(DRY_RUN, COMMAND_KEY), refusals=(ReferralNotOpen,))


@post("/{referral_id:str}/approve", operation_id="approveReferral", status_code=200, opt=_reviewing())
async def approve(
    request: ApiRequest, referral_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[ReferralOut]:
    """Let a referral go on, whatever speaks against it; it is rewarded when its wait is over. The body may be empty."""
    return await _review(request, "approveReferral", referral_id, data)


@post("/{referral_id:str}/refuse", operation_id="refuseReferral", status_code=200, opt=_reviewing())
async def refuse(
    request: ApiRequest, referral_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[ReferralOut]:
    """Refuse a referral that was not rewarded yet. The body may be empty."""
    return await _review(request, "refuseReferral", referral_id, data)


async def _review(request: ApiRequest, named: str, referral_id: str, data: Nothing) -> Response[ReferralOut]:
    its_id, program, key = own_id("ref", referral_id), program_of(request), request.actor.key_id
    decide = usecases.approve if named == "approveReferral" else usecases.refuse

    async def work(db: Db) -> Stands:
        await decide(db, program=program, referral_id=its_id, by=key, entropy=random.getrandbits(62))
        return await usecases.read(db, program_id=program.id, referral_id=its_id)

    return await _told(request, f"{named} {its_id}", data, work, status=200)


async def _told(
    request: ApiRequest, named: str, content: object, work: Callable[[Db], Awaitable[Stands]], *, status: int
) -> Response[ReferralOut]:
    """Run a command on a referral. Both sides' names are not kept with the answer: they may be personal data.

    A repetition names them as they are now.
    """
    done, reasons = list[Mapping[int, Customer]](), _reviews(request)

    async def answer(db: Db) -> tuple[int, Any]:
        referral, known = await work(db)
        done[:] = [known]
        kept = Kept(referral.referrer, referral.referee, referral_out(referral, {}, reasons=reasons))
        return status, msgspec.to_builtins(kept)

    answered = await run_once(request, named, content, answer)
    kept = msgspec.convert(answered.answer, Kept)
    if not done:
        async with request.part(Database).reading() as db:
            both = [each for each in (kept.referrer, kept.referee) if each is not None]
            done.append(await customers.standing_for(db, program_id=request.actor.program_id, records=both))
    shown = with_names(kept.shown, done[0], kept.referrer, kept.referee)
    return Response(shown, status_code=answered.status, headers=REPLAYED if answered.replayed else None)


def _with(response: Response[ReferralOut], *, referee_id: str) -> Response[ReferralOut]:
    """Name the referee as the claim did, who may not be enrolled yet."""
    response.content = msgspec.structs.replace(response.content, referee_id=referee_id)
    return response


offers = routes_of(REFERRAL_OFFERS, reads=Right.READ_RULES, manages=Right.MANAGE_REFERRAL_OFFERS)
router = Router(
    "/referrals", route_handlers=[claim, click, list_referrals, get_referral, approve, refuse], tags=["Referrals"]
)
