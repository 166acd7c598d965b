"""Campaigns on the wire. What is sent to make one is `campaigns.CampaignContent` itself."""

from enum import Enum
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from service.earning.rules import Conditions
from service.kernel.times import Time
from service.programs.definition_schemas import GREATEST_VERSION
from service.programs.definitions import DefinitionVersion, Status
from service.programs.surprise_policy import Metric
from service.surprises.campaigns import (
    CampaignBudget,
    CampaignContent,
    CampaignName,
    Effect,
    GiftsPerCustomer,
    Holdout,
    Pacing,
    Prizes,
    Trigger,
    WindowDays,
)
from service.surprises.chance import key_hash
from service.surprises.lifecycle import Campaign


class CampaignStatus(Enum):
    """Where a campaign stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    """It is active, and its period is still to come."""
    ACTIVE = "active"
    PAUSED = "paused"
    CLOSED = "closed"


_STATUS: Final = {
    Status.DRAFT: CampaignStatus.DRAFT,
    Status.SCHEDULED: CampaignStatus.SCHEDULED,
    Status.ACTIVE: CampaignStatus.ACTIVE,
    Status.PAUSED: CampaignStatus.PAUSED,
    Status.ENDED: CampaignStatus.CLOSED,
}
_VERSION = Annotated[
    int, Meta(ge=1, le=GREATEST_VERSION, description="The version that is changed; refused where there is a newer one.")
]


class CampaignChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new version of a campaign, from now on. Members that are given are replaced whole, the others stay.

    Once it has started, its trigger, audience, holdout, metric, window and begin stay as they are, and its prizes stay
    what they are; their odds, stock and cost, the budgets and the end may change.
    """

    version: _VERSION | UnsetType = UNSET
    name: CampaignName | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    prizes: Prizes | UnsetType = UNSET
    audience: Conditions | UnsetType = UNSET
    pacing: Pacing | UnsetType = UNSET
    budget: CampaignBudget | UnsetType = UNSET
    gifts_per_customer: GiftsPerCustomer | UnsetType | None = UNSET
    holdout: Holdout | UnsetType = UNSET
    metric: Metric | UnsetType = UNSET
    window_days: WindowDays | UnsetType = UNSET
    target_effect: Effect | UnsetType | None = UNSET
    starts_at: Time | UnsetType | None = UNSET
    ends_at: Time | UnsetType | None = UNSET


class CampaignOut(CampaignContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A campaign as its newest version has it, and where it stands."""

    id: str
    version: int
    status: CampaignStatus
    started_at: Time | None
    key_hash: Annotated[str | None, Meta(description="The SHA-256 of the key of its draws, once it started.")]
    recorded_at: Time


class CampaignVersionOut(CampaignContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A version of a campaign."""

    id: str
    version: int
    recorded_at: Time


def members_of(change: CampaignChange) -> dict[str, Any]:
    """Return what a change replaces."""
    given = {name: getattr(change, name) for name in CampaignContent.__struct_fields__}
    return {name: value for name, value in given.items() if value is not UNSET}


def status_of(campaign: Campaign) -> CampaignStatus:
    """Tell where a campaign stands."""
    status = _STATUS[campaign.status]
    return CampaignStatus.SCHEDULED if status is CampaignStatus.ACTIVE and campaign.is_early else status


def campaign_out(campaign: Campaign) -> CampaignOut:
    """Render a campaign."""
    newest, run, content = campaign.definition.newest, campaign.run, campaign.content
    return CampaignOut(
        id=campaign.definition.id,
        version=newest.number,
        status=status_of(campaign),
        started_at=None if run is None else run.started_at,
        key_hash=None if run is None else key_hash(run.key),
        recorded_at=newest.recorded_at,
        **asdict(content),
    )


def version_out(campaign_id: str, version: DefinitionVersion) -> CampaignVersionOut:
    """Render a version of a campaign."""
    content = msgspec.json.decode(version.content, type=CampaignContent)
    return CampaignVersionOut(
        id=campaign_id, version=version.number, recorded_at=version.recorded_at, **asdict(content)
    )
