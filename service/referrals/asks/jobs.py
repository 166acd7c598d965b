"""Looking through the feeds for successes, and announcing what had to wait."""

import random
from collections.abc import Sequence
from typing import Final

from service.events.kinds import EventKinds
from service.platform.database import Database
from service.platform.queue.job import Subject
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.referrals.asks import noticing, usecases
from service.referrals.asks.noticing import Noticed

_AT_ONCE: Final = 100
_ENTROPY_BITS: Final = 62


async def programs_behind(db: Db) -> Sequence[Subject]:
    """Read the programs with events that were not looked at."""
    return [Subject(each) for each in await noticing.programs_behind(db)]


async def notice_successes(database: Database, turn: Turn, *, kinds: EventKinds) -> bool:
    """Go through a program's feed and record what customers achieved; tells whether all was looked at.

    It goes on from a place of its own, which is kept with what was found: safe to run at once by many.
    """

    async def work(db: Db) -> Noticed:
        program = await programs.read_program(db, program_id=turn.program_id)  # offers may change amid a turn
        return await noticing.notice(db, program=program, kinds=kinds, entropy=random.getrandbits(_ENTROPY_BITS))

    while True:
        noticed = await transact(database.connection, work, kind="job")
        if not noticed.has_more:
            return True
        await turn.save("", noticed.milestones)
        if turn.is_over:
            return False


async def programs_waiting(db: Db) -> Sequence[Subject]:
    """Read the programs with milestones that wait to be announced."""
    return [Subject(each) for each in await usecases.programs_waiting(db)]


async def announce_asks(database: Database, turn: Turn) -> bool:
    """Announce milestones that had to wait, once nothing stands against it; tells whether all were looked at.

    Time alone may end a suppression, and nobody tells of that: so it is looked for. Safe to run at once by many.
    """
    after = int(turn.place or 0)
    while True:
        async with database.connection() as db:
            program = await programs.read_program(db, program_id=turn.program_id)
            last, named = await usecases.waiting(db, program=program, after=after, count=_AT_ONCE)
        if last is None:
            return True

        async def work(db: Db, free: dict[str, int] = named) -> int:
            program = await programs.read_program(db, program_id=turn.program_id)
            entropy = random.getrandbits(_ENTROPY_BITS)
            return await usecases.announce(db, program=program, named=free, entropy=entropy)

        announced = await transact(database.connection, work, kind="job") if named else 0
        after = last
        await turn.save(str(after), announced)
        if turn.is_over:
            return False
