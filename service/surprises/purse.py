"""What is left of stock and budgets: each is cut into slices, so that winners don't wait for each other. Pure.

Only who wins takes from a slice, and locks it last. A batch begins with one slice and goes on to the others in their
order, also for a part of an amount, so that nothing is ever stranded. What was read may be old: the write proves it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

POINTS: Final = "points"
COST: Final = "cost"
MOST_SLICES: Final = 8
LEAST_IN_SLICE: Final = 32
"""Fewer than these are not cut again."""


def stock_of(prize_id: str) -> str:
    """Name the stock of a prize among what is limited."""
    return f"prize:{prize_id}"


class Slice(msgspec.Struct, frozen=True):
    """A slice of what is limited in a campaign: of at most `cap` so much is `taken`."""

    campaign: UUID
    resource: str
    number: int
    cap: int
    taken: int = 0


class Taking(msgspec.Struct, frozen=True):
    """What is to be taken from a slice, of which so much is released by now."""

    campaign: UUID
    resource: str
    number: int
    amount: int
    released: int


class Paced(msgspec.Struct, frozen=True):
    """From when to when stock and budgets of a campaign are released, in proportion to the time that is over."""

    begins: datetime
    ends: datetime


def cut(campaign: UUID, resource: str, amount: int) -> list[Slice]:
    """Cut an amount into slices."""
    count = min(MOST_SLICES, max(1, amount // LEAST_IN_SLICE))
    share, more = divmod(amount, count)
    return [Slice(campaign, resource, number, share + (number < more)) for number in range(count)]


def resized(slices: Sequence[Slice], amount: int) -> list[Slice] | None:
    """Let slices have another amount together; None where more is taken. Those with most to spare give first."""
    caps, spare = [each.cap for each in slices], amount - sum(each.cap for each in slices)
    if amount < sum(each.taken for each in slices):
        return None
    if spare >= 0:
        share, more = divmod(spare, len(slices))
        caps = [cap + share + (place < more) for place, cap in enumerate(caps)]
    else:
        for place in sorted(range(len(slices)), key=lambda each: slices[each].taken - slices[each].cap):
            less = min(-spare, caps[place] - slices[place].taken)
            caps[place] -= less
            spare += less
    return [msgspec.structs.replace(each, cap=cap) for each, cap in zip(slices, caps, strict=True)]


def released(its: Slice, slices: int, paced: Paced | None, now: datetime) -> int:
    """Return how much of a slice can be taken by now, of so many slices: they don't all release at the same moments."""
    if paced is None or now >= paced.ends:
        return its.cap
    length = (paced.ends - paced.begins) // _MOMENT
    over = max(0, (now - paced.begins) // _MOMENT)
    return min(its.cap, (2 * slices * its.cap * over + (2 * its.number + 1) * length) // (2 * slices * length))


_MOMENT: Final = datetime.resolution
_Resource = tuple[UUID, str]


@dataclass(slots=True)
class Purse:
    """What campaigns may still give in one batch, and what it takes."""

    _left: dict[_Resource, list[int]] = field(default_factory=dict[_Resource, list[int]])
    _released: dict[_Resource, list[int]] = field(default_factory=dict[_Resource, list[int]])
    _taken: dict[tuple[UUID, str, int], int] = field(default_factory=dict[tuple[UUID, str, int], int])
    first: int = 0
    """With which slice this batch begins."""

    def put(self, slices: Iterable[Slice], paced: Paced | None, now: datetime) -> None:
        """Put in what was read of slices of one campaign, in the order of their numbers."""
        found = defaultdict[_Resource, list[Slice]](list)
        for each in slices:
            found[each.campaign, each.resource].append(each)
        for resource, its in found.items():
            free = [released(each, len(its), paced, now) for each in its]
            self._released[resource] = free
            self._left[resource] = [max(0, most - each.taken) for most, each in zip(free, its, strict=True)]

    def left(self, campaign: UUID, resource: str) -> int | None:
        """Return how much is left; None where there is no limit."""
        found = self._left.get((campaign, resource))
        return None if found is None else sum(found)

    def take(self, campaign: UUID, resource: str, amount: int) -> None:
        """Take so much, which is left, from the first slice and the others behind it."""
        left = self._left.get((campaign, resource))
        if left is None or not amount:
            return
        for step in range(len(left)):
            number = (self.first + step) % len(left)
            part = min(left[number], amount)
            if part:
                left[number] -= part
                amount -= part
                key = (campaign, resource, number)
                self._taken[key] = self._taken.get(key, 0) + part
        assert not amount  # noqa: S101 - who takes has looked what is left

    def takings(self) -> list[Taking]:
        """Return what was taken, in the order in which slices are locked."""
        return [
            Taking(campaign, resource, number, amount, self._released[campaign, resource][number])
            for (campaign, resource, number), amount in sorted(self._taken.items())
        ]


def given_back(slices: Iterable[Slice], amounts: Mapping[str, int]) -> list[Slice]:
    """Give amounts back to the slices from which they were taken, or to any others that gave as much."""
    left, changed = dict(amounts), list[Slice]()
    for each in slices:
        back = min(left.get(each.resource, 0), each.taken)
        if back:
            left[each.resource] -= back
            changed.append(msgspec.structs.replace(each, taken=each.taken - back))
    return changed
