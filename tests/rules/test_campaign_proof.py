"""The proof of a campaign: bounds that hold at all looks, what they say, and what can be found before the start."""

from math import isclose, log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.surprises.proof.forecast import SHARES, forecast, forecasts, needed_share
from service.surprises.proof.sequence import Arm, Interval, interval, margin, mixing, variance_of
from service.surprises.proof.verdict import Needed, Verdict, customers_needed, findable, verdict

few = settings(max_examples=40, deadline=None)


def arm(*outcomes: int, times: int = 1) -> Arm:
    """Sum these outcomes, each so many times."""
    return Arm(
        customers=times * len(outcomes),
        total=times * sum(outcomes),
        squares=times * sum(outcome**2 for outcome in outcomes),
        nonzero=times * sum(outcome != 0 for outcome in outcomes),
    )


def buyers(bought: int, of: int) -> Arm:
    """So many of so many bought again."""
    return Arm(customers=of, total=bought, squares=bought, nonzero=bought)


@st.composite
def arms(draw: st.DrawFn) -> Arm:
    """Outcomes of three values and nought, each often enough that something can be told."""
    values = draw(st.lists(st.integers(1, 50_000), min_size=3, max_size=3, unique=True))
    return arm(0, 0, 0, *values, times=draw(st.integers(100, 20_000)))


def bounds(found: Interval) -> tuple[float, float]:
    """Return both bounds, which are there."""
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_an_arm_has_the_sample_variance() -> None:
    """Of 0, 0, 3, 5 the mean is 2, the squares of what lies off are 4 + 4 + 1 + 9 = 18, over three."""
    assert (arm(0, 0, 3, 5).mean, arm(0, 0, 3, 5).variance) == (2.0, 6.0)
    assert (arm().mean, arm().variance, arm(7).variance) == (None, None, None)


def test_the_margin_is_that_of_the_paper_by_hand() -> None:
    """With r = 0.01 and n = 900 customers, n r + 1 = 10: sqrt(10 / (900 x 9) x (ln 10 + 2 ln 20)) = 0.10119.

    r = 0.01 is best where planned x 0.01 + 1 = y = 9.2120: at 821.20 customers; 821 give an r that is 0.024 % more.
    """
    assert isclose(margin(900, planned=821), 0.101194, rel_tol=1e-4)
    assert isclose(margin(900, planned=821), sqrt(10 / 8100 * (log(10) + 2 * log(20))), rel_tol=1e-4)


def test_the_best_mixture_is_the_root_of_its_equation() -> None:
    """It is y - ln(y) = 1 + 2 ln 20 = 6.991465; the paper's approximation is (2 ln 20 + ln(1 + 2 ln 20)) / n."""
    y = 1000 * mixing(1000) + 1
    assert isclose(y - log(y), 6.991465, rel_tol=1e-6)
    assert isclose(1000 * mixing(1000), 2 * log(20) + log(1 + 2 * log(20)), rel_tol=0.04)


