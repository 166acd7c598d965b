"""Spans by OpenTelemetry: what `tracing` uses where they are asked for, and alone imports its libraries."""

import asyncio
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, cast

from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode

from service.platform.tracing import Headers

_CLOSES_WITHIN: Final = 5.0
"""Seconds: a collector that is away must not keep the process from ending."""


class OpenTelemetry:
    """Makes spans and sends them by OTLP over HTTP, from a thread of the SDK's own."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._templates = templates
        self._fields = {name.encode("latin-1") for name in propagate.get_global_textmap().fields}
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "loyalty"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("loyalty")

    def start(self, method: str, headers: Headers) -> Span:
        """Begin the span of a request, below the one that its `traceparent` names."""
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in self._fields}
        span = self._tracer.start_span(method, propagate.extract(carried), SpanKind.SERVER)
        span.set_attribute("http.request.method", method)
        return span

    def within(self, span: object) -> AbstractContextManager[None]:
        """Make a span the one of the moment."""
        return self._within(cast("Span", span))

    @contextmanager
    def _within(self, span: Span) -> Generator[None]:
        token = context.attach(trace.set_span_in_context(span))
        try:
            yield
        finally:
            context.detach(token)

    def end(self, span: object, method: str, operation: str, status: int) -> None:
        """End the span of a request, named as OpenTelemetry asks: by method and route, without a route by method."""
        ending = cast("Span", span)
        template = self._templates.get(operation)
        if template is not None:
            ending.update_name(f"{method} {template}")
            ending.set_attribute("http.route", template)
        if status:
            ending.set_attribute("http.response.status_code", status)
        if status >= 500:  # noqa: PLR2004 - the service's faults
            ending.set_status(Status(StatusCode.ERROR))
        ending.end()

    def here(self) -> SpanContext | None:
        """Return the span of the request that is served here; None for one that nobody samples."""
        found = trace.get_current_span().get_span_context()
        return found if found.is_valid and found.trace_flags.sampled else None

    def batch(self, name: str, spans: Sequence[Any]) -> AbstractContextManager[None]:
        """Make a span below the first request's, linked to those of all."""
        return self._batch(name, spans)

    @contextmanager
    def _batch(self, name: str, spans: Sequence[SpanContext]) -> Generator[None]:
        below = trace.set_span_in_context(trace.NonRecordingSpan(spans[0]))
        links = [Link(span) for span in spans[1:]]
        # A fault's message may hold what a caller sent: only that there was one is told.
        with self._tracer.start_as_current_span(
            f"batch of {name}", below, links=links, record_exception=False, set_status_on_exception=False
        ) as span:
            span.set_attribute("loyalty.batch.size", len(spans))
            yield

    def ids(self) -> Mapping[str, str]:
        """Name the span in which something is told."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return {}
        return {"trace_id": trace.format_trace_id(found.trace_id), "span_id": trace.format_span_id(found.span_id)}

    async def close(self) -> None:
        """Send what is left."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _CLOSES_WITHIN
        while closing.is_alive() and loop.time() < give_up:  # noqa: ASYNC110 - a thread's end is no event of the loop
            await asyncio.sleep(0.02)
