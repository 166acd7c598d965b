"""Both sides of the benchmark do the same work, and count what they did."""

import asyncio
import json
import sys
from typing import Any

import asyncpg
import pytest

from benchmarks import database as benchmark
from service.platform.roles import Role
from service.platform.settings import CHECKOUT
from tests.conftest import NewShop, Servers

CUSTOMERS, PURCHASES = 50, 200


async def load(address: str, key: str, **changes: Any) -> dict[str, Any]:
    """Run the load generator as the benchmark does."""
    plan = {
        "port": int(address.rpartition(":")[2]),
        "key": key,
        "kind": "purchases",
        "connections": 8,
        "seconds": 0.5,
        "customers": CUSTOMERS,
        "run": "test",
        "skip_seconds": 0.1,
    } | changes
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", cwd=CHECKOUT, stdin=-1, stdout=-1
    )
    printed, _ = await process.communicate(json.dumps(plan).encode())
    return json.loads(printed)


@pytest.mark.parametrize("rate", [0.0, 100.0], ids=["closed", "open"])
async def test_the_load_counts_what_the_service_answered(new_shop: NewShop, address: str, rate: float) -> None:
    shop = await new_shop()
    seen = await load(address, shop.keys[Role.CHECKOUT], rate=rate)
    assert set(seen["statuses"]) == {"201"}
    assert seen["calls"] == seen["statuses"]["201"] > 0
    assert seen["p50_ms"] <= seen["p99_ms"] <= seen["greatest_ms"]
    seen = await load(address, shop.keys[Role.CHECKOUT], kind="balances", customers=1)
    assert set(seen["statuses"]) <= {"200", "404"}


async def test_the_filled_past_and_pgbenchs_booking_keep_the_books(
    new_shop: NewShop, servers: Servers, database_name: str
) -> None:
    """The fixture proves every invariant afterwards."""
    shop = await new_shop()
    url = servers.database_url(database_name, owner=True)
    await benchmark.fill(url, program_id=shop.program.id, customers=CUSTOMERS, purchases=PURCHASES)
    await benchmark.prepare_booking(url)
    owner = await asyncpg.connect(url)
    available = await owner.fetchval("SELECT benchmark_purchase($1, 'c-7', 12990, 'p-1')", shop.program.id)
    await owner.execute("DROP FUNCTION benchmark_purchase")
    await owner.close()
    assert available == 100 * PURCHASES // CUSTOMERS + 129
    assert (await shop.balance("c-7"))["available"] == available
    assert (await shop.buy(customer_id="c-7")).body["balance"]["available"] == available + 129
