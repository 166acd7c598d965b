"""`/v1/early-payment-report`."""

from typing import Final

from litestar import Router, get

from service.invoices.report import usecases
from service.invoices.report.figures import EarlyPaymentReport
from service.invoices.report.rules import MOST_CAPITAL
from service.platform.http.operation import DAY, Parameter, operation
from service.platform.http.request import ApiRequest
from service.platform.reporting import Reporting
from service.platform.roles import Right
from service.programs.catalogue import program_of

PARAMETERS: Final = (
    Parameter("from", "query", "The first day of issue; else 365 days before `to`. At most 3,660 days.", DAY),
    Parameter("to", "query", "The first day that is no longer in it; else tomorrow, so that today is in it.", DAY),
    Parameter("compare_from", "query", "The first day that is compared with; else as many days earlier.", DAY),
    Parameter("compare_to", "query", "The first day that is no longer compared with, at the latest `from`.", DAY),
    Parameter(
        "group_by",
        "query",
        "Groups of customers: by today's `tier`, by an attribute of their profiles (`attributes.region`), or by `terms`"
        ": where an invoice's terms are from. At most 50; the others are one.",
        {"type": "string", "pattern": r"^(tier|terms|attributes\..{1,40})$"},
    ),
    Parameter(
        "capital_basis_points",
        "query",
        "What a year of money costs the merchant, in basis points: 800 are 8 %. Then it is told whether it pays.",
        {"type": "integer", "minimum": 1, "maximum": MOST_CAPITAL},
    ),
)


@get("/", operation_id="getEarlyPaymentReport", opt=operation(Right.READ_REPORTS, parameters=PARAMETERS))
async def get_report(request: ApiRequest) -> EarlyPaymentReport:
    """Tell whether early payment pays: days to pay beside those of a time before, what was given, what that cost.

    What is different from the time before may have other reasons: a difference is no proof of an effect.
    """
    program, given = program_of(request), dict(request.query_params.items())
    return await request.part(Reporting).make(lambda db: usecases.make(db, program=program, given=given))


router = Router("/early-payment-report", route_handlers=[get_report], tags=["Invoices"])
