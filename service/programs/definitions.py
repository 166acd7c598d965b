"""Definitions: what a marketer sets and no release does, in versions. Earning rules, tiers, types of activities. Pure.

All have an id of the caller's, a state, and a moment from which on each version applies; their content is their room's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar, cast
from uuid import UUID

import msgspec
from msgspec import Meta

from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.times import in_utc
from service.programs.versions import applied_at, applying

if TYPE_CHECKING:
    from service.programs.rules import Program

GREATEST_CONTENT: Final = 16 * 1024
"""Bytes of JSON that a version's content may have."""
MOST_DEFINITIONS: Final = 200
"""How many definitions of each kind that are not over a program may have."""
_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
"""The database's driver writes it as 'infinity', as the first one as '-infinity'."""
DEFINITION_ID_PATTERN: Final = "^[a-z][a-z0-9_-]{0,62}$(?!\n)"

DefinitionId = Annotated[
    str,
    Meta(
        pattern=DEFINITION_ID_PATTERN,
        description="Up to 63 lower-case letters, digits, hyphens and underscores; it begins with a letter.",
    ),
]
Content = TypeVar("Content", bound=msgspec.Struct)
T = TypeVar("T")


class State(Enum):
    """What a version of a definition says."""

    DRAFT = "draft"
    """It is being prepared, and applies to nothing."""
    ACTIVE = "active"
    PAUSED = "paused"
    """Not from here on, for a while. What occurred before still counts."""
    ENDED = "ended"
    """Never again from here on."""


class Status(Enum):
    """Where a definition stands now."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    """Its first version is still to come."""
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class DefinitionVersion(msgspec.Struct, frozen=True):
    """A version of a definition. It applies to what occurs from `valid_from` on, until a later one does; drafts never.

    `content` is JSON, of a type that only the definition's room knows; `id` names the version in events.
    """

    number: int
    id: UUID
    state: State
    content: bytes
    valid_from: datetime
    recorded_at: datetime

    @property
    def ends_at(self) -> datetime | None:
        """When the content itself says that it is over; None where it doesn't."""
        return _decode_end(self.content).ends_at

    def is_over(self, now: datetime) -> bool:
        """Tell whether it applies and gives nothing any more: it is the end, or its own end has come."""
        ends_at = self.ends_at
        return self.valid_from <= now and (self.state is State.ENDED or (ends_at is not None and ends_at <= now))


class Definition(msgspec.Struct, frozen=True):
    """A definition with its versions, by number; at least the newest and the one that applies now.

    `place` orders definitions by when they were made: the id of the first version.
    """

    id: str
    place: UUID
    versions: tuple[DefinitionVersion, ...]

    @property
    def newest(self) -> DefinitionVersion:
        """The version with the highest number, whether it applies yet or not."""
        return self.versions[-1]

    def status(self, now: datetime) -> Status:
        """Tell where it stands."""
        if self.newest.state is State.DRAFT:
            return Status.DRAFT
        applied = applied_at(applying_of(self.versions), now)
        if applied is None:
            return Status.SCHEDULED
        return Status.ENDED if applied.is_over(now) else Status(applied.state.value)


class Definitions:
    """All definitions of a program as they were loaded, and what rooms above have made of them.

    Two are equal when they are one object: what was made of one stays with it.
    """

    __slots__ = ("_by_kind", "_made", "version_ids")

    def __init__(self, by_kind: Mapping[str, Mapping[str, Sequence[DefinitionVersion]]]) -> None:
        """Take, by kind and id, the versions that apply to some moment, as `applying_of` gives them."""
        self._by_kind = by_kind
        self._made = dict[Callable[[Definitions], Any], Any]()
        self.version_ids = frozenset(
            version.id for its in by_kind.values() for versions in its.values() for version in versions
        )

    def of(self, kind: str) -> Mapping[str, Sequence[DefinitionVersion]]:
        """Give the definitions of a kind, by id: the versions that apply to some moment, the earliest first."""
        return self._by_kind.get(kind, {})

    def once(self, make: Callable[["Definitions"], T]) -> T:
        """Give what a function makes of these definitions, and make it only once. It is a function of a module."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast("T", self._made[make])


NO_DEFINITIONS: Final = Definitions({})
"""Those of every program that has none."""


@dataclass(frozen=True)
class DefinitionKind(Generic[Content]):
    """A kind of definitions, as its room describes it."""

    name: str
    """As in `earning_rule`: in the tables, and in front of its types of events."""
    content: type[Content]
    """What a version holds, a struct whose fields are keywords. One named `ends_at` is when it is over by itself."""
    check: Callable[[Content, "Program"], Content]
    """Brings content into the form that is stored, for a program. Raises Invalid with pointers into the body."""
    reserved: frozenset[str] = frozenset()
    """Ids that no definition has: they mean something else already."""
    among: Callable[[str, Content, "Program", datetime], None] | None = None
    """Refuses content, of that id and from that moment on, which can't stand beside the program's others of the kind.

    Raises Invalid with pointers into the body.
    """

    @property
    def noun(self) -> str:
        """What one of them is called, as in `earning rule`."""
        return self.name.replace("_", " ")

    @property
    def a_noun(self) -> str:
        """Likewise, with its article."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.noun}"

    @property
    def created(self) -> str:
        """The type of the event of a first version."""
        return f"{self.name}.created"

    @property
    def changed(self) -> str:
        """The type of the event of any other version."""
        return f"{self.name}.changed"


