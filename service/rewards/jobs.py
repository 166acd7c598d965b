"""Scheduled work of rewards: pieces whose hold lapsed, and which nobody met, are given back."""

import asyncio
import random
from uuid import UUID

import structlog

from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.rewards import redeeming, store
from service.rewards.redeeming import GIVEN_BACK_AT_ONCE

_log = structlog.get_logger()


async def give_back_lapsed(database: Database) -> int:
    """Give back the pieces of all programs whose hold is over; returns how many. Safe to run at once by many.

    Few at once, with rests between: the rewards' rows are locked meanwhile, and everybody who redeems needs them.
    """
    async with database.connection() as db:
        found = await programs.list_programs(db)
    given_back = 0
    for program in found:
        last: UUID | None = UUID(int=0)
        while last is not None:
            async with database.connection() as db:
                lapsed = await store.list_lapsed(db, program_id=program.id, after=last, count=GIVEN_BACK_AT_ONCE)
            last = lapsed[-1][0] if len(lapsed) == GIVEN_BACK_AT_ONCE else None
            if lapsed:
                given_back += await _give_back(database, program.id, lapsed)
    _log.info("pieces_given_back", pieces=given_back)
    return given_back


async def _give_back(database: Database, program_id: int, lapsed: list[tuple[UUID, str]]) -> int:
    async def work(db: Db) -> int:
        return await redeeming.give_back_lapsed(
            db, program_id=program_id, lapsed=lapsed, entropy=random.getrandbits(62)
        )

    began = asyncio.get_running_loop().time()
    given_back = await transact(database.connection, work, kind="job")
    await asyncio.sleep(asyncio.get_running_loop().time() - began)
    return given_back
