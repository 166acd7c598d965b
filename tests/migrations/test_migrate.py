"""Bringing a database to the newest schema: at once by many, twice, back and forth."""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from pogo_core.util import migrate as pogo

from service.kernel.ids import lowest_id_at
from service.platform import migrations
from service.platform.statements import Db
from service.programs import usecases as programs
from tests.conftest import Servers, new_database

FIRST = "0001_foundation"
"""Of the first migration; none may be added."""
SETTINGS_FROM = "0010_settings_from"


@pytest.fixture
async def empty(servers: Servers) -> AsyncGenerator[str]:
    """Give the owner's address of an empty database."""
    async with new_database(servers, migrated=False) as name:
        yield servers.database_url(name, owner=True)


@pytest.fixture
async def migrated(empty: str) -> AsyncGenerator[Db]:
    """Give the owner's connection to a migrated database."""
    await migrations.migrate(empty)
    connection = await asyncpg.connect(empty)
    yield connection
    await connection.close()


async def _schema(db: Db) -> list[tuple[str, str]]:
    """List what a schema is made of."""
    rows = await db.fetch("""
        SELECT 'column' AS kind, format('%s.%s %s', attrelid::regclass, attname, atttypid::regtype) AS name
        FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (
            SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
        UNION ALL
        SELECT 'constraint', format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'right', format('%s %s', oid::regclass, relacl) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'type', oid::regtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace
        ORDER BY 1, 2
    """)
    return [(row["kind"], row["name"]) for row in rows]


async def test_migrations_that_begin_at_once_on_an_empty_database_apply_everything_once(empty: str) -> None:
    applied = await asyncio.gather(*(migrations.migrate(empty) for _ in range(3)))
    assert sorted(applied) == [[], [], sorted(migrations.known())]
    connection = await asyncpg.connect(empty)
    assert await migrations.applied(connection) == migrations.known()
    await connection.close()


async def test_migrating_again_changes_nothing(migrated: Db, empty: str) -> None:
    before = await _schema(migrated)
    assert await migrations.migrate(empty) == []
    assert await _schema(migrated) == before


async def test_a_database_that_is_rolled_back_and_migrated_again_is_the_same(migrated: Db, empty: str) -> None:
    before = await _schema(migrated)
    await pogo.rollback(migrated, migrations.MIGRATIONS, schema_name="public")
    assert await migrations.applied(migrated) == set()
    left = await migrated.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S') "
        "AND relname !~ '^(_pogo|pgqueuer)'"
    )
    assert left == []
    assert FIRST in await migrations.migrate(empty)
    assert await _schema(migrated) == before


async def test_partitions_are_made_ahead_each_once_and_without_a_gap(migrated: Db) -> None:
    parents = ["purchase", "transfer"]
    made = await asyncio.gather(*(_make(migrated, quarters) for quarters in (2,)))
    assert made == [[]]  # migrating has made this quarter and two more
    await _make(migrated, 8)
    for parent in parents:
        bounds = await _bounds(migrated, parent)
        assert len(bounds) == 9
        assert [upper for _, upper in bounds[:-1]] == [lower for lower, _ in bounds[1:]]
        now = await migrated.fetchval("SELECT clock_timestamp()")
        begin = datetime(now.year, now.month - (now.month - 1) % 3, 1, tzinfo=UTC)
        assert bounds[0][0] == lowest_id_at(begin)


async def test_partitions_made_by_many_at_once_are_made_once(migrated: Db, empty: str) -> None:
    others = [await asyncpg.connect(empty) for _ in range(3)]
    made = await asyncio.gather(*(_make(db, 12) for db in others))
    for db in others:
        await db.close()
    assert sorted(map(len, made)) == [0, 0, 2 * 10]
    assert len(await _bounds(migrated, "transfer")) == 13


async def test_partitions_are_made_while_a_booking_is_under_way(migrated: Db, empty: str) -> None:
    """A purchase that isn't committed yet must not keep them from being made, nor wait for them."""
    booking = await asyncpg.connect(empty)
    async with booking.transaction():
        await booking.execute("SELECT count(*) FROM purchase; SELECT count(*) FROM transfer")
        await booking.execute("LOCK TABLE purchase, transfer IN ROW EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            assert len(await _make(migrated, 4)) == 4
    await booking.close()


async def _make(db: Db, quarters: int) -> list[str]:
    return [row["name"] for row in await db.fetch("SELECT p.name FROM make_partitions($1) AS p (name)", quarters)]


async def _bounds(db: Db, parent: str) -> list[tuple[UUID, UUID]]:
    rows = await db.fetch(
        "SELECT pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits AS i "
        "INNER JOIN pg_class AS c ON i.inhrelid = c.oid WHERE i.inhparent = $1::regclass",
        parent,
    )
    found = [re.findall(r"'([0-9a-f-]{36})'", row["bound"]) for row in rows]
    return sorted((UUID(lower), UUID(upper)) for lower, upper in found)


async def test_every_constraint_has_a_name_that_tells_its_table_and_what_it_is_about(migrated: Db) -> None:
    """A check over several columns that is given no name gets `lot_check1`, which tells nobody anything."""
    rows = await migrated.fetch("""
        SELECT c.relname AS "table", k.conname AS name FROM pg_constraint AS k
        INNER JOIN pg_class AS c ON k.conrelid = c.oid
        WHERE k.connamespace = 'public'::regnamespace AND k.contype != 'n' AND NOT c.relispartition
        AND c.relname !~ '^(_pogo|pgqueuer)'
    """)
    assert rows
    nameless = [
        row["name"] for row in rows if re.fullmatch(rf"{row['table']}_(?!check\d*$).*[a-z]", row["name"]) is None
    ]
    assert nameless == []


async def test_settings_from_before_they_had_a_moment_count_from_their_recording_on(empty: str, tmp_path: Path) -> None:
    """What a process of the version before writes, before the migration and while it goes on running after it."""
    for migration in migrations.MIGRATIONS.glob("*.sql"):
        if migration.stem < SETTINGS_FROM:
            shutil.copy(migration, tmp_path)
    await migrations.migrate(empty, tmp_path)
    db = await asyncpg.connect(empty)
    first, second = await _program_of_before(db, "old"), datetime(2026, 1, 2, tzinfo=UTC)
    await _version_of_before(db, first, 2, second)
    assert SETTINGS_FROM in await migrations.migrate(empty)
    new = await _program_of_before(db, "new")
    await _version_of_before(db, new, 2, second)
    for code in ("old", "new"):
        program = await programs.program_with_code(db, code)
        assert [(each.number, each.valid_from) for each in (*program.earlier, program.newest)] == [
            (1, datetime.min.replace(tzinfo=UTC)),
            (2, second),
        ]
    await db.close()


async def _program_of_before(db: Db, code: str) -> int:
    async with db.transaction():
        program_id: int = await db.fetchval(
            "INSERT INTO program (code, name, live, settings_version, created_at) "
            "VALUES ($1, $1, FALSE, 1, clock_timestamp()) RETURNING id",
            code,
        )
        await _version_of_before(db, program_id, 1, datetime(2026, 1, 1, tzinfo=UTC))
    return program_id


async def _version_of_before(db: Db, program_id: int, number: int, recorded_at: datetime) -> None:
    await db.execute(
        "INSERT INTO program_settings (program_id, version, settings, recorded_at) VALUES ($1, $2, '{}', $3)",
        program_id,
        number,
        recorded_at,
    )
