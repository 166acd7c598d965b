"""What a rule's effect gives for an occasion, and why, in words. Pure."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol, TypeAlias

from service.earning.occasion import Occasion, Piece
from service.earning.rules import BASE_RULE, Bonus, ByAmount, ByItem, ByVisit, Line, Multiplier
from service.kernel.amounts import BOUND, as_text, minor_units_in_one
from service.kernel.errors import Invalid
from service.kernel.rounding import Rounding, divide
from service.programs.rules import BaseRule, EarnRate, Part, Selection, UnitRate

Places = tuple[int, ...]
"""Where items stand in what was bought."""


Given: TypeAlias = Callable[[Occasion], tuple[int, str, Places | None]]
"""What an effect gives for an occasion: points, why, and the places of the items for which; None: for all of it.

It raises Invalid for more than 10^12 points.
"""


class Rated(Protocol):
    """What says how amounts earn: the program's base rule, or a rule of its own."""

    @property
    def rates(self) -> dict[str, EarnRate]: ...  # noqa: D102 - as in ByAmount
    @property
    def any_currency(self) -> UnitRate | None: ...  # noqa: D102
    @property
    def tax(self) -> Part: ...  # noqa: D102
    @property
    def shipping(self) -> Part: ...  # noqa: D102
    @property
    def points_paid(self) -> Part: ...  # noqa: D102
    @property
    def without(self) -> Selection | None: ...  # noqa: D102
    @property
    def rounding(self) -> Rounding: ...  # noqa: D102


def base_line(rule: BaseRule, version: int, occasion: Occasion) -> Line:
    """Apply a program's base rule. Raises Invalid where that is more than 10^12 points."""
    points, why, items = by_amount(rule, None, occasion)
    return Line(BASE_RULE, version, points, why, items)


