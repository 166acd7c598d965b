"""What referrals cost over months, as the report tells it, in points and vouchers; whose purchases are whose."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from service.platform.roles import Role
from tests.conftest import Servers
from tests.shop import unique
from tests.stories.test_referrals import BEGINS, Story
from tests.stories.wall_clock import shop_with_clock

MUG: dict[str, Any] = {
    "name": "A mug",
    "gives": {"kind": "gift", "description": "a mug"},
    "points": 100,
    "value": {"amount": 650, "currency": "EUR"},
}


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    value = {"points": 3, "amount": 2}
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin", point_value=value) as (shop, clock):
        yield Story(shop, clock)


async def report(story: Story, query: str = "") -> dict[str, Any]:
    answer = await story.shop.get(f"/v1/referral-report{query}", Role.MARKETER)
    assert answer.status == 200, answer.text
    return answer.body


async def merge(story: Story, source: str, into: str) -> None:
    path = f"/v1/customers/{source}/merge"
    answer = await story.shop.post(path, {"into": into}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert answer.status == 200, answer.text


async def spend(story: Story, customer: str, points: int) -> None:
    body = {"customer_id": customer, "points": points}
    held = await story.shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
    path = f"/v1/redemptions/{held.body['id']}/capture"
    assert (await story.shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200


async def test_points_cost_what_was_given_less_what_was_taken_back_also_as_debt_and_after_a_merge(
    story: Story,
) -> None:
    await story.offer(waiting_days=0, limits=[{"every": "life", "times": 2}])
    await story.enrol("anna")
    code = await story.code("anna")
    bought = [await story.buy(name, 50, referral_code=code) for name in ("ben", "cleo", "dora")]
    await story.work()
    body = (await report(story))["total"]
    assert (body["signed_up"], body["qualified"], body["rewarded"]) == (3, 3, 2)
    assert body["refused"] == [{"reason": "limit", "referrals": 1}]
    limit = {"every": "life", "scope": "customer", "points": None, "times": 2}
    assert body["limits"] == [{"limit": limit, "referrals": 1}]
    assert (body["cost"]["points"], body["cost"]["worth"]) == (1_400, 933)
    await spend(story, "anna", 900)
    await story.enrol("anna-2")
    await story.on("2031-02-01")
    await story.give_back(bought[0].body["id"], 50)
    await story.work()
    await merge(story, "anna", "anna-2")
    total = (await report(story))["total"]
    assert total["reversed"] == [{"reason": "returned", "referrals": 1}]
    assert total["rewarded"] == 2
    assert total["standing"] == dict.fromkeys(total["standing"], 0) | {"rewarded": 1, "reversed": 1, "refused": 1}
    cost = total["cost"]
    assert cost["referrers"] == {"given": 1_000, "reversed": 500}
    assert cost["referees"] == {"given": 400, "reversed": 200}
    assert (cost["points"], cost["worth"]) == (700, 466)
    # Both windows of days: the claims were made on 10 January in Berlin.
    assert (await report(story, "?from=2031-01-11&to=2031-03-01"))["total"]["signed_up"] == 0
    assert (await report(story, "?from=2031-01-10&to=2031-01-11"))["total"]["cost"] == cost


async def test_what_an_erased_side_kept_was_never_taken_back(story: Story) -> None:
    await story.offer(waiting_days=0)
    await story.enrol("anna")
    bought = await story.buy("ben", 50, referral_code=await story.code("anna"))
    await story.work()
    assert (await story.shop.call("DELETE", "/v1/customers/anna", role=Role.ADMIN)).status == 200
    await story.give_back(bought.body["id"], 50)
    await story.work()
    cost = (await report(story))["total"]["cost"]
    assert (cost["referrers"], cost["referees"]) == ({"given": 500, "reversed": 0}, {"given": 200, "reversed": 200})


async def test_vouchers_are_counted_and_cost_what_the_reward_is_worth(story: Story) -> None:
    mug = (await story.shop.post("/v1/rewards", MUG, Role.ADMIN)).body["id"]
    tour = MUG | {"name": "A tour", "gives": {"kind": "experience", "description": "a tour"}, "value": None}
    its_tour = (await story.shop.post("/v1/rewards", tour, Role.ADMIN)).body["id"]
    prizes = {
        "referrer": {"kind": "reward", "reward_id": mug},
        "referee": {"kind": "reward", "reward_id": its_tour},
    }
    await story.offer(waiting_days=0, **prizes)
    await story.enrol("anna")
    code = await story.code("anna")
    bought = [await story.buy(name, 50, referral_code=code) for name in ("ben", "cleo", "dora")]
    await story.work()
    await story.shop.call("PATCH", f"/v1/rewards/{mug}", {"value": {"amount": 1, "currency": "EUR"}}, role=Role.ADMIN)
    await story.on("2031-01-20")
    await story.give_back(bought[0].body["id"], 50)
    await story.work()
    cost = (await report(story))["by_offer"][0]["cost"]
    assert (cost["points"], cost["worth"]) == (0, 0)
    assert cost["vouchers"] == {
        "issued": 6,
        "cancelled": 2,
        "worth": [{"currency": "EUR", "amount": 1_300}],
        "unvalued": 2,
    }


async def test_a_guests_purchases_from_before_the_days_count_with_the_customer_who_was_enrolled_on_them(
    story: Story,
) -> None:
    await story.buy("guest", 10)
    await story.on("2031-03-01")
    await story.buy("ben", 20)
    await merge(story, "guest", "ben")
    body = await report(story, "?from=2031-03-01&to=2031-03-02")
    assert (body["others"]["customers"], body["others"]["purchases"]) == (1, 2)
    assert body["others"]["spend"] == [{"currency": "EUR", "amount": 3_000, "per_customer": 3_000}]
    # The first purchase was on 10 January, the second 50 days later; 60 days are over on 11 March.
    assert body["retention"][0]["others"] == {"customers": 0, "again": 0, "rate": None}
    await story.on("2031-03-11T08:59:00Z")
    assert (await report(story))["retention"][0]["others"]["customers"] == 0
    await story.on("2031-03-11T09:01:00Z")
    told = (await report(story, "?from=2031-03-01&to=2031-03-02"))["retention"]
    assert told[0]["others"] == {"customers": 1, "again": 1, "rate": 10_000}
    assert told[1]["others"] == {"customers": 0, "again": 0, "rate": None}
    await story.on("2031-04-11")
    told = (await report(story, "?from=2031-03-01&to=2031-03-02"))["retention"]
    assert told[1]["others"] == {"customers": 1, "again": 0, "rate": 0}
