"""Types of activities: what a program rewards beside purchases, and which properties it asks for. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from service.earning.limits import CountedLimit, counted_limit
from service.earning.rules import Every, Limit
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, Unavailable
from service.kernel.times import Time
from service.platform.http.body import escape
from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program
from service.programs.versions import applied_at

ACTIVITY_TYPE: Final = "activity_type"
"""The kind of definitions that types of activities are."""
MOST_PROPERTIES: Final = 50
MOST_VALUES: Final = 100
LONGEST_TEXT: Final = 1_000
_RETRY_AFTER_SECONDS: Final = 30
"""What can't be read is read when another release serves: that isn't a matter of one second."""

PropertyName = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z_][A-Za-z0-9_]{0,62}$(?!\n)",
        description="Up to 63 letters, digits and underscores; it doesn't begin with a digit.",
    ),
]
Whole = Annotated[int, Meta(ge=-BOUND, le=BOUND)]
Fraction = Whole | Annotated[float, Meta(ge=-BOUND, le=BOUND)]


class TextProperty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="string"):
    """A text of up to `most` characters; where there are `values`, one of these."""

    required: bool = False
    values: Annotated[tuple[Annotated[str, Meta(max_length=LONGEST_TEXT)], ...], Meta(max_length=MOST_VALUES)] = ()
    most: Annotated[int, Meta(ge=1, le=LONGEST_TEXT)] = 500


class WholeProperty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="integer"):
    """A whole number, both bounds included; where there are `values`, one of these. Without a bound it is 10^12."""

    required: bool = False
    values: Annotated[tuple[Whole, ...], Meta(max_length=MOST_VALUES)] = ()
    least: Whole | None = None
    most: Whole | None = None


class NumberProperty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="number"):
    """A number, both bounds included; where there are `values`, one of these. Without a bound it is 10^12."""

    required: bool = False
    values: Annotated[tuple[Fraction, ...], Meta(max_length=MOST_VALUES)] = ()
    least: Fraction | None = None
    most: Fraction | None = None


class FlagProperty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="boolean"):
    """True or false."""

    required: bool = False


Property: TypeAlias = TextProperty | WholeProperty | NumberProperty | FlagProperty


class ActivityTypeContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a type of activities is called, and which properties its activities have; others are refused.

    With `once` a customer is rewarded for one activity of the type in a lifetime, whatever the rules say: what was
    rewarded before that was set counts, too. From `ends_at` on there are no activities of the type.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    properties: Annotated[dict[PropertyName, Property], Meta(max_length=MOST_PROPERTIES)] = {}
    once: bool = False
    ends_at: Time | None = None


_decode = msgspec.json.Decoder(ActivityTypeContent).decode


class AppliedType(msgspec.Struct, frozen=True):
    """A type of activities at a version."""

    version: int
    content: ActivityTypeContent


class UnreadableType(NamedTuple):
    """A version of a type that another release of the service saved, and this one can't read."""

    type: str
    version: int
    reason: str


class ActivityTypes:
    """All types of activities of a program at all moments."""

    def __init__(self, definitions: Mapping[str, Sequence[DefinitionVersion]]) -> None:
        """Take, by their ids, the versions of types that apply to some moment, the earliest first."""
        self.unreadable = list[UnreadableType]()
        """What was found that can't be read. Whoever tells of it takes it out."""
        self._versions = definitions
        self._contents = {
            (its_id, version.number): self._content(its_id, version)
            for its_id, versions in definitions.items()
            for version in versions
        }

    def at(self, type_: str, moment: datetime) -> AppliedType | None:
        """Return a type as it was at a moment; None where there were no such activities then.

        Raises Unavailable for one that can't be read: what it says of the activity only another release knows.
        """
        version = applied_at(self._versions.get(type_, ()), moment)
        if version is None or version.state is not State.ACTIVE:
            return None
        content = self._contents[type_, version.number]
        if content is None:
            detail = "This release of the service can't read this type of activities; nothing was done."
            raise Unavailable(detail, retry_after=_RETRY_AFTER_SECONDS)
        if content.ends_at is not None and moment >= content.ends_at:
            return None
        return AppliedType(version.number, content)

    # One type that can't be read must not keep a program's other activities from being booked.

    def _content(self, its_id: str, version: DefinitionVersion) -> ActivityTypeContent | None:
        try:
            return _decode(version.content)
        except msgspec.MsgspecError as fault:
            self.unreadable.append(UnreadableType(its_id, version.number, str(fault)))
            return None


