"""That a customer was asked for a referral: `/v1/customers/{id}/referral/asked`."""

from litestar import Response, Router, post
from litestar.params import FromPath, JSONBody

from service.platform.http.commanding import command
from service.platform.http.operation import COMMAND_KEY, DRY_RUN, operation
from service.platform.http.request import ApiRequest, caller_id
from service.platform.roles import Right
from service.platform.statements import Db
from service.referrals.asks import usecases
from service.referrals.asks.schemas import AskedOut, CustomerAsked


@post(
    "/",
    operation_id="tellReferralAsked",
    status_code=200,
    opt=operation(Right.TELL_REFERRALS_ASKED, parameters=(DRY_RUN, COMMAND_KEY)),
)
async def tell_asked(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[CustomerAsked]
) -> Response[AskedOut]:
    """Tell that a customer was asked for a referral: not again after that milestone. Twice is as once."""
    named = caller_id(customer_id)

    async def work(db: Db) -> AskedOut:
        found, at = await usecases.asked(
            db, program_id=request.actor.program_id, customer_id=named, milestone=data.milestone
        )
        return AskedOut(found.milestone, found.reached_at, at)

    return await command(request, f"tellReferralAsked {named}", data, work, AskedOut)


router = Router("/customers/{customer_id:str}/referral/asked", route_handlers=[tell_asked], tags=["Referrals"])
