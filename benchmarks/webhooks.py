"""How late webhooks are told while one of them hangs: `python -m benchmarks.webhooks`, after `./run test --version`.

Events come at a rate; one worker tells of them, and the receivers are in a process of their own. A message's lag is
from when its event was booked to when the receiver has it.
"""

import asyncio
import json
import multiprocessing
import random
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from urllib.request import urlopen

import asyncpg
import click
import uvloop
from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks.processes import machine
from benchmarks.stand import free_port
from service import worker
from service.platform import migrations, telemetry
from service.platform.database import Database
from service.platform.embedded import temporary_servers
from service.platform.settings import Settings, WebhookTargets
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import ProgramSettings
from service.webhooks import usecases as webhooks
from service.webhooks.rules import NewWebhook

_HAPPENS: Final = """
INSERT INTO outbox
SELECT $1, (lpad(to_hex((extract(EPOCH FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '70008000'
    || right(replace(gen_random_uuid()::text, '-', ''), 12))::uuid,
    'customer.changed', c.id, gen_random_uuid(), clock_timestamp()
FROM customer AS c LIMIT $2
"""
_CUSTOMERS: Final = 1000
_PATIENCE: Final = 120
_LAG: Final = "s lag"


@click.command()
@click.option("--rate", default=1000, show_default=True, help="Events a second.")
@click.option("--seconds", default=30, show_default=True)
@click.option("--endpoints", default=2, show_default=True, help="Endpoints that answer; one more hangs.")
def main(rate: int, seconds: int, endpoints: int) -> None:
    """Measure the lag of endpoints beside one that hangs."""
    console, port = Console(width=140), free_port()
    with temporary_servers(postgres=True, valkey=False) as own:
        owner, url = own.addresses.owner_database_url, own.addresses.database_url
        assert owner is not None
        assert url is not None
        program_id = asyncio.run(_prepare(owner, [f"http://127.0.0.1:{port}/{n}" for n in ("hang", *range(endpoints))]))
        with _process(_receive, port), _process(_work, owner):
            time.sleep(3)
            happened = asyncio.run(_happen(owner, program_id, rate, seconds))
            lags = _told(port, endpoints, happened)
    table = Table(title=f"{rate} events a second for {seconds} s, {endpoints} endpoints beside one that hangs")
    for heading in ("endpoint", "messages", f"p50 {_LAG}", f"p99 {_LAG}", f"greatest {_LAG}"):
        table.add_column(heading, justify="right")
    for path, found in sorted(lags.items()):
        found.sort()
        shown = [f"{found[int(len(found) * share)]:.2f}" for share in (0.5, 0.99)]
        table.add_row(path, f"{len(found):,} of {happened:,}", *shown, f"{found[-1]:.2f}")
    console.print(table)
    console.print(f"On {machine()}.")


async def _prepare(url: str, targets: list[str]) -> int:
    await migrations.migrate(url)
    database = Database(Settings.model_validate({"DATABASE_URL": url}))
    await database.open(size=1)

    async def work(db: Db) -> int:
        made = await programs.create_program(db, code="b", name="B", live=False, settings=ProgramSettings())
        for target in targets:
            new, entropy = NewWebhook(target), random.getrandbits(62)
            secret = secrets.token_bytes(32)
            await webhooks.create(db, program_id=made.id, new=new, secret=secret, entropy=entropy)
        return made.id

    program_id = await transact(database.connection, work)
    await database.close()
    owner = await asyncpg.connect(url)
    await owner.execute(
        "INSERT INTO customer (program_id, external_id, enrolled_at) SELECT $1, 'c-' || n, now()"
        " FROM generate_series(1, $2) AS n",
        program_id,
        _CUSTOMERS,
    )
    await owner.close()
    return program_id


async def _happen(url: str, program_id: int, rate: int, seconds: int) -> int:
    """Let events come, evenly; returns how many."""
    owner, happened, began = await asyncpg.connect(url), 0, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        due = min(int(passed * rate) - happened, _CUSTOMERS)
        if due:
            await owner.execute(_HAPPENS, program_id, due)
            happened += due
        await asyncio.sleep(0.02)
    await owner.close()
    return happened


def _told(port: int, endpoints: int, happened: int) -> dict[str, list[float]]:
    """Wait until everything was told; returns the lags by path."""
    until = time.monotonic() + _PATIENCE
    while True:
        lags: dict[str, list[float]] = json.loads(urlopen(f"http://127.0.0.1:{port}/").read())
        if time.monotonic() > until or all(len(lags.get(f"/{n}", [])) >= happened for n in range(endpoints)):
            return lags
        time.sleep(0.5)


@contextmanager
def _process(work: Callable[..., None], *arguments: object) -> Generator[None]:
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join(10)


def _receive(port: int) -> None:
    lags: dict[str, list[float]] = {}

    async def take(request: web.Request) -> web.Response:
        told = json.loads(await request.read())
        lags.setdefault(request.path, []).append(time.time() - datetime.fromisoformat(told["timestamp"]).timestamp())
        return web.Response(status=204)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(lags)

    app = web.Application()
    app.router.add_get("/", tell)
    app.router.add_post("/hang", hang)
    app.router.add_post("/{number}", take)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def _work(url: str) -> None:
    telemetry.configure(50)
    settings = Settings.model_validate({"DATABASE_URL": url, "webhook_targets": WebhookTargets.ANY})
    uvloop.run(worker.run(settings))


if __name__ == "__main__":
    main()
