"""Every type of events that any code announces is told, and its example shows what."""

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from service.events.kinds import EventKind
from service.events.rules import Event
from service.news import KINDS
from service.openapi_webhooks import example
from service.platform.http.docs import DOCUMENT
from service.platform.settings import CHECKOUT
from service.programs.definitions import DefinitionKind

SPEC: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
SERVICE = CHECKOUT / "service"
MOST_BYTES = 20_000
SPEAK_OF_FACTS = {
    "usecases",
    "facts",
    "bulk",
    "importing",
    "booking",
    "handlers",
    "schemas",
    "store",
    "payment_store",
    "table",
    "rules",
}
each_kind = pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.type)


class _Source:
    """A module: its code, and its names as they are once it is loaded."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        self.module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        self.functions = [
            node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    def announced(self) -> Iterator[ast.expr]:
        """Give what stands for the type of an event: in an `Event`, and in what accounts note of news."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=ast.Name("Event" | "News"), args=[_, kind, _, _]):
                    if ast.unparse(kind) != "self.event":  # of a kind of fact, which its room names: below
                        yield kind
                case ast.Call(func=ast.Name("Facts") | ast.Subscript(ast.Name("Facts")), keywords=[*keywords]):
                    yield from (each.value for each in keywords if each.arg == "event")
                case ast.Call(func=ast.Name("Event"), keywords=[*keywords]) if keywords:
                    yield from (each.value for each in keywords if each.arg == "type")
                case ast.Call(
                    func=ast.Attribute(ast.Attribute(attr="news") | ast.Name("news"), "append"),
                    args=[ast.Tuple([kind, _])],
                ):
                    yield kind
                case _:
                    pass

    def types(self, kind: ast.expr) -> set[str]:
        """Resolve it: a constant of the module, any value of a table, or what callers of this function give."""
        match kind:
            case ast.Name(name) if hasattr(self.module, name):
                return {getattr(self.module, name)}
            case ast.Constant(str(text)):
                return {text}
            case ast.Subscript(ast.Name(name)):
                return set(getattr(self.module, name).values())
            case ast.Attribute(ast.Name("kind"), "created" | "changed" as of_definition):
                return {getattr(each, of_definition) for each in kinds_of_definitions()}
            case ast.Name(name):
                given = set[str]()
                for function in self.functions:
                    names = [each.arg for each in function.args.args]
                    if kind in ast.walk(function) and name in names:
                        for argument in self._given(function.name, names.index(name)):
                            given |= self.types(argument)
                return given
            case _:
                return {f"{self.module.__name__}: {ast.unparse(kind)} is no name"}

    def _given(self, function: str, place: int) -> Iterator[ast.expr]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                argument = node.args[place]
                yield from (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,)


def kinds_of_definitions() -> set[DefinitionKind[Any]]:
    """Find the kinds of definitions that rooms have."""
    modules = [_Source(path).module for path in SERVICE.rglob("*.py") if "DefinitionKind(" in path.read_text("utf-8")]
    return {each for module in modules for each in vars(module).values() if isinstance(each, DefinitionKind)}


def announced() -> dict[str, set[str]]:
    """Find the types that code announces, by the modules that do."""
    found = dict[str, set[str]]()
    for path in sorted(SERVICE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if any(sign in text for sign in ("platform.outbox import Event", "news.append(", "points.facts import")):
            source = _Source(path)
            found[source.module.__name__] = {
                kind for expression in source.announced() for kind in source.types(expression)
            }
    return found


def test_every_type_that_is_announced_is_told_and_none_is_told_that_never_is() -> None:
    by_module = announced()
    silent = {name for name, types in by_module.items() if not types}
    # What accounts noted, and of what kind a fact is, is announced by these for all rooms; others only speak of facts.
    assert {"service.points.usecases", "service.points.facts"} <= silent
    assert {name.rpartition(".")[2] for name in silent} <= SPEAK_OF_FACTS
    assert set[str]().union(*by_module.values()) == {kind.type for kind in KINDS}


@each_kind
def test_an_example_has_the_shape_that_its_kind_tells(kind: EventKind) -> None:
    plain = msgspec.to_builtins(kind.example)
    assert msgspec.convert(plain, type(kind.example), strict=True) == kind.example
    assert set(plain) == {field.name for field in msgspec.structs.fields(kind.example)}
    assert kind.says.endswith(".")


@each_kind
def test_an_event_is_small_even_where_its_texts_are_as_long_as_they_can_be(kind: EventKind) -> None:
    event = example(kind)

    def swollen(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: swollen(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        return "\N{ROLLING ON THE FLOOR LAUGHING}" * 500 if isinstance(value, str) else value

    largest = msgspec.structs.replace(event, data=swollen(event.data))
    assert len(msgspec.json.encode(largest)) < MOST_BYTES


def test_the_document_lists_every_type_with_its_schema_and_an_example_that_fits() -> None:
    assert set(SPEC["webhooks"]) == {kind.type for kind in KINDS}
    assert SPEC["openapi"].startswith("3.1")
    for kind in KINDS:
        (media,) = SPEC["webhooks"][kind.type]["post"]["requestBody"]["content"].values()
        schema = jsonschema_rs.Draft202012Validator(
            media["schema"] | {"components": SPEC["components"]}, validate_formats=True
        )
        schema.validate(media["example"])
        assert media["example"] == msgspec.to_builtins(example(kind))
        for spoilt in ({"type": "purchase.eaten"}, {"version": kind.version + 1}, {"data": {"a": 1}}):
            fits = schema.is_valid(media["example"] | spoilt)
            assert fits == ("data" in spoilt and not msgspec.structs.fields(kind.example))


def test_examples_are_whole_events() -> None:
    for kind in KINDS:
        assert msgspec.convert(msgspec.to_builtins(example(kind)), Event).type == kind.type
