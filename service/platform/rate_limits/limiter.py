"""The limiter of keys. It answers at once, from tokens that a task takes from Redis some 100 ms ahead."""

import asyncio
import time
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis

from service.platform.rate_limits import rules
from service.platform.rate_limits.rules import Bucket, Fields, RateLimit, TooManyRequests
from service.platform.rate_limits.shared_buckets import SharedBuckets
from service.platform.redis import PAUSE_SECONDS
from service.platform.waiting import wait_at_most

_PERIOD_SECONDS: Final = 0.05
_FORGET_SECONDS: Final = 60.0
_DETAIL: Final = "This key has used up its requests. Wait as long as Retry-After says, and longer each time."
_log = structlog.get_logger()


class _Key:
    """What is known of a key in this process. One of `share` and, while Redis is away, `bucket` counts."""

    __slots__ = ("active", "bucket", "limit", "name", "policy", "share", "used_at")

    def __init__(self, name: str, limit: RateLimit, used_at: float) -> None:
        self.name = name
        self.used_at = used_at
        self.active = False
        self.bucket: Bucket | None = None
        self.keep(limit)
        self.share = rules.fresh(limit)

    def keep(self, limit: RateLimit) -> None:
        """Go by another limit from now on. The share is corrected by the next answer of the shared bucket."""
        self.limit = limit
        self.policy = policy(limit)


class RateLimiter:
    """Lets requests of keys through or refuses them, without waiting for anything.

    While Redis is away, each process keeps the full limit by itself.
    """

    def __init__(self, redis: Redis) -> None:
        self._shared = SharedBuckets(redis, "key")
        self._keys: dict[UUID, _Key] = {}
        self._active: set[_Key] = set()
        self._alone = False
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._swept_at = time.monotonic()
        self._taking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to take tokens. Call it in the running loop."""
        self._taking = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop. What is in hand is not given back: it is some 100 ms' worth, and flows in again."""
        # Asked, not cancelled: up to Python 3.11 the client of Redis may lose a cancellation while it sends.
        self._closing.set()
        self._news.set()
        if self._taking is not None:
            await self._taking

    def admit(self, key_id: UUID, limit: RateLimit, now: float) -> Fields:
        """Let a request through; answer the fields that tell the limit. Raises TooManyRequests, which has them too."""
        key = self._keys.get(key_id)
        if key is None:
            key = self._keys[key_id] = _Key(key_id.hex, limit, now)
        elif key.limit is not limit and key.limit != limit:
            key.keep(limit)
        if not key.active:
            self._begin(key)
        if self._alone:
            return _admit_alone(key, now)
        share = key.share
        if not rules.may_spend(share):
            key.share = rules.refused(share)
            raise _refusal(key, share.tokens)
        key.share = share = rules.spent(share)
        if rules.is_hungry(share):
            self._news.set()
        # The shared bucket may be full again although something is in hand.
        left = min(limit.burst, max(0, share.tokens + share.left))
        return [key.policy, (b"ratelimit", b'"default";r=%d;t=1' % left)]

    def _begin(self, key: _Key) -> None:
        key.active = True
        key.share = rules.fresh(key.limit)
        self._active.add(key)
        self._news.set()

    async def _run(self) -> None:
        everything_at = 0.0
        while not self._closing.is_set():
            self._news.clear()
            now = time.monotonic()
            try:
                await (self._rejoin(now) if self._alone else self._settle(now, hungry_only=now < everything_at))
            except Exception as fault:  # noqa: BLE001 - whatever it is, requests go on being counted here
                self._go_alone(time.monotonic(), fault)
            if self._alone:
                await wait_at_most(self._closing, PAUSE_SECONDS)
                continue
            if now >= everything_at:
                everything_at = now + _FORGET_SECONDS
            if self._active:
                everything_at = min(everything_at, now + _PERIOD_SECONDS)
            await wait_at_most(self._news, everything_at - time.monotonic())

    async def _settle(self, now: float, *, hungry_only: bool) -> None:
        """Take what is needed next, give back what isn't, for the keys in use."""
        sent = {key: key.share for key in self._active if not hungry_only or rules.is_hungry(key.share)}
        levels = {key: rules.next_level(share, key.limit) for key, share in sent.items()}
        wanted = [(key.name, key.limit, levels[key] - share.tokens) for key, share in sent.items()]
        for key, share in sent.items():
            key.share = rules.asking(share, levels[key])
        for (key, share), (granted, left) in zip(sent.items(), await self._shared.take(wanted), strict=True):
            key.share = rules.settled(key.share, share, levels[key], granted, int(left))
            key.used_at = now
            if rules.is_idle(key.share):
                key.active = False
                self._active.discard(key)
        if now >= self._swept_at + _FORGET_SECONDS / 4:
            self._forget(now)

    def _go_alone(self, now: float, fault: Exception) -> None:
        if self._alone:
            return
        _log.warning("rate_limits_alone", reason=type(fault).__name__)
        self._alone = True
        for key in self._active:
            key.bucket = rules.alone(key.share, key.limit, now)

    async def _rejoin(self, now: float) -> None:
        """Tell the shared buckets what was let through without them, and go on with what they give."""
        debts = {key: rules.owed(key.bucket, key.limit, now) for key in self._active if key.bucket is not None}
        levels = {key: rules.next_level(key.share, key.limit) for key in debts}
        answers = await self._shared.take((key.name, key.limit, debts[key] + levels[key]) for key in debts)
        for (key, debt), (granted, left) in zip(debts.items(), answers, strict=True):
            key.share = rules.rejoined(levels[key], debt, granted, int(left))
        for key in self._active:
            if key not in debts:
                key.share = rules.fresh(key.limit)  # first used while the answer was on its way
            key.bucket = None
        self._alone = False
        _log.info("rate_limits_shared_again", keys=len(debts))

    def _forget(self, now: float) -> None:
        self._swept_at = now
        self._keys = {
            key_id: key for key_id, key in self._keys.items() if key.active or now < key.used_at + _FORGET_SECONDS
        }


def _admit_alone(key: _Key, now: float) -> Fields:
    bucket = rules.filled(key.bucket or Bucket(float(key.limit.burst), now), key.limit, now)
    if bucket.tokens < 1:
        key.bucket = bucket
        raise _refusal(key, bucket.tokens)
    key.bucket = Bucket(bucket.tokens - 1, now)
    return [key.policy, (b"ratelimit", b'"default";r=%d;t=1' % int(key.bucket.tokens))]


def _refusal(key: _Key, tokens: float) -> TooManyRequests:
    refusal = TooManyRequests(_DETAIL, wait=rules.wait_for_one(tokens, key.limit))
    refusal.fields += [key.policy, (b"ratelimit", b'"default";r=0;t=%d' % refusal.retry_after)]
    return refusal


def policy(limit: RateLimit) -> tuple[bytes, bytes]:
    """Write `RateLimit-Policy`: the burst, and the whole seconds in which as much flows in.

    Who spends at most that much in each such window is never refused. Fields as in
    draft-ietf-httpapi-ratelimit-headers-10: `q` requests in `w` seconds; in `RateLimit`, `r` requests are left for the
    next `t` seconds.
    """
    window = max(1, -(-limit.burst // int(limit.per_second)))
    return b"ratelimit-policy", b'"default";q=%d;w=%d' % (limit.burst, window)
