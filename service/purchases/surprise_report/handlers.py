"""`/v1/campaigns/{campaign_id}/report`, `/v1/campaigns/{campaign_id}/forecast`, and `/v1/surprise-report`."""

from litestar import Router, get
from litestar.params import FromPath

from service.platform.http.operation import operation
from service.platform.http.request import ApiRequest, caller_id
from service.platform.reporting import Reporting
from service.platform.roles import Right
from service.programs.catalogue import program_of
from service.purchases.surprise_report import usecases
from service.purchases.surprise_report.figures import CampaignForecast, CampaignReport, SurpriseReport


@get("/{campaign_id:str}/report", operation_id="getCampaignReport", opt=operation(Right.READ_REPORTS))
async def get_campaign_report(request: ApiRequest, campaign_id: FromPath[str]) -> CampaignReport:
    """Tell whether a campaign changed its metric, and what it cost; sound however often it is asked."""
    program, named = program_of(request), caller_id(campaign_id)
    return await request.part(Reporting).make(lambda db: usecases.report_campaign(db, program=program, wire_id=named))


@get("/{campaign_id:str}/forecast", operation_id="getCampaignForecast", opt=operation(Right.READ_REPORTS))
async def get_campaign_forecast(request: ApiRequest, campaign_id: FromPath[str]) -> CampaignForecast:
    """Tell the smallest effect that a campaign can find, and the share of holdout that this needs."""
    program, named = program_of(request), caller_id(campaign_id)
    return await request.part(Reporting).make(lambda db: usecases.forecast_campaign(db, program=program, wire_id=named))


@get("/", operation_id="getSurpriseReport", opt=operation(Right.READ_REPORTS))
async def get_surprise_report(request: ApiRequest) -> SurpriseReport:
    """Tell whether all surprises together changed the program's metric, against those who never get one."""
    program = program_of(request)
    return await request.part(Reporting).make(lambda db: usecases.report_program(db, program=program))


on_campaigns = Router("/campaigns", route_handlers=[get_campaign_report, get_campaign_forecast], tags=["Campaigns"])
router = Router("/surprise-report", route_handlers=[get_surprise_report], tags=["Campaigns"])
