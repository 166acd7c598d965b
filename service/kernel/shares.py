"""Shares, and how far two of them may truly lie apart. Pure; rates are whole basis points.

The interval of one share is Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", JASA 22, 1927, 209-212). With x of n, p = x/n and z the normal quantile:

    l, u = (2x + z^2 -/+ z sqrt(z^2 + 4x(1 - p))) / (2(n + z^2))

That of the difference p1 - p2 of two independent shares puts two of these together (R. G. Newcombe, "Interval
estimation for the difference between independent proportions: comparison of eleven methods", Statistics in Medicine 17,
1998, 873-890, method 10):

    low  = p1 - p2 - sqrt((p1 - l1)^2 + (u2 - p2)^2)
    high = p1 - p2 + sqrt((u1 - p1)^2 + (p2 - l2)^2)

Both hold for small numbers and for shares of 0 and 1, where the usual "plus or minus two standard errors" doesn't.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.kernel.rounding import Rounding, divide

WHOLE: Final = 10_000
"""Basis points of all."""
_Z: Final = Decimal("1.959963984540054")
"""Between -z and z lie 95 % of the standard normal distribution."""
_CONTEXT: Final = Context(prec=40)
_NOISE: Final = Decimal("1e-18")
"""What the last digits of a root may be wrong by: an interval that ends at 0 mustn't end at one basis point for it."""

BasisPoints = Annotated[int, Meta(ge=0, le=WHOLE, description="Basis points: 1250 is 12.5 %.")]
Difference = Annotated[int, Meta(ge=-WHOLE, le=WHOLE, description="Basis points.")]


class Share(msgspec.Struct, frozen=True):
    """So `many` of so many (`of`)."""

    many: int
    of: int

    @property
    def rate(self) -> int | None:
        """Basis points, rounded half up; None of nobody. More than all is more than 10,000."""
        return rate(self.many, self.of)


class Apart(msgspec.Struct, frozen=True):
    """How far one share lies above another, and between which bounds that truly is with a confidence of 95 %.

    `difference` is rounded half away from zero, `low` down and `high` up: the interval never tells more than is known.
    Where it holds 0, the two may be the same.
    """

    difference: Difference
    low: Difference
    high: Difference


def rate(many: int, of: int) -> int | None:
    """Return a share in basis points, rounded half up; None of nobody. `many` may be more than `of`."""
    return divide(many * WHOLE, of, Rounding.HALF_UP) if of else None


def wilson(share: Share) -> tuple[Decimal, Decimal]:
    """Return between which bounds, from 0 to 1, a share of somebody (`of` >= 1) truly is with a confidence of 95 %."""
    with localcontext(_CONTEXT):
        many, of, square = Decimal(share.many), Decimal(share.of), _Z * _Z
        spread = _Z * (square + 4 * many * (1 - many / of)).sqrt()
        middle, width = 2 * many + square, 2 * (of + square)
        return (middle - spread) / width, (middle + spread) / width


def apart(one: Share, other: Share) -> Apart | None:
    """Compare two shares of different people; None where one is of nobody."""
    if not one.of or not other.of:
        return None
    low, high = newcombe(one, other)
    above = one.many * other.of - other.many * one.of
    rounded = divide(abs(above) * WHOLE, one.of * other.of, Rounding.HALF_UP)
    with localcontext(_CONTEXT):
        down = ((low + _NOISE) * WHOLE).to_integral_value(ROUND_FLOOR)
        up = ((high - _NOISE) * WHOLE).to_integral_value(ROUND_CEILING)
    return Apart(rounded if above >= 0 else -rounded, int(down), int(up))


def newcombe(one: Share, other: Share) -> tuple[Decimal, Decimal]:
    """Return between which bounds the difference of two shares truly is with a confidence of 95 %, from -1 to 1."""
    (low, high), (other_low, other_high) = wilson(one), wilson(other)
    with localcontext(_CONTEXT):
        its, others = Decimal(one.many) / one.of, Decimal(other.many) / other.of
        below = ((its - low) ** 2 + (other_high - others) ** 2).sqrt()
        above = ((high - its) ** 2 + (others - other_low) ** 2).sqrt()
        return its - others - below, its - others + above
