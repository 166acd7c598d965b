"""Booking step by step: a transaction that stays open until the test says so."""

import asyncio
import random
from dataclasses import dataclass, field

import msgspec

from service.platform.statements import Db
from service.programs.rules import Program
from service.purchases import usecases
from service.purchases.rules import Purchase
from service.purchases.usecases import PURCHASES, PurchaseDraft, PurchaseOutcome
from tests.shop import purchase


def draft(**changes: object) -> PurchaseDraft:
    """Make a purchase on its way."""
    return usecases.draft(msgspec.convert(purchase(**changes), Purchase), randomness=random.getrandbits(62))


@dataclass
class Till:
    """One connection that books for one program."""

    db: Db
    program: Program
    pid: int = field(init=False)

    def __post_init__(self) -> None:
        self.pid = self.db.get_server_pid()

    async def begin(self, *drafts: PurchaseDraft) -> list[PurchaseOutcome]:
        """Book in a transaction that stays open. Raises RowsMissing."""
        await self.db.execute("BEGIN")
        return await self.book(*drafts)

    async def book(self, *drafts: PurchaseDraft) -> list[PurchaseOutcome]:
        """Book in the transaction that is open. Raises RowsMissing."""
        return await PURCHASES.report(self.db, program=self.program, drafts=drafts, entropy=random.getrandbits(62))

    def beginning(self, *drafts: PurchaseDraft) -> "asyncio.Task[list[PurchaseOutcome]]":
        """Begin in the background, where it may have to wait."""
        return asyncio.create_task(self.begin(*drafts))

    async def at_once(self, *drafts: PurchaseDraft) -> list[PurchaseOutcome]:
        """Book without a transaction around: one statement that reads, one that writes. Raises RowsMissing."""
        return await PURCHASES.report(
            self.db, program=self.program, drafts=drafts, entropy=random.getrandbits(62), lock=False
        )

    async def end(self, *, commit: bool = True) -> None:
        """End the transaction."""
        await self.db.execute("COMMIT" if commit else "ROLLBACK")


async def waits_for(observer: Db, waiting: int, holding: int) -> None:
    """Wait until one backend waits for a lock of another."""
    async with asyncio.timeout(5):
        while holding not in (await observer.fetchval("SELECT pg_blocking_pids($1)", waiting)):
            await asyncio.sleep(0.005)
