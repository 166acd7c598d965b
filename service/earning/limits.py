"""Limits: how much of a rule is used in a period, and what is left of it. Pure.

What a customer's own limits have used stands in the customer's row, for the newest period that was used of each. So a
booking, which has that row anyway, counts it exactly. What was used in earlier periods, which only facts that come late
ask for, is counted from what was booked. Limits for all are rows that all share; a booking reads them, and writes what
it adds on the condition that the limit still holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

import msgspec

from service.earning.rules import Every, Limit, Scope
from service.kernel.periods import Period, add_days, last_day

_PERIODS: Final = {Every.MONTH: Period.MONTH, Every.QUARTER: Period.QUARTER, Every.YEAR: Period.YEAR}

Entry: TypeAlias = tuple[int, int, int]
"""What was used of a limit: the day (ordinal) with which its period begins, points, times."""
Own: TypeAlias = dict[str, dict[str, Entry]]
"""What a customer used, by rule and period."""
PastPeriod: TypeAlias = tuple[int, int, str, datetime, datetime]
"""A place in the order, a customer by the internal id, a rule, and from when to before when."""
_decode = msgspec.json.Decoder(Own).decode
_encode = msgspec.json.Encoder().encode


class CountedLimit(msgspec.Struct, frozen=True):
    """A limit of a rule, with what each fact asks of it; `period` is its `every` as a customer's row names it."""

    rule: str
    scope: Scope
    every: Every
    points: int | None
    times: int | None
    period: str
    of_all: bool
    of_fact: bool
    """It counts within one fact: nothing was used of it before."""
    start: Callable[[date], int]
    """The first day of the period that a day is in, as `first_day` gives it."""


class Use(NamedTuple):
    """A period of a limit: of one customer, by the internal id, or of all. `start` is the ordinal of its first day."""

    customer: int | None
    rule: str
    every: Every
    start: int


class Taken(msgspec.Struct, frozen=True):
    """What a fact takes of a limit: points, and one time."""

    limit: CountedLimit
    start: int
    points: int


def counted_limit(rule: str, limit: Limit) -> CountedLimit:
    """Make a limit of a rule."""
    of_all, of_fact = limit.scope is Scope.ALL, limit.every is Every.FACT
    start, period = _FIRST_DAYS[limit.every], limit.every.value
    return CountedLimit(rule, limit.scope, limit.every, limit.points, limit.times, period, of_all, of_fact, start)


def first_day(every: Every, day: date) -> int:
    """Return the ordinal of the day with which the period of a day begins; 0 for what has no period."""
    return _FIRST_DAYS[every](day)


