"""Going through all customers of a program in turns: of whom something is due is settled."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import structlog

from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.statements import Db

Find: TypeAlias = Callable[[Db, int, int], Awaitable[tuple[int | None, Sequence[tuple[int, str]]]]]
"""Looks at up to so many customers (the last argument) behind an internal id; gives the last one looked at, None at the
end, and those to settle, in the order of their internal ids, each with the caller's own."""
Settle: TypeAlias = Callable[[Sequence[str]], Awaitable[int]]
"""Settles customers, by the caller's ids, in a transaction of its own; tells how many there was something to do for."""

_SCANNED_AT_ONCE: Final = 20_000
_SETTLED_AT_ONCE: Final = 50
_RESTS_FOR: Final = 4
"""How much longer it rests than it worked: a million lots that end at midnight take some minutes, and purchases don't
notice it."""
_RESTS_AT_MOST: Final = 5.0
"""Seconds: who waited for others' locks has not kept anybody waiting, and the turn comes to its end in time."""
_log = structlog.get_logger()


async def sweep(database: Database, turn: Turn, find: Find, settle: Settle, *, not_settled: str) -> bool:
    """Find and settle, from the turn's place on; tells whether all were looked at. Safe to run at once by many.

    It goes through all customers: what a list of due ones missed would be missed for ever. Few are settled at once, and
    then it rests, so that purchases don't wait for it. `not_settled` is what the log calls it when that goes wrong.
    """
    last: int | None = int(turn.place or 0)
    while last is not None:
        async with database.connection() as db:
            last, due = await find(db, last, _SCANNED_AT_ONCE)
        for start in range(0, len(due), _SETTLED_AT_ONCE):
            if turn.is_over:
                return False
            chunk = due[start : start + _SETTLED_AT_ONCE]
            settled = await _settle(turn, settle, [customer_id for _, customer_id in chunk], not_settled)
            await turn.save(str(chunk[-1][0]), settled)
        if last is not None:
            await turn.save(str(last))
            if turn.is_over:
                return False
    return True


async def _settle(turn: Turn, settle: Settle, customer_ids: Sequence[str], not_settled: str) -> int:
    """Settle customers together; where that goes wrong with one of them, each alone, so that it keeps no other from it.

    Whom others hold locked for too long is left for the next time.
    """
    began, settled = asyncio.get_running_loop().time(), 0
    try:
        settled = await settle(customer_ids)
    except Unavailable as fault:
        _log.warning(not_settled, customers=len(customer_ids), reason=fault.detail)
    except Exception as fault:  # noqa: BLE001 - whose fault it is shows when each is settled by itself
        _log.error(not_settled, customers=len(customer_ids), exc_info=fault)
        if len(customer_ids) > 1:
            return sum([await _settle(turn, settle, [each], not_settled) for each in customer_ids])
    await turn.rest(min(_RESTS_FOR * (asyncio.get_running_loop().time() - began), _RESTS_AT_MOST))
    return settled