@few
@given(st.integers(100, 1_000_000), st.floats(0.001, 0.5))
def test_no_other_mixture_is_narrower_where_it_is_planned_for(planned: int, alpha: float) -> None:
    best = margin(planned, planned=planned, alpha=alpha)
    y = planned * mixing(planned, alpha=alpha) + 1
    assert isclose(best, sqrt(y / planned), rel_tol=1e-9)
    for other in (planned // 2, planned * 9 // 10, planned * 11 // 10, planned * 2):
        assert margin(planned, planned=other, alpha=alpha) > best


@few
@given(st.integers(1, 1_000_000), st.integers(1, 1_000_000), st.integers(1, 1_000_000))
def test_the_margin_shrinks_with_the_customers_and_is_wider_than_a_textbooks(
    customers: int, more: int, planned: int
) -> None:
    assert margin(customers + more, planned=planned) < margin(customers, planned=planned)
    assert margin(customers, planned=planned) > 3.03 / sqrt(customers)


@pytest.mark.parametrize(
    ("customers", "planned", "alpha"), [(0, 1, 0.05), (1, 0, 0.05), (1, -1, 0.05), (1, 1, 0.0), (1, 1, 1.0)]
)
def test_no_margin_of_nothing(customers: int, planned: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="must"):
        margin(customers, planned=planned, alpha=alpha)


def test_the_interval_of_two_arms_by_hand() -> None:
    """240 of 1,000 against 200 of 1,000: the larger variance is 0.1825826, x 2000 x (1/1000 + 1/1000) = 0.7303303.

    The bounds lie sqrt(0.7303303 x 9.2119681 / 2000) = 0.0579991 off 0.04.
    """
    found = interval(buyers(240, 1000), buyers(200, 1000), planned=2000)
    assert isclose(found.difference or 0, 0.04)
    low, high = bounds(found)
    assert isclose(low, -0.0179991, abs_tol=1e-6)
    assert isclose(high, 0.0979991, abs_tol=1e-6)
    assert verdict(found) is Verdict.CANNOT_TELL_YET


def test_both_arms_have_the_larger_variance() -> None:
    """An arm of 300 that hasn't met its great spenders takes the variance of the 3,000 who have, or they its."""
    low, high = (0, 0, 1, 2), (0, 0, 1, 200)
    for small, large in ((low, high), (high, low)):
        few_of, many_of = arm(*small, times=75), arm(*large, times=750)
        larger = (few_of if small is high else many_of).variance
        assert larger is not None
        assert larger > 7000
        expected = 3300 * larger * (1 / 300 + 1 / 3000)
        assert isclose(variance_of(many_of, few_of) or 0, expected)
        assert isclose(variance_of(few_of, many_of) or 0, expected)


@few
@given(arms(), arms(), st.integers(1, 1_000_000))
def test_arms_that_change_places_turn_the_interval_round(treated: Arm, control: Arm, planned: int) -> None:
    there, back = interval(treated, control, planned=planned), interval(control, treated, planned=planned)
    low, high = bounds(there)
    assert bounds(back) == (-high, -low)
    assert there.difference is not None
    assert low < there.difference < high
    assert isclose(there.difference - low, high - there.difference, rel_tol=1e-6)


@few
@given(arms(), st.integers(2, 50))
def test_more_customers_of_the_same_kind_narrow_the_interval(each: Arm, times: int) -> None:
    more = Arm(
        customers=each.customers * times,
        total=each.total * times,
        squares=each.squares * times,
        nonzero=each.nonzero * times,
    )
    low, high = bounds(interval(more, more, planned=5000))
    wide_low, wide_high = bounds(interval(each, each, planned=5000))
    assert high - low < wide_high - wide_low


@few
@given(arms(), arms(), st.integers(2, 100))
def test_the_unit_of_money_doesnt_matter(treated: Arm, control: Arm, unit: int) -> None:
    def in_unit(each: Arm) -> Arm:
        return Arm(
            customers=each.customers,
            total=each.total * unit,
            squares=each.squares * unit**2,
            nonzero=each.nonzero,
        )

    low, high = bounds(interval(treated, control, planned=5000))
    other = bounds(interval(in_unit(treated), in_unit(control), planned=5000))
    assert isclose(other[0], low * unit, rel_tol=1e-6, abs_tol=1e-6)
    assert isclose(other[1], high * unit, rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("little", "told"),
    [
        (buyers(50, 200), True),
        (buyers(50, 199), False),
        (buyers(49, 1000), False),
        (buyers(950, 1000), True),  # 50 didn't buy again
        (buyers(951, 1000), False),
        (arm(0, 0, 0, 990, times=49), False),  # 49 at one price
        (arm(990, times=1000), False),  # all at one price: no variance is seen
        (arm(0, 990, 1980, times=100), True),
        (arm(5, 990, 1980, 2970, times=50), True),  # everybody bought, for different amounts
        (arm(0, times=1000), False),
    ],
)
def test_nothing_is_told_before_both_arms_have_windows_and_outcomes_enough(little: Arm, *, told: bool) -> None:
    much = buyers(500, 1000)
    for pair in ((little, much), (much, little)):
        found = interval(*pair, planned=2000)
        assert found.difference is not None
        assert (found.low is not None, found.high is not None) == (told, told)
        assert (customers_needed(*pair, target=0.01, planned=2000) is not None) == told
        assert told or verdict(found) is Verdict.CANNOT_TELL_YET


def test_an_empty_arm_has_no_difference() -> None:
    assert interval(buyers(0, 0), buyers(500, 1000), planned=10) == Interval(difference=None, low=None, high=None)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.1, 2.0, Verdict.WORKS),
        (0.0, 2.0, Verdict.CANNOT_TELL_YET),
        (-1.0, 2.0, Verdict.CANNOT_TELL_YET),
        (-2.0, 0.0, Verdict.CANNOT_TELL_YET),
        (-2.0, -0.1, Verdict.HARMS),
        (None, None, Verdict.CANNOT_TELL_YET),
    ],
)
def test_the_verdict_is_certain_only_where_nought_lies_outside(
    low: float | None, high: float | None, says: Verdict
) -> None:
    assert verdict(Interval(difference=0.5, low=low, high=high)) is says


def test_what_can_be_found_by_hand() -> None:
    """At 10,000 planned customers and a variance of 4: 2 x (3.0351224 + 0.8416212) / 100 = 0.0775349."""
    assert isclose(findable(10_000, variance=4.0, planned=10_000), 0.0775349, rel_tol=1e-6)


