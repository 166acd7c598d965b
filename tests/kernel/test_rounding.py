"""Rounding, against the arithmetic of fractions."""

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.rounding import Rounding, divide

ROUNDED: dict[Rounding, Callable[[Fraction], int]] = {
    Rounding.DOWN: math.floor,
    Rounding.UP: math.ceil,
    Rounding.HALF_UP: lambda quotient: math.floor(quotient + Fraction(1, 2)),
    Rounding.HALF_EVEN: round,  # Python rounds a fraction's half to the even neighbour
}


@pytest.mark.parametrize("rounding", Rounding)
@given(numerator=st.integers(0, 10**30), denominator=st.integers(1, 10**12))
def test_a_quotient_is_rounded_as_the_name_says(rounding: Rounding, numerator: int, denominator: int) -> None:
    assert divide(numerator, denominator, rounding) == ROUNDED[rounding](Fraction(numerator, denominator))


@pytest.mark.parametrize("rounding", Rounding)
@given(quotient=st.integers(0, 10**6), half=st.integers(1, 10**6), offset=st.integers(-1, 1))
def test_halves_and_their_neighbours_fall_to_the_right_side(
    rounding: Rounding, quotient: int, half: int, offset: int
) -> None:
    numerator, denominator = quotient * 2 * half + half + offset, 2 * half
    assert divide(numerator, denominator, rounding) == ROUNDED[rounding](Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.DOWN, [0, 0, 1, 1, 2]),
        (Rounding.UP, [0, 1, 1, 2, 3]),
        (Rounding.HALF_UP, [0, 1, 1, 2, 3]),
        (Rounding.HALF_EVEN, [0, 0, 1, 2, 2]),
    ],
)
def test_halves_by_hand(rounding: Rounding, expected: list[int]) -> None:
    assert [divide(numerator, 2, rounding) for numerator in (0, 1, 2, 3, 5)] == expected


@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 2), (1, 0), (1, -2)])
def test_what_is_no_amount_is_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="numerator >= 0"):
        divide(numerator, denominator, Rounding.DOWN)
