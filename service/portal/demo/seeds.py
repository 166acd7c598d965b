"""What the demo shop's program is set to: settings, rules, tiers, rewards, an offer, campaigns. Pure."""

from collections.abc import Mapping
from typing import Final

from service.earning.rules import (
    INVOICE_PAID,
    Bonus,
    ByItem,
    Conditions,
    OfCustomer,
    OfPurchase,
    PurchaseNumbers,
    RuleContent,
)
from service.portal.demo.shop import ACCENT, CURRENCY, NAME, TEA
from service.programs.payment_terms import DiscountStep, EarlyPayment, StepTerms
from service.programs.policies import RollingExpiry
from service.programs.portal_policy import PortalPolicy
from service.programs.rules import ProgramSettings, Selection
from service.programs.tier_policy import CountedPoints, RollingPeriod, TierPolicy
from service.referrals.offers import ByPurchases, PointsPrize, ReferralOfferContent
from service.rewards.rules import AmountOff, Experience, FreeProduct, NewReward, PercentOff, VoucherTerms
from service.surprises.campaigns import (
    ByPlay,
    CampaignContent,
    CampaignPrize,
    NoGift,
    OnPurchase,
    PointsGift,
    RewardGift,
)
from service.tiers.rules import TierBenefits, TierContent, TierMultiplier

LEAST_OF_FRIEND: Final = 2000
"""So many cents a friend must spend at once before both are rewarded; a surprise asks for as much."""
_NOT_OFTEN: Final = VoucherTerms(days_valid=365)


def settings(address: str) -> ProgramSettings:
    """Set the program of a shop at an address."""
    shop = f"{address}/demo"
    return ProgramSettings(
        currency=CURRENCY,
        expiry=RollingExpiry(months=12),
        tiers=TierPolicy(
            RollingPeriod(months=12),
            counts=(CountedPoints.BONUSES, CountedPoints.ACTIVITIES),
        ),
        early_payment=EarlyPayment(terms=StepTerms(net_days=30, steps=(DiscountStep(10, 200),))),
        referral_link=shop,
        portal=PortalPolicy(name=NAME, accent=ACCENT, home=shop, may_redeem=True, may_play=True),
    )


RULES: Final[Mapping[str, RuleContent]] = {
    "welcome": RuleContent(
        name="Welcome",
        effect=Bonus(50),
        conditions=Conditions(customer=OfCustomer(purchase_numbers=PurchaseNumbers(most=1))),
    ),
    "tea": RuleContent(name="More for tea", effect=ByItem(10, Selection(categories=(TEA,)))),
    "paid-early": RuleContent(
        name="Paid early",
        effect=Bonus(100),
        activity=INVOICE_PAID,
        conditions=Conditions(expression="activity.properties.early"),
    ),
}
TIERS: Final[Mapping[str, TierContent]] = {
    "leaf": TierContent("Leaf", 50),
    "blossom": TierContent("Blossom", 250, TierBenefits(TierMultiplier(12_500))),
    "harvest": TierContent("Harvest", 1000, TierBenefits(TierMultiplier(15_000))),
}
TASTER: Final = NewReward(
    name="A tin of tea to try",
    gives=FreeProduct("taster"),
    points=60,
    voucher=_NOT_OFTEN,
)
REWARDS: Final = (
    TASTER,
    NewReward(name="5 euros off", gives=AmountOff(500, CURRENCY), points=150, voucher=_NOT_OFTEN),
    NewReward(name="15 % off an order", gives=PercentOff(1500), points=300, voucher=_NOT_OFTEN),
    NewReward(
        name="A tea tasting for two",
        gives=Experience("An evening with seven teas", "The shop"),
        points=500,
        minimum_tier="blossom",
        limit_per_customer=1,
        voucher=_NOT_OFTEN,
    ),
)
OFFER: Final = ReferralOfferContent(
    name="Tea is better with friends",
    referrer=PointsPrize(250),
    referee=PointsPrize(100),
    qualification=ByPurchases(minimum={CURRENCY: LEAST_OF_FRIEND}),
    waiting_days=0,
)
SWEET: Final = CampaignContent(
    name="A sweet with the parcel",
    trigger=OnPurchase(),
    audience=Conditions(purchase=OfPurchase(minimum={CURRENCY: LEAST_OF_FRIEND})),
    prizes=(
        CampaignPrize("sweet", PointsGift(25), weight=2, cost=10),
        CampaignPrize("none", NoGift(), weight=1),
    ),
    gifts_per_customer=None,
)


def wheel(taster_id: str) -> CampaignContent:
    """Make the game: a wheel on which there are points, the smallest reward, and nothing."""
    return CampaignContent(
        name="The wheel of leaves",
        trigger=ByPlay(points=20, per_day=None),
        prizes=(
            CampaignPrize("handful", PointsGift(10), weight=30, cost=5),
            CampaignPrize("leaves", NoGift(), weight=30),
            CampaignPrize("cup", PointsGift(50), weight=20, cost=25),
            CampaignPrize("taster", RewardGift(taster_id), weight=15, cost=150),
            CampaignPrize("chest", PointsGift(200), weight=5, cost=100),
        ),
        gifts_per_customer=None,
    )
