"""The connection to Redis or Valkey. It helps; nothing waits for it longer than 50 ms."""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_PATIENCE_SECONDS: Final = 0.05


def connect(url: str) -> Redis:
    """Make a client that fails fast: the library's own defaults would stall a call for a minute when Redis hangs."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=32,
    )
