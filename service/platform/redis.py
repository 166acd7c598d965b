"""The connection to Redis or Valkey. It helps; nothing waits for it longer than 50 ms."""

import time
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.platform.metrics.values import Counter

FAULTS: Final = (RedisError, OSError, TimeoutError)
"""Redis is away, or says no."""

PAUSE_SECONDS: Final = 1.0
"""For how long Redis is left alone after a fault."""

_PATIENCE_SECONDS: Final = 0.05
_REDIS_FAULTS: Final = Counter(
    "loyalty_redis_faults", "Calls of Redis that failed; it is left alone then.", ("reason",)
)
_log = structlog.get_logger()


def connect(url: str) -> Redis:
    """Make a client that fails fast: the library's own defaults would stall a call for a minute when Redis hangs."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=32,
    )


class Availability:
    """Whether Redis is to be asked: after a fault not for a second, so that not every call waits for it."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def is_away(self) -> bool:
        """Tell whether to leave Redis alone."""
        return time.monotonic() < self._away_until

    def failed(self, fault: Exception) -> None:
        """Note a fault."""
        self._away_until = time.monotonic() + PAUSE_SECONDS
        _REDIS_FAULTS.add((type(fault).__name__,))
        _log.info("redis_away", reason=type(fault).__name__)
