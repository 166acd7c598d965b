"""Which of several versions applies to what occurred at a moment. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar


class Valid(Protocol):
    """A version of something: it applies to what occurs from `valid_from` on, until a later version does."""

    @property
    def valid_from(self) -> datetime:
        """From when on it applies."""
        ...


V = TypeVar("V", bound=Valid)


def applying(versions: Iterable[V]) -> list[V]:
    """Leave out the versions that apply to no moment any more: a later one is valid from the same moment, or before it.

    `versions` come by number, and so do those that are left, which are then valid from later and later moments.
    """
    left = list[V]()
    for version in versions:
        while left and version.valid_from <= left[-1].valid_from:
            left.pop()
        left.append(version)
    return left


def applied_at(versions: Sequence[V], moment: datetime) -> V | None:
    """Return the version that applies at a moment, of those that `applying` left; None before the first of them."""
    place = bisect_right(versions, moment, key=_valid_from)
    return versions[place - 1] if place else None


def _valid_from(version: Valid) -> datetime:
    return version.valid_from
