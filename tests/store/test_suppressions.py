"""Suppressions' rows: what the database itself refuses, and the door for rooms above."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.customers import usecases as customers
from service.customers.suppressions.rules import SuppressionReason
from service.platform.statements import Db
from tests.store.conftest import Books
from tests.store.test_reward_tables import insert

CUSTOMER = 10**9
ROW: dict[str, Any] = {
    "program_id": 1,
    "customer_id": CUSTOMER,
    "id": UUID(int=1),
    "reason": "opt_out",
    "until": "2026-01-02 00:00+00",
    "reference": "case 7",
    "set_by": UUID(int=2),
    "set_at": "2026-01-01 00:00+00",
    "ended_at": "2026-01-01 00:00+00",
    "ended_as": "lifted",
    "lifted_by": UUID(int=3),
}
OPEN = {"ended_at": None, "ended_as": None, "lifted_by": None}
GOOD: list[dict[str, Any]] = [
    {},
    OPEN,
    OPEN | {"until": None, "reference": None},
    OPEN | {"until": "infinity", "reference": "x" * 500},
    {"ended_as": "over", "lifted_by": None},
]
BAD: list[dict[str, Any]] = [
    {"reason": "because"},
    {"until": "2026-01-01 00:00+00"},
    {"reference": ""},
    {"reference": "x" * 501},
    {"ended_as": "gone", "lifted_by": None},
    {"ended_at": None},
    {"ended_as": None, "lifted_by": None},
    {"lifted_by": None},
    {"ended_as": "replaced"},
    OPEN | {"lifted_by": UUID(int=3)},
]


@pytest.fixture
async def scratch(books: Books) -> AsyncGenerator[Db]:
    """Give a transaction of the owner's that is rolled back."""
    transaction = books.owner.transaction()
    await transaction.start()
    yield books.owner
    await transaction.rollback()


@pytest.mark.parametrize("change", GOOD, ids=str)
async def test_a_suppression_that_may_be_is_taken(scratch: Db, change: dict[str, Any]) -> None:
    await insert(scratch, "suppression", ROW | change)


async def test_every_check_refuses_a_suppression_that_must_not_be(scratch: Db) -> None:
    refusing = set[str | None]()
    for change in BAD:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            async with scratch.transaction():
                await insert(scratch, "suppression", ROW | change)
        refusing.add(refused.value.constraint_name)
    checks = await scratch.fetch(
        "SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND conrelid = 'suppression'::regclass"
    )
    assert {row["name"] for row in checks} == refusing


async def test_of_a_reason_one_holds_and_any_number_has_ended(scratch: Db) -> None:
    for number, change in enumerate([{}, {}, OPEN, OPEN | {"reason": "left"}, OPEN | {"customer_id": CUSTOMER + 1}]):
        await insert(scratch, "suppression", ROW | change | {"id": UUID(int=number)})
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(scratch, "suppression", ROW | OPEN | {"id": UUID(int=9), "until": None})


async def test_reasons_are_read_for_many_customers_at_once_and_for_records_that_went_into_others(
    scratch: Db, books: Books
) -> None:
    program, (one, guest, other, nobody) = books.program.id, range(CUSTOMER, CUSTOMER + 4)
    for each, merged_into in ((one, None), (guest, one), (other, None), (nobody, None)):
        await scratch.execute(
            "INSERT INTO customer (program_id, id, external_id, merged_into, enrolled_at)"
            " VALUES ($1, $2, $3, $4, now())",
            program, each, str(each), merged_into,
        )  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"reason": "opt_out", "until": None},
        {"reason": "complaint", "until": "2026-02-01 00:00+00"},
        {"reason": "left", "until": "2026-01-15 00:00+00"},
        {"reason": "deceased", "ended_at": "2026-01-02 00:00+00", "ended_as": "over"},
        {"reason": "complaint", "customer_id": other, "until": "infinity"},
    ]
    for number, change in enumerate(rows):
        whose = {"program_id": program, "customer_id": one, "id": UUID(int=number)}
        await insert(scratch, "suppression", ROW | OPEN | whose | change)
    now = await scratch.fetchval("SELECT '2026-01-15 00:00+00'::timestamptz")
    found = await customers.suppressed(
        scratch, program_id=program, customers=[guest, one, other, nobody, one, CUSTOMER + 9], now=now
    )
    both = [SuppressionReason.COMPLAINT, SuppressionReason.OPT_OUT]
    assert found == {one: both, guest: both, other: [SuppressionReason.COMPLAINT]}
    assert await customers.suppressed(scratch, program_id=program + 1, customers=[one], now=now) == {}
    assert await customers.suppressed(scratch, program_id=program, customers=[], now=now) == {}
