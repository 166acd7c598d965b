"""Writing in batches through one connection of its own, a batch at a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from service.platform.database import CONNECTION_FAULTS, ROW_FAULTS, Database
from service.platform.statements import Db
from service.platform.transaction import each_behind_savepoint, transact

Row = TypeVar("Row")
Outcome = TypeVar("Outcome")
Scope = TypeVar("Scope")


class Writer(Generic[Scope, Row, Outcome]):
    """Writes batches of rows, each in one transaction; see `transact` for what `work` must bear.

    Statements stay prepared on the connection. A batch with a row that the database refuses is written row by row.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Db, Scope, Sequence[Row]], Awaitable[Sequence[Outcome | Exception]]],
    ) -> None:
        self._database = database
        self._work = work
        self._kept: Db | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._kept is not None and not self._kept.is_closed():
            await self._kept.close(timeout=2)

    async def write(self, scope: Scope, rows: Sequence[Row]) -> Sequence[Outcome | Exception]:
        """Write rows in one transaction; answer as many outcomes. Raises Unavailable."""

        async def together(db: Db) -> Sequence[Outcome | Exception]:
            return await self._work(db, scope, rows)

        async def one_by_one(db: Db) -> Sequence[Outcome | Exception]:
            return await each_behind_savepoint(db, rows, lambda each, row: self._work(each, scope, row))

        try:
            return await transact(self._connection, together)
        except ROW_FAULTS:
            return await transact(self._connection, one_by_one)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Db]:
        if self._kept is None or self._kept.is_closed():
            self._kept = await self._database.connect()
        try:
            yield self._kept
        except CONNECTION_FAULTS:
            self._kept = None
            raise
