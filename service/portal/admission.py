"""Customers as callers: who has a token reads that one customer, and may do what the program lets customers do."""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from litestar import Request
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from service.kernel.errors import Kind, Refusal
from service.platform.authentication import Unauthenticated, caller_address, keep_fields, key_of
from service.platform.http.request import ApiRequest
from service.platform.rate_limits import FailedLogins, Fields, RateLimit, RateLimiter, TooManyRequests
from service.platform.roles import Role
from service.portal.keyring import Keyring
from service.portal.tokens import PLAY, REDEEM, BadToken, TokenEnded, key_named, verify
from service.programs.catalogue import Catalogue

LIMIT: Final = RateLimit(20, 300)
"""Requests of one customer, whatever the tokens. A page makes a dozen at once, and a tenth of a burst is let through
before Redis was asked."""


@dataclass(frozen=True, slots=True)
class CustomerActor:
    """A customer who calls with a token, and what the program and the token allow besides reading.

    `key_id` names the customer to limits and to who counts guessed codes.
    """

    program_id: int
    customer_id: str
    ends_at: datetime
    may_redeem: bool
    may_play: bool
    key_id: UUID
    role: Role = Role.PORTAL


class NotAllowed(Refusal):
    """The program, or this token, doesn't let customers do this."""

    kind = Kind.FORBIDDEN
    code = "forbidden"
    title = "Customers can't do this here"


class CustomerGate:
    """What every call of a customer passes: a valid token, and the customer's limit.

    Who has none is counted by address, as those without a valid key are; but not whose token just ended.
    """

    def __init__(
        self, keyring: Keyring, catalogue: Catalogue, limiter: RateLimiter, failed_logins: FailedLogins
    ) -> None:
        self._keyring = keyring
        self._catalogue = catalogue
        self._limiter = limiter
        self._failed_logins = failed_logins

    async def admit(self, scope: Scope) -> CustomerActor:
        """Return who calls with a token in `Authorization`. Raises BadToken, TooManyRequests, Unavailable."""
        address = caller_address(scope)
        try:
            token = key_of(scope["headers"])
        except Unauthenticated:
            token = ""
        actor = await self.prove(token, address)
        try:
            keep_fields(scope, self.count(actor))
        except TooManyRequests as refusal:
            keep_fields(scope, refusal.fields)
            raise
        return actor

    async def prove(self, token: str, address: str | None) -> CustomerActor:
        """Return whose token it is. Raises BadToken, TooManyRequests, Unavailable; what comes of it isn't counted."""
        try:
            return await self._actor(token)
        except TokenEnded:
            raise
        except BadToken:
            self._failed_logins.check(address)
            await self._failed_logins.count(address)
            raise

    def count(self, actor: CustomerActor) -> Fields:
        """Count a call of a customer's; return what goes with its answer. Raises TooManyRequests."""
        return self._limiter.admit(actor.key_id, LIMIT, time.monotonic())

    async def _actor(self, token: str) -> CustomerActor:
        proving = await self._keyring.find(key_named(token))
        if proving is None:
            raise BadToken
        program = proving.program
        claims = verify(
            token,
            key=proving.key,
            algorithm=proving.algorithm,
            program_code=program.code,
            now=self._catalogue.now(),
        )
        policy = program.settings.portal
        return CustomerActor(
            program.id,
            claims.customer_id,
            claims.ends_at,
            policy.may_redeem and claims.allows(REDEEM),
            policy.may_play and claims.allows(PLAY),
            _named(program.id, claims.customer_id),
        )


def _named(program_id: int, customer_id: str) -> UUID:
    """Name a customer to limits: no id of a customer is kept in Redis."""
    text = f"{program_id}\n{customer_id}"
    return UUID(bytes=hashlib.blake2b(text.encode(), digest_size=16, person=b"customer").digest())


class AuthenticateCustomer(ASGIMiddleware):
    """Lets each request of `/v1/me` through the gate of customers, before the body is read."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Serve the request with `scope["auth"]` set to a CustomerActor. Raises BadToken, TooManyRequests."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await next_app(scope, receive, send)
            return
        gate: CustomerGate = scope["litestar_app"].state.customer_gate
        scope["auth"] = await gate.admit(scope)
        await next_app(scope, receive, send)


class CustomerRequest(ApiRequest):
    """A request of a customer's."""

    @property
    def customer(self) -> CustomerActor:
        """Who calls."""
        return customer_of(self)

    @property
    def key_space(self) -> str:
        """What keeps the customer's keys of commands apart from those of everybody else in the program."""
        return f"{self.customer.key_id.hex}:"


def customer_of(request: Request[Any, Any, Any]) -> CustomerActor:
    """Return the customer who calls."""
    actor = request.scope["auth"]
    assert isinstance(actor, CustomerActor)  # noqa: S101 - the middleware of the route set it
    return actor
