"""What a report of surprises makes of sums of two arms, and what a forecast makes of an audience and its history."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import Balance, Customer, Profile
from service.customers.suppressions.rules import SuppressionReason
from service.programs.surprise_policy import Metric
from service.purchases.surprise_report.figures import AudiencePart, NoComparison, SurpriseReport, Unit
from service.purchases.surprise_report.forecasting import Looked, asked_of, eligible, told
from service.purchases.surprise_report.rules import Booked, Given, Halted, Outcomes, Study, report, study_of
from service.surprises.campaigns import CampaignContent
from service.surprises.chance import Keyed, is_held_out_of_all
from service.surprises.gifts import GiftState
from service.surprises.had import Arm, Had, write_had
from service.surprises.proof.verdict import Verdict
from tests.surprises import campaign

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ITS, OTHER = UUID(int=1), UUID(int=2)
SPEND = Study(metric=Metric.SPEND, window_days=30, holdout=2_000, margin=None, currency="EUR")


def study(**changes: Any) -> Study:
    return msgspec.structs.replace(SPEND, **changes)


def spent(*, customers: int, buyers: int, each: int) -> Outcomes:
    """Make an arm of whom some spent the same each, all windows closed."""
    return Outcomes(customers, customers, buyers, buyers, buyers * each, buyers * each * each)


def made(its: Study, treated: Outcomes, held_out: Outcomes, **more: Any) -> SurpriseReport:
    return report(its, Booked(NOW, treated, held_out, **more), SurpriseReport)


def content(**changes: Any) -> CampaignContent:
    return msgspec.convert(campaign(**changes), CampaignContent)


def customer(number: int, **changes: Any) -> Customer:
    plain = Customer(number, f"c-{number}", 1, Balance(0, 0, 0, 0), 0, 0, None, None, NOW - timedelta(days=10))
    return msgspec.structs.replace(plain, **changes)


MUCH = spent(customers=10_000, buyers=5_000, each=3_000)
LITTLE = spent(customers=2_500, buyers=1_000, each=2_000)


def test_arms_that_lie_far_apart_are_told_apart_in_minor_units() -> None:
    body = made(study(target=100), MUCH, LITTLE)
    assert body.unit is Unit.MINOR_UNITS
    assert (body.treated.mean, body.held_out.mean) == (1_500, 800)
    found = body.comparison
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.difference == 700
    assert found.low < 700 < found.high
    assert found.verdict is Verdict.WORKS
    assert found.more_customers is None
    assert found.confidence == 9_500
    assert "arXiv 2103.06476" in found.method


def test_arms_that_change_places_harm() -> None:
    found = made(study(), LITTLE, MUCH).comparison
    assert found is not None
    assert (found.difference, found.verdict) == (-700, Verdict.HARMS)


def test_repeat_purchases_are_told_in_basis_points_of_customers() -> None:
    body = made(study(metric=Metric.REPEAT_PURCHASE, target=500), MUCH, LITTLE)
    assert (body.unit, body.treated.mean, body.held_out.mean) == (Unit.BASIS_POINTS, 5_000, 4_000)
    found = body.comparison
    assert found is not None
    assert found.difference == 1_000
    assert found.verdict is Verdict.WORKS


def test_a_margin_is_its_part_of_what_is_spent_and_told_apart_exactly_as_that() -> None:
    spend, margin = (made(study(metric=each, margin=2_500), MUCH, LITTLE) for each in (Metric.SPEND, Metric.MARGIN))
    assert (margin.treated.mean, margin.held_out.mean) == (375, 200)
    assert spend.comparison is not None
    assert margin.comparison is not None
    assert margin.comparison.difference == 175
    assert margin.comparison.verdict is spend.comparison.verdict
    assert margin.gain == spend.gain


@pytest.mark.parametrize(
    ("target", "metric"), [(100, Metric.SPEND), (25, Metric.MARGIN), (300, Metric.REPEAT_PURCHASE)]
)
def test_while_nothing_is_certain_it_is_told_how_many_more_customers_the_target_needs(
    target: int, metric: Metric
) -> None:
    one, other = spent(customers=1_000, buyers=300, each=2_000), spent(customers=1_000, buyers=299, each=2_000)
    its = study(metric=metric, margin=2_500, target=target)
    found, less = made(its, one, other).comparison, made(msgspec.structs.replace(its, target=1), one, other).comparison
    assert found is not None
    assert less is not None
    assert found.verdict is Verdict.CANNOT_TELL_YET
    assert found.more_customers is not None
    assert less.more_customers is not None
    assert 0 < found.more_customers < less.more_customers
    assert made(study(metric=metric, margin=2_500), one, other).comparison == msgspec.structs.replace(
        found, target_effect=None, more_customers=None
    )


def test_of_few_windows_only_the_difference_is_told() -> None:
    found = made(study(target=100), spent(customers=20, buyers=9, each=1_000), spent(customers=9, buyers=2, each=900))
    assert found.comparison is not None
    assert found.comparison.difference == 250
    assert (found.comparison.low, found.comparison.high, found.comparison.more_customers) == (None, None, None)
    assert found.comparison.verdict is Verdict.CANNOT_TELL_YET


def test_nobody_yet_has_no_mean_and_no_difference() -> None:
    body = made(study(margin=1_000), Outcomes(customers=7), Outcomes())
    assert (body.treated.customers, body.treated.closed, body.treated.mean) == (7, 0, None)
    assert body.comparison is not None
    assert body.comparison.difference is None
    assert body.gain is None


@pytest.mark.parametrize(
    ("its", "why"),
    [
        (study(holdout=0), NoComparison.NO_HOLDOUT),
        (study(holdout=0, paid_game=True), NoComparison.PAID_GAME),
        (study(metric=Metric.MARGIN), NoComparison.NO_MARGIN),
    ],
)
def test_without_anything_to_compare_it_is_told_why_beside_the_figures(its: Study, why: NoComparison) -> None:
    body = made(its, MUCH, Outcomes(), gifts=[Given(ITS, GiftState.REVEALED, 3, 150, 30, 30)])
    assert (body.comparison, body.no_comparison, body.gain) == (None, why, None)
    assert (body.treated.closed, body.cost.cost) == (10_000, 30)


def test_what_was_gained_is_the_difference_times_the_treated_times_the_margin() -> None:
    gifts = [
        Given(ITS, GiftState.REVEALED, 4_000, 200_000, 500_000, 400_000),
        Given(ITS, GiftState.TAKEN_BACK, 10, 0, 1_000, 1_000),
        Given(ITS, GiftState.STOPPED, 5, 250, 50, 50),
        Given(ITS, GiftState.WAITING, 2, 100, 20, 0),
    ]
    body = made(study(margin=2_500), MUCH, LITTLE, gifts=gifts)
    assert body.gain is not None
    assert body.comparison is not None
    assert body.gain.margin_gained == 700 * 10_000 // 4
    assert body.gain.cost == 400_000
    assert body.gain.per_unit_spent == 43_750
    assert body.gain.low is not None
    assert body.comparison.low is not None
    assert body.comparison.low * 2_500 <= body.gain.low < (body.comparison.low + 1) * 2_500
    assert (body.cost.cost, body.cost.points) == (500_000, 200_000)
    assert (body.gifts.waiting, body.gifts.revealed, body.gifts.stopped, body.gifts.taken_back) == (2, 4_000, 5, 10)


def test_of_repeat_purchases_the_gain_is_of_what_was_spent_and_has_no_bounds() -> None:
    gain = made(study(metric=Metric.REPEAT_PURCHASE, margin=2_500), MUCH, LITTLE).gain
    assert gain is not None
    assert (gain.margin_gained, gain.low, gain.high, gain.per_unit_spent) == (1_750_000, None, None, None)


def test_stops_of_all_campaigns_add_up_by_reason_without_those_left_out() -> None:
    stops = [
        Halted(ITS, SuppressionReason.COMPLAINT, 3, 1),
        Halted(OTHER, SuppressionReason.COMPLAINT, 4, 0),
        Halted(ITS, SuppressionReason.LEFT, 1, 0),
    ]
    gifts = [Given(OTHER, GiftState.REVEALED, 1, 50, 10, 10)]
    booked = Booked(NOW, MUCH, LITTLE, gifts, stops)
    body = report(SPEND, booked, SurpriseReport)
    assert [(each.reason, each.at_draw, each.at_sending) for each in body.stops] == [
        (SuppressionReason.COMPLAINT, 7, 1),
        (SuppressionReason.LEFT, 1, 0),
    ]
    fewer = report(SPEND, booked.without({OTHER}), SurpriseReport)
    assert (fewer.stops[0].at_draw, fewer.gifts.revealed, fewer.cost.cost) == (3, 0, 0)


amounts = st.lists(st.sampled_from([0, 0, 0, 1, 999, 250_000, 10**12]), min_size=1, max_size=30)


@given(amounts, amounts)
def test_difference_and_gain_are_exact_whatever_the_sums(one: list[int], other: list[int]) -> None:
    arms = [
        Outcomes(len(each), len(each), sum(map(bool, each)), sum(map(bool, each)), sum(each), sum(x * x for x in each))
        for each in (one, other)
    ]
    body = made(study(margin=10_000), *arms)
    assert body.comparison is not None
    assert body.gain is not None
    numerator, denominator = sum(one) * len(other) - sum(other) * len(one), len(one) * len(other)
    assert body.comparison.difference is not None
    assert abs(2 * (body.comparison.difference * denominator - numerator)) <= denominator
    assert abs(2 * (body.gain.margin_gained * len(other) - numerator)) <= len(other)


def test_an_audience_is_asked_without_what_only_an_occasion_meets() -> None:
    audience = {
        "purchase": {"channels": ["web"]},
        "items": {"items": {"categories": ["tea"]}},
        "time": {"weekdays": [1]},
        "customer": {"tiers": ["gold"]},
        "expression": "purchase.total > 100 && customer.purchases > 1",
    }
    asked = asked_of(content(audience=audience))
    assert asked.left_out == (AudiencePart.PURCHASE, AudiencePart.ITEMS, AudiencePart.TIME, AudiencePart.EXPRESSION)
    kept = asked_of(content(audience={"expression": "customer.purchases > 1"}))
    assert kept.left_out == ()
    found = [
        eligible(each, [(one, Profile())], now=NOW, zone=BERLIN, secret=Keyed(b"x"), holdout=0)
        for each in (asked, kept)
        for one in (customer(1), customer(2, tier="gold"), customer(3, purchase_count=3))
    ]
    assert found == [[], [2], [], [], [], [3]]


def test_who_is_suppressed_or_gets_no_surprise_at_all_is_not_eligible() -> None:
    asked, secret = asked_of(content()), Keyed(b"secret")
    people = [customer(number) for number in range(200)]
    people[0] = customer(0, is_suppressed=True)
    people[1] = customer(1, surprises=write_had(Had(arm=Arm.HELD_OUT)))
    people[2] = customer(2, surprises=write_had(Had(arm=Arm.TREATED)))
    given_out = [(each, Profile()) for each in people]
    found = eligible(asked, given_out, now=NOW, zone=BERLIN, secret=secret, holdout=3_000)
    held_out = {each for each in range(3, 200) if is_held_out_of_all(secret, customer=each, share=3_000)}
    assert 20 < len(held_out) < 100
    assert set(found) == set(range(2, 200)) - held_out
    assert len(eligible(asked, given_out, now=NOW, zone=BERLIN, secret=secret, holdout=0)) == 199


def looked(eligible_ones: int = 5_000, **changes: Any) -> Looked:
    plain = Looked(NOW, 40_000, 20_000, eligible_ones, spent(customers=eligible_ones, buyers=2_500, each=2_000))
    return msgspec.structs.replace(plain, **changes)


def test_a_forecast_scales_what_was_looked_at_and_finds_less_with_a_larger_holdout() -> None:
    declared = content(holdout=2_000, target_effect=10_000)
    body = told("cmp_1", study_of(declared, margin=None, currency="EUR"), asked_of(declared), looked())
    assert (body.customers, body.sampled, body.eligible) == (40_000, 20_000, 10_000)
    assert (body.mean, body.deviation) == (1_000, 1_000)
    assert [each.share for each in body.at_shares] == [500, 1_000, 2_000, 3_000, 5_000]
    smallest = [each.smallest for each in body.at_shares if each.smallest is not None]
    assert len(smallest) == 5
    assert smallest == sorted(smallest, reverse=True)
    assert body.at_holdout == body.at_shares[2]
    assert (body.at_shares[2].held_out, body.at_shares[2].treated) == (2_000, 8_000)
    assert (body.needed_share, body.share_suffices, body.finds_target) == (2_500, False, True)
    bound = smallest[2]
    for target, finds in ((bound, True), (bound - 1, False)):
        closer = study_of(content(holdout=2_000, target_effect=target), margin=None, currency="EUR")
        assert told("cmp_1", closer, asked_of(declared), looked()).finds_target is finds


def test_a_forecast_of_a_campaign_without_holdout_or_customers_tells_what_it_can() -> None:
    declared = content(target_effect=100)
    its = study_of(declared, margin=None, currency="EUR")
    body = told("cmp_1", its, asked_of(declared), looked())
    assert (body.at_holdout, body.finds_target, body.no_comparison) == (None, None, NoComparison.NO_HOLDOUT)
    nobody = told("cmp_1", study(target=100), asked_of(declared), Looked(NOW, 0, 0, 0, Outcomes()))
    assert (nobody.eligible, nobody.mean, nobody.deviation, nobody.finds_target) == (0, None, None, False)
    assert {each.smallest for each in nobody.at_shares} == {None}