def types_of(program: Program) -> ActivityTypes:
    """Return a program's types of activities; they are read once for each loaded program."""
    return program.definitions.once(_types)


def _types(definitions: Definitions) -> ActivityTypes:
    return ActivityTypes(definitions.of(ACTIVITY_TYPE))


def once_in_a_life(type_: str) -> list[CountedLimit]:
    """Return the limit by which a customer is rewarded for a type of activities once.

    It is counted like those of rules, of which none has such a name, and whether it holds or not.
    """
    return [counted_limit(f"activity:{type_}", Limit(Every.LIFE, times=1))]


def checked(content: ActivityTypeContent) -> ActivityTypeContent:
    """Refuse what the types can't: bounds that leave nothing, values beyond them or given twice. Raises Invalid."""
    for name, its in content.properties.items():
        if isinstance(its, FlagProperty):
            continue
        least = None if isinstance(its, TextProperty) else its.least
        if least is not None and its.most is not None and its.most < least:
            raise Invalid("This is below `least`.", pointer=f"/properties/{name}/most", reason="out_of_range")
        for number, value in enumerate(its.values):
            pointer = f"/properties/{name}/values/{number}"
            _check_value(its, value, pointer)
            if value in its.values[:number]:
                raise Invalid("This value stands here already.", pointer=pointer, reason="duplicate")
    return content


def check_properties(content: ActivityTypeContent, given: Mapping[str, Any]) -> None:
    """Refuse properties that an activity of the type doesn't have, or not like this. Raises Invalid with a pointer."""
    for name, value in given.items():
        pointer = f"/properties/{escape(name)}"
        its = content.properties.get(name)
        if its is None:
            raise Invalid("This type of activities has no such property.", pointer=pointer, reason="unknown_field")
        _check_value(its, value, pointer)
    for name, its in content.properties.items():
        if its.required and name not in given:
            raise Invalid("This property is required.", pointer=f"/properties/{name}", reason="missing")


def _check_value(its: Property, value: object, pointer: str) -> None:
    if isinstance(its, TextProperty):
        if not isinstance(value, str):
            raise Invalid("This is no text.", pointer=pointer, reason="type")
        if len(value) > its.most:
            detail = f"A text here has up to {its.most} characters."
            raise Invalid(detail, pointer=pointer, reason="out_of_range")
    elif isinstance(its, FlagProperty):
        if not isinstance(value, bool):
            raise Invalid("This is neither true nor false.", pointer=pointer, reason="type")
        return
    else:
        _check_number(its, value, pointer)
    if its.values and value not in its.values:
        raise Invalid("This is none of the values that it may have.", pointer=pointer, reason="unknown_value")


def _check_number(its: WholeProperty | NumberProperty, value: object, pointer: str) -> None:
    # True is no 1 here, and 1.0 no whole number: JSON tells them apart.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid("This is no number.", pointer=pointer, reason="type")
    if isinstance(its, WholeProperty) and not isinstance(value, int):
        raise Invalid("This is no whole number.", pointer=pointer, reason="type")
    least, most = -BOUND if its.least is None else its.least, BOUND if its.most is None else its.most
    if not least <= value <= most:
        raise Invalid(f"A number here is from {least} to {most}.", pointer=pointer, reason="out_of_range")
