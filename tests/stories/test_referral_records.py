"""Referrals whose sides are erased or merged amid them, and what comes late; through HTTP, over weeks."""

from collections.abc import AsyncGenerator
from uuid import UUID

import aiohttp
import pytest

from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.purchases import referees
from tests import activities
from tests.conftest import Servers
from tests.shop import unique
from tests.stories.test_referrals import BEGINS, Story
from tests.stories.wall_clock import shop_with_clock


class LateStory(Story):
    """A story in which the jobs may come late."""

    async def sleep(self, moment: str) -> None:
        """Go to a moment without any job."""
        self.now = moment
        await self._clock.set(moment)

    async def judge_only(self) -> None:
        """Let what is due be judged, and nothing else be done."""
        assert self.shop.database is not None
        assert await referees.judge_due(self.shop.database, Turn(self.shop.program.id))


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[LateStory]:
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin") as (shop, clock):
        yield LateStory(shop, clock)


async def erase(story: Story, customer: str) -> None:
    assert (await story.shop.call("DELETE", f"/v1/customers/{customer}", role=Role.ADMIN)).status in {200, 204}


async def merge(story: Story, source: str, target: str) -> None:
    body, key = {"into": target}, unique("key")
    merged = await story.shop.post(f"/v1/customers/{source}/merge", body, Role.ADMIN, Idempotency_Key=key)
    assert merged.status == 200, merged.text


async def test_who_was_brought_goes_on_buying_when_the_referrer_is_erased(story: Story) -> None:
    await story.offer()
    first = await story.buy("ben", 10, referral_code=await story.code("anna"))
    its_id = first.body["referral"]["id"]
    ahead = await story.claimed(await story.code("anna"), "carl")
    await story.enrol("dora")
    idle = await story.claimed(await story.code("anna"), "dora")
    await erase(story, "anna")
    for _ in range(2):
        await story.buy("ben", 50)
    await story.buy("carl", 50)
    await story.on("2031-01-11")
    for each in (its_id, ahead, idle):
        referral = await story.read(each)
        assert (referral["status"], referral["reason"], referral["referrer_id"]) == ("refused", "erased", None)
    assert (await story.points("ben"), await story.points("carl")) == (110, 50)


