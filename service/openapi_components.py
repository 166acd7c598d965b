"""The schemas of the OpenAPI document: what msgspec tells of the structs, in the form that generators of clients take.

msgspec tells what it decodes. An answer says more than that: fields with a default are always in it, or, where a struct
leaves defaults out, absent instead of null.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_origin

import msgspec
from msgspec.inspect import Field, StructType, Type, multi_type_info

_PREFIX: Final = "#/components/schemas/"
_LIST: Final = re.compile(r"(Page|List)(?:Out)?[_\[](\w+?)(?:Out)?[_\]]")
"""A list, or a page of one, as msgspec names a generic type and its schema."""


def components(sent: Sequence[Any], answered: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the schemas of types that are sent or answered: a reference for the `key_of` each, and the components."""
    types = [*sent, *answered]
    schemas, named = msgspec.json.schema_components(types, ref_template=_PREFIX + "{name}")
    by_title = {each.__name__: each for each in _structs(answered) - _structs(sent)}
    for schema in named.values():
        struct = by_title.get(schema["title"].partition("[")[0])
        if struct is not None:
            _as_answered(schema, omits=struct.__struct_config__.omit_defaults)
        for each in (schema, *schema.get("properties", {}).values()):
            _mend(each)
    references = dict(zip(map(key_of, types), schemas, strict=True))
    made = json.loads(_LIST.sub(r"\2\1", json.dumps([references, named])))
    return made[0], made[1]


def key_of(kind: Any) -> str:  # noqa: ANN401 - a type of any kind
    """Name a type, generic or not."""
    return repr(kind)


def reference(name: str) -> dict[str, str]:
    """Refer to a component."""
    return {"$ref": _PREFIX + name}


def as_change(schema: Mapping[str, Any], title: str, description: str) -> dict[str, Any]:
    """Make the schema of a change out of that of the whole: nothing is required."""
    return {**schema, "title": title, "description": description, "required": []}


def _as_answered(schema: dict[str, Any], *, omits: bool) -> None:
    for name, each in schema["properties"].items():
        if "default" not in each:
            continue
        default = each.pop("default")
        if not omits:
            schema["required"].append(name)
        elif default is None:
            (only,) = (kind for kind in each.pop("anyOf") if kind != {"type": "null"})
            each.update(only)


def _mend(schema: dict[str, Any]) -> None:
    """Say what msgspec leaves out, and tell defaults in words.

    Generators take a field with a default for one that must be sent, or can't read the default.
    """
    if all(isinstance(each, str) for each in schema.get("enum", [None])):
        schema["type"] = "string"
    words = [inspect.cleandoc(schema["description"])] if "description" in schema else []
    default = schema.pop("default", None)
    if default not in (None, [], {}):
        words.append(f"`{json.dumps(default)}` where it is left out.")
    if words:
        schema["description"] = " ".join(words)
    for each in schema.get("anyOf", ()):
        _mend(each)


def _structs(types: Sequence[Any]) -> set[type[msgspec.Struct]]:
    """Find the structs that types are made of."""
    found, waiting = set[Any](), list[Any](multi_type_info(types))
    while waiting:
        each = waiting.pop()
        if isinstance(each, StructType):
            if each.cls in found:
                continue
            found.add(each.cls)
        waiting += _parts(each)
    return {get_origin(kind) or kind for kind in found}


def _parts(told: Type | Field) -> Iterator[Type | Field]:
    for name in told.__struct_fields__:
        value = getattr(told, name)
        for each in value if isinstance(value, tuple) else (value,):  # pyright: ignore[reportUnknownVariableType]
            if isinstance(each, Type | Field):
                yield each
