"""Referrals whose sides are merged or erased, over months: who keeps what, and that the books go on being right."""

from collections.abc import AsyncGenerator

import aiohttp
import pytest

from service.platform.roles import Role
from tests.conftest import Servers, prove
from tests.referrals import all_of
from tests.shop import unique
from tests.stories.test_referrals import BEGINS, Story
from tests.stories.wall_clock import shop_with_clock


class Records(Story):
    """A shop whose customers' records are merged and erased."""

    async def merge(self, source: str, into: str) -> None:
        """Let a record go into another one."""
        path = f"/v1/customers/{source}/merge"
        merged = await self.shop.post(path, {"into": into}, Role.ADMIN, Idempotency_Key=unique("key"))
        assert merged.status == 200, merged.text

    async def erase(self, customer: str) -> None:
        """Erase a customer."""
        erased = await self.shop.call("DELETE", f"/v1/customers/{customer}", role=Role.ADMIN)
        assert erased.status in {200, 204}, erased.text

    async def prove(self) -> None:
        """Prove the books as they are now."""
        assert self.shop.database is not None
        await prove(self.shop.database)


@pytest.fixture
async def records(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Records]:
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin") as (shop, clock):
        yield Records(shop, clock)


async def test_what_a_referee_brought_stays_when_he_is_erased_and_the_referrer_merged_later(records: Records) -> None:
    await records.offer(waiting_days=0)
    its_id = (await records.buy("ben", 50, referral_code=await records.code("anna"))).body["referral"]["id"]
    await records.work()
    await records.erase("ben")
    await records.on("2031-03-01")
    await records.enrol("anna-2")
    await records.merge("anna-2", "anna")
    await records.work()
    assert (await records.stands(its_id), await records.points("anna")) == ("rewarded", 500)


async def test_an_erased_referrer_leaves_nothing_open_with_who_was_claimed(records: Records) -> None:
    await records.offer(waiting_days=0)
    code = await records.code("anna")
    its_id = await records.claimed(code, "ben")  # ahead of the enrolment
    await records.enrol("carl")
    other = await records.claimed(code, "carl")
    await records.erase("anna")
    await records.prove()
    assert [(await records.read(each))["reason"] for each in (its_id, other)] == ["erased", "erased"]
    await records.enrol("ben")
    await records.work()
    await records.buy("ben", 50)
    await records.buy("carl", 50)
    await records.work()
    await records.prove()
    assert [await records.stands(each) for each in (its_id, other)] == ["refused", "refused"]


async def test_a_claim_ahead_whose_referrer_was_erased_keeps_nobody_from_being_brought_by_another(
    records: Records,
) -> None:
    await records.offer(waiting_days=0)
    await records.claimed(await records.code("anna"), "ben")
    await records.erase("anna")
    told = (await records.buy("ben", 50, referral_code=await records.code("dora"))).body["referral"]
    assert told["status"] == "qualified"
    await records.work()
    assert await records.points("dora") == 500


async def test_of_two_claims_that_become_one_persons_the_one_that_still_counts_goes_on(records: Records) -> None:
    await records.offer(waiting_days=0)
    await records.enrol("carl", "ben")
    gone = await records.claimed(await records.code("bert"), "carl")
    await records.on("2031-01-11")
    kept = await records.claimed(await records.code("anna"), "ben")
    await records.erase("bert")
    await records.merge("carl", "ben")
    await records.prove()
    assert (await records.stands(gone), await records.stands(kept)) == ("refused", "signed_up")
    await records.buy("ben", 50)
    await records.work()
    assert (await records.stands(kept), await records.points("anna")) == ("rewarded", 500)


async def test_a_claim_ahead_of_one_record_and_a_claim_of_another_that_become_one(records: Records) -> None:
    await records.offer(waiting_days=0)
    first = await records.claimed(await records.code("anna"), "ben")
    await records.enrol("ben-2")
    await records.on("2031-01-11")
    second = await records.claimed(await records.code("bert"), "ben-2")
    await records.enrol("ben")
    await records.merge("ben", "ben-2")
    await records.work()
    await records.buy("ben-2", 50)
    await records.work()
    await records.prove()
    assert {await records.stands(first), await records.stands(second)} == {"rewarded", "refused"}


