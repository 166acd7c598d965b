"""What lies between the service and Postgres hangs, is cut or forgets its connections; a backend is killed.

A fault is told as 503 with `Retry-After` and never as a refusal; the same call later is right; nothing is restarted.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
import pytest

from service.app import Parts
from service.kernel.errors import Unavailable
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.purchases import rules, usecases
from tests.faults.conftest import ShopBehindProxy
from tests.shop import Answer, Shop, purchase

LONG_ENOUGH = 12.0
"""Seconds after which a call that isn't answered never will be: only a guard, the service's own limits are under 5."""


async def _all_told_as_unknown(calls: list[Awaitable[Answer]]) -> None:
    async with asyncio.timeout(LONG_ENOUGH):
        answers = await asyncio.gather(*calls)
    for answer in answers:
        assert (answer.status, answer.code) == (503, "unavailable"), answer.text
        assert int(answer.headers["retry-after"]) >= 1


async def _until_well(call: Callable[[], Awaitable[Answer]]) -> None:
    while (await call()).status >= 400:
        await asyncio.sleep(0.05)


async def test_while_the_database_hangs_every_call_is_told_that_its_outcome_is_unknown(behind: ShopBehindProxy) -> None:
    shop, bodies = behind.shop, [purchase(id=f"order-{number}") for number in range(5)]
    batch = {"purchases": [purchase(id=f"bulk-{number}", customer_id=f"b-{number}") for number in range(3)]}
    behind.proxy.hang()
    await _all_told_as_unknown(
        [
            *(shop.post("/v1/purchases", body) for body in bodies),
            shop.post("/v1/purchases/batch", batch),
            shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1"),
            shop.call("PUT", "/v1/customers/new", {"name": "Ada"}),
            shop.get("/v1/customers/warm/balance"),
            shop.call(
                "POST", "/v1/purchases", bodies[0], role=None, headers={"Authorization": "Bearer lk_test_unknown"}
            ),
        ]
    )
    behind.proxy.resume()
    for body in bodies:
        assert (await shop.post("/v1/purchases", body)).status in {200, 201}
    for again in [
        await shop.post("/v1/purchases/batch", batch),
        await shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1"),
    ]:
        assert {result["status"] for result in again.body["results"]} <= {200, 201}
    assert (await shop.call("PUT", "/v1/customers/new", {"name": "Ada"})).status in {200, 201}
    assert (await shop.balance("c-42"))["available"] == 5 * 129
    assert (await shop.balance("b-0"))["available"] == 129


async def test_after_connections_were_forgotten_the_service_is_well_again_by_itself(
    behind: ShopBehindProxy, database: Database
) -> None:
    """They stay open and carry nothing: no end of a connection tells the service that it must make new ones."""
    shop, made = behind.shop, new_key(live=False)
    await transact(
        database.connection,
        lambda db: programs.add_key(
            db, program_id=shop.program.id, role=Role.CHECKOUT, name="new", key=made, entropy=random.getrandbits(62)
        ),
    )
    behind.proxy.forget()
    async with asyncio.timeout(LONG_ENOUGH):
        await asyncio.gather(
            _until_well(lambda: shop.buy(id="order-1")),
            _until_well(lambda: shop.get("/v1/customers/warm/balance")),
            _until_well(
                lambda: shop.call(
                    "GET", "/v1/customers/warm/balance", role=None, headers={"Authorization": f"Bearer {made}"}
                )
            ),
        )
    assert (await shop.balance("c-42"))["available"] == 129


async def test_purchases_in_flight_when_all_connections_are_cut_are_booked_once_each(behind: ShopBehindProxy) -> None:
    stop = asyncio.Event()

    async def cut() -> None:
        while not stop.is_set():
            await asyncio.sleep(0.05)
            behind.proxy.reset()

    cutting = asyncio.ensure_future(cut())
    for round_ in range(5):
        bodies = [purchase(id=f"r{round_}-{number}", customer_id=f"c-{number % 7}") for number in range(60)]
        answers = await asyncio.gather(*(behind.shop.post("/v1/purchases", body) for body in bodies))
        for body, answer in zip(bodies, answers, strict=True):
            told = answer
            while told.status == 503:
                told = await behind.shop.post("/v1/purchases", body)
            assert told.status == 201 or (answer.status == 503 and told.status == 200)
    stop.set()
    await cutting
    available = [(await behind.shop.balance(f"c-{number}"))["available"] for number in range(7)]
    assert sum(available) == 5 * 60 * 129


async def test_a_killed_backend_is_not_noticed_by_callers(behind: ShopBehindProxy, settings: Settings) -> None:
    killer = await asyncpg.connect(settings.database_url)
    for round_ in range(5):
        calls = [behind.shop.buy(id=f"r{round_}-{number}", customer_id=f"c-{number}") for number in range(30)]
        answers = asyncio.gather(*calls)
        await asyncio.sleep(0)
        killed = await killer.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'loyalty' AND datname = current_database()"
        )
        assert killed
        assert {answer.status for answer in await answers} == {201}
    await killer.close()
    assert (await behind.shop.balance("c-0"))["available"] == 5 * 129


async def test_a_customer_locked_for_long_is_told_as_unknown_and_booked_once_later(shop: Shop, owner: Db) -> None:
    """Also for more bulk calls than the pool has connections."""
    body, batches = purchase(id="order-1"), [{"purchases": [purchase(id=f"bulk-{number}")]} for number in range(20)]
    await shop.buy(id="order-0")
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM customer WHERE program_id = $1 AND external_id = 'c-42' FOR UPDATE", shop.program.id
        )
        await _all_told_as_unknown(
            [shop.post("/v1/purchases", body), *(shop.post("/v1/purchases/batch", batch) for batch in batches)]
        )
    assert (await shop.post("/v1/purchases", body)).status in {200, 201}
    for batch in batches:
        again = await shop.post("/v1/purchases/batch", batch)
        assert again.body["results"][0]["status"] in {200, 201}
    assert (await shop.balance("c-42"))["available"] == 22 * 129


async def test_a_caller_who_goes_away_changes_nothing_for_the_others_of_its_batch(
    settings: Settings, shop: Shop
) -> None:
    parts = Parts(settings)
    await parts.open()
    try:
        await parts.catalogue.refresh()
        purchases, drafts = parts.purchases, _drafts(20)
        waiting = [asyncio.ensure_future(purchases.report(shop.program.id, draft)) for draft in drafts]
        await asyncio.sleep(0)
        for leaving in waiting[::2]:
            leaving.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        await parts.close()
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes[1::2])
    # What was reported is booked, whether or not somebody waits for the answer.
    assert (await shop.balance("c-42"))["available"] == 20 * 129


def _drafts(count: int) -> list[usecases.PurchaseDraft]:
    return [
        usecases.draft(msgspec.convert(purchase(id=f"order-{number}"), rules.Purchase), randomness=number)
        for number in range(count)
    ]


async def test_what_is_reported_before_the_service_closes_is_booked_and_later_calls_are_told_to_come_again(
    settings: Settings, shop: Shop
) -> None:
    parts = Parts(settings)
    await parts.open()
    await parts.catalogue.refresh()
    waiting = [asyncio.ensure_future(parts.purchases.report(shop.program.id, draft)) for draft in _drafts(150)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(parts.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await parts.purchases.report(shop.program.id, _drafts(1)[0])
    await closing
    assert {outcome.replayed for outcome in await asyncio.gather(*waiting)} == {False}
    assert (await shop.balance("c-42"))["available"] == 150 * 129


async def test_a_hanging_database_does_not_keep_the_service_from_closing(behind: ShopBehindProxy) -> None:
    parts = Parts(behind.settings)
    await parts.open()
    await parts.catalogue.refresh()
    await parts.purchases.report(behind.shop.program.id, _drafts(1)[0])
    await parts.balances.of(behind.shop.program.id, "c-42")
    behind.proxy.hang()
    async with asyncio.timeout(LONG_ENOUGH):
        await parts.close()
