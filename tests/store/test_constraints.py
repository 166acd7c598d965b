"""The database itself refuses what no ledger may hold, whatever the service sends."""

import itertools
import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.kernel.ids import time_ordered_id
from service.platform.statements import Db
from service.points.rules import Bucket
from tests.store.conftest import Books

LEGAL = {
    "issued": {"pending", "available", "held", "debt"},
    "pending": {"available", "reversed", "expired", "issued"},
    "available": {"held", "reversed", "expired", "issued", "debt"},
    "held": {"redeemed", "available", "expired", "issued"},
    "redeemed": {"available"},
    "debt": {"reversed", "issued"},
    "written_off": {"reversed", "debt"},
}
"""The moves of the design's table."""
BOUND = 10**12

BALANCE = {"available_after": 0, "pending_after": 0, "held_after": 0, "debt_after": 0}
ROWS: dict[str, dict[str, Any]] = {
    "customer": {
        "program_id": 1,
        "id": 10**9,
        "external_id": "c",
        "version": 0,
        "available": 0,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "lifetime_earned": 0,
        "purchase_count": 0,
        "first_purchase_at": None,
        "last_purchase_at": None,
        "enrolled_at": "2026-01-01",
    },
    "program_settings": {
        "program_id": 1,
        "version": 2,
        "settings": "{}",
        "recorded_at": "2026-01-02",
        "valid_from": "2026-01-01",
    },
    "definition": {
        "program_id": 1,
        "kind": "earning_rule",
        "id": "double-week_2",
        "version": 1,
        "created_at": "2026-01-01",
    },
    "definition_version": {
        "program_id": 1,
        "kind": "earning_rule",
        "definition_id": "known",
        "version": 2,
        "id": UUID(int=1),
        "state": "active",
        "content": "{}",
        "valid_from": "2026-01-01",
        "recorded_at": "2026-01-01",
    },
    "claim": {"program_id": 1, "kind": 1, "id": "o", "content_hash": "\\x" + "00" * 16, "subject_id": UUID(int=1)},
    "command": {
        "program_id": 1,
        "key": "k",
        "request_hash": "\\x" + "00" * 16,
        "status": 200,
        "answer": "{}",
        "recorded_at": "2026-01-01",
    },
    "purchase": {
        "program_id": 1,
        "customer_id": 1,
        "id": None,
        "external_id": "o",
        "currency": "EUR",
        "total": 0,
        "tax": 0,
        "shipping": 0,
        "points_paid": 0,
        "items": "[]",
        "metadata": "{}",
        "earned": 1,
        "pending": 0,
        "lines": "[]",
        "occurred_at": "2026-01-01",
        "recorded_at": "2026-01-01",
    }
    | BALANCE,
    "transfer": {
        "program_id": 1,
        "customer_id": 1,
        "id": None,
        "from_bucket": "issued",
        "to_bucket": "available",
        "points": 1,
        "reason": "purchase",
        "cause_type": "purchase",
        "cause_id": "o",
        "customer_version": 1,
        "occurred_at": "2026-01-01",
        "recorded_at": "2026-01-01",
    }
    | BALANCE,
    "lot": {
        "program_id": 1,
        "customer_id": 1,
        "id": None,
        "granted": 1,
        "remaining": 1,
        "available_at": "2026-01-01",
        "expires_at": "infinity",
        "cause_type": "purchase",
        "cause_id": "o",
    },
    "lot_entry": {
        "program_id": 1,
        "customer_id": 1,
        "lot_id": UUID(int=1),
        "transfer_id": UUID(int=2),
        "points": -1,
    },
    "hold": {
        "program_id": 1,
        "customer_id": 1,
        "id": None,
        "status": "captured",
        "points": 2,
        "captured": 1,
        "expires_at": "2026-01-01",
        "recorded_at": "2026-01-01",
        "ended_at": "2026-01-01",
    },
    "refund": {
        "program_id": 1,
        "customer_id": 1,
        "id": UUID(int=1),
        "external_id": "r",
        "purchase_id": UUID(int=2),
        "amount": 1,
        "from_lots": 1,
        "to_debt": 0,
        "written_off": 0,
        "restored": 0,
        "state": "{}",
        "occurred_at": "2026-01-01",
        "recorded_at": "2026-01-01",
    }
    | BALANCE,
    "adjustment": {
        "program_id": 1,
        "id": UUID(int=1),
        "customer_id": 1,
        "points": 1,
        "reason": "goodwill",
        "note": "n",
        "expires_at": "2026-01-02",
        "status": "booked",
        "transfer_id": UUID(int=2),
        "asked_by": UUID(int=3),
        "asked_origin": UUID(int=4),
        "asked_at": "2026-01-01",
        "decided_by": UUID(int=5),
        "decided_origin": UUID(int=5),
        "decided_at": "2026-01-01",
    },
    "opening_balance": {
        "program_id": 1,
        "customer_id": 1,
        "id": UUID(int=1),
        "external_id": "o",
        "granted": 1,
        "debt": 0,
        "recorded_at": "2026-01-01",
    }
    | BALANCE,
    "brought_tier": {
        "program_id": 1,
        "customer_id": 1,
        "id": UUID(int=1),
        "tier": "gold",
        "since": "2025-01-01",
        "until": "2027-01-01",
        "counted": '[{"amount": 1, "occurred_at": "2026-01-01T00:00:00Z"}]',
        "qualify_by": "points",
        "currency": None,
        "recorded_at": "2026-01-01",
    },
    "hold_part": {
        "program_id": 1,
        "customer_id": 1,
        "hold_id": UUID(int=1),
        "lot_id": UUID(int=1),
        "points": 2,
        "captured": 1,
        "restored": 1,
    },
}
UNDECIDED = {"decided_by": None, "decided_origin": None, "decided_at": None}
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("adjustment", UNDECIDED),
    ("adjustment", {"points": -1, "expires_at": None, "note": None}),
    ("adjustment", {"status": "waiting", "transfer_id": None} | UNDECIDED),
    ("adjustment", {"status": "refused", "transfer_id": None}),
    ("adjustment", {"status": "refused", "transfer_id": None, "decided_by": None, "decided_origin": None}),
    ("adjustment", {"status": "refused", "transfer_id": None, "decided_by": UUID(int=3)}),
]
BAD: list[tuple[str, dict[str, Any]]] = [
    *[
        ("customer", {name: -1})
        for name in ("version", "available", "pending", "held", "debt", "lifetime_earned", "purchase_count")
    ],
    ("customer", {"external_id": ""}),
    ("customer", {"external_id": "x" * 129}),
    ("customer", {"available": 1, "debt": 1}),
    ("customer", {"purchase_count": 1}),
    ("customer", {"first_purchase_at": "2026-01-01", "last_purchase_at": "2026-01-01"}),
    ("customer", {"purchase_count": 2, "first_purchase_at": "2026-01-02", "last_purchase_at": "2026-01-01"}),
    ("customer", {"merged_into": 10**9}),
    ("customer", {"merged_into": 1, "available": 1}),
    ("customer", {"external_id": None}),
    ("customer", {"erased_at": "2026-01-01"}),
    ("program_settings", {"version": 0, "valid_from": None}),
    ("program_settings", {"version": 1}),
    ("program_settings", {"valid_from": "2026-01-03"}),
    ("program_settings", {"valid_from": "-infinity"}),
    ("definition", {"kind": "Earning"}),
    ("definition", {"kind": "earning.rule"}),
    ("definition", {"id": ""}),
    ("definition", {"id": "1"}),
    ("definition", {"id": "A"}),
    ("definition", {"id": "a" * 64}),
    ("definition", {"id": "a\n"}),
    ("definition", {"version": 0}),
    ("definition_version", {"version": 0}),
    ("definition_version", {"state": "scheduled"}),
    ("definition_version", {"content": "[]"}),
    ("definition_version", {"content": json.dumps({"a": "x" * 32768})}),
    ("definition_version", {"valid_from": "-infinity"}),
    ("definition_version", {"valid_from": "infinity"}),
    ("claim", {"kind": 0}),
    ("claim", {"id": ""}),
    ("claim", {"id": "x" * 129}),
    ("claim", {"content_hash": "\\x00"}),
    ("command", {"key": ""}),
    ("command", {"key": "x" * 256}),
    ("command", {"status": 199}),
    ("command", {"status": 500}),
    ("command", {"request_hash": "\\x00"}),
    *[("purchase", {name: value}) for name in ("total", "tax", "shipping", "points_paid") for value in (-1, BOUND + 1)],
    ("purchase", {"external_id": ""}),
    ("purchase", {"external_id": "x" * 129}),
    ("purchase", {"currency": "eur"}),
    ("purchase", {"currency": "EURO"}),
    ("purchase", {"earned": -1}),
    ("purchase", {"earned": BOUND + 1}),
    ("purchase", {"pending": 2}),
    ("purchase", {"pending": -1}),
    *[(table, {name: -1}) for table in ("purchase", "transfer") for name in BALANCE],
    ("transfer", {"points": 0}),
    ("transfer", {"points": -1}),
    ("transfer", {"points": BOUND + 1}),
    ("transfer", {"customer_version": 0}),
    ("lot", {"granted": 0, "remaining": 0}),
    ("lot", {"granted": BOUND + 1}),
    ("lot", {"remaining": 2}),
    ("lot", {"remaining": -1}),
    ("lot", {"expired": 1}),
    ("lot", {"expired": -1}),
    ("lot", {"lapses": True}),
    ("customer", {"sliding": 1}),
    ("customer", {"sliding": -1}),
    ("customer", {"next_expiry_points": 1}),
    ("customer", {"next_expiry_at": "2026-01-01"}),
    ("customer", {"next_expiry_at": "2026-01-01", "next_expiry_points": 1}),
    ("lot_entry", {"points": 0}),
    ("lot_entry", {"points": BOUND + 1}),
    ("lot_entry", {"points": -BOUND - 1}),
    ("hold", {"status": "lost", "captured": 0}),
    ("hold", {"points": 0, "captured": 0, "status": "released"}),
    ("hold", {"captured": 3}),
    ("hold", {"captured": 0}),
    ("hold", {"status": "held", "captured": 0}),
    ("hold", {"ended_at": None}),
    ("hold", {"order_id": ""}),
    *[("refund", {name: -1}) for name in ("amount", "from_lots", "to_debt", "written_off", "restored", *BALANCE)],
    ("refund", {"amount": BOUND + 1}),
    ("refund", {"external_id": ""}),
    ("refund", {"external_id": "x" * 129}),
    ("adjustment", {"points": 0}),
    ("adjustment", {"points": BOUND + 1}),
    ("adjustment", {"points": -BOUND - 1, "expires_at": None}),
    ("adjustment", {"points": -1}),
    ("adjustment", {"reason": "because"}),
    ("adjustment", {"note": ""}),
    ("adjustment", {"note": "x" * 501}),
    ("adjustment", {"status": "gone", "transfer_id": None}),
    ("adjustment", {"transfer_id": None}),
    ("adjustment", {"status": "refused"}),
    ("adjustment", {"status": "waiting", "transfer_id": None}),
    ("adjustment", {"status": "refused", "transfer_id": None} | UNDECIDED),
    ("adjustment", {"decided_by": None, "decided_origin": None}),
    ("adjustment", {"decided_origin": None}),
    ("adjustment", {"status": "refused", "transfer_id": None, "decided_by": None}),
    ("adjustment", {"decided_by": UUID(int=3)}),
    ("adjustment", {"decided_origin": UUID(int=4)}),
    *[("opening_balance", {name: -1}) for name in ("granted", "debt", *BALANCE)],
    *[("opening_balance", {name: BOUND + 1}) for name in ("granted", "debt")],
    ("brought_tier", {"tier": None, "until": None}),
    ("brought_tier", {"since": None}),
    ("brought_tier", {"until": "2025-01-01"}),
    ("brought_tier", {"tier": None, "since": None, "until": None, "counted": "[]"}),
    ("brought_tier", {"qualify_by": "spend"}),
    ("brought_tier", {"currency": "EUR"}),
    ("opening_balance", {"external_id": ""}),
    ("opening_balance", {"external_id": "x" * 129}),
    ("hold_part", {"points": 0, "captured": 0, "restored": 0}),
    ("hold_part", {"captured": 3}),
    ("hold_part", {"restored": 2}),
    ("hold_part", {"restored": -1}),
]


