"""The database of a benchmark: made, filled with a past, and asked what was written."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from rich.progress import Progress

from service.platform.statements import load_file

_HERE = Path(__file__).parent
_FILL = load_file(_HERE / "fill.sql")
_CHUNK = 500_000
_TABLES = ("claim", "purchase", "transfer", "lot", "outbox", "customer")


async def fill(url: str, *, program_id: int, customers: int, purchases: int) -> None:
    """Fill a program with a past of so many customers and purchases (a multiple), where it isn't there yet."""
    db = await asyncpg.connect(url)
    if await db.fetchval("SELECT count(*) FROM customer WHERE program_id = $1", program_id):
        await db.close()
        return
    now = datetime.now(UTC)
    quarter = datetime(now.year, 1 + (now.month - 1) // 3 * 3, 1, tzinfo=UTC)
    first, between = quarter.timestamp() * 1000, (now - quarter).total_seconds() * 1000 / (purchases + 1)
    with Progress() as progress:
        task = progress.add_task("Filling", total=5 * purchases + customers)
        for start in range(1, customers + 1, _CHUNK):
            end = min(start + _CHUNK - 1, customers)
            await db.execute(_FILL["fill_customers"].sql, program_id, start, end, purchases // customers)
            progress.advance(task, end - start + 1)
        await db.execute(_FILL["fill_sequence"].sql, customers)
        for name in ("fill_purchases", "fill_transfers", "fill_lots", "fill_claims"):
            for start in range(1, purchases + 1, _CHUNK):
                end = min(start + _CHUNK - 1, purchases)
                arguments: list[Any] = [program_id, start, end, first, between]
                await db.execute(_FILL[name].sql, *arguments, *([] if name == "fill_claims" else [customers]))
                progress.advance(task, end - start + 1)
        for name in ("fill_events", "fill_feed"):
            await db.execute(_FILL[name].sql, program_id)
        progress.advance(task, purchases)
    await db.execute("VACUUM ANALYZE")
    await db.close()


async def prepare_booking(url: str) -> None:
    """Make the function that pgbench calls."""
    db = await asyncpg.connect(url)
    await db.execute((_HERE / "booking.sql").read_text(encoding="utf-8"))
    await db.close()


async def warm(url: str) -> None:
    """Bring what bookings touch at random into the server's memory, so that no side pays for a cold start."""
    db = await asyncpg.connect(url)
    await db.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
    await db.execute(
        "SELECT pg_prewarm(c.oid) FROM pg_class AS c"
        " WHERE c.relkind IN ('r', 'i') AND split_part(c.relname, '_', 1) = ANY($1)"
        " AND (c.relkind = 'i' OR c.relname = 'customer')",
        list(_TABLES),
    )
    await db.close()


@dataclass(frozen=True)
class Written:
    """What the server has written so far: bytes of WAL, checkpoints, rows by table as far as they were told."""

    wal_bytes: int
    checkpoints: int
    rows: dict[str, int]


async def written(url: str) -> Written:
    """Read the counters of the server as of now."""
    db = await asyncpg.connect(url)
    wal = await db.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    view = "pg_stat_checkpointer" if db.get_server_version().major >= 17 else "pg_stat_bgwriter"
    columns = "num_timed + num_requested" if view == "pg_stat_checkpointer" else "checkpoints_timed + checkpoints_req"
    checkpoints = await db.fetchval(f"SELECT {columns} FROM {view}")
    rows = await db.fetch(
        "SELECT split_part(relname, '_2', 1) AS name, sum(n_tup_ins + n_tup_upd)::bigint AS rows"
        " FROM pg_stat_user_tables"
        " WHERE split_part(relname, '_2', 1) = ANY($1) GROUP BY 1",
        list(_TABLES),
    )
    await db.close()
    return Written(int(wal), checkpoints, {row["name"]: row["rows"] for row in rows})


async def indexes_of_a_purchase(url: str) -> list[str]:
    """Name the B-trees that a purchase of a known customer inserts into."""
    db = await asyncpg.connect(url)
    rows = await db.fetch(
        "SELECT i.relname AS name FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid"
        " JOIN pg_class AS t ON t.oid = x.indrelid JOIN pg_am AS a ON a.oid = i.relam"
        " WHERE t.relname = ANY($1) AND a.amname = 'btree'"
        " AND pg_get_expr(x.indpred, x.indrelid) IS DISTINCT FROM '(earned = 0)' ORDER BY 1",  # its purchases earn
        [name for name in _TABLES if name != "customer"],
    )
    await db.close()
    return [row["name"] for row in rows]


async def execute(url: str, sql: str) -> None:
    """Run one statement."""
    db = await asyncpg.connect(url)
    await db.execute(sql)
    await db.close()
