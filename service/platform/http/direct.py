"""The short way for the hot routes: the same schemas, rights and answers, without the server's and framework's layers.

Only the plain case goes this way: a key that is known and has the right, an id that needs no decoding, a JSON body of a
told length. A request with anything else about it (a query, another content type, a content encoding, an
Idempotency-Key, no key) goes on to the application untouched, and so do all other routes; a test holds the two ways
against each other.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from service.platform.authentication import Actor, Gate
from service.platform.rate_limits import Fields, TooManyRequests
from service.platform.roles import Right

PLAIN_ID: Final = rb"([A-Za-z0-9._~!$&'()*+,;=:@-]+)"
"""An id in a path that stands for itself: nothing of it is percent-encoded."""

_BEARER: Final = b"Bearer "
_UNUSUAL: Final = frozenset(
    {b"content-encoding", b"idempotency-key", b"transfer-encoding", b"expect", b"upgrade", b"http2-settings"}
)
T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """What a route answers: the status, what to encode, and headers of its own."""

    status: int
    content: msgspec.Struct
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """A hot route. `path` matches the whole target of a request; its group, if any, is the id.

    `ask` takes the actor, the id and the body, both empty where there is none, and begins; it raises refusals.
    `answer` renders what came of it.
    """

    operation: str
    method: bytes
    path: re.Pattern[bytes]
    right: Right
    ask: Callable[[Actor, str, bytes], asyncio.Future[T]]
    answer: Callable[[T], Answer]


class Call(msgspec.Struct, frozen=True):
    """A request that takes the short way: all is known of it but the body.

    `fields` tell the limit of its key; with a `refusal` it was one too many.
    """

    route: Route[Any]
    actor: Actor
    id: str
    fields: Fields
    refusal: TooManyRequests | None = None


class Direct:
    """Tells which requests take the short way."""

    def __init__(self, gate: Gate, routes: Sequence[Route[Any]], greatest_body: int) -> None:
        self._gate = gate
        self._routes = routes
        self._greatest_body = greatest_body

    def match(self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Call | None:
        """Return the call that a request's head asks for; None for all that isn't plain."""
        for route in self._routes:
            if route.method == method and (found := route.path.fullmatch(target)) is not None:
                actor = self._actor(headers, has_body=method == b"POST")
                if actor is None or route.right not in actor.rights:
                    return None
                name = found[1].decode() if found.lastindex else ""
                try:
                    return Call(route, actor, name, self._gate.count(actor))
                except TooManyRequests as refusal:
                    return Call(route, actor, name, refusal.fields, refusal)
        return None

    def _actor(self, headers: Sequence[tuple[bytes, bytes]], *, has_body: bool) -> Actor | None:
        key = media_type = length = None
        for name, value in headers:
            if name == b"authorization":
                if key is not None or not value.startswith(_BEARER):
                    return None
                key = value[len(_BEARER) :]
            elif name == b"content-type":
                media_type = value
            elif name == b"content-length":
                length = int(value)
            elif name in _UNUSUAL:
                return None
        if key is None or (has_body and not (media_type == b"application/json" and self._fits(length))):
            return None
        return None if length and not has_body else self._gate.known(key)

    def _fits(self, length: int | None) -> bool:
        return length is not None and 0 < length <= self._greatest_body
