"""Traces, where OpenTelemetry's environment asks for them; without it nothing of it is even imported."""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from service.platform.database import Database
from service.platform.settings import CHECKOUT, Settings
from tests.conftest import make_shop, prove
from tests.faults.api_process import api_process
from tests.faults.proxy import AtCommit, proxy_before
from tests.metrics.collector import attributes, collecting
from tests.shop import purchase

SWITCH = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
CANARY = re.compile(b"canary", re.IGNORECASE)


async def test_requests_and_their_batch_are_traced_below_the_callers_span(
    settings: Settings, database: Database, client: aiohttp.ClientSession
) -> None:
    assert settings.database_url is not None
    async with collecting() as collector, proxy_before(settings.database_url) as proxy:
        behind = settings.model_copy(update={"database_url": proxy.url})
        with tempfile.TemporaryFile() as log:
            async with api_process(behind, variables={SWITCH: collector.address}, log=log) as api:
                shop = await make_shop(database, api.address, client)
                sold = await shop.call("POST", "/v1/purchases", purchase(id="canary-1"), headers=TRACED)
                assert sold.status == 201
                await shop.call("GET", "/v1/customers/canary%2F2/balance", headers=TRACED)
                await shop.call("GET", "/v1/customers/canary%2F2/transactions", headers=TRACED)
                await shop.call("GET", "/v1/canary", headers=TRACED)
                await asyncio.gather(*(shop.buy(customer_id="canary@example.com") for _ in range(40)))
                proxy.at_next_commit(AtCommit.CUT)
                assert (await shop.call("POST", "/v1/purchases", purchase(), headers=TRACED)).status == 201
            log.seek(0)
            lines = [json.loads(line) for line in log.readlines()]

    of_caller = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    served = [span for span in of_caller if span.parent_span_id.hex() == PARENT]
    assert {(span.name, attributes(span).get("http.response.status_code")) for span in served} == {
        ("POST /v1/purchases", 201),
        ("GET /v1/customers/{customer_id}/balance", 404),
        ("GET /v1/customers/{customer_id}/transactions", 404),
        ("GET", 404),
    }
    assert all(span.kind == Span.SPAN_KIND_SERVER for span in served)
    first = next(span for span in served if span.name == "POST /v1/purchases")
    assert attributes(first) == {
        "http.request.method": "POST",
        "http.route": "/v1/purchases",
        "http.response.status_code": 201,
    }
    batches = collector.named("batch of purchases")
    assert [span for span in batches if span.parent_span_id == first.span_id and span.trace_id == first.trace_id]
    requests = {span.span_id for span in collector.named("POST /v1/purchases")}
    assert len(requests) == 42
    assert sum(int(attributes(span)["loyalty.batch.size"]) for span in batches) == 42
    assert {link.span_id for span in batches for link in span.links} | {s.parent_span_id for s in batches} == requests
    assert collector.services == {"loyalty"}
    assert not CANARY.search(collector.raw)
    assert not any(key.encode() in collector.raw for key in shop.keys.values())

    lost = [line for line in lines if line["event"] == "connection_lost"]
    told = {(line.get("trace_id"), line.get("span_id")) for line in lost}
    assert (TRACE,) in {each[:1] for each in told}, "a line of the log names the trace and the span that it belongs to"
    assert {each[1] for each in told if each[0] == TRACE} <= {span.span_id.hex() for span in of_caller}
    await prove(database)


async def test_a_fault_of_the_service_is_marked_in_its_span(settings: Settings, client: aiohttp.ClientSession) -> None:
    assert settings.database_url is not None
    async with collecting() as collector, proxy_before(settings.database_url) as proxy:
        behind = settings.model_copy(update={"database_url": proxy.url})
        traced = {SWITCH: collector.address, "OTEL_SERVICE_NAME": "tills"}
        async with api_process(behind, variables=traced) as api:
            for path, status in (("livez", 200), ("readyz", 503)):
                if status >= 500:
                    proxy.hang()
                async with client.get(f"{api.address}/{path}") as answer:
                    assert answer.status == status
            proxy.resume()
    statuses = {
        (span.name, attributes(span)["http.response.status_code"]): span.status.code for span in collector.spans
    }
    assert statuses["GET /livez", 200] == Status.STATUS_CODE_UNSET
    assert statuses["GET /readyz", 503] == Status.STATUS_CODE_ERROR
    assert collector.services == {"tills"}, "the variables of its SDK hold as well"


async def test_a_collector_that_is_away_harms_no_call_and_no_end(
    settings: Settings, client: aiohttp.ClientSession
) -> None:
    async with api_process(settings, variables={SWITCH: "http://127.0.0.1:1"}) as api:
        async with client.get(f"{api.address}/livez") as answer:
            assert answer.status == 200
        began = time.monotonic()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_without_the_variables_nothing_of_it_is_imported(variable: str) -> None:
    program = (
        "import sys; from service.app import create_app; from service.platform.settings import Settings; "
        "create_app(Settings.model_validate({'DATABASE_URL': 'postgresql://unused'})); "
        # The client of Redis looks for its metrics by itself where it is installed; nothing here uses them.
        "print(any(name.startswith(('opentelemetry.exporter', 'opentelemetry.sdk.trace')) for name in sys.modules))"
    )

    def imported(**environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert imported() == "False"
    assert imported(**{variable: "http://127.0.0.1:1"}) == "True"
