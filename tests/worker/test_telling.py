"""Purchases, the feed, lots that end and webhooks, with workers that are killed at random moments."""

import asyncio
import random
import subprocess
from datetime import UTC, datetime, timedelta

import aiohttp
from aiohttp import web

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.api.test_events import read_all
from tests.conftest import make_shop, prove, running
from tests.receiver import receiving, webhook
from tests.shop import Shop, purchase
from tests.stories.months import pass_time
from tests.worker.workers import start_worker, until

WRITERS, EACH, KILLS = 16, 12, 6


async def _buy(shop: Shop, writer: int) -> None:
    for number in range(EACH):
        body = purchase(id=f"o-{writer}-{number}", customer_id=f"c-{writer}", occurred_at=datetime.now(UTC).isoformat())
        assert (await shop.post("/v1/purchases", body)).status == 201
        await asyncio.sleep(random.random() * 0.2)


async def _kill(settings: Settings, workers: "list[subprocess.Popen[bytes]]") -> None:
    """Kill workers at random moments and start others in their place."""
    for _ in range(KILLS):
        await asyncio.sleep(random.random() * 1.5)
        place = random.randrange(len(workers))
        workers[place].kill()
        workers[place].wait()
        workers[place] = start_worker(settings, "tests.worker.telling", LOYALTY_WEBHOOK_TARGETS="any")


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


async def test_everything_is_told_at_least_once_and_ends_exactly_once_however_workers_are_killed(
    scratch: tuple[Settings, Db],
) -> None:
    settings, owner = scratch
    database = Database(settings)
    await database.open()
    async with (
        running(settings) as address,
        aiohttp.ClientSession() as client,
        receiving() as good,
        receiving() as hanging,
    ):
        hanging.answers = _hang
        shop = await make_shop(database, address, client, expiry={"kind": "rolling", "days": 10})
        await webhook(shop, hanging)
        await webhook(shop, good)
        workers = [start_worker(settings, "tests.worker.telling", LOYALTY_WEBHOOK_TARGETS="any") for _ in range(2)]
        try:
            await asyncio.gather(_kill(settings, workers), *(_buy(shop, writer) for writer in range(WRITERS)))
            await pass_time(owner, shop.program.id, timedelta(days=12))
            await asyncio.gather(_kill(settings, workers), *(shop.balance(f"c-{writer}") for writer in range(WRITERS)))
            lots = "SELECT count(*) FROM transfer WHERE to_bucket = 'expired'"

            async def all_have_ended() -> bool:
                return await owner.fetchval(lots) >= WRITERS * EACH

            async def all_is_told() -> bool:
                happened = {event["id"] for event in await read_all(shop)}
                waits = await owner.fetchval("SELECT count(*) FROM outbox")
                return not waits and happened <= set(good.ids)

            await until(all_have_ended)
            await until(all_is_told)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        assert await owner.fetchval(lots) == WRITERS * EACH
        events = await read_all(shop)
        assert [event["position"] for event in events] == [*range(1, len(events) + 1)]
        told = sorted(event["data"]["purchase_id"] for event in events if event["type"] == "purchase.rewarded")
        assert told == sorted(f"o-{writer}-{number}" for writer in range(WRITERS) for number in range(EACH))
        assert sum(event["type"] == "points.expired" for event in events) == WRITERS * EACH
    await prove(database)
    await database.close()
