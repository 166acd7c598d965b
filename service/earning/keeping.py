"""What earning rules keep of customers: what these used of limits, in their rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.customers import usecases as customers
from service.customers.keeping import Erasing, Merging
from service.earning.limits import joined
from service.platform.statements import Db


class EarningKeeper:
    """Answers for what was used of limits."""

    tables = frozenset[str]()

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let the target have used what both used."""
        source, target = merging.source, merging.target
        if source.id == target.id or source.limits_used is None:
            return
        used = {target.id: joined(source.limits_used, target.limits_used), source.id: None}
        await customers.keep_limits(db, program_id=merging.program_id, used=used)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Leave what is only numbers and names of rules."""

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give nothing: purchases tell what they earned by which rule."""
        del db, program_id, all_ids
        return {}
