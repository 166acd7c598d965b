"""Tiers while everything happens at once: whoever is first, each change is one, and what is counted is what was bought.

The books are proved behind the file: changes chain, each was told once, and what is counted is what facts count.
"""

import asyncio
import random
from functools import partial
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.statements import Db, RowsMissing
from service.points.facts import Accepted
from service.programs import usecases as programs
from service.purchases.usecases import PURCHASES, PurchaseOutcome
from tests.concurrency.office import merge, outside
from tests.concurrency.test_records import at_once, statuses
from tests.concurrency.till import Till, draft, waits_for
from tests.jobs import settle_tiers
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, now
from tests.stories.test_tiers import Told, buy
from tests.tiers import ROLLING, qualify, set_tiers, tier

Tills = tuple[Till, Till, Till]
TURNS = range(4)
MANY = 24
CLIMB = [(None, "bronze", "purchase"), ("bronze", "silver", "purchase"), ("silver", "gold", "purchase")]


async def informed(tills: Tills) -> Tills:
    """Let tills know what the program says now."""
    for each in tills:
        each.program = await programs.program_with_code(each.db, each.program.code)
    return tills


async def counted(owner: Db, shop: Shop, customer_id: str = "c-42") -> int:
    """Read how much is counted for the tier of a customer, of whom no day has left the window."""
    found = await owner.fetchval(
        "SELECT sum(a.its::bigint) FROM customer AS c"
        " CROSS JOIN LATERAL jsonb_array_elements_text(c.tier_state -> 'amounts') AS a (its)"
        " WHERE c.program_id = $1 AND c.external_id = $2",
        shop.program.id,
        customer_id,
    )
    return int(found or 0)


def reached(outcomes: list[PurchaseOutcome]) -> str | None:
    """Give the tier behind the one purchase that was booked."""
    (outcome,) = outcomes
    assert isinstance(outcome, Accepted)
    return None if outcome.answer.tier is None else outcome.answer.tier.id


def euros(amount: int, **more: Any) -> dict[str, Any]:
    """Say that so much is bought now, for a point each."""
    return {"total": amount * 100, "occurred_at": now()} | more


async def refund(shop: Shop, purchase_id: str, amount: int) -> Answer:
    body = {"id": unique("refund"), "amount": amount * 100}
    return await shop.post(f"/v1/purchases/{purchase_id}/refunds", body)


@pytest.mark.parametrize("known", [True, False], ids=["a known customer", "a new one"])
async def test_many_purchases_at_once_climb_each_step_once(shop: Shop, owner: Db, *, known: bool) -> None:
    await set_tiers(shop)
    told = Told(shop)
    if known:
        await buy(shop, 0)
    answers = await asyncio.gather(*(shop.buy(**euros(60)) for _ in range(MANY)))
    assert statuses(list(answers)) == [201] * MANY
    shown = [answer.body["tier"] and answer.body["tier"]["id"] for answer in answers]
    # 60 points are too few, 120 are enough for bronze, 540 for silver, 1,020 for gold.
    assert [shown.count(each) for each in (None, "bronze", "silver", "gold")] == [1, 7, 8, MANY - 16]
    assert await told.changes() == CLIMB
    assert await counted(owner, shop) == 60 * MANY


