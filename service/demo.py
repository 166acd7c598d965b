"""`./run`: everything on one machine, with a test program to try it on. Never for production."""

import asyncio
import json
import os
import random
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from types import FrameType
from typing import Final
from zoneinfo import ZoneInfo

import click
import uvicorn

# So that the numbers that the worker counts are known in this process, too.
import service.worker  # noqa: F401 # pyright: ignore[reportUnusedImport]
from service.app import METRICS_FOLDER, spare_the_collector, uvicorn_config
from service.kernel.errors import NotFound
from service.platform import migrations
from service.platform.authentication import hash_of_key, new_key
from service.platform.command_line import listen
from service.platform.database import Database
from service.platform.embedded import ChildPlan, ChildProcess, EmbeddedServers
from service.platform.embedded.child_log import ChildLog
from service.platform.embedded.private_file import write_private
from service.platform.importing.csv_lines import WHITESPACE
from service.platform.importing.mapping import Mapping
from service.platform.importing.table import Table, Tally, Told
from service.platform.metrics.process import shared_folder
from service.platform.roles import Role
from service.platform.settings import CHECKOUT, Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.portal.demo import seeding
from service.programs import usecases as programs
from service.programs.rules import Program, ProgramSettings
from service.purchases.importing.table import import_purchases

DEMO_PROGRAM: Final = "demo"
SHOP_PROGRAM: Final = "demo-shop"
"""The one of the shop under /demo, which begins with rules, tiers, rewards and games; the other begins with nothing."""
_KEYS: Final = "keys.json"
_KEYS_OF_SHOP: Final = "shop-keys.json"
SAMPLE: Final = CHECKOUT / "tests" / "data" / "cdnow_sample.txt"


def start(settings: Settings, *, with_sample: bool) -> None:
    """Start servers where none are given, then the API in this process and the worker beside it, until told to stop."""
    listener = listen(settings.host, settings.port)
    _stop_on_signals()
    with shared_folder() as folder:
        _start(settings.model_copy(update={"metrics_folder": folder}), listener, with_sample=with_sample)


def _start(settings: Settings, listener: socket, *, with_sample: bool) -> None:
    wants_postgres, wants_redis = settings.database_url is None, settings.redis_url is None
    servers = EmbeddedServers(settings.data_dir, _say, postgres=wants_postgres, valkey=wants_redis)
    worker: ChildProcess | None = None
    try:
        addresses = servers.start()
        settings = settings.model_copy(
            update={
                "database_url": settings.database_url or addresses.database_url,
                "database_owner_url": settings.database_owner_url or addresses.owner_database_url,
                "redis_url": settings.redis_url or addresses.redis_url,
                "demo": settings.demo or SHOP_PROGRAM,
            }
        )
        asyncio.run(_prepare(settings, with_sample=with_sample))
        worker = _worker(settings)
        worker.start()
        config = uvicorn_config(settings)
        spare_the_collector()
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(settings, config, listener, servers, worker))
    except KeyboardInterrupt:
        pass
    finally:
        _ignore_signals()
        if worker is not None:
            worker.stop()
        servers.stop()


def _say(line: str) -> None:
    click.echo(line)


def _stop_on_signals() -> None:
    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def _ignore_signals() -> None:
    # The way out is under way; a second Ctrl-C must not leave it half done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _prepare(settings: Settings, *, with_sample: bool) -> None:
    applied = await migrations.migrate(settings.database_owner_url or settings.database_url or "")
    if applied:
        _say(f"Migrated the database: {', '.join(applied)}.")
    database = Database(settings)
    await database.open(size=2)
    try:
        program = await transact(database.connection, _demo_program)
        shop = await transact(database.connection, lambda db: _shop_program(db, _address(settings)))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        for each, name in ((program, _KEYS), (shop, _KEYS_OF_SHOP)):
            await _write_keys(database, each, settings.data_dir / name)
        if with_sample:
            await _fill(database, program)
    finally:
        await database.close()


