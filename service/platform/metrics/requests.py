"""Requests: how many, of what kind, how they ended and how long they took."""

from typing import Final

from service.platform.metrics.values import Bins, Counter, Histogram

_DURATION: Final = Histogram(
    "loyalty_request_duration_seconds",
    "Requests by operation, from their head to the end of the answer. Status `none`: the caller left before.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    ("operation", "method", "status"),
)
_REFUSALS: Final = Counter("loyalty_refusals", "Refused requests by the code of their problem.", ("code",))
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_CLASSES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
_bound: Final[dict[tuple[str, str, int], Bins]] = {}


def observe_request(operation: str, method: str, status: int, seconds: float) -> None:
    """Count a request. `operation` is a name of this code's, never a path; `status` is 0 where none was sent."""
    key = (operation, method, status // 100)
    bins = _bound.get(key)
    if bins is None:
        known = method in _METHODS
        bins = _DURATION.at((operation, method if known else "other", _CLASSES[status // 100]))
        if known:  # others are the callers' inventions and may be many
            _bound[key] = bins
    bins.observe(seconds)


def observe_refusal(code: str) -> None:
    """Count a refusal that a request was answered with."""
    _REFUSALS.add((code,))
