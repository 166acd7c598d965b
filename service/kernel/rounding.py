"""Rounding of a quotient of whole numbers to a whole number, by name. Here, and nowhere else, is a rounding decided."""

from enum import Enum


class Rounding(Enum):
    """What becomes of a fraction. The quotients here are of numbers >= 0."""

    DOWN = "down"
    """Dropped (Square's loyalty points: 1 point per 10.00 makes 10 of 105.00)."""
    UP = "up"
    """To the next whole number."""
    HALF_UP = "half_up"
    """To the nearest; a half upwards (commercial rounding)."""
    HALF_EVEN = "half_even"
    """To the nearest; a half to the even neighbour (bankers' rounding)."""


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Divide and round. `numerator` >= 0, `denominator` > 0; raises ValueError otherwise."""
    if numerator < 0 or denominator <= 0:
        msg = "divide() takes a numerator >= 0 and a denominator > 0"
        raise ValueError(msg)
    quotient, rest = divmod(numerator, denominator)
    match rounding:
        case Rounding.DOWN:
            up = False
        case Rounding.UP:
            up = rest > 0
        case Rounding.HALF_UP:
            up = 2 * rest >= denominator
        case Rounding.HALF_EVEN:
            up = 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1)
    return quotient + up
