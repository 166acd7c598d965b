"""/metrics answers: is it well, how fast is it, how full is the gatherer. Numbers go up as they must."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import pytest

from service.kernel.errors import Unavailable
from service.platform.batching import Gatherer
from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db, RowsMissing
from service.platform.transaction import transact
from tests.conftest import running
from tests.faults.conftest import ShopAlone, ShopBehindProxy
from tests.faults.proxy import AtCommit
from tests.metrics.reading import Scrape, scrape
from tests.shop import Shop, purchase, unique

CANARY = re.compile("canary", re.IGNORECASE)

Reading = Callable[[], Awaitable[Scrape]]


@pytest.fixture
def numbers(client: aiohttp.ClientSession, address: str) -> Reading:
    """Give a reader of the numbers of the service under test."""
    return lambda: scrape(client, address)


async def test_purchases_are_counted_by_what_came_of_them(shop: Shop, numbers: Reading) -> None:
    before = await numbers()
    first = purchase()
    batch = {"purchases": [purchase(), purchase(total=200), first, first | {"total": 1}, {"id": "bad"}]}
    assert (await shop.post("/v1/purchases", first)).status == 201
    assert (await shop.post("/v1/purchases", first)).status == 200
    assert (await shop.post("/v1/purchases", first | {"total": 1})).status == 409
    assert (await shop.post("/v1/purchases", purchase(total=-1))).status == 422
    for _ in range(2):  # a repeated command books and counts nothing again
        answer = await shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
        assert [each["status"] for each in answer.body["results"]] == [201, 201, 200, 409, 422]
    assert (await shop.post("/v1/purchases/batch?dry_run=true", {"purchases": [purchase()]})).status == 200
    assert (await shop.post("/v1/purchases?dry_run=true", purchase())).status == 200
    after = await numbers()

    def grown(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert grown("loyalty_purchases_total", outcome="booked") == 3
    assert grown("loyalty_purchases_total", outcome="replayed") == 2
    assert grown("loyalty_purchases_total", outcome="refused", code="purchase_conflict") == 2
    assert grown("loyalty_points_issued_total") == 129 + 129 + 2
    assert grown("loyalty_refusals_total", code="purchase_conflict") == 1
    assert grown("loyalty_refusals_total", code="invalid_content") == 1


async def test_requests_are_counted_by_operation_method_and_status(shop: Shop, numbers: Reading) -> None:
    before = await numbers()
    await shop.buy()
    await shop.call("POST", "/v1/purchases", purchase(), headers={"Content-Type": "application/json; charset=utf-8"})
    await shop.buy(total="x")
    await shop.get("/v1/customers/c-42/balance")
    await shop.get("/v1/customers/c-42/balance?")
    await shop.get("/v1/customers/c-42/transactions")
    await shop.get("/v1/nothing/here")
    await shop.call("PURGE", "/v1/purchases")
    await shop.get("/docs/start.js")
    after = await numbers()

    def grown(operation: str, method: str, status: str) -> float:
        name, labels = "loyalty_request_duration_seconds", {"operation": operation, "method": method, "status": status}
        counts = [each.value(f"{name}_count", **labels) for each in (before, after)]
        assert after.value(f"{name}_bucket", le="+Inf", **labels) == counts[1]
        seconds = after.value(f"{name}_sum", **labels) - before.value(f"{name}_sum", **labels)
        assert 0 < seconds < 60
        return counts[1] - counts[0]

    assert grown("reportPurchase", "POST", "2xx") == 2
    assert grown("reportPurchase", "POST", "4xx") == 1
    assert grown("getBalance", "GET", "2xx") == 2
    assert grown("listTransactions", "GET", "2xx") == 1
    assert grown("unknown", "GET", "4xx") == 1
    assert grown("unknown", "other", "4xx") == 1
    assert grown("/docs/{name}", "GET", "2xx") == 1
    assert grown("metrics", "GET", "2xx") == 1


async def test_batches_are_told_by_size_and_time_and_each_purchase_by_its_wait(shop: Shop, numbers: Reading) -> None:
    before = await numbers()
    await asyncio.gather(*(shop.buy(customer_id=f"c-{number}") for number in range(100)))
    after = await numbers()
    change = {
        name: after.value(name, gatherer="purchases") - before.value(name, gatherer="purchases")
        for name in (
            "loyalty_gatherer_batch_size_sum",
            "loyalty_gatherer_batch_size_count",
            "loyalty_gatherer_batch_duration_seconds_count",
            "loyalty_gatherer_wait_seconds_count",
        )
    }
    assert change["loyalty_gatherer_batch_size_sum"] == change["loyalty_gatherer_wait_seconds_count"] == 100
    batches = change["loyalty_gatherer_batch_size_count"]
    assert 2 <= batches <= 100
    assert change["loyalty_gatherer_batch_duration_seconds_count"] == batches
    assert after.value("loyalty_gatherer_queue", gatherer="purchases") == 0
    assert after.value("loyalty_gatherer_queue_limit", gatherer="purchases") == 2000
    assert after.value("loyalty_gatherer_in_flight_seconds", gatherer="purchases") == 0


async def test_a_hanging_database_shows_while_it_hangs_and_afterwards(
    behind: ShopBehindProxy, client: aiohttp.ClientSession
) -> None:
    shop = behind.shop
    before = await scrape(client, shop.address)
    assert before.value("loyalty_catalogue_age_seconds") < 5
    behind.proxy.hang()
    first = asyncio.ensure_future(shop.buy())
    await asyncio.sleep(0.3)
    others = [asyncio.ensure_future(shop.buy()) for _ in range(10)]
    await asyncio.sleep(0.7)
    meanwhile = await scrape(client, shop.address)
    assert meanwhile.value("loyalty_gatherer_queue", gatherer="purchases") == 10
    assert 0.5 < meanwhile.value("loyalty_gatherer_in_flight_seconds", gatherer="purchases") < 5
    assert {answer.status for answer in await asyncio.gather(first, *others)} == {503}
    async with asyncio.timeout(10):  # the transaction is given up a little after its callers
        given_up = before.value("loyalty_transactions_given_up_total")
        while (after := await scrape(client, shop.address)).value("loyalty_transactions_given_up_total") == given_up:
            await asyncio.sleep(0.1)

    def grown(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert after.value("loyalty_catalogue_age_seconds") > 4
    assert grown("loyalty_connections_lost_total") >= 1
    assert grown("loyalty_gatherer_unserved_total", gatherer="purchases") >= 10
    assert grown("loyalty_request_duration_seconds_count", operation="reportPurchase", status="5xx") == 11
    behind.proxy.resume()
    while (await shop.buy()).status != 201:
        await asyncio.sleep(0.1)
    while (await scrape(client, shop.address)).value("loyalty_catalogue_age_seconds") > 2:
        await asyncio.sleep(0.1)


async def test_a_commit_whose_answer_was_lost_is_counted_and_its_purchase_once(
    behind: ShopBehindProxy, client: aiohttp.ClientSession
) -> None:
    before = await scrape(client, behind.shop.address)
    behind.proxy.at_next_commit(AtCommit.CUT)
    assert (await behind.shop.buy()).status == 201
    after = await scrape(client, behind.shop.address)
    assert after.value("loyalty_commits_unanswered_total") - before.value("loyalty_commits_unanswered_total") == 1
    assert (
        after.value("loyalty_purchases_total", outcome="booked")
        - before.value("loyalty_purchases_total", outcome="booked")
        == 1
    )


async def test_a_batch_written_one_by_one_is_counted(alone: ShopAlone, client: aiohttp.ClientSession) -> None:
    await alone.owner.execute("ALTER TABLE purchase ADD CONSTRAINT no_evil CHECK (channel IS DISTINCT FROM 'evil')")
    before = await scrape(client, alone.shop.address)
    assert (await alone.shop.buy(channel="evil")).status == 422
    after = await scrape(client, alone.shop.address)
    for name, labels in (
        ("loyalty_batches_written_one_by_one_total", {"reason": "CheckViolationError"}),
        ("loyalty_purchases_total", {"outcome": "refused", "code": "invalid_content"}),
    ):
        assert after.value(name, **labels) - before.value(name, **labels) == 1


async def test_work_that_lost_against_another_is_counted(database: Database, numbers: Reading) -> None:
    kind, lost = unique("kind"), iter([True, True, False])

    async def work(_: Db) -> None:
        if next(lost):
            raise RowsMissing("test")

    await transact(database.connection, work, kind=kind)
    told = await numbers()
    assert told.value("loyalty_transactions_begun_again_total", kind=kind, reason="RowsMissing") == 2


async def test_questions_that_a_full_queue_refuses_are_counted(numbers: Reading) -> None:
    let = asyncio.Event()

    async def answer(_: int, questions: Sequence[int]) -> list[int]:
        await let.wait()
        return list(questions)

    name = unique("gatherer")
    gatherer = Gatherer[int, int, int](name, answer, queue_limit=3)
    gatherer.open()
    asked = [gatherer.ask(1, 1)]
    await asyncio.sleep(0.01)
    asked += [gatherer.ask(1, 1) for _ in range(3)]
    for _ in range(2):
        with pytest.raises(Unavailable):
            gatherer.ask(1, 1)
    told = await numbers()
    assert told.value("loyalty_gatherer_queue", gatherer=name) == 3
    assert told.value("loyalty_gatherer_unserved_total", gatherer=name, reason="queue_full") == 2
    let.set()
    assert await asyncio.gather(*asked) == [1, 1, 1, 1]
    await gatherer.close()
    assert name not in (await numbers()).labels("loyalty_gatherer_queue", "gatherer"), "a closed one tells no level"


async def test_a_redis_that_is_away_is_counted(settings: Settings, shop: Shop, client: aiohttp.ClientSession) -> None:
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with running(away) as address:
        before = await scrape(client, address)
        there = Shop(address, client, shop.program, shop.keys)
        batch = {"purchases": [purchase()]}
        assert (await there.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")).status == 200
        after = await scrape(client, address)
    assert after.value("loyalty_redis_faults_total") - before.value("loyalty_redis_faults_total") == 1


async def test_the_process_tells_of_itself(numbers: Reading) -> None:
    await asyncio.sleep(0.3)
    told = await numbers()
    assert told.value("process_resident_memory_bytes", process="0") > 10_000_000
    assert told.value("process_open_fds", process="0") > 3
    assert told.value("process_cpu_seconds_total", process="0") > 0
    assert told.value("loyalty_build_info", build="unknown", process="0") == 1
    assert told.value("loyalty_event_loop_lag_seconds_count") > 0
    assert told.value("loyalty_catalogue_version") >= 0
    assert told.value("loyalty_catalogue_age_seconds") < 5


async def test_nothing_that_a_caller_sent_is_in_the_numbers(shop: Shop, numbers: Reading) -> None:
    await shop.buy(id="canary-order", customer_id="canary@example.com", channel="canary")
    await shop.buy(id="canary-order", customer_id="canary@example.com", total=1)
    await shop.buy(customer_id="canary", currency="canary")
    for path in ("", "/balance", "/transactions", "/canary"):
        await shop.get(f"/v1/customers/canary%40example.com{path}")
    for path in (
        "/v1/purchases/canary-order",
        "/canary",
        "/v1/canary/%ff",
        "/docs/canary",
        "/v1/customers?email=canary",
    ):
        await shop.get(path)
    await shop.call("GET", "/v1/program", role=None, headers={"Authorization": "Bearer canary"})
    await shop.call("POST", "/v1/purchases", purchase(), headers={"Idempotency-Key": "canary canary"})
    await shop.call("GET", "/metrics", headers={"Accept": "canary"})
    text = (await numbers()).text
    assert not CANARY.search(text), CANARY.search(text)
    assert not any(key in text for key in shop.keys.values())
    assert shop.program.code not in text


async def test_openmetrics_is_written_for_who_asks(shop: Shop) -> None:
    plain = await shop.call("GET", "/metrics", role=None)
    assert (plain.status, plain.headers["content-type"].split(";")[0]) == (200, "text/plain")
    accept = {"Accept": "application/openmetrics-text; version=1.0.0; charset=utf-8"}
    open_metrics = await shop.call("GET", "/metrics", role=None, headers=accept)
    assert open_metrics.headers["content-type"].split(";")[0] == "application/openmetrics-text"
    assert open_metrics.text.endswith("# EOF\n")
    assert "loyalty_points_issued_total" in open_metrics.text


async def test_an_operator_can_close_it(settings: Settings, client: aiohttp.ClientSession) -> None:
    closed = settings.model_copy(update={"metrics": False})
    async with running(closed) as address, client.get(f"{address}/metrics") as answer:
        assert answer.status == 404
