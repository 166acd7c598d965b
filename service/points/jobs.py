"""Scheduled work of the ledger: what has come due and nobody touched is booked, so that it is told and listed."""

import asyncio
import random
from functools import partial
from typing import Final

import structlog

from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.metrics.values import Counter
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points import store, usecases

_SCANNED_AT_ONCE: Final = 20_000
_BOOKED_AT_ONCE: Final = 50
_RESTS_FOR: Final = 4
"""How much longer it rests than it worked: a million lots that end at midnight take some minutes, and purchases don't
notice it."""
_RESTS_AT_MOST: Final = 5.0
"""Seconds: who waited for others' locks has not kept anybody waiting, and the turn comes to its end in time."""
_SETTLED: Final = Counter("loyalty_customers_settled", "Customers of whom a job booked what had come due.")
_log = structlog.get_logger()


async def settle_due(database: Database, turn: Turn) -> bool:
    """Book what has come due of a program's customers; tells whether all were looked at. Safe to run at once by many.

    It goes through all customers: what a list of due ones missed would be missed for ever. Few are booked at once, by
    one statement that holds locks only while it writes, and then it rests, so that purchases don't wait for it.
    """
    last: int | None = int(turn.place or 0)
    while last is not None:
        async with database.connection() as db:
            last, due = await store.read_due(db, program_id=turn.program_id, after=last, count=_SCANNED_AT_ONCE)
        for start in range(0, len(due), _BOOKED_AT_ONCE):
            if turn.is_over:
                return False
            chunk = due[start : start + _BOOKED_AT_ONCE]
            settled = await _settle(database, turn, [customer_id for _, customer_id in chunk])
            await turn.save(str(chunk[-1][0]), settled)
        if last is not None:
            await turn.save(str(last))
            if turn.is_over:
                return False
    return True


async def _settle(database: Database, turn: Turn, customer_ids: list[str]) -> int:
    """Settle customers together; where that goes wrong with one of them, each alone, so that it keeps no other from it.

    Whom others hold locked for too long is left for the next time.
    """

    async def work(db: Db, *, lock: bool = True) -> int:
        return await usecases.settle_customers(
            db, program_id=turn.program_id, customer_ids=customer_ids, entropy=random.getrandbits(62), lock=lock
        )

    began, settled = asyncio.get_running_loop().time(), 0
    try:
        settled = await transact(database.connection, work, at_once=partial(work, lock=False), kind="job")
        _SETTLED.add(amount=settled)
    except Unavailable as fault:
        _log.warning("customers_not_settled", customers=len(customer_ids), reason=fault.detail)
    except Exception as fault:  # noqa: BLE001 - whose fault it is shows when each is settled by itself
        _log.error("customers_not_settled", customers=len(customer_ids), exc_info=fault)
        if len(customer_ids) > 1:
            return sum([await _settle(database, turn, [each]) for each in customer_ids])
    await turn.rest(min(_RESTS_FOR * (asyncio.get_running_loop().time() - began), _RESTS_AT_MOST))
    return settled
