"""What a partner's system would have sent for an action, and was answered: shown to who wants to build the same.

The newest of a visitor are kept in Redis for an hour. Without it nothing of them is shown, and all else goes on.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from redis.asyncio import Redis

from service.kernel.errors import Refusal
from service.platform.http.problems import of_refusal
from service.platform.redis import FAULTS

_KEPT: Final = 6
_SECONDS: Final = 3600


class Call(msgspec.Struct, frozen=True):
    """A call of the API; `body` is what is encoded as JSON."""

    method: str
    path: str
    body: object = None
    key: str | None = None
    """The `Idempotency-Key`, where the call has one."""


class Outcome(msgspec.Struct, frozen=True):
    """What a call came to: the answer, what to say of it to a customer, and which prize a game landed on."""

    status: int
    answer: object
    said: str
    prize: str | None = None


class Exchange(msgspec.Struct, frozen=True):
    """A call and its answer, in writing."""

    method: str
    path: str
    key: str | None
    request: str
    status: int
    answer: str
    said: str
    is_refused: bool
    prize: str | None = None


async def exchanged(call: Call, work: Callable[[], Awaitable[Outcome]]) -> Exchange:
    """Do what a call asks for, and write down both; a refusal is an answer, too. Raises Unavailable."""
    try:
        outcome, is_refused = await work(), False
    except Refusal as refusal:
        problem = of_refusal(refusal)
        outcome, is_refused = Outcome(problem.status, problem, f"{problem.detail}"), True
    return Exchange(
        call.method,
        call.path,
        call.key,
        "" if call.body is None else in_json(call.body),
        outcome.status,
        in_json(outcome.answer),
        outcome.said,
        is_refused,
        outcome.prize,
    )


def in_json(content: object) -> str:
    """Write content as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


async def keep(redis: Redis, customer_id: str, exchange: Exchange) -> None:
    """Keep an exchange as a customer's newest."""
    name = _name(customer_id)
    try:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.lpush(name, msgspec.json.encode(exchange))
            pipe.ltrim(name, 0, _KEPT - 1)
            pipe.expire(name, _SECONDS)
            await pipe.execute()
    except FAULTS:
        return


async def newest(redis: Redis, customer_id: str) -> list[Exchange]:
    """Read a customer's exchanges, the newest first; none where Redis is away."""
    try:
        found = await redis.lrange(_name(customer_id), 0, _KEPT - 1)
        return [msgspec.json.decode(each, type=Exchange) for each in found]
    except (*FAULTS, msgspec.DecodeError):
        return []


def _name(customer_id: str) -> str:
    return f"loyalty:demo:{customer_id}"
