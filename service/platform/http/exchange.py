"""The server's side of a connection, with the short way for hot routes.

The server makes a task, two queues of messages and two writes for each request. A plain call of a hot route (direct.py)
needs none of it: it is asked when its body is whole, and answered by one write when what it asked for is there.
"""

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.kernel.errors import Refusal
from service.platform import tracing
from service.platform.http.direct import Call
from service.platform.http.problems import Problem, refused, unavailable
from service.platform.http.protocol import BoundedProtocol
from service.platform.http.shell import Shell
from service.platform.metrics.requests import observe_request

_encode = msgspec.json.Encoder().encode
_JSON: Final = b"content-type: application/json\r\n"
_PROBLEM: Final = b"content-type: application/problem+json\r\n"
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Exchange:
    """A call under way and its answer. It stands where the server keeps its own record of other requests."""

    __slots__ = ("began", "body", "call", "disconnected", "keep_alive", "request_id", "response_complete", "span")

    def __init__(self, call: Call, *, keep_alive: bool) -> None:
        self.began = time.perf_counter()
        self.call = call
        self.keep_alive = keep_alive
        self.body = b""
        self.disconnected = False
        self.response_complete = False
        self.request_id = f"req_{uuid_utils.uuid7().hex}"
        self.span: object | None = None


class Protocol(BoundedProtocol):
    """Serves the plain calls of hot routes itself, and hands everything else to the application."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as the server calls it
        super().__init__(*arguments, **named)
        app = cast("object", self.config.loaded_app)
        self._direct = app.direct if isinstance(app, Shell) else None

    def on_message_begin(self) -> None:
        """Begin a request. What only the application's way needs is made once it is known to take it."""
        self.request_began()
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Decide which way a request goes."""
        call = self._plain_call()
        if call is not None:
            self.cycle = Exchange(call, keep_alive=self.parser.should_keep_alive())  # type: ignore[assignment]
            self.head_ended()
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _plain_call(self) -> Call | None:
        # Whoever calls again before the last answer is served by the application, in order.
        last = cast("RequestResponseCycle | None", self.cycle)
        under_way = last is not None and not last.response_complete
        parser: Any = self.parser
        if self._direct is None or under_way or self.flow.write_paused or parser.get_http_version() != "1.1":
            return None
        return self._direct.match(parser.get_method(), self.url, self.headers)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        exchange: object = self.cycle
        if isinstance(exchange, Exchange):
            exchange.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin: the request is whole."""
        exchange: object = self.cycle
        if isinstance(exchange, Exchange):
            self.request_ended()
            self._ask(exchange)
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a caller who left. What was asked goes on: nobody reads the answer."""
        exchange: object = self.cycle
        if isinstance(exchange, Exchange):
            exchange.disconnected = True
            self.cycle = None  # type: ignore[assignment]
        super().connection_lost(exc)

    def _ask(self, exchange: Exchange) -> None:
        call = exchange.call
        exchange.span = tracing.start(call.route.method.decode(), self.headers)
        with tracing.within(exchange.span):
            if call.refusal is not None:
                self._answer_problem(exchange, call.refusal)
                return
            try:
                future = call.route.ask(call.actor, call.id, exchange.body)
            except Exception as fault:  # noqa: BLE001 - every fault is answered
                self._answer_problem(exchange, fault)
            else:
                future.add_done_callback(partial(self._answer, exchange))

    def _answer(self, exchange: Exchange, future: "asyncio.Future[Any]") -> None:
        try:
            answer = exchange.call.route.answer(future.result())
            content = _encode(answer.content)
        except Exception as fault:  # noqa: BLE001 - every fault is answered
            self._answer_problem(exchange, fault)
        else:
            self._write(exchange, answer.status, content, _JSON, answer.headers)

    def _answer_problem(self, exchange: Exchange, fault: Exception) -> None:
        problem: Problem
        if isinstance(fault, Refusal):
            problem, headers = refused(fault, exchange.request_id)
        else:
            problem, headers = unavailable(fault, exchange.request_id)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._write(exchange, problem.status, _encode(problem), _PROBLEM, raw)

    def _write(
        self, exchange: Exchange, status: int, content: bytes, media_type: bytes, more: Iterable[tuple[bytes, bytes]]
    ) -> None:
        exchange.response_complete = True
        left = exchange.disconnected or self.transport.is_closing()
        _tell(exchange, 0 if left else status)
        if left:
            return
        headers = [
            b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *exchange.call.fields, *more)
        ]
        if not exchange.keep_alive:
            headers.append(b"connection: close\r\n")
        self.transport.write(
            b"%b%b%bcontent-length: %d\r\nrequest-id: %b\r\n\r\n%b"
            % (
                _STATUS_LINES[status],
                b"".join(headers),
                media_type,
                len(content),
                exchange.request_id.encode(),
                content,
            )
        )
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _tell(exchange: Exchange, status: int) -> None:
    """Tell the numbers and the traces how a call ended; 0 is for a caller who left before."""
    operation, method = exchange.call.route.operation, exchange.call.route.method.decode()
    observe_request(operation, method, status, time.perf_counter() - exchange.began)
    tracing.end(exchange.span, method, operation, status)
