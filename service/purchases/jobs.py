"""Scheduled work on customers' tiers: what time did is booked, and all facts are counted again where terms changed."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from service.customers.rules import Customer
from service.platform.database import Database
from service.platform.queue.sweep import sweep
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.tier_policy import CountedPoints
from service.purchases import store
from service.purchases.counting import counted
from service.purchases.recounting import moved_since
from service.tiers import usecases as tiers
from service.tiers.rules import Ladder, points_count

_SECOND_DAY: Final = 2
"""Of the calendar: where the first begins is before it, east of Greenwich."""


async def settle_tiers(database: Database, turn: Turn) -> bool:
    """Settle the tiers of a program's customers; tells whether all were looked at. Safe to run at once by many."""

    async def find(db: Db, after: int, count: int) -> tuple[int | None, list[tuple[int, str]]]:
        program = await programs.read_program(db, program_id=turn.program_id)
        return await tiers.due(db, program=program, after=after, count=count)

    async def settle(customer_ids: Sequence[str]) -> int:
        async def work(db: Db) -> int:
            program = await programs.read_program(db, program_id=turn.program_id)  # terms may change amid a turn
            return await tiers.settle_customers(
                db, program=program, customer_ids=customer_ids, counting=count_again, entropy=random.getrandbits(62)
            )

        return await transact(database.connection, work, kind="job")

    return await sweep(database, turn, find, settle, not_settled="tiers_not_settled")


async def count_again(
    db: Db, program_id: int, ladder: Ladder, customers: Sequence[Customer], now: datetime
) -> Mapping[int, Mapping[int, int]]:
    """Count all facts of customers that matter now: by their internal ids amounts by day. They are locked."""
    found, ids = dict[int, dict[int, int]](), [each.id for each in customers]
    today = ladder.day_of(now)
    since = ladder.start_of(max(ladder.window.oldest(today), _SECOND_DAY))
    assert since is not None  # noqa: S101 - it is before today
    facts = await store.purchases_since(db, program_id=program_id, customers=ids, since=since)
    amounts = [(each.customer, each.occurred_at, counted(each, ladder)) for each in facts]
    if points_count(ladder, CountedPoints.ACTIVITIES, 1):
        amounts += await store.activities_since(db, program_id=program_id, customers=ids, since=since)
    amounts += await moved_since(db, program_id=program_id, ladder=ladder, customers=ids, since=since)
    for customer, occurred_at, amount in amounts:
        days = found.setdefault(customer, {})
        day = ladder.day_of(occurred_at, near=today)
        days[day] = days.get(day, 0) + amount
    return found
