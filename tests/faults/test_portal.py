"""Customers' pages and calls when something breaks: told as unknown, in time, and what was done is done once."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager

import aiohttp
import pytest

from service.platform.database import Database
from service.platform.settings import Settings
from tests.conftest import make_shop, running
from tests.faults.conftest import ShopBehindProxy
from tests.faults.proxy import AtCommit
from tests.faults.test_redis import closed_port, hanging
from tests.own import make_reward
from tests.pages import Read, follow, look, send
from tests.portal import allow, call_as, token_of
from tests.shop import Shop, unique

IN_TIME = 5.0
"""Seconds."""


async def rich(shop: Shop) -> tuple[str, str]:
    """Let a customer have points and see a reward; gives a token, and the reward's id."""
    await allow(shop, may_redeem=True, may_play=True)
    await shop.buy(total=100_000)
    return await token_of(shop), await make_reward(shop, "A mug", 100, status="active")


async def test_a_database_that_hangs_is_told_in_time_as_a_page_and_as_a_problem(behind: ShopBehindProxy) -> None:
    token, _ = await rich(behind.shop)
    assert (await look(behind.shop, token)).status == 200
    behind.proxy.hang()
    began = time.monotonic()
    page, told = await asyncio.gather(look(behind.shop, token), call_as(behind.shop, token, "/v1/me"))
    assert time.monotonic() - began < IN_TIME
    assert (page.status, told.status) == (503, 503)
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "retry-after" in page.headers
    assert told.code == "unavailable"
    behind.proxy.resume()
    async with asyncio.timeout(15):
        while (await look(behind.shop, token)).status != 200:
            await asyncio.sleep(0.2)


async def test_a_form_whose_commit_answer_is_lost_redeems_once(behind: ShopBehindProxy) -> None:
    token, reward_id = await rich(behind.shop)
    form = Read((await look(behind.shop, token)).text).form("/portal/redeem", reward_id=reward_id)
    behind.proxy.at_next_commit(AtCommit.CUT)
    first = await send(behind.shop, token, form)
    assert behind.proxy.broken_commits == 1
    again = await send(behind.shop, token, form)
    for answer in (first, again):
        await follow(behind.shop, token, answer)
    assert (await behind.shop.balance("c-42"))["available"] == 900
    assert len((await call_as(behind.shop, token, "/v1/me/vouchers")).body["data"]) == 1


async def test_a_redemption_whose_commit_answer_is_lost_is_one(behind: ShopBehindProxy) -> None:
    token, reward_id = await rich(behind.shop)
    key = unique("key")
    behind.proxy.at_next_commit(AtCommit.CUT)
    first, again = [
        await call_as(behind.shop, token, "/v1/me/redemptions", {"reward_id": reward_id}, Idempotency_Key=key)
        for _ in range(2)
    ]
    assert behind.proxy.broken_commits == 1
    assert (first.status, again.status, again.replayed, again.text) == (201, 201, True, first.text)
    assert (await behind.shop.balance("c-42"))["available"] == 900


@pytest.fixture(params=[closed_port, hanging], ids=["away", "hanging"])
async def without_redis(
    request: pytest.FixtureRequest, settings: Settings, database: Database, client: aiohttp.ClientSession
) -> AsyncGenerator[Shop]:
    """Give a shop whose service has no Redis."""
    lost: Callable[[], AbstractContextManager[str]] = request.param
    with lost() as url:
        async with running(settings.model_copy(update={"redis_url": url})) as address:
            yield await make_shop(database, address, client)


async def test_without_redis_customers_see_and_do_everything(without_redis: Shop) -> None:
    token, reward_id = await rich(without_redis)
    assert (await look(without_redis, token)).status == 200
    body, key = {"reward_id": reward_id}, unique("key")
    first, again = [
        await call_as(without_redis, token, "/v1/me/redemptions", body, Idempotency_Key=key) for _ in range(2)
    ]
    assert (first.status, again.text) == (201, first.text)
    assert (await call_as(without_redis, "nonsense", "/v1/me")).status in {401, 429}


async def test_of_many_at_once_with_points_for_one_one_redeems(behind: ShopBehindProxy) -> None:
    shop = behind.shop
    await allow(shop, may_redeem=True)
    await shop.buy(total=19_900)
    token, reward_id = await token_of(shop), await make_reward(shop, "A mug", 100, status="active")
    answers = await asyncio.gather(
        *(
            call_as(shop, token, "/v1/me/redemptions", {"reward_id": reward_id}, Idempotency_Key=unique("key"))
            for _ in range(25)
        )
    )
    assert sorted({each.status for each in answers}) == [201, 409]
    assert sum(each.status == 201 for each in answers) == 1
    assert {each.code for each in answers if each.status == 409} == {"insufficient_points"}
    assert (await shop.balance("c-42"))["available"] == 99
