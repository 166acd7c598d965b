"""A transfer is found by its id alone in a few pages, although no B-tree leads to it."""

import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.platform.database import Database
from service.platform.settings import CHECKOUT
from service.platform.statements import Db, load_file
from service.points import store
from tests.conftest import Servers, new_database

FOUND = load_file(CHECKOUT / "service" / "points" / "queries.sql")["transfer_find"].sql
FEW, TRANSFERS, PAGES_TOUCHED = 50, 100_000, 100
FILL = """
INSERT INTO transfer (
    program_id, customer_id, id, from_bucket, to_bucket, points, reason, cause_type, cause_id, customer_version,
    available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
)
SELECT
    1, 1 + n * 7919 % 20000,
    (lpad(to_hex((extract(epoch FROM date_trunc('quarter', now(), 'UTC')) * 1000)::bigint + n), 12, '0')
        || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
    'issued', 'available', 1, 'purchase', 'purchase', 'o-' || n, 1, 1, 0, 0, 0, now(), now()
FROM generate_series($1::bigint, $2::bigint) AS n
"""


@dataclass(frozen=True)
class Ledger:
    """A large ledger, and connections on which the question was asked while it was small."""

    owner: Db
    connections: dict[str, Db]
    grown: dict[str, dict[str, Any]]
    """How it was found on them when the ledger had grown and nobody had counted it again."""


@pytest.fixture(scope="module")
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """Give a ledger of many transfers, the newest of which are not summed up yet."""
    async with new_database(servers) as name:
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        database = Database(servers.settings(name))
        await database.open(size=1)
        async with database.connection() as free:
            connections = {"as most questions are asked": free, "by keys alone": await database.connect()}
            await owner.execute(FILL, 1, FEW)
            await owner.execute("ANALYZE")
            for db in connections.values():
                await db.execute(f"PREPARE found AS {FOUND}")
                await _explained(db, await _id(owner, FEW))
            await owner.execute(FILL, FEW + 1, TRANSFERS)
            grown = {asked: await _explained(db, await _id(owner, FEW)) for asked, db in connections.items()}
            for (index,) in await owner.fetch(
                "SELECT relid::regclass FROM pg_partition_tree('transfer_by_id') WHERE isleaf"
            ):
                await owner.execute("SELECT brin_summarize_new_values($1::regclass)", index)
            await owner.execute("ANALYZE")
            await owner.execute(FILL, TRANSFERS + 1, TRANSFERS + 1_000)
            yield Ledger(owner, connections, grown)
            await connections["by keys alone"].close()
        await database.close()
        await owner.close()


async def _id(owner: Db, number: int) -> UUID:
    return await owner.fetchval("SELECT id FROM transfer WHERE cause_id = $1", f"o-{number}")


async def _explained(db: Db, wanted: UUID) -> dict[str, Any]:
    """Find a transfer as the service does; gives the plan and what it touched."""
    async with db.transaction(readonly=True):
        await store.plan_anew(db)
        explained = await db.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE found(1, '{wanted}')"
        )
    return json.loads(explained)[0]["Plan"]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


@pytest.mark.parametrize("asked", ["as most questions are asked", "by keys alone"])
@pytest.mark.parametrize("number", [1, TRANSFERS // 2, TRANSFERS, TRANSFERS + 1_000])
async def test_a_transfer_is_found_in_a_few_pages(ledger: Ledger, asked: str, number: int) -> None:
    db, wanted = ledger.connections[asked], await _id(ledger.owner, number)
    plan = await _explained(db, wanted)
    assert plan["Actual Rows"] == 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= PAGES_TOUCHED
    assert {node["Node Type"] for node in _nodes(plan)} >= {"Bitmap Heap Scan", "Bitmap Index Scan"}
    async with db.transaction(readonly=True):
        await store.plan_anew(db)
        found = await store.find_transfer(db, program_id=1, transfer_id=wanted)
        foreign = await store.find_transfer(db, program_id=2, transfer_id=wanted)
    assert found is not None
    assert (found.booked.id, found.booked.cause.id, foreign) == (wanted, f"o-{number}", None)
    assert found.customer == 1 + number * 7919 % 20_000


async def test_what_was_asked_while_there_was_little_is_planned_anew_when_there_is_much(ledger: Ledger) -> None:
    for plan in ledger.grown.values():
        assert plan["Actual Rows"] == 1
        assert "Seq Scan" not in {node["Node Type"] for node in _nodes(plan)}


async def test_what_was_asked_leaves_the_connection_as_it_was(ledger: Ledger) -> None:
    for asked, db in ledger.connections.items():
        async with db.transaction():
            await store.plan_anew(db)
        assert await db.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
        assert await db.fetchval("SHOW enable_bitmapscan") == ("on" if "most" in asked else "off")


async def test_every_partition_is_summed_up_also_one_that_is_made_later(ledger: Ledger) -> None:
    made = await ledger.owner.fetch("SELECT make_partitions(5)")
    assert made
    rows = await ledger.owner.fetch("""
        SELECT t.relid::regclass::text AS partition,
            array_agg(i.reloptions::text) FILTER (WHERE i.oid IS NOT NULL) AS options,
            count(p.inhparent) AS attached
        FROM pg_partition_tree('transfer') AS t
        LEFT JOIN pg_index AS x ON t.relid = x.indrelid
        LEFT JOIN pg_class AS i ON x.indexrelid = i.oid AND i.relam = (SELECT oid FROM pg_am WHERE amname = 'brin')
        LEFT JOIN pg_inherits AS p ON i.oid = p.inhrelid AND p.inhparent = 'transfer_by_id'::regclass
        WHERE t.isleaf GROUP BY 1
    """)
    assert len(rows) == 6
    for row in rows:
        assert row["options"] == ["{pages_per_range=32,autosummarize=on}"], row["partition"]
        assert row["attached"] == 1, row["partition"]
