"""Intervals of shares, against published numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.shares import WHOLE, Apart, Share, apart, newcombe, rate, wilson

# Of table I, method 3, in "Two-sided confidence intervals for the single proportion: comparison of seven methods"
# by R. G. Newcombe, Statistics in Medicine 17, 1998, 857-872.
SINGLE = [
    (81, 263, "0.2553", "0.3662"),
    (15, 148, "0.0624", "0.1605"),
    (0, 20, "0.0000", "0.1611"),
    (1, 29, "0.0061", "0.1718"),
]
# Of table II, method 10, in "Interval estimation for the difference between independent proportions: comparison of
# eleven methods" by the same, Statistics in Medicine 17, 1998, 873-890.
DIFFERENCES = [
    (56, 70, 48, 80, "0.0524", "0.3339"),
    (9, 10, 3, 10, "0.1705", "0.8090"),
    (6, 7, 2, 7, "0.0582", "0.8062"),
    (5, 56, 0, 29, "-0.0381", "0.1926"),
    (0, 10, 0, 20, "-0.1611", "0.2775"),
    (0, 10, 0, 10, "-0.2775", "0.2775"),
    (10, 10, 0, 20, "0.6791", "1.0000"),
    (10, 10, 0, 10, "0.6075", "1.0000"),
]
shares = st.integers(1, 10**7).flatmap(lambda of: st.builds(Share, st.integers(0, of), st.just(of)))


@pytest.mark.parametrize(("many", "of", "low", "high"), SINGLE)
def test_the_interval_of_a_share_is_the_published_one(many: int, of: int, low: str, high: str) -> None:
    assert tuple(f"{bound:.4f}" for bound in wilson(Share(many, of))) == (low, high)


@pytest.mark.parametrize(("many", "of", "others", "of_others", "low", "high"), DIFFERENCES)
def test_the_interval_of_a_difference_is_the_published_one(
    many: int, of: int, others: int, of_others: int, low: str, high: str
) -> None:
    found = newcombe(Share(many, of), Share(others, of_others))
    assert tuple(f"{bound:.4f}" for bound in found) == (low, high)


def test_an_interval_is_told_in_basis_points_its_ends_rounded_outwards() -> None:
    low, high = newcombe(Share(5, 56), Share(0, 29))
    assert (f"{low * WHOLE:.1f}", f"{high * WHOLE:.1f}") == ("-381.4", "1925.6")
    assert apart(Share(5, 56), Share(0, 29)) == Apart(893, -382, 1_926)
    assert apart(Share(56, 70), Share(48, 80)) == Apart(2_000, 524, 3_339)
    assert apart(Share(48, 80), Share(56, 70)) == Apart(-2_000, -3_339, -524)
    assert apart(Share(10, 10), Share(0, 20)) == Apart(WHOLE, 6_790, WHOLE)


def test_a_share_of_nobody_has_no_rate_and_is_compared_with_none() -> None:
    assert rate(0, 0) is None
    assert apart(Share(0, 0), Share(1, 2)) is None
    assert apart(Share(1, 2), Share(0, 0)) is None


def test_rates_are_rounded_half_up_and_may_be_of_more_than_all() -> None:
    assert [rate(1, 3), rate(2, 3), rate(1, 20_000), rate(3, 2)] == [3_333, 6_667, 1, 15_000]


@given(shares, shares)
def test_a_difference_lies_within_its_interval_which_is_turned_round_for_the_other_side(
    one: Share, other: Share
) -> None:
    found, back = apart(one, other), apart(other, one)
    assert found is not None
    assert back is not None
    assert -WHOLE <= found.low <= found.difference <= found.high <= WHOLE
    assert (back.difference, back.low, back.high) == (-found.difference, -found.high, -found.low)


@given(shares)
def test_two_equal_shares_may_always_be_the_same(one: Share) -> None:
    found = apart(one, one)
    assert found is not None
    assert found.difference == 0
    assert found.low < 0 < found.high
