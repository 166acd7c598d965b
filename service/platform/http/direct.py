"""The short way for the hot routes: the same schemas, rights and answers, without the framework's layers.

Only the plain case goes this way. A request with anything unusual about it (a query, another content type, a content
encoding, no length, an Idempotency-Key) goes on to the framework untouched, and so do all other routes; a test holds
the two ways against each other.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from service.platform.authentication import Actor, KeyRing, authenticate
from service.platform.roles import Right

_JSON: Final = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers: the status, what to encode, and headers of its own."""

    status: int
    content: msgspec.Struct
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route: `before` and `after` what stands in the path for an id, or all of the path in `before`.

    `serve` takes the actor, the id as it stands in the path, and the body; both are empty where there is none.
    """

    method: str
    before: str
    right: Right
    serve: Callable[[Actor, str, bytes], Awaitable[Answer]]
    after: str | None = None

    def match(self, path: str) -> str | None:
        """Return the id in a path, empty where the route has none; None for another path."""
        if self.after is None:
            return "" if path == self.before else None
        if not (path.startswith(self.before) and path.endswith(self.after)):
            return None
        found = path[len(self.before) : -len(self.after)]
        return found if found and "/" not in found else None


class Direct:
    """ASGI that serves the plain cases of hot routes and hands everything else to the application behind it."""

    def __init__(self, app: ASGIApp, keys: KeyRing, routes: Sequence[Route], greatest_body: int) -> None:
        self._app = app
        self._keys = keys
        self._routes = routes
        self._greatest_body = greatest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises refusals and faults: the shell around it answers them."""
        found = self._find(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        route, segment = found
        actor = await authenticate(self._keys, scope["headers"], route.right)
        body = await _body(receive) if route.method == "POST" else b""
        if body is None:
            return  # the caller went away before the body was whole: nothing was begun
        answer = await route.serve(actor, segment, body)
        content = _encode(answer.content)
        headers = [_JSON, (b"content-length", str(len(content)).encode()), *answer.headers]
        start: Any = {"type": "http.response.start", "status": answer.status, "headers": headers}
        end: Any = {"type": "http.response.body", "body": content}
        await send(start)
        await send(end)

    def _find(self, scope: Scope) -> tuple[Route, str] | None:
        if scope["type"] != "http" or scope["query_string"]:
            return None
        method, path = scope["method"], scope["path"]
        for route in self._routes:
            if route.method == method and (segment := route.match(path)) is not None:
                plain = method != "POST" or self._has_plain_body(scope)
                return (route, segment) if plain else None
        return None

    def _has_plain_body(self, scope: Scope) -> bool:
        is_json = fits = False
        for name, value in scope["headers"]:
            if name == b"content-type":
                is_json = value == b"application/json"
            elif name == b"content-length":
                fits = 0 < int(value) <= self._greatest_body
            elif name in {b"content-encoding", b"idempotency-key", b"transfer-encoding"}:
                return False
        return is_json and fits


async def _body(receive: Receive) -> bytes | None:
    message = await receive()
    if message["type"] != "http.request":
        return None
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
    return body
