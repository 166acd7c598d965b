"""What a purchase's draws move in its customer's account. Pure."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from service.earning.occasion import Occasion
from service.points.account import Account
from service.surprises.audience import Seeing
from service.surprises.book import RunningCampaign
from service.surprises.campaigns import OnMilestone, OnPurchase
from service.surprises.chance import occasion_of_purchase
from service.surprises.drawing import Drawing, Occurred, Surprise
from service.surprises.gifts import REVEALED, ToldSurprise, grant

_FRESH: Final = timedelta(days=1)
"""A purchase that is told later is no occasion: it is brought from elsewhere, or nobody waits for its answer."""


def bought(
    drawing: Drawing, account: Account, occasion: Occasion, *, purchase_id: str, row_id: UUID
) -> tuple[ToldSurprise, ...]:
    """Draw for a new purchase, as `occasion` shows it: points are moved at once, a voucher comes a moment later."""
    if not drawing.campaigns or occasion.occurred_at < drawing.now - _FRESH:
        return ()
    told, seeing, bought_as = list[ToldSurprise](), Seeing(drawing.shown), occasion_of_purchase(purchase_id)
    for its in drawing.campaigns:
        name = bought_as if isinstance(its.content.trigger, OnPurchase) else _milestone(its, occasion)
        if name is None or not its.audience.fits(occasion, seeing):
            continue
        account.customer, gift = drawing.occur(its, account.customer, Occurred(name, row_id, drawing.now))
        if gift is not None:
            told.append(ToldSurprise(gift.id, gift.campaign, gift.prize, gift.points, gift.reward_id))
            give_at_once(drawing, account, gift)
    return tuple(told)


def _milestone(its: RunningCampaign, occasion: Occasion) -> str | None:
    """Name the milestone that a purchase is; None where it is none."""
    if isinstance(its.content.trigger, OnMilestone) and occasion.purchase_number in its.content.trigger.purchases:
        return f"purchase number {occasion.purchase_number}"
    return None


def give_at_once(drawing: Drawing, account: Account, gift: Surprise) -> None:
    """Move the points of a gift that is revealed where it is drawn; a reward's voucher is issued by the job."""
    if gift.points:
        grant(account, gift.id, gift.points, drawing.program)
        account.news.append((REVEALED, gift.id))
        drawing.revealed.add(gift.id)
