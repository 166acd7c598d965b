"""Referrals over months, through HTTP, with a clock that the test sets: what stands where, and who has what."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from service.platform.roles import Role
from tests import referrals
from tests.conftest import Servers
from tests.jobs import judge_referrals
from tests.shop import Answer, Shop, unique
from tests.stories.wall_clock import WallClock, shop_with_clock

BEGINS = "2031-01-10T09:00:00Z"


class Story:
    """A shop in Berlin whose days pass as the test says. A point an euro."""

    def __init__(self, shop: Shop, clock: WallClock) -> None:
        self.shop = shop
        self._clock = clock
        self.now = BEGINS

    async def on(self, moment: str) -> None:
        """Go to a moment, and let the job do its work."""
        self.now = f"{moment}T09:00:00Z" if len(moment) == 10 else moment
        await self._clock.set(self.now)
        await self.work()

    async def work(self) -> None:
        """Let the job do its work."""
        assert self.shop.database is not None
        await judge_referrals(self.shop.database)

    async def offer(self, **changes: Any) -> None:
        """Make an offer."""
        await referrals.offer(self.shop, **changes)

    async def enrol(self, *names: str, **profile: Any) -> None:
        """Enrol customers."""
        for each in names:
            assert (await self.shop.call("PUT", f"/v1/customers/{each}", profile)).status == 201

    async def code(self, customer: str) -> str:
        """Give the own code of a customer, who is enrolled where he isn't yet."""
        return await referrals.code_of(self.shop, customer)

    async def claim(self, code: str, referee: str, **more: Any) -> Answer:
        """Claim somebody with a code."""
        return await referrals.claim(self.shop, code, referee, **more)

    async def claimed(self, code: str, referee: str, **more: Any) -> str:
        """Claim somebody; gives the referral's id."""
        answer = await self.claim(code, referee, **more)
        assert answer.status == 201, answer.text
        return answer.body["id"]

    async def buy(self, customer: str, euros: int, **more: Any) -> Answer:
        """Buy for so much."""
        bought = await self.shop.buy(
            **({"customer_id": customer, "total": euros * 100, "occurred_at": self.now} | more)
        )
        assert bought.status == 201, bought.text
        return bought

    async def give_back(self, purchase_id: str, euros: int) -> Answer:
        """Give back so much of a purchase."""
        body = {"id": unique("refund"), "amount": euros * 100}
        answer = await self.shop.post(f"/v1/purchases/{purchase_id}/refunds", body)
        assert answer.status == 201, answer.text
        return answer

    async def stands(self, referral_id: str) -> str:
        """Tell where a referral stands."""
        return (await self.read(referral_id))["status"]

    async def read(self, referral_id: str) -> dict[str, Any]:
        """Read a referral with all reasons."""
        return await referrals.read(self.shop, referral_id)

    async def points(self, customer: str) -> int:
        """Tell what a customer has: points, below zero debt."""
        balance = await self.shop.balance(customer)
        return balance["available"] - balance["debt"]


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin") as (shop, clock):
        yield Story(shop, clock)


async def test_both_are_rewarded_once_when_the_wait_is_over(story: Story) -> None:
    await story.offer()
    await story.enrol("anna")
    code = await story.code("anna")
    its_id = await story.claimed(code, "ben")  # ahead of the enrolment
    assert await story.stands(its_id) == "signed_up"
    await story.on("2031-01-12")
    await story.buy("ben", 10)
    await story.work()
    assert await story.stands(its_id) == "signed_up"
    await story.on("2031-01-20")
    await story.buy("ben", 50)
    await story.work()
    assert (await story.stands(its_id), await story.points("anna"), await story.points("ben")) == ("waiting", 0, 60)
    await story.on("2031-02-02")
    assert (await story.stands(its_id), await story.points("anna")) == ("waiting", 0)
    await story.on("2031-02-03T09:01:00Z")
    assert (await story.stands(its_id), await story.points("anna"), await story.points("ben")) == ("rewarded", 500, 260)
    await story.on("2032-02-03")
    await story.buy("ben", 100)
    await story.work()
    assert (await story.points("anna"), await story.points("ben")) == (500, 360)


async def test_who_is_claimed_ahead_is_named_as_long_as_the_claim_is_open(story: Story) -> None:
    await story.offer()
    its_id = await story.claimed(await story.code("anna"), "ben")
    listed = await referrals.all_of(story.shop)
    assert [(await story.read(its_id))["referee_id"], *(each["referee_id"] for each in listed)] == ["ben", "ben"]
    await story.on("2031-03-01")
    referral = await story.read(its_id)
    assert (referral["status"], referral["referee_id"]) == ("expired", None)


