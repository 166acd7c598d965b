"""Jobs of rooms, run to their end for all programs in this process, without a queue."""

from collections.abc import Awaitable, Callable
from functools import partial

from service.news import KINDS
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.points import jobs as points
from service.programs import usecases as programs
from service.purchases import jobs as purchases
from service.purchases import referees
from service.referrals.asks import jobs as asks
from service.rewards import jobs as rewards
from service.surprises import jobs as surprises
from service.tiers import usecases as tiers


async def settle_due(database: Database) -> int:
    """Settle the customers of all programs; returns how many."""
    return await _for_each_program(database, partial(points.settle_due, following_of=tiers.following_of))


async def settle_tiers(database: Database) -> int:
    """Settle the tiers of the customers of all programs; returns of how many."""
    return await _for_each_program(database, purchases.settle_tiers)


async def give_back_lapsed(database: Database) -> int:
    """Give back the lapsed pieces of all programs; returns how many."""
    return await _for_each_program(database, rewards.give_back_lapsed)


async def judge_referrals(database: Database) -> int:
    """Attach claims that came ahead, then judge all referrals that are due; returns how many were looked at."""
    attached = await _for_each_program(database, referees.attach_enrolled)
    return attached + await _for_each_program(database, referees.judge_due)


async def ask_for_referrals(database: Database) -> int:
    """Look through the feeds of all programs for successes, then announce what waited; returns how much was done."""
    noticed = await _for_each_program(database, partial(asks.notice_successes, kinds=KINDS))
    return noticed + await _for_each_program(database, asks.announce_asks)


async def _for_each_program(database: Database, run: Callable[[Database, Turn], Awaitable[bool]]) -> int:
    async with database.connection() as db:
        turns = [Turn(program.id) for program in await programs.list_programs(db)]
    for turn in turns:
        assert await run(database, turn)
    return sum(turn.done for turn in turns)


async def surprise(database: Database) -> int:
    """Look for occasions in all feeds and calendars, then reveal what is due; returns how much was done."""
    noticed = await _for_each_program(database, partial(surprises.notice_occasions, kinds=KINDS))
    async with database.connection() as db:
        turns = [Turn(subject.program_id, subject.id) for subject in await surprises.campaigns_to_plan(db)]
    for turn in turns:
        assert await surprises.plan_occasions(database, turn)
    return noticed + sum(turn.done for turn in turns) + await _for_each_program(database, surprises.reveal_gifts)
