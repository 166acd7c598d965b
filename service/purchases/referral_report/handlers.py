"""`/v1/referral-report`."""

from typing import Final

from litestar import Router, get

from service.platform.http.operation import DAY, Parameter, operation
from service.platform.http.request import ApiRequest
from service.platform.reporting import Reporting
from service.platform.roles import Right
from service.programs.catalogue import program_of
from service.programs.definitions import DEFINITION_ID_PATTERN
from service.purchases.referral_report import usecases
from service.purchases.referral_report.figures import ReferralReport

FROM: Final = Parameter(
    "from", "query", "The first day, in the program's time zone; else 365 days before `to`. At most 3,660 days.", DAY
)
TO: Final = Parameter(
    "to", "query", "The first day that is no longer in it; else tomorrow, so that today is in it.", DAY
)
OFFER: Final = Parameter(
    "offer", "query", "Only this offer, by its id.", {"type": "string", "pattern": DEFINITION_ID_PATTERN}
)


@get(
    "/",
    operation_id="getReferralReport",
    opt=operation(Right.READ_REPORTS, parameters=(FROM, TO, OFFER)),
)
async def get_report(request: ApiRequest) -> ReferralReport:
    """Tell what referrals brought and cost: what became of the claims of a time, and of referees beside others.

    Who follows a friend differs from who doesn't: a difference is no proof of an effect.
    """
    asked = request.query_params
    first, to, offer = (asked.get(name) for name in ("from", "to", "offer"))
    program = program_of(request)
    return await request.part(Reporting).make(
        lambda db: usecases.make(db, program=program, first=first, to=to, offer=offer)
    )


router = Router("/referral-report", route_handlers=[get_report], tags=["Referrals"])
