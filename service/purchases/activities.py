"""`/v1/activities`: what customers do beside buying."""

import random
from typing import Final

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from service.customers.rules import CustomerErased, CustomerUnknown
from service.platform.database import Database
from service.platform.http.commanding import REPLAYED
from service.platform.http.operation import DRY_RUN, Link, operation
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.bulk import status_of
from service.programs.catalogue import program_of
from service.purchases import usecases
from service.purchases.engaging import Activity, ActivityConflict, UnknownActivityType
from service.purchases.schemas import ActivityOut, RecordedActivityOut, activity_out, recorded_activity_out
from service.purchases.usecases import AcceptedActivity

_OF_ANSWER: Final = (
    Link("getActivity", "activity_id", "$response.body#/id"),
    Link("getBalance", "customer_id", "$response.body#/customer_id"),
    Link("listTransactions", "customer_id", "$response.body#/customer_id"),
)


@post(
    "/",
    operation_id="reportActivity",
    opt=operation(
        Right.REPORT_ACTIVITIES,
        parameters=(DRY_RUN,),
        refusals=(ActivityConflict, UnknownActivityType, CustomerUnknown, CustomerErased),
        links=_OF_ANSWER,
        statuses=(200, 201),
        fact=True,
    ),
)
async def report_activity(request: ApiRequest, data: JSONBody[Activity]) -> Response[ActivityOut]:
    """Report an activity: its points are booked once, however often it is reported."""
    draft, dry_run = usecases.draft_activity(data, randomness=random.getrandbits(62)), flag(request, "dry_run")

    async def work(db: Db) -> AcceptedActivity:
        return await usecases.report_activity(
            db, program=program_of(request), draft=draft, entropy=random.getrandbits(62), dry_run=dry_run
        )

    accepted = await transact(request.part(Database).connection, work)
    return Response(
        activity_out(accepted),
        status_code=200 if dry_run else status_of(accepted),
        headers=REPLAYED if accepted.replayed and not dry_run else None,
    )


@get("/{activity_id:str}", operation_id="getActivity", opt=operation(Right.READ_ACTIVITIES))
async def get_activity(request: ApiRequest, activity_id: FromPath[str]) -> RecordedActivityOut:
    """Read an activity as it was reported, with what it earned."""
    async with request.part(Database).reading() as db:
        recorded = await usecases.read_activity(
            db, program_id=request.actor.program_id, activity_id=caller_id(activity_id)
        )
    return recorded_activity_out(recorded)


router = Router("/activities", route_handlers=[report_activity, get_activity], tags=["Activities"])
