"""Scheduled work of the ledger: what has come due and nobody touched is booked, so that it is told and listed."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from service.platform.database import Database
from service.platform.metrics.values import Counter
from service.platform.queue.sweep import sweep
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points import store, usecases
from service.points.usecases import FollowingOf

_SETTLED: Final = Counter("loyalty_customers_settled", "Customers of whom a job booked what had come due.")


async def settle_due(database: Database, turn: Turn, *, following_of: FollowingOf) -> bool:
    """Book what has come due of a program's customers; tells whether all were looked at. Safe to run at once by many.

    Few are booked at once, by one statement that holds locks only while it writes.
    """

    async def find(db: Db, after: int, count: int) -> tuple[int | None, list[tuple[int, str]]]:
        return await store.read_due(db, program_id=turn.program_id, after=after, count=count)

    async def settle(customer_ids: Sequence[str]) -> int:
        async def work(db: Db, *, lock: bool = True) -> int:
            following = await following_of(db, turn.program_id)  # terms may change amid a turn
            return await usecases.settle_customers(
                db,
                program_id=turn.program_id,
                customer_ids=customer_ids,
                following=following,
                entropy=random.getrandbits(62),
                lock=lock,
            )

        settled = await transact(database.connection, work, at_once=partial(work, lock=False), kind="job")
        _SETTLED.add(amount=settled)
        return settled

    return await sweep(database, turn, find, settle, not_settled="customers_not_settled")
