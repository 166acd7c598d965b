"""Tiers as definitions: what a marketer sets is checked whenever a version is made."""

from datetime import datetime
from typing import Final

from service.programs.definitions import DefinitionKind
from service.programs.rules import Program
from service.tiers.book import TIER, tiers_of
from service.tiers.rules import TierContent, check_tier


def check_among(tier_id: str, content: TierContent, program: Program, moment: datetime) -> None:
    """Refuse a tier that can't stand beside the others, from a moment on or later. Raises Invalid."""
    tiers = tiers_of(program)
    for each in tiers.moments_from(moment):
        check_tier(content, [tier.content for tier in tiers.at(each).values() if tier.id != tier_id], "")


TIERS: Final = DefinitionKind(TIER, TierContent, lambda content, _: content, among=check_among)
