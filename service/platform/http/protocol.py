"""The server's side of a connection, with bounds that the server itself doesn't set.

A request must be whole within ten seconds of its first byte, and a connection must bring one; its head has at most
64 KiB. One timer a connection looks after that: a timer a request costs more than reading the request. What is no HTTP
gets a problem like every other mistake.
"""

import asyncio
from typing import Any, Final, cast

import msgspec
import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.platform.http.body import Undecodable
from service.platform.http.problems import of_refusal

PATIENCE_SECONDS: Final = 10.0
GREATEST_HEAD_BYTES: Final = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 as the server speaks it, but not for ever and not without end."""

    patience_seconds = PATIENCE_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as the server calls it
        super().__init__(*arguments, **named)
        self._incomplete_since: float | None = None
        self._idle_since: float | None = None
        self._unread_since: float | None = None
        self._head_bytes: int | None = 0
        self._mistake: str | None = None
        self._check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._incomplete_since = self.loop.time()
        self._check = self.loop.call_later(self.patience_seconds, self._lose_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        """Cut a connection whose request takes too long, or that was kept alive and isn't used, or not read from."""
        since, now = self._incomplete_since, self.loop.time()
        for unused_since in (self._idle_since, self._unread_since):
            if unused_since is not None and now - unused_since >= self.timeout_keep_alive:
                self.transport.abort()  # to close it would wait until what is still to be sent was taken
                return
        if since is not None and now - since >= self.patience_seconds:
            self.transport.abort()
            return
        due = self.patience_seconds if since is None else since + self.patience_seconds - now
        self._check = self.loop.call_later(due, self._lose_patience)

    def pause_writing(self) -> None:
        """Begin to wait for a caller who doesn't take the answers."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop waiting for that."""
        self._unread_since = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        # Only a head that isn't whole yet is still counted.
        if self._head_bytes is not None and self._head_bytes > GREATEST_HEAD_BYTES:
            self.send_400_response("The head of the request has more than 64 KiB.")

    def on_message_begin(self) -> None:
        """Begin to count and to wait."""
        self.request_began()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting."""
        super().on_headers_complete()
        self.head_ended()

    def on_message_complete(self) -> None:
        """Stop waiting."""
        self.request_ended()
        super().on_message_complete()

    def request_began(self) -> None:
        """Wait for the rest of a request from now on."""
        self._idle_since = None
        self._incomplete_since = self.loop.time()

    def head_ended(self) -> None:
        """Stop counting: what follows is the body, which has a bound of its own."""
        self._head_bytes = None

    def request_ended(self) -> None:
        """Stop waiting: the request is whole."""
        self._head_bytes = 0
        self._incomplete_since = None

    def on_response_complete(self) -> None:
        """Keep the connection for the next request; one that is here already is served at once.

        The server's own timer is never set: it is cleared by any bytes, also by those that begin no request.
        """
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._mistake is not None:
            self._tell_mistake(self._mistake)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request, and close; whole requests before it are answered first.

        Else their callers would take this for the answer, and what was booked for refused.
        """
        if self.transport.is_closing() or self._mistake is not None:
            return
        in_body = self._head_bytes is None
        last = cast("RequestResponseCycle | None", self.cycle)
        if in_body and self.pipeline:
            self.pipeline.popleft()  # the newest, which won't become whole any more
        elif in_body or last is None or last.response_complete:
            self._tell_mistake(msg)
            return
        self._mistake = msg
        self.flow.pause_reading()

    def _tell_mistake(self, msg: str) -> None:
        request_id = f"req_{uuid_utils.uuid7().hex}"
        content = msgspec.json.encode(of_refusal(Undecodable(msg), request_id))
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(content)}\r\nRequest-Id: {request_id}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()
