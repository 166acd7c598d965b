"""What purchases, refunds and activities keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.customers.keeping import Erasing, Merging
from service.platform.statements import Db
from service.points import usecases as points
from service.purchases import store
from service.purchases.schemas import recorded_activity_out, recorded_out, refund_out
from service.referrals import usecases as referrals


class PurchasesKeeper:
    """Answers for the facts that checkouts and apps reported."""

    tables = frozenset({"purchase", "refund", "activity"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Leave facts as they were reported: the record that they name stands for the other one."""

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Empty what callers worded freely: items, metadata, channel, referral code; of activities all properties.

        Of others' purchases the codes that were the customer's: they may be the customer's name.
        """
        found = await _purchases_of(db, erasing.program_id, erasing.all_ids)
        await store.empty(db, program_id=erasing.program_id, purchase_ids=found)
        await store.empty_activities(db, program_id=erasing.program_id, customers=erasing.all_ids)
        others = await referrals.claimed_with(db, program_id=erasing.program_id, customers=erasing.all_ids)
        await store.forget_codes(db, program_id=erasing.program_id, purchase_ids=others)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all purchases, refunds and activities."""
        found = await _purchases_of(db, program_id, all_ids)
        purchases = await store.read_many(db, program_id=program_id, purchase_ids=found)
        names = {each.row_id: each.purchase.id for each in purchases}
        refunds = [
            refund_out(names[purchase_id], refund)
            for purchase_id, refund in await store.refunds_of_many(db, program_id=program_id, purchase_ids=found)
        ]
        done = await store.activities_of(db, program_id=program_id, customers=all_ids)
        activities = await store.activities(db, program_id=program_id, activity_ids=done)
        return {
            "purchases": [recorded_out(each) for each in purchases],
            "refunds": refunds,
            "activities": [recorded_activity_out(each) for each in activities],
        }


async def _purchases_of(db: Db, program_id: int, all_ids: Sequence[int]) -> list[UUID]:
    """Find purchases: those that earned something by their transfers, the others by an index of their own."""
    earning = await points.purchases_of(db, program_id=program_id, all_ids=all_ids)
    return sorted([*earning, *await store.without_points(db, program_id=program_id, customers=all_ids)])
