"""Reading balances: concurrent readers share one query."""

import asyncio
from collections.abc import Sequence

from service.customers.rules import Standing
from service.platform.batching import Gatherer
from service.platform.database import Database
from service.platform.reader import Reader
from service.platform.statements import Db
from service.points import usecases


class Balances:
    """Reads customers' balances for many callers at once."""

    def __init__(self, database: Database) -> None:
        self._reader = Reader[int, str, Standing](database, _read)
        self._gatherer = Gatherer[int, str, Standing]("balances", self._reader.read, batch_size=256, queue_limit=5000)

    def open(self) -> None:
        """Begin to answer."""
        self._gatherer.open()

    async def close(self) -> None:
        """Answer what is asked already, then stop."""
        await self._gatherer.close()
        await self._reader.close()

    def of(self, program_id: int, customer_id: str) -> asyncio.Future[Standing]:
        """Ask what a customer has now. Raises Unavailable; the answer NotFound, Unavailable."""
        return self._gatherer.ask(program_id, customer_id)


async def _read(db: Db, program_id: int, customer_ids: Sequence[str]) -> Sequence[Standing | Exception]:
    return await usecases.balances(db, program_id=program_id, customer_ids=customer_ids)
