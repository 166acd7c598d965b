"""Measuring a case: one side after the other, each with what it cost."""

import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks import database
from benchmarks import pgbench as database_alone
from benchmarks.processes import total_cpu_seconds
from benchmarks.stand import Stand
from service.platform.settings import CHECKOUT

SERVICE, PGBENCH = SIDES = ("service", "pgbench")
_IDLE_FLUSH_SECONDS = 11.0
"""A backend of Postgres that is idle tells its counters after ten seconds."""


@dataclass(frozen=True)
class Case:
    """One thing to measure on both sides.

    `customers` 0 means all that there are. `load` is the share of pgbench's own rate (closed arrivals, as many
    connections) at which calls arrive, whoever waits; 0 is closed arrivals: each connection calls when it is answered.
    """

    name: str
    kind: str
    connections: int
    customers: int = 0
    after_checkpoint: bool = False
    load: float = 0.0


PURCHASES_AT_64 = Case("purchases, 64 connections", "purchases", 64)
CASES = (
    PURCHASES_AT_64,
    Case("purchases, 16 connections", "purchases", 16),
    Case("purchases, 1 connection", "purchases", 1),
    Case("purchases, 64, 20 hot customers", "purchases", 64, customers=20),
    Case("purchases, 64, open arrivals at 0.7 of pgbench's rate", "purchases", 64, load=0.7),
    Case("balances, 64 connections", "balances", 64),
    Case("purchases, 64, first seconds after a checkpoint", "purchases", 64, after_checkpoint=True),
)


@dataclass(frozen=True)
class Result:
    """What one side did in one measurement. Latencies in ms, costs for each call: microseconds of CPU, bytes of WAL."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu: dict[str, float]
    wal: float
    checkpoints: int


@dataclass
class Measured:
    """What the repetitions of a case gave, by side."""

    results: dict[str, list[Result]] = field(default_factory=lambda: {side: list[Result]() for side in SIDES})

    def ratios(self) -> list[float]:
        """Return the service's rate over pgbench's, of each repetition."""
        pairs = zip(self.results[SERVICE], self.results[PGBENCH], strict=True)
        return [service.rate / alone.rate for service, alone in pairs]


def measure(stand: Stand, case: Case, seconds: int, measured: Measured, *, turn: int, closed_rate: float) -> None:
    """Measure a case once on both sides. Who is first changes with each `turn`: the second finds warmer pages."""
    for side in SIDES if turn % 2 else reversed(SIDES):
        if case.after_checkpoint:
            asyncio.run(database.execute(stand.url, "CHECKPOINT"))
        measured.results[side].append(_measure(stand, case, side, seconds, case.load * closed_rate))


def _measure(stand: Stand, case: Case, side: str, seconds: int, rate: float) -> Result:
    before, cpu_before, client_before = asyncio.run(database.written(stand.url)), _cpu(stand), _client_cpu()
    if side == PGBENCH:
        alone = database_alone.run(
            stand.pgbench,
            stand.url,
            stand.host,
            kind=case.kind,
            program_id=stand.program_id,
            customers=case.customers or stand.customers,
            connections=case.connections,
            seconds=seconds,
            rate=rate,
        )
        calls, seen_rate, p50, p99 = alone.calls, alone.rate, alone.p50_ms, alone.p99_ms
    else:
        seen = run_load(stand, case, seconds, rate)
        strangers = set(seen["statuses"]) - {"200", "201"}
        assert not strangers, f"the service answered {seen['statuses']}"
        calls, seen_rate, p50, p99 = seen["sent"], seen["calls"] / seen["seconds"], seen["p50_ms"], seen["p99_ms"]
    used = {name: spent - cpu_before[name] for name, spent in _cpu(stand).items()} | {
        "client": _client_cpu() - client_before
    }
    wrote = asyncio.run(database.written(stand.url))
    return Result(
        seen_rate,
        p50,
        p99,
        {name: 1e6 * spent / max(calls, 1) for name, spent in used.items()},
        (wrote.wal_bytes - before.wal_bytes) / max(calls, 1),
        wrote.checkpoints - before.checkpoints,
    )


def settle(stand: Stand, seconds: int) -> None:
    """Book for a while: a page's first change since a checkpoint (the server's start is one) writes the whole page."""
    run_load(stand, PURCHASES_AT_64, seconds, 0.0)


def rows_written(stand: Stand, side: str) -> dict[str, float]:
    """Return how many rows a purchase writes, by table: a side's own run, counted from rest to rest."""
    time.sleep(_IDLE_FLUSH_SECONDS)
    before = asyncio.run(database.written(stand.url))
    if side == PGBENCH:
        alone = database_alone.run(
            stand.pgbench,
            stand.url,
            stand.host,
            kind="purchases",
            program_id=stand.program_id,
            customers=stand.customers,
            connections=16,
            seconds=1,
        )
        calls = alone.calls
    else:
        calls = run_load(stand, Case("", "purchases", 16), 1, 0.0)["sent"]
    time.sleep(_IDLE_FLUSH_SECONDS)
    wrote = asyncio.run(database.written(stand.url))
    return {name: (count - before.rows[name]) / calls for name, count in sorted(wrote.rows.items())}


def _cpu(stand: Stand) -> dict[str, float]:
    return {SERVICE: total_cpu_seconds([stand.service_pid]), "postgres": total_cpu_seconds([stand.postgres_pid])}


def _client_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_load(stand: Stand, case: Case, seconds: float, rate: float) -> dict[str, Any]:
    """Call the service and return what was seen."""
    plan = {
        "port": stand.port,
        "key": stand.key,
        "kind": case.kind,
        "connections": case.connections,
        "seconds": seconds,
        "customers": case.customers or stand.customers,
        "run": f"b{random.getrandbits(40):x}",
        "rate": rate,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    return json.loads(done.stdout)
