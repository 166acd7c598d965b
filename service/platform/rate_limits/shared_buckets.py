"""The buckets in Redis that all processes take from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from service.platform.rate_limits.rules import RateLimit

_SCRIPT: Final = Path(__file__).with_name("bucket.lua").read_text(encoding="utf-8")
_AT_ONCE: Final = 500


class SharedBuckets:
    """Takes from buckets in Redis. Faults of Redis are raised as they are (`service.platform.redis.FAULTS`)."""

    def __init__(self, redis: Redis, kind: str) -> None:
        self._take: Any = redis.register_script(_SCRIPT)
        self._prefix = f"loyalty:{{rate}}:{kind}:"  # in braces: what keeps the buckets of a Redis cluster together

    async def take(self, wanted: Iterable[tuple[str, RateLimit, int]]) -> list[tuple[int, float]]:
        """Take tokens by the buckets' names (below zero: give back); answer how many were granted and are left."""
        asked, answers = list(wanted), list[tuple[int, float]]()
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            names = [self._prefix + name for name, _, _ in some]
            numbers = [number for _, limit, count in some for number in (limit.per_second, limit.burst, count)]
            found: list[Any] = await self._take(names, numbers)
            answers += [(int(found[at]), float(found[at + 1])) for at in range(0, len(found), 2)]
        return answers
