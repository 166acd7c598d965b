"""Which pages of other origins may read what customers read: those that the customer's program lists.

Only `/v1/me` is shared at all. Nothing of it goes by cookies: a page has a token or it gets nothing.
"""

from collections.abc import Collection, Mapping
from typing import Final, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.portal.admission import CustomerActor
from service.programs.catalogue import Catalogue

SHARED: Final = "/v1/me"
_KEPT_SECONDS: Final = b"600"
_EXPOSED: Final = b"Idempotent-Replayed, RateLimit, RateLimit-Policy, Request-Id, Retry-After"
_METHODS: Final = b"GET, POST"
_SENT: Final = b"Authorization, Content-Type, Idempotency-Key"


class Cors:
    """Tells browsers, around the application."""

    def __init__(self, app: ASGIApp, catalogue: Catalogue) -> None:
        self._app = app
        self._catalogue = catalogue
        self._known: tuple[int, frozenset[str]] = (-2, frozenset())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; of a page that may ask, with the headers that say so."""
        if scope["type"] != "http" or not _is_shared(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await self._preflight(origin, send)
            return

        async def send_with_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(b"vary", b"Origin")]
                if not any(name.lower() == b"cache-control" for name, _ in message["headers"]):
                    more.append((b"cache-control", b"no-store"))  # refusals, too, are one customer's
                if origin and origin in self._allowed(scope):
                    more += [
                        (b"access-control-allow-origin", origin.encode("latin-1")),
                        (b"access-control-expose-headers", _EXPOSED),
                    ]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, send_with_origin)

    def _allowed(self, scope: Scope) -> Collection[str]:
        """Give the origins that may read the answer: of the customer's program, or of any, where nobody is known.

        Such an answer says that a token is no good, or to wait, and is the same to everybody.
        """
        actor: object = cast("Mapping[str, object]", scope).get("auth")
        if isinstance(actor, CustomerActor):
            return self._catalogue.program(actor.program_id).settings.portal.origins
        return self._of_all()

    def _of_all(self) -> frozenset[str]:
        version = self._catalogue.version()
        if self._known[0] != version:
            every = (origin for each in self._catalogue.programs() for origin in each.settings.portal.origins)
            self._known = version, frozenset(every)
        return self._known[1]

    async def _preflight(self, origin: str, send: Send) -> None:
        """Answer what a browser asks before the call. It has no token there: any program's origin may go on and ask."""
        headers = [(b"vary", b"Origin"), (b"content-length", b"0")]
        if origin in self._of_all():
            headers += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", _SENT),
                (b"access-control-max-age", _KEPT_SECONDS),
            ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_shared(path: str) -> bool:
    return path == SHARED or path.startswith(f"{SHARED}/")