_FIRST_DAYS: Final[Mapping[Every, Callable[[date], int]]] = {
    Every.FACT: lambda _: 0,
    Every.DAY: lambda day: day.toordinal(),
    Every.WEEK: lambda day: max(day.toordinal() - day.weekday(), 1),
    Every.MONTH: lambda day: day.toordinal() - day.day + 1,
    Every.QUARTER: lambda day: date(day.year, (day.month - 1) // 3 * 3 + 1, 1).toordinal(),
    Every.YEAR: lambda day: date(day.year, 1, 1).toordinal(),
    Every.LIFE: lambda _: 0,
}


def end_day(every: Every, start: int) -> date | None:
    """Return the first day behind a period that begins with the day of this ordinal; None: it has no end."""
    if start == 0:
        return None
    day = date.fromordinal(start)
    if every is Every.DAY:
        return add_days(day, 1)
    if every is Every.WEEK:
        # The calendar's first week begins with its first day, which is a Monday.
        return add_days(day - timedelta(days=day.weekday()), 7)
    return add_days(last_day(_PERIODS[every], day), 1)


@dataclass(slots=True)
class Added:
    """What a batch adds to the use of a limit for all, and the most that may be used once it is added; None: no bound.

    Facts of one batch may be under several versions of a rule, with limits of their own: each fact's must hold with
    what those before it in the batch added, whatever those behind it add.
    """

    points: int = 0
    times: int = 0
    most_points: int | None = None
    most_times: int | None = None

    def add(self, points: int, limit: CountedLimit) -> None:
        """Add points, and one time, of a fact that is under a limit."""
        self.points, self.most_points = _added(self.points, self.most_points, points, limit.points)
        self.times, self.most_times = _added(self.times, self.most_times, 1, limit.times)


def _added(so_far: int, most: int | None, more: int, limit: int | None) -> tuple[int, int | None]:
    """Add to what was added so far; the bound of that moves along, and the fact has its own."""
    total = so_far + more
    bounds = [each for each in (None if most is None else most + more, limit) if each is not None]
    return total, min(bounds, default=None)


@dataclass(slots=True)
class Shared:
    """What a batch knows of use beside its customers' rows, [points, times] each, and what it adds.

    `past` are periods of customers before the one in their row, `all` are those of limits for all.
    """

    past: dict[Use, list[int]] = field(default_factory=dict[Use, list[int]])
    all: dict[Use, list[int]] = field(default_factory=dict[Use, list[int]])
    added: dict[Use, Added] = field(default_factory=dict[Use, Added])


class UseUnknown(Exception):  # noqa: N818 - what a batch has to read first
    """A period that was not read: the fact comes later than those behind it."""


@dataclass(slots=True)
class Allowance:
    """What one customer may still earn by limits. `text` is what the row holds of it, None where nothing was used."""

    customer: int
    text: str | None
    shared: Shared
    _own: Own | None = None

    def used(self, limit: CountedLimit, start: int) -> tuple[int, int]:
        """Return the points and times that were used of a limit in the period which begins at `start`."""
        if limit.of_fact:
            return 0, 0
        if limit.of_all:
            found = self.shared.all.get(Use(None, limit.rule, limit.every, start))
            return (0, 0) if found is None else (found[0], found[1])
        if self.shared.past and (past := self._past(limit, start)) is not None:
            return past[0], past[1]
        entry = self._entry(limit)
        if entry is None or start > entry[0]:
            return 0, 0
        if start < entry[0]:
            raise UseUnknown
        return entry[1], entry[2]

    def is_known(self, limit: CountedLimit, start: int) -> bool:
        """Tell whether the row is enough to know what was used in a period."""
        entry = self._entry(limit)
        return entry is None or start >= entry[0]

    def take(self, taken: Sequence[Taken]) -> str | None:
        """Count what a fact took; returns what the row holds now."""
        for each in taken:
            limit, start = each.limit, each.start
            if limit.of_fact:
                continue
            if limit.of_all:
                self._take_of_all(each)
                continue
            if self.shared.past and (past := self._past(limit, start)) is not None:
                past[0] += each.points
                past[1] += 1
            periods = self._read().setdefault(limit.rule, {})
            entry = periods.get(limit.period)
            if entry is None or start > entry[0]:
                periods[limit.period] = (start, each.points, 1)
            elif start == entry[0]:
                periods[limit.period] = (start, entry[1] + each.points, entry[2] + 1)
        if self._own:
            self.text = _encode(self._own).decode()
        return self.text

    def _take_of_all(self, taken: Taken) -> None:
        limit = taken.limit
        use = Use(None, limit.rule, limit.every, taken.start)
        counts = self.shared.all.setdefault(use, [0, 0])
        counts[0] += taken.points
        counts[1] += 1
        self.shared.added.setdefault(use, Added()).add(taken.points, limit)

    def _past(self, limit: CountedLimit, start: int) -> list[int] | None:
        return self.shared.past.get(Use(self.customer, limit.rule, limit.every, start))

    def _entry(self, limit: CountedLimit) -> Entry | None:
        own = self._own if self._own is not None else self._read()
        periods = own.get(limit.rule)
        return None if periods is None else periods.get(limit.period)

    def _read(self) -> Own:
        if self._own is None:
            self._own = {} if self.text is None else _decode(self.text)
        return self._own


def joined(one: str | None, other: str | None) -> str | None:
    """Join what two records used, that are one from now on: the newer period counts, of the same both."""
    if one is None or other is None:
        return one or other
    both: Own = _decode(one)
    for rule, periods in _decode(other).items():
        mine = both.setdefault(rule, {})
        for every, entry in periods.items():
            mine[every] = _joined(mine.get(every), entry)
    return _encode(both).decode()


def _joined(one: Entry | None, other: Entry) -> Entry:
    if one is None or other[0] > one[0]:
        return other
    return one if one[0] > other[0] else (one[0], one[1] + other[1], one[2] + other[2])


def limited(
    limits: Sequence[CountedLimit], day: date, allowance: Allowance, points: int
) -> tuple[int, Sequence[Taken]]:
    """Return how many of so many points limits still allow for what occurs on a day, and what these take of them."""
    starts = list[int]()
    for limit in limits:
        start = limit.start(day)
        used, times = allowance.used(limit, start)
        if limit.times is not None and times >= limit.times:
            return 0, ()
        if limit.points is not None and points > limit.points - used:
            points = max(0, limit.points - used)
        starts.append(start)
    return points, [Taken(limit, start, points) for limit, start in zip(limits, starts, strict=True)]


def taking(limits: Sequence[CountedLimit], day: date, points: int) -> list[Taken]:
    """Tell what points that are given on a day take of limits, whether these allow it or not."""
    return [Taken(limit, limit.start(day), points) for limit in limits]
