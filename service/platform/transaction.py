"""The one way to commit: a transaction that is begun again when it must be.

It knows nothing of what is written. The work that it is given loads, decides and stores, and never commits; it may run
several times, so it must find out by itself what an earlier run has booked (claims and stored answers tell it).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import asyncpg
import structlog

from service.kernel.errors import Invalid, Unavailable
from service.platform.database import CONNECTION_FAULTS, CONNECTIONS_LOST, ROW_FAULTS, TRY_AGAIN_FAULTS
from service.platform.metrics.values import Counter
from service.platform.statements import Db, RowsMissing

Row = TypeVar("Row")
Result = TypeVar("Result")

_COMMIT_GRACE_SECONDS: Final = 0.4
_LOST_WITHOUT_A_PAUSE: Final = 2
"""Who loses once finds the other gone by the time it has begun again; who goes on losing lets others go first."""
_BEGUN_AGAIN: Final = Counter(
    "loyalty_transactions_begun_again", "Transactions that lost against another and began again.", ("kind", "reason")
)
_UNANSWERED: Final = Counter(
    "loyalty_commits_unanswered",
    "Connections lost under COMMIT or under work that commits itself: it runs again and finds out what was booked.",
)
_GIVEN_UP: Final = Counter(
    "loyalty_transactions_given_up", "Transactions whose patience ended: what is known of them then.", ("outcome",)
)
_log = structlog.get_logger()


async def transact(
    connect: Callable[[], AbstractAsyncContextManager[Db]],
    work: Callable[[Db], Awaitable[Result]],
    *,
    at_once: Callable[[Db], Awaitable[Result]] | None = None,
    patience: float = 4.0,
    rollback: bool = False,
    kind: str = "call",
) -> Result:
    """Run work in a transaction and commit, or roll back for a dry run. Raises Unavailable when `patience` (s) ends.

    `at_once` is tried first where it is given: the same work, outside a transaction, that only reads until its one
    statement that writes. That statement commits itself, which saves two round trips; it must fail where what was read
    is not so any more, and then `work` is run.

    A transaction that lost against another is begun again. A lost connection, also one lost while the commit's answer
    was awaited, runs the work again on a new connection: locks and claims wait for the old transaction there.
    `kind` names the work in the numbers.
    """
    deadline = asyncio.get_running_loop().time() + patience
    pause, lost, commit = 0.0, 0, _Commit()
    while True:
        try:
            async with AsyncExitStack() as borrowed:
                async with asyncio.timeout_at(deadline):
                    db = await borrowed.enter_async_context(connect())
                if at_once is not None:
                    tried, at_once = at_once, None
                    return await _attempt_at_once(db, tried, deadline, commit)
                return await _attempt(db, work, deadline, None if rollback else commit)
        except (*TRY_AGAIN_FAULTS, RowsMissing) as fault:
            _BEGUN_AGAIN.add((kind, type(fault).__name__))
            _log.info("transaction_begun_again", reason=type(fault).__name__)
            lost += 1
            if lost > _LOST_WITHOUT_A_PAUSE:
                pause = min(2 * pause + 0.001, 0.1)
        except CONNECTION_FAULTS as fault:
            CONNECTIONS_LOST.add((type(fault).__name__,))
            _log.warning("connection_lost", reason=type(fault).__name__)
            pause = min(pause + 0.05, 0.5)
        if asyncio.get_running_loop().time() + pause >= deadline:
            _GIVEN_UP.add(("unknown" if commit.was_sent else "nothing_done",))
            raise Unavailable(commit.told())
        await asyncio.sleep(pause)


class _Commit:
    """Whether anything that commits was ever sent: before that, nothing can have been done."""

    def __init__(self) -> None:
        self.was_sent = False

    def told(self) -> str:
        """Say what is known of the outcome."""
        if self.was_sent:
            return "The database doesn't answer; the outcome is unknown."
        return "The database doesn't answer, or others hold what this needs; nothing was done."


async def _attempt(db: Db, work: Callable[[Db], Awaitable[Result]], deadline: float, commit: _Commit | None) -> Result:
    try:
        async with asyncio.timeout_at(deadline):
            await db.execute("BEGIN")
            result = await work(db)
    except BaseException as fault:
        if _is_cut(db, fault):
            raise
        await _roll_back(db)
        _raise_mistake(fault)
        raise
    if commit is None:
        await _roll_back(db)
    else:
        commit.was_sent = True
        await _commit(db, deadline)
    return result


async def _attempt_at_once(db: Db, work: Callable[[Db], Awaitable[Result]], deadline: float, commit: _Commit) -> Result:
    commit.was_sent = True
    try:
        async with asyncio.timeout_at(deadline + _COMMIT_GRACE_SECONDS):  # as long as COMMIT is waited for
            return await work(db)
    except BaseException as fault:
        if _is_cut(db, fault):
            _UNANSWERED.add()
            raise
        _raise_mistake(fault)
        raise


def _is_cut(db: Db, fault: BaseException) -> bool:
    """Tell whether the connection is gone. It is cut where a statement was given up: what becomes of it is unknown."""
    if isinstance(fault, asyncpg.InterfaceError):
        return db.is_closed()  # else it was called wrongly
    if isinstance(fault, (*CONNECTION_FAULTS, asyncio.CancelledError)):
        db.terminate()
        return True
    return False


def _raise_mistake(fault: BaseException) -> None:
    """Name a mistake in a call by what it is: it is no fault of the connection."""
    if isinstance(fault, asyncpg.InterfaceError):
        msg = "a statement was called wrongly"
        raise RuntimeError(msg) from fault  # noqa: TRY004 - no argument of ours has a wrong type


async def _commit(db: Db, deadline: float) -> None:
    """Commit. Only the server's answer or the connection's end tells anything, so COMMIT is never cancelled.

    A connection that is half-open would be waited for in vain and for ever: it is dropped a little after the deadline,
    and the outcome is unknown. The server goes on with what it has.
    """
    dropping = asyncio.get_running_loop().call_at(deadline + _COMMIT_GRACE_SECONDS, db.terminate)
    try:
        done = await db.execute("COMMIT")
    except CONNECTION_FAULTS:
        _UNANSWERED.add()
        raise
    finally:
        dropping.cancel()
    if done != "COMMIT":
        # The server answers ROLLBACK, and no error, when a statement failed and the work went on regardless.
        msg = f"the transaction was not committed: {done}"
        raise RuntimeError(msg)


async def _roll_back(db: Db) -> None:
    try:
        await db.execute("ROLLBACK", timeout=2)
    except (*CONNECTION_FAULTS, asyncpg.PostgresError):
        db.terminate()


@asynccontextmanager
async def savepoint(db: Db) -> AsyncGenerator[None]:
    """Undo what the block wrote when it raises, and go on with the transaction."""
    await db.execute("SAVEPOINT undo")
    try:
        yield
    except Exception:  # not a cancellation: the connection is still at the statement that was given up
        await db.execute("ROLLBACK TO SAVEPOINT undo")
        raise
    await db.execute("RELEASE SAVEPOINT undo")


class _TrialOver(Exception):  # noqa: N818 - it undoes what was tried, and tells of no error
    """The work that was tried came to its end."""


async def _refusal_of(db: Db, work: Callable[[], Awaitable[object]]) -> Invalid | None:
    """Try work and undo it; tell whether the database refuses a row of it. Its locks are given back, too."""
    try:
        async with savepoint(db):
            await work()
            raise _TrialOver  # noqa: TRY301 - so that the savepoint undoes the work
    except _TrialOver:
        return None
    except ROW_FAULTS as fault:
        return refusal_of_row(fault)


async def apart(
    db: Db, rows: Sequence[Row], work: Callable[[Sequence[Row]], Awaitable[Sequence[Result]]]
) -> list[Result | Invalid]:
    """Do work on many, which gives a result for each, but for those that the database refuses: they harm no other.

    Which these are is found out by doing the work for each alone and undoing it, its locks too; then it is done for all
    others together, so that the rule of locks is kept.
    """
    try:
        async with savepoint(db):
            return [*await work(rows)]
    except ROW_FAULTS:
        refused = dict[int, Invalid]()
    for place, each in enumerate(rows):
        if (refusal := await _refusal_of(db, partial(work, [each]))) is not None:
            refused[place] = refusal
    results = iter(await work([each for place, each in enumerate(rows) if place not in refused]))
    return [refused[place] if place in refused else next(results) for place in range(len(rows))]


def refusal_of_row(fault: asyncpg.PostgresError) -> Invalid:
    """Tell of a row that the database refused. A row without a partition is no fault of the row's: that is raised."""
    if isinstance(fault, asyncpg.CheckViolationError) and fault.constraint_name is None:
        raise fault
    _log.error("row_refused_by_database", reason=type(fault).__name__, sqlstate=fault.sqlstate)
    return Invalid("This can't be booked.", pointer="", reason="unbookable")
