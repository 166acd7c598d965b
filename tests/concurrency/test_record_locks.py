"""Merges and erasures that meet: all records that one touches are locked first, in one order, and read again then."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from tests.concurrency.office import Office, deadlocks, entry, erase, merge, queue_behind
from tests.shop import Shop
from tests.vouchers import issue_piece, make, take

WORD = "heron-4417"


@pytest.fixture
async def office(settings: Settings, shop: Shop) -> AsyncGenerator[Office]:
    """Give an office of the shop."""
    db = await Database(settings).connect()
    yield Office(db, shop.program)
    await db.close()


async def test_a_record_that_went_into_one_while_this_was_being_erased_is_erased_with_it(
    shop: Shop, office: Office, owner: Db
) -> None:
    """The erasure has looked for such records, and waits: there was none yet."""
    guest = f"{WORD}-guest"
    await shop.buy(id="o-1", customer_id=guest, total=1_000, channel=WORD, metadata={WORD: WORD})
    await shop.buy(customer_id="c-42", total=2_000)
    await office.merge(guest, "c-42")
    erasing = asyncio.create_task(erase(shop, "c-42"))
    await queue_behind(owner, office.pid)
    await office.end()
    erased = await erasing
    assert (erased.status, erased.body["closed"]["available"]) == (200, 30)
    assert (await shop.get(f"/v1/customers/{guest}/balance")).status == 404
    kept = (await shop.get("/v1/purchases/o-1")).body
    assert (kept["customer_id"], kept["channel"], kept["metadata"]) == (None, None, {})
    # Whoever comes with the id again is somebody new.
    new = await shop.buy(customer_id=guest, total=1_000)
    assert (new.status, new.body["balance"]["available"]) == (201, 10)


async def test_a_merge_into_one_who_is_being_erased_finds_nobody(shop: Shop, office: Office, owner: Db) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000)
    await office.erase("c-42")
    merging = asyncio.create_task(merge(shop, "guest", "c-42"))
    await queue_behind(owner, office.pid)
    await office.end()
    assert (await merging).pointer == "/into"
    assert (await shop.balance("guest"))["available"] == 10


async def test_an_erasure_that_waited_for_a_merge_of_the_record_erases_the_whole_person(
    shop: Shop, office: Office, owner: Db
) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000)
    await office.merge("guest", "c-42")
    erasing = asyncio.create_task(erase(shop, "guest"))
    await queue_behind(owner, office.pid)
    await office.end()
    erased = await erasing
    assert (erased.status, erased.body["closed"]["available"]) == (200, 20)
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404


async def test_two_merges_in_opposite_directions_come_to_one(shop: Shop, office: Office, owner: Db) -> None:
    for name in ("a", "b"):
        await shop.buy(customer_id=name, total=1_000)
    await office.merge("a", "b")
    back = asyncio.create_task(merge(shop, "b", "a"))
    await queue_behind(owner, office.pid)
    await office.end()
    answer = await back
    assert (answer.status, answer.body["balance"]["available"]) == (200, 20)
    assert (await shop.get("/v1/customers/a/balance", Role.ADMIN)).body["customer_id"] == "b"


async def test_merges_in_a_circle_wait_for_each_other_and_never_in_a_circle(
    shop: Shop, office: Office, owner: Db
) -> None:
    """The second would lock what went into its record meanwhile, which the third has, while that waits for its own."""
    for name in ("a", "b", "c"):
        await shop.buy(customer_id=name, total=1_000)
    before = await deadlocks(shop)
    await office.merge("a", "b")
    second = asyncio.create_task(merge(shop, "b", "c"))
    await queue_behind(owner, office.pid)
    third = asyncio.create_task(merge(shop, "c", "a"))
    await queue_behind(owner, office.pid, 2)
    await office.end()
    for answer in (await second, await third):
        assert (answer.status, answer.body["balance"]["available"]) == (200, 30)
    assert await deadlocks(shop) == before


@pytest.mark.parametrize("turn", range(4))
async def test_a_merge_into_one_who_went_into_another_locks_that_one_in_its_order(
    shop: Shop, office: Office, owner: Db, turn: int
) -> None:
    """Behind its own two it would lock a third, which comes before them; who is quicker then is chance."""
    first, second, third = [f"{place}-{turn}" for place in ("first", "second", "third")]
    for name in (first, second, third):
        await shop.buy(customer_id=name, total=1_000)
    before = await deadlocks(shop)
    await office.merge(third, first)
    merging = asyncio.create_task(merge(shop, second, third))
    await queue_behind(owner, office.pid)
    batch = {"purchases": [entry(name) for name in (first, second)]}
    selling = asyncio.create_task(shop.post("/v1/purchases/batch", batch))
    await queue_behind(owner, office.pid, 2)
    await office.end()
    assert (await merging).status == 200
    assert [each["status"] for each in (await selling).body["results"]] == [201, 201]
    assert (await shop.balance(second))["available"] == 50
    assert await deadlocks(shop) == before


async def test_a_voucher_that_is_being_issued_goes_over_with_its_piece(shop: Shop, office: Office, owner: Db) -> None:
    """Who issues it need not hold the customer's lock: the piece is his already."""
    reward = await make(shop)
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    assert shop.database is not None
    piece = await transact(shop.database.connection, lambda db: take(db, shop, reward, "guest"))
    await office.db.execute("BEGIN")
    await issue_piece(office.db, shop, piece)
    merging = asyncio.create_task(merge(shop, "guest", "c-42"))
    await queue_behind(owner, office.pid)
    await office.end()
    assert (await merging).status == 200
    export = await shop.get("/v1/customers/c-42/export", Role.ADMIN)
    assert len(export.body["records"]["vouchers"]) == 1