async def test_a_purchase_is_booked_whatever_another_release_wrote_of_its_referral(story: Story) -> None:
    await story.offer()
    its_id = (await story.buy("ben", 5, referral_code=await story.code("anna"))).body["referral"]["id"]
    assert story.shop.database is not None
    async with story.shop.database.connection() as db:
        sql = "UPDATE referral SET terms = terms || '{\"new_field\": 1}' WHERE id = $1"
        assert await db.execute(sql, UUID(its_id.removeprefix("ref_"))) == "UPDATE 1"
    assert (await story.buy("ben", 50)).status == 201
    await story.work()
    async with story.shop.database.connection() as db:
        sql = "UPDATE referral SET terms = terms - 'new_field', look_at = claimed_at WHERE id = $1"
        assert await db.execute(sql, UUID(its_id.removeprefix("ref_"))) == "UPDATE 1"
    await story.work()
    assert await story.stands(its_id) == "waiting", "who can read it judges by the facts"


async def test_a_code_on_the_first_purchase_claims_and_qualifies(story: Story) -> None:
    await story.offer(waiting_days=0)
    await story.enrol("anna")
    code = await story.code("anna")
    bought = await story.buy("ben", 20, referral_code=code.lower().replace("-", ""))
    told = bought.body["referral"]
    assert told["status"] == "qualified"
    assert await story.stands(told["id"]) == "qualified"
    await story.work()
    assert (await story.stands(told["id"]), await story.points("anna"), await story.points("ben")) == (
        "rewarded",
        500,
        220,
    )
    other = await story.buy("ben", 20, referral_code=code)
    assert other.body["referral"] == {"status": "refused"}


async def test_a_return_in_the_wait_refuses_the_reward(story: Story) -> None:
    await story.offer()
    await story.enrol("anna")
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    its_id = bought.body["referral"]["id"]
    await story.work()
    assert await story.stands(its_id) == "waiting"
    await story.on("2031-01-15")
    await story.give_back(bought.body["id"], 31)
    await story.work()
    referral = await story.read(its_id)
    assert (referral["status"], referral["reason"]) == ("refused", "returned")
    await story.on("2031-03-01")
    assert (await story.points("anna"), await story.points("ben")) == (0, 19)


async def test_a_return_after_the_reward_takes_it_back_from_both_into_debt_where_it_is_spent(story: Story) -> None:
    await story.offer()
    await story.enrol("anna")
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    its_id = bought.body["referral"]["id"]
    await story.work()
    await story.on("2031-01-25")
    assert (await story.points("anna"), await story.points("ben")) == (500, 250)
    held = await story.shop.post(
        "/v1/redemptions", {"customer_id": "anna", "points": 400}, Idempotency_Key=unique("key")
    )
    assert held.status == 201, held.text
    captured = await story.shop.post(f"/v1/redemptions/{held.body['id']}/capture", {}, Idempotency_Key=unique("key"))
    assert captured.status == 200, captured.text
    await story.on("2031-04-01")
    await story.give_back(bought.body["id"], 50)
    await story.work()
    referral = await story.read(its_id)
    assert (referral["status"], referral["reason"]) == ("reversed", "returned")
    assert (await story.points("anna"), await story.points("ben")) == (-400, 0)


async def test_who_was_brought_does_not_bring_the_other(story: Story) -> None:
    """A brings B, B brings A, while neither has bought anything: the second claim is refused, for ever."""
    await story.offer(waiting_days=0)
    anna, ben = await story.code("anna"), await story.code("ben")
    its_id = await story.claimed(anna, "ben")
    assert (await story.claim(ben, "anna")).status == 422
    bought = await story.buy("anna", 50, referral_code=ben)
    assert bought.body["referral"] == {"status": "refused"}
    await story.buy("ben", 50)
    await story.work()
    assert (await story.stands(its_id), await story.points("anna"), await story.points("ben")) == ("rewarded", 550, 250)


async def test_a_ring_of_three_is_refused_when_it_closes(story: Story) -> None:
    await story.offer(waiting_days=0)
    codes = {each: await story.code(each) for each in ("anna", "ben", "carl")}
    first = await story.claimed(codes["anna"], "ben")
    second = await story.claimed(codes["ben"], "carl")
    closing = await story.claimed(codes["carl"], "anna")
    for each in codes:
        await story.buy(each, 50)
    await story.work()
    found = {each: await story.read(each) for each in (first, second, closing)}
    assert [each["status"] for each in found.values()].count("rewarded") <= 2
    assert "ring" in {sign for each in found.values() if each["status"] == "refused" for sign in each["signs"]}


