"""The outermost layer: request ids, paths as they were sent, and a problem for whatever else escapes."""

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec
import uuid_utils
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.kernel.errors import NotFound, Refusal
from service.platform import tracing
from service.platform.authentication import fields_of
from service.platform.http.body import Undecodable
from service.platform.http.direct import Direct
from service.platform.http.operation import operation_of
from service.platform.http.problems import Problem, refused, unavailable
from service.platform.metrics.requests import observe_request

_UNRESERVED = "-._~!$&'()*+,;=:@"
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Shell:
    """ASGI around the application.

    Servers decode paths before routing, so that an id with a `/` would become two segments. The shell routes by the
    path as it was sent, each segment in one canonical spelling; `caller_id` (request.py) decodes what handlers get.
    `literals` are paths of one method that would hide an id of the same name: `{"/v1/purchases/batch": "POST"}`.
    `direct` tells the server which requests don't come here at all.
    """

    def __init__(self, app: ASGIApp, literals: Mapping[str, str], direct: Direct) -> None:
        self._app = app
        self._literals = literals
        self.direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{uuid_utils.uuid7().hex}"
        scope["loyalty_request_id"] = request_id  # type: ignore[typeddict-unknown-key] # pyright: ignore[reportGeneralTypeIssues]
        began, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"request-id", request_id.encode()),
                    *fields_of(scope),
                ]
            await send(message)

        span = tracing.start(scope["method"], scope["headers"])
        with tracing.within(span):
            try:
                scope["path"] = self._route(scope["raw_path"], scope["method"])
                await self._app(scope, receive, send_with_id)
            except Refusal as refusal:
                await _send(send_with_id, *refused(refusal, request_id))
            except Exception as fault:
                if status:
                    raise
                await _send(send_with_id, *unavailable(fault, request_id))
            finally:
                operation, method = operation_of(scope), scope["method"]
                observe_request(operation, method, status, time.perf_counter() - began)
                tracing.end(span, method, operation, status)

    def _route(self, raw_path: bytes, method: str) -> str:
        try:
            path = canonical(raw_path.partition(b"?")[0])
        except ValueError:
            detail = "The path is not percent-encoded UTF-8."
            raise Undecodable(detail) from None
        if "//" in path:
            raise NotFound
        for literal, its_method in self._literals.items():
            if path.startswith(literal) and (path != literal or method != its_method):
                rest = path[len(literal) :]
                if rest == "" or rest.startswith("/"):
                    head, _, last = literal.rpartition("/")
                    return f"{head}/%{ord(last[0]):02X}{last[1:]}{rest}"
        return path


def canonical(raw_path: bytes) -> str:
    """Spell each segment in one way: percent-encoded where it must be, else plain. Raises ValueError."""
    if b"%" not in raw_path and raw_path.isascii():
        return raw_path.decode("ascii")
    if _BROKEN_ESCAPE.search(raw_path):
        msg = "a % without two hexadecimal digits"
        raise ValueError(msg)
    segments = (unquote_to_bytes(segment).decode("utf-8") for segment in raw_path.split(b"/"))
    return "/".join(quote(segment, safe=_UNRESERVED) for segment in segments)


async def _send(send: Send, problem: Problem, headers: Mapping[str, str]) -> None:
    body = msgspec.json.encode(problem)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw += [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    start: Any = {"type": "http.response.start", "status": problem.status, "headers": raw}
    end: Any = {"type": "http.response.body", "body": body, "more_body": False}
    await send(start)
    await send(end)
