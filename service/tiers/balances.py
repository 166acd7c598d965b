"""Reading balances with tiers: concurrent readers share one query."""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from service.customers.rules import Standing
from service.platform.batching import Gatherer
from service.platform.database import Database
from service.platform.reader import Reader
from service.platform.statements import Db
from service.programs.catalogue import Catalogue
from service.tiers import usecases
from service.tiers.standing import TierStanding

Shown: TypeAlias = tuple[Standing, TierStanding | None]
"""What a customer has, and the tier; None where the program has none."""


class Balances:
    """Reads customers' balances for many callers at once."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._reader = Reader[int, str, Shown](database, self._read)
        self._gatherer = Gatherer[int, str, Shown]("balances", self._reader.read, batch_size=256, queue_limit=5000)

    def open(self) -> None:
        """Begin to answer."""
        self._gatherer.open()

    async def close(self) -> None:
        """Answer what is asked already, then stop."""
        await self._gatherer.close()
        await self._reader.close()

    def of(self, program_id: int, customer_id: str) -> asyncio.Future[Shown]:
        """Ask what a customer has now. Raises Unavailable; the answer NotFound, Unavailable."""
        return self._gatherer.ask(program_id, customer_id)

    async def _read(self, db: Db, program_id: int, customer_ids: Sequence[str]) -> Sequence[Shown | Exception]:
        program = self._catalogue.program(program_id)
        return await usecases.balances(db, program=program, customer_ids=customer_ids)
