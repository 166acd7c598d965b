"""Counters, histograms and gauges of this process, in plain Python: to count is an addition in a dictionary.

Each is made once, as a constant of the module that counts, and is found by its name. Names follow Prometheus: base
units, and `_total` is added to a counter's where it is written.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec

Labels: TypeAlias = tuple[str, ...]
"""Values of labels, in the order of their names."""
Series: TypeAlias = dict[Labels, list[float]]
"""Of a counter one number; of a histogram the sum of what was observed, then how many fell into each bucket."""


class Counter:
    """Counts what happened; it never goes down."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        self.name: Final = name
        self.meaning: Final = meaning
        self.labels: Final = labels
        self._counts: dict[Labels, float] = {} if labels else {(): 0}
        _known(TOTALS, self)

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count something that happened, or `amount` of it."""
        self._counts[labels] = self._counts.get(labels, 0) + amount

    def series(self) -> Series:
        """Return a copy of what was counted."""
        return {labels: [count] for labels, count in self._counts.items()}


class Bins:
    """What one series of a histogram has observed. Its bounds are inclusive and ascending."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Count many values."""
        counts, bounds = self.counts, self._bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            self.total += value


class Histogram:
    """Counts values by how large they are."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self.name: Final = name
        self.meaning: Final = meaning
        self.labels: Final = labels
        self.bounds: Final = bounds
        self._bins: dict[Labels, Bins] = {} if labels else {(): Bins(bounds)}
        _known(TOTALS, self)

    def at(self, labels: Labels = ()) -> Bins:
        """Return one series, to be kept by who observes often."""
        bins = self._bins.get(labels)
        if bins is None:
            bins = self._bins[labels] = Bins(self.bounds)
        return bins

    def series(self) -> Series:
        """Return a copy of what was observed."""
        return {labels: [bins.total, *bins.counts] for labels, bins in self._bins.items()}


class Gauge:
    """Tells how things stand when somebody looks; each process tells its own."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        self.name: Final = name
        self.meaning: Final = meaning
        self.labels: Final = labels
        self._readers: dict[Labels, list[Callable[[], float]]] = {}
        _known(LEVELS, self)

    def watch(self, read: Callable[[], float], labels: Labels = ()) -> None:
        """Read it by a function from now on, the newest where there are several."""
        self._readers.setdefault(labels, []).append(read)

    def forget(self, read: Callable[[], float], labels: Labels = ()) -> None:
        """Read it no more by this function."""
        readers = self._readers.get(labels, [])
        if read in readers:
            readers.remove(read)

    def series(self) -> dict[Labels, float]:
        """Read it."""
        return {labels: readers[-1]() for labels, readers in self._readers.items() if readers}


class Snapshot(msgspec.Struct):
    """The numbers of one process at one moment."""

    at: float
    """Seconds of the machine's monotonic clock, which all its processes share."""
    totals: dict[str, Series]
    """Of counters and histograms, by name: they are added up over processes."""
    levels: dict[str, dict[Labels, float]]
    """Of gauges, by name: they stay each process's own."""


Metric = TypeVar("Metric", bound="Counter | Histogram | Gauge")
TOTALS: Final[dict[str, Counter | Histogram]] = {}
LEVELS: Final[dict[str, Gauge]] = {}


def snapshot(earlier: Mapping[str, Series], process: Mapping[str, float]) -> Snapshot:
    """Take the numbers of now, with those of an earlier process and what the system tells of this one."""
    totals = added([earlier, {name: each.series() for name, each in TOTALS.items()}])
    levels = {name: each.series() for name, each in LEVELS.items()}
    return Snapshot(time.monotonic(), totals, levels | {name: {(): value} for name, value in process.items()})


def added(parts: Iterable[Mapping[str, Series]]) -> dict[str, Series]:
    """Add totals up."""
    sums: dict[str, Series] = {}
    for part in parts:
        for name, series in part.items():
            mine = sums.setdefault(name, {})
            for labels, numbers in series.items():
                before = mine.get(labels)
                mine[labels] = (
                    numbers if before is None else [one + other for one, other in zip(before, numbers, strict=True)]
                )
    return sums


def _known(table: dict[str, Metric], made: Metric) -> None:
    if made.name in TOTALS or made.name in LEVELS:
        msg = f"there is a metric {made.name} already"
        raise ValueError(msg)
    table[made.name] = made
