"""What may be set of tiers, what counts for them, and which tier is at least which."""

from typing import Any

import msgspec
import pytest

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.kernel.periods import Period
from service.programs.tier_policy import (
    CalendarPeriod,
    CountedPoints,
    Downgrade,
    QualifyBy,
    RollingPeriod,
    TierPolicy,
    check_tiers,
)
from service.tiers.rules import (
    MOST_TIERS,
    TierBenefits,
    TierContent,
    TierMultiplier,
    check_tier,
    points_count,
    purchase_counts,
    reaches,
    refund_counts,
)
from tests.rules.tier_model import ladder

MONTHLY = {"kind": "rolling", "months": 12}


def policy(**settings: object) -> TierPolicy:
    return msgspec.convert({"period": MONTHLY, **settings}, TierPolicy)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"period": {"kind": "rolling", "days": 365}},
        {"period": {"kind": "calendar", "period": "year", "start_month": 4}},
        {"qualify_by": "spend", "currency": "JPY", "downgrade": "one_step", "grace_days": 30, "notice_days": 14},
        {"qualify_by": "purchases"},
        {"period": {"kind": "rolling", "days": 30}, "grace_days": 1, "notice_days": 30},
        {"period": {"kind": "calendar", "period": "quarter"}, "notice_days": 83},
        {"counts": ["bonuses", "activities", "adjustments", "redemptions", "expiry"]},
    ],
)
def test_what_has_a_meaning_is_accepted(settings: dict[str, object]) -> None:
    check_tiers(policy(**settings), "/settings/tiers")


