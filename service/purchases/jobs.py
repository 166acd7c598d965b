"""Scheduled work on customers' tiers: what time did is booked, and all facts are counted again where terms changed."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog

from service.customers.rules import Customer
from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import Program
from service.programs.tier_policy import CountedPoints
from service.purchases import store
from service.purchases.counting import counted
from service.tiers import usecases as tiers
from service.tiers.rules import Ladder, points_count

_SCANNED_AT_ONCE: Final = 20_000
_BOOKED_AT_ONCE: Final = 50
_RESTS_FOR: Final = 4
_RESTS_AT_MOST: Final = 5.0
"""As the ledger's job does: purchases shall not wait for it."""
_SECOND_DAY: Final = 2
"""Of the calendar: where the first begins is before it, east of Greenwich."""
_log = structlog.get_logger()


async def settle_tiers(database: Database, turn: Turn) -> bool:
    """Settle the tiers of a program's customers; tells whether all were looked at. Safe to run at once by many."""
    async with database.connection() as db:
        program = await programs.read_program(db, program_id=turn.program_id)
    last: int | None = int(turn.place or 0)
    while last is not None:
        async with database.connection() as db:
            last, due = await tiers.due(db, program=program, after=last, count=_SCANNED_AT_ONCE)
        for start in range(0, len(due), _BOOKED_AT_ONCE):
            if turn.is_over:
                return False
            chunk = due[start : start + _BOOKED_AT_ONCE]
            settled = await _settle(database, turn, program, [customer_id for _, customer_id in chunk])
            await turn.save(str(chunk[-1][0]), settled)
        if last is not None:
            await turn.save(str(last))
            if turn.is_over:
                return False
    return True


async def _settle(database: Database, turn: Turn, program: Program, customer_ids: Sequence[str]) -> int:
    """Settle customers together; where that goes wrong with one of them, each alone, so that it keeps no other from it.

    Whom others hold locked for too long is left for the next time.
    """

    async def work(db: Db) -> int:
        return await tiers.settle_customers(
            db, program=program, customer_ids=customer_ids, counting=count_again, entropy=random.getrandbits(62)
        )

    began, settled = asyncio.get_running_loop().time(), 0
    try:
        settled = await transact(database.connection, work, kind="job")
    except Unavailable as fault:
        _log.warning("tiers_not_settled", customers=len(customer_ids), reason=fault.detail)
    except Exception as fault:  # noqa: BLE001 - whose fault it is shows when each is settled by itself
        _log.error("tiers_not_settled", customers=len(customer_ids), exc_info=fault)
        if len(customer_ids) > 1:
            return sum([await _settle(database, turn, program, [each]) for each in customer_ids])
    await turn.rest(min(_RESTS_FOR * (asyncio.get_running_loop().time() - began), _RESTS_AT_MOST))
    return settled


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
    for customer, occurred_at, amount in amounts:
        days = found.setdefault(customer, {})
        day = ladder.day_of(occurred_at, near=today)
        days[day] = days.get(day, 0) + amount
    return found
