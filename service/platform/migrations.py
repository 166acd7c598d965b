"""Bringing a database to the newest schema."""

import logging
from pathlib import Path
from typing import Final

import asyncpg
from pgqueuer import AsyncpgDriver, Queries
from pogo_core.util import migrate as pogo
from pogo_core.util import sql as pogo_sql

from service.platform.settings import CHECKOUT

MIGRATIONS: Final = CHECKOUT / "migrations"
_LOCK: Final = 0x6C6F7961  # any number: two migrations at once would collide
_QUARTERS_AHEAD: Final = 2


async def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, as the owner of the tables; answer what was applied. Safe to run by many at once.

    A statement that can't get its lock in 5 s gives up, so that purchases don't queue up behind a migration.
    """
    connection = await asyncpg.connect(url, timeout=10, server_settings={"lock_timeout": "5s"})
    try:
        await connection.execute("SET lock_timeout = 0; SELECT pg_advisory_lock($1)".replace("$1", str(_LOCK)))
        await connection.execute("SET lock_timeout = '5s'")
        before = await applied(connection)
        logging.getLogger("pogo_core").setLevel(logging.ERROR)
        await pogo.apply(connection, folder, schema_name="public", logger=logging.getLogger("pogo_core"))
        await _install_queue(connection)
        await connection.execute("GRANT SELECT ON public._pogo_migration, public._pogo_version TO loyalty_service")
        await connection.fetch("SELECT make_partitions($1)", _QUARTERS_AHEAD)
        return sorted(await applied(connection) - before)
    finally:
        await connection.close()


async def applied(connection: "asyncpg.Connection[asyncpg.Record]") -> set[str]:
    """Return the names of the migrations that a database has."""
    if await connection.fetchval("SELECT to_regclass('public._pogo_migration')") is None:
        return set()
    return await pogo_sql.get_applied_migrations(connection, schema_name="public")


def known(folder: Path = MIGRATIONS) -> set[str]:
    """Return the names of the migrations that this version brings."""
    return {path.stem for path in folder.glob("*.sql")}


async def _install_queue(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make or upgrade the job queue's own tables, and let the service use them."""
    queries = Queries(AsyncpgDriver(connection))
    await (queries.upgrade() if await queries.schema_is_installed() else queries.install())
    tables = await connection.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE tablename LIKE 'pgqueuer%'"
    )
    names = ", ".join(row["name"] for row in tables)
    await connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {names} TO loyalty_service")
    sequences = await connection.fetch(
        "SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences WHERE sequencename LIKE 'pgqueuer%'"
    )
    if sequences:
        names = ", ".join(row["name"] for row in sequences)
        await connection.execute(f"GRANT USAGE ON SEQUENCE {names} TO loyalty_service")
