"""Writing in batches through one connection of its own, a batch at a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Generic, TypeVar

import structlog

from service.kernel.errors import Unavailable
from service.platform.database import CONNECTION_FAULTS, ROW_FAULTS, Database
from service.platform.metrics.values import Counter
from service.platform.statements import Db, RowsMissing
from service.platform.transaction import refusal_of_row, transact

Row = TypeVar("Row")
Outcome = TypeVar("Outcome")
Scope = TypeVar("Scope")
Work = Callable[[Db, Scope, Sequence[Row]], Awaitable[Sequence[Outcome | Exception]]]

BATCHES_WITH_LOCKS: Final = 64
"""How many batches take their locks first after one that was overtaken: others are at the same rows."""

_ONE_BY_ONE: Final = Counter(
    "loyalty_batches_written_one_by_one", "Batches with a row that failed, written again row by row.", ("reason",)
)
_log = structlog.get_logger()


class Writer(Generic[Scope, Row, Outcome]):
    """Writes batches of rows, each in one transaction; see `transact` for what `work` and `at_once` must bear.

    While nobody else writes the same rows, batches are written at once, without locks held over a round trip.
    Statements stay prepared on the connection. A batch with a row that fails is written again, each row in a
    transaction of its own, so that it harms no other: whether the database refuses it or deciding about it goes wrong.
    """

    def __init__(
        self,
        database: Database,
        work: "Work[Scope, Row, Outcome]",
        at_once: "Work[Scope, Row, Outcome] | None" = None,
    ) -> None:
        self._database = database
        self._work = work
        self._at_once = at_once
        self._with_locks = 0
        self._kept: Db | None = None

    async def close(self) -> None:
        """Close the connection; one that hangs is cut after 2 s."""
        if self._kept is not None:
            with suppress(*CONNECTION_FAULTS):
                await self._kept.close(timeout=2)

    async def write(self, scope: Scope, rows: Sequence[Row]) -> Sequence[Outcome | Exception]:
        """Write rows in one transaction; answer as many outcomes. Raises Unavailable."""
        try:
            return await self._transact(scope, rows, at_once=self._at_once if self._with_locks == 0 else None)
        except Unavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - whose fault it is shows when each is written by itself
            _ONE_BY_ONE.add((type(fault).__name__,))
            _log.warning("batch_written_one_by_one", reason=type(fault).__name__)
        outcomes: list[Outcome | Exception] = []
        for row in rows:
            try:
                outcomes.extend(await self._transact(scope, [row]))
            except Unavailable:
                raise  # also to those whose rows are written: a repetition tells them
            except ROW_FAULTS as fault:
                outcomes.append(refusal_of_row(fault))
            except Exception as fault:  # noqa: BLE001 - it is raised to the one who sent the row
                outcomes.append(fault)
        return outcomes

    async def _transact(
        self, scope: Scope, rows: Sequence[Row], at_once: "Work[Scope, Row, Outcome] | None" = None
    ) -> Sequence[Outcome | Exception]:
        async def work(db: Db) -> Sequence[Outcome | Exception]:
            return await self._work(db, scope, rows)

        if at_once is None:
            self._with_locks = max(0, self._with_locks - 1)
            return await transact(self._connection, work, kind="batch")

        async def write_at_once(db: Db) -> Sequence[Outcome | Exception]:
            try:
                return await at_once(db, scope, rows)
            except RowsMissing:
                self._with_locks = BATCHES_WITH_LOCKS
                raise

        return await transact(self._connection, work, at_once=write_at_once, kind="batch")

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Db]:
        if self._kept is None or self._kept.is_closed():
            self._kept = await self._database.connect()
        try:
            yield self._kept
        except CONNECTION_FAULTS:
            self._kept.terminate()
            raise
