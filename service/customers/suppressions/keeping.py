"""What suppressions keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.customers.keeping import Erasing, Merging
from service.customers.suppressions import store, usecases
from service.customers.suppressions.schemas import recorded_suppression_out
from service.platform.clock import database_time
from service.platform.statements import Db


class SuppressionsKeeper:
    """Answers for suppressions."""

    tables = frozenset({"suppression"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let what holds for the source hold for the target; where both have a reason, the later end counts."""
        source, target = merging.source.id, merging.target.id
        if source != target:
            # The time is read anew: ids of it come behind those that the ledger made of the same bits.
            now = await database_time(db)
            await usecases.merge(
                db, program_id=merging.program_id, source=source, target=target, now=now, entropy=merging.entropy
            )

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """End what holds, and empty all references."""
        now = await database_time(db)
        await usecases.forget(db, program_id=erasing.program_id, all_ids=erasing.all_ids, now=now)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all suppressions, also those that ended."""
        found = await store.read_all(db, program_id=program_id, customers=all_ids)
        return {"suppressions": [recorded_suppression_out(each) for each in found]}
