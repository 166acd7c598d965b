"""What rooms keep of customers, and what becomes of it when two records become one and when one is erased.

Rooms above tell it to this one: each has a keeper, and the application hands all of them over. Every table with rows of
customers has a keeper that answers for it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from service.customers.rules import Balance, Customer
from service.platform.statements import Db


class Merging(msgspec.Struct, frozen=True):
    """Two records that become one, or are one since an earlier merge; both are locked.

    `id` names the merge, `entropy` are 62 random bits for ids.
    """

    id: UUID
    program_id: int
    source: Customer
    target: Customer
    now: datetime
    entropy: int


class Erasing(msgspec.Struct, frozen=True):
    """A record that is erased, with those that went into it (`all_ids`, the first is its own); all are locked."""

    id: UUID
    program_id: int
    customer: Customer
    all_ids: Sequence[int]
    now: datetime
    entropy: int


class Keeper(Protocol):
    """Answers for what one room keeps of customers."""

    @property
    def tables(self) -> frozenset[str]:
        """The tables it answers for."""
        ...

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let the target have what the source has; where they are one record already, book what has come due."""
        ...

    async def erase(self, db: Db, erasing: Erasing) -> Balance | None:
        """Close what is open, and empty what may be personal data. Who closes balances gives what they were."""
        ...

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all that is kept of a record and those that went into it, by what it is."""
        ...


class Keepers(tuple[Keeper, ...]):
    """The keepers of all rooms, in the order in which they lock: documents first, shared rows last."""

    __slots__ = ()
