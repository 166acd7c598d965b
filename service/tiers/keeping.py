"""What tiers keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from service.customers.keeping import Erasing, Merging
from service.kernel.times import Time
from service.platform.statements import Db
from service.programs import usecases as programs
from service.tiers import usecases
from service.tiers.bringing import BroughtAlong
from service.tiers.rules import Reason


class TierChangeOut(msgspec.Struct, frozen=True):
    """From which tier to which (null: none) the customer went, as an export shows it."""

    from_tier: str | None
    to_tier: str | None
    reason: Reason
    occurred_at: Time


class FormerCountOut(msgspec.Struct, frozen=True):
    """What was counted elsewhere, in what the program qualified by when it was told."""

    amount: int
    occurred_at: Time


class BroughtAlongOut(msgspec.Struct, frozen=True):
    """What an opening balance brought of tiers: one (null: none) since and until when, and what was counted.

    `until` is null where the program's period says it; 9999-12-31 is for ever.
    """

    tier: str | None
    since: Time | None
    until: Time | None
    counted: list[FormerCountOut]


class TiersKeeper:
    """Answers for tiers, behind the ledger."""

    tables = frozenset({"tier_change", "tier_notice", "brought_tier"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let the target have what was counted for both."""
        source, target = merging.source, merging.target
        if source.id != target.id:
            program = await programs.read_program(db, program_id=merging.program_id)
            await usecases.merge(db, program=program, source=source, target=target, entropy=merging.entropy)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Empty the tier, and what it rests on."""
        await usecases.erase(db, program_id=erasing.program_id, all_ids=erasing.all_ids)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all changes of the tier, and what was brought along."""
        found = await usecases.changes_of(db, program_id=program_id, all_ids=all_ids)
        brought = await usecases.brought_of(db, program_id=program_id, all_ids=all_ids)
        return {
            "tier_changes": [TierChangeOut(each.before, each.after, each.reason, each.at) for each in found],
            "tiers_brought": [_brought_out(each) for each in brought],
        }


def _brought_out(along: BroughtAlong) -> BroughtAlongOut:
    counted = [FormerCountOut(each.amount, each.occurred_at) for each in along.counted]
    former = along.tier
    if former is None:
        return BroughtAlongOut(None, None, None, counted)
    return BroughtAlongOut(former.tier, former.since, former.until, counted)