class Change(msgspec.Struct, frozen=True):
    """What is to change about a definition beside its content. `version` is the one that the caller has seen."""

    state: State | None = None
    valid_from: datetime | None = None
    version: int | None = None


class DefinitionExists(Refusal):
    """The id of a new definition is taken."""

    kind = Kind.CONFLICT
    code = "definition_exists"
    title = "There is one with this id already"


class DefinitionEnded(Refusal):
    """What has ended stays as it is."""

    kind = Kind.CONFLICT
    code = "definition_ended"
    title = "This has ended, and can't be changed any more"


class StateNotReachable(Refusal):
    """A draft is activated or ended, and nothing becomes a draft again."""

    kind = Kind.CONFLICT
    code = "state_not_reachable"
    title = "This state can't follow the one that it has"


class VersionConflict(Refusal):
    """Somebody else made a version since the caller looked."""

    kind = Kind.CONFLICT
    code = "version_conflict"
    title = "There is a newer version than the one that this changes"


def applying_of(versions: Sequence[DefinitionVersion]) -> list[DefinitionVersion]:
    """Leave out drafts, and the versions that apply to no moment any more; `versions` come by number."""
    return applying(version for version in versions if version.state is not State.DRAFT)


def check_change(newest: DefinitionVersion, change: Change, *, now: datetime) -> State:
    """Give the state that a change leads to. Raises VersionConflict, DefinitionEnded, StateNotReachable.

    An end that is still to come can be taken back.
    """
    if change.version is not None and change.version != newest.number:
        raise VersionConflict
    if newest.state is State.ENDED and newest.valid_from <= now:
        raise DefinitionEnded
    state = change.state or newest.state
    was_draft, is_draft = newest.state is State.DRAFT, state is State.DRAFT
    if (is_draft and not was_draft) or (was_draft and state is State.PAUSED):
        raise StateNotReachable
    return state


def since(newest: DefinitionVersion | None, change: Change, state: State, *, now: datetime) -> datetime:
    """Tell from when on the version that a change makes applies; `newest` is the one before it. Raises Invalid.

    Left out it is now, but a version that is still to come keeps its moment, unless the change pauses or ends it.
    """
    if newest is None:
        return now if change.valid_from is None else _moment(change.valid_from)
    if change.valid_from is None:
        stops = state is not newest.state and state in {State.PAUSED, State.ENDED}
        return now if stops else max(now, newest.valid_from)
    moment = _moment(change.valid_from)
    if newest.state is State.DRAFT and state is State.ENDED and moment > now:
        raise Invalid("A draft ends now.", pointer="/valid_from", reason="in_the_future")
    return moment


def _moment(valid_from: datetime) -> datetime:
    moment = in_utc(valid_from, "/valid_from")
    if moment == _LAST_MOMENT:
        raise Invalid("This time is outside the calendar.", pointer="/valid_from", reason="out_of_range")
    return moment


def is_news(newest: DefinitionVersion, change: Change, state: State, *, same: bool, moment: datetime) -> bool:
    """Tell whether a change makes a version; `same` tells whether the content stays as it is. Raises Invalid.

    What stays the same is a version where it is to apply from an earlier moment on, or is a draft. From a later moment
    on it would change nothing, as the version before applies until then, too.
    """
    if state is not newest.state or not same:
        return True
    if change.valid_from is None or moment == newest.valid_from:
        return False
    if state is not State.DRAFT and moment > newest.valid_from:
        detail = "The same applies from an earlier moment on already. Pause it first."
        raise Invalid(detail, pointer="/valid_from", reason="applies_earlier")
    return True


def check_id(kind: DefinitionKind[Content], definition_id: str) -> None:
    """Refuse an id that no definition of a kind may have. Raises Invalid."""
    if definition_id in kind.reserved:
        raise Invalid("This id means something else already.", pointer="/id", reason="reserved")


def check_content(
    kind: DefinitionKind[Content], definition_id: str, content: Content, program: "Program", *, moment: datetime
) -> Content:
    """Bring content that is to apply from a moment on into the form that is stored. Raises Invalid."""
    ends_at: datetime | None = getattr(content, "ends_at", None)
    if ends_at is not None:
        ends_at = in_utc(ends_at, "/ends_at")
        if ends_at <= moment:
            raise Invalid("This is over before it begins.", pointer="/ends_at", reason="out_of_range")
        content = msgspec.structs.replace(content, ends_at=ends_at)
    content = kind.check(content, program)
    if len(msgspec.json.encode(content)) > GREATEST_CONTENT:
        detail = f"This is more than {GREATEST_CONTENT} bytes of JSON."
        raise Invalid(detail, pointer="", reason="too_large")
    if kind.among is not None:
        kind.among(definition_id, content, program, moment)
    return content


class _End(msgspec.Struct):
    """What the room of programs knows of content."""

    ends_at: datetime | None = None


_decode_end = msgspec.json.Decoder(_End).decode
