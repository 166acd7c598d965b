"""Gatherers: how full their queues are, how long it takes, and what didn't get through."""

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Final

from service.platform.metrics.values import Counter, Gauge, Histogram

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LABELS: Final = ("gatherer",)
_QUEUE: Final = Gauge("loyalty_gatherer_queue", "Questions that wait for a batch.", _LABELS)
_LIMIT: Final = Gauge("loyalty_gatherer_queue_limit", "Questions that may wait; more are refused.", _LABELS)
_IN_FLIGHT: Final = Gauge("loyalty_gatherer_in_flight_seconds", "Age of the batch in flight; 0 without one.", _LABELS)
_SIZE: Final = Histogram(
    "loyalty_gatherer_batch_size", "Questions of a batch.", (1, 2, 4, 8, 16, 32, 64, 128, 256), _LABELS
)
_DURATION: Final = Histogram(
    "loyalty_gatherer_batch_duration_seconds", "From a batch's begin to its answers.", _SECONDS, _LABELS
)
_WAIT: Final = Histogram(
    "loyalty_gatherer_wait_seconds", "From a question to the begin of its batch.", _SECONDS, _LABELS
)
_UNSERVED: Final = Counter(
    "loyalty_gatherer_unserved",
    "Questions that got 503 from the gatherer: its queue was full, or patience ended in the queue or in a batch.",
    ("gatherer", "reason"),
)


class Gathering:
    """What a gatherer tells of itself; around each batch it is a context."""

    def __init__(self, name: str, queue_limit: int) -> None:
        self._labels = (name,)
        self._queue_limit = queue_limit
        self._queued: Callable[[], float] | None = None
        self._size, self._duration = _SIZE.at(self._labels), _DURATION.at(self._labels)
        self._wait = _WAIT.at(self._labels)
        self._began: float | None = None
        for reason in ("queue_full", "waited_too_long", "batch_too_slow"):
            _UNSERVED.add((name, reason), 0)

    def opened(self, queued: Callable[[], float]) -> None:
        """Begin to tell. `queued` gives the length of the queue."""
        self._queued = queued
        _QUEUE.watch(queued, self._labels)
        _LIMIT.watch(self._limit, self._labels)
        _IN_FLIGHT.watch(self._in_flight, self._labels)

    def closed(self) -> None:
        """Tell how things stand no more."""
        if self._queued is not None:
            _QUEUE.forget(self._queued, self._labels)
        _LIMIT.forget(self._limit, self._labels)
        _IN_FLIGHT.forget(self._in_flight, self._labels)

    def unserved(self, reason: str) -> None:
        """Count a question that was not answered: `queue_full`, `waited_too_long` or `batch_too_slow`."""
        _UNSERVED.add((*self._labels, reason))

    def batch(self, waits: Collection[float]) -> "Gathering":
        """Count a batch that begins, by how long each of its questions waited (s); its duration is that of a `with`."""
        self._size.observe(len(waits))
        self._wait.observe_all(waits)
        return self

    def __enter__(self) -> None:
        """Begin a batch."""
        self._began = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        """End it, however."""
        if self._began is not None:
            self._duration.observe(time.perf_counter() - self._began)
            self._began = None

    def _limit(self) -> float:
        return self._queue_limit

    def _in_flight(self) -> float:
        return 0.0 if self._began is None else time.perf_counter() - self._began