@pytest.mark.parametrize(
    ("settings", "pointer", "reason"),
    [
        ({"period": {"kind": "rolling"}}, "/period/months", "missing"),
        ({"period": {"kind": "rolling", "months": 1, "days": 30}}, "/period/days", "exclusive"),
        ({"currency": "EUR"}, "/currency", "contradictory"),
        ({"qualify_by": "purchases", "currency": "EUR"}, "/currency", "contradictory"),
        ({"qualify_by": "spend", "currency": "XAU"}, "/currency", "unknown_currency"),
        ({"qualify_by": "spend", "counts": ["bonuses"]}, "/counts", "contradictory"),
        ({"counts": ["expiry", "bonuses", "expiry"]}, "/counts/2", "duplicate"),
        # Who is told as soon as the tier is reached would be told with each purchase that puts its end off.
        ({"period": {"kind": "rolling", "days": 30}, "notice_days": 30}, "/notice_days", "out_of_range"),
        (
            {"period": {"kind": "rolling", "months": 1}, "grace_days": 2, "notice_days": 30},
            "/notice_days",
            "out_of_range",
        ),
        ({"period": {"kind": "calendar", "period": "quarter"}, "notice_days": 84}, "/notice_days", "out_of_range"),
    ],
)
def test_what_has_none_is_refused_where_it_stands(settings: dict[str, object], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_tiers(policy(**settings), "/settings/tiers")
    assert (refused.value.pointer, refused.value.reason) == (f"/settings/tiers{pointer}", reason)


@pytest.mark.parametrize(
    "settings",
    [
        {"period": {"kind": "rolling", "months": 37}},
        {"period": {"kind": "rolling", "days": 0}},
        {"period": {"kind": "calendar", "period": "week"}},
        {"period": {"kind": "calendar", "period": "year", "start_month": 13}},
        {"grace_days": -1},
        {"notice_days": 0},
        {"downgrade": "two_steps"},
        {"qualify_by": "visits"},
        {"thresholds": []},
    ],
)
def test_what_is_out_of_bounds_is_no_policy(settings: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        policy(**settings)


@pytest.mark.parametrize(
    "content",
    [
        {"name": "", "threshold": 0},
        {"name": "Gold", "threshold": -1},
        {"name": "Gold", "threshold": BOUND + 1},
        {"name": "Gold", "threshold": 1, "benefits": {"multiplier": {"basis_points": 9_999}}},
        {"name": "Gold", "threshold": 1, "benefits": {"multiplier": {"basis_points": 15_000, "of": []}}},
        {"name": "Gold", "threshold": 1, "benefits": {"rewards": ["mug"]}},
    ],
)
def test_what_is_out_of_bounds_is_no_tier(content: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(content, TierContent)


def test_two_tiers_ask_for_different_amounts_and_there_are_not_too_many() -> None:
    others = [TierContent(str(number), number) for number in range(MOST_TIERS)]
    check_tier(TierContent("Gold", 300), others[1:], "/content")
    for content, beside, pointer in [
        (TierContent("Gold", 3), others[1:], "/content/threshold"),
        (TierContent("Gold", 300), others, "/content/name"),
        (
            TierContent("Gold", 300, TierBenefits(TierMultiplier(15_000, ("tea", "base", "tea")))),
            [],
            "/content/benefits/multiplier/of/2",
        ),
    ]:
        with pytest.raises(Invalid) as refused:
            check_tier(content, beside, "/content")
        assert refused.value.pointer == pointer


def test_points_count_that_rules_gave_and_others_where_the_program_says_so() -> None:
    plain = ladder(policy())
    assert purchase_counts(plain, currency="USD", total=5_000, points=50, bonus=100) == 50
    assert refund_counts(plain, currency="USD", amount=5_000, points=50, bonus=100, whole=True) == -50
    assert all(points_count(plain, kind, 10) == 0 for kind in CountedPoints)
    more = ladder(policy(counts=["bonuses", "redemptions"]))
    assert purchase_counts(more, currency="USD", total=5_000, points=50, bonus=100) == 150
    assert refund_counts(more, currency="USD", amount=2_500, points=25, bonus=0, whole=False) == -25
    assert points_count(more, CountedPoints.REDEMPTIONS, -10) == -10
    assert points_count(more, CountedPoints.EXPIRY, -10) == 0


def test_spend_counts_in_one_currency() -> None:
    for steps in (
        ladder(policy(qualify_by="spend", currency="USD")),
        ladder(policy(qualify_by="spend"), currency="USD"),
    ):
        assert purchase_counts(steps, currency="USD", total=5_000, points=50, bonus=0) == 5_000
        assert purchase_counts(steps, currency="EUR", total=5_000, points=50, bonus=0) == 0
        assert refund_counts(steps, currency="USD", amount=1_200, points=12, bonus=0, whole=False) == -1_200
        assert refund_counts(steps, currency="EUR", amount=1_200, points=12, bonus=0, whole=False) == 0


def test_purchases_count_that_did_not_come_back_whole() -> None:
    steps = ladder(policy(qualify_by="purchases"))
    assert purchase_counts(steps, currency="USD", total=0, points=0, bonus=0) == 1
    assert refund_counts(steps, currency="USD", amount=4_999, points=0, bonus=0, whole=False) == 0
    assert refund_counts(steps, currency="USD", amount=1, points=0, bonus=0, whole=True) == -1


def test_a_tier_is_at_least_those_below_it() -> None:
    steps = ladder(policy())
    order = [None, "silver", "gold", "platinum"]
    for place, tier in enumerate(order):
        for least, minimum in enumerate(order):
            if minimum is not None:
                assert reaches(steps, tier, minimum) is (place >= least)
        assert not reaches(steps, tier, "diamond")
    assert not reaches(steps, "diamond", "silver")


def test_a_policy_is_read_back_as_it_was_written() -> None:
    for period in (RollingPeriod(days=30), CalendarPeriod(Period.HALF_YEAR, 7)):
        made = TierPolicy(period, QualifyBy.SPEND, "EUR", (), Downgrade.ONE_STEP, 3, 4)
        assert msgspec.json.decode(msgspec.json.encode(made), type=TierPolicy) == made
