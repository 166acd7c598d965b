"""A load of HTTP calls that costs little itself: bytes made beforehand, plain sockets, no client library.

Run as a process of its own: `python -m benchmarks.load`, its plan as JSON on standard input; it prints what it saw.
Closed arrivals: each connection sends its next call when the last is answered. Open arrivals: calls are due at fixed
times and their latency counts from then, so that waiting for a connection is not left out.
"""

import json
import random
import selectors
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_MADE_BEFOREHAND_A_SECOND: Final = 20_000
"""More than any side answers: bytes made while measuring would be paid for by those measured."""


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
    """What came of it. Latencies in milliseconds; `sent` is all calls, `offered` what was due under open arrivals."""

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    greatest_ms: float
    statuses: dict[str, int]
    sent: int
    offered: int = 0


def calls(plan: Plan) -> Iterator[bytes]:
    """Make the bytes of calls, one after the other."""
    chance = random.Random(plan.run)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # campaigns draw for what has just happened
    common = f"Host: 127.0.0.1\r\nAuthorization: Bearer {plan.key}\r\n"
    number = 0
    while True:
        number += 1
        customer = chance.randint(1, plan.customers)
        if plan.kind == "balances":
            yield f"GET /v1/customers/c-{customer}/balance HTTP/1.1\r\n{common}\r\n".encode()
            continue
        body = (
            f'{{"id":"{plan.run}-{number}","customer_id":"c-{customer}",'
            f'"occurred_at":"{now}","currency":"EUR","total":{chance.randint(100, 20000)},'
            '"tax":2074,"shipping":490,"channel":"web","items":[{"id":"1","sku":"TEA-1","category":"tea",'
            '"quantity":2,"amount":12500}]}'
        )
        head = f"POST /v1/purchases HTTP/1.1\r\n{common}Content-Type: application/json\r\n"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def is_whole(answer: bytes) -> bool:
    """Tell whether an answer is there with all of its body."""
    end = answer.find(_HEAD_END)
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        return True
    line_end = head.find(b"\r\n", at)
    length = int(head[at + len(_LENGTH) : line_end if line_end > 0 else end])
    return len(answer) >= end + len(_HEAD_END) + length


class _Connection:
    """One connection: one call at a time. `began` is when the call was due."""

    __slots__ = ("began", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.received = b""
        self.began = 0.0

    def answer(self) -> bytes | None:
        """Return the answer when it is whole; empty bytes when the connection is gone."""
        data = self.socket.recv(65536)
        if not data:
            return data
        received = self.received + data if self.received else data
        if not is_whole(received):
            self.received = received
            return None
        self.received = b""
        return received


class _Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._calls = calls(plan)
        ready = int((plan.seconds + plan.skip_seconds) * (plan.rate or _MADE_BEFOREHAND_A_SECOND))
        self._ready = deque(next(self._calls) for _ in range(ready))
        self._latencies: list[float] = []
        self._statuses = Counter[bytes]()
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._counted_from = self._ends = 0.0
        self._sent = self._offered = 0

    def run(self) -> Seen:
        connections = [_Connection(self._plan.port) for _ in range(self._plan.connections)]
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            begin = time.perf_counter()
            self._counted_from = begin + self._plan.skip_seconds
            self._ends = self._counted_from + self._plan.seconds
            self._idle.extend(connections)
            if self._plan.rate:
                self._run_open(selector, begin)
            else:
                self._run_closed(selector)
        return self._seen()

    def _run_closed(self, selector: selectors.BaseSelector) -> None:
        for connection in self._idle:
            self._send(connection, time.perf_counter())
        while time.perf_counter() < self._ends:
            for key, _ in selector.select(0.1):
                if self._take(key.data):
                    self._send(key.data, time.perf_counter())

    def _run_open(self, selector: selectors.BaseSelector, begin: float) -> None:
        number, rate = 0, self._plan.rate
        while (now := time.perf_counter()) < self._ends:
            while (due := begin + number / rate) <= now:
                self._due.append(due)
                self._offered += due >= self._counted_from
                number += 1
            while self._due and self._idle:
                self._send(self._idle.popleft(), self._due.popleft())
            for key, _ in selector.select(max(0.0, due - now)):
                if self._take(key.data):
                    self._idle.append(key.data)

    def _send(self, connection: _Connection, began: float) -> None:
        connection.began = began
        self._sent += 1
        connection.socket.send(self._ready.popleft() if self._ready else next(self._calls))

    def _take(self, connection: _Connection) -> bool:
        """Read what came; tell whether the call is answered."""
        answer = connection.answer()
        if answer is None:
            return False
        if not answer:
            msg = "the service closed a connection"
            raise ConnectionError(msg)
        now = time.perf_counter()
        if self._counted_from <= now < self._ends:
            self._latencies.append(now - connection.began)
            self._statuses[answer[9:12]] += 1
        return True

    def _seen(self) -> Seen:
        ordered = sorted(self._latencies) or [float("nan")]

        def quantile(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

        return Seen(
            len(self._latencies),
            self._plan.seconds,
            quantile(0.5),
            quantile(0.99),
            quantile(1.0),
            {status.decode(): count for status, count in self._statuses.items()},
            self._sent,
            self._offered,
        )


def main() -> None:
    """Read the plan, run it, print what was seen."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    seen: Any = msgspec.to_builtins(_Load(plan).run())
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
