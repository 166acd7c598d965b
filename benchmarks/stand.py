"""Everything that runs while measuring: servers of its own, a filled database, the service as in production."""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from rich.console import Console

from benchmarks import database
from service.platform import migrations
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.embedded import EmbeddedServers
from service.platform.roles import Role
from service.platform.settings import CHECKOUT, Settings
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import KeyLimit, ProgramSettings

_MEGABYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024 // 1024
POSTGRES_SETTINGS = {
    "shared_buffers": f"{_MEGABYTES // 4}MB",  # as its manual advises for a server of its own
    # Checkpoints come when a case asks for one, so that the others are measured without.
    "checkpoint_timeout": "1h",
    "max_wal_size": "64GB",
}


@dataclass(frozen=True)
class Stand:
    """What is measured: `url` is the database's for its superuser, `pgbench` the program of that name.

    pgbench calls the database at the address `host` over TCP, as callers call the service. `settings` are the
    service's.
    """

    settings: Settings
    url: str
    host: str
    key: str
    program_id: int
    port: int
    service_pid: int
    postgres_pid: int
    pgbench: str
    customers: int


@contextmanager
def standing(console: Console, folder: Path, *, customers: int, purchases: int, processes: int) -> Generator[Stand]:
    """Start all that is measured, fill what is empty, and stop it at the end."""
    folder.chmod(0o711)  # run by root, Postgres is another user
    rules = folder / "benchmark_hba.conf"
    rules.write_text("local all all scram-sha-256\nhost all all 127.0.0.0/8 scram-sha-256\n", encoding="ascii")
    rules.chmod(0o644)
    address = f"127.{random.randint(1, 254)}.0.1"
    settings_of_server = POSTGRES_SETTINGS | {"listen_addresses": address, "hba_file": str(rules)}
    servers = EmbeddedServers(folder, console.print, postgres_settings=settings_of_server)
    try:
        addresses = servers.start()
        settings = Settings.model_validate(
            {
                "DATABASE_URL": addresses.database_url,
                "DATABASE_OWNER_URL": addresses.owner_database_url,
                "REDIS_URL": addresses.redis_url,
            }
        )
        owner = _as_superuser(addresses.owner_database_url or "", folder)
        asyncio.run(migrations.migrate(addresses.owner_database_url or ""))
        key = new_key(live=False)
        program_id = asyncio.run(_program(settings, key))
        asyncio.run(database.fill(owner, program_id=program_id, customers=customers, purchases=purchases))
        asyncio.run(database.prepare_booking(owner))
        console.print("Warming up", style="dim")
        asyncio.run(database.warm(owner))
        postgres_pid = servers.process_ids["Postgres"]
        assert postgres_pid is not None
        pgbench = str(Path(f"/proc/{postgres_pid}/exe").resolve().parent / "pgbench")
        port = free_port()
        with serving(settings, port, processes) as service_pid:
            yield Stand(settings, owner, address, key, program_id, port, service_pid, postgres_pid, pgbench, customers)
    finally:
        servers.stop()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serving(settings: Settings, port: int, processes: int, *, path: Path | None = None) -> Generator[int]:
    """Run the service as in production, with a folder of modules before all others; gives the process id."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "DATABASE_OWNER_URL": settings.database_owner_url or "",
        "REDIS_URL": settings.redis_url or "",
        "LOYALTY_PORT": str(port),
        "PYTHONPATH": os.pathsep.join(str(each) for each in (path, CHECKOUT) if each),
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
            db,
            program_id=program.id,
            role=Role.CHECKOUT,
            name="load",
            key=key,
            entropy=random.getrandbits(62),
            limit=KeyLimit(10**6, 10**7),
        )
        return program.id

    try:
        return await transact(opened.connection, work)
    finally:
        await opened.close()
