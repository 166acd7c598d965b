"""What a suppression is: a reason for which a customer gets no message and no surprise now. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from service.kernel.errors import Invalid
from service.kernel.ids import IdSource
from service.kernel.times import Time, in_utc

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_replace = msgspec.structs.replace

Until = Annotated[Time | None, Meta(description="When it ends by itself; null: it holds until it is lifted.")]
Reference = Annotated[
    str,
    Meta(min_length=1, max_length=500, description="The caller's own word for it, such as the number of a case."),
]


class SuppressionReason(Enum):
    """Why a customer gets no message and no surprise."""

    OPEN_CASE = "open_case"
    COMPLAINT = "complaint"
    OPT_OUT = "opt_out"
    LEFT = "left"
    DECEASED = "deceased"
    PAYMENT_OVERDUE = "payment_overdue"


class SuppressionEnd(Enum):
    """How a suppression ended. `over`: its own time came, which is noted when somebody next changes it."""

    LIFTED = "lifted"
    REPLACED = "replaced"
    OVER = "over"
    MERGED = "merged"
    ERASED = "erased"


class NewSuppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A suppression to set. Of each reason a customer has one at most: what is set later replaces it."""

    reason: SuppressionReason
    until: Until = None
    reference: Reference | None = None


class Suppression(msgspec.Struct, frozen=True):
    """A suppression as it stands. `until` None: until it is lifted. `customer_id` is the internal id.

    `set_by` and `lifted_by` are keys. It begins when it is set, and its end is not part of it any more.
    """

    id: UUID
    customer_id: int
    reason: SuppressionReason
    until: datetime | None
    reference: str | None
    set_by: UUID
    set_at: datetime
    ended_at: datetime | None = None
    ended_as: SuppressionEnd | None = None
    lifted_by: UUID | None = None

    def holds(self, now: datetime) -> bool:
        """Tell whether it holds at a moment, not before it was set."""
        return self.ended_at is None and (self.until is None or self.until > now)


class Suppressing(msgspec.Struct, frozen=True):
    """What setting a suppression comes to: the one that holds then, those that end for it, those that begin."""

    suppression: Suppression
    is_new: bool
    """Whether none of this reason held before."""
    ended: Sequence[Suppression] = ()
    begun: Sequence[Suppression] = ()


def suppressed(
    new: NewSuppression, *, customer_id: int, before: Suppression | None, by: UUID, ids: IdSource, now: datetime
) -> Suppressing:
    """Set a suppression. `before` is that of the reason whose end isn't noted, over or not.

    One of the same content stays as it is. Raises Invalid for an `until` that is not after now.
    """
    until = None if new.until is None else in_utc(new.until, "/until")
    if until is not None and until <= now:
        detail = "This is not in the future: it would end before it begins."
        raise Invalid(detail, pointer="/until", reason="in_the_past")
    held = before is not None and before.holds(now)
    if before is not None and held and (before.until, before.reference) == (until, new.reference):
        return Suppressing(before, is_new=False)
    begun = Suppression(ids.next(), customer_id, new.reason, until, new.reference, by, now)
    ended = [] if before is None else [ended_as(before, SuppressionEnd.REPLACED, now=now)]
    return Suppressing(begun, not held, ended, [begun])


def ended_as(suppression: Suppression, end: SuppressionEnd, *, now: datetime, by: UUID | None = None) -> Suppression:
    """End a suppression; one whose own time has come ended then. `by` is the key that lifts it."""
    if suppression.until is not None and suppression.until <= now:
        return _replace(suppression, ended_at=suppression.until, ended_as=SuppressionEnd.OVER)
    return _replace(suppression, ended_at=now, ended_as=end, lifted_by=by)


def merged(
    source: Iterable[Suppression], target: Iterable[Suppression], *, customer_id: int, ids: IdSource, now: datetime
) -> tuple[list[Suppression], list[Suppression]]:
    """Let what holds for a record hold for the one that it goes into, by its internal id; gives what ends and begins.

    Both are those whose end isn't noted. Where both have a reason, the later end counts, with its reference.
    """
    of_target = {each.reason: each for each in target}
    ended, begun = list[Suppression](), list[Suppression]()
    for each in source:
        ended.append(ended_as(each, SuppressionEnd.MERGED, now=now))
        other = of_target.get(each.reason)
        if not each.holds(now) or (other is not None and other.holds(now) and _end(other) >= _end(each)):
            continue
        if other is not None:
            ended.append(ended_as(other, SuppressionEnd.REPLACED, now=now))
        begun.append(_replace(each, id=ids.next(), customer_id=customer_id))
    return ended, begun


def _end(suppression: Suppression) -> datetime:
    return suppression.until or _NEVER
