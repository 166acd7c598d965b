"""The database itself refuses stocks, codes and uses that can't be, whatever the service sends."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.platform.statements import Db
from tests.store.conftest import Books

NIL, OTHER, AT, LATER = str(UUID(int=7)), str(UUID(int=8)), "2026-01-01 00:00+00", "2026-01-02 00:00+00"
BOUND = 10**12
ROWS: dict[str, dict[str, Any]] = {
    "reward": {"id": NIL, "version": 1, "status": "active", "codes": "generated", "stock": 2, "created_at": AT},
    "reward_version": {"reward_id": NIL, "version": 1, "terms": "{}", "recorded_at": AT},
    "reward_piece": {
        "id": NIL,
        "reward_id": NIL,
        "reward_version": 1,
        "customer_id": 1,
        "state": "issued",
        "taken_at": AT,
    },
    "voucher": {
        "id": NIL,
        "code": "A",
        "reward_id": NIL,
        "reward_version": 1,
        "customer_id": 1,
        "uses": 2,
        "issued_at": AT,
        "valid_until": LATER,
    },
    "voucher_use": {
        "id": NIL,
        "voucher_id": NIL,
        "number": 1,
        "order_id": "o",
        "amount": 100,
        "currency": "EUR",
        "discount": 100,
        "used_at": AT,
    },
    "reward_code": {"id": NIL, "reward_id": NIL, "code": "A", "voucher_id": None},
}
BAD: list[tuple[str, dict[str, Any]]] = [
    ("reward", {"version": 0}),
    ("reward", {"status": "gone"}),
    ("reward", {"codes": "none"}),
    ("reward", {"codes": "third_party", "stock": None}),
    ("reward", {"taken": 3}),
    ("reward", {"taken": -1}),
    ("reward", {"stock": -1}),
    ("reward_version", {"version": 0}),
    ("reward_piece", {"state": "lost"}),
    ("reward_piece", {"order_id": ""}),
    ("reward_piece", {"order_id": "x" * 129}),
    ("voucher", {"code": ""}),
    ("voucher", {"code": "x" * 129}),
    ("voucher", {"uses": 0}),
    ("voucher", {"used": 3}),
    ("voucher", {"used": -1}),
    ("voucher", {"valid_until": AT}),
    ("voucher_use", {"number": 0}),
    ("voucher_use", {"order_id": ""}),
    ("voucher_use", {"order_id": "x" * 129}),
    ("voucher_use", {"amount": -1}),
    ("voucher_use", {"amount": BOUND + 1}),
    ("voucher_use", {"currency": "eur"}),
    ("voucher_use", {"discount": 101}),
    ("voucher_use", {"discount": -1}),
    ("reward_code", {"code": ""}),
    ("reward_code", {"code": "x" * 129}),
]
TWICE: list[tuple[str, dict[str, Any]]] = [
    ("reward_version", {"terms": '{"a":1}'}),
    ("reward_piece", {"state": "held"}),
    ("voucher_use", {"id": OTHER, "number": 2}),
    ("voucher_use", {"id": OTHER, "order_id": "p"}),
    ("reward_code", {"id": OTHER}),
]
ORPHANS: list[tuple[str, dict[str, Any]]] = [
    ("reward_version", {"reward_id": OTHER}),
    ("reward_piece", {"id": OTHER, "reward_version": 2}),
    ("voucher", {"id": OTHER, "code": "B"}),
    ("voucher_use", {"id": OTHER, "voucher_id": OTHER}),
    ("reward_code", {"id": OTHER, "code": "B", "reward_id": OTHER}),
]


async def insert(db: Db, table: str, row: dict[str, Any]) -> None:
    """Insert a row, as one text literal for each column."""
    texts = [None if value is None else str(value) for value in row.values()]
    values = await db.fetchval("SELECT string_agg(quote_nullable(v), ', ') FROM unnest($1::text[]) AS u (v)", texts)
    await db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")


@pytest.fixture
async def scratch(books: Books) -> AsyncGenerator[Db]:
    """Give a transaction of the owner's that is rolled back."""
    transaction = books.owner.transaction()
    await transaction.start()
    yield books.owner
    await transaction.rollback()


@pytest.fixture
async def given(books: Books, scratch: Db) -> Db:
    """Give a reward with one row in each of its tables."""
    for table, row in ROWS.items():
        await insert(scratch, table, {"program_id": books.program.id} | row)
    return scratch


@pytest.mark.parametrize(("table", "change"), BAD, ids=str)
async def test_a_row_that_must_not_be_is_refused(scratch: Db, books: Books, table: str, change: dict[str, Any]) -> None:
    for each in list(ROWS)[: list(ROWS).index(table)]:
        await insert(scratch, each, {"program_id": books.program.id} | ROWS[each])
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await insert(scratch, table, {"program_id": books.program.id} | ROWS[table] | change)
    assert (refused.value.constraint_name or "").startswith(table)


@pytest.mark.parametrize(("table", "change"), TWICE, ids=str)
async def test_what_there_is_once_is_not_there_twice(
    given: Db, books: Books, table: str, change: dict[str, Any]
) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(given, table, {"program_id": books.program.id} | ROWS[table] | change)


@pytest.mark.parametrize(("table", "change"), ORPHANS, ids=str)
async def test_nothing_hangs_in_the_air(given: Db, books: Books, table: str, change: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await insert(given, table, {"program_id": books.program.id} | ROWS[table] | change)


async def test_every_check_of_rewards_is_tried_here(given: Db) -> None:
    """A constraint that is added later needs a row that it refuses."""
    rows = await given.fetch(
        "SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS text FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid::regclass::text = ANY($1::text[])",
        list(ROWS),
    )
    assert rows
    for row in rows:
        columns = [name for table, change in BAD if table == row["table"] for name in change]
        assert any(name in row["text"] for name in columns), row["text"]
