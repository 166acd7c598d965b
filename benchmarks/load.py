"""A load of HTTP calls that costs little itself: raw protocols, prepared bytes, no client library.

Run as a process of its own: `python -m benchmarks.load`, its plan as JSON on standard input; it prints what it saw.
Closed arrivals: each connection sends its next call when the last is answered. Open arrivals: calls are due at fixed
times and their latency counts from then, so that waiting for a connection is not left out.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from typing import Any, cast

import msgspec
import uvloop

_HEAD_END = b"\r\n\r\n"


class Plan(msgspec.Struct, frozen=True):
    """What to call. `kind` is purchases or balances; `rate` in calls a second is for open arrivals, 0 for closed."""

    port: int
    key: str
    kind: str
    connections: int
    seconds: float
    customers: int
    run: str
    rate: float = 0.0
    skip_seconds: float = 1.0


class Seen(msgspec.Struct):
    """What came of it. Latencies in milliseconds; `offered` is what was due under open arrivals."""

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    greatest_ms: float
    statuses: dict[str, int]
    offered: int = 0


class _Calls:
    """Makes the bytes of calls, one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._number = 0
        self._random = random.Random(plan.run)
        self._common = f"Host: 127.0.0.1\r\nAuthorization: Bearer {plan.key}\r\n"

    def next(self) -> bytes:
        self._number += 1
        customer = self._random.randint(1, self._plan.customers)
        if self._plan.kind == "balances":
            return f"GET /v1/customers/c-{customer}/balance HTTP/1.1\r\n{self._common}\r\n".encode()
        body = (
            f'{{"id":"{self._plan.run}-{self._number}","customer_id":"c-{customer}",'
            f'"occurred_at":"2026-11-21T10:00:00Z","currency":"EUR","total":{self._random.randint(100, 20000)},'
            '"tax":2074,"shipping":490,"channel":"web","items":[{"id":"1","sku":"TEA-1","category":"tea",'
            '"quantity":2,"amount":12500}]}'
        )
        head = f"POST /v1/purchases HTTP/1.1\r\n{self._common}Content-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class _Connection(asyncio.Protocol):
    """One connection: one call at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._received = b""
        self._began = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, began: float) -> None:
        assert self._transport is not None
        self._began = began
        self._transport.write(self._load.calls.next())

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(_HEAD_END)
        if end < 0:
            self._received = received
            return
        head = received[:end].lower()
        at = head.find(b"content-length: ")
        line_end = head.find(b"\r\n", at)
        length = int(head[at + 16 : line_end if line_end > 0 else end]) if at > 0 else 0
        if len(received) < end + 4 + length:
            self._received = received
            return
        self._received = b""
        self._load.answered(self, received[9:12], self._began)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._load.lost()


class _Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.calls = _Calls(plan)
        self._latencies: list[float] = []
        self._statuses: dict[str, int] = {}
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._counted_from = 0.0
        self._ends = 0.0
        self._offered = 0

    async def run(self) -> Seen:
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.plan.port))[1]
            for _ in range(self.plan.connections)
        ]
        begin = time.perf_counter()
        self._counted_from, self._ends = (
            begin + self.plan.skip_seconds,
            begin + self.plan.skip_seconds + self.plan.seconds,
        )
        if self.plan.rate:
            self._idle.extend(connections)
            await self._offer(begin)
        else:
            for connection in connections:
                connection.send(time.perf_counter())
            await asyncio.sleep(self._ends - time.perf_counter())
        return self._seen()

    async def _offer(self, begin: float) -> None:
        number = 0
        while (now := time.perf_counter()) < self._ends:
            due = begin + number / self.plan.rate
            while due <= now:
                self._due.append(due)
                self._offered += due >= self._counted_from
                number += 1
                due = begin + number / self.plan.rate
            while self._due and self._idle:
                self._idle.popleft().send(self._due.popleft())
            await asyncio.sleep(min(0.001, max(0.0, due - now)))

    def answered(self, connection: _Connection, status: bytes, began: float) -> None:
        now = time.perf_counter()
        if self._counted_from <= now < self._ends:
            self._latencies.append(now - began)
            name = status.decode()
            self._statuses[name] = self._statuses.get(name, 0) + 1
        if not self.plan.rate:
            connection.send(now)
        elif self._due:
            connection.send(self._due.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        self._statuses["lost"] = self._statuses.get("lost", 0) + 1

    def _seen(self) -> Seen:
        ordered = sorted(self._latencies) or [float("nan")]

        def quantile(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

        return Seen(
            len(self._latencies),
            self.plan.seconds,
            quantile(0.5),
            quantile(0.99),
            quantile(1.0),
            self._statuses,
            self._offered,
        )


def main() -> None:
    """Read the plan, run it, print what was seen."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen: Any = msgspec.to_builtins(runner.run(_Load(plan).run()))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
