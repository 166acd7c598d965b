"""The limiters of guesses: at keys, by address, and at codes, by key and by address. They ask Redis each time."""

import time
from ipaddress import IPv6Address, ip_address
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis

from service.platform.rate_limits import rules
from service.platform.rate_limits.rules import Bucket, RateLimit, TooManyRequests
from service.platform.rate_limits.shared_buckets import SharedBuckets
from service.platform.redis import FAULTS, Availability

_MOST_NAMES: Final = 10_000
_STRICTER: Final = 4
_UNKNOWN: Final = "unknown"
_log = structlog.get_logger()


class Failures:
    """Counts failures of one kind by a name over all processes, and refuses further calls under that name.

    `per_minute` failures are free, and as many each minute. While Redis is away, a quarter of that counts, in this
    process. A name that was told to wait is remembered until then, so that its calls cost nothing.
    """

    def __init__(self, redis: Redis, kind: str, per_minute: int, detail: str) -> None:
        self._shared = SharedBuckets(redis, kind)
        self._availability = Availability()
        self._limit = _limit(per_minute)
        self._stricter = _limit(max(1, per_minute // _STRICTER))
        self._detail = detail
        self._alone: dict[str, Bucket] = {}
        self._waits: dict[str, float] = {}

    def check(self, name: str) -> None:
        """Refuse a name that was told to wait and doesn't. Raises TooManyRequests."""
        if self._waits:
            wait = self._waits.get(name, 0.0) - time.monotonic()
            if wait > 0:
                raise TooManyRequests(self._detail, wait=wait)

    async def count(self, name: str) -> None:
        """Count a failure. Raises TooManyRequests where there were too many."""
        now = time.monotonic()
        wait = await self._ask(name, now)
        if wait is None:
            return
        if len(self._waits) >= _MOST_NAMES:
            self._waits = {each: until for each, until in self._waits.items() if until > now}
        if len(self._waits) < _MOST_NAMES:
            self._waits[name] = now + wait
        raise TooManyRequests(self._detail, wait=wait)

    async def _ask(self, name: str, now: float) -> float | None:
        """Answer for how long to wait; None where the failure is still free."""
        if not self._availability.is_away():
            try:
                ((granted, left),) = await self._shared.take([(name, self._limit, 1)])
            except FAULTS as fault:
                self._availability.failed(fault)
            else:
                return None if granted else rules.wait_for_one(left, self._limit)
        return self._ask_alone(name, now)

    def _ask_alone(self, name: str, now: float) -> float | None:
        limit = self._stricter
        bucket = rules.filled(self._alone.get(name, Bucket(limit.burst, now)), limit, now)
        if bucket.tokens < 1:
            return rules.wait_for_one(bucket.tokens, limit)
        if name not in self._alone and len(self._alone) >= _MOST_NAMES:
            self._alone = {
                each: kept for each, kept in self._alone.items() if rules.filled(kept, limit, now).tokens < limit.burst
            }
            if len(self._alone) >= _MOST_NAMES:
                return rules.wait_for_one(0, limit)  # nobody else can be counted now
        self._alone[name] = Bucket(bucket.tokens - 1, now)
        return None


class FailedLogins(Failures):
    """Calls without a valid key, by the address that they come from."""

    def __init__(self, redis: Redis, per_minute: int) -> None:
        super().__init__(redis, "address", per_minute, "Too many calls without a valid key from this address.")

    def check(self, name: str | None) -> None:
        """Refuse an address that was told to wait and doesn't. Raises TooManyRequests."""
        super().check(network(name))

    async def count(self, name: str | None) -> None:
        """Count a failure of an address. Raises TooManyRequests where there were too many."""
        await super().count(network(name))


class WrongCodes:
    """Codes that there are not, of vouchers and of referrals: by the key that asks, and by the address it asks from.

    An address bounds who guesses with many keys. It is counted for each program by itself: codes are a program's own,
    and where programs share an address (one agency, one proxy that isn't trusted) they don't hold each other up.
    """

    def __init__(self, redis: Redis, *, per_minute: int, of_address_per_minute: int) -> None:
        self._keys = Failures(redis, "code", per_minute, "Too many codes that there are not, with this key.")
        self._addresses = Failures(
            redis, "code_address", of_address_per_minute, "Too many codes that there are not, from this address."
        )

    def check(self, *, key_id: UUID, program_id: int, address: str | None) -> None:
        """Refuse a key or an address that was told to wait and doesn't. Raises TooManyRequests."""
        self._keys.check(key_id.hex)
        self._addresses.check(_within(program_id, address))

    async def count(self, *, key_id: UUID, program_id: int, address: str | None) -> None:
        """Count a code that there is not, for the key and for the address. Raises TooManyRequests."""
        try:
            await self._addresses.count(_within(program_id, address))
        finally:
            await self._keys.count(key_id.hex)


def _limit(per_minute: int) -> RateLimit:
    return RateLimit(per_minute / 60, per_minute)


def _within(program_id: int, address: str | None) -> str:
    return f"{program_id}:{network(address)}"


def network(address: str | None) -> str:
    """Name what an address is counted as: itself, or the /64 of an IPv6 address, which one caller has whole."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return _UNKNOWN
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64)
    return found.compressed
