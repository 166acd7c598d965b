"""Definitions on the wire: a kind's content stands flat beside what all definitions have."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, Struct, UnsetType, defstruct
from msgspec.structs import FieldInfo, fields

from service.kernel.times import Time
from service.programs.definitions import (
    Change,
    Content,
    Definition,
    DefinitionId,
    DefinitionKind,
    DefinitionVersion,
    State,
    Status,
)

GREATEST_VERSION: Final = 2**31 - 1
_FirstState = Annotated[
    Literal["draft", "active"], Meta(description="A draft applies to nothing; its content is checked all the same.")
]
_ValidFrom = Annotated[
    Time | None, Meta(description="It applies to what occurs from then on, also before now; null: from now on.")
]
_ChangeValidFrom = Annotated[Time | None, Meta(description="From when on the new version applies, also before now.")]
_SeenVersion = Annotated[
    int, Meta(ge=1, le=GREATEST_VERSION, description="The version that is changed; refused where there is a newer one.")
]
_Field = tuple[str, Any] | tuple[str, Any, Any]


@dataclass(frozen=True)
class Wire(Generic[Content]):
    """How a kind of definitions is written: what is sent to make and to change one, and what is answered."""

    kind: DefinitionKind[Content]
    new: type[Struct]
    changed: type[Struct]
    out: type[Struct]
    version_out: type[Struct]

    @property
    def title(self) -> str:
        """The kind's name, as in `EarningRule`."""
        return _title(self.kind)

    @property
    def id_in_path(self) -> str:
        """What a definition's id is called in paths, as in `earning_rule_id`."""
        return f"{self.kind.name}_id"

    def id(self, new: Any) -> str:  # noqa: ANN401 - as below
        """Return the id of a definition that is to be made."""
        return new.id

    def content(self, new: Any) -> Content:  # noqa: ANN401 - of the type `new`, which only the kind's content tells
        """Return the content of what is sent to make a definition."""
        return self.kind.content(**{name: getattr(new, name) for name in self.kind.content.__struct_fields__})

    def members(self, changed: Any) -> dict[str, Any]:  # noqa: ANN401 - likewise
        """Return the members of the content that a change replaces."""
        given = {name: getattr(changed, name) for name in self.kind.content.__struct_fields__}
        return {name: value for name, value in given.items() if value is not UNSET}

    def render(self, definition: Definition, status: Status) -> Any:  # noqa: ANN401 - likewise
        """Render a definition with its newest version, and where it stands now."""
        return self.out(status=status, **self._told(definition.id, definition.newest))

    def render_version(self, definition_id: str, version: DefinitionVersion) -> Any:  # noqa: ANN401 - likewise
        """Render a version."""
        return self.version_out(**self._told(definition_id, version))

    def _told(self, definition_id: str, version: DefinitionVersion) -> dict[str, Any]:
        content = msgspec.json.decode(version.content, type=self.kind.content)
        return {
            "id": definition_id,
            "version": version.number,
            "state": version.state,
            "valid_from": version.valid_from,
            "recorded_at": version.recorded_at,
        } | msgspec.structs.asdict(content)


def wire_of(kind: DefinitionKind[Content]) -> Wire[Content]:
    """Make the structs of a kind out of that of its content."""
    title, its_own = _title(kind), fields(kind.content)
    says = (kind.content.__doc__ or "").strip()
    new: list[_Field] = [("id", DefinitionId), ("state", _FirstState, "draft"), ("valid_from", _ValidFrom, None)]
    changed: list[_Field] = [
        ("state", State | UnsetType, UNSET),
        ("valid_from", _ChangeValidFrom, None),
        ("version", _SeenVersion | UnsetType, UNSET),
    ]
    told: list[_Field] = [("valid_from", Time), ("recorded_at", Time), *((each.name, each.type) for each in its_own)]
    first: list[_Field] = [("id", DefinitionId), ("version", int)]
    return Wire(
        kind,
        _sent(f"New{title}", f"{kind.a_noun.capitalize()} to make. {says}", [*new, *map(_given, its_own)]),
        _sent(
            f"{title}Change",
            f"A new version of {kind.a_noun}. Members of the content that are given are replaced whole, the others "
            "stay. Without a `valid_from` it applies from now on, or where the newest version is still to come, from "
            "that one's moment on, unless it is paused or ended.",
            [*changed, *((each.name, each.type | UnsetType, UNSET) for each in its_own)],
        ),
        _answered(
            f"{title}Out",
            f"{kind.a_noun.capitalize()}: its newest version, which applies from `valid_from` on, and where it stands "
            "now (`status`).",
            [*first, ("status", Status), ("state", State), *told],
        ),
        _answered(
            f"{title}VersionOut",
            f"A version of {kind.a_noun}. It applies to what occurs from `valid_from` on, until a later version does; "
            "drafts never.",
            [*first, ("state", State), *told],
        ),
    )


def _title(kind: DefinitionKind[Any]) -> str:
    return kind.name.title().replace("_", "")


def _sent(name: str, says: str, of: list[_Field]) -> type[Struct]:
    space = {"__doc__": says}
    return defstruct(name, of, frozen=True, kw_only=True, forbid_unknown_fields=True, namespace=space)


def _answered(name: str, says: str, of: list[_Field]) -> type[Struct]:
    return defstruct(name, of, frozen=True, kw_only=True, namespace={"__doc__": says})


def _given(field: FieldInfo) -> _Field:
    """Take a field over with its default."""
    if field.default_factory is not NODEFAULT:
        return field.name, field.type, msgspec.field(default_factory=field.default_factory)
    return (field.name, field.type) if field.default is NODEFAULT else (field.name, field.type, field.default)


def change_of(given: Any) -> Change:  # noqa: ANN401 - of one of the types `new` and `changed`
    """Return what is sent of a definition beside its content."""
    state, version = given.state, getattr(given, "version", UNSET)
    return Change(
        state=None if state is UNSET else State(state),
        valid_from=given.valid_from,
        version=None if version is UNSET else version,
    )
