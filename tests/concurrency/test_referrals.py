"""Referrals when many come at once: who is first wins, and limits hold exactly."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from service.kernel.ids import from_wire
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.referrals import usecases
from tests import referrals
from tests.conftest import NewShop, running
from tests.shop import Answer, Shop, unique

BRINGERS = ("anna", "bert", "carl")
FRIENDS = 50


async def _bring(shop: Shop, code: str, friends: int = FRIENDS) -> None:
    """Let new customers buy at once, all with one code."""
    answers = await asyncio.gather(
        *(shop.buy(customer_id=f"friend-{each}", total=5000, referral_code=code) for each in range(friends))
    )
    assert Counter(answer.body["referral"]["status"] for answer in answers) == {"qualified": friends}


async def test_fifty_who_qualify_at_once_are_rewarded_up_to_the_limit_and_no_further(
    shop: Shop, database: Database
) -> None:
    """What the limit refused is recorded, and shown with the limit."""
    limits = [{"every": "month", "times": 10}, {"every": "life", "times": 40}]
    await referrals.offer(shop, waiting_days=0, limits=limits)
    await _bring(shop, await referrals.code_of(shop, "anna"))
    await referrals.judge(shop, database, workers=6)
    found = await referrals.all_of(shop)
    assert Counter((each["status"], each["reason"]) for each in found) == {
        ("rewarded", None): 10,
        ("refused", "limit"): 40,
    }
    assert {each["limit"]["every"] for each in found if each["limit"] is not None} == {"month"}
    assert sorted(each["number"] for each in found if each["number"] is not None) == list(range(1, 11))
    assert (await shop.balance("anna"))["available"] == 10 * 500


async def test_a_budget_for_all_is_spent_to_the_last_whole_referral(shop: Shop, database: Database) -> None:
    """Of two referrers, whose referrals share no lock but the budget's: 5,000 points are 7 times 700."""
    await referrals.offer(shop, waiting_days=0, limits=[{"every": "life", "scope": "all", "points": 5000}])
    codes = [await referrals.code_of(shop, each) for each in ("anna", "bert")]
    await asyncio.gather(
        *(shop.buy(customer_id=f"friend-{each}", total=5000, referral_code=codes[each % 2]) for each in range(24))
    )
    await referrals.judge(shop, database, workers=6)
    found = await referrals.all_of(shop)
    assert Counter(each["status"] for each in found) == {"rewarded": 7, "refused": 17}
    given = [(await shop.balance(each))["available"] for each in ("anna", "bert")]
    assert sum(given) == 7 * 500


async def test_of_two_claims_at_once_one_wins(shop: Shop, database: Database) -> None:
    await referrals.offer(shop, waiting_days=0)
    codes = [await referrals.code_of(shop, each) for each in ("anna", "bert", "carl", "dora")]
    for number in range(20):
        referee = unique("friend")
        if number % 2:
            assert (await shop.call("PUT", f"/v1/customers/{referee}", {})).status == 201
        answers = await asyncio.gather(*(referrals.claim(shop, code, referee) for code in codes))
        assert sorted(answer.status for answer in answers) == [201, 422, 422, 422]
    await referrals.judge(shop, database, workers=3)


@asynccontextmanager
async def _two_processes(new_shop: NewShop, settings: Settings) -> AsyncGenerator[tuple[Shop, Shop, list[str]]]:
    """Give a shop with an offer that pays at once, as two processes serve it that know the offer; and three codes."""
    async with running(settings) as address:
        shop = await new_shop()
        other = Shop(address, shop.client, shop.program, shop.keys, shop.database)
        await referrals.offer(shop, waiting_days=0)
        codes = [await referrals.code_of(shop, each) for each in BRINGERS]
        await referrals.knows_the_offer(other)
        yield shop, other, codes


async def _new_friend(shop: Shop, *, ahead: bool) -> str:
    """Name a new customer, enrolled unless whoever is first shall be ahead of that."""
    referee = unique("friend")
    if not ahead:
        assert (await shop.call("PUT", f"/v1/customers/{referee}", {})).status == 201
    return referee


def _claim_and_purchases(shop: Shop, other: Shop, codes: list[str], referee: str) -> list[Coroutine[Any, Any, Answer]]:
    """Bring a referee with each code: by a claim, by a purchase, by a purchase through another process.

    They buy now: what was bought long before a claim would show that the referee is not new.
    """
    bought = {"customer_id": referee, "total": 5000, "occurred_at": datetime.now(UTC).isoformat()}
    return [
        referrals.claim(shop, codes[0], referee),
        shop.buy(**bought, referral_code=codes[1]),
        other.buy(**bought, referral_code=codes[2]),
    ]


