"""Redis is away, or goes and comes back: each process limits by itself, and nothing fails."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import aiohttp
import pytest
from redis.asyncio import Redis

from service.platform import redis as redis_client
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.rate_limits import FailedLogins, RateLimit, RateLimiter, TooManyRequests, WrongCodes
from service.platform.roles import Role
from service.platform.settings import Settings
from tests.concurrency.test_rate_limits import BEATS_A_SECOND, let_through
from tests.conftest import make_shop, running
from tests.faults.redis_way import RedisWay
from tests.faults.test_redis import closed_port, hanging

PATIENCE = 20.0
"""Seconds after which something never happens."""

without_redis = pytest.mark.parametrize("lost", [closed_port, hanging])
Lost = Callable[[], AbstractContextManager[str]]


@asynccontextmanager
async def limiter_at(url: str) -> AsyncGenerator[RateLimiter]:
    """Give the limiter of a process."""
    redis = redis_client.connect(url)
    limiter = RateLimiter(redis)
    limiter.open()
    yield limiter
    await limiter.close()
    await redis.aclose()


@asynccontextmanager
async def client_at(url: str) -> AsyncGenerator[Redis]:
    redis = redis_client.connect(url)
    yield redis
    await redis.aclose()


@without_redis
async def test_without_redis_a_process_keeps_the_whole_limit_by_itself(lost: Lost) -> None:
    limit, key_id, through = RateLimit(50, 200), uuid4(), 0
    with lost() as url:
        async with limiter_at(url) as limiter:
            begin = time.monotonic()
            while time.monotonic() < begin + 3:
                through += let_through(limiter, key_id, limit, 10)
                await asyncio.sleep(1 / BEATS_A_SECOND)
            expected = limit.burst + limit.per_second * (time.monotonic() - begin)
    assert expected * 0.9 <= through <= expected * 1.1


@without_redis
async def test_without_redis_calls_are_answered_and_limited(
    settings: Settings, database: Database, client: aiohttp.ClientSession, lost: Lost
) -> None:
    with lost() as url:
        async with running(settings.model_copy(update={"redis_url": url})) as address:
            shop = await make_shop(database, address, client)
            body = {"role": "admin", "rate_limit": {"per_second": 2, "burst": 20}}
            made = await shop.post("/v1/api-keys", body, Role.ADMIN)
            own = replace(shop, keys=dict.fromkeys(Role, made.body["key"]))
            answers = await asyncio.gather(*(own.get("/v1/program") for _ in range(10)))
            await asyncio.sleep(0.5)
            answers += await asyncio.gather(*(own.get("/v1/program") for _ in range(10)))
            assert {answer.status for answer in answers} <= {200, 429}
            assert [answer.status for answer in answers].count(200) >= 10
            async with asyncio.timeout(PATIENCE):
                while (answer := await own.get("/v1/program")).status == 200:
                    pass
            assert answer.code == "rate_limited"
            assert answer.headers["ratelimit-policy"] == '"default";q=20;w=10'
            assert (await shop.get("/v1/program", Role.ADMIN)).status == 200


async def test_redis_goes_and_comes_back_and_the_processes_share_the_limit_again(settings: Settings) -> None:
    limit, key_id = RateLimit(50, 200), uuid4()
    way = RedisWay(str(settings.redis_url))
    await way.open()

    async def load(limiters: list[RateLimiter], seconds: float) -> tuple[int, float]:
        through, begin = 0, time.monotonic()
        while time.monotonic() < begin + seconds:
            through += sum(let_through(limiter, key_id, limit, 5) for limiter in limiters)
            await asyncio.sleep(1 / BEATS_A_SECOND)
        return through, time.monotonic() - begin

    async with limiter_at(way.url) as first, limiter_at(way.url) as second:
        both = [first, second]
        await load(both, 2)
        await way.shut()
        await load(both, 0.5)
        apart, seconds = await load(both, 2)
        assert apart >= 1.5 * limit.per_second * seconds, "each has the whole limit now"
        await way.open()
        await load(both, 2)  # what was let through meanwhile is told, and a burst that was left is used up
        together, seconds = await load(both, 3)
        assert limit.per_second * seconds * 0.85 <= together <= limit.per_second * seconds * 1.15
    await way.shut()


@without_redis
async def test_without_redis_failed_logins_are_limited_more_strictly(lost: Lost) -> None:
    with lost() as url:
        async with client_at(url) as redis:
            failed = FailedLogins(redis, per_minute=20)
            for _ in range(5):
                await failed.count("192.0.2.1")
            with pytest.raises(TooManyRequests) as refused:
                await failed.count("192.0.2.1")
            assert refused.value.retry_after in range(1, 13)
            with pytest.raises(TooManyRequests):
                failed.check("192.0.2.1")
            failed.check("192.0.2.2")
            await failed.count("192.0.2.2")


@without_redis
async def test_without_redis_wrong_codes_are_limited_more_strictly_by_key_and_by_address(lost: Lost) -> None:
    with lost() as url:
        async with client_at(url) as redis:
            wrong = WrongCodes(redis, per_minute=8, of_address_per_minute=16)
            keys = [uuid4() for _ in range(3)]

            async def guess(key_id: UUID, address: str) -> None:
                wrong.check(key_id=key_id, program_id=1, address=address)
                await wrong.count(key_id=key_id, program_id=1, address=address)

            for key_id in keys[:2]:
                await guess(key_id, "192.0.2.1")
                await guess(key_id, "192.0.2.1")
            for key_id in keys:
                with pytest.raises(TooManyRequests) as refused:
                    await guess(key_id, "192.0.2.1")
                assert refused.value.retry_after in range(1, 31)
            with pytest.raises(TooManyRequests):
                wrong.check(key_id=keys[2], program_id=1, address="192.0.2.1")
            wrong.check(key_id=keys[2], program_id=2, address="192.0.2.1")
            await guess(keys[2], "192.0.2.2")


@without_redis
async def test_without_redis_many_addresses_cost_no_more_memory_than_allowed(lost: Lost) -> None:
    """Whoever can't be counted any more is refused."""
    with lost() as url:
        async with client_at(url) as redis:
            failed = FailedLogins(redis, per_minute=20)
            for number in range(10_000):
                await failed.count(f"10.0.{number // 256}.{number % 256}")
            for number in range(2):
                with pytest.raises(TooManyRequests):
                    await failed.count(f"10.1.0.{number}")


async def test_a_key_that_nobody_has_is_not_looked_up_for_an_address_that_has_to_wait(
    settings: Settings, database: Database, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.programs.catalogue import Catalogue

    looked = list[bytes]()
    find = Catalogue.find

    async def counted(self: Catalogue, key_hash: bytes) -> object:
        looked.append(key_hash)
        return await find(self, key_hash)

    monkeypatch.setattr(Catalogue, "find", counted)
    with closed_port() as url:
        strict = settings.model_copy(update={"redis_url": url, "failed_logins_per_minute": 8})
        async with running(strict) as address:
            shop = await make_shop(database, address, client)
            headers = {"Authorization": f"Bearer {new_key(live=False)}"}
            statuses = [(await shop.call("GET", "/v1/program", role=None, headers=headers)).status for _ in range(10)]
    assert statuses == [401] * 2 + [429] * 8
    assert len(looked) == 3, "the third was looked up, and found to be one too many"
