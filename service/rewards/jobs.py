"""Scheduled work of rewards: pieces whose hold lapsed, and which nobody met, are given back."""

import asyncio
import random
from typing import Final
from uuid import UUID

import structlog

from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.rewards import redeeming, store
from service.rewards.redeeming import GIVEN_BACK_AT_ONCE

_BEFORE_ALL: Final = "00000000-0000-0000-0000-000000000000"
_log = structlog.get_logger()


async def give_back_lapsed(database: Database, turn: Turn) -> bool:
    """Give back the pieces of a program whose hold is over; tells whether all were. Safe to run at once by many.

    Few at once, with rests between: the rewards' rows are locked meanwhile, and everybody who redeems needs them.
    """
    last = UUID(turn.place or _BEFORE_ALL)
    while True:
        async with database.connection() as db:
            lapsed = await store.list_lapsed(db, program_id=turn.program_id, after=last, count=GIVEN_BACK_AT_ONCE)
        if not lapsed:
            return True
        last = lapsed[-1][0]
        await turn.save(str(last), await _give_back(database, turn, lapsed))
        if len(lapsed) < GIVEN_BACK_AT_ONCE:
            return True
        if turn.is_over:
            return False


async def _give_back(database: Database, turn: Turn, lapsed: list[tuple[UUID, str]]) -> int:
    """Give pieces back together; where that goes wrong with one of them, each alone, so that it keeps no other from it.

    Those whose customer is held locked for too long are left for the next time.
    """

    async def work(db: Db) -> int:
        program = await programs.read_program(db, program_id=turn.program_id)  # terms may change amid a turn
        return await redeeming.give_back_lapsed(db, program=program, lapsed=lapsed, entropy=random.getrandbits(62))

    began, given_back = asyncio.get_running_loop().time(), 0
    try:
        given_back = await transact(database.connection, work, kind="job")
    except Unavailable as fault:
        _log.warning("pieces_not_given_back", pieces=len(lapsed), reason=fault.detail)
    except Exception as fault:  # noqa: BLE001 - whose fault it is shows when each is given back by itself
        _log.error("pieces_not_given_back", pieces=len(lapsed), exc_info=fault)
        if len(lapsed) > 1:
            return sum([await _give_back(database, turn, [each]) for each in lapsed])
    await turn.rest(asyncio.get_running_loop().time() - began)
    return given_back
