"""What rewards keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.customers.keeping import Erasing, Merging
from service.platform.clock import database_time
from service.platform.statements import Db
from service.rewards import store, usecases
from service.rewards.schemas import voucher_out
from service.rewards.vouchers import unredeemable


class RewardsKeeper:
    """Answers for pieces of rewards and their vouchers."""

    tables = frozenset({"reward_piece", "voucher"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let pieces and vouchers be the target's. It may have more of a reward than one customer can get."""
        await store.rehome(db, program_id=merging.program_id, source=merging.source.id, target=merging.target.id)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Give back what is held. Vouchers stay: who has the code has it, and nothing in them tells of a person."""
        held = await store.held_pieces(db, program_id=erasing.program_id, customers=erasing.all_ids)
        if held:
            await usecases.give_back_stock(db, program_id=erasing.program_id, piece_ids=held)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all vouchers."""
        now = await database_time(db)
        found = await store.vouchers_of(db, program_id=program_id, customer_id=all_ids[0])
        return {"vouchers": [voucher_out(each, unredeemable(each, now=now, order=None), None) for each in found]}
