"""Lists by pages: `limit` and an opaque `cursor` in the query, `has_more` and `next_cursor` in the answer."""

import base64
import binascii
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec
from litestar import Request

from service.kernel.errors import Invalid

Item = TypeVar("Item")

DEFAULT_LIMIT = 50
GREATEST_LIMIT = 200
_ID_BYTES: Final = 16


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a list."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None = None


def limit_of(request: Request[Any, Any, Any]) -> int:
    """Read `?limit=`, 1 to 200, 50 when left out. Raises Invalid."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= GREATEST_LIMIT):  # noqa: PLR2004
        detail = f"A limit is a whole number from 1 to {GREATEST_LIMIT}."
        raise Invalid(detail, pointer="?limit", reason="out_of_range")
    return int(text)


def cursor_of(request: Request[Any, Any, Any], size: int) -> bytes | None:
    """Read `?cursor=` as the `size` bytes that `page` wrote into it; None when left out. Raises Invalid."""
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        place = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        place = b""
    if len(place) != size:
        detail = "This cursor is not one that a list of this kind gave."
        raise Invalid(detail, pointer="?cursor", reason="invalid_format")
    return place


def limit_and_before(request: Request[Any, Any, Any]) -> tuple[int, UUID | None]:
    """Read the limit, and the id behind which a list by ids goes on; None at its beginning. Raises Invalid."""
    limit, place = limit_of(request), cursor_of(request, _ID_BYTES)
    return limit, None if place is None else UUID(bytes=place)


def page(items: list[Item], limit: int, last_place: bytes | None) -> Page[Item]:
    """Make a page of up to `limit` items out of up to `limit` + 1; `last_place` is where its last item stands."""
    if len(items) <= limit or last_place is None:
        return Page(data=items, has_more=False)
    return Page(data=items[:limit], has_more=True, next_cursor=cursor_to(last_place))


def cursor_to(place: bytes) -> str:
    """Write a place into a cursor."""
    return base64.urlsafe_b64encode(place).rstrip(b"=").decode()
