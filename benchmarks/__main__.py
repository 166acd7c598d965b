"""The service beside pgbench, on the same tables, in one run: `python -m benchmarks`, after `./run test --version`."""

import asyncio
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import click
from rich.console import Console
from rich.table import Table

from benchmarks import database
from benchmarks import pgbench as database_alone
from benchmarks.processes import machine, total_cpu_seconds
from service.platform import migrations
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.embedded import EmbeddedServers
from service.platform.roles import Role
from service.platform.settings import CHECKOUT, Settings
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import ProgramSettings


@dataclass(frozen=True)
class Case:
    """One thing to measure on both sides."""

    name: str
    kind: str
    connections: int
    customers: int
    after_checkpoint: bool = False


@dataclass
class Measured:
    """What the repetitions of a case gave: one entry each."""

    service: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pgbench: list[database_alone.Result] = field(default_factory=list[database_alone.Result])
    cpu: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    wal: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    rows: list[dict[str, dict[str, float]]] = field(default_factory=list[dict[str, dict[str, float]]])


@dataclass(frozen=True)
class Stand:
    """Everything that runs."""

    url: str
    key: str
    program_id: int
    port: int
    server_pid: int
    postgres_pid: int
    pgbench: str


def cases(customers: int) -> list[Case]:
    """Return what is measured."""
    return [
        Case("purchases, 1 connection", "purchases", 1, customers),
        Case("purchases, 16 connections", "purchases", 16, customers),
        Case("purchases, 64 connections", "purchases", 64, customers),
        Case("purchases, 64, 20 hot customers", "purchases", 64, 20),
        Case("purchases, 64, after a checkpoint", "purchases", 64, customers, after_checkpoint=True),
        Case("balances, 64 connections", "balances", 64, customers),
    ]


