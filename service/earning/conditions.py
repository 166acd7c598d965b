"""Whether the conditions of a rule or an audience hold for an occasion, and if not, which one doesn't. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import TypeAlias

import msgspec

from service.earning.effects import selected
from service.earning.occasion import Occasion
from service.earning.rules import (
    Birthday,
    Conditions,
    Hours,
    OfCustomer,
    OfItems,
    OfPurchase,
    OfTime,
    PurchaseNumbers,
    Range,
)
from service.kernel.periods import clamped, day_of

Holds: TypeAlias = Callable[[Occasion], bool]


class Test(msgspec.Struct, frozen=True):
    """One condition: its name, whether it holds, and, where that is a number, how much is `missing`."""

    __test__ = False

    name: str
    holds: Holds
    missing: Callable[[Occasion], int | None] = lambda _: None


def tests_of(conditions: Conditions) -> list[Test]:
    """Make the tests of all conditions but the expression, the cheap ones first."""
    tests = list[Test]()
    if conditions.purchase is not None:
        tests += _of_purchase(conditions.purchase)
    if conditions.customer is not None:
        tests += _of_customer(conditions.customer)
    if conditions.time is not None:
        tests += _of_time(conditions.time)
    if conditions.items is not None:
        tests.append(_of_items(conditions.items))
    return tests


def asks_profile(conditions: Conditions, references: Iterable[str]) -> bool:
    """Tell whether conditions, or an expression with these references, ask for what only a customer's profile tells."""
    of = conditions.customer
    asks = of is not None and (bool(of.attributes) or of.birthday is not None)
    return asks or any(each.startswith(("customer.attributes", "customer.has_birthday")) for each in references)


def _of_purchase(of: OfPurchase) -> Iterator[Test]:
    if of.currencies:
        currencies = frozenset(of.currencies)
        yield Test("currency", lambda occasion: occasion.currency in currencies)
    if of.channels:
        channels = frozenset(of.channels)
        yield Test("channel", lambda occasion: occasion.channel in channels)
    if of.minimum:
        minimum = of.minimum

        def missing(occasion: Occasion) -> int | None:
            asked = minimum.get(occasion.currency)
            return None if asked is None else asked - occasion.total

        yield Test(
            "minimum", lambda occasion: occasion.total >= minimum.get(occasion.currency, occasion.total + 1), missing
        )


def _of_items(of: OfItems) -> Test:
    fits, quantity = selected(of.items), of.quantity

    def missing(occasion: Occasion) -> int:
        return quantity - sum(item.quantity for item in occasion.items if fits(item))

    return Test("items", lambda occasion: missing(occasion) <= 0, missing)


def _of_customer(of: OfCustomer) -> Iterator[Test]:
    if of.tiers:
        tiers = frozenset(of.tiers)
        yield Test("tier", lambda occasion: occasion.known.tier in tiers)
    if of.purchase_numbers is not None:
        yield _numbered(of.purchase_numbers)
    if of.enrolled_days is not None:
        yield Test("enrolled_days", _within(of.enrolled_days, enrolled_days))
    if of.days_since_last_purchase is not None:
        yield Test("days_since_last_purchase", _within(of.days_since_last_purchase, days_since_last_purchase))
    if of.birthday is not None:
        yield Test("birthday", _around(of.birthday))
    for name, values in of.attributes.items():
        yield Test("attributes", _has(name, values))


def _has(name: str, values: Sequence[object]) -> Holds:
    # True is no 1 here, and 1 no 1.0: JSON tells them apart.
    wanted = {(type(value), value) for value in values}

    def holds(occasion: Occasion) -> bool:
        value = occasion.known.attributes.get(name)
        return (type(value), value) in wanted

    return holds


def _numbered(of: PurchaseNumbers) -> Test:
    least, most, every = of.least, of.most, of.every

    def holds(occasion: Occasion) -> bool:
        number = occasion.purchase_number
        return number >= least and (most is None or number <= most) and number % every == 0

    def missing(occasion: Occasion) -> int | None:
        number = max(occasion.purchase_number, least)
        following = -(-number // every) * every
        return None if most is not None and following > most else following - occasion.purchase_number

    return Test("purchase_number", holds, missing)


def enrolled_days(occasion: Occasion) -> int:
    """Return how many local days before this one the relation began; 0 for facts from before."""
    return max(0, (occasion.day - day_of(occasion.known.enrolled_at, occasion.zone)).days)


def days_since_last_purchase(occasion: Occasion) -> int | None:
    """Return how many local days before this one the last purchase was; None without one.

    0 for a fact that is reported late, behind later ones.
    """
    last = occasion.known.last_purchase_at
    return None if last is None else max(0, (occasion.day - day_of(last, occasion.zone)).days)


def _within(of: Range, days_of: Callable[[Occasion], int | None]) -> Holds:
    least, most = of.least or 0, of.most

    def holds(occasion: Occasion) -> bool:
        days = days_of(occasion)
        return days is not None and days >= least and (most is None or days <= most)

    return holds


def _around(of: Birthday) -> Holds:
    before, after = timedelta(days=of.days_before), timedelta(days=of.days_after)

    def holds(occasion: Occasion) -> bool:
        born, day = occasion.known.birthday, occasion.day
        if born is None:
            return False
        # The days around a birthday may lie in the year before it or behind it.
        years = range(max(day.year - 1, date.min.year), min(day.year + 1, date.max.year) + 1)
        return any(-before <= day - clamped(year, born.month, born.day) <= after for year in years)

    return holds


def has_birthday(occasion: Occasion) -> bool:
    """Tell whether it is the customer's birthday."""
    return _around(Birthday())(occasion)


def _of_time(of: OfTime) -> Iterator[Test]:
    if of.dates:
        dates = of.dates
        yield Test("dates", lambda occasion: any(each.first <= occasion.day <= each.last for each in dates))
    if of.weekdays:
        weekdays = frozenset(of.weekdays)
        yield Test("weekdays", lambda occasion: occasion.day.isoweekday() in weekdays)
    if of.hours:
        spans = [_minutes(each) for each in of.hours]
        yield Test("hours", lambda occasion: _in_one(spans, occasion.clock.hour * 60 + occasion.clock.minute))


def _minutes(hours: Hours) -> tuple[int, int]:
    (start, start_minute), (end, end_minute) = (map(int, clock.split(":")) for clock in (hours.start, hours.end))
    return start * 60 + start_minute, end * 60 + end_minute or 24 * 60


def _in_one(spans: Sequence[tuple[int, int]], minute: int) -> bool:
    return any(start <= minute < end if start < end else minute >= start or minute < end for start, end in spans)
