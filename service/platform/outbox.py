"""The outbox: what happened, written with the change itself: no news is lost, and none is told before it is true."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from service.platform.statements import Statement, Write, load

_STATEMENTS = load(__file__)
_INSERT: Final[Statement] = _STATEMENTS["outbox_insert"]


class Event(msgspec.Struct, frozen=True):
    """Something that happened. Its body is rendered later: of a purchase from its row, `subject_id`.

    News of a customer have no row of their own; their `subject_id` is the event's id.
    """

    id: UUID
    type: str
    customer_id: int | None
    subject_id: UUID


def announcing(program_id: int, events: Sequence[Event], recorded_at: datetime) -> Write:
    """Write events into the outbox, in the transaction of their change."""
    rows = [(event.id, event.type, event.customer_id, event.subject_id) for event in events]
    return Write(_INSERT, (program_id, recorded_at, rows), len(rows))
