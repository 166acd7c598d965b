"""What is said between the service and Postgres, message by message, and which answers tell that something committed.

Postgres commits at `COMMIT`, and at the end of a statement that writes outside a transaction. Either way the answer
ends with ReadyForQuery and status `I`: idle. Nothing here does I/O.
"""

import re
from collections import deque

_LENGTH_BYTES = 4
_COMMIT = re.compile(rb"\s*(COMMIT|END)\b", re.IGNORECASE)
_WRITES = re.compile(rb"\bINSERT\b", re.IGNORECASE)
_IDLE = b"I"


class Splitter:
    """Cuts a stream of bytes into whole messages: a type of one byte, a length of four that counts itself, a body.

    A client's first message, its greeting or a request to cancel, has no type.
    """

    def __init__(self, *, greets: bool) -> None:
        self._rest = b""
        self._greets = greets

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; give the messages that are whole now."""
        self._rest += data
        found: list[bytes] = []
        at = 0
        while True:
            type_bytes = 0 if self._greets else 1
            body = at + type_bytes + _LENGTH_BYTES
            end = at + type_bytes + int.from_bytes(self._rest[at + type_bytes : body])
            if len(self._rest) < body or len(self._rest) < end:
                self._rest = self._rest[at:]
                return found
            found.append(self._rest[at:end])
            self._greets, at = False, end


class Conversation:
    """Follows one connection. It is told every message of both sides, in the order in which they pass."""

    def __init__(self) -> None:
        self._statements: dict[bytes, bytes] = {}
        self._portals: dict[bytes, bytes] = {}
        self._asked: list[bytes] = []
        # Statements whose answers are due, by the ReadyForQuery that ends them; the first one ends the greeting.
        self._due: deque[list[bytes]] = deque([[]])
        self._greeted = False
        self._status = _IDLE
        self._failed = self._committed = False
        self._sent = b""
        self.asked_to_commit = b""
        """What the client sent in the transaction that it last asked to commit, parameters included."""

    def hear_client(self, message: bytes) -> bool:
        """Take a message of the client's; tell whether it asks the server to commit something."""
        if not self._greeted:
            self._greeted = True
            return False
        kind, body = message[:1], message[5:]
        if kind in {b"Q", b"B"}:
            self._sent += body
        match kind:
            case b"P":
                name, statement, _ = body.split(b"\0", 2)
                self._statements[name] = statement
            case b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._statements.get(name, b"")
            case b"E":
                self._asked.append(self._portals.get(body.split(b"\0", 1)[0], b""))
                return self._asks_to_commit(self._asked[-1])
            case b"Q":
                self._due.append([*self._asked, body])
                self._asked = []
                return self._asks_to_commit(body)
            case b"S":
                self._due.append(self._asked)
                self._asked = []
            case _:
                pass
        return False

    @property
    def may_be_told_of_a_commit(self) -> bool:
        """Whether what the server says now answers a statement that may commit."""
        return bool(self._due) and any(self._commits(statement) for statement in self._due[0])

    def hear_server(self, message: bytes) -> bool:
        """Take a message of the server's; tell whether it is the end of an answer by which something was committed."""
        match message[:1]:
            case b"C":
                self._committed |= message[5:] == b"COMMIT\0"
            case b"E":
                self._failed = True
            case b"Z":
                return self._end_answer(message[5:6])
            case _:
                pass
        return False

    def _end_answer(self, status: bytes) -> bool:
        answered = self._due.popleft() if self._due else []
        alone = self._status == _IDLE and any(_WRITES.search(statement) for statement in answered)
        told = status == _IDLE and not self._failed and (self._committed or alone)
        self._status, self._failed, self._committed = status, False, False
        if status == _IDLE:
            self._sent = b""
        return told

    def _asks_to_commit(self, statement: bytes) -> bool:
        if not self._commits(statement):
            return False
        self.asked_to_commit, self._sent = self._sent, b""
        return True

    def _commits(self, statement: bytes) -> bool:
        return bool(_COMMIT.match(statement) or (self._status == _IDLE and _WRITES.search(statement)))
