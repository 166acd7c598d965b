"""Types of activities: when they are there, and which properties they take."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.earning.activity_types import ActivityTypeContent, ActivityTypes, check_properties, checked
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, Unavailable
from service.programs.definitions import DefinitionVersion, State, applying_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def content(properties: dict[str, Any], **given: Any) -> ActivityTypeContent:
    """Make a type's content of its JSON."""
    return msgspec.convert({"name": "a type", "properties": properties} | given, ActivityTypeContent, strict=True)


def version(number: int, since: datetime, state: State = State.ACTIVE, **given: Any) -> DefinitionVersion:
    encoded = msgspec.json.encode(content({}, **given))
    return DefinitionVersion(number, UUID(int=number), state, encoded, since, since)


def test_a_type_is_there_from_its_moment_to_its_end_and_not_while_it_is_paused() -> None:
    versions = [
        version(1, AT),
        version(2, AT + 2 * DAY, State.PAUSED),
        version(3, AT + 3 * DAY, ends_at=(AT + 5 * DAY).isoformat()),
        version(4, AT, State.DRAFT),
    ]
    types = ActivityTypes({"survey": applying_of(versions)})
    moments = [AT + hours * DAY / 2 for hours in range(-1, 12)]
    found = [types.at("survey", moment) for moment in moments]
    numbers = [None if each is None else each.version for each in found]
    assert numbers == [None, 1, 1, 1, 1, None, None, 3, 3, 3, 3, None, None]
    assert types.at("other", AT) is None


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "integer", "least": 2, "most": 1}, "/most", "out_of_range"),
    ({"type": "number", "least": 0.2, "most": 0.1}, "/most", "out_of_range"),
    ({"type": "integer", "least": 2, "values": [2, 1]}, "/values/1", "out_of_range"),
    ({"type": "number", "most": 1.5, "values": [1.5, 1.6]}, "/values/1", "out_of_range"),
    ({"type": "string", "most": 3, "values": ["abc", "abcd"]}, "/values/1", "out_of_range"),
    ({"type": "string", "values": ["a", "b", "a"]}, "/values/2", "duplicate"),
    ({"type": "number", "values": [1, 1.0]}, "/values/1", "duplicate"),
]


@pytest.mark.parametrize(("its", "pointer", "reason"), BAD)
def test_a_property_that_nothing_could_have_is_refused(its: dict[str, Any], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(content({"x": its}))
    assert (refused.value.pointer, refused.value.reason) == (f"/properties/x{pointer}", reason)


@pytest.mark.parametrize(
    "its",
    [
        {"type": "text"},
        {"type": "boolean", "values": [True]},
        {"type": "string", "least": 1},
        {"type": "string", "most": 1001},
        {"type": "integer", "values": [1.5]},
        {"type": "integer", "values": [True]},
        {"type": "integer", "most": BOUND + 1},
        {"type": "number", "least": -BOUND - 0.5},
        {"type": "string", "values": [str(each) for each in range(101)]},
    ],
)
def test_what_is_no_property_can_not_be_read(its: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        content({"x": its})


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a b", "\xe4", "a\n", "x" * 64])
def test_a_name_that_no_expression_could_say_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        content({name: {"type": "string"}})


def test_at_most_fifty_properties() -> None:
    fifty = {f"p{number}": {"type": "boolean"} for number in range(50)}
    assert len(checked(content(fifty)).properties) == 50
    with pytest.raises(msgspec.ValidationError):
        content(fifty | {"one_more": {"type": "boolean"}})


texts, wholes = st.text("ab\N{SMILING FACE WITH HORNS}", max_size=4), st.integers(-6, 6)
numbers = wholes | st.sampled_from([-0.5, 0.1, 2.5, 5.5])


def among(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=1, max_size=3, unique=True)


def bounded(type_: str, one: int, other: int) -> dict[str, Any]:
    return {"type": type_, "least": min(one, other), "most": max(one, other)}


properties = st.one_of(
    st.fixed_dictionaries({"type": st.just("boolean")}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"values": among(texts)}),
    st.fixed_dictionaries({"type": st.just("string"), "most": st.integers(1, 4)}),
    st.fixed_dictionaries({"type": st.just("integer"), "values": among(wholes)}),
    st.fixed_dictionaries({"type": st.just("number"), "values": among(numbers)}),
    st.builds(bounded, st.sampled_from(["integer", "number"]), wholes, wholes),
)
names = st.sampled_from(["a", "b", "c"])
nothing: list[Any] = [None, [], {}]
values: st.SearchStrategy[Any] = st.sampled_from(nothing) | st.booleans() | texts | numbers


def as_json_schema(declared: dict[str, Any], required: set[str]) -> dict[str, Any]:
    """Say in JSON Schema what a type says, the least and the most of a text in characters."""
    renamed = {"values": "enum", "least": "minimum"}
    found = dict[str, Any]()
    for name, its in declared.items():
        most = "maxLength" if its["type"] == "string" else "maximum"
        found[name] = {renamed.get(key, most if key == "most" else key): value for key, value in its.items()}
    return {"properties": found, "required": sorted(required), "additionalProperties": False}


@given(st.dictionaries(names, properties), st.sets(names), st.dictionaries(names, values))
def test_properties_are_taken_as_json_schema_would_take_them(
    declared: dict[str, Any], required: set[str], told: dict[str, Any]
) -> None:
    required &= set(declared)
    its = checked(content({name: each | {"required": name in required} for name, each in declared.items()}))
    schema = as_json_schema(declared, required)
    try:
        check_properties(its, told)
    except Invalid as refused:
        assert not jsonschema_rs.is_valid(schema, told)
        name = refused.pointer.removeprefix("/properties/")
        wrong = {name: told[name]} if name in told else {}
        alone = schema | {"required": [name] if name not in told else []}
        assert not jsonschema_rs.is_valid(alone, wrong), "what it points at is wrong by itself"
    else:
        assert jsonschema_rs.is_valid(schema, told)


def test_a_type_that_another_release_saved_and_this_one_can_not_read_is_unavailable_and_stops_no_other() -> None:
    odd = msgspec.structs.replace(
        version(1, AT), content=b'{"name": "of tomorrow", "properties": {"a": {"type": "map"}}}'
    )
    types = ActivityTypes({"odd": [odd, version(2, AT + DAY)], "survey": [version(1, AT)]})
    with pytest.raises(Unavailable):
        types.at("odd", AT)
    assert [(each.type, each.version) for each in types.unreadable] == [("odd", 1)]
    assert types.at("odd", AT - DAY) is None
    found = [types.at("odd", AT + DAY), types.at("survey", AT)]
    assert [None if each is None else each.version for each in found] == [2, 1]
