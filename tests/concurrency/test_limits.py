"""Limits hold exactly, however many purchases come at once, also through two processes' connections."""

import asyncio
import random

import msgspec

from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.purchases.rules import Purchase
from service.purchases.usecases import PURCHASES, draft
from tests.rulebook import set_rule
from tests.shop import Answer, Shop, purchase, unique

CONNECTIONS = 64


def given(answers: list[Answer], rule: str) -> int:
    assert {answer.status for answer in answers} == {201}
    return sum(line["points"] for answer in answers for line in answer.body["points"]["lines"] if line["rule"] == rule)


async def test_a_thousand_points_a_day_are_a_thousand_under_64_connections(shop: Shop) -> None:
    """256 purchases of 30 points each, of one customer on one day, come to 1,000 points, and not one more."""
    await set_rule(shop, "daily", effect={"kind": "bonus", "points": 30}, limits=[{"every": "day", "points": 1000}])
    answers = list[Answer]()
    for _ in range(4):
        answers += await asyncio.gather(*(shop.buy(total=0) for _ in range(CONNECTIONS)))
    assert given(answers, "daily") == 1000
    assert (await shop.balance("c-42"))["available"] == 1000
    each = sorted(answer.body["points"]["earned"] for answer in answers)
    assert each == [0] * (len(answers) - 34) + [10] + [30] * 33


async def test_a_budget_for_all_is_spent_to_the_last_point_and_no_further(shop: Shop) -> None:
    budget = [{"every": "life", "scope": "all", "points": 1000}]
    await set_rule(shop, "launch", effect={"kind": "bonus", "points": 30}, limits=budget)
    answers = await asyncio.gather(*(shop.buy(total=0, customer_id=f"c-{each}") for each in range(CONNECTIONS)))
    assert given(answers, "launch") == 1000


async def test_two_batches_at_once_that_read_the_same_budget_do_not_spend_it_twice(
    shop: Shop, database: Database
) -> None:
    """Each knows nothing of the other until it writes: who is second begins again, and finds what is left."""
    budget = [{"every": "life", "scope": "all", "points": 100}, {"every": "day", "scope": "all", "times": 3}]
    await set_rule(shop, "launch", effect={"kind": "bonus", "points": 30}, limits=budget)

    earned = await asyncio.gather(*(_book(shop, database, f"c-{each}") for each in range(8)))
    assert sorted(earned) == [0, 0, 0, 0, 0, 30, 30, 30]


async def test_what_another_process_spent_of_a_budget_meanwhile_is_not_spent_again(
    shop: Shop, database: Database
) -> None:
    """A process goes by what it read a moment ago, and books at once: the write finds that it is not so any more."""
    budget = [{"every": "life", "scope": "all", "points": 100}]
    await set_rule(shop, "launch", effect={"kind": "bonus", "points": 30}, limits=budget)
    first = await shop.buy(total=0, customer_id="c-1")
    elsewhere = [await _book(shop, database, f"c-{each}") for each in (2, 3)]
    last = await shop.buy(total=0, customer_id="c-4")
    none_left = await shop.buy(total=0, customer_id="c-5")
    assert [given([first], "launch"), *elsewhere, given([last], "launch"), given([none_left], "launch")] == [
        30,
        30,
        30,
        10,
        0,
    ]


async def _book(shop: Shop, database: Database, customer_id: str) -> int:
    """Book a purchase as another process would; gives what it earned."""

    async def work(db: Db) -> int:
        program = await programs.program_with_code(db, shop.program.code)
        body = purchase(id=unique("order"), customer_id=customer_id, total=0)
        drafts = [draft(_decoded(body), randomness=random.getrandbits(62))]
        (outcome,) = await PURCHASES.report(db, program=program, drafts=drafts, entropy=random.getrandbits(62))
        return outcome.answer.earned if not isinstance(outcome, Exception) else -1

    return await transact(database.connection, work)


def _decoded(body: dict[str, object]) -> Purchase:
    return msgspec.convert(body, Purchase, strict=False)
