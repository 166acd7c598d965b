"""What is published of a campaign's draws and sides, so that anybody can recompute them. Pure.

Before the key is out no draw is listed, nor told how many there are: who is missing, or whose purchase adds one, would
tell on which side a customer is. A draw whose gift is still to come is left out until then, since it would tell of it:
the name of its occasion is that of a fact which somebody knows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from service.kernel.times import Time
from service.programs.definitions import DefinitionVersion, State
from service.surprises.chance import Keyed, mask_of, pseudonym_of

KEY_AFTER: Final = timedelta(seconds=60)
"""So long after its end no process draws for a campaign any more: all have heard of it, and ended what they began."""


class RecordedDraw(NamedTuple):
    """A draw as it was recorded, with whether its gift is still to come."""

    id: UUID
    customer: int
    occasion: str
    version: int
    u: int
    lefts: Sequence[int | None] | None
    prize: int
    drawn_at: datetime
    is_to_come: bool


class RecordedSide(NamedTuple):
    """The side of a campaign on which a customer is; the lot was drawn for the `record` of then."""

    customer: int
    record: int
    held_out: bool


class PrizeOdds(msgspec.Struct, frozen=True):
    """A prize with its weight among all that are left."""

    id: str
    weight: int = 1


class VersionOdds(msgspec.Struct, frozen=True):
    """The prizes of a version of a campaign, in their order, and when it was made."""

    version: int
    recorded_at: Time
    prizes: tuple[PrizeOdds, ...]


class FairDraw(msgspec.Struct, frozen=True):
    """A draw: who, why, the number u, what was left of each prize of the version (null: no limit), and what came."""

    pseudonym: str
    occasion: str
    version: int
    u: int
    left: tuple[int | None, ...]
    prize: str
    drawn_at: Time


class FairSide(msgspec.Struct, frozen=True):
    """Whether the lot held a customer out."""

    pseudonym: str
    held_out: bool


class _Content(msgspec.Struct, frozen=True):
    prizes: tuple[PrizeOdds, ...]


def ended_at(newest: DefinitionVersion, now: datetime) -> datetime | None:
    """Tell since when a campaign is over, closed or by its own end; None while it isn't."""
    if not newest.is_over(now):
        return None
    ends_at = newest.ends_at
    if newest.state is not State.ENDED:
        return ends_at
    return newest.valid_from if ends_at is None else min(ends_at, newest.valid_from)


def odds_of(versions: Sequence[DefinitionVersion]) -> dict[int, VersionOdds]:
    """Return the odds of all versions that ever applied, by their numbers."""
    return {
        each.number: VersionOdds(each.number, each.recorded_at, msgspec.json.decode(each.content, type=_Content).prizes)
        for each in versions
        if each.state is not State.DRAFT
    }


def published_draws(
    draws: Sequence[RecordedDraw], odds: Mapping[int, VersionOdds], *, secret: Keyed, campaign: UUID
) -> list[FairDraw]:
    """Name the customers of draws by their pseudonyms, those of the records of then, and the prizes by their ids."""
    return [
        FairDraw(
            pseudonym_of(mask_of(secret, each.customer), campaign),
            each.occasion,
            each.version,
            each.u,
            tuple(each.lefts) if each.lefts is not None else (None,) * len(odds[each.version].prizes),
            odds[each.version].prizes[each.prize].id,
            each.drawn_at,
        )
        for each in draws
        if not each.is_to_come
    ]


def published_sides(sides: Sequence[RecordedSide], *, secret: Keyed, campaign: UUID) -> list[FairSide]:
    """Name customers by the pseudonyms under which the lot was drawn: a merge changes whose a side is, not the lot."""
    return [FairSide(pseudonym_of(mask_of(secret, each.record), campaign), each.held_out) for each in sides]
