"""A collector of traces at the edge of the network: it takes what is sent by OTLP over HTTP, and keeps it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What was received."""

    address: str = ""
    spans: list[Span] = field(default_factory=list[Span])
    services: set[str] = field(default_factory=set[str])
    raw: bytes = b""

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]


def attributes(span: Span) -> Mapping[str, str | int]:
    """Return a span's attributes."""
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@asynccontextmanager
async def collecting() -> AsyncGenerator[Collector]:
    """Run a collector on a free port."""
    collector = Collector()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        collector.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
            collector.services.update(named)
            collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    collector.address = f"http://{host}:{port}"
    try:
        yield collector
    finally:
        await runner.cleanup()
