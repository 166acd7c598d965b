"""A caller's connection to the service, for a thread that waits: one kept alive, one call at a time."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from tests.shop import Answer

_READ = 65536
_END = b"\r\n\r\n"


class Line:
    """HTTP/1.1 over one socket. What answers is the service: each body has a told length."""

    def __init__(self, address: str, *, seconds: float) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._host = parts.netloc
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        """Make one call and wait for its answer."""
        content = b"" if body is None else json.dumps(body).encode()
        named = {"Host": self._host, **headers}
        if body is not None:
            named |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        while _END not in self._read:
            self._receive()
        lines, _, self._read = self._read.partition(_END)
        status, *others = lines.decode().split("\r\n")
        answered = {name.lower(): value for name, value in (each.split(": ", 1) for each in others)}
        length = int(answered["content-length"])
        while len(self._read) < length:
            self._receive()
        text, self._read = self._read[:length].decode(), self._read[length:]
        return Answer(int(status.split()[1]), answered, text)

    def _receive(self) -> None:
        received = self._socket.recv(_READ)
        assert received, "the service hung up"
        self._read += received
