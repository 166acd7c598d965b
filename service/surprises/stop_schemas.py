"""What suppressions stopped, on the wire."""

from typing import Literal

import msgspec

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.surprises.gifts import PREFIX
from service.surprises.stops import OccasionKind, ShownStop, kind_of


class StopOut(msgspec.Struct, frozen=True):
    """What was stopped for a customer, for all `reasons` that held.

    `at` the draw it was an occasion, for which nothing was drawn then. At the sending it was a gift that had been drawn
    for that occasion; only there is a `surprise_id`. `customer_id` null: the customer was erased.
    """

    id: str
    customer_id: str | None
    occasion: OccasionKind
    at: Literal["draw", "sending"]
    reasons: list[SuppressionReason]
    surprise_id: str | None
    stopped_at: Time


def stop_out(shown: ShownStop) -> StopOut:
    """Render what was stopped."""
    stop = shown.stop
    return StopOut(
        to_wire("stop", stop.id),
        shown.customer_id,
        kind_of(stop.occasion),
        "draw" if stop.gift is None else "sending",
        list(stop.reasons),
        None if stop.gift is None else to_wire(PREFIX, stop.gift),
        stop.stopped_at,
    )
