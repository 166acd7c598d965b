"""Milestones' rows: what the database itself refuses, and how a feed is gone through by one at a time."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from service.platform.statements import Db, RowsMissing, write_together
from service.referrals.asks import store
from service.referrals.asks.rules import ReferralAsk
from tests.store.conftest import Books
from tests.store.test_reward_tables import insert

CUSTOMER = 10**9
ROW: dict[str, Any] = {
    "program_id": 1,
    "customer_id": CUSTOMER,
    "milestone": "purchase:5",
    "reached_at": "2026-01-01 00:00+00",
    "until": "2026-01-15 00:00+00",
    "announced_at": None,
    "asked_at": None,
}
GOOD: list[dict[str, Any]] = [
    {},
    {"until": "2026-01-01 00:00+00"},
    {"milestone": "x" * 100, "announced_at": "2026-01-01 00:00+00", "asked_at": "2026-03-01 00:00+00"},
]
BAD: list[dict[str, Any]] = [{"milestone": ""}, {"milestone": "x" * 101}, {"until": "2025-12-31 00:00+00"}]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASK = ReferralAsk("purchase:5", NOW, NOW + timedelta(days=14))


@pytest.fixture
async def scratch(books: Books) -> AsyncGenerator[Db]:
    """Give a transaction of the owner's that is rolled back."""
    transaction = books.owner.transaction()
    await transaction.start()
    yield books.owner
    await transaction.rollback()


@pytest.mark.parametrize("change", GOOD, ids=str)
async def test_a_milestone_that_may_be_is_taken(scratch: Db, change: dict[str, Any]) -> None:
    await insert(scratch, "referral_ask", ROW | change)


async def test_every_check_refuses_a_milestone_that_must_not_be(scratch: Db) -> None:
    refusing = set[str | None]()
    for change in BAD:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            async with scratch.transaction():
                await insert(scratch, "referral_ask", ROW | change)
        refusing.add(refused.value.constraint_name)
    checks = await scratch.fetch(
        "SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND conrelid = 'referral_ask'::regclass"
    )
    assert {row["name"] for row in checks} == refusing


async def test_a_milestone_is_recorded_once_and_asked_for_once(scratch: Db) -> None:
    await write_together(scratch, [store.adding(1, [(CUSTOMER, ASK)])])
    for again in (
        store.adding(1, [(CUSTOMER, ASK), (CUSTOMER, ReferralAsk("tier:gold", NOW, NOW))]),
        store.asked(1, CUSTOMER, "purchase:2", NOW),
        store.announced(1, [(CUSTOMER, "purchase:5"), (CUSTOMER + 1, "purchase:5")], NOW),
    ):
        with pytest.raises(RowsMissing):
            async with scratch.transaction():
                await write_together(scratch, [again])
    assert await store.read(scratch, program_id=1, customers=[CUSTOMER, 5 * CUSTOMER]) == {
        CUSTOMER: [ASK],
        5 * CUSTOMER: [],
    }
    for once in (
        store.asked(1, CUSTOMER, "purchase:5", NOW),
        store.announced(1, [(CUSTOMER, "purchase:5")], NOW),
    ):
        await write_together(scratch, [once])
        with pytest.raises(RowsMissing):
            async with scratch.transaction():
                await write_together(scratch, [once])


async def test_what_waits_is_what_was_neither_announced_nor_asked_nor_passed_by_while_there_is_time(
    scratch: Db, books: Books
) -> None:
    now = await scratch.fetchval("SELECT clock_timestamp()")
    open_one = ReferralAsk("purchase:5", now, now + timedelta(days=1))
    rows = [
        (CUSTOMER, open_one),
        (CUSTOMER, ReferralAsk("tier:gold", now, now + timedelta(days=1))),
        (CUSTOMER + 1, ReferralAsk("purchase:5", now, now + timedelta(days=1), announced_at=now)),
        (CUSTOMER + 2, ReferralAsk("purchase:5", now, now + timedelta(days=1), asked_at=now)),
        (CUSTOMER + 3, ReferralAsk("purchase:5", now - timedelta(days=2), now - timedelta(days=1))),
        (CUSTOMER + 4, ReferralAsk("purchase:5", now + timedelta(days=1), now + timedelta(days=1))),
        (CUSTOMER + 5, open_one),
    ]
    await write_together(scratch, [store.adding(books.program.id, rows)])

    async def waiting(after: int, count: int) -> list[int]:
        return await store.waiting(scratch, program_id=books.program.id, after=after, count=count)

    assert await waiting(CUSTOMER - 1, 9) == [CUSTOMER, CUSTOMER + 5]
    assert await waiting(CUSTOMER - 1, 1) == [CUSTOMER]
    assert await waiting(CUSTOMER, 9) == [CUSTOMER + 5]
    assert books.program.id in await store.programs_waiting(scratch)
    assert await store.waiting(scratch, program_id=books.program.id + 1, after=0, count=9) == []


async def test_of_two_who_go_on_from_one_place_one_does(scratch: Db) -> None:
    assert await store.seen(scratch, program_id=7) == 0
    await write_together(scratch, [store.going_on(7, 0, 200)])
    for before, after in ((0, 200), (0, 400), (199, 300)):
        with pytest.raises(RowsMissing):
            async with scratch.transaction():
                await write_together(scratch, [store.going_on(7, before, after)])
    await write_together(scratch, [store.going_on(7, 200, 300)])
    assert await store.seen(scratch, program_id=7) == 300
    assert await store.seen_of_all(scratch, program_ids=[6, 7]) == {6: 0, 7: 300}
