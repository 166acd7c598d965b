"""Campaigns as definitions: what a marketer sets is checked whenever a version is made."""

from typing import Final

from service.kernel.errors import Invalid
from service.programs.definitions import DefinitionKind
from service.programs.rules import Program
from service.programs.surprise_policy import Metric
from service.surprises.audience import checked_audience
from service.surprises.campaigns import CAMPAIGN, CampaignContent, checked


def check(content: CampaignContent, program: Program) -> CampaignContent:
    """Refuse what can't be a campaign of a program. Raises Invalid."""
    content = checked(content)
    checked_audience(content)
    if content.metric is Metric.MARGIN and program.settings.surprises.margin is None:
        detail = "The program's settings tell no margin (`surprises.margin`)."
        raise Invalid(detail, pointer="/metric", reason="missing")
    return content


CAMPAIGNS: Final = DefinitionKind(CAMPAIGN, CampaignContent, check)