def by_amount(
    rule: Rated, placed: Callable[[Occasion], Places] | None, occasion: Occasion
) -> tuple[int, str, Places | None]:
    """Give points x counted amount / amount of the rate, rounded once, as the rule says. Raises Invalid.

    Where items are `placed`, the amount is theirs, gross; where tax is excluded, it is taken off in the proportion that
    it has in the total: items x (total - tax) / total.
    """
    rate = _rate(rule, occasion.currency)
    if rate is None:
        return 0, f"no rate for {occasion.currency}", None
    if placed is None:
        amount, of, parts, places = _of_total(rule, occasion)
    else:
        amount, of, parts, places = _of_items(rule, placed(occasion), occasion)
    points = bounded(divide(amount * rate.points, of * rate.amount, rule.rounding))
    each, counted = as_text(rate.amount, occasion.currency), as_text(amount // of, occasion.currency)
    unit, rounded = "point" if rate.points == 1 else "points", rule.rounding.value.replace("_", " ")
    return points, f"{rate.points} {unit} for each {each} of {counted} ({parts}), rounded {rounded}", places


def bounded(points: int) -> int:
    """Refuse more points than a row may hold. Raises Invalid."""
    if points > BOUND:
        raise Invalid("This earns more than 10^12 points.", pointer="/total", reason="out_of_range")
    return points


def selected(selection: Selection) -> Callable[[Piece], bool]:
    """Make the test whether an item is one of those selected."""
    skus, categories = frozenset(selection.skus), frozenset(selection.categories)
    return lambda item: item.sku in skus or item.category in categories


def placing(selection: Selection) -> Callable[[Occasion], Places]:
    """Make what gives the places of the items selected."""
    fits = selected(selection)
    return lambda occasion: tuple([place for place, item in enumerate(occasion.items) if fits(item)])


def given(effect: ByAmount | ByItem | ByVisit | Bonus) -> Given:
    """Make of an effect what gives its points."""
    match effect:
        case ByAmount():
            placed = None if effect.items is None else placing(effect.items)
            return lambda occasion: by_amount(effect, placed, occasion)
        case ByItem():
            return _by_item(effect)
        case ByVisit():
            always = effect.points, f"{_points(effect.points)} for a visit", None
        case Bonus():
            always = effect.points, f"a bonus of {_points(effect.points)}", None
    return lambda _: always


def multiplied(effect: Multiplier, lines: Sequence[Line]) -> tuple[int, str, Places | None]:
    """Give what a multiplier adds to the lines that it names: rounded(points x factor) - points. Raises Invalid.

    Square: a promotion of 1.5 on 4 points makes 6, so that it adds 2.
    """
    points = sum([line.points for line in lines])
    times = bounded(divide(points * effect.basis_points, 10_000, effect.rounding))
    named, places = [line.rule for line in lines], set[int]()
    for line in lines:
        if line.items is None:
            break
        places.update(line.items)
    else:
        return times - points, _product(effect, points, named), tuple(sorted(places))
    return times - points, _product(effect, points, named), None


def _product(effect: Multiplier, points: int, named: Sequence[str]) -> str:
    return f"{_factor(effect.basis_points)} times the {_points(points)} of {', '.join(named)}"


@lru_cache(maxsize=1024)
def _factor(basis_points: int) -> str:
    """Write a factor without zeros at the end, and without a float: 15000 basis points are 1.5."""
    return f"{basis_points // 10_000}.{basis_points % 10_000:04}".rstrip("0").rstrip(".")


def _by_item(effect: ByItem) -> Given:
    placed = placing(effect.items)
    each = "piece" if effect.pieces == 1 else f"{effect.pieces} pieces"
    rate = f"{_points(effect.points)} for each {each}"

    def gives(occasion: Occasion) -> tuple[int, str, Places | None]:
        places = placed(occasion)
        pieces = sum([occasion.items[place].quantity for place in places])
        return bounded(pieces // effect.pieces * effect.points), f"{rate} of {pieces}", places

    return gives


def _rate(rule: Rated, currency: str) -> EarnRate | None:
    """Return the rate of a currency in minor units: its own, else that for whole units of any."""
    own = rule.rates.get(currency)
    if own is not None or rule.any_currency is None:
        return own
    return EarnRate(points=rule.any_currency.points, amount=rule.any_currency.units * minor_units_in_one(currency))


def _of_total(rule: Rated, occasion: Occasion) -> tuple[int, int, str, Places | None]:
    """Return the minor units that count, 1, which parts of the total they are, and the places of the items in it."""
    amount, without, places = occasion.total, list[str](), None
    if rule.tax is Part.EXCLUDED:
        amount -= occasion.tax
        without.append("tax")
    if rule.shipping is Part.EXCLUDED:
        amount -= occasion.shipping
        without.append("shipping")
    if rule.without is not None:
        fits = selected(rule.without)
        left_out = {place for place, item in enumerate(occasion.items) if fits(item)}
        if left_out:
            amount -= sum([occasion.items[place].amount for place in left_out])
            without.append("items that don't earn")
            places = tuple(place for place in range(len(occasion.items)) if place not in left_out) or None
    parts = f"total without {' and '.join(without)}" if without else "total"
    amount = max(amount, 0)
    if rule.points_paid is Part.INCLUDED and occasion.points_paid:
        amount += occasion.points_paid
        parts += " and what points paid"
    return amount, 1, parts, places


def _of_items(rule: Rated, places: Places, occasion: Occasion) -> tuple[int, int, str, Places | None]:
    """Return what counts as a fraction of minor units, what it is, and the places of the items."""
    total = occasion.total
    if rule.without is not None:
        fits = selected(rule.without)
        places = tuple(place for place in places if not fits(occasion.items[place]))
    amount = sum(occasion.items[place].amount for place in places)
    if rule.tax is Part.EXCLUDED and total:
        return amount * max(total - occasion.tax, 0), total, "items without their share of the tax", places
    return amount, 1, "items", places


def _points(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"
