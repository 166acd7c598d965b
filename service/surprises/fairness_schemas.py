"""The fairness of a campaign on the wire."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.kernel.times import Time
from service.surprises.chance import key_hash
from service.surprises.fair import FairDraw, FairSide, VersionOdds
from service.surprises.fairness import Fairness
from service.surprises.schemas import CampaignStatus, status_of


class FairnessMethod(msgspec.Struct, frozen=True):
    """How a draw and a side come about, in words."""

    number: str
    draw: str
    prize: str
    holdout: str


METHOD: Final = FairnessMethod(
    number="HMAC-SHA-256 under the key of the parts, in UTF-8, joined by line feeds; its first 53 bits are a number u.",
    draw="The parts are: draw, the id of the campaign, the pseudonym, the occasion.",
    prize=(
        "The weights are those of the version, 0 for a prize of which 0 is left. The ticket is u * their sum >> 53. "
        "Prizes have tickets in their order, each as many as its weight, from 0 on."
    ),
    holdout=(
        "The parts are: holdout, the id of the campaign, the pseudonym. "
        "A customer is held out where u * 10000 >> 53 is less than the holdout."
    ),
)


class FairnessOut(msgspec.Struct, frozen=True):
    """How the draws of a campaign came about, for anybody to recompute: by pages, first all draws, then all sides.

    Draws and sides are listed once the key is out. Before that not even their number is told: who is missing, or whose
    purchase adds one, would tell which customers are held out. Customers are named by pseudonyms of this campaign only.
    """

    campaign_id: str
    status: CampaignStatus
    started_at: Time | None
    ended_at: Time | None
    key_hash: Annotated[str | None, Meta(description="The SHA-256 of the key, from the start on; hex digits.")]
    key_at: Annotated[Time | None, Meta(description="When the key is told: a minute after the end.")]
    key: Annotated[str | None, Meta(description="The key of its draws, once it is out; hex digits.")]
    method: FairnessMethod
    holdout: Annotated[int, Meta(description="Of all customers, in basis points.")]
    versions: Annotated[list[VersionOdds], Meta(description="All that applied since the start, the same on each page.")]
    draws: Annotated[list[FairDraw], Meta(description="By their ids, which are not in the order of time.")]
    to_come: Annotated[int, Meta(description="Draws of this page that are left out until their gifts have come.")]
    sides: Annotated[list[FairSide], Meta(description="Of each customer of whom there was an occasion.")]
    has_more: bool
    next_cursor: str | None


def fairness_out(found: Fairness, next_cursor: str | None) -> FairnessOut:
    """Render a page of it."""
    campaign, run = found.campaign, found.campaign.run
    return FairnessOut(
        campaign_id=campaign.definition.id,
        status=status_of(campaign),
        started_at=None if run is None else run.started_at,
        ended_at=found.ended_at,
        key_hash=None if run is None else key_hash(run.key),
        key_at=found.key_at,
        key=None if found.key is None else found.key.hex(),
        method=METHOD,
        holdout=campaign.content.holdout,
        versions=list(found.versions),
        draws=list(found.draws),
        to_come=found.to_come,
        sides=list(found.sides),
        has_more=next_cursor is not None,
        next_cursor=next_cursor,
    )
