"""Several processes let a key through together as often as its limit says, with one real Redis."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest

from service.kernel.errors import Invalid, NotFound, Refusal
from service.platform import redis as redis_client
from service.platform.authentication import Actor
from service.platform.http.guessing import counting_wrong_codes
from service.platform.http.request import ApiRequest
from service.platform.rate_limits import FailedLogins, RateLimit, RateLimiter, TooManyRequests, WrongCodes
from service.platform.roles import Role
from service.platform.settings import Settings

BEATS_A_SECOND = 100
TOLERANCE = 0.1


@asynccontextmanager
async def processes(settings: Settings, count: int) -> AsyncGenerator[list[RateLimiter]]:
    """Give limiters as several processes have them: each with a connection and a task of its own."""
    async with AsyncExitStack() as stack:
        made = list[RateLimiter]()
        for _ in range(count):
            redis = redis_client.connect(str(settings.redis_url))
            stack.push_async_callback(redis.aclose)
            limiter = RateLimiter(redis)
            limiter.open()
            stack.push_async_callback(limiter.close)
            made.append(limiter)
        yield made


def let_through(limiter: RateLimiter, key_id: UUID, limit: RateLimit, count: int) -> int:
    """Make requests; give how many were let through."""
    through = 0
    for _ in range(count):
        try:
            limiter.admit(key_id, limit, time.monotonic())
        except TooManyRequests:
            continue
        through += 1
    return through


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_together_they_let_through_the_limit_to_a_tenth(settings: Settings, count: int) -> None:
    """The burst is large enough that a pause of the machine loses nothing of what flows in meanwhile."""
    limit, key_id, through = RateLimit(50, 200), uuid4(), 0
    async with processes(settings, count) as limiters:
        begin = time.monotonic()
        while time.monotonic() < begin + 3:
            through += sum(let_through(limiter, key_id, limit, 5) for limiter in limiters)
            await asyncio.sleep(1 / BEATS_A_SECOND)
        expected = limit.burst + limit.per_second * (time.monotonic() - begin)
    assert expected * (1 - TOLERANCE) <= through <= expected * (1 + TOLERANCE)


async def test_below_the_limit_nobody_is_refused_however_the_load_is_spread(settings: Settings) -> None:
    limit, key_id, made, through = RateLimit(100, 100), uuid4(), 0, 0
    async with processes(settings, 3) as limiters:
        begin = time.monotonic()
        while time.monotonic() < begin + 2:
            while made < 80 * (time.monotonic() - begin):  # catches up after a pause of the machine
                which = made % 10
                limiter = limiters[2 if which == 9 else 1 if which > 6 else 0]
                through += let_through(limiter, key_id, limit, 1)
                made += 1
            await asyncio.sleep(1 / BEATS_A_SECOND)
    assert through == made


async def test_a_process_that_is_not_used_any_more_gives_back_what_it_had(settings: Settings) -> None:
    """Nothing flows in meanwhile that would count: what the second process gets was the first one's."""
    limit, key_id = RateLimit(1, 1000), uuid4()
    fast = RateLimit(1000, 1000)
    async with processes(settings, 2) as (first, second):
        assert let_through(first, key_id, fast, 50) == 50
        await asyncio.sleep(0.1)
        assert let_through(first, key_id, fast, 50) == 50  # it holds more now, for as many again
        await asyncio.sleep(1.5)
        through = 0
        for _ in range(50):
            through += let_through(second, key_id, limit, 100)
            await asyncio.sleep(1 / BEATS_A_SECOND)
    assert through >= 890


async def test_a_key_in_use_by_others_is_let_through_at_once_in_a_new_process_and_that_is_paid(
    settings: Settings,
) -> None:
    limit, key_id = RateLimit(20, 100), uuid4()
    async with processes(settings, 2) as (first, second):
        begin = time.monotonic()
        through = 0
        while time.monotonic() < begin + 2:
            through += let_through(first, key_id, limit, 20)
            if time.monotonic() > begin + 1:
                through += let_through(second, key_id, limit, 20)
            await asyncio.sleep(1 / BEATS_A_SECOND)
        expected = limit.burst + limit.per_second * (time.monotonic() - begin)
    assert expected * (1 - TOLERANCE) <= through <= expected * (1 + TOLERANCE)


async def test_keys_have_limits_of_their_own(settings: Settings) -> None:
    limit, first, second = RateLimit(1, 10), uuid4(), uuid4()
    async with processes(settings, 1) as (limiter,):
        for _ in range(20):
            let_through(limiter, first, limit, 10)
            await asyncio.sleep(1 / BEATS_A_SECOND)
        assert let_through(limiter, first, limit, 10) <= 1
        assert let_through(limiter, second, limit, 1) == 1


