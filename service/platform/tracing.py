"""Traces, where OpenTelemetry's environment asks for them; else nothing of it is imported, and nothing is done.

OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) switches them on; all other variables of its SDK
hold as well. It comes with the extra `otel`. Spans carry routes, methods and statuses: no ids, and nothing that a
caller sent but the `traceparent`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Final, Protocol, TypeAlias

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

_SWITCHES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NEEDED: Final = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter")
_NOTHING: Final = nullcontext()
_NO_IDS: Final[Mapping[str, str]] = {}


class Tracer(Protocol):
    """What traces, when it is asked for."""

    def start(self, method: str, headers: Headers) -> object:
        """Begin the span of a request."""
        ...

    def within(self, span: object) -> AbstractContextManager[None]:
        """Make a span the one of the moment."""
        ...

    def end(self, span: object, method: str, operation: str, status: int) -> None:
        """End the span of a request."""
        ...

    def here(self) -> object | None:
        """Return the span of the request that is served here."""
        ...

    def batch(self, name: str, spans: Sequence[object]) -> AbstractContextManager[None]:
        """Make a span for work that is done for many requests at once."""
        ...

    def ids(self) -> Mapping[str, str]:
        """Name the span in which something is told."""
        ...

    async def close(self) -> None:
        """Send what is left."""
        ...


class Waiting(Protocol):
    """Who waits for a batch, with what `here` gave when it began to wait."""

    span: object | None


class TracingMissing(Exception):  # noqa: N818 - one sentence for the one who starts the service
    """Traces are asked for, and what makes them isn't installed."""


_tracer: Tracer | None = None


def wanted() -> bool:
    """Whether the environment asks for traces. Raises TracingMissing where what makes them isn't installed."""
    asking = next((name for name in _SWITCHES if os.environ.get(name)), None)
    if asking is not None and any(find_spec(name) is None for name in _NEEDED):
        msg = (
            f"{asking} asks for traces, and OpenTelemetry isn't installed: install requirements/otel.txt, or unset it."
        )
        raise TracingMissing(msg)
    return asking is not None


def configure(templates: Mapping[str, str]) -> None:
    """Begin to trace if the environment asks for it, once in a process. Raises TracingMissing.

    `templates` are the paths of operations, by which spans of requests are named.
    """
    global _tracer  # noqa: PLW0603 - one for the process, as logging is
    if _tracer is None and wanted():
        from service.platform.spans import OpenTelemetry

        _tracer = OpenTelemetry(templates)


def start(method: str, headers: Headers) -> object | None:
    """Begin the span of a request, below the one that its `traceparent` names."""
    return None if _tracer is None else _tracer.start(method, headers)


def within(span: object | None) -> AbstractContextManager[None]:
    """Make a span the one of the moment: what is asked and logged within belongs to it."""
    return _NOTHING if _tracer is None or span is None else _tracer.within(span)


def end(span: object | None, method: str, operation: str, status: int) -> None:
    """End the span of a request; the status is 0 where the caller left before the answer."""
    if _tracer is not None and span is not None:
        _tracer.end(span, method, operation, status)


def here() -> object | None:
    """Return the span of the request that is served here; None without one."""
    return None if _tracer is None else _tracer.here()


def batch(name: str, waiting: Iterable[Waiting]) -> AbstractContextManager[None]:
    """Make a span for work that is done for many requests at once."""
    if _tracer is None:
        return _NOTHING
    found = [each.span for each in waiting if each.span is not None]
    return _tracer.batch(name, found) if found else _NOTHING


def ids() -> Mapping[str, str]:
    """Name the trace and span of the moment, for a line of the log."""
    return _NO_IDS if _tracer is None else _tracer.ids()


async def close() -> None:
    """Send what is left, for at most some seconds."""
    if _tracer is not None:
        await _tracer.close()
