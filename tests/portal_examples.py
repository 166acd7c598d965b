"""What a customer's page shows, as tests fill it: usual, empty, and as large and hostile as it can be."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from service.customers.rules import Balance
from service.invoices.schemas import QuoteOut
from service.invoices.settling import PriceStep
from service.kernel.amounts import BOUND
from service.platform.http.paging import Page
from service.points.rules import Cause
from service.portal.schemas import (
    Everything,
    ExpiringOut,
    FriendPrizeOut,
    GameOut,
    GamePrizeOut,
    MeOut,
    MoneyOut,
    MyTransactionOut,
    NextRewardOut,
    OpenInvoiceOut,
    PartnerOut,
    PendingOut,
    Until,
    WayOut,
)
from service.programs.payment_terms import PaymentMode
from service.programs.tier_policy import QualifyBy
from service.referrals.codes.schemas import BroughtOut, CountsOut, CustomerReferralOut, OfferedOut
from service.referrals.offers import ByPurchases, PointsPrize
from service.referrals.rules import ReferralState
from service.rewards.rules import (
    AmountOff,
    CodeSource,
    EventTicket,
    Experience,
    FreeProduct,
    Gift,
    Gives,
    Money,
    PercentOff,
    RewardStatus,
    ServiceTrial,
    VoucherTerms,
    WhyNot,
)
from service.rewards.schemas import ForCustomerOut, RewardOut, VoucherOut
from service.rewards.vouchers import Unredeemable
from service.surprises.gift_schemas import SurpriseOut
from service.tiers.schemas import BalanceOut
from service.tiers.standing import Keeping, NextTier, TierStanding

NOW: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LONGEST_NAME: Final = "RindfleischetikettierungsüberwachungsaufgabenübertragungsgesetzbeauftragterWXYZÄ"
_DAY: Final = timedelta(days=1)
assert len(LONGEST_NAME) == 80


def usual(**changes: Any) -> Everything:
    """Give what a customer who has a bit of everything is shown."""
    its = Everything(
        me=_me(2480, "Mia Brandt"),
        pending=[
            PendingOut(320, Cause("purchase", "1042"), NOW + 6 * _DAY, Until.DATE, None),
            PendingOut(90, Cause("purchase", "1043"), None, Until.CONFIRMED, NOW + 20 * _DAY),
        ],
        expiring=[ExpiringOut(400, NOW + 1 * _DAY), ExpiringOut(760, datetime(2026, 12, 31, 23, tzinfo=UTC))],
        ways=[
            WayOut("base", "amount", "purchase", None, points=1, amount=100, currency="EUR"),
            WayOut("tier", "tier", "purchase", None, factor_basis_points=15_000),
            WayOut(
                "coffee", "multiplier", "purchase", "Coffee week", factor_basis_points=20_000, ends_at=NOW + 5 * _DAY
            ),
            WayOut("review", "bonus", "activity", "Write a review", points=50, activity="review", restricted=True),
            WayOut(
                "friends",
                "referral",
                "referral",
                "Friends",
                own=FriendPrizeOut("points", 500, None),
                friend=FriendPrizeOut("points", 200, None),
            ),
        ],
        rewards=[
            reward("rwd_1", "5 € off", 500, AmountOff(500, "EUR")),
            reward("rwd_2", "Flat white", 800, FreeProduct("flat-white", 1)),
            reward("rwd_3", "Roastery tour", 2400, Experience("A morning at the roastery, with tasting", "Berlin")),
            reward("rwd_4", "15 % on beans", 3000, PercentOff(1500), missing=520),
            reward(
                "rwd_5", "Barista course", 6000, EventTicket("Barista course", NOW + 40 * _DAY, "Hamburg"), missing=3520
            ),
            reward("rwd_6", "Gold mug", 900, Gift("A mug with a golden rim"), why=WhyNot.TIER_TOO_LOW, tier="gold"),
            reward("rwd_7", "Subscription", 700, ServiceTrial("Bean box", 30), why=WhyNot.OUT_OF_STOCK),
        ],
        vouchers=[
            voucher("7KQM-2XRA-9TDW", "5 € off", AmountOff(500, "EUR")),
            voucher("B2F8-KM3P-XQ7A", "Old one", PercentOff(1000), why=Unredeemable.USED_UP),
        ],
        transactions=Page(
            [
                transfer("purchase", "issued", "pending", 320, Cause("purchase", "1042"), 0),
                transfer("redemption", "held", "redeemed", 500, Cause("redemption", "hold_1"), 1),
                transfer("redemption", "available", "held", 500, Cause("redemption", "hold_1"), 1),
                transfer("surprise", "issued", "available", 100, Cause("surprise", "sur_1"), 4),
                transfer("reversal", "available", "reversed", 60, Cause("refund", "R-77"), 9),
                transfer("activation", "pending", "available", 240, Cause("purchase", "1029"), 12),
                transfer("referral", "issued", "available", 500, Cause("referral", "ref_1"), 20),
            ],
            has_more=True,
            next_cursor="AAAAAAAAAAAAAAAAAAAAAA",
        ),
        referral=referral(),
        invoices=[invoice("2026-0117", 200_000)],
        games=[
            GameOut(
                "cmp_1",
                "Wheel of beans",
                20,
                granted=False,
                open=True,
                left_today=2,
                left_granted=None,
                prizes=[
                    GamePrizeOut("a", "points", 50, None),
                    GamePrizeOut("b", "reward", 0, "Flat white"),
                    GamePrizeOut("c", "nothing", 0, None),
                ],
            )
        ],
        surprises=[
            SurpriseOut("sur_1", "cmp_1", "c", "hundred", "points", 100, None, None, "revealed", NOW - 4 * _DAY)
        ],
    )
    return msgspec.structs.replace(its, **changes)


def empty() -> Everything:
    """Give what somebody who just came is shown."""
    none = CountsOut(0, 0, 0, 0, 0, 0, 0, 0)
    its = usual()
    me = msgspec.structs.replace(
        its.me, name=None, balance=BalanceOut("c", 0, 0, 0, 0, 0), value=None, next_reward=None
    )
    nothing = CustomerReferralOut("c", None, None, None, [], none, 0, 0, 0, None, [], None)
    return Everything(me, [], [], [], [], [], Page([], has_more=False), nothing, [], [], [])


def greatest(text: str = LONGEST_NAME) -> Everything:
    """Give the largest of everything; whatever others name is called `text`."""
    much = BalanceOut(text, BOUND, BOUND, BOUND, BOUND, BOUND, tier=_tier(text, BOUND))
    its = usual()
    me = msgspec.structs.replace(_me(BOUND, text), balance=much, value=MoneyOut(BOUND, "EUR"))
    cause = Cause("purchase", text)
    return Everything(
        msgspec.structs.replace(me, partner=msgspec.structs.replace(me.partner, name=text)),
        [PendingOut(BOUND, cause, NOW, Until.DATE, None)],
        [ExpiringOut(BOUND, NOW + _DAY)],
        [
            msgspec.structs.replace(each, name=text, points=BOUND, amount=BOUND if each.amount else None, activity=text)
            for each in its.ways
        ],
        [
            msgspec.structs.replace(reward(each.id, text, BOUND, each.gives), for_customer=each.for_customer)
            for each in its.rewards
        ]
        + [
            reward("rwd_8", text, BOUND, ServiceTrial(text, 3650), missing=BOUND),
            reward("rwd_9", text, BOUND, Experience(text, text)),
            reward("rwd_10", text, BOUND, EventTicket(text, NOW, text)),
            reward("rwd_11", text, BOUND, AmountOff(BOUND, "EUR")),
        ],
        [
            voucher(text.encode("ascii", "replace").decode()[:128], text, Gift(text), categories=[text]),
            voucher("X" * 128, text, AmountOff(BOUND, "EUR")),
            voucher("Y" * 128, text, PercentOff(1), why=Unredeemable.EXPIRED),
        ],
        Page(
            [transfer(why, source, target, BOUND, cause, day) for day, (why, source, target) in enumerate(_MOVES)],
            has_more=False,
        ),
        referral(text, BOUND),
        [invoice(text, BOUND)],
        [
            msgspec.structs.replace(
                each, name=text, points=BOUND, prizes=[GamePrizeOut("x", "reward", 0, text)], left_today=BOUND
            )
            for each in its.games
        ],
        [
            SurpriseOut("sur_1", "cmp_1", "c", text, "points", BOUND, None, None, "taken_back", NOW),
            SurpriseOut("sur_2", "cmp_1", "c", text, "reward", 0, "rwd_8", text, "revealed", NOW),
        ],
    )


_MOVES: Final = [
    ("purchase", "issued", "available"),
    ("purchase", "issued", "pending"),
    ("reversal", "debt", "reversed"),
    ("adjustment", "available", "issued"),
]


def _tier(name: str = "Silver", missing: int = 620) -> TierStanding:
    following = NextTier("gold", "Gold" if name == "Silver" else name, missing, QualifyBy.POINTS, None)
    until = datetime(2027, 6, 30, 22, tzinfo=UTC)
    return TierStanding("silver", name, NOW - 90 * _DAY, following, Keeping(until, missing, None), None, None)


def _me(available: int, name: str) -> MeOut:
    return MeOut(
        "c-42",
        name,
        "en-GB",
        PartnerOut(
            "Kaffeehaus Brandt",
            "demo",
            live=True,
            currency="EUR",
            time_zone="Europe/Berlin",
            accent="#2457d6",
            home="https://shop.example/",
            may_redeem=True,
            may_play=True,
        ),
        BalanceOut("c-42", available, 410, 0, 0, 5120, tier=_tier()),
        MoneyOut(available, "EUR"),
        NextRewardOut("rwd_4", "15 % on beans", 3000, 520, available=False),
    )


def reward(
    its_id: str,
    name: str,
    points: int,
    gives: Gives,
    *,
    missing: int | None = None,
    why: WhyNot | None = None,
    tier: str | None = None,
) -> RewardOut:
    """Make a reward, in reach unless something is missing."""
    why = WhyNot.NOT_ENOUGH_POINTS if missing else why
    return RewardOut(
        its_id,
        1,
        RewardStatus.ACTIVE,
        name,
        gives,
        points,
        None,
        CodeSource.GENERATED,
        None,
        None,
        None,
        None,
        None,
        tier,
        VoucherTerms(),
        NOW,
        ForCustomerOut(why is None, why, missing),
    )


def voucher(
    code: str, name: str, gives: Gives, *, why: Unredeemable | None = None, categories: list[str] | None = None
) -> VoucherOut:
    """Make a voucher."""
    return VoucherOut(
        code,
        "rwd_1",
        1,
        name,
        gives,
        None,
        3,
        1,
        Money(2000, "EUR"),
        None,
        categories or [],
        NOW - 3 * _DAY,
        NOW + 27 * _DAY,
        None,
        why is None,
        why,
        None,
    )


def transfer(reason: str, source: str, target: str, points: int, cause: Cause, days_ago: int) -> MyTransactionOut:
    """Make a transfer of some days ago."""
    at = NOW - days_ago * _DAY
    return MyTransactionOut(
        f"txn_{days_ago}", reason, source, target, points, cause, Balance(2480, 410), at, at, why="Because."
    )


def referral(name: str = "Friends", points: int = 500) -> CustomerReferralOut:
    """Make what a customer has to bring others with."""
    code = "7KQM-2XRA-9TD"
    link = (
        f"https://shop.example/?ref={code}"
        if name == "Friends"
        else f"https://{'a' * 60}.example/{'b' * 300}?ref={code}"
    )
    offered = OfferedOut(
        "default",
        name,
        None,
        code,
        link,
        PointsPrize(points),
        PointsPrize(200),
        ByPurchases(1, {"EUR": 2000}),
        30,
        14,
        (),
        None,
    )
    brought = [
        BroughtOut("ref_1", ReferralState.REWARDED, NOW - 30 * _DAY, NOW - 20 * _DAY, points),
        BroughtOut("ref_2", ReferralState.WAITING, NOW - 3 * _DAY, None, 0),
    ]
    return CustomerReferralOut(
        "c", code, link, None, [offered], CountsOut(1, 0, 1, 0, 1, 0, 0, 0), 12, points, points, None, brought, None
    )


def invoice(number: str, total: int) -> OpenInvoiceOut:
    """Make an open invoice with 3 % off for some days, then 2 %."""
    first, second = total * 97 // 100, total * 98 // 100
    steps = [PriceStep(date(2026, 11, 24), first), PriceStep(date(2026, 12, 4), second)]
    quote = QuoteOut(
        number,
        date(2026, 11, 23),
        "EUR",
        PaymentMode.DISCOUNT,
        total,
        total,
        first,
        total - first,
        0,
        date(2026, 11, 24),
        steps,
        None,
        None,
    )
    return OpenInvoiceOut("inv-1", number, date(2026, 11, 17), date(2026, 12, 17), "EUR", total, total, quote)
