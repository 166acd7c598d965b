"""What a purchase earns. Pure: a rule and what was spent in, lines of points out."""

import msgspec

from service.kernel.amounts import BOUND, as_text, minor_units_in_one
from service.kernel.errors import Invalid
from service.kernel.rounding import divide
from service.programs.rules import BaseRule, EarnRate, Part

BASE_RULE = "base"


class Spending(msgspec.Struct, frozen=True):
    """What earning rules look at of a purchase. Money in minor units of `currency`, which has them."""

    currency: str
    total: int
    tax: int
    shipping: int


class Line(msgspec.Struct, frozen=True):
    """What one rule at one version gives, and why, in words."""

    rule: str
    version: int
    points: int
    why: str


def base_line(rule: BaseRule, version: int, spending: Spending) -> Line:
    """Apply a program's base rule: points x counted amount / amount of the rate, rounded once, as the rule says.

    Raises Invalid where that is more than 10^12 points.
    """
    rate = _rate(rule, spending.currency)
    if rate is None:
        return Line(BASE_RULE, version, 0, f"no rate for {spending.currency}")
    amount, parts = _counted(rule, spending)
    points = divide(amount * rate.points, rate.amount, rule.rounding)
    if points > BOUND:
        raise Invalid("This earns more than 10^12 points.", pointer="/total", reason="out_of_range")
    each, counted = as_text(rate.amount, spending.currency), as_text(amount, spending.currency)
    unit, rounded = "point" if rate.points == 1 else "points", rule.rounding.value.replace("_", " ")
    why = f"{rate.points} {unit} for each {each} of {counted} ({parts}), rounded {rounded}"
    return Line(BASE_RULE, version, points, why)


def _rate(rule: BaseRule, currency: str) -> EarnRate | None:
    """Return the rate of a currency in minor units: its own, else that for whole units of any."""
    own = rule.rates.get(currency)
    if own is not None or rule.any_currency is None:
        return own
    return EarnRate(points=rule.any_currency.points, amount=rule.any_currency.units * minor_units_in_one(currency))


def _counted(rule: BaseRule, spending: Spending) -> tuple[int, str]:
    """Return the minor units that count, and which parts of the total they are."""
    amount, without = spending.total, list[str]()
    if rule.tax is Part.EXCLUDED:
        amount -= spending.tax
        without.append("tax")
    if rule.shipping is Part.EXCLUDED:
        amount -= spending.shipping
        without.append("shipping")
    return max(amount, 0), f"total without {' and '.join(without)}" if without else "total"
