"""What can be said of days and money from sums: quartiles, means, and how far two means may lie apart. Pure.

The share S(t) of invoices that aren't paid t days behind their issue (Kaplan and Meier 1958): of those that are known
to be unpaid just before day t, n(t), were paid on it d(t); S(t) is the product of 1 - d(i)/n(i) over the days i <= t.

A mean by amount R = M/A is a ratio of two sums over customers: of what their invoices charge, a, and of the days that
this was open, m. Its error is that of the mean of m - R a (Cochran 1977, chapter 6). The difference of the means of two
times is R0 - R1, and over customers, each with both times (0 for none),

    u = (m1 - R1 a1) / A1 - (m0 - R0 a0) / A0,   variance = k / (k - 1) x sum of u^2

with k the number of customers of the time that has fewer. All sums are exact; only the root is rounded.
"""

from collections.abc import Mapping
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from math import ceil, floor
from typing import Final, NamedTuple

import msgspec

from service.invoices.report.figures import ShareOf
from service.kernel.rounding import Rounding, divide
from service.kernel.shares import WHOLE, Share, wilson

QUARTERS: Final = 4
_Z: Final = Decimal("1.959963984540054")
_CONTEXT: Final = Context(prec=60)
_NOISE: Final = Fraction(1, 10**18)


class Sums(NamedTuple):
    """Sums over customers, of the period (1) and of the comparison period (0).

    `a` is what a customer's invoices charge, `m` that times the days that it was open; `aa1` sums squares of a1, `am10`
    sums a1 x m0. `off` is discount and tax reduction, `instead` what points stand for.
    """

    invoices1: int = 0
    invoices0: int = 0
    customers1: int = 0
    customers0: int = 0
    a1: int = 0
    m1: int = 0
    a0: int = 0
    m0: int = 0
    aa1: int = 0
    am1: int = 0
    mm1: int = 0
    aa0: int = 0
    am0: int = 0
    mm0: int = 0
    aa10: int = 0
    am10: int = 0
    ma10: int = 0
    mm10: int = 0
    off1: int = 0
    instead1: int = 0
    off0: int = 0
    instead0: int = 0


class Between(msgspec.Struct, frozen=True):
    """A number, and between which bounds it truly is with a confidence of 95 %."""

    value: Fraction
    low: Fraction
    high: Fraction


def quartiles(paid: Mapping[int, int], waiting: Mapping[int, int]) -> list[int | None]:
    """Return the first days by which one, two and three quarters are paid; None: not as far as is known.

    `paid` are how many were paid after so many days, `waiting` how many have been open for so many, and are. Who waits
    for as many days as another one took was at risk on that day.
    """
    at_risk = sum(paid.values()) + sum(waiting.values())
    unpaid, of, found = 1, 1, list[int | None]()
    for day in sorted(paid.keys() | waiting.keys()):
        if paid.get(day):
            unpaid, of = unpaid * (at_risk - paid[day]), of * at_risk
            while len(found) < QUARTERS - 1 and QUARTERS * unpaid <= (QUARTERS - 1 - len(found)) * of:
                found.append(day)
        at_risk -= paid.get(day, 0) + waiting.get(day, 0)
        if len(found) == QUARTERS - 1:
            break
    return found + [None] * (QUARTERS - 1 - len(found))


def mean(total: int, of: int) -> Fraction | None:
    """Return the mean; None of nothing."""
    return Fraction(total, of) if of else None


def earlier(sums: Sums) -> Between | None:
    """Return by how many days the money of the period came earlier.

    None where one of the times has no money, or a single customer, of whom no bounds are known.
    """
    few = min(sums.customers1, sums.customers0)
    if not sums.a1 or not sums.a0 or few <= 1:
        return None
    r1, r0 = Fraction(sums.m1, sums.a1), Fraction(sums.m0, sums.a0)
    squares1 = sums.mm1 - 2 * r1 * sums.am1 + r1 * r1 * sums.aa1
    squares0 = sums.mm0 - 2 * r0 * sums.am0 + r0 * r0 * sums.aa0
    both = sums.mm10 - r0 * sums.ma10 - r1 * sums.am10 + r1 * r0 * sums.aa10
    variance = squares1 / sums.a1**2 + squares0 / sums.a0**2 - 2 * both / (sums.a1 * sums.a0)
    spread = _root(variance * few / (few - 1))
    return Between(r0 - r1, r0 - r1 - spread, r0 - r1 + spread)


def _root(variance: Fraction) -> Fraction:
    """Return half the width of the interval for a variance >= 0."""
    with localcontext(_CONTEXT):
        return Fraction(_Z * (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt())


def nearest(number: Fraction) -> int:
    """Round half away from zero."""
    size = divide(abs(number.numerator), number.denominator, Rounding.HALF_UP)
    return size if number >= 0 else -size


def down(number: Fraction) -> int:
    """Round down; what the last digits of a root may be wrong by is no reason to."""
    return floor(number + _NOISE)


def up(number: Fraction) -> int:
    """Round up, likewise."""
    return ceil(number - _NOISE)


def tenths(number: Fraction) -> float:
    """Tell days to one place, rounded half away from zero."""
    return nearest(number * 10) / 10


def share_of(many: int, of: int) -> ShareOf:
    """Tell a share with its interval, rounded outwards."""
    its = Share(many, of)
    if not of:
        return ShareOf(many, of, None, None, None)
    low, high = wilson(its)
    return ShareOf(many, of, its.rate, down(Fraction(low) * WHOLE), up(Fraction(high) * WHOLE))
