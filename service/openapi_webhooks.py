"""The section `webhooks` of the OpenAPI document: every type of events, with the shape of its data and an example."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from service.customers.records import CUSTOMER_ERASED
from service.events.kinds import EventKind
from service.events.rules import Event
from service.kernel.times import Time
from service.openapi_components import key_of

_EVENT_ID: Final = "evt_019aa5f0601c7b3e8d11223344556677"
_REFERENCE: Final = "cus_5f2a9c0e7b1d4836a1f0c2d3e4b59687"
_SAYS: Final = (
    """What a webhook is sent, and what `GET /v1/events` lists, of such an event. Every answer of 2xx takes it."""
)


def shapes(kinds: Iterable[EventKind]) -> list[type[msgspec.Struct]]:
    """Give the types of what is told, each once, for the document's components."""
    return list(dict.fromkeys([Event, *(type(kind.example) for kind in kinds)]))


def webhooks(kinds: Iterable[EventKind], references: Mapping[str, Any]) -> dict[str, Any]:
    """Make the section, with the references that components of `shapes` have."""
    return {kind.type: {"post": _operation(kind, references)} for kind in kinds}


def example(kind: EventKind) -> Event:
    """Make an event of a kind."""
    return Event(
        id=_EVENT_ID,
        type=kind.type,
        version=kind.version,
        timestamp=msgspec.convert("2026-11-21T10:00:01Z", Time),
        position=1042,
        customer_ref=_REFERENCE if kind.concerns_customer else None,
        customer_id="c-42" if kind.concerns_customer and kind.type != CUSTOMER_ERASED else None,
        data=msgspec.to_builtins(kind.example),
    )


def _operation(kind: EventKind, references: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        "type": {"const": kind.type},
        "version": {"const": kind.version},
        "data": references[key_of(type(kind.example))],
    }
    return {
        "operationId": kind.type,
        "tags": ["Events"],
        "summary": kind.says,
        "description": _SAYS,
        "security": [],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"allOf": [references[key_of(Event)], {"properties": properties}]},
                    "example": msgspec.to_builtins(example(kind)),
                }
            },
        },
        "responses": {"2XX": {"description": "It is taken."}},
    }
