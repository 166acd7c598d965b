"""What opening balances keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.customers.keeping import Erasing, Merging
from service.opening_balances import store
from service.opening_balances.schemas import brought_out
from service.platform.statements import Db


class OpeningBalancesKeeper:
    """Answers for opening balances: facts, with nothing in them that callers worded freely."""

    tables = frozenset({"opening_balance"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Leave them as they were reported: the record that they name stands for the other one."""

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Leave them, as the ledger keeps what they brought; who reports one again is told that it is gone."""

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all opening balances."""
        found = await store.list_of(db, program_id=program_id, customer_ids=all_ids)
        return {"opening_balances": [brought_out(*each) for each in found]}
