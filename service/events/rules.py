"""What an event is: something that happened, at its place in the feed, and what is told of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from service.kernel.times import Time


class Placed(msgspec.Struct, frozen=True):
    """An event at its place in the feed, 1 and up without gaps in each program.

    What it tells of is the row that `subject_id` names, of a kind that the type implies; news of a customer itself have
    the event's own id there. `customer_id` is the internal one.
    """

    position: int
    id: UUID
    type: str
    customer_id: int | None
    subject_id: UUID
    recorded_at: datetime


class Named(msgspec.Struct, frozen=True):
    """How a customer is named to those outside: by a reference that never changes, and the caller's id as it is now."""

    reference: str
    customer_id: str | None


class Event(msgspec.Struct, frozen=True):
    """What is told of something that happened: the same in the feed and to webhooks, however often it is told.

    `timestamp` is when it was booked, `version` that of the shape of `data`. `customer_id` is the caller's id as it is
    now; null where no customer is concerned, and once the customer was erased. `customer_ref` is the same in all events
    of a customer, also when it is erased: who keeps something of customers knows by it whose to empty.
    """

    id: str
    type: str
    version: int
    timestamp: Time
    position: int
    customer_ref: str | None
    customer_id: str | None
    data: dict[str, Any]