async def test_what_was_given_for_somebody_who_is_erased_since_stays_also_through_a_merge(story: Story) -> None:
    await story.offer(waiting_days=0)
    its_id = (await story.buy("ben", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    await story.enrol("anne")
    await erase(story, "ben")
    await merge(story, "anna", "anne")
    await story.on("2031-02-01")
    referral = await story.read(its_id)
    assert (referral["status"], await story.points("anne")) == ("rewarded", 500)


async def test_a_prize_that_can_not_be_had_is_looked_at_also_where_nobody_waits(story: Story) -> None:
    body = {
        "name": "Ten euros off",
        "gives": {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
        "points": 100,
        "status": "active",
        "stock": 0,
    }
    made = await story.shop.post("/v1/rewards", body, Role.MARKETER)
    assert made.status == 201, made.text
    await story.offer(waiting_days=0, referrer={"kind": "reward", "reward_id": made.body["id"]})
    its_id = await story.claimed(await story.code("anna"), "ben")
    await story.buy("ben", 50)
    await story.work()
    referral = await story.read(its_id)
    assert (referral["status"], referral["signs"]) == ("in_review", ["prize_unavailable"])


async def test_what_came_back_is_taken_from_the_one_who_is_still_there(story: Story) -> None:
    body = {
        "name": "Ten euros off",
        "gives": {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
        "points": 100,
        "status": "active",
    }
    made = await story.shop.post("/v1/rewards", body, Role.MARKETER)
    assert made.status == 201, made.text
    await story.offer(waiting_days=0, referrer={"kind": "reward", "reward_id": made.body["id"]})
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    await story.work()
    assert await story.points("ben") == 250
    await erase(story, "anna")
    await story.give_back(bought.body["id"], 50)
    await story.work()
    referral = await story.read(bought.body["referral"]["id"])
    assert (referral["status"], referral["reason"], await story.points("ben")) == ("reversed", "returned", 0)


async def test_a_code_on_a_purchase_that_is_told_from_the_year_one_claims(story: Story) -> None:
    await story.offer(waiting_days=0)
    told = await story.buy("ben", 50, referral_code=await story.code("anna"), occurred_at="0001-01-01T12:00:00Z")
    assert told.body["referral"]["status"] == "qualified"
    await story.work()
    assert await story.stands(told.body["referral"]["id"]) == "rewarded"


async def test_two_claims_of_records_that_are_one_are_one_the_earlier(story: Story) -> None:
    await story.offer(waiting_days=0)
    await story.enrol("ben", "benjamin")
    one = await story.claimed(await story.code("anna"), "ben")
    await story.on("2031-01-11")
    other = await story.claimed(await story.code("carl"), "benjamin")
    await merge(story, "ben", "benjamin")
    await story.buy("benjamin", 50)
    await story.work()
    assert [await story.stands(each) for each in (one, other)] == ["rewarded", "refused"]
    assert [await story.points(each) for each in ("anna", "carl", "benjamin")] == [500, 0, 250]


async def test_what_is_approved_and_turns_out_to_be_one_person_is_not_rewarded(story: Story) -> None:
    await story.offer()
    its_id = (await story.buy("ben", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    key = unique("key")
    approved = await story.shop.post(f"/v1/referrals/{its_id}/approve", {}, Role.MARKETER, Idempotency_Key=key)
    assert approved.status == 200, approved.text
    await merge(story, "ben", "anna")
    await story.on("2031-02-01")
    referral = await story.read(its_id)
    assert (referral["status"], referral["reason"], await story.points("anna")) == ("refused", "cheating", 50)


async def test_an_activity_from_just_before_the_claim_qualifies_soon(story: Story) -> None:
    await activities.declare(story.shop, "install")
    await story.offer(waiting_days=0, qualification={"kind": "activity", "type": "install"})
    await activities.report(story.shop, customer_id="ben", type="install", occurred_at=story.now)
    its_id = await story.claimed(await story.code("anna"), "ben")
    await story.work()
    assert (await story.stands(its_id), await story.points("anna")) == ("rewarded", 500)


async def test_who_was_enrolled_and_bought_in_time_is_rewarded_however_late_that_is_noticed(story: LateStory) -> None:
    await story.offer(waiting_days=0)
    its_id = await story.claimed(await story.code("anna"), "ben")
    await story.buy("ben", 50)
    await story.sleep("2031-03-01T09:00:00Z")
    await story.judge_only()
    assert (await story.stands(its_id), await story.points("anna"), await story.points("ben")) == ("rewarded", 500, 250)


async def test_a_claim_that_this_release_can_not_read_keeps_no_other_from_those_who_are_enrolled(
    story: Story,
) -> None:
    await story.offer(waiting_days=0)
    code = await story.code("anna")
    unreadable, its_id = await story.claimed(code, "ben"), await story.claimed(code, "carl")
    assert story.shop.database is not None
    async with story.shop.database.connection() as db:
        sql = "UPDATE referral SET terms = '{}' WHERE id = $1"
        assert await db.execute(sql, UUID(unreadable.removeprefix("ref_"))) == "UPDATE 1"
    for each in ("ben", "carl"):
        await story.buy(each, 50)
    await story.work()
    assert await story.stands(its_id) == "rewarded"


async def test_one_person_shows_also_behind_a_chain_of_merges(story: Story) -> None:
    await story.offer(waiting_days=0)
    its_id = (await story.buy("ben", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    await story.enrol("anna-2", "ben-2")
    await merge(story, "anna", "anna-2")
    await merge(story, "ben", "ben-2")
    await story.work()
    await merge(story, "ben-2", "anna-2")
    await story.work()
    assert (await story.stands(its_id), await story.points("anna")) == ("reversed", 50)


async def test_two_rewards_for_one_person_show_also_behind_a_chain_of_merges(story: Story) -> None:
    await story.offer(waiting_days=0)
    bought = [await story.buy("ben", 50, referral_code=await story.code("anna"))]
    await story.on("2031-01-11")
    bought.append(await story.buy("ben-2", 50, referral_code=await story.code("bert")))
    await story.work()
    await story.enrol("ben-3")
    await merge(story, "ben-2", "ben-3")
    await story.work()
    await merge(story, "ben-3", "ben")
    await story.work()
    assert [await story.stands(each.body["referral"]["id"]) for each in bought] == ["rewarded", "reversed"]
    assert [await story.points(each) for each in ("anna", "bert", "ben")] == [500, 0, 300]


async def test_who_closes_a_ring_later_takes_nothing_from_those_who_were_there_first(story: Story) -> None:
    await story.offer(waiting_days=10)
    its_id = (await story.buy("ben", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.claimed(await story.code("ben"), "carl")
    closing = await story.claimed(await story.code("carl"), "anna")
    await story.on("2031-01-12")
    await story.buy("anna", 50)
    await story.on("2031-01-22")
    assert (await story.stands(its_id), await story.points("anna")) == ("rewarded", 550)
    assert (await story.read(closing))["signs"] == ["ring"]