def _kept_keys(keys_file: Path) -> dict[str, str]:
    try:
        return json.loads(keys_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


async def _demo_program(db: Db) -> Program:
    """Make the test program where it is missing."""
    try:
        return await programs.program_with_code(db, DEMO_PROGRAM)
    except NotFound:
        return await programs.create_program(db, code=DEMO_PROGRAM, name="Demo", live=False, settings=ProgramSettings())


async def _shop_program(db: Db, address: str) -> Program:
    """Make the demo shop's program, with all that is in it, where it is missing; one that is there stays as it is."""
    try:
        return await programs.program_with_code(db, SHOP_PROGRAM)
    except NotFound:
        return await seeding.make(db, code=SHOP_PROGRAM, address=address)


async def _write_keys(database: Database, program: Program, keys_file: Path) -> None:
    """Write a program's keys to a file, made anew where the ones that it holds don't fit."""
    kept = _kept_keys(keys_file)
    keys = await transact(database.connection, lambda db: _fitting_keys(db, program, kept))
    write_private(keys_file, json.dumps(keys, indent=2) + "\n")


async def _fitting_keys(db: Db, program: Program, kept: dict[str, str]) -> dict[str, str]:
    """Make a key for each role where the kept one doesn't fit."""
    actors = await programs.valid_actors(db)
    keys = dict[str, str]()
    for role in Role:
        key = kept.get(role.value, "")
        actor = actors.get(hash_of_key(key))
        if actor is None or actor.program_id != program.id or actor.role is not role:
            key = new_key(live=False)
            await programs.add_key(
                db, program_id=program.id, role=role, name="demo", key=key, entropy=random.getrandbits(62)
            )
        keys[role.value] = key
    return keys


async def _fill(database: Database, program: Program) -> None:
    """Book the CDNOW sample. Its columns: customer id in the master file, and in the sample, day, CDs, dollars.

    Customers are called by the master file's id, which is the shop's own. A start with what is there already books
    nothing.
    """
    mapping = Mapping(
        columns={"customer_id": "1", "occurred_at": "3", "item.quantity": "4", "item.amount": "5", "total": "5"},
        values={"currency": "USD", "item.category": "cd"},
        id_template="cdnow-{line}",
        date_format="%Y%m%d",
        decimal_mark=".",
        header=False,
    )
    table = Table(SAMPLE, mapping, delimiter=WHITESPACE, zone=ZoneInfo("UTC"))
    tally = Tally()
    told = Told(lambda first, _, why: _say(f"line {first} of the sample: {why}"))
    _say("Filling the program with sample purchases ...")
    await import_purchases(database, table, program_code=program.code, tally=tally, told=told)
    _say(f"The sample purchases: {tally.booked:,} booked, {tally.known:,} there already, {tally.bad:,} bad.")


def _worker(settings: Settings) -> ChildProcess:
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        METRICS_FOLDER: str(settings.metrics_folder),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONSAFEPATH": "1",
    }
    if settings.database_owner_url is not None:
        environment["DATABASE_OWNER_URL"] = settings.database_owner_url
    command = [sys.executable, "-m", "service", "worker"]
    log = ChildLog(settings.data_dir / "log" / "worker.log")
    return ChildProcess(ChildPlan(name="the worker", command=command, environment=environment, log=log), _say)


async def _serve(
    settings: Settings,
    config: uvicorn.Config,
    listener: socket,
    servers: EmbeddedServers,
    worker: ChildProcess,
) -> None:
    server = uvicorn.Server(config)
    watching = asyncio.create_task(_watch(servers, worker, server))
    greeting = asyncio.create_task(_greet(settings, server))
    try:
        await server.serve(sockets=[listener])
    finally:
        greeting.cancel()
        watching.cancel()
        await asyncio.gather(greeting, return_exceptions=True)
        (fault,) = await asyncio.gather(watching, return_exceptions=True)
    if isinstance(fault, Exception):
        raise fault


async def _watch(servers: EmbeddedServers, worker: ChildProcess, server: uvicorn.Server) -> None:
    """Start again what dies; end everything when that fails."""
    try:
        while True:
            servers.check()
            worker.check()
            await asyncio.sleep(0.5)
    except Exception:
        server.should_exit = True
        raise


def _address(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}" if settings.public_url is None else settings.public_url.rstrip("/")


async def _greet(settings: Settings, server: uvicorn.Server) -> None:
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.05)
    address = _address(settings)
    keys_file, now = settings.data_dir / _KEYS, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    key = json.loads(keys_file.read_text(encoding="utf-8"))["checkout"]
    _say(f"""
The service is at     {address}
A shop to play with   {address}/demo
Its API explained     {address}/docs
Keys of the program   {keys_file}

Report a purchase:

curl -s {address}/v1/purchases -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
  -d '{{"id":"order-1001","customer_id":"c-42","occurred_at":"{now}","currency":"EUR","total":12990}}'

Ctrl-C stops it; what was booked stays.""")
