"""The hot path: concurrent purchases are gathered by program and booked in one transaction each batch."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Final

from service.kernel.errors import Refusal
from service.platform.batching import Gatherer
from service.platform.database import Database
from service.platform.metrics.values import Counter
from service.platform.statements import Db
from service.platform.writer import Writer
from service.points.facts import Accepted
from service.programs.catalogue import Catalogue
from service.purchases.usecases import PURCHASES, AcceptedPurchase, PurchaseDraft, PurchaseOutcome

_REPORTED: Final = Counter(
    "loyalty_purchases",
    "Reported purchases that reached the booking, and all entries of bulk calls, by what came of them: booked, "
    "replayed, refused (with the code), failed.",
    ("outcome", "code"),
)
_ISSUED: Final = Counter("loyalty_points_issued", "Points that booked purchases earned.")
_BOOKED: Final = ("booked", "")
_REPLAYED: Final = ("replayed", "")


def count(outcomes: Iterable[AcceptedPurchase | Exception]) -> None:
    """Count what came of reported purchases. Call it when they are durable, once for each report."""
    for outcome in outcomes:
        if isinstance(outcome, Accepted):
            if outcome.replayed:
                _REPORTED.add(_REPLAYED)
            else:
                _REPORTED.add(_BOOKED)
                _ISSUED.add((), outcome.answer.earned)
        elif isinstance(outcome, Refusal):
            _REPORTED.add(("refused", outcome.code))
        else:
            _REPORTED.add(("failed", ""))


class Purchases:
    """Books purchases for many callers at once, through one connection; and bulk calls through another."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._writer = Writer[int, PurchaseDraft, AcceptedPurchase](database, self._book, self._book_at_once)
        self._gatherer = Gatherer[int, PurchaseDraft, AcceptedPurchase]("purchases", self._write)

    def open(self) -> None:
        """Begin to book."""
        self._gatherer.open()

    async def close(self) -> None:
        """Book what is reported already, then stop."""
        await self._gatherer.close()
        await self._writer.close()

    def report(self, program_id: int, draft: PurchaseDraft) -> asyncio.Future[AcceptedPurchase]:
        """Book one purchase; answer when it is durable. Raises Unavailable; the answer Refusal, Unavailable."""
        return self._gatherer.ask(program_id, draft)

    async def _write(self, program_id: int, drafts: Sequence[PurchaseDraft]) -> Sequence[AcceptedPurchase | Exception]:
        outcomes = await self._writer.write(program_id, drafts)
        count(outcomes)
        return outcomes

    async def _book(self, db: Db, program_id: int, drafts: Sequence[PurchaseDraft]) -> Sequence[PurchaseOutcome]:
        program = self._catalogue.program(program_id)
        return await PURCHASES.report(db, program=program, drafts=drafts, entropy=random.getrandbits(62))

    async def _book_at_once(
        self, db: Db, program_id: int, drafts: Sequence[PurchaseDraft]
    ) -> Sequence[PurchaseOutcome]:
        program = self._catalogue.program(program_id)
        return await PURCHASES.report(db, program=program, drafts=drafts, entropy=random.getrandbits(62), lock=False)