@few
@given(arms(), arms(), st.floats(0.1, 5000), st.integers(100, 100_000))
def test_the_customers_needed_are_the_fewest_that_find_the_target(
    treated: Arm, control: Arm, target: float, planned: int
) -> None:
    needed = customers_needed(treated, control, target=target, planned=planned)
    variance, now = variance_of(treated, control), treated.customers + control.customers
    assert needed is not None
    assert variance is not None
    assert findable(needed.customers, variance=variance, planned=planned) <= target
    assert needed.more == max(0, needed.customers - now)
    floor = max(200 / min(treated.customers, control.customers), 50 / min(treated.nonzero, control.nonzero)) * now
    assert needed.customers >= floor - 1e-6
    fewer = needed.customers - 1
    assert fewer < floor or findable(fewer, variance=variance, planned=planned) > target
    assert needed == customers_needed(treated, control, target=-target, planned=planned)
    larger = customers_needed(treated, control, target=2 * target, planned=planned)
    assert larger is not None
    assert larger.customers <= needed.customers


def test_a_great_effect_needs_no_more_customers_than_there_must_be() -> None:
    """Of the holdout's 1,000 of 5,000, 100 bought: 50 of them, and so half of all customers, are the least."""
    treated, control = buyers(400, 4000), buyers(100, 1000)
    assert customers_needed(treated, control, target=0.9, planned=5000) == Needed(customers=2500, more=0)


def test_an_effect_of_nought_is_never_found() -> None:
    with pytest.raises(ValueError, match="target"):
        customers_needed(buyers(500, 1000), buyers(500, 1000), target=0.0, planned=2000)


@pytest.mark.parametrize(
    ("customers", "share"),
    [
        (0, 5000),
        (1, 5000),
        (5000, 5000),
        (5001, 5000),  # 4,999.0002 basis points, rounded up
        (8000, 3125),
        (12_499, 2001),
        (12_500, 2000),
        (49_999, 2000),
        (50_000, 500),
        (1_000_000, 500),
    ],
)
def test_the_share_of_holdout_that_is_needed(customers: int, share: int) -> None:
    assert needed_share(customers) == share


HISTORY = buyers(2000, 10_000)  # 20 % buy again: variance 0.160016


def test_the_smallest_effect_before_the_start_by_hand() -> None:
    """10,000 eligible, 20 % of them in the holdout: sqrt(0.160016 x (1/2000 + 1/8000)) x 3.8767436 = 0.0387694."""
    found = forecast(HISTORY, customers=10_000, share=2000)
    assert (found.holdout, found.treated, found.share) == (2000, 8000, 2000)
    assert isclose(found.smallest or 0, 0.0387694, rel_tol=1e-5)
    assert isclose(found.relative or 0, 0.1938469, rel_tol=1e-5)


@few
@given(arms(), st.integers(100_000, 10_000_000))
def test_a_larger_holdout_and_more_customers_find_smaller_effects(history: Arm, customers: int) -> None:
    table = forecasts(history, customers=customers)
    smallest = [line.smallest for line in table]
    found = [effect for effect in smallest if effect is not None]
    assert [line.share for line in table] == list(SHARES)
    assert len(found) == len(SHARES)
    assert found == sorted(found, reverse=True)
    for line, more in zip(table, forecasts(history, customers=2 * customers), strict=True):
        assert line.smallest is not None
        assert more.smallest is not None
        assert more.smallest < line.smallest
        assert line.holdout + line.treated == customers


@few
@given(st.integers(10_000, 1_000_000), st.sampled_from(SHARES))
def test_the_forecast_and_the_customers_needed_agree(customers: int, share: int) -> None:
    """Arms as the history expects them need for the forecast's effect the forecast's customers."""
    found = forecast(HISTORY, customers=customers, share=share)
    sizes = found.treated // 5 * 5, found.holdout // 5 * 5
    treated, control = (buyers(size // 5, size) for size in sizes)
    if found.smallest is None:
        assert found.holdout < 250  # 20 % of them are under 50
        return
    needed = customers_needed(treated, control, target=found.smallest, planned=customers)
    assert needed is not None
    assert isclose(needed.customers, customers, rel_tol=0.02)


def test_too_few_customers_find_nothing() -> None:
    assert forecast(HISTORY, customers=4980, share=500).smallest is None  # 249 in the holdout: under 50 buy again
    assert forecast(HISTORY, customers=5000, share=500).smallest is not None
    assert forecast(buyers(500, 1000), customers=3980, share=500).smallest is None  # 199 in the holdout
    assert forecast(buyers(0, 0), customers=100_000, share=500).smallest is None
    assert forecast(HISTORY, customers=0, share=500).relative is None


def test_a_mean_of_nought_or_less_has_no_relative_effect() -> None:
    found = forecast(arm(-3, 1, 1, 1, times=100), customers=10_000, share=5000)
    assert found.smallest is not None
    assert found.relative is None


@pytest.mark.parametrize(("customers", "share"), [(-1, 500), (10, 0), (10, 10_000)])
def test_a_campaign_has_two_arms(customers: int, share: int) -> None:
    with pytest.raises(ValueError, match="must"):
        forecast(HISTORY, customers=customers, share=share)