async def test_of_two_purchases_that_both_reach_a_tier_the_second_finds_it_reached(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    await set_tiers(shop)
    told = Told(shop)
    await buy(shop, 60)
    first, second, _ = await informed(tills)
    booked = await first.begin(draft(**euros(60)))
    waiting = second.beginning(draft(**euros(60)))
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    assert (reached(booked), reached(await waiting)) == ("bronze", "bronze")
    await second.end()
    assert await told.changes() == [(None, "bronze", "purchase")]
    assert await counted(owner, shop) == 180


async def test_a_purchase_at_once_that_another_one_overtakes_to_a_tier_is_not_booked_by_what_it_read(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    await set_tiers(shop)
    told = Told(shop)
    await buy(shop, 60)
    till, _, _ = await informed(tills)
    body = draft(**euros(60))

    async def report(db: Db) -> list[PurchaseOutcome]:
        return await PURCHASES.report(
            db, program=till.program, drafts=[body], entropy=random.getrandbits(62), lock=False
        )

    with pytest.raises(RowsMissing):
        await outside(shop, report, "c.* FROM customer AS c", partial(buy, shop, 60))
    assert reached(await till.at_once(body)) == "bronze"
    assert await told.changes() == [(None, "bronze", "purchase")]
    assert await counted(owner, shop) == 180


@pytest.mark.parametrize("turn", TURNS)
async def test_purchases_at_once_with_refunds_leave_what_all_of_them_say(shop: Shop, owner: Db, turn: int) -> None:
    await set_tiers(shop)
    for number in range(4):
        await buy(shop, 300, id=f"o-{number}")
    told = Told(shop)
    assert await told.changes() == CLIMB
    refunds = [refund(shop, f"o-{number}", amount) for number in range(4) for amount in (200, 100)]
    answers = await at_once(turn, *refunds, *(shop.buy(**euros(40)) for _ in range(MANY)))
    assert statuses(answers) == [201] * (8 + MANY)
    assert await counted(owner, shop) == 40 * MANY
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"]) == ("silver", 1_000 - 40 * MANY)


@pytest.mark.parametrize("turn", TURNS)
async def test_who_buys_while_jobs_settle_falls_once_and_climbs_again(
    shop: Shop, database: Database, owner: Db, turn: int
) -> None:
    await set_tiers(shop, period={"kind": "rolling", "days": 30})
    told = Told(shop)
    assert await buy(shop, 1_200) == "gold"
    assert await told.changes() == [(None, "gold", "purchase")]
    await pass_time(owner, shop.program.id, 40 * DAY)
    jobs = [asyncio.create_task(settle_tiers(database)) for _ in range(2)]
    answers = await at_once(turn, *(shop.buy(**euros(60)) for _ in range(MANY)))
    await asyncio.gather(*jobs)
    assert statuses(answers) == [201] * MANY
    assert await told.changes() == [("gold", None, "time"), *CLIMB]
    assert await counted(owner, shop) == 60 * MANY


@pytest.mark.parametrize("turn", TURNS)
async def test_two_records_that_go_into_a_third_at_once_bring_all_that_was_counted(
    shop: Shop, owner: Db, turn: int
) -> None:
    await set_tiers(shop)
    for name in ("a", "b", "c-42"):
        await buy(shop, 200, customer_id=name)
    calls = [merge(shop, "a", "c-42"), merge(shop, "b", "c-42")]
    calls += [shop.buy(**euros(10, customer_id=("a", "b", "c-42")[each % 3])) for each in range(MANY)]
    assert statuses(await at_once(turn, *calls)) == [200, 200] + [201] * MANY
    assert await counted(owner, shop) == 600 + 10 * MANY
    for name in ("a", "b", "c-42"):
        assert (await tier(shop, name))["id"] == "silver"


@pytest.mark.parametrize("turn", TURNS)
async def test_records_that_go_into_each_other_in_a_row_at_once_lose_nothing(shop: Shop, owner: Db, turn: int) -> None:
    await set_tiers(shop)
    for name in ("a", "b", "c"):
        await buy(shop, 200, customer_id=name)
    answers = await at_once(turn, merge(shop, "a", "b"), merge(shop, "b", "c"), merge(shop, "a", "b"))
    assert {answer.status for answer in answers} <= {200, 409}
    assert (await merge(shop, "a", "c")).status in {200, 409}
    assert (await merge(shop, "b", "c")).status == 200
    assert await counted(owner, shop, "c") == 600
    assert (await tier(shop, "a"))["id"] == (await tier(shop, "b"))["id"] == "silver"


@pytest.mark.parametrize("turn", TURNS)
async def test_what_is_bought_while_all_is_counted_again_counts_once(
    shop: Shop, database: Database, owner: Db, tills: Tills, turn: int
) -> None:
    """Also where one process doesn't know of the new terms yet, and another not even that there are tiers."""
    unaware, late, _ = tills
    await set_tiers(shop)
    await buy(shop, 100)
    (await informed(tills))[0].program = shop.program
    await qualify(shop, **(ROLLING | {"grace_days": 10}))

    async def elsewhere(till: Till) -> None:
        for _ in range(6):
            await till.begin(draft(**euros(10)))
            await till.end()

    others = [asyncio.create_task(elsewhere(each)) for each in (unaware, late)]
    jobs = [asyncio.create_task(settle_tiers(database)) for _ in range(2)]
    calls = [shop.buy(id=f"o-{number}", **euros(60)) for number in range(MANY)]
    answers = await at_once(turn, *calls)
    await asyncio.gather(*others, *jobs)
    assert statuses(answers) == [201] * MANY
    assert (await refund(shop, "o-0", 60)).status == 201
    await settle_tiers(database)
    assert await counted(owner, shop) == 100 + 60 * (MANY - 1) + 120
    assert (await tier(shop))["id"] == "gold"


@pytest.mark.parametrize("which", ["late", "unaware"])
async def test_what_a_process_books_that_knows_of_older_terms_is_counted_by_the_newer_ones(
    shop: Shop, database: Database, owner: Db, tills: Tills, which: str
) -> None:
    """Behind the job that counted all by the new terms, and before it comes again."""
    till, _, _ = tills
    await set_tiers(shop)
    await buy(shop, 100)
    if which == "late":
        await informed(tills)
    await qualify(shop, **(ROLLING | {"grace_days": 10}))
    await settle_tiers(database)
    await till.begin(draft(**euros(410)))
    await till.end()
    assert await buy(shop, 600) == "bronze"  # as it was, until all is counted
    await settle_tiers(database)
    assert await counted(owner, shop) == 1_110
    assert (await tier(shop))["id"] == "gold"
