"""What referrals give, and take back: whatever was done with it meanwhile."""

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from service.platform.roles import Role
from tests.conftest import Servers, prove
from tests.shop import Answer, unique
from tests.stories.test_referrals import BEGINS, Story
from tests.stories.wall_clock import shop_with_clock


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin", debt_limit=100) as (shop, clock):
        yield Story(shop, clock)


async def spend(story: Story, customer: str, points: int) -> None:
    held = await story.shop.post(
        "/v1/redemptions", {"customer_id": customer, "points": points}, Idempotency_Key=unique("key")
    )
    assert held.status == 201, held.text
    path = f"/v1/redemptions/{held.body['id']}/capture"
    assert (await story.shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200


async def merge(story: Story, source: str, into: str) -> None:
    path = f"/v1/customers/{source}/merge"
    assert (await story.shop.post(path, {"into": into}, Role.ADMIN, Idempotency_Key=unique("key"))).status == 200


async def reward(story: Story, stock: int) -> str:
    body = {
        "name": "Ten euros off",
        "gives": {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
        "points": 100,
        "status": "active",
        "stock": stock,
    }
    made = await story.shop.post("/v1/rewards", body, Role.MARKETER)
    assert made.status == 201, made.text
    return made.body["id"]


async def the_books_hold(story: Story) -> None:
    assert story.shop.database is not None
    await prove(story.shop.database)


async def test_spent_and_merged_points_become_debt_up_to_the_limit(story: Story) -> None:
    await story.offer(waiting_days=0)
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    await story.work()
    await spend(story, "anna", 500)
    await story.enrol("anna-2")
    await merge(story, "anna", "anna-2")
    await story.give_back(bought.body["id"], 50)
    await story.work()
    assert await story.points("anna-2") == -100
    await the_books_hold(story)


async def test_no_code_refuses_a_purchase(story: Story) -> None:
    for code in ("", " ", "x" * 5000, "💥" * 70, "7KQM-2XRA-9TD", "\n", "ß" * 64, "-" * 10):
        told = (await story.buy(unique("friend"), 50, referral_code=code)).body["referral"]
        assert told == {"status": "refused"}


async def test_both_sides_get_one_of_a_reward_of_which_one_is_left(story: Story) -> None:
    reward_id = await reward(story, stock=1)
    prize = {"kind": "reward", "reward_id": reward_id}
    await story.offer(waiting_days=0, referrer=prize, referee=prize)
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    await story.work()
    its_id = bought.body["referral"]["id"]
    assert await story.stands(its_id) == "in_review"
    await the_books_hold(story)

    async def approve() -> None:
        path = f"/v1/referrals/{its_id}/approve"
        answer = await story.shop.post(path, {}, Role.MARKETER, Idempotency_Key=unique("key"))
        assert answer.status == 200, answer.text

    await approve()
    await story.work()
    assert await story.stands(its_id) == "in_review"
    for change in ({"status": "archived"}, {"stock": 2}, {"status": "active"}):
        changed = await story.shop.call("PATCH", f"/v1/rewards/{reward_id}", change, role=Role.MARKETER)
        assert changed.status == 200, changed.text
        await approve()
        await story.work()
    assert await story.stands(its_id) == "rewarded"
    await story.give_back(bought.body["id"], 40)
    await story.work()
    assert await story.stands(its_id) == "reversed"


async def test_months_end_where_the_program_is(story: Story) -> None:
    await story.offer(waiting_days=0, limits=[{"every": "month", "times": 1}])
    code = await story.code("anna")
    await story.on("2031-01-31T22:30:00Z")
    one = (await story.buy("ben", 50, referral_code=code)).body["referral"]["id"]
    await story.work()
    two = (await story.buy("carl", 50, referral_code=code)).body["referral"]["id"]
    await story.work()
    await story.on("2031-01-31T23:30:00Z")
    three = (await story.buy("dora", 50, referral_code=code)).body["referral"]["id"]
    await story.work()
    assert [await story.stands(each) for each in (one, two, three)] == ["rewarded", "refused", "rewarded"]
    assert (await story.read(two))["limit"]["every"] == "month"


async def test_limits_after_merges_count_for_both_records(story: Story) -> None:
    await story.offer(waiting_days=0, limits=[{"every": "life", "times": 2}])
    codes = [await story.code(each) for each in ("anna", "anna-2")]
    for number, code in enumerate(codes):
        await story.buy(f"f-{number}", 50, referral_code=code)
    await story.work()
    await merge(story, "anna", "anna-2")
    its_id = (await story.buy("f-3", 50, referral_code=codes[0])).body["referral"]["id"]
    await story.work()
    assert ((await story.read(its_id))["reason"], await story.points("anna")) == ("limit", 1000)


async def test_a_late_purchase_from_long_before_shows_that_the_referee_is_not_new(story: Story) -> None:
    await story.offer()
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    await story.work()
    await story.on("2031-01-15")
    await story.buy("ben", 50, occurred_at="2030-12-01T09:00:00Z")
    await story.on("2031-03-01")
    assert (await story.read(bought.body["referral"]["id"]))["signs"] == ["not_new"]


async def test_steps_after_a_reversal_in_between(story: Story) -> None:
    await story.offer(waiting_days=0, steps=[{"number": 3, "points": 1000}])
    code, bought = await story.code("anna"), list[Answer]()
    for number in range(5):
        bought.append(await story.buy(f"friend-{number}", 50, referral_code=code))
        await story.work()
    assert await story.points("anna") == 5 * 500 + 1000
    await story.give_back(bought[2].body["id"], 50)
    await story.work()
    assert await story.points("anna") == 4 * 500
    await story.buy("friend-6", 50, referral_code=code)
    await story.work()
    assert await story.points("anna") == 5 * 500 + 1000
    await story.buy("friend-7", 50, referral_code=code)
    await story.work()
    assert await story.points("anna") == 6 * 500 + 1000


async def test_who_qualified_before_the_job_looked_is_reviewed_where_the_prize_is_gone(story: Story) -> None:
    await story.offer(waiting_days=0, referrer={"kind": "reward", "reward_id": await reward(story, stock=0)})
    its_id = await story.claimed(await story.code("anna"), "ben")
    await story.buy("ben", 50)  # he is enrolled, and not known to have come by the claim
    async with asyncio.timeout(20):
        await story.work()
    told = await story.read(its_id)
    assert (told["status"], told["signs"]) == ("in_review", ["prize_unavailable"])
    await the_books_hold(story)


async def test_held_points_that_come_back_repay_what_a_reversal_owes(story: Story) -> None:
    await story.offer(waiting_days=0)
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    await story.work()
    body = {"customer_id": "anna", "points": 450}
    held = await story.shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
    assert held.status == 201, held.text
    await story.give_back(bought.body["id"], 50)
    await story.work()
    await the_books_hold(story)
    path = f"/v1/redemptions/{held.body['id']}/release"
    assert (await story.shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200
    assert await story.points("anna") == 0


async def test_a_purchase_of_nothing_can_qualify_and_cannot_be_returned(story: Story) -> None:
    await story.offer(waiting_days=0, qualification={"kind": "purchase"})
    its_id = (await story.buy("ben", 0, referral_code=await story.code("anna"))).body["referral"]["id"]
    await story.work()
    assert (await story.stands(its_id), await story.points("anna")) == ("rewarded", 500)


async def test_a_budget_that_a_new_version_lowers_is_not_spent_any_more(story: Story) -> None:
    limits = [{"every": "life", "scope": "all", "times": 3, "points": 5000}]
    await story.offer(waiting_days=0, limits=limits)
    code, claimed = await story.code("anna"), list[str]()
    for number in range(3):
        claimed.append(await story.claimed(code, f"old-{number}"))
    for number in range(2):
        await story.buy(f"old-{number}", 50)
    await story.work()
    assert [await story.stands(each) for each in claimed] == ["rewarded", "rewarded", "signed_up"]
    lower = {"limits": [{"every": "life", "scope": "all", "times": 2}]}
    changed = await story.shop.call("PATCH", "/v1/referral-offers/friends", lower, role=Role.MARKETER)
    assert changed.status == 200, changed.text
    await asyncio.sleep(1.2)  # what a process knows of a program is at most half a second old
    claimed.append(await story.claimed(code, "new"))
    await story.buy("new", 50)
    await story.work()
    await story.buy("old-2", 50)
    await story.work()
    assert [await story.stands(each) for each in claimed] == ["rewarded", "rewarded", "rewarded", "refused"]
    await the_books_hold(story)


async def test_claimed_ahead_and_gone_leaves_no_mark(story: Story) -> None:
    await story.offer()
    await story.claimed(await story.code("anna"), "ben", marks={"address": "192.0.2.7", "device": "d-1"})
    await story.enrol("ben")
    assert (await story.shop.call("DELETE", "/v1/customers/ben", role=Role.ADMIN)).status in {200, 204}
    assert story.shop.database is not None
    async with story.shop.database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM referral_mark") == 0
