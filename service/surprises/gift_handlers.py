"""`/v1/campaigns/{id}/plays`, `/v1/surprises`: games that are played, and gifts once they are revealed."""

import random
from typing import Any, Final

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.customers.rules import CustomerErased, CustomerUnknown
from service.kernel.errors import Invalid
from service.platform.database import Database
from service.platform.http.commanding import command
from service.platform.http.operation import (
    COMMAND_KEY,
    CURSOR,
    DRY_RUN,
    IDEMPOTENCY_KEY,
    LIMIT,
    REQUIRED_KEY,
    Link,
    operation,
)
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.points.rules import InsufficientPoints
from service.programs.catalogue import program_of
from service.programs.definitions import DefinitionEnded
from service.surprises import gifting, playing
from service.surprises.gift_schemas import (
    ListedCustomers,
    ListedOut,
    NewPlay,
    NewPlayGrant,
    PlayGrantOut,
    PlayOut,
    SurpriseOut,
    play_out,
    surprise_out,
)
from service.surprises.playing import GameNotOpen, PlaysUsedUp

_ENTROPY_BITS: Final = 62


@post(
    "/{campaign_id:str}/plays",
    operation_id="playGame",
    status_code=201,
    opt=operation(
        Right.PLAY,
        parameters=(REQUIRED_KEY,),
        refusals=(GameNotOpen, PlaysUsedUp, InsufficientPoints, CustomerUnknown),
        links=(Link("getBalance", "customer_id", "$response.body#/customer_id"),),
    ),
)
async def play_game(request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[NewPlay]) -> Response[PlayOut]:
    """Play a game: what it costs is paid, and the prize is drawn, once for each key. It has no dry run."""
    if flag(request, "dry_run"):
        raise Invalid("A play has no dry run: nobody can shop for prizes.", pointer="", reason="no_dry_run")
    named, program = caller_id(campaign_id), program_of(request)

    async def work(db: Db) -> PlayOut:
        played = await playing.play(
            db,
            program=program,
            wire_id=named,
            customer_id=data.customer_id,
            entropy=random.getrandbits(_ENTROPY_BITS),
        )
        # The customer's id is the caller's and may be personal data: it is not kept with the answer.
        return play_out("", played)

    answer = await command(request, f"playGame {named}", data, work, PlayOut, status=201)
    return _with_customer(answer, data.customer_id)


def _with_customer(answer: Response[Any], customer_id: str) -> Response[Any]:
    answer.content = msgspec.structs.replace(answer.content, customer_id=customer_id)
    return answer


@post(
    "/{campaign_id:str}/play-grants",
    operation_id="grantPlays",
    status_code=201,
    opt=operation(
        Right.GRANT_PLAYS,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(GameNotOpen, CustomerUnknown),
        statuses=(200, 201),
    ),
)
async def grant_plays(
    request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[NewPlayGrant]
) -> Response[PlayGrantOut]:
    """Grant a customer plays of a game that asks for them."""
    named, program = caller_id(campaign_id), program_of(request)

    async def work(db: Db) -> PlayGrantOut:
        grant_id, left = await playing.grant_plays(
            db,
            program=program,
            wire_id=named,
            customer_id=data.customer_id,
            plays=data.plays,
            entropy=random.getrandbits(_ENTROPY_BITS),
        )
        return PlayGrantOut(gifting.grant_wire(grant_id), named, "", data.plays, left)

    answer = await command(request, f"grantPlays {named}", data, work, PlayGrantOut, status=201)
    return _with_customer(answer, data.customer_id)


@post(
    "/{campaign_id:str}/customers",
    operation_id="addCampaignCustomers",
    status_code=200,
    opt=operation(Right.MANAGE_CAMPAIGNS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), refusals=(DefinitionEnded,)),
)
async def list_customers(
    request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[ListedCustomers]
) -> Response[ListedOut]:
    """Put customers on the list of a campaign that waits for one. Who is on it stays on it, and is drawn for once."""
    named = caller_id(campaign_id)

    async def work(db: Db) -> ListedOut:
        added, unknown = await gifting.list_customers(
            db, program_id=request.actor.program_id, wire_id=named, customer_ids=data.customer_ids
        )
        return ListedOut(added, [str(place) for place in unknown])

    answer = await command(request, f"addCampaignCustomers {named}", data, work, ListedOut, needs_key=False)
    # Places are kept, not the callers' ids, which may be personal data.
    answer.content = ListedOut(
        answer.content.added, [data.customer_ids[int(place)] for place in answer.content.unknown]
    )
    return answer


@get("/{surprise_id:str}", operation_id="getSurprise", opt=operation(Right.READ_SURPRISES, refusals=(CustomerErased,)))
async def get_surprise(request: ApiRequest, surprise_id: FromPath[str]) -> SurpriseOut:
    """Read a gift, once it is revealed: before that there is none."""
    async with request.part(Database).reading() as db:
        found = await gifting.read(db, program_id=request.actor.program_id, wire_id=caller_id(surprise_id))
    return surprise_out(found.gift, found.customer_id, found.voucher)


@get(
    "/{customer_id:str}/surprises",
    operation_id="listSurprises",
    opt=operation(Right.READ_SURPRISES, parameters=(LIMIT, CURSOR)),
)
async def list_surprises(request: ApiRequest, customer_id: FromPath[str]) -> Page[SurpriseOut]:
    """List the gifts of a customer that were revealed, the newest first."""
    (limit, before), named = limit_and_before(request), caller_id(customer_id)
    async with request.part(Database).reading() as db:
        found = await gifting.list_of_customer(
            db, program_id=request.actor.program_id, customer_id=named, before=before, limit=limit
        )
    last = found[limit - 1].gift.id.bytes if len(found) > limit else None
    return page([surprise_out(each.gift, named, each.voucher) for each in found], limit, last)


on_campaigns = Router("/campaigns", route_handlers=[play_game, grant_plays, list_customers], tags=["Games"])
router = Router("/surprises", route_handlers=[get_surprise], tags=["Surprises"])
of_customers = Router("/customers", route_handlers=[list_surprises], tags=["Surprises"])