@pytest.fixture
async def scratch(books: Books) -> AsyncGenerator[Db]:
    """Give a transaction of the owner's that is rolled back."""
    transaction = books.owner.transaction()
    await transaction.start()
    await books.owner.execute("INSERT INTO definition VALUES (1, 'earning_rule', 'known', 1, now())")
    yield books.owner
    await transaction.rollback()


async def _insert(db: Db, table: str, change: dict[str, Any]) -> None:
    """Insert the table's row with a change, as one text literal for each column."""
    now = await db.fetchval("SELECT clock_timestamp()")
    row = {
        name: time_ordered_id(now, 1) if name == "id" and value is None else value
        for name, value in (ROWS[table] | change).items()
    }
    texts = [None if value is None else str(value) for value in row.values()]
    values = await db.fetchval("SELECT string_agg(quote_nullable(v), ', ') FROM unnest($1::text[]) AS u (v)", texts)
    await db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")


@pytest.mark.parametrize(("table", "change"), [*((table, {}) for table in ROWS), *GOOD], ids=str)
async def test_a_row_that_may_be_is_taken(scratch: Db, table: str, change: dict[str, Any]) -> None:
    await _insert(scratch, table, change)


@pytest.mark.parametrize(("table", "change"), BAD, ids=str)
async def test_a_row_that_must_not_be_is_refused(scratch: Db, table: str, change: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await _insert(scratch, table, change)
    assert refused.value.constraint_name is not None
    assert refused.value.constraint_name.startswith(table)


async def test_points_move_between_the_buckets_of_the_table_alone(scratch: Db) -> None:
    taken: dict[str, set[str]] = {}
    refusing = set[str | None]()
    for source, target in itertools.product([bucket.value for bucket in Bucket], repeat=2):
        try:
            async with scratch.transaction():
                await _insert(scratch, "transfer", {"from_bucket": source, "to_bucket": target})
        except asyncpg.CheckViolationError as refused:
            refusing.add(refused.constraint_name)
        else:
            taken.setdefault(source, set()).add(target)
            await scratch.execute("DELETE FROM transfer WHERE cause_id = 'o'")
    assert taken == LEGAL
    assert refusing == {"transfer_is_legal"}


async def test_a_row_of_a_time_that_has_no_partition_is_refused(scratch: Db) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await _insert(scratch, "transfer", {"id": UUID(int=1)})
    assert refused.value.constraint_name is None


async def test_every_check_of_the_ledger_is_tried_here(scratch: Db) -> None:
    """A constraint that is added later needs a row that it refuses."""
    rows = await scratch.fetch(
        "SELECT conname AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid::regclass::text = ANY($1::text[])",
        list(ROWS),
    )
    tried = set[str]()
    for table, change in [*BAD, ("transfer", {"to_bucket": "issued"})]:
        try:
            async with scratch.transaction():
                await _insert(scratch, table, change)
        except asyncpg.CheckViolationError as refused:
            tried.add(refused.constraint_name or "")
    assert {row["name"]: row["text"] for row in rows if row["name"] not in tried} == {}
