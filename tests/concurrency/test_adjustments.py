"""Adjustments and opening balances that meet each other, and what else is done with the customer."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from service.adjustments import usecases as adjustments
from service.adjustments.rules import Adjusted, Keyholder
from service.customers.rules import CustomerErased
from service.kernel.ids import from_wire
from service.opening_balances import usecases as opening_balances
from service.opening_balances.rules import OpeningBalance, OpeningBalanceConflict
from service.opening_balances.usecases import OPENING_BALANCES, BalanceDraft, BalanceOutcome
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db, RowsMissing
from service.platform.transaction import transact
from service.points.facts import Accepted
from tests.concurrency.office import erase, interrupted, merge
from tests.concurrency.till import Till, waits_for
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique

NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}


async def adjust(shop: Shop, points: int) -> Answer:
    body = {"points": points, "reason": "correction"}
    return await shop.post("/v1/customers/c-42/adjustments", body, Role.SUPPORT, Idempotency_Key=unique("key"))


async def decide(shop: Shop, adjustment: str, verb: str) -> Answer:
    path = f"/v1/adjustments/{adjustment}/{verb}"
    return await shop.post(path, {}, Role.ADMIN, Idempotency_Key=unique("key"))


async def command(shop: Shop, path: str, body: dict[str, Any]) -> Answer:
    return await shop.post(path, body, Idempotency_Key=unique("key"))


@pytest.mark.parametrize("turn", range(3))
async def test_of_approvals_and_refusals_at_once_one_wins(new_shop: NewShop, turn: int) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=0)
    its_id = (await adjust(shop, 10 + turn)).body["id"]
    answers = await asyncio.gather(*(decide(shop, its_id, verb) for verb in ("approve", "refuse") * 10))
    statuses = [{answer.status for answer in answers[verb::2]} for verb in (0, 1)]
    assert sorted(map(sorted, statuses)) == [[200], [409]]
    given = 10 + turn if statuses[0] == {200} else 0
    assert await shop.balance("c-42") == NOTHING | {"available": given}


async def test_one_that_is_approved_many_times_at_once_is_booked_once(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=0)
    its_id = (await adjust(shop, 10)).body["id"]
    answers = await asyncio.gather(*(decide(shop, its_id, "approve") for _ in range(20)))
    assert {(answer.status, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert await shop.balance("c-42") == NOTHING | {"available": 10}


async def test_many_at_once_stay_within_the_limit_together(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=100)
    await shop.buy(total=0)
    answers = await asyncio.gather(*(adjust(shop, 9) for _ in range(20)))
    assert sorted(answer.body["status"] for answer in answers) == ["booked"] * 11 + ["waiting"] * 9
    assert await shop.balance("c-42") == NOTHING | {"available": 99}


async def test_points_that_are_taken_and_redeemed_at_once_are_not_spent_twice(shop: Shop) -> None:
    await shop.buy(total=10_000)
    body = {"customer_id": "c-42", "points": 9}
    calls = [call for _ in range(10) for call in (adjust(shop, -9), command(shop, "/v1/redemptions", body))]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status for answer in answers) == [201] * 11 + [409] * 9
    assert {answer.code for answer in answers if answer.status == 409} == {"insufficient_points"}
    held = 9 * sum(answer.status == 201 for answer in answers[1::2])
    assert await shop.balance("c-42") == NOTHING | {"available": 1, "held": held}


async def test_taking_points_while_their_customer_buys_and_captures_loses_nothing(shop: Shop) -> None:
    await shop.buy(total=20_000)
    body = {"customer_id": "c-42", "points": 50}
    held = [(await command(shop, "/v1/redemptions", body)).body["id"] for _ in range(2)]
    calls = [adjust(shop, -5) for _ in range(10)] + [shop.buy(total=1_000) for _ in range(10)]
    calls += [command(shop, f"/v1/redemptions/{each}/capture", {"points": 20}) for each in held]
    assert {answer.status for answer in await asyncio.gather(*calls)} == {200, 201}
    assert await shop.balance("c-42") == NOTHING | {"available": 100 + 60 - 50 + 100}


BY = Keyholder(UUID(int=1), UUID(int=1))


def deciding(shop: Shop, adjustment: str, verb: str) -> Callable[[Db], Awaitable[Adjusted]]:
    its_id = from_wire("adj", adjustment)
    assert its_id is not None
    bits = random.getrandbits(62)
    if verb == "approve":
        return lambda db: adjustments.approve(db, program=shop.program, adjustment_id=its_id, by=BY, entropy=bits)
    return lambda db: adjustments.refuse(db, program_id=shop.program.id, adjustment_id=its_id, by=BY, entropy=bits)


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "somebody new"])
@pytest.mark.parametrize("verb", ["approve", "refuse"])
async def test_what_is_decided_for_one_who_is_erased_at_that_moment_is_not_done_to_who_comes_with_the_id_then(
    new_shop: NewShop, verb: str, *, comes_back: bool
) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=0)
    its_id = (await adjust(shop, 10)).body["id"]

    async def meanwhile() -> None:
        assert (await erase(shop, "c-42")).status == 200
        if comes_back:
            await shop.buy(total=3_000)

    with pytest.raises(CustomerErased):
        await interrupted(shop, deciding(shop, its_id, verb), "FROM adjustment AS a", meanwhile)
    if comes_back:
        assert await shop.balance("c-42") == NOTHING | {"available": 30}


async def test_what_is_approved_for_one_who_goes_into_another_at_that_moment_is_booked_there(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=0)
    for name in ("c-42", "other"):
        await shop.buy(customer_id=name, total=1_000)
    its_id = (await adjust(shop, 10)).body["id"]
    meanwhile = partial(merge, shop, "c-42", "other")
    await interrupted(shop, deciding(shop, its_id, "approve"), "FROM adjustment AS a", meanwhile)
    assert await shop.balance("other") == NOTHING | {"available": 30}


def draft(**changes: Any) -> BalanceDraft:
    lots = [{"points": 100, "earned_at": "2025-03-01T09:00:00Z"}]
    content = msgspec.convert({"id": "old-1", "customer_id": "c-42", "lots": lots} | changes, OpeningBalance)
    return opening_balances.draft(content, randomness=random.getrandbits(62))


async def report(till: Till, *drafts: BalanceDraft) -> list[BalanceOutcome]:
    return await OPENING_BALANCES.report(till.db, program=till.program, drafts=drafts, entropy=random.getrandbits(62))


async def begin(till: Till, *drafts: BalanceDraft) -> list[BalanceOutcome]:
    await till.db.execute("BEGIN")
    return await report(till, *drafts)


async def test_one_opening_balance_twenty_times_at_once_over_two_connections_is_booked_once(
    shop: Shop, settings: Settings
) -> None:
    async def bring(database: Database) -> BalanceOutcome:
        drafts = [draft()]

        async def work(db: Db) -> list[BalanceOutcome]:
            return await OPENING_BALANCES.report(
                db, program=shop.program, drafts=drafts, entropy=random.getrandbits(62)
            )

        (outcome,) = await transact(database.connection, work)
        return outcome

    async with AsyncExitStack() as closing:
        databases = [Database(settings) for _ in range(2)]
        for each in databases:
            await each.open(size=1)
            closing.push_async_callback(each.close)
        outcomes = await asyncio.gather(*(bring(database) for database in databases * 10))
    accepted = [each for each in outcomes if isinstance(each, Accepted)]
    assert sorted(each.replayed for each in accepted) == [False] + [True] * 19
    assert len({str(each.answer) for each in accepted}) == 1
    assert await shop.balance("c-42") == NOTHING | {"available": 100}


async def test_one_opening_balance_many_times_at_once_over_http_is_answered_alike(shop: Shop) -> None:
    lots = [{"points": 100, "earned_at": "2025-03-01T09:00:00Z"}]
    body = {"balances": [{"id": "old-1", "customer_id": "c-42", "lots": lots}]}
    answers = await asyncio.gather(*(shop.post("/v1/opening-balances", body, Role.ADMIN) for _ in range(20)))
    entries = [answer.body["results"][0] for answer in answers]
    assert sorted(each["status"] for each in entries) == [200] * 19 + [201]
    assert {str(each["opening_balance"]) for each in entries} == {str(entries[0]["opening_balance"])}


@pytest.mark.parametrize("wins", [True, False])
async def test_an_opening_balance_that_meets_itself_waits_and_then_replays_or_books(
    tills: tuple[Till, Till, Till], shop: Shop, owner: Db, *, wins: bool
) -> None:
    first, second, _ = tills
    await begin(first, draft())
    waiting = asyncio.create_task(begin(second, draft()))
    await waits_for(owner, second.pid, first.pid)
    await first.end(commit=wins)
    if wins:  # both would have enrolled the customer
        with pytest.raises(RowsMissing):
            await waiting
        await second.end(commit=False)
        (outcome,) = await begin(second, draft())
    else:
        (outcome,) = await waiting
    assert isinstance(outcome, Accepted)
    assert outcome.replayed is wins
    await second.end()
    assert await shop.balance("c-42") == NOTHING | {"available": 100}


async def test_one_id_for_two_customers_at_once_is_decided_by_who_commits(
    tills: tuple[Till, Till, Till], shop: Shop, owner: Db
) -> None:
    """They lock different customers, so that they meet at the claim alone."""
    first, second, _ = tills
    for customer_id in "ab":
        await shop.buy(customer_id=customer_id, total=0)
    await begin(first, draft(customer_id="a"))
    waiting = asyncio.create_task(begin(second, draft(customer_id="b")))
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    with pytest.raises(RowsMissing):
        await waiting
    await second.end(commit=False)
    (refused,) = await begin(second, draft(customer_id="b"))
    assert isinstance(refused, OpeningBalanceConflict)
    await second.end()
    assert [(await shop.balance(customer_id))["available"] for customer_id in "ab"] == [100, 0]


async def test_a_report_knows_itself_again_when_the_answer_of_its_commit_was_lost(
    tills: tuple[Till, Till, Till],
) -> None:
    first, second, _ = tills
    mine = draft()
    await begin(first, mine)
    await first.end()
    outcomes = [await begin(second, mine), await report(second, draft())]
    assert [each.replayed for (each,) in outcomes if isinstance(each, Accepted)] == [False, True]
    await second.end()
