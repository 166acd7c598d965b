"""Who calls. Keys are 256 random bits, stored as their SHA-256 and shown once."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from service.kernel.errors import Kind, Refusal
from service.platform.rate_limits import (
    DEFAULT_LIMIT,
    FailedLogins,
    Fields,
    RateLimit,
    RateLimiter,
    TooManyRequests,
)
from service.platform.roles import RIGHTS, Right, Role


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls: a key of a program, with its role and its limit.

    `origin` is the first key of its line of rotations, or itself: keys of one origin are one caller.
    """

    program_id: int
    key_id: UUID
    role: Role
    origin: UUID
    limit: RateLimit = DEFAULT_LIMIT
    more: frozenset[Right] = frozenset()

    @property
    def rights(self) -> frozenset[Right]:
        """What the key may do: what its role may, and what its program lets this role do `more`."""
        return RIGHTS[self.role] | self.more if self.more else RIGHTS[self.role]


class KeyRing(Protocol):
    """Finds the actor of a key by the key's hash; None for an unknown, revoked or expired one."""

    def known(self, key_hash: bytes) -> Actor | None:
        """Return the actor of a key that this process has met, without looking for news."""
        ...

    async def find(self, key_hash: bytes) -> Actor | None:
        """Return the actor."""
        ...


class Unauthenticated(Refusal):
    """No key, or none that is valid. Which of the two is not told."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    title = "A valid key is required: Authorization: Bearer lk_..."


class Forbidden(Refusal):
    """The key's role may not do this."""

    kind = Kind.FORBIDDEN
    code = "forbidden"
    title = "This key's role may not do this"


def new_key(*, live: bool, secret: bytes | None = None) -> str:
    """Make a key: `lk_live_...` or `lk_test_...`, out of 256 random bits or a secret of as many."""
    bits = secrets.token_bytes(32) if secret is None else secret
    return f"lk_{'live' if live else 'test'}_{base64.urlsafe_b64encode(bits).rstrip(b'=').decode()}"


def repeatable_secret(callers_key: str, salt: bytes) -> bytes:
    """Derive the secret of a new key from the key of who asks for it and a stored salt.

    A repeated call gets the same answer, the new key too, although it is stored nowhere: it takes both the salt, which
    only the database has, and the caller's key, which it hasn't.
    """
    return hmac.digest(callers_key.encode(), salt, "sha256")


def hash_of_key(key: str | bytes) -> bytes:
    """Return what is stored of a key: SHA-256. A fast hash is right for 256 random bits, which nobody guesses."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).digest()


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Read the key that a request came with. Raises Unauthenticated."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer" and key.strip() and key.isascii():
                return key.strip().decode("ascii")
            break
    raise Unauthenticated


class Gate:
    """What every request of `/v1` passes before its body is read: a valid key, the key's limit, the role's right.

    Who has no valid key is counted by address. A valid one goes on working beside such a neighbour: keys are found in
    memory, and one that was just made is there within a second.
    """

    def __init__(self, keys: KeyRing, limiter: RateLimiter, failed_logins: FailedLogins) -> None:
        self._keys = keys
        self._limiter = limiter
        self._failed_logins = failed_logins

    async def admit(self, scope: Scope, right: Right) -> Actor:
        """Return who calls. Raises Unauthenticated, TooManyRequests, Forbidden.

        What the limit has to tell goes with every answer to the request: see `fields_of`.
        """
        actor = await self._actor(scope)
        try:
            keep_fields(scope, self.count(actor))
        except TooManyRequests as refusal:
            keep_fields(scope, refusal.fields)
            raise
        if right not in actor.rights:
            raise Forbidden
        return actor

    def known(self, key: bytes) -> Actor | None:
        """Return the actor of a key that this process has met."""
        return self._keys.known(hash_of_key(key))

    def count(self, actor: Actor) -> Fields:
        """Count a request; return what goes with its answer. Raises TooManyRequests, which has that, too."""
        return self._limiter.admit(actor.key_id, actor.limit, time.monotonic())

    async def _actor(self, scope: Scope) -> Actor:
        try:
            key_hash = hash_of_key(key_of(scope["headers"]))
            actor = self._keys.known(key_hash)
            if actor is not None:
                return actor
            self._failed_logins.check(caller_address(scope))
            actor = await self._keys.find(key_hash)
            if actor is not None:
                return actor
        except Unauthenticated:
            self._failed_logins.check(caller_address(scope))
        await self._failed_logins.count(caller_address(scope))
        raise Unauthenticated


def caller_address(scope: Scope) -> str | None:
    """Return the address that a request comes from: what a trusted proxy tells of its caller, else the connection's."""
    client = scope["client"]
    return None if client is None else client[0]


def keep_fields(scope: Any, fields: Fields) -> None:  # noqa: ANN401 - what is kept in it has no type in the framework
    """Keep the header fields that go with every answer to a request; `fields_of` gives them."""
    scope["loyalty_fields"] = fields


def fields_of(scope: Mapping[str, Any]) -> Fields:
    """Return the header fields that go with every answer to a request, beside those of the answer itself."""
    return scope.get("loyalty_fields", [])


class Authenticate(ASGIMiddleware):
    """Lets each request through the gate, before the body is read.

    The gate is `app.state.gate`: the framework copies middleware, and what it holds with it.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Serve the request with `scope["auth"]` set. Raises Unauthenticated, TooManyRequests, Forbidden."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS":  # the framework tells which methods there are
            await next_app(scope, receive, send)
            return
        gate: Gate = scope["litestar_app"].state.gate
        scope["auth"] = await gate.admit(scope, scope["route_handler"].opt["right"])
        await next_app(scope, receive, send)