async def test_what_redis_holds_is_gone_when_the_bucket_is_full_again(settings: Settings) -> None:
    key_id = uuid4()
    redis = redis_client.connect(str(settings.redis_url))
    async with processes(settings, 1) as (limiter,), asyncio.timeout(20):
        let_through(limiter, key_id, RateLimit(10, 10), 5)
        while not await redis.exists(f"loyalty:{{rate}}:key:{key_id.hex}"):
            await asyncio.sleep(0.01)
        while await redis.exists(f"loyalty:{{rate}}:key:{key_id.hex}"):
            await asyncio.sleep(0.05)
    await redis.aclose()


@pytest.mark.parametrize("spoilt", [b"", b"nonsense", b"x y", b"nan 1", b"1e999 -5", b"\xff\x00 1"])
async def test_a_bucket_that_holds_nonsense_is_a_full_one(settings: Settings, spoilt: bytes) -> None:
    redis = redis_client.connect(str(settings.redis_url))
    key_id, limit, through = uuid4(), RateLimit(1, 50), 0
    await redis.set(f"loyalty:{{rate}}:key:{key_id.hex}", spoilt, ex=60)
    async with processes(settings, 1) as (limiter,):
        for _ in range(30):
            through += let_through(limiter, key_id, limit, 10)
            await asyncio.sleep(1 / BEATS_A_SECOND)
    await redis.aclose()
    assert 45 <= through <= 55


async def test_failed_logins_are_free_again_after_the_wait(settings: Settings) -> None:
    redis = redis_client.connect(str(settings.redis_url))
    first, second = FailedLogins(redis, per_minute=60), FailedLogins(redis, per_minute=60)
    address = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"

    async def fail_often() -> None:
        for _ in range(100):
            await first.count(address)
            await second.count(address)

    with pytest.raises(TooManyRequests) as refused:
        await fail_often()
    assert refused.value.retry_after == 1
    await asyncio.sleep(1)
    first.check(address)
    await first.count(address)
    await redis.aclose()


async def test_wrong_codes_are_counted_over_all_processes_by_key_and_by_address_of_a_program(
    settings: Settings,
) -> None:
    redis = redis_client.connect(str(settings.redis_url))
    first, second = (WrongCodes(redis, per_minute=2, of_address_per_minute=4) for _ in range(2))
    block, program_id = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}", uuid4().int % 2**31
    one, other, third = uuid4(), uuid4(), uuid4()

    async def guess(at: WrongCodes, key_id: UUID, address: str, program_id: int = program_id) -> bool:
        """Guess wrong; tell whether that was still free."""
        try:
            at.check(key_id=key_id, program_id=program_id, address=address)
            await at.count(key_id=key_id, program_id=program_id, address=address)
        except TooManyRequests:
            return False
        return True

    assert [await guess(at, one, f"{block}::1") for at in (first, second)] == [True, True]
    assert not await guess(first, one, f"{block}::1"), "the key has guessed too often"
    assert not await guess(first, one, "2001:db8::1"), "from wherever"
    assert await guess(second, other, f"{block}::2"), "another key goes on, with one guess of the network's four left"
    assert not await guess(first, other, f"{block}:ffff::3"), "the keys have guessed too often together"
    assert not await guess(first, third, f"{block}::1"), "a key that never guessed waits there, too"
    assert await guess(second, third, f"2001:db8:0:{uuid4().hex[:4]}::1"), "and goes on from elsewhere"
    assert await guess(first, uuid4(), f"{block}::1", program_id + 1), "another program at the address goes on"
    await redis.aclose()


async def test_only_the_refusal_that_says_that_there_is_no_such_code_counts(settings: Settings) -> None:
    redis = redis_client.connect(str(settings.redis_url))
    wrong_codes = WrongCodes(redis, per_minute=1, of_address_per_minute=100)
    actor = Actor(1, uuid4(), Role.CHECKOUT, uuid4())

    def part(_: object) -> WrongCodes:
        return wrong_codes

    asked = SimpleNamespace(part=part, actor=actor, scope={"client": ("192.0.2.1", 1)})

    async def look(refusal: Refusal | None) -> None:
        async with counting_wrong_codes(cast("ApiRequest", asked)):
            if refusal is not None:
                raise refusal

    other = Invalid("It is another order.", pointer="/order_id", reason="other")
    for refusal in (None, other, other):
        with suppress(Invalid):
            await look(refusal)
    with pytest.raises(NotFound):
        await look(NotFound())
    for refusal in (NotFound(), None):
        with pytest.raises(TooManyRequests):
            await look(refusal)
    await redis.aclose()