async def test_the_reward_is_taken_back_from_merged_records_and_never_twice(records: Records) -> None:
    await records.offer(waiting_days=0)
    bought = await records.buy("ben", 50, referral_code=await records.code("anna"))
    await records.work()
    await records.enrol("anna-2", "anna-3", "ben-2")
    await records.merge("anna", "anna-2")
    await records.merge("anna-2", "anna-3")
    await records.merge("ben", "ben-2")
    await records.work()
    await records.prove()
    assert (await records.points("anna"), await records.points("ben-2")) == (500, 250)
    await records.give_back(bought.body["id"], 50)
    await records.work()
    await records.work()
    assert (await records.points("anna-3"), await records.points("ben")) == (0, 0)
    await records.merge("ben-2", "anna-3")
    await records.work()
    await records.prove()
    assert await records.points("anna-3") == 0
    assert [each["status"] for each in await all_of(records.shop)] == ["reversed"]


async def test_a_reversal_of_a_voucher_of_an_erased_referrer_ends(records: Records) -> None:
    body = {
        "name": "Ten euros off",
        "gives": {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
        "points": 100,
        "status": "active",
    }
    made = await records.shop.post("/v1/rewards", body, Role.MARKETER)
    await records.offer(waiting_days=0, referrer={"kind": "reward", "reward_id": made.body["id"]})
    bought = await records.buy("ben", 50, referral_code=await records.code("anna"))
    await records.work()
    await records.erase("anna")
    await records.give_back(bought.body["id"], 50)
    await records.work()
    assert (await records.stands(bought.body["referral"]["id"]), await records.points("ben")) == ("reversed", 0)


async def test_one_who_is_erased_after_a_return_that_leaves_enough_takes_nothing_from_the_other(
    records: Records,
) -> None:
    await records.offer(waiting_days=0)
    bought = await records.buy("ben", 50, referral_code=await records.code("anna"))
    await records.work()
    await records.give_back(bought.body["id"], 10)
    await records.erase("ben")
    await records.work()
    assert (await records.stands(bought.body["referral"]["id"]), await records.points("anna")) == ("rewarded", 500)


async def test_who_brought_many_at_once_can_be_erased(records: Records) -> None:
    await records.offer()
    code = await records.code("anna")
    entries = [
        {
            "id": unique("order"),
            "customer_id": f"friend-{number}",
            "occurred_at": records.now,
            "currency": "EUR",
            "total": 5000,
            "referral_code": code,
        }
        for number in range(5)
    ]
    answer = await records.shop.post("/v1/purchases/batch", {"purchases": entries})
    assert [each["status"] for each in answer.body["results"]] == [201] * 5, answer.text
    await records.erase("anna")
    await records.work()
    await records.prove()
    assert [each["reason"] for each in await all_of(records.shop)] == ["erased"] * 5


@pytest.mark.parametrize("erased", ["bert", "ben"])
async def test_of_two_rewards_for_one_person_the_later_is_taken_back_also_when_one_of_them_is_erased(
    records: Records, erased: str
) -> None:
    await records.offer(waiting_days=0)
    first = (await records.buy("ben", 50, referral_code=await records.code("anna"))).body["referral"]["id"]
    await records.on("2031-01-11")
    code = await records.code("bert")
    second = (await records.buy("ben-2", 50, referral_code=code)).body["referral"]["id"]
    await records.work()
    if erased == "bert":
        await records.erase(erased)
    await records.merge("ben-2", "ben")
    if erased == "ben":
        await records.erase(erased)
    await records.work()
    await records.prove()
    assert (await records.stands(first), await records.stands(second)) == ("rewarded", "reversed")
    assert await records.points("anna") == 500
    if erased == "bert":
        assert await records.points("ben") == 300


async def test_one_person_on_both_sides_who_is_erased_leaves_books_that_hold(records: Records) -> None:
    await records.offer(waiting_days=0)
    await records.buy("ben", 50, referral_code=await records.code("anna"))
    await records.work()
    await records.merge("ben", "anna")
    await records.erase("anna")
    await records.work()
    await records.prove()
