"""What an erasure leaves of referrals: of many at once, of those who were claimed and never came, of codes in words."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from service.platform.roles import Role
from tests.conftest import Servers
from tests.shop import unique
from tests.stories.test_referral_records import erase
from tests.stories.test_referrals import BEGINS, Story
from tests.stories.wall_clock import shop_with_clock


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin") as (shop, clock):
        yield Story(shop, clock)


async def count(story: Story, table: str) -> int:
    """Count the rows of the shop's program."""
    assert story.shop.database is not None
    async with story.shop.database.reading() as db:
        sql = f"SELECT count(*) FROM {table} AS t WHERE t.program_id = $1"
        counted: int = await db.fetchval(sql, story.shop.program.id)
        return counted


async def brought(story: Story, code: str, many: int) -> list[str]:
    """Bring customers in one batch, who qualify at once; gives their referrals."""
    purchases: list[dict[str, Any]] = [
        {"id": f"first-{each}", "customer_id": f"c-{each}", "occurred_at": story.now, "currency": "EUR", "total": 5_000}
        for each in range(many)
    ]
    body = {"purchases": [each | {"referral_code": code} for each in purchases]}
    told = (await story.shop.post("/v1/purchases/batch", body)).body["results"]
    return [each["purchase"]["referral"]["id"] for each in told]


async def test_who_brought_several_in_one_batch_is_erased_before_that_is_decided(story: Story) -> None:
    await story.offer()
    referrals = await brought(story, await story.code("anna"), 5)
    await erase(story, "anna")
    assert {await story.stands(each) for each in referrals} == {"refused"}
    assert story.shop.database is not None
    async with story.shop.database.reading() as db:
        sql = "SELECT subject_id FROM outbox WHERE program_id = $1 AND type = 'referral.refused'"
        told = [f"ref_{row[0].hex}" for row in await db.fetch(sql, story.shop.program.id)]
    assert sorted(told) == sorted(referrals)


async def test_nothing_is_left_of_the_marks_of_a_claim_whose_referee_is_erased_before_it_is_hers(story: Story) -> None:
    await story.offer()
    await story.claimed(await story.code("anna"), "ben", marks={"device": "d-1", "address": "a-1"})
    await story.enrol("ben")  # the job has not looked at it yet
    await erase(story, "ben")
    assert (await count(story, "referral_ahead"), await count(story, "referral_mark")) == (0, 0)


@pytest.mark.parametrize("ends", ["refused", "expired", "erased"])
async def test_a_claim_of_somebody_who_never_came_leaves_no_name_and_no_marks(story: Story, ends: str) -> None:
    await story.offer()
    its_id = await story.claimed(await story.code("anna"), "ben", marks={"device": "d-1"})
    assert await count(story, "referral_mark") == 1
    if ends == "refused":
        key = unique("key")
        refused = await story.shop.post(f"/v1/referrals/{its_id}/refuse", {}, Role.MARKETER, Idempotency_Key=key)
        assert refused.status == 200, refused.text
    elif ends == "erased":
        await erase(story, "anna")
    else:
        await story.on("2031-03-01")
    assert await story.stands(its_id) == ("expired" if ends == "expired" else "refused")
    assert (await count(story, "referral_ahead"), await count(story, "referral_mark")) == (0, 0)


async def test_the_code_of_somebody_who_is_erased_is_forgotten_in_purchases_of_those_who_came_with_it(
    story: Story,
) -> None:
    await story.offer()
    await story.enrol("anna")
    body, key = {"code": "ANNA-MILLER"}, unique("key")
    worded = await story.shop.post("/v1/customers/anna/referral/code", body, Role.MARKETER, Idempotency_Key=key)
    assert worded.status == 201, worded.text
    bought = await story.buy("ben", 50, referral_code="annamiller")
    assert bought.body["referral"]["status"] == "qualified"
    await erase(story, "anna")
    purchase = await story.shop.get(f"/v1/purchases/{bought.body['id']}")
    assert purchase.body["referral_code"] is None
