"""What surprises keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from service.customers import usecases as customers
from service.customers.keeping import Erasing, Merging
from service.kernel.ids import GREATEST_ID
from service.platform.statements import Db, write_together
from service.surprises import giving, store
from service.surprises.gift_schemas import surprise_out
from service.surprises.gifts import Gift, GiftState
from service.surprises.had import joined, read_had, write_had

_MOST_EXPORTED = 10_000
_replace = msgspec.structs.replace


class SurprisesKeeper:
    """Answers for sides of comparisons, draws, gifts, plays, and lists."""

    tables = frozenset(
        {
            "campaign_enrolment",
            "campaign_draw",
            "surprise",
            "surprise_stop",
            "play_grant",
            "campaign_play",
            "campaign_listed",
        }
    )

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let the target go on with what both had. Rows go on naming the records of then.

        Where both were enrolled in a comparison, the target's own side counts, and the source's is taken out of it.
        """
        program_id, source, target = merging.program_id, merging.source, merging.target
        if source.id == target.id:
            return
        both = write_had(joined(read_had(source.surprises), read_had(target.surprises)))
        await customers.keep_surprises(db, program_id=program_id, had={source.id: None, target.id: both})
        await store.rehome(db, program_id=program_id, source=source.id, target=target.id)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Stop what waits, and forget lists. Draws and gifts name nobody to anybody outside."""
        program_id, records = erasing.program_id, erasing.all_ids
        waiting = await store.waiting_gifts(db, program_id=program_id, customers=records)
        stopped = [(each, _stopped(each, erasing)) for each in waiting]
        await write_together(db, giving.writing_gifts(program_id, stopped))
        await store.forget_listed(db, program_id=program_id, customers=records)
        await giving.finish_taking_back(db, program_id=program_id, changed=stopped, entropy=erasing.entropy)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all gifts that were revealed: of the others nobody knows yet."""
        found = await store.gifts_of(
            db, program_id=program_id, customers=all_ids, before=GREATEST_ID, limit=_MOST_EXPORTED, revealed=True
        )
        return {"surprises": [surprise_out(each, None, None) for each in found]}


def _stopped(gift: Gift, erasing: Erasing) -> Gift:
    return _replace(gift, state=GiftState.STOPPED, ended_at=erasing.now, reason=giving.GONE)
