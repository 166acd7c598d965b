"""Two API processes on one database."""

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import AsyncGenerator

import pytest

from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.faults.api_process import api_process
from tests.shop import Answer, Shop, purchase

CALLERS = 64
HOT_CUSTOMERS = 20
PURCHASES = 1500


@pytest.fixture(scope="module")
async def addresses(settings: Settings) -> AsyncGenerator[tuple[str, str]]:
    """Give the addresses of two processes."""
    async with api_process(settings) as one, api_process(settings) as other:
        yield one.address, other.address


@pytest.fixture
async def doors(addresses: tuple[str, str], new_shop: NewShop) -> tuple[Shop, Shop]:
    """Give one shop, seen through each of the processes."""
    shop = await new_shop()
    return dataclasses.replace(shop, address=addresses[0]), dataclasses.replace(shop, address=addresses[1])


async def test_hot_customers_under_many_callers_get_every_point_once(doors: tuple[Shop, Shop], owner: Db) -> None:
    """New customers, repetitions through the other process and conflicts among them."""
    reported: Counter[str] = Counter()
    answers: Counter[int] = Counter()
    numbers = itertools.count()

    async def call(caller: int) -> None:
        while (number := next(numbers)) < PURCHASES:
            customer_id = f"c-{number % HOT_CUSTOMERS}"
            body = purchase(id=f"order-{number}", customer_id=customer_id, total=100 * (1 + number % 7))
            told = await doors[caller % 2].post("/v1/purchases", body)
            answers[told.status] += 1
            reported[customer_id] += told.body["points"]["earned"]
            if number % 5 == 0:
                again = await doors[1 - caller % 2].post("/v1/purchases", body)
                assert (again.status, again.text) == (200, told.text)
            if number % 11 == 0:
                other = await doors[1 - caller % 2].post("/v1/purchases", body | {"total": 1})
                assert (other.status, other.code) == (409, "purchase_conflict")

    await asyncio.gather(*(call(caller) for caller in range(CALLERS)))
    assert answers == {201: PURCHASES}
    balances = [await doors[0].balance(f"c-{number}") for number in range(HOT_CUSTOMERS)]
    assert [balance["available"] for balance in balances] == [
        reported[f"c-{number}"] for number in range(HOT_CUSTOMERS)
    ]
    assert await owner.fetchval("SELECT count(*) FROM purchase WHERE program_id = $1", doors[0].program.id) == PURCHASES


async def test_one_purchase_reported_50_times_to_two_processes_is_booked_once_and_answered_alike(
    doors: tuple[Shop, Shop],
) -> None:
    body = purchase()
    answers = await asyncio.gather(*(doors[number % 2].post("/v1/purchases", body) for number in range(50)))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert (await doors[0].balance("c-42"))["available"] == 129


async def test_one_id_with_two_contents_at_two_processes_is_one_purchase(doors: tuple[Shop, Shop]) -> None:
    answers = await asyncio.gather(
        *(doors[number % 2].buy(id="order-1", customer_id=f"c-{number % 2}") for number in range(50))
    )
    assert sorted(answer.status for answer in answers) == [200] * 24 + [201] + [409] * 25


async def test_a_command_sent_to_two_processes_at_once_is_done_once(doors: tuple[Shop, Shop]) -> None:
    """Whoever comes while the first is in flight is told to come again."""
    batch = {"purchases": [purchase(id=f"order-{number}") for number in range(50)]}

    async def send(door: Shop) -> Answer:
        return await door.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")

    answers = await asyncio.gather(*(send(doors[number % 2]) for number in range(10)))
    done = [answer for answer in answers if answer.status == 200]
    assert [answer.replayed for answer in done].count(False) == 1
    assert len({answer.text for answer in done}) == 1
    for waiting in (answer for answer in answers if answer.status != 200):
        assert (waiting.status, waiting.code) == (409, "idempotency_key_in_flight")
        assert int(waiting.headers["retry-after"]) >= 1
    assert (await send(doors[0])).replayed
    assert (await doors[0].balance("c-42"))["available"] == 50 * 129
