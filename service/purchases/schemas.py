"""Purchases and activities on the wire. The requests are `rules.Purchase` and `engaging.Activity` themselves."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.customers.rules import Balance
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.platform.http.body import Envelope
from service.platform.http.problems import Problem
from service.points.bulk import Fate
from service.purchases.quoting import Quote
from service.purchases.rules import Earnings, Item, Purchase
from service.purchases.store import Recorded, RecordedActivity, Refund
from service.purchases.usecases import AcceptedActivity, AcceptedPurchase
from service.referrals.rules import ReferralState
from service.surprises.gift_schemas import DrawnSurprise, drawn_out
from service.tiers.climbing import TierName


class LineOut(msgspec.Struct, frozen=True):
    """What one rule gave, and why."""

    rule: str
    points: int
    why: str


class PointsOut(msgspec.Struct, frozen=True):
    """What a purchase or an activity earned; `earned` includes what is `pending`."""

    earned: int
    pending: int
    lines: list[LineOut]


class PurchaseReferralOut(msgspec.Struct, frozen=True):
    """What became of the referral code that came with a purchase; `id` names the referral, where it is one."""

    status: Literal["signed_up", "qualified", "refused"]
    id: str | UnsetType = UNSET


class PurchaseOut(msgspec.Struct, frozen=True):
    """The answer to a purchase: the same for every repetition, also of the balance as it was then."""

    id: str
    customer_id: str
    points: PointsOut
    balance: Balance
    tier: Annotated[TierName | None, Meta(description="The customer's tier after it.")] = None
    referral: PurchaseReferralOut | None = None
    surprises: list[DrawnSurprise] = []
    quote: Annotated[Quote | UnsetType, Meta(description="Of a dry run of a new purchase: what to show of it.")] = UNSET


class ConfirmedPointsOut(msgspec.Struct, frozen=True):
    """What a purchase earned, now that nothing of it is pending."""

    earned: int
    pending: int


class ConfirmationOut(msgspec.Struct, frozen=True):
    """A purchase whose points are confirmed, and the customer's balance with them."""

    id: str
    points: ConfirmedPointsOut
    balance: Balance


class TakenBackOut(msgspec.Struct, frozen=True):
    """What a refund took back (`reversed`: from lots, as debt, or written off), and spent points that it gave back."""

    reversed: int
    from_lots: int
    to_debt: int
    written_off: int
    restored: int


class RefundOut(msgspec.Struct, frozen=True):
    """The answer to a refund: the same for every repetition, also of the balance as it was then."""

    id: str
    purchase_id: str
    amount: int
    points: TakenBackOut
    balance: Balance


class ItemOut(msgspec.Struct, frozen=True):
    """One line of a purchase, as it was reported."""

    id: str
    amount: int
    quantity: int
    sku: str | None
    category: str | None


class RecordedPurchaseOut(msgspec.Struct, frozen=True):
    """A purchase as it was reported, with what it earned."""

    id: str
    customer_id: str | None
    occurred_at: Time
    recorded_at: Time
    currency: str
    total: int
    tax: int
    shipping: int
    points_paid: int
    channel: str | None
    referral_code: str | None
    items: list[ItemOut]
    metadata: dict[str, Any]
    points: PointsOut


class ActivityOut(msgspec.Struct, frozen=True):
    """The answer to an activity: the same for every repetition, also of the balance as it was then.

    A rule that gives nothing because the type is rewarded once, and was before, has a line without points.
    """

    id: str
    customer_id: str
    type: str
    points: PointsOut
    balance: Balance
    tier: Annotated[TierName | None, Meta(description="The customer's tier after it.")] = None


class RecordedActivityOut(msgspec.Struct, frozen=True):
    """An activity as it was reported, with what it earned; where its time wasn't told, it is that of the booking."""

    id: str
    customer_id: str | None
    type: str
    occurred_at: Time
    recorded_at: Time
    properties: dict[str, Any]
    points: PointsOut


class BatchIn(Envelope, frozen=True):
    """Purchases to report together, each on its own merits."""

    purchases: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=500)]


class EntryOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one purchase of a batch: the purchase, or the problem."""

    status: int
    purchase: PurchaseOut | None = None
    problem: Problem | None = None


class BatchOut(msgspec.Struct, frozen=True):
    """What became of each purchase, in order."""

    results: list[EntryOut]


def points_out(earnings: Earnings) -> PointsOut:
    """Render what was earned."""
    lines = [LineOut(line.rule, line.points, line.why) for line in earnings.lines]
    return PointsOut(earnings.earned, earnings.pending, lines)


def purchase_out(accepted: AcceptedPurchase, quote: Quote | UnsetType = UNSET) -> PurchaseOut:
    """Render the answer to a purchase, of a dry run with a quote."""
    purchase, earnings = accepted.content, accepted.answer
    points = points_out(earnings)
    return PurchaseOut(
        purchase.id,
        purchase.customer_id,
        points,
        earnings.balance,
        earnings.tier,
        referral=_referral(purchase, earnings),
        surprises=[drawn_out(each) for each in earnings.surprises],
        quote=quote,
    )


def _referral(purchase: Purchase, earnings: Earnings) -> PurchaseReferralOut | None:
    """Render what became of a code. Nothing is told of why one was refused."""
    if purchase.referral_code is None:
        return None
    told = earnings.referral
    if told is None or told.id is None:
        return PurchaseReferralOut("refused")
    status = "qualified" if told.status is ReferralState.QUALIFIED else "signed_up"
    return PurchaseReferralOut(status, to_wire("ref", told.id))


def refund_out(purchase_id: str, refund: Refund) -> RefundOut:
    """Render the answer to a refund."""
    taken = refund.taken
    total = taken.from_lots + taken.to_debt + taken.written_off
    points = TakenBackOut(total, taken.from_lots, taken.to_debt, taken.written_off, refund.restored)
    return RefundOut(refund.external_id, purchase_id, refund.amount, points, refund.balance)


def entry_out(fate: Fate, accepted: AcceptedPurchase | None) -> EntryOut:
    """Render one entry of a batch."""
    return EntryOut(fate.status, None if accepted is None else purchase_out(accepted), fate.problem)


def recorded_out(recorded: Recorded) -> RecordedPurchaseOut:
    """Render a purchase that is read back."""
    purchase, earnings = recorded.purchase, recorded.earnings
    return RecordedPurchaseOut(
        purchase.id,
        purchase.customer_id,
        purchase.occurred_at,
        recorded.recorded_at,
        purchase.currency,
        purchase.total,
        purchase.tax,
        purchase.shipping,
        purchase.points_paid,
        purchase.channel,
        purchase.referral_code,
        [_item(item) for item in purchase.items],
        purchase.metadata,
        points_out(earnings),
    )


def _item(item: Item) -> ItemOut:
    return ItemOut(item.id, item.amount, item.quantity, item.sku, item.category)


def activity_out(accepted: AcceptedActivity) -> ActivityOut:
    """Render the answer to an activity."""
    activity, earnings = accepted.content, accepted.answer
    points = points_out(earnings)
    return ActivityOut(activity.id, activity.customer_id, activity.type, points, earnings.balance, earnings.tier)


def recorded_activity_out(recorded: RecordedActivity) -> RecordedActivityOut:
    """Render an activity that is read back."""
    return RecordedActivityOut(
        recorded.id,
        recorded.customer_id,
        recorded.type,
        recorded.occurred_at,
        recorded.recorded_at,
        recorded.properties,
        points_out(recorded.earnings),
    )
