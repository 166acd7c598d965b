"""A program's campaigns, compiled: which of them run at a moment, and on what they wait. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from service.kernel.ids import from_wire, to_wire
from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program
from service.programs.versions import applied_at
from service.surprises.audience import Audience, compiled_audience, shown_to
from service.surprises.campaigns import CAMPAIGN, ByPlay, CampaignContent, NoGift, OnPurchase, Pacing, Trigger
from service.surprises.chance import Keyed
from service.surprises.purse import Paced

_decode = msgspec.json.Decoder(CampaignContent).decode
_OVER_FOR: Final = timedelta(days=1)
"""Others may know of a change that isn't loaded here: after so long nobody goes by what was before."""
PREFIX: Final = "cmp"


class Run(msgspec.Struct, frozen=True):
    """That a campaign has started: when, and the key of its draws."""

    key: bytes
    started_at: datetime


@dataclass(frozen=True)
class CampaignVersion:
    """A version of a campaign, ready to be asked."""

    id: UUID
    version: int
    content: CampaignContent
    audience: Audience

    @cached_property
    def hex(self) -> str:
        """The id as customers' rows have it."""
        return self.id.hex

    @cached_property
    def wire(self) -> str:
        """The id as callers have it, and as it is hashed."""
        return to_wire(PREFIX, self.id)

    @cached_property
    def is_game(self) -> bool:
        """Whether it is played, rather than a surprise."""
        return isinstance(self.content.trigger, ByPlay)

    @cached_property
    def is_limited(self) -> bool:
        """Whether anything of it is limited in all: else there is nothing to read, and nothing to take."""
        budget = self.content.budget
        limits = [budget.points, budget.cost, *(each.stock for each in self.content.prizes)]
        return any(each is not None for each in limits)

    @cached_property
    def unlimited(self) -> tuple[int | None, ...]:
        """What is left of each prize where nothing is limited."""
        return tuple([None for _ in self.content.prizes])

    def is_open(self, now: datetime) -> bool:
        """Tell whether the period has begun; its end is the book's to know."""
        return self.content.starts_at is None or self.content.starts_at <= now


@dataclass(frozen=True)
class RunningCampaign(CampaignVersion):
    """A campaign that runs, with its key."""

    run: Run

    @cached_property
    def key(self) -> Keyed:
        """The key of its draws."""
        return Keyed(self.run.key)

    @property
    def paced(self) -> Paced | None:
        """From when to when it releases what it has; None: all at once."""
        content = self.content
        if content.pacing is not Pacing.EVEN or content.ends_at is None:
            return None
        begins = self.run.started_at if content.starts_at is None else max(content.starts_at, self.run.started_at)
        return Paced(begins, content.ends_at) if begins < content.ends_at else None


class UnreadableCampaign(NamedTuple):
    """A version of a campaign that another release of the service saved, and this one can't read."""

    campaign: str
    version: int
    reason: str


class CampaignBook:
    """All campaigns of a program at all moments. One that can't be read gives nothing, and keeps no other from it."""

    def __init__(self, definitions: Mapping[str, Sequence[DefinitionVersion]]) -> None:
        """Take, by their ids, the versions of campaigns that apply to some moment, the earliest first."""
        self.unreadable = list[UnreadableCampaign]()
        """What was found that can't be read. Whoever tells of it takes it out."""
        self._versions = definitions
        self._read = {
            (its_id, version.number): self._compiled(its_id, version)
            for its_id, versions in definitions.items()
            for version in versions
        }
        self._by_hex = {found.hex: its_id for its_id in definitions if (found := from_wire(PREFIX, its_id)) is not None}
        self.has_any = bool(self._read)
        self.shown = shown_to(each.audience for each in self._read.values() if each is not None)
        """What the expressions of all audiences name."""

    def all(self) -> list[CampaignVersion]:
        """Return all versions that apply to some moment and can be read."""
        return [each for each in self._read.values() if each is not None]

    def at(self, now: datetime, triggers: tuple[type[Trigger], ...] | None = None) -> list[CampaignVersion]:
        """Return the campaigns that run at a moment, of some kinds of triggers where they are given."""
        if not self.has_any:
            return []
        found = (self.running(its_id, now) for its_id in self._versions)
        return [
            each
            for each in found
            if each is not None and (triggers is None or isinstance(each.content.trigger, triggers))
        ]

    def running(self, wire_id: str, now: datetime) -> CampaignVersion | None:
        """Return a campaign where it runs: it is active, and its period has begun and isn't over."""
        its = self.standing(wire_id, now)
        if its is None or its[1].state is not State.ACTIVE or its[1].is_over(now) or not its[0].is_open(now):
            return None
        return its[0]

    def standing(self, wire_id: str, now: datetime) -> tuple[CampaignVersion, DefinitionVersion] | None:
        """Return a campaign with its version that applies at a moment; None for drafts and what can't be read."""
        version = applied_at(self._versions.get(wire_id, ()), now)
        its = None if version is None else self._read[wire_id, version.number]
        return None if version is None or its is None else (its, version)

    def is_forgotten(self, campaign: str, now: datetime) -> bool:
        """Tell whether customers' rows need keep nothing more of a campaign, by the hex digits of its id.

        That is so for one that was over a day ago. One that isn't known here may have been made since all were loaded,
        or is still a draft: what was counted of it stays.
        """
        versions = self._versions.get(self._by_hex.get(campaign, ""), ())
        return bool(versions) and versions[-1].is_over(now - _OVER_FOR)

    def _compiled(self, its_id: str, version: DefinitionVersion) -> CampaignVersion | None:
        found = from_wire(PREFIX, its_id)
        try:
            content = _decode(version.content)
        except msgspec.MsgspecError as fault:
            self.unreadable.append(UnreadableCampaign(its_id, version.number, str(fault)))
            return None
        if found is None:
            self.unreadable.append(UnreadableCampaign(its_id, version.number, "its id is none of a campaign"))
            return None
        audience = compiled_audience(content.audience, of_purchase=isinstance(content.trigger, OnPurchase))
        if audience.is_outdated:
            self.unreadable.append(UnreadableCampaign(its_id, version.number, "its audience is not taken any more"))
        return CampaignVersion(found, version.number, content, audience)


def gives_something(content: CampaignContent) -> bool:
    """Tell whether a campaign has a prize that is something."""
    return any(not isinstance(each.gift, NoGift) for each in content.prizes)


def campaigns_of(program: Program) -> CampaignBook:
    """Return a program's campaigns; they are read once for each loaded program."""
    return program.definitions.once(_book)


def _book(definitions: Definitions) -> CampaignBook:
    return CampaignBook(definitions.of(CAMPAIGN))
