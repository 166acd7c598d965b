"""A program's tiers: which there are at a moment, and in what order customers climb them. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program
from service.programs.tier_policy import TierPolicy
from service.programs.versions import applied_at
from service.tiers.rules import Ladder, Tier, TierContent, ladder_of

TIER: Final = "tier"
"""The kind of definitions."""


class _Step(msgspec.Struct):
    """What is left of a tier of which no more can be read."""

    name: str
    threshold: int


_decode = msgspec.json.Decoder(TierContent).decode
_decode_step = msgspec.json.Decoder(_Step).decode


class UnreadableTier(NamedTuple):
    """A version of a tier that another release of the service saved, and this one can't read."""

    tier: str
    version: int
    reason: str


class TierBook:
    """All tiers of a program at all moments. What is made of them is made once.

    Of a tier that can't be read its place stays, so that nobody falls, without benefits; where not even that can be
    read, there is no such tier.
    """

    def __init__(self, definitions: Mapping[str, Sequence[DefinitionVersion]]) -> None:
        """Take, by their ids, the versions of tiers that apply to some moment, the earliest first."""
        self.unreadable = list[UnreadableTier]()
        """What was found so far that can't be read. Whoever tells of it takes it out."""
        self._versions = definitions
        self._moments = sorted({version.valid_from for versions in definitions.values() for version in versions})
        self._tiers: dict[int, Mapping[str, Tier]] = {}
        self._ladders: dict[tuple[int, TierPolicy, str, str], Ladder] = {}

    def at(self, moment: datetime) -> Mapping[str, Tier]:
        """Return the tiers that there are at a moment, by their ids."""
        return self._at(bisect_right(self._moments, moment))

    def moments_from(self, moment: datetime) -> Iterable[datetime]:
        """Return a moment, and those after it from which on there are other tiers."""
        return (moment, *self._moments[bisect_right(self._moments, moment) :])

    def ladder(self, policy: TierPolicy, *, currency: str, time_zone: str, moment: datetime) -> Ladder:
        """Return the ladder of a moment; `currency` and `time_zone` are the program's."""
        place = bisect_right(self._moments, moment)
        key = place, policy, currency, time_zone
        found = self._ladders.get(key)
        if found is None:
            tiers = self._at(place).values()
            found = self._ladders[key] = ladder_of(policy, tiers, currency=currency, time_zone=time_zone)
        return found

    def _at(self, place: int) -> Mapping[str, Tier]:
        found = self._tiers.get(place)
        if found is None:
            moment = self._moments[place - 1] if place else None
            found = self._tiers[place] = {} if moment is None else dict(self._applying(moment))
        return found

    def _applying(self, moment: datetime) -> Iterable[tuple[str, Tier]]:
        for tier_id, versions in self._versions.items():
            version = applied_at(versions, moment)
            if version is not None and version.state is State.ACTIVE:
                content = self._content(tier_id, version)
                if content is not None:
                    yield tier_id, Tier(tier_id, version.number, content)

    def _content(self, tier_id: str, version: DefinitionVersion) -> TierContent | None:
        try:
            return _decode(version.content)
        except msgspec.MsgspecError as fault:
            self.unreadable.append(UnreadableTier(tier_id, version.number, str(fault)))
        try:
            step = _decode_step(version.content)
        except msgspec.MsgspecError:
            return None
        return TierContent(step.name, step.threshold)


def tiers_of(program: Program) -> TierBook:
    """Return a program's tiers; they are read once for each loaded program."""
    return program.definitions.once(_book)


def _book(definitions: Definitions) -> TierBook:
    return TierBook(definitions.of(TIER))


def ladder_at(program: Program, moment: datetime) -> Ladder | None:
    """Return how customers climb and fall at a moment; None where the program has no tiers then."""
    settings = program.at(moment).settings
    if settings.tiers is None:
        return None
    return tiers_of(program).ladder(
        settings.tiers, currency=settings.currency, time_zone=settings.time_zone, moment=moment
    )
