"""What may become of a campaign: what stays once it has started, and what its stock and budgets come to. Pure."""

from collections.abc import Sequence
from uuid import UUID

from service.kernel.errors import Invalid, Kind, Refusal
from service.surprises.campaigns import FIXED, CampaignContent, CampaignPrize
from service.surprises.purse import COST, POINTS, Slice, cut, resized, stock_of


class CampaignTaken(Refusal):
    """A campaign can't have less than was drawn of it already."""

    kind = Kind.CONFLICT
    code = "campaign_taken"
    title = "More than this was given already"


def amounts_of(content: CampaignContent) -> dict[str, int]:
    """Return all that is limited in a campaign, with how much there is of it."""
    found = {stock_of(prize.id): prize.stock for prize in content.prizes}
    found |= {POINTS: content.budget.points, COST: content.budget.cost}
    return {resource: amount for resource, amount in found.items() if amount is not None}


def cut_all(campaign: UUID, content: CampaignContent) -> list[Slice]:
    """Cut all that is limited in a campaign into slices."""
    return [each for resource, amount in amounts_of(content).items() for each in cut(campaign, resource, amount)]


def check_started(before: CampaignContent, after: CampaignContent) -> None:
    """Refuse a change of what stays once a campaign has started. Raises Invalid.

    Prizes stay what they are, for draws name them; their odds, stock and cost may change, and others may join them.
    What had no limit gets none: what was given before wasn't counted.
    """
    for name in FIXED:
        if getattr(before, name) != getattr(after, name):
            detail = "This stays as it is once the campaign has started: else its two sides can't be compared."
            raise Invalid(detail, pointer=f"/{name}", reason="fixed_after_start")
    if before.pacing is not after.pacing:
        raise Invalid(
            "This stays as it is once the campaign has started.", pointer="/pacing", reason="fixed_after_start"
        )
    for name in ("points", "cost"):
        if (getattr(before.budget, name) is None) != (getattr(after.budget, name) is None):
            detail = "A budget can be raised or lowered once the campaign has started, not added or taken away."
            raise Invalid(detail, pointer=f"/budget/{name}", reason="fixed_after_start")
    kept = {prize.id: (place, prize) for place, prize in enumerate(after.prizes)}
    for place, prize in enumerate(before.prizes):
        if prize.id not in kept:
            detail = f"The prize {prize.id!r} may have been drawn. Give it the weight 0 instead."
            raise Invalid(detail, pointer="/prizes", reason="fixed_after_start")
        _check_same(prize, *kept[prize.id], before_place=place)


def _check_same(before: CampaignPrize, place: int, after: CampaignPrize, *, before_place: int) -> None:
    within = f"/prizes/{place}"
    if place != before_place:
        raise Invalid("Prizes keep their order; new ones come last.", pointer=within, reason="fixed_after_start")
    if before.gift != after.gift:
        raise Invalid("A prize stays what it is.", pointer=f"{within}/gift", reason="fixed_after_start")
    if (before.stock is None) != (after.stock is None):
        detail = "A stock can be raised or lowered once the campaign has started, not added or taken away."
        raise Invalid(detail, pointer=f"{within}/stock", reason="fixed_after_start")


def resized_all(campaign: UUID, slices: Sequence[Slice], content: CampaignContent) -> tuple[list[Slice], list[Slice]]:
    """Let slices come to what a changed campaign says: those that are new, and those that are other than before.

    Raises CampaignTaken.
    """
    by_resource = dict[str, list[Slice]]()
    for each in slices:
        by_resource.setdefault(each.resource, []).append(each)
    new, changed = list[Slice](), list[Slice]()
    for resource, amount in amounts_of(content).items():
        known = by_resource.get(resource)
        if known is None:
            new += cut(campaign, resource, amount)
            continue
        after = resized(known, amount)
        if after is None:
            taken = sum(each.taken for each in known)
            raise CampaignTaken(f"Of {resource} {taken} are given already.")
        changed += [its for its, old in zip(after, known, strict=True) if its != old]
    return new, changed
