"""The jobs that judge and reward referrals: they stand above these, for referrals are judged by purchases."""

import random
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from service.kernel.errors import Refusal, Unavailable
from service.platform.database import Database
from service.platform.metrics.values import Counter
from service.platform.queue.job import Subject
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.purchases.preparing import facts_of
from service.referrals import rewarding
from service.referrals import usecases as referrals
from service.referrals.rules import Referral

_AT_ONCE: Final = 100
_ENTROPY_BITS: Final = 4 * 62
_CODE_BITS: Final = 60
_JUDGED: Final = Counter(
    "loyalty_referrals_judged", "Referrals that the job judged, by where they stand then.", ("state",)
)
_log = structlog.get_logger()


async def programs_with_due(db: Db) -> Sequence[Subject]:
    """Read the programs with referrals to be judged by now."""
    return [Subject(program_id) for program_id in await referrals.programs_due(db)]


async def judge_due(database: Database, turn: Turn) -> bool:
    """Judge the referrals of a program that are due; tells whether all were. Safe to run at once by many.

    Each is a transaction of its own: one that can't be judged keeps no other from it.
    """
    failed = set[UUID]()
    while True:
        async with database.connection() as db:
            found = await referrals.due(db, program_id=turn.program_id, count=_AT_ONCE + len(failed))
        due = [each for each in found if each not in failed]
        if not due:
            return True
        for referral_id in due:
            if turn.is_over:
                return False
            if not await _judge(database, turn, referral_id):
                failed.add(referral_id)
            await turn.save("", 1)


async def _judge(database: Database, turn: Turn, referral_id: UUID) -> bool:
    """Judge one; tells whether that was possible."""
    program_id = turn.program_id

    async def judge(db: Db) -> Referral | None:
        program = await programs.read_program(db, program_id=program_id)  # terms may change amid a turn
        return await rewarding.settle(
            db,
            program=program,
            referral_id=referral_id,
            facts_of=facts_of,
            entropy=random.getrandbits(_ENTROPY_BITS),
            code_bits=[secrets.randbits(_CODE_BITS), secrets.randbits(_CODE_BITS)],
        )

    async def set_aside(db: Db) -> Referral | None:
        program = await programs.read_program(db, program_id=program_id)
        entropy = random.getrandbits(_ENTROPY_BITS)
        return await rewarding.set_aside(db, program=program, referral_id=referral_id, entropy=entropy)

    later = partial(referrals.look_later, program_id=program_id, referral_id=referral_id)
    try:
        try:
            judged = await transact(database.connection, judge, kind="job")
        except Refusal as refusal:
            _log.warning("referral_prize_unavailable", referral=referral_id.hex, reason=refusal.code)
            judged = await transact(database.connection, set_aside, kind="job")
            if judged is None:  # it can't be set aside, or is not due any more
                await transact(database.connection, later, kind="job")
                return False
    except Unavailable as fault:
        _log.warning("referral_not_judged", referral=referral_id.hex, reason=fault.detail)
        with suppress(Unavailable):  # else a few that take too long would keep all behind them waiting
            await transact(database.connection, later, kind="job")
        return False
    except Exception as fault:  # noqa: BLE001 - it keeps no other from being judged
        _log.error("referral_not_judged", referral=referral_id.hex, exc_info=fault)
        await transact(database.connection, later, kind="job")
        return False
    if judged is not None:
        _JUDGED.add((judged.state.value,))
    return True


async def attach_enrolled(database: Database, turn: Turn) -> bool:
    """Let claims that came ahead be those of customers who are enrolled since; tells whether all were looked at.

    Each is a transaction of its own: one that can't be attached keeps no other from it.
    """
    left = set[UUID]()
    while True:
        async with database.connection() as db:
            found = await referrals.ahead_enrolled(db, program_id=turn.program_id, count=_AT_ONCE + len(left))
        enrolled = [referral_id for _, referral_id in found if referral_id not in left]
        if not enrolled:
            return True
        for referral_id in enrolled:
            if turn.is_over:
                return False
            if not await _attach(database, turn, referral_id):
                left.add(referral_id)
            await turn.save("", 1)


async def _attach(database: Database, turn: Turn, referral_id: UUID) -> bool:
    """Attach one; tells whether anything became of it."""

    async def attach(db: Db) -> Referral | None:
        program = await programs.read_program(db, program_id=turn.program_id)
        return await rewarding.attach(db, program=program, referral_id=referral_id, entropy=random.getrandbits(62))

    try:
        return await transact(database.connection, attach, kind="job") is not None
    except Unavailable as fault:
        _log.warning("referral_not_attached", referral=referral_id.hex, reason=fault.detail)
    except Exception as fault:  # noqa: BLE001 - it keeps no other from being attached
        _log.error("referral_not_attached", referral=referral_id.hex, exc_info=fault)
    return False