@pytest.mark.parametrize("ahead", [True, False])
async def test_a_claim_and_first_purchases_at_once_make_one_referral(
    new_shop: NewShop, settings: Settings, database: Database, *, ahead: bool
) -> None:
    """Through two services: whoever comes first, one referrer is rewarded, and all purchases are booked."""

    async def soon(call: Coroutine[Any, Any, Answer]) -> Answer:
        await asyncio.sleep(random.random() / 50)  # else the claim, which takes more steps, is hardly ever first
        return await call

    async with _two_processes(new_shop, settings) as (shop, other, codes):
        for _ in range(15):
            referee = await _new_friend(shop, ahead=ahead)
            calls = _claim_and_purchases(shop, other, codes, referee)
            random.shuffle(calls)
            answers = await asyncio.gather(*(soon(each) for each in calls))
            assert {answer.status for answer in answers} <= {201, 422}
            assert (await shop.balance(referee))["available"] == 100
        await referrals.judge(shop, database, workers=4)
        found = await referrals.all_of(shop)
        by_referee = Counter(each["referee_id"] for each in found if each["status"] == "rewarded")
        assert set(by_referee.values()) == {1}
        assert len(by_referee) == 15, [each for each in found if each["status"] not in {"rewarded", "refused"}]
        given = [(await shop.balance(each))["available"] for each in BRINGERS]
        assert sum(given) == 15 * 500


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("first", range(3), ids=["claim", "purchase", "purchase elsewhere"])
async def test_who_is_ahead_of_a_claim_and_purchases_at_once_is_rewarded(
    new_shop: NewShop, settings: Settings, database: Database, *, first: int, ahead: bool
) -> None:
    async with _two_processes(new_shop, settings) as (shop, other, codes):
        referee = await _new_friend(shop, ahead=ahead)
        calls = _claim_and_purchases(shop, other, codes, referee)
        assert (await calls.pop(first)).status == 201
        answers = await asyncio.gather(*calls)
        # A claim that comes behind a purchase is refused; a purchase is booked whatever becomes of its code.
        assert sorted(answer.status for answer in answers) == ([201, 201] if first == 0 else [201, 422])
        await referrals.judge(shop, database, workers=4)
        (found,) = await referrals.all_of(shop)
        assert (found["referee_id"], found["referrer_id"], found["status"]) == (referee, BRINGERS[first], "rewarded")
        given = [(await shop.balance(each))["available"] for each in BRINGERS]
        assert given == [500 if place == first else 0 for place in range(3)]
        assert (await shop.balance(referee))["available"] == 100 + 200


async def test_a_referral_that_was_put_off_is_rewarded_when_it_is_looked_at_again(
    shop: Shop, database: Database
) -> None:
    """Others may hold its customers for too long: these tests don't wait for the minutes after which it is its turn."""
    await referrals.offer(shop, waiting_days=0)
    code = await referrals.code_of(shop, "anna")
    bought = await shop.buy(customer_id="ben", total=5000, referral_code=code)
    its_id = from_wire("ref", bought.body["referral"]["id"])
    assert its_id is not None
    async with database.connection() as db:
        await usecases.look_later(db, program_id=shop.program.id, referral_id=its_id)
    await referrals.judge(shop, database)
    assert [each["status"] for each in await referrals.all_of(shop)] == ["rewarded"]


async def test_each_cannot_bring_the_other_also_when_both_come_at_once(shop: Shop, database: Database) -> None:
    await referrals.offer(shop, waiting_days=0)
    for number in range(12):
        one, other = unique("one"), unique("other")
        codes = [await referrals.code_of(shop, each) for each in (one, other)]
        if number % 2:
            answers = await asyncio.gather(referrals.claim(shop, codes[0], other), referrals.claim(shop, codes[1], one))
            assert sorted(answer.status for answer in answers) == [201, 422]
        else:
            answers = await asyncio.gather(
                shop.buy(customer_id=other, total=5000, referral_code=codes[0]),
                shop.buy(customer_id=one, total=5000, referral_code=codes[1]),
            )
            told = sorted(answer.body["referral"]["status"] for answer in answers)
            assert told == ["qualified", "refused"]
    await referrals.judge(shop, database, workers=3)


async def test_returns_reviews_and_the_job_at_once_leave_both_sides_even(shop: Shop, database: Database) -> None:
    """Whatever comes first: where a referral is rewarded, both have theirs; where it isn't, nobody has."""
    await referrals.offer(shop, waiting_days=0, cheating={"scores": {"returns": 0}})
    code = await referrals.code_of(shop, "anna")
    bought = [await shop.buy(customer_id=f"friend-{each}", total=5000, referral_code=code) for each in range(20)]
    ids = [answer.body["referral"]["id"] for answer in bought]

    async def give_back(purchase_id: str) -> None:
        body = {"id": unique("refund"), "amount": 4000}
        assert (await shop.post(f"/v1/purchases/{purchase_id}/refunds", body)).status == 201

    async def refuse(referral_id: str) -> None:
        answer = await shop.post(f"/v1/referrals/{referral_id}/refuse", {}, Role.MARKETER, Idempotency_Key=unique("k"))
        assert answer.status in {200, 409}

    await asyncio.gather(
        *(give_back(each.body["id"]) for each in bought[:10]),
        *(refuse(each) for each in ids[5:15]),
        referrals.judge(shop, database, workers=4),
    )
    await referrals.judge(shop, database, workers=2)
    states = {each["id"]: each["status"] for each in await referrals.all_of(shop)}
    assert {states[each] for each in ids[:5]} <= {"refused", "reversed"}
    assert {states[each] for each in ids[15:]} == {"rewarded"}
    rewarded = [number for number, each in enumerate(ids) if states[each] == "rewarded"]
    assert (await shop.balance("anna"))["available"] == 500 * len(rewarded)
    for number in range(20):
        kept = 10 if number < 10 else 50
        balance = await shop.balance(f"friend-{number}")
        assert balance["available"] - balance["debt"] == kept + (200 if number in rewarded else 0)
