"""Activities at once: what is rewarded once is, and limits hold, whoever comes first."""

import asyncio
from typing import Any

import pytest

from tests.activities import activity, declare, report, reward
from tests.rulebook import change_rule, set_rule
from tests.shop import Answer, Shop

MANY = 50


def points(answers: list[Answer], rule: str) -> list[int]:
    """Give what a rule gave in each answer, the least first."""
    assert {answer.status for answer in answers} == {201}, [answer.text for answer in answers if answer.status != 201]
    lines = [{line["rule"]: line["points"] for line in answer.body["points"]["lines"]} for answer in answers]
    return sorted(each.get(rule, 0) for each in lines)


@pytest.mark.parametrize("known", [True, False], ids=["a known customer", "a new one"])
async def test_of_fifty_at_once_one_is_rewarded(shop: Shop, *, known: bool) -> None:
    await declare(shop, once=True)
    await reward(shop)
    if known:
        await shop.buy(total=0)
    answers = await asyncio.gather(*(report(shop) for _ in range(MANY)))
    assert points(list(answers), "answers") == [0] * (MANY - 1) + [50]
    assert (await shop.balance("c-42"))["available"] == 50


async def test_one_that_is_reported_fifty_times_at_once_is_booked_once(shop: Shop) -> None:
    await declare(shop)
    await reward(shop)
    body = activity()
    answers = await asyncio.gather(*(shop.post("/v1/activities", body) for _ in range(MANY)))
    assert sorted(answer.status for answer in answers) == [200] * (MANY - 1) + [201]
    assert len({answer.text for answer in answers}) == 1
    assert (await shop.balance("c-42"))["available"] == 50


async def test_purchases_and_activities_at_once_stay_within_one_limit(shop: Shop) -> None:
    """A rule that rewarded purchases and rewards reviews since, with facts of both times at once."""
    await declare(shop, "review")
    await set_rule(shop, "thanks", effect={"kind": "bonus", "points": 30}, limits=[{"every": "year", "points": 1000}])
    await change_rule(shop, "thanks", activity="review", valid_from="2026-06-01T00:00:00Z")
    bought = [shop.buy(total=0, occurred_at="2026-05-01T10:00:00Z") for _ in range(MANY)]
    done = [report(shop, type="review", occurred_at="2026-07-01T10:00:00Z") for _ in range(MANY)]
    answers = await asyncio.gather(*(call for both in zip(bought, done, strict=True) for call in both))
    assert points(list(answers), "thanks") == [0] * (2 * MANY - 34) + [10] + [30] * 33
    assert (await shop.balance("c-42"))["available"] == 1000


async def test_a_budget_for_all_is_spent_to_the_last_point_by_customers_at_once(shop: Shop) -> None:
    await declare(shop)
    limits: list[dict[str, Any]] = [{"every": "life", "scope": "all", "points": 170}]
    await reward(shop, limits=limits)
    answers = await asyncio.gather(*(report(shop, customer_id=f"c-{each}") for each in range(MANY)))
    assert points(list(answers), "answers") == [0] * (MANY - 4) + [20, 50, 50, 50]
