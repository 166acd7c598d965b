"""Two API processes on one database, directly and through a pooler in transaction mode."""

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import AsyncGenerator

import pytest

from service.platform.roles import Role
from service.platform.settings import Pooler, Settings
from service.platform.statements import Db
from tests.concurrency.pooler import missing, pooler
from tests.conftest import NewShop, Servers
from tests.faults.api_process import api_process
from tests.shop import Answer, Shop, purchase

pytestmark = pytest.mark.long

CALLERS = 64
HOT_CUSTOMERS = 20
PURCHASES = 1500


NEWS_SECONDS = 1.0
"""Until a change made at one process counts at all."""


@pytest.fixture(scope="module", params=Pooler, ids=lambda pooled: f"pooler-{pooled.value}")
async def way(request: pytest.FixtureRequest, servers: Servers, settings: Settings) -> AsyncGenerator[Settings]:
    """Give the settings of a service: directly at Postgres, or behind a pooler where there is one."""
    pooled: Pooler = request.param
    why = missing(pooled)
    if why is not None:
        pytest.skip(why)
    if pooled is Pooler.NONE:
        yield settings
    else:
        async with pooler(servers, settings, pooled) as through:
            yield through


@pytest.fixture(scope="module")
async def addresses(way: Settings) -> AsyncGenerator[tuple[str, str]]:
    """Give the addresses of two processes."""
    async with api_process(way) as one, api_process(way) as other:
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


def with_key(shop: Shop, role: Role, key: str) -> Shop:
    """Give the shop as a caller with another key sees it."""
    return dataclasses.replace(shop, keys=shop.keys | {role: key})


async def status_of_key(door: Shop, key: str) -> int:
    """Call with a key of the role checkout."""
    return (await with_key(door, Role.CHECKOUT, key).get("/v1/purchases/none")).status


async def test_a_key_made_at_one_process_works_at_the_other_at_once(doors: tuple[Shop, Shop]) -> None:
    for here, there in (doors, doors[::-1]):
        made = await here.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)
        assert await status_of_key(there, made.body["key"]) == 404


async def test_a_key_revoked_at_one_process_is_refused_at_the_other_within_a_second(doors: tuple[Shop, Shop]) -> None:
    for here, there in (doors, doors[::-1]):
        made = (await here.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)).body
        assert await status_of_key(there, made["key"]) == 404
        assert (await here.post(f"/v1/api-keys/{made['id']}/revoke", {}, Role.ADMIN)).status == 200
        assert await status_of_key(here, made["key"]) == 401
        await asyncio.sleep(NEWS_SECONDS)
        assert await status_of_key(there, made["key"]) == 401


async def test_a_key_rotated_at_one_process_gives_way_at_the_other_within_a_second(doors: tuple[Shop, Shop]) -> None:
    for here, there in (doors, doors[::-1]):
        old = (await here.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)).body
        kept = (await here.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)).body
        assert [await status_of_key(there, key["key"]) for key in (old, kept)] == [404, 404]
        path = f"/v1/api-keys/{old['id']}/rotate"
        new = (await here.post(path, {"grace_seconds": 0}, Role.ADMIN)).body
        assert (await here.post(f"/v1/api-keys/{kept['id']}/rotate", {}, Role.ADMIN)).status == 201
        assert await status_of_key(there, new["key"]) == 404
        await asyncio.sleep(NEWS_SECONDS)
        assert [await status_of_key(there, key["key"]) for key in (old, new, kept)] == [401, 404, 404]


async def test_a_rule_changed_at_one_process_counts_at_the_other_within_a_second(
    doors: tuple[Shop, Shop], owner: Db
) -> None:
    for number, (here, there) in enumerate((doors, doors[::-1])):
        rate = {"points": 2 + number, "amount": 100}
        change = {"settings": {"base_rule": {"rates": {"EUR": rate}}}, "valid_from": "2026-01-02T00:00:00Z"}
        changed = await here.call("PATCH", "/v1/program", change, role=Role.ADMIN)
        assert (changed.status, changed.body["version"]) == (200, 2 + number)
        at_once = await here.buy(id=f"here-{number}", total=10000)
        await asyncio.sleep(NEWS_SECONDS)
        later = await there.buy(id=f"there-{number}", total=10000)
        late = await there.buy(id=f"late-{number}", total=10000, occurred_at="2026-01-01T23:59:59Z")
        earned = 100 * (2 + number)
        assert [answer.body["points"]["earned"] for answer in (at_once, later, late)] == [earned, earned, 100]
    # Whatever a process knew when it booked, the booking names the version that it applied.
    booked = await owner.fetch(
        "SELECT cause_id, points, rule_version FROM transfer WHERE program_id = $1 ORDER BY recorded_at",
        doors[0].program.id,
    )
    assert [(row["points"], row["rule_version"]) for row in booked] == [
        (200, 2), (200, 2), (100, 1), (300, 3), (300, 3), (100, 1),
    ]  # fmt: skip
