"""A fact as expressions see it: what they name of it, converted once for all of them, within bounds. Pure."""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, cast

import msgspec

from service.earning.library import Values
from service.earning.scanning import MOST_ENTRIES, flat_name
from service.earning.vocabulary import ITEMS, Facts, ItemFacts

LONGEST_VALUE: Final = 10_000
"""Bytes of all texts in one value of the caller's."""
_ATTRIBUTES: Final = flat_name("customer.attributes")
_PROPERTIES: Final = flat_name("activity.properties")
_ITEMS: Final = flat_name(ITEMS)
_GREATEST: Final = 2**63 - 1


class Fault(msgspec.Struct, frozen=True):
    """Why an expression came to nothing: it counts as one that doesn't hold, and so a fault is false."""

    reason: str
    detail: str

    def __bool__(self) -> bool:
        """It doesn't hold."""
        return False


TOO_MANY_ITEMS: Final = Fault("too_many_items", f"It asks for the items, and there are more than {MOST_ENTRIES}.")
TOO_LARGE: Final = Fault("too_large", "It asks for a value that is too large.")


class Context(msgspec.Struct, frozen=True):
    """One fact as expressions see it."""

    values: Values
    unusable: Mapping[str, Fault]
    """Members that are not among the values, since they would cost too much."""


class Selection:
    """The members of facts to which some expressions refer: made once for the rules, so that no other is converted."""

    def __init__(self, references: Iterable[frozenset[str]]) -> None:
        named = frozenset[str]().union(*references)
        self._customer = _Flat(named, "customer")
        self._attributes = _keys(named, "customer.attributes")
        self._time = _Flat(named, "time")
        self._purchase = _Flat(named, "purchase")
        self._has_items = ITEMS in named
        members = _keys(named, ITEMS)
        self._item = tuple(each if each in members else None for each in ItemFacts.__struct_fields__)
        self._activity = _Flat(named, "activity")
        self._properties = _keys(named, "activity.properties")

    def context(self, facts: Facts) -> Context:
        """Convert what is named of a fact. Several expressions share it."""
        unusable = dict[str, Fault]()
        values: dict[str, Any] = {}
        self._customer.put(facts.customer, values)
        if self._attributes:
            given = facts.customer.attributes
            values[_ATTRIBUTES] = _usable(given, self._attributes, "customer.attributes", unusable)
        self._time.put(facts.time, values)
        if facts.purchase is not None:
            self._purchase.put(facts.purchase, values)
            if self._has_items:
                if len(facts.purchase.items) > MOST_ENTRIES:
                    unusable[ITEMS] = TOO_MANY_ITEMS
                else:
                    values[_ITEMS] = [self._fields(item) for item in facts.purchase.items]
        if facts.activity is not None:
            self._activity.put(facts.activity, values)
            if self._properties:
                given = facts.activity.properties
                values[_PROPERTIES] = _usable(given, self._properties, "activity.properties", unusable)
        return Context(Values(values), unusable)

    def _fields(self, item: ItemFacts) -> list[Any]:
        return [getattr(item, member) if member else None for member in self._item]


class _Flat:
    """The members of a variable that are named, but lists and maps: read together, under the library's names."""

    __slots__ = ("_names", "_read")

    def __init__(self, named: frozenset[str], variable: str) -> None:
        members = [each for each in _keys(named, variable) if "." not in each and each != "items"]
        self._names = [flat_name(f"{variable}.{each}") for each in members]
        self._read = attrgetter(*members) if members else None

    def put(self, variable: object, values: dict[str, Any]) -> None:
        """Put what they are into the values."""
        if self._read is None:
            return
        if len(self._names) == 1:
            values[self._names[0]] = self._read(variable)
        else:
            values.update(zip(self._names, self._read(variable), strict=True))


def _keys(named: frozenset[str], path: str) -> tuple[str, ...]:
    """Return all that is named of a path."""
    return tuple(sorted(each.removeprefix(f"{path}.") for each in named if each.startswith(f"{path}.")))


def _usable(given: Mapping[str, Any], keys: tuple[str, ...], path: str, unusable: dict[str, Fault]) -> dict[str, Any]:
    """Return what is given under the keys, without what is too large, which is told."""
    values = dict[str, Any]()
    for key in keys:
        if key in given:
            if _fits(given[key]):
                values[key] = given[key]
            else:
                unusable[f"{path}.{key}"] = TOO_LARGE
    return values


def _fits(value: object) -> bool:
    """Tell whether a value of the caller's is one that CEL knows, and small enough."""
    left, entries, length = [value], 0, 0
    while left:
        each = left.pop()
        match each:
            case str() as text:
                try:
                    length += len(text.encode())
                except UnicodeEncodeError:
                    return False
            case bool() | float() | None:
                pass
            case int() as number:
                if not -_GREATEST <= number <= _GREATEST:
                    return False
            case list():
                within = cast("list[object]", each)
                entries += len(within)
                left += within
            case dict():
                pairs = cast("dict[str, object]", each)
                entries += len(pairs)
                left += [*pairs, *pairs.values()]
            case _:
                return False
        if entries > MOST_ENTRIES or length > LONGEST_VALUE:
            return False
    return True
