"""The hot path: concurrent purchases are gathered by program and booked in one transaction each batch."""

import asyncio
import random
from collections.abc import Sequence

from service.platform.batching import Gatherer
from service.platform.database import Database
from service.platform.statements import Db
from service.platform.writer import Writer
from service.programs.catalogue import Catalogue
from service.purchases import usecases
from service.purchases.rules import Draft
from service.purchases.usecases import Accepted, Outcome


class Purchases:
    """Books purchases for many callers at once, through one connection; and bulk calls through another."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._writer = Writer[int, Draft, Accepted](database, self._book, self._book_at_once)
        self._gatherer = Gatherer[int, Draft, Accepted](self._writer.write)

    def open(self) -> None:
        """Begin to book."""
        self._gatherer.open()

    async def close(self) -> None:
        """Book what is reported already, then stop."""
        await self._gatherer.close()
        await self._writer.close()

    def report(self, program_id: int, draft: Draft) -> asyncio.Future[Accepted]:
        """Book one purchase; answer when it is durable. Raises Unavailable; the answer Refusal, Unavailable."""
        return self._gatherer.ask(program_id, draft)

    async def _book(self, db: Db, program_id: int, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        program = self._catalogue.program(program_id)
        return await usecases.report(db, program=program, drafts=drafts, entropy=random.getrandbits(62))

    async def _book_at_once(self, db: Db, program_id: int, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        program = self._catalogue.program(program_id)
        return await usecases.report(db, program=program, drafts=drafts, entropy=random.getrandbits(62), lock=False)
