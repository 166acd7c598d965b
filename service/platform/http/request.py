"""The request as handlers see it: who calls, the parts of the service they may ask, the body decoded strictly."""

import re
from enum import Enum
from typing import Any, TypeVar, cast
from urllib.parse import unquote
from uuid import UUID

from litestar import Request

from service.kernel.errors import Invalid, Kind, NotFound, Refusal
from service.kernel.ids import from_wire, is_caller_id
from service.platform.authentication import Actor
from service.platform.http.body import check_syntax, decode

T = TypeVar("T")
Choice = TypeVar("Choice", bound=Enum)
_IDEMPOTENCY_KEY = re.compile("[!-~]{1,255}")


class UnsupportedMedia(Refusal):
    """The body is of another kind than JSON, or encoded."""

    kind = Kind.UNSUPPORTED_MEDIA
    code = "unsupported_media_type"
    title = "The body must be application/json, not encoded"


class BadIdempotencyKey(Refusal):
    """The header is there and can't be a key."""

    kind = Kind.UNDECODABLE
    code = "idempotency_key_invalid"
    title = "An Idempotency-Key has 1 to 255 visible ASCII characters"


class MissingIdempotencyKey(Refusal):
    """A command came without the key that makes it safe to repeat."""

    kind = Kind.UNDECODABLE
    code = "idempotency_key_missing"
    title = "This call needs an Idempotency-Key"


class Services:
    """The parts of the running service, found by their type."""

    def __init__(self, *parts: object) -> None:
        self._parts = {type(part): part for part in parts}

    def __getitem__(self, kind: type[T]) -> T:
        """Return the part of a type. Raises KeyError where the application was put together without it."""
        return cast("T", self._parts[kind])


class ApiRequest(Request[None, Actor, Any]):
    """A request to `/v1`."""

    @property
    def actor(self) -> Actor:
        """Who calls."""
        return self.scope["auth"]

    @property
    def key_space(self) -> str:
        """What a caller's keys of commands begin with: those of one program are all in one space."""
        return ""

    def part(self, kind: type[T]) -> T:
        """Return a part of the service by its type."""
        services: Services = self.app.state.services
        return services[kind]

    async def json(self) -> Any:  # noqa: ANN401 - the framework's signature
        """Decode the body into the type that the handler declares, strictly."""
        require_json(self)
        idempotency_key(self)  # one that can't be a key is refused where none is needed, too
        raw = await self.body()
        check_syntax(raw)
        field = self.route_handler.parsed_data_field
        return decode(raw, cast("type[object]", field.annotation if field else object))


def require_json(request: Request[Any, Any, Any]) -> None:
    """Refuse a body of another media type or with a content encoding. Raises UnsupportedMedia."""
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    named = (parameter.strip().partition("=") for parameter in parameters)
    charsets = {value.strip('"') for name, _, value in named if name == "charset"}
    if media_type.strip() != "application/json" or not charsets <= {"utf-8"}:
        raise UnsupportedMedia
    if request.headers.get("content-encoding", "").lower() not in {"", "identity"}:
        raise UnsupportedMedia


def caller_id(segment: str) -> str:
    """Read an id of a caller's from a path. Raises NotFound for what can't be one."""
    text = unquote(segment) if "%" in segment else segment
    if not is_caller_id(text):
        raise NotFound
    return text


def new_caller_id(segment: str) -> str:
    """Read an id from the path of a PUT, which may make the thing. Raises Invalid for what can't be one."""
    try:
        return caller_id(segment)
    except NotFound:
        detail = "An id is 1 to 128 printable ASCII characters without blanks at the ends."
        raise Invalid(detail, pointer="", reason="invalid_format") from None


def own_id(prefix: str, text: str) -> UUID:
    """Read an id of the service's, as callers name what it made. Raises NotFound for what can't be one."""
    found = from_wire(prefix, text)
    if found is None:
        raise NotFound
    return found


def customer_asked_for(request: Request[Any, Any, Any]) -> str | None:
    """Read `?customer_id=`. Raises NotFound for what can't be one."""
    text = request.query_params.get("customer_id")
    if text is not None and not is_caller_id(text):
        raise NotFound
    return text


def choice(request: Request[Any, Any, Any], name: str, kind: type[Choice]) -> Choice | None:
    """Read `?name=` as one of a few values. Raises Invalid for any other."""
    text = request.query_params.get(name)
    try:
        return None if text is None else kind(text)
    except ValueError:
        *others, last = [each.value for each in kind]
        detail = f"A {name} is {', '.join(others)} or {last}."
        raise Invalid(detail, pointer=f"?{name}", reason="invalid_format") from None


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """Read the `Idempotency-Key`, bare or as a quoted string. Raises BadIdempotencyKey."""
    text = request.headers.get("idempotency-key")
    if text is None:
        return None
    key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if _IDEMPOTENCY_KEY.fullmatch(key) is None:
        raise BadIdempotencyKey
    return key


def key_of_command(request: Request[Any, Any, Any]) -> str | None:
    """Read the `Idempotency-Key` of a command, which only a dry run can do without.

    Raises BadIdempotencyKey, MissingIdempotencyKey.
    """
    key, dry_run = idempotency_key(request), flag(request, "dry_run")
    if key is None and not dry_run:
        raise MissingIdempotencyKey
    return key


def flag(request: Request[Any, Any, Any], name: str) -> bool:
    """Read `?name=true`. Raises Invalid for anything but true and false."""
    text = request.query_params.get(name, "false")
    if text not in {"true", "false"}:
        detail = "This is either true or false."
        raise Invalid(detail, pointer=f"?{name}", reason="type")
    return text == "true"