@contextmanager
def serving(settings: Settings, port: int, processes: int) -> Generator[int]:
    """Run the service as in production; gives the process id."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "DATABASE_OWNER_URL": settings.database_owner_url or "",
        "REDIS_URL": settings.redis_url or "",
        "LOYALTY_PORT": str(port),
        "PYTHONPATH": str(CHECKOUT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--processes", str(processes)],
        env=environment,
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def measure(stand: Stand, case: Case, seconds: int, measured: Measured) -> None:
    """Measure a case once: pgbench, then the service."""
    for side in ("pgbench", "service"):
        if case.after_checkpoint:
            asyncio.run(database.execute(stand.url, "CHECKPOINT"))
        before = asyncio.run(database.written(stand.url))
        cpu_before = _cpu(stand)
        if side == "pgbench":
            result = database_alone.run(
                stand.pgbench,
                stand.url,
                kind=case.kind,
                program_id=stand.program_id,
                customers=case.customers,
                connections=case.connections,
                seconds=seconds,
            )
            measured.pgbench.append(result)
            calls, cpu = result.rate * seconds, _used(cpu_before, _cpu(stand))
        else:
            seen = _load(stand, case, seconds)
            measured.service.append(seen)
            calls, cpu = seen["calls"] * (seconds + 1) / seconds, _used(cpu_before, _cpu(stand))
        time.sleep(1.2)  # the server's counters are told once a second
        difference = asyncio.run(database.written(stand.url)).since(before)
        per_call = {name: 1e6 * value / max(calls, 1) for name, value in cpu.items()}
        _note(measured, side, per_call, difference, calls)


def _note(measured: Measured, side: str, cpu: dict[str, float], wrote: database.Written, calls: float) -> None:
    wal = wrote.wal_bytes / max(calls, 1)
    rows = {name: round(count / max(calls, 1), 2) for name, count in wrote.rows.items()}
    if side == "pgbench":
        measured.cpu.append({"postgres under pgbench": cpu["postgres"]})
        measured.wal.append((0.0, wal))
        measured.rows.append({"pgbench": rows})
    else:
        measured.cpu[-1] |= {"service": cpu["service"], "postgres under the service": cpu["postgres"]}
        measured.wal[-1] = (wal, measured.wal[-1][1])
        measured.rows[-1]["service"] = rows


def _cpu(stand: Stand) -> dict[str, float]:
    return {
        "service": total_cpu_seconds([stand.server_pid]),
        "postgres": total_cpu_seconds([stand.postgres_pid]),
    }


def _used(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def _load(stand: Stand, case: Case, seconds: float, rate: float = 0.0) -> dict[str, Any]:
    plan = {
        "port": stand.port,
        "key": stand.key,
        "kind": case.kind,
        "connections": case.connections,
        "seconds": seconds,
        "customers": case.customers,
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


def report(console: Console, measured: dict[Case, Measured]) -> None:
    """Print both sides and their ratios: medians of the repetitions."""
    table = Table(title="Medians; the ratio is the median of the ratios of each repetition")
    for heading in ("case", "service /s", "pgbench /s", "ratio", "service p50", "p99 ms", "pgbench p50", "p99 ms"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for case, found in measured.items():
        rates = [seen["calls"] / seen["seconds"] for seen in found.service]
        ratios = [rate / result.rate for rate, result in zip(rates, found.pgbench, strict=True)]
        table.add_row(
            case.name,
            f"{statistics.median(rates):,.0f}",
            f"{statistics.median(r.rate for r in found.pgbench):,.0f}",
            f"{statistics.median(ratios):.2f}",
            *(f"{statistics.median(seen[name] for seen in found.service):.1f}" for name in ("p50_ms", "p99_ms")),
            f"{statistics.median(r.p50_ms for r in found.pgbench):.1f}",
            f"{statistics.median(r.p99_ms for r in found.pgbench):.1f}",
        )
    console.print(table)
    costs = Table(title="Cost of one call: CPU microseconds by process, bytes of WAL")
    for heading in ("case", "service", "postgres", "postgres, pgbench", "WAL", "WAL, pgbench"):
        costs.add_column(heading, justify="left" if heading == "case" else "right")
    for case, found in measured.items():
        costs.add_row(
            case.name,
            *(
                f"{statistics.median(cpu[name] for cpu in found.cpu):.0f}"
                for name in ("service", "postgres under the service", "postgres under pgbench")
            ),
            *(f"{statistics.median(wal[side] for wal in found.wal):,.0f}" for side in (0, 1)),
        )
    console.print(costs)
    for case, found in measured.items():
        for side, rows in found.rows[-1].items():
            told = ", ".join(f"{name} {count}" for name, count in sorted(rows.items()) if count)
            console.print(f"Rows written a call, {case.name}, {side}: {told or 'none'}")


@click.command()
@click.option("--purchases", default=10_000_000, show_default=True, help="Past purchases to begin with.")
@click.option("--customers", default=1_000_000, show_default=True)
@click.option("--seconds", default=10, show_default=True, help="Of each measurement.")
@click.option("--repetitions", default=3, show_default=True)
@click.option("--processes", default=os.cpu_count() or 1, show_default=True, help="Of the service.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the filled database here for the next run.")
@click.option("--only", help="Cases whose name holds this.")
def main(
    purchases: int,
    customers: int,
    seconds: int,
    repetitions: int,
    processes: int,
    folder: Path | None,
    only: str | None,
) -> None:
    """Measure the service beside pgbench doing the same on the same tables."""
    console = Console(width=130)
    kept = folder or Path(tempfile.mkdtemp(prefix="loyalty-benchmark-"))
    servers = EmbeddedServers(kept, console.print)
    try:
        addresses = servers.start()
        settings = Settings.model_validate(
            {
                "DATABASE_URL": addresses.database_url,
                "DATABASE_OWNER_URL": addresses.owner_database_url,
                "REDIS_URL": addresses.redis_url,
            }
        )
        owner = _as_superuser(addresses.owner_database_url or "", kept)
        asyncio.run(migrations.migrate(addresses.owner_database_url or ""))
        key = new_key(live=False)
        program_id = asyncio.run(_program(settings, key))
        asyncio.run(database.fill(owner, program_id=program_id, customers=customers, purchases=purchases))
        asyncio.run(database.prepare_booking(owner))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        postgres_pid = servers.process_ids["Postgres"]
        assert postgres_pid is not None
        binary = str(Path(f"/proc/{postgres_pid}/exe").resolve().parent / "pgbench")
        measured: dict[Case, Measured] = {
            case: Measured() for case in cases(customers) if not only or only in case.name
        }
        with serving(settings, port, processes) as pid:
            stand = Stand(owner, key, program_id, port, pid, postgres_pid, binary)
            for repetition in range(repetitions):
                for case, found in measured.items():
                    console.print(f"{repetition + 1} of {repetitions}: {case.name}", style="dim")
                    measure(stand, case, seconds, found)
        console.print(
            f"On {machine()}; the load on the same machine. {purchases:,} past purchases of {customers:,} "
            f"customers. Service: {processes} processes. {repetitions} repetitions of {seconds} s each."
        )
        report(console, measured)
        indexes = asyncio.run(database.indexes_of_a_purchase(owner))
        console.print(f"B-trees that a purchase of a known customer is inserted into, by both: {', '.join(indexes)}")
    finally:
        servers.stop()
        if folder is None:
            shutil.rmtree(kept, ignore_errors=True)


def _as_superuser(owner_url: str, folder: Path) -> str:
    """Return the address for the server's superuser, who alone may ask for a checkpoint."""
    password = json.loads((folder / "passwords.json").read_text(encoding="utf-8"))["postgres"]
    parts = urlsplit(owner_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"postgres:{password}@{place}"))


async def _program(settings: Settings, key: str) -> int:
    opened = Database(settings)
    await opened.open(size=1)

    async def work(db: Any) -> int:
        found = [program for program in await programs.list_programs(db) if program.code == "benchmark"]
        program = (
            found[0]
            if found
            else await programs.create_program(
                db, code="benchmark", name="Benchmark", live=False, settings=ProgramSettings()
            )
        )
        await programs.add_key(
            db, program_id=program.id, role=Role.CHECKOUT, name="load", key=key, entropy=random.getrandbits(62)
        )
        return program.id

    try:
        return await transact(opened.connection, work)
    finally:
        await opened.close()


if __name__ == "__main__":
    main()
