"""Who calls. Keys are 256 random bits, stored as their SHA-256 and shown once."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from service.kernel.errors import Kind, Refusal
from service.platform.roles import RIGHTS, Right, Role


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls: a key of a program, with its role."""

    program_id: int
    key_id: UUID
    role: Role


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


async def authenticate(keys: KeyRing, headers: Iterable[tuple[bytes, bytes]], right: Right) -> Actor:
    """Return who calls, if the role has the right. Raises Unauthenticated, Forbidden."""
    actor = await keys.find(hash_of_key(key_of(headers)))
    if actor is None:
        raise Unauthenticated
    if right not in RIGHTS[actor.role]:
        raise Forbidden
    return actor


class Authenticate(ASGIMiddleware):
    """Finds the actor of each request and holds the route's right against its role, before the body is read.

    The key ring is `app.state.key_ring`: the framework copies middleware, and what it holds with it.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Serve the request with `scope["auth"]` set. Raises Unauthenticated or Forbidden."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS":  # the framework tells which methods there are
            await next_app(scope, receive, send)
            return
        keys: KeyRing = scope["litestar_app"].state.key_ring
        scope["auth"] = await authenticate(keys, scope["headers"], scope["route_handler"].opt["right"])
        await next_app(scope, receive, send)
