"""A TCP proxy before Postgres that breaks what lies between: it cuts, hangs and forgets when the test says so.

It reads what both say message by message, so that it knows of a commit before the service does: cutting there makes
exactly the case in which something is durable and the answer is lost, be it of `COMMIT` or of a statement that writes
outside a transaction.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from urllib.parse import parse_qs, urlsplit, urlunsplit

from tests.faults.wire import Conversation, Splitter

_POSTGRES_PORT = 5432


class AtCommit(Enum):
    """What becomes of a commit: of `COMMIT`, or of a statement that writes outside a transaction."""

    PASS = "pass"  # noqa: S105 - no password
    CUT = "cut"
    """The server has committed; the connection is cut instead of its answer. The next answers pass."""
    HOLD = "hold"
    """Likewise, but the connection stays open and carries nothing any more, in either direction: it is half-open."""
    CUT_BEFORE = "cut before"
    """The connection is cut before the request to commit reaches the server."""
    HOLD_BEFORE = "hold before"
    """The request to commit doesn't reach the server, and the connection stays open and silent."""


class PostgresProxy:
    """One address of the proxy's own, before the server that a URL names."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._at_commit = AtCommit.PASS
        self._open = asyncio.Event()
        self._open.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._silences: set[asyncio.Event] = set()
        self._server: asyncio.Server | None = None
        self.broken_commits = 0
        """How many commits were cut or held."""
        self.on_broken: Callable[[AtCommit, bytes], None] = lambda _what, _sent: None
        """Called with what was done to a commit and what the service had sent in that transaction."""
        self.accepted = 0
        """How many connections were made, the service's requests to cancel among them."""

    @property
    def url(self) -> str:
        """The address of the same database through the proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        parts = urlsplit(self._upstream)
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        return urlunsplit(parts._replace(netloc=netloc, query="sslmode=disable"))

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        assert self._server is not None
        self._server.close()
        for carrying in self._carrying:
            carrying.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def at_next_commit(self, what: AtCommit) -> None:
        """Say what becomes of the next commit."""
        self._at_commit = what

    def hang(self) -> None:
        """Carry nothing any more, neither on old connections nor on new ones; they stay open."""
        self._open.clear()

    def resume(self) -> None:
        """Carry on, also what was kept back."""
        self._open.set()

    def reset(self) -> None:
        """Cut all connections, as a network does that forgets them."""
        for client in list(self._clients):
            client.transport.abort()

    def forget(self) -> None:
        """Carry nothing any more on the connections that there are, and leave them open; new ones work."""
        for silence in self._silences:
            silence.set()

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        carrying = asyncio.ensure_future(self._carry(client, to_client))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)

    async def _carry(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._clients.add(to_client)
        pipes: list[asyncio.Task[None]] = []
        writers = [to_client]
        silence = asyncio.Event()
        try:
            await self._open.wait()
            server, to_server = await self._connect()
            writers.append(to_server)
            self._silences.add(silence)
            talk = Conversation()
            pipes.append(asyncio.ensure_future(self._forward(client, to_server, silence, talk)))
            pipes.append(asyncio.ensure_future(self._answer(server, to_client, silence, talk)))
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the server is away, and so is the connection
        finally:
            for pipe in pipes:
                pipe.cancel()
            self._clients.discard(to_client)
            self._silences.discard(silence)
            for writer in writers:
                writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._upstream)
        folder = parse_qs(parts.query).get("host", [""])[0]
        port = parts.port or _POSTGRES_PORT
        if folder.startswith("/"):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(parts.hostname or folder or "127.0.0.1", port)

    async def _forward(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, silence: asyncio.Event, talk: Conversation
    ) -> None:
        messages = Splitter(greets=True)
        with contextlib.suppress(OSError):
            while data := await client.read(65536):
                whole = messages.feed(data)
                for message in whole:
                    if talk.hear_client(message) and self._at_commit in {AtCommit.CUT_BEFORE, AtCommit.HOLD_BEFORE}:
                        if self._break(talk) is AtCommit.CUT_BEFORE:
                            return
                        silence.set()
                await self._open.wait()
                if not silence.is_set():
                    to_server.write(b"".join(whole))

    async def _answer(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, silence: asyncio.Event, talk: Conversation
    ) -> None:
        """Carry the server's answers; one that may tell of a commit is kept back until it has come to its end."""
        messages, kept = Splitter(greets=False), b""
        with contextlib.suppress(OSError):
            while data := await server.read(65536):
                for message in messages.feed(data):
                    kept += message
                    if talk.hear_server(message) and self._at_commit in {AtCommit.CUT, AtCommit.HOLD}:
                        if self._break(talk) is AtCommit.CUT:
                            return
                        silence.set()
                if talk.may_be_told_of_a_commit:
                    continue
                await self._open.wait()
                if not silence.is_set():
                    to_client.write(kept)
                kept = b""

    def _break(self, talk: Conversation) -> AtCommit:
        what, self._at_commit = self._at_commit, AtCommit.PASS
        self.broken_commits += 1
        self.on_broken(what, talk.asked_to_commit)
        return what


@asynccontextmanager
async def proxy_before(url: str) -> AsyncGenerator[PostgresProxy]:
    """Run a proxy before the Postgres of a URL."""
    proxy = PostgresProxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
