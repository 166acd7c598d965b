"""Suppressions on the wire. The request is `rules.NewSuppression` itself."""

import msgspec

from service.customers.suppressions.rules import Suppression, SuppressionEnd, SuppressionReason
from service.kernel.ids import to_wire
from service.kernel.times import Time


class SuppressionOut(msgspec.Struct, frozen=True):
    """A suppression that holds: until when (null: until it is lifted), and who set it when, by the id of the key."""

    reason: SuppressionReason
    until: Time | None
    reference: str | None
    set_by: str
    set_at: Time


def suppression_out(each: Suppression) -> SuppressionOut:
    """Render a suppression."""
    return SuppressionOut(each.reason, each.until, each.reference, to_wire("key", each.set_by), each.set_at)


class LiftedOut(msgspec.Struct, frozen=True):
    """A reason that held and holds no more."""

    reason: SuppressionReason
    lifted: bool = True


class RecordedSuppressionOut(msgspec.Struct, frozen=True):
    """A suppression as an export shows it: also one that ended, and how.

    One whose time is over may have no end noted. One that ended as `merged` goes on under the record that there is now.
    """

    reason: SuppressionReason
    until: Time | None
    reference: str | None
    set_by: str
    set_at: Time
    ended_at: Time | None
    ended_as: SuppressionEnd | None
    lifted_by: str | None


def recorded_suppression_out(each: Suppression) -> RecordedSuppressionOut:
    """Render a suppression for an export."""
    return RecordedSuppressionOut(
        each.reason,
        each.until,
        each.reference,
        to_wire("key", each.set_by),
        each.set_at,
        each.ended_at,
        each.ended_as,
        None if each.lifted_by is None else to_wire("key", each.lifted_by),
    )
