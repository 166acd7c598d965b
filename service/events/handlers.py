"""The feed: `/v1/events`."""

import asyncio
from typing import Final

from litestar import Router, get

from service.events import usecases
from service.events.following import Following
from service.events.kinds import EventKinds
from service.events.rules import Event
from service.kernel.errors import Invalid
from service.platform.database import Database
from service.platform.http.operation import LIMIT, Parameter, operation
from service.platform.http.paging import Page, cursor_of, cursor_to, limit_of
from service.platform.http.request import ApiRequest
from service.platform.roles import Right

GREATEST_WAIT: Final = 15
"""Seconds: short enough for a process that is told to stop to answer those who wait."""
_PLACE_BYTES: Final = 8
_GREATEST_PLACE: Final = (1 << 63) - 1
_CURSOR: Final = Parameter(
    "cursor",
    "query",
    "`next_cursor` of the page before; left out, the feed is read from its beginning.",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
)
_WAIT: Final = Parameter(
    "wait",
    "query",
    "Where there is nothing yet behind the cursor: for how many seconds to wait for it.",
    {"type": "integer", "minimum": 0, "maximum": GREATEST_WAIT, "default": 0},
)
_TYPES: Final = Parameter(
    "types",
    "query",
    "Only events of these types, with commas between; `webhooks` lists them. The cursor goes on over the others.",
    {"type": "string", "pattern": r"^[a-z_]+\.[a-z_]+(,[a-z_]+\.[a-z_]+)*$"},
)


@get("/", operation_id="listEvents", opt=operation(Right.READ_EVENTS, parameters=(LIMIT, _CURSOR, _WAIT, _TYPES)))
async def list_events(request: ApiRequest) -> Page[Event]:
    """List what happened, the oldest first. `next_cursor` is there at the end, too: go on with it later.

    No event is ever missed by going on, and the order never changes.
    """
    limit, types = limit_of(request), _types_of(request)
    place, until = _place_of(request), asyncio.get_running_loop().time() + _wait_of(request)
    program_id, database = request.actor.program_id, request.part(Database)
    while True:
        async with database.reading() as db:
            found = await usecases.read(db, program_id=program_id, after=place, limit=limit, types=types)
            told = await request.part(EventKinds).tell(db, program_id=program_id, events=found.events)
        left = until - asyncio.get_running_loop().time()
        # Who waits for types that are rare goes through a long feed by calls that are counted, not in one.
        if told or found.has_more or left <= 0:
            return Page(told, found.has_more, cursor_to(found.last.to_bytes(_PLACE_BYTES)))
        place = found.last
        await request.part(Following).wait(program_id, after=place, seconds=left, types=types)


def _place_of(request: ApiRequest) -> int:
    place = int.from_bytes(cursor_of(request, _PLACE_BYTES) or b"")
    if place > _GREATEST_PLACE:
        raise Invalid(
            "This cursor is not one that a list of this kind gave.", pointer="?cursor", reason="invalid_format"
        )
    return place


def _wait_of(request: ApiRequest) -> int:
    text = request.query_params.get("wait", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= GREATEST_WAIT):  # noqa: PLR2004
        detail = f"This is a whole number of seconds from 0 to {GREATEST_WAIT}."
        raise Invalid(detail, pointer="?wait", reason="out_of_range")
    return int(text)


def _types_of(request: ApiRequest) -> list[str] | None:
    text = request.query_params.get("types")
    if text is None:
        return None
    types = text.split(",")
    strange = [each for each in types if each not in request.part(EventKinds)]
    if strange:
        raise Invalid("There are no events of this type.", pointer="?types", reason="unknown_type")
    return types


router = Router("/events", route_handlers=[list_events], tags=["Events"])
