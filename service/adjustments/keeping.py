"""What adjustments keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.adjustments import store, usecases
from service.adjustments.schemas import recorded_adjustment_out
from service.customers import usecases as customers
from service.customers.keeping import Erasing, Merging
from service.kernel.ids import IdSource
from service.platform.statements import Db


class AdjustmentsKeeper:
    """Answers for adjustments, behind the ledger."""

    tables = frozenset({"adjustment"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let what waits be the target's. What is booked was booked for the record that it names."""
        await store.rehome(db, program_id=merging.program_id, source=merging.source.id, target=merging.target.id)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Empty all notes, and refuse what waits."""
        program_id, name = erasing.program_id, erasing.customer.external_id
        # The time is read anew: ids of it come behind those that the ledger made of the same bits.
        opened = await customers.lock(db, program_id=program_id, customer_ids=[name])
        ids = IdSource(opened.now, erasing.entropy)
        await usecases.forget(db, program_id=program_id, all_ids=erasing.all_ids, now=opened.now, ids=ids)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all adjustments."""
        found = await usecases.export(db, program_id=program_id, all_ids=all_ids)
        return {"adjustments": [recorded_adjustment_out(*each) for each in found]}
