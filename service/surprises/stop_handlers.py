"""`/v1/campaigns/{id}/stops`: what suppressions stopped of a campaign."""

from litestar import Router, get
from litestar.params import FromPath

from service.platform.database import Database
from service.platform.http.operation import CURSOR, LIMIT, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, caller_id
from service.platform.roles import Right
from service.surprises import stops
from service.surprises.stop_schemas import StopOut, stop_out


@get(
    "/{campaign_id:str}/stops",
    operation_id="listCampaignStops",
    opt=operation(Right.READ_CAMPAIGNS, parameters=(LIMIT, CURSOR)),
)
async def list_stops(request: ApiRequest, campaign_id: FromPath[str]) -> Page[StopOut]:
    """List what suppressions stopped of a campaign, at the draw and at the sending, the newest first."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found = await stops.list_stops(
            db, program_id=request.actor.program_id, wire_id=caller_id(campaign_id), before=before, limit=limit
        )
    last = found[limit - 1].stop.id.bytes if len(found) > limit else None
    return page([stop_out(each) for each in found], limit, last)


router = Router("/campaigns", route_handlers=[list_stops], tags=["Campaigns"])