async def test_an_erased_customer_who_comes_back_is_not_new(story: Story) -> None:
    await story.offer(waiting_days=0)
    await story.enrol("anna")
    await story.enrol("ben", email="ben@example.com")
    await story.buy("ben", 50)
    await story.on("2031-03-01")
    assert (await story.shop.call("DELETE", "/v1/customers/ben", role=Role.ADMIN)).status in {200, 204}
    await story.on("2031-03-02")
    await story.enrol("benjamin", email="Ben+new@example.com")
    its_id = (await story.buy("benjamin", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    referral = await story.read(its_id)
    assert (referral["status"], referral["reason"], referral["signs"]) == ("refused", "cheating", ["not_new"])
    assert (await story.points("anna"), await story.points("benjamin")) == (0, 50)


async def test_an_erased_referee_ends_what_was_not_decided_and_leaves_what_was(story: Story) -> None:
    await story.offer()
    code = await story.code("anna")
    one = (await story.buy("ben", 50, referral_code=code)).body["referral"]["id"]
    await story.work()
    await story.on("2031-02-01")
    other = (await story.buy("carl", 50, referral_code=code)).body["referral"]["id"]
    await story.work()
    assert [await story.stands(each) for each in (one, other)] == ["rewarded", "waiting"]
    for each in ("ben", "carl"):
        assert (await story.shop.call("DELETE", f"/v1/customers/{each}", role=Role.ADMIN)).status in {200, 204}
    await story.on("2031-06-01")
    gone = await story.read(other)
    assert (gone["status"], gone["reason"], gone["referee_id"]) == ("refused", "erased", None)
    assert (await story.stands(one), await story.points("anna")) == ("rewarded", 500)


async def test_who_does_not_buy_in_time_gets_nothing(story: Story) -> None:
    await story.offer(window_days=30)
    its_id = await story.claimed(await story.code("anna"), "ben")
    await story.on("2031-02-10")
    assert await story.stands(its_id) == "expired"
    await story.buy("ben", 50)
    await story.on("2031-04-01")
    assert (await story.stands(its_id), await story.points("anna"), await story.points("ben")) == ("expired", 0, 50)


async def test_two_records_that_turn_out_to_be_one_person_give_back_what_they_got(story: Story) -> None:
    await story.offer(waiting_days=0)
    its_id = (await story.buy("ben", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    assert (await story.stands(its_id), await story.points("anna"), await story.points("ben")) == ("rewarded", 500, 250)
    await story.on("2031-05-01")
    merged = await story.shop.post(
        "/v1/customers/ben/merge", {"into": "anna"}, Role.ADMIN, Idempotency_Key=unique("key")
    )
    assert merged.status == 200, merged.text
    await story.work()
    referral = await story.read(its_id)
    assert (referral["status"], referral["reason"]) == ("reversed", "cheating")
    assert await story.points("anna") == 50


async def test_steps_give_more_and_each_is_given_once(story: Story) -> None:
    await story.offer(waiting_days=0, steps=[{"number": 1, "points": 100}, {"number": 3, "points": 1000}])
    code, bought = await story.code("anna"), list[Answer]()
    for number in range(4):
        bought.append(await story.buy(f"friend-{number}", 50, referral_code=code))
        await story.work()
    assert await story.points("anna") == 4 * 500 + 100 + 1000
    await story.give_back(bought[1].body["id"], 50)
    await story.work()
    assert await story.points("anna") == 3 * 500 + 100 + 1000
    await story.buy("friend-5", 50, referral_code=code)  # the fourth that stands: no step
    await story.work()
    assert await story.points("anna") == 4 * 500 + 100 + 1000


async def test_what_speaks_much_against_a_referral_refuses_it_and_a_little_is_reviewed_by_hand(story: Story) -> None:
    await story.offer(waiting_days=0, cheating={"burst_claims": 2, "scores": {"burst": 60}})
    await story.enrol("anna", email="anna.b@example.com")
    await story.enrol("ben", email="annab+shop@example.com")
    code = await story.code("anna")
    refused = (await story.buy("ben", 50, referral_code=code)).body["referral"]["id"]
    claimed = [await story.claimed(code, each, marks={"address": "192.0.2.7"}) for each in ("carl", "dora", "emil")]
    for each in ("carl", "dora", "emil"):
        await story.buy(each, 50)
    await story.work()
    referral = await story.read(refused)
    assert (referral["status"], referral["signs"], referral["score"]) == ("refused", ["same_email"], 100)
    found = [await story.read(each) for each in claimed]
    assert {(each["status"], tuple(each["signs"]), each["score"]) for each in found} == {("in_review", ("burst",), 60)}
    paths = [f"/v1/referrals/{claimed[0]}/approve", f"/v1/referrals/{claimed[1]}/refuse"]
    for path in paths:
        answer = await story.shop.post(path, {}, Role.MARKETER, Idempotency_Key=unique("key"))
        assert answer.status == 200, answer.text
    await story.work()
    assert [await story.stands(each) for each in claimed] == ["rewarded", "refused", "in_review"]
    assert (await story.points("anna"), await story.points("carl"), await story.points("dora")) == (500, 250, 50)


async def test_a_lower_priority_and_a_higher_tier_decide_what_is_offered(story: Story) -> None:
    await story.offer(id="all", waiting_days=0, referrer={"kind": "points", "points": 10})
    await story.offer(id="spring", campaign="spring", waiting_days=0, referrer={"kind": "points", "points": 70})
    its_id = (await story.buy("ben", 50, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    assert ((await story.read(its_id))["offer"], await story.points("anna")) == ("all", 10)


async def test_spend_and_activities_qualify(story: Story) -> None:
    await story.offer(id="spend", waiting_days=0, qualification={"kind": "spend", "amounts": {"EUR": 10_000}})
    its_id = (await story.buy("ben", 60, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    assert await story.stands(its_id) == "signed_up"
    part = await story.buy("ben", 50)
    await story.give_back(part.body["id"], 20)
    await story.work()
    # It was enough when it was bought; what came back before anybody looked leaves too little.
    assert (await story.read(its_id))["reason"] == "returned"
    type_ = {"id": "review", "name": "A review", "state": "active"}
    assert (await story.shop.post("/v1/activity-types", type_, Role.MARKETER)).status == 201
    await story.offer(
        id="talk", waiting_days=0, priority=5, qualification={"kind": "activity", "type": "review"}, window_days=5
    )
    claimed = await story.claimed(await story.code("anna"), "dora")
    await story.on("2031-01-11")
    await story.enrol("dora")
    await story.work()
    body = {"id": unique("act"), "customer_id": "dora", "type": "review", "occurred_at": story.now}
    assert (await story.shop.post("/v1/activities", body)).status == 201
    await story.work()
    assert (await story.stands(claimed), await story.points("dora")) == ("rewarded", 200)


async def test_vouchers_are_given_and_cancelled(story: Story) -> None:
    body = {
        "name": "Ten euros off",
        "gives": {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
        "points": 100,
        "status": "active",
        "stock": 1,
    }
    made = await story.shop.post("/v1/rewards", body, Role.MARKETER)
    assert made.status == 201, made.text
    await story.offer(waiting_days=0, referrer={"kind": "reward", "reward_id": made.body["id"]})
    code = await story.code("anna")
    bought = await story.buy("ben", 50, referral_code=code)
    await story.work()
    first = await story.read(bought.body["referral"]["id"])
    assert (first["status"], first["referrer"]["points"], await story.points("ben")) == ("rewarded", 0, 250)
    assert first["referrer"]["voucher_id"] is not None
    other = (await story.buy("carl", 50, referral_code=code)).body["referral"]["id"]
    await story.work()
    aside = await story.read(other)
    assert (aside["status"], aside["signs"], await story.points("carl")) == ("in_review", ["prize_unavailable"], 50)
    more = await story.shop.call("PATCH", f"/v1/rewards/{made.body['id']}", {"stock": 2}, role=Role.MARKETER)
    assert more.status == 200, more.text
    approved = await story.shop.post(f"/v1/referrals/{other}/approve", {}, Role.MARKETER, Idempotency_Key=unique("key"))
    assert approved.status == 200, approved.text
    await story.work()
    assert (await story.stands(other), await story.points("carl")) == ("rewarded", 250)
    await story.give_back(bought.body["id"], 50)
    await story.work()
    assert (await story.read(bought.body["referral"]["id"]))["status"] == "reversed"
    exported = await story.shop.get("/v1/customers/anna/export", Role.ADMIN)
    whys = [each["why"] for each in exported.body["records"]["vouchers"]]
    assert whys == ["cancelled", None], exported.text
