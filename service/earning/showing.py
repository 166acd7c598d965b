"""Showing an occasion to expressions: what it is and whose, in the words of their vocabulary. Pure.

What no expression asks for is not worked out.
"""

from collections.abc import Mapping
from typing import cast

from service.earning.conditions import days_since_last_purchase, enrolled_days, has_birthday
from service.earning.occasion import Occasion
from service.earning.vocabulary import Facts


class _Customer:
    """The customer, as `AudienceCustomer` tells of one; rules can't name all of it."""

    __slots__ = ("_of",)

    def __init__(self, occasion: Occasion) -> None:
        self._of = occasion

    @property
    def purchase_number(self) -> int:
        return self._of.purchase_number

    @property
    def tier(self) -> str | None:
        return self._of.known.tier

    @property
    def attributes(self) -> Mapping[str, object]:
        return self._of.known.attributes

    @property
    def days_since_last_purchase(self) -> int | None:
        return days_since_last_purchase(self._of)

    @property
    def days_enrolled(self) -> int:
        return enrolled_days(self._of)

    @property
    def has_birthday(self) -> bool:
        return has_birthday(self._of)

    @property
    def purchases(self) -> int:
        return self._of.purchases

    @property
    def lifetime_earned(self) -> int:
        return self._of.known.lifetime_earned


class _Time:
    """When it occurred, as `TimeFacts` tells of it."""

    __slots__ = ("_of",)

    def __init__(self, occasion: Occasion) -> None:
        self._of = occasion

    @property
    def weekday(self) -> int:
        return self._of.clock.isoweekday()

    def __getattr__(self, member: str) -> int:
        return getattr(self._of.clock, member)


class _Shown:
    """An occasion, as `Facts` tells of one. A purchase's and an activity's own members are the occasion's."""

    __slots__ = ("activity", "customer", "purchase", "time")

    def __init__(self, occasion: Occasion) -> None:
        self.customer, self.time = _Customer(occasion), _Time(occasion)
        self.purchase = occasion if occasion.type is None else None
        self.activity = occasion if occasion.type else None


def facts_of(occasion: Occasion) -> Facts:
    """Tell expressions what they may ask of an occasion."""
    return cast("Facts", _Shown(occasion))
