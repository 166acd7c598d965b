"""What webhooks keep of customers: what receivers answered about them.

This room is below that of customers, so it says itself what it asks of an erasure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from service.platform.statements import Db
from service.webhooks import store


class Erased(Protocol):
    """A record that is erased, with the internal ids of all that went into it."""

    @property
    def program_id(self) -> int:
        """The program."""
        ...

    @property
    def all_ids(self) -> Sequence[int]:
        """The record's own id, and those that went into it."""
        ...


class WebhooksKeeper:
    """Answers for the log of deliveries."""

    tables = frozenset({"webhook_delivery"})

    async def merge(self, db: Db, merging: object) -> None:
        """Leave it: events name the record that they happened to."""

    async def erase(self, db: Db, erasing: Erased) -> None:
        """Empty what receivers answered. Lanes are held: one that is about to write an answer sees the erasure then."""
        await store.hold_webhooks(db, program_id=erasing.program_id)
        await store.forget_answers(db, program_id=erasing.program_id, customers=erasing.all_ids)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give nothing: what others said when they were told is theirs."""
        del db, program_id, all_ids
        return {}
