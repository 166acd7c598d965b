"""Kinds of events: each room tells of its own, and how what is told of them is read."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from service.events.rules import Event, Named, Placed
from service.kernel.ids import to_wire
from service.platform.statements import Db

Reader: TypeAlias = Callable[[Db, int, Sequence[Placed]], Awaitable[Mapping[UUID, msgspec.Struct]]]
"""Reads what is told of events of a program, by the events' ids, from rows that don't change any more."""

_Data = TypeVar("_Data", bound=msgspec.Struct)

Namer: TypeAlias = Callable[[Db, int, Sequence[int]], Awaitable[Mapping[int, Named]]]
"""Reads how a program's customers are named to those outside, by their internal ids."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """A type of events. `example` is the `data` of one, whose type is its shape; a change of that shape is a version.

    Data are thin: ids, and the figures that matter.
    """

    type: str
    says: str
    """When it is told, in one sentence."""
    example: msgspec.Struct
    read: Reader
    version: int = 1
    concerns_customer: bool = True
    """Whether events of it are of a customer."""


def by_event(events: Iterable[Placed], told: Mapping[UUID, _Data]) -> dict[UUID, _Data]:
    """Give what is told of subjects, by their ids, to the events that name them."""
    return {event.id: told[event.subject_id] for event in events if event.subject_id in told}


class EventKinds:
    """All kinds of events that are told."""

    def __init__(self, names: Namer, kinds: Iterable[EventKind]) -> None:
        self._names = names
        self._kinds = {kind.type: kind for kind in kinds}

    def __iter__(self) -> Iterator[EventKind]:
        """Give the kinds by their types."""
        return iter(sorted(self._kinds.values(), key=lambda kind: kind.type))

    def __contains__(self, name: str) -> bool:
        """Tell whether there are events of this type."""
        return name in self._kinds

    async def named(self, db: Db, program_id: int, customers: Sequence[int]) -> Mapping[int, Named]:
        """Read how customers are named to those outside, by their internal ids."""
        return await self._names(db, program_id, customers)

    async def tell(self, db: Db, *, program_id: int, events: Sequence[Placed]) -> list[Event]:
        """Read what is told of events. Of one that no kind is known for, nothing but that it happened."""
        if not events:
            return []  # who waits for them looks again and again
        by_reader = defaultdict[Reader, list[Placed]](list)
        for event in events:
            if event.type in self._kinds:
                by_reader[self._kinds[event.type].read].append(event)
        data = dict[UUID, msgspec.Struct]()
        for read, of_kind in by_reader.items():
            data.update(await read(db, program_id, of_kind))
        concerned = sorted({event.customer_id for event in events if event.customer_id is not None})
        names = await self._names(db, program_id, concerned)
        return [self._told(event, data.get(event.id), names) for event in events]

    def _told(self, event: Placed, data: msgspec.Struct | None, names: Mapping[int, Named]) -> Event:
        kind = self._kinds.get(event.type)
        content: dict[str, Any] = {} if data is None else msgspec.to_builtins(data)
        named = None if event.customer_id is None else names[event.customer_id]
        return Event(
            id=to_wire("evt", event.id),
            type=event.type,
            version=1 if kind is None else kind.version,
            timestamp=event.recorded_at,
            position=event.position,
            customer_ref=None if named is None else named.reference,
            customer_id=None if named is None else named.customer_id,
            data=content,
        )
