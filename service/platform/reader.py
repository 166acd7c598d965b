"""Reading in batches through one connection of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from service.kernel.errors import Unavailable
from service.platform.database import CONNECTION_FAULTS, CONNECTIONS_LOST, Database
from service.platform.statements import Db

Row = TypeVar("Row")
Outcome = TypeVar("Outcome")
Scope = TypeVar("Scope")


class Reader(Generic[Scope, Row, Outcome]):
    """Answers batches of questions by one query each. A lost connection is made anew, and the batch read again."""

    def __init__(
        self,
        database: Database,
        work: Callable[[Db, Scope, Sequence[Row]], Awaitable[Sequence[Outcome | Exception]]],
        *,
        patience: float = 4.0,
    ) -> None:
        self._database = database
        self._work = work
        self._patience = patience
        self._connection: Db | None = None

    async def close(self) -> None:
        """Close the connection; one that hangs is cut after 2 s."""
        if self._connection is not None:
            with suppress(*CONNECTION_FAULTS):
                await self._connection.close(timeout=2)

    async def read(self, scope: Scope, rows: Sequence[Row]) -> Sequence[Outcome | Exception]:
        """Answer a batch. Raises Unavailable."""
        deadline = asyncio.get_running_loop().time() + self._patience
        pause = 0.0
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await self._database.connect()
                    return await self._work(self._connection, scope, rows)
            except CONNECTION_FAULTS as fault:
                CONNECTIONS_LOST.add((type(fault).__name__,))
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
                pause = min(pause + 0.05, 0.5)
            if asyncio.get_running_loop().time() + pause >= deadline:
                detail = "The database doesn't answer."
                raise Unavailable(detail)
            await asyncio.sleep(pause)
