"""`/v1/campaigns`."""

import random
import secrets
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final

from litestar import Response, Router, get, patch, post
from litestar.params import FromPath, JSONBody

from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import command
from service.platform.http.operation import CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, cursor_of, limit_and_before, limit_of, page
from service.platform.http.request import ApiRequest, caller_id, choice, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import defining
from service.programs.catalogue import Catalogue
from service.programs.definition_schemas import GREATEST_VERSION
from service.programs.definitions import DefinitionEnded, StateNotReachable, Status, VersionConflict
from service.surprises import lifecycle
from service.surprises.campaigns import CAMPAIGN, CampaignContent
from service.surprises.chance import KEY_BYTES
from service.surprises.changing import CampaignTaken
from service.surprises.lifecycle import Campaign
from service.surprises.schemas import (
    CampaignChange,
    CampaignOut,
    CampaignVersionOut,
    campaign_out,
    members_of,
    version_out,
)

_NOTHING: Final = Nothing()
_NUMBER_BYTES: Final = 8


class Stands(Enum):
    """By what campaigns are listed."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    CLOSED = "closed"


STATUS: Final = Parameter(
    "status",
    "query",
    "Only those that stand there now; `active` are also those whose period is still to come.",
    {"type": "string", "enum": [each.value for each in Stands]},
)
_STATUSES: Final = {
    Stands.DRAFT: Status.DRAFT,
    Stands.ACTIVE: Status.ACTIVE,
    Stands.PAUSED: Status.PAUSED,
    Stands.CLOSED: Status.ENDED,
}
_OF_ONE: Final = tuple(
    Link(each, "campaign_id", "$response.body#/id")
    for each in ("getCampaign", "changeCampaign", "activateCampaign", "pauseCampaign", "closeCampaign")
)


@post(
    "/",
    operation_id="createCampaign",
    opt=operation(Right.MANAGE_CAMPAIGNS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), statuses=(200, 201), links=_OF_ONE),
)
async def create_campaign(request: ApiRequest, data: JSONBody[CampaignContent]) -> Response[CampaignOut]:
    """Make a campaign, a draft. Nothing is drawn before it is activated."""

    async def work(db: Db) -> CampaignOut:
        made = await lifecycle.create(
            db, program_id=request.actor.program_id, content=data, entropy=random.getrandbits(62)
        )
        return campaign_out(made)

    return await command(request, "createCampaign", data, work, CampaignOut, status=201, needs_key=False)


@get("/", operation_id="listCampaigns", opt=operation(Right.READ_CAMPAIGNS, parameters=(LIMIT, CURSOR, STATUS)))
async def list_campaigns(request: ApiRequest) -> Page[CampaignOut]:
    """List the campaigns, the newest first, those that are closed, too."""
    limit, before = limit_and_before(request)
    named = choice(request, "status", Stands)
    async with request.part(Database).reading() as db:
        found = await lifecycle.list_campaigns(
            db,
            program_id=request.actor.program_id,
            before=before,
            limit=limit,
            status=None if named is None else _STATUSES[named],
        )
    last = found[limit - 1].definition.place.bytes if len(found) > limit else None
    return page([campaign_out(each) for each in found], limit, last)


@get("/{campaign_id:str}", operation_id="getCampaign", opt=operation(Right.READ_CAMPAIGNS))
async def get_campaign(request: ApiRequest, campaign_id: FromPath[str]) -> CampaignOut:
    """Read a campaign as its newest version has it, and where it stands."""
    async with request.part(Database).reading() as db:
        found = await lifecycle.read(db, program_id=request.actor.program_id, wire_id=caller_id(campaign_id))
    return campaign_out(found)


@patch(
    "/{campaign_id:str}",
    operation_id="changeCampaign",
    opt=operation(
        Right.MANAGE_CAMPAIGNS, parameters=(DRY_RUN,), refusals=(CampaignTaken, DefinitionEnded, VersionConflict)
    ),
)
async def change_campaign(
    request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[CampaignChange]
) -> CampaignOut:
    """Make a new version of a campaign, from now on; what was drawn stays."""
    named, seen = caller_id(campaign_id), data.version

    async def work(db: Db) -> Campaign:
        return await lifecycle.change(
            db,
            program_id=request.actor.program_id,
            wire_id=named,
            members=members_of(data),
            version=seen if isinstance(seen, int) else None,
            entropy=random.getrandbits(62),
        )

    changed = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    await request.part(Catalogue).refresh()
    return campaign_out(changed)


@get(
    "/{campaign_id:str}/versions",
    operation_id="listCampaignVersions",
    opt=operation(Right.READ_CAMPAIGNS, parameters=(LIMIT, CURSOR)),
)
async def list_versions(request: ApiRequest, campaign_id: FromPath[str]) -> Page[CampaignVersionOut]:
    """List the versions of a campaign, the newest first."""
    limit, place, named = limit_of(request), cursor_of(request, _NUMBER_BYTES), caller_id(campaign_id)
    async with request.part(Database).reading() as db:
        found = await defining.list_versions(
            db,
            program_id=request.actor.program_id,
            kind=CAMPAIGN,
            definition_id=named,
            before=GREATEST_VERSION if place is None else min(int.from_bytes(place), GREATEST_VERSION),
            limit=limit,
        )
    last = found[limit - 1].number.to_bytes(_NUMBER_BYTES) if len(found) > limit else None
    return page([version_out(named, each) for each in found], limit, last)


@post(
    "/{campaign_id:str}/activate",
    operation_id="activateCampaign",
    status_code=200,
    opt=operation(Right.MANAGE_CAMPAIGNS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), refusals=(DefinitionEnded,)),
)
async def activate_campaign(
    request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[CampaignOut]:
    """Start a campaign, or go on with one that is paused. With its start the hash of the key of its draws is told."""
    named = caller_id(campaign_id)

    async def work(db: Db) -> CampaignOut:
        moved = await lifecycle.activate(
            db,
            program_id=request.actor.program_id,
            wire_id=named,
            key=secrets.token_bytes(KEY_BYTES),
            entropy=random.getrandbits(62),
        )
        return campaign_out(moved)

    return await _moved(request, f"activateCampaign {named}", data, work)


@post(
    "/{campaign_id:str}/pause",
    operation_id="pauseCampaign",
    status_code=200,
    opt=operation(
        Right.MANAGE_CAMPAIGNS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), refusals=(DefinitionEnded, StateNotReachable)
    ),
)
async def pause_campaign(
    request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[CampaignOut]:
    """Let a campaign draw nothing for a while. What was drawn is still revealed."""
    named = caller_id(campaign_id)

    async def work(db: Db) -> CampaignOut:
        program_id, entropy = request.actor.program_id, random.getrandbits(62)
        return campaign_out(await lifecycle.pause(db, program_id=program_id, wire_id=named, entropy=entropy))

    return await _moved(request, f"pauseCampaign {named}", data, work)


@post(
    "/{campaign_id:str}/close",
    operation_id="closeCampaign",
    status_code=200,
    opt=operation(Right.MANAGE_CAMPAIGNS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def close_campaign(
    request: ApiRequest, campaign_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[CampaignOut]:
    """End a campaign for ever; the key of its draws is told a minute later. What was drawn is still revealed."""
    named = caller_id(campaign_id)

    async def work(db: Db) -> CampaignOut:
        program_id, entropy = request.actor.program_id, random.getrandbits(62)
        return campaign_out(await lifecycle.close(db, program_id=program_id, wire_id=named, entropy=entropy))

    return await _moved(request, f"closeCampaign {named}", data, work)


async def _moved(
    request: ApiRequest, named: str, data: Nothing, work: Callable[[Db], Awaitable[CampaignOut]]
) -> Response[CampaignOut]:
    answer = await command(request, named, data, work, CampaignOut, needs_key=False)
    await request.part(Catalogue).refresh()
    return answer


router = Router(
    "/campaigns",
    route_handlers=[
        create_campaign,
        list_campaigns,
        get_campaign,
        change_campaign,
        list_versions,
        activate_campaign,
        pause_campaign,
        close_campaign,
    ],
    tags=["Campaigns"],
)
