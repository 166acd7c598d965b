"""Which tier a customer had when something was booked. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.kernel.ids import lowest_id_at
from service.tiers.rules import Reason, TierChange

_BEFORE_THE_FACT: Final = frozenset({Reason.TIME, Reason.EXPIRY, Reason.TERMS})


class TierHistory(msgspec.Struct, frozen=True):
    """A customer's tiers by their ids (None: none), and from which row's id on each but the first was there."""

    since: Sequence[UUID]
    tiers: Sequence[str | None]

    def tier_for(self, row_id: UUID) -> str | None:
        """Return the tier with which a fact was decided, by the id of its row."""
        return self.tiers[bisect_right(self.since, row_id)]


def history(changes: Sequence[tuple[UUID, TierChange]]) -> TierHistory:
    """Make it of a customer's changes with their ids, the oldest first; at least one.

    What time or new terms did is booked with the next fact, under an id behind that fact's, and was so before: it
    counts from then.
    """
    since = list[UUID]()
    for its_id, change in changes:
        begins = min(lowest_id_at(change.at), its_id) if change.reason in _BEFORE_THE_FACT else its_id
        since.append(max(begins, since[-1]) if since else begins)
    return TierHistory(since, [changes[0][1].before, *(change.after for _, change in changes)])
