"""What a partner's system would have sent for an action, and was answered: shown to who wants to build the same.

They are kept for an hour, in memory alone: without them all else goes on.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec
from redis.asyncio import Redis

from service.kernel.errors import Refusal
from service.platform.http.problems import of_refusal
from service.platform.redis import FAULTS

_KEPT: Final = 6
_SECONDS: Final = 3600
_VISITORS: Final = 500


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


class Exchanges:
    """The newest exchanges of visitors: in Redis, for all processes, and those of a few hundred in this one.

    A customer's are found here where Redis is away or late, and not at all where another process made them.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._own = OrderedDict[str, list[Exchange]]()

    async def keep(self, customer_id: str, exchange: Exchange) -> None:
        """Keep an exchange as a customer's newest."""
        own = [exchange, *self._own.pop(customer_id, [])][:_KEPT]
        self._own[customer_id] = own
        if len(self._own) > _VISITORS:
            self._own.popitem(last=False)
        name = _name(customer_id)
        with suppress(*FAULTS):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.lpush(name, msgspec.json.encode(exchange))
                pipe.ltrim(name, 0, _KEPT - 1)
                pipe.expire(name, _SECONDS)
                await pipe.execute()

    async def newest(self, customer_id: str) -> list[Exchange]:
        """Read a customer's exchanges, the newest first."""
        own, shared = self._own.get(customer_id, []), list[Exchange]()
        with suppress(*FAULTS, msgspec.DecodeError):
            found = await self._redis.lrange(_name(customer_id), 0, _KEPT - 1)
            shared = [msgspec.json.decode(each, type=Exchange) for each in found]
        return own if own and own[0] not in shared else shared


def _name(customer_id: str) -> str:
    return f"loyalty:demo:{customer_id}"
