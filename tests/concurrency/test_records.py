"""Records are merged and erased while tills go on: every point is where it must be, whoever was first."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from service.platform.transaction import transact
from tests.concurrency.office import deadlocks, entry, erase, merge
from tests.conftest import NewShop
from tests.jobs import settle_due
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, NOTHING, command, now
from tests.stories.test_records import redeem
from tests.vouchers import issue, make, take

TURNS = range(4)


async def at_once(turn: int, *calls: Coroutine[Any, Any, Answer]) -> list[Answer]:
    """Make calls at once, sent off in another order each turn; gives the answers in the order told."""
    tasks = dict[int, asyncio.Task[Answer]]()
    for place in random.Random(turn).sample(range(len(calls)), len(calls)):
        tasks[place] = asyncio.create_task(calls[place])
        if random.Random(turn + place).random() < 0.2:
            await asyncio.sleep(0.001)
    return [await tasks[place] for place in range(len(calls))]


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


@pytest.mark.parametrize("turn", TURNS)
async def test_what_is_sold_under_both_ids_during_a_merge_is_the_customers(shop: Shop, turn: int) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000)
    sold = [shop.buy(customer_id=("guest", "c-42")[number % 2], total=1_000) for number in range(40)]
    merged, *bought = await at_once(turn, merge(shop, "guest", "c-42"), *sold)
    assert (merged.status, set(statuses(bought))) == (200, {201})
    for name in ("guest", "c-42"):
        standing = (await shop.get(f"/v1/customers/{name}/balance")).body
        told = (standing["customer_id"], standing["available"], standing["lifetime_earned"])
        assert told == ("c-42", 420, 420)


@pytest.mark.parametrize("spent_before", [30, 100], ids=["some points left", "all points spent"])
@pytest.mark.parametrize("turn", TURNS)
async def test_refunds_captures_and_releases_meet_a_merge_and_nothing_is_lost_or_won(
    shop: Shop, turn: int, spent_before: int
) -> None:
    """Where all is spent, refunds make debt of one record before the merge, and take the other's points behind it."""
    for number in range(10):
        await shop.buy(id=f"o-{number}", customer_id="guest", total=1_000)
    await shop.buy(id="kept", customer_id="c-42", total=10_000)
    paid = await redeem(shop, "guest", spent_before - 20, order_id="o-0")
    captured, released = await redeem(shop, "guest", 10), await redeem(shop, "guest", 10)
    merged, *others = await at_once(
        turn,
        merge(shop, "guest", "c-42"),
        command(shop, f"/v1/redemptions/{paid}/capture"),
        command(shop, f"/v1/redemptions/{captured}/capture", {"points": 4}),
        command(shop, f"/v1/redemptions/{released}/release"),
        *(
            shop.post(f"/v1/purchases/o-{number}/refunds", {"id": f"r-{number}-{part}", "amount": 500})
            for number in range(1, 6)
            for part in range(2)
        ),
    )
    assert (merged.status, statuses(others)) == (200, [200] * 3 + [201] * 10)
    assert await shop.balance("guest") == NOTHING | {"available": 200 - (spent_before - 20) - 4 - 50}
    # What paid for the first purchase comes back with it, to whom both are now.
    back = await shop.post("/v1/purchases/o-0/refunds", {"id": "r-0", "amount": 1_000})
    assert (back.body["points"]["restored"], back.body["points"]["reversed"]) == (spent_before - 20, 10)
    assert await shop.balance("c-42") == NOTHING | {"available": 136}


@pytest.mark.parametrize("turn", TURNS)
async def test_two_records_that_go_into_each_other_are_one_of_the_two(shop: Shop, turn: int) -> None:
    for name in ("a", "b"):
        await shop.buy(customer_id=name, total=1_000)
    calls = [merge(shop, *names) for names in (("a", "b"), ("b", "a")) for _ in range(5)]
    sold = [shop.buy(customer_id="ab"[number % 2], total=1_000) for number in range(10)]
    before = await deadlocks(shop)
    answers = await at_once(turn, *calls, *sold)
    assert statuses(answers) == [200] * 10 + [201] * 10
    names = {(await shop.get(f"/v1/customers/{name}/balance")).body["customer_id"] for name in "ab"}
    assert len(names) == 1
    assert await shop.balance("a") == NOTHING | {"available": 120}
    assert await deadlocks(shop) == before


@pytest.mark.parametrize("turn", TURNS)
async def test_records_that_go_into_each_other_in_a_circle_are_one_in_the_end(shop: Shop, turn: int) -> None:
    names = "abcd"
    for name in names:
        await shop.buy(customer_id=name, total=1_000)
    pairs = [(name, names[(place + 1) % len(names)]) for place, name in enumerate(names)]
    before = await deadlocks(shop)
    answers = await at_once(
        turn,
        *(merge(shop, *pair) for pair in pairs),
        *(shop.post("/v1/purchases/batch", {"purchases": [entry(name) for name in names[::-1]]}) for _ in range(3)),
    )
    # The last of the circle finds that both are one by then.
    assert set(statuses(answers)) == {200}
    ends = {(await shop.get(f"/v1/customers/{name}/balance")).body["customer_id"] for name in names}
    assert len(ends) == 1
    assert await shop.balance("a") == NOTHING | {"available": 40 + 3 * 40}
    assert await deadlocks(shop) == before


@pytest.mark.parametrize("turn", TURNS)
async def test_ten_guests_go_into_one_customer_at_once_and_bring_all_that_they_have(shop: Shop, turn: int) -> None:
    guests = [f"guest-{number}" for number in range(10)]
    for guest in guests:
        await shop.buy(customer_id=guest, total=1_000)
    await shop.buy(customer_id="c-42", total=1_000)
    bulk = [entry(name) for name in [*guests[::-1], "c-42"]]
    before = await deadlocks(shop)
    answers = await at_once(
        turn,
        shop.post("/v1/purchases/batch", {"purchases": bulk}),
        *(merge(shop, guest, "c-42") for guest in guests),
        *(merge(shop, guests[0], "c-42") for _ in range(5)),
    )
    assert set(statuses(answers)) == {200}
    assert {each["status"] for each in answers[0].body["results"]} == {201}
    assert await shop.balance("c-42") == NOTHING | {"available": 220}
    assert await deadlocks(shop) == before


@pytest.mark.parametrize("turn", TURNS)
async def test_what_is_sold_during_an_erasure_is_erased_or_of_somebody_new(shop: Shop, owner: Db, turn: int) -> None:
    await shop.buy(total=1_000)
    orders = [unique("order") for _ in range(40)]
    sold = [shop.buy(id=order, total=1_000, channel="web", metadata={"a": 1}) for order in orders]
    erased, *bought = await at_once(turn, erase(shop, "c-42"), *sold)
    assert (erased.status, set(statuses(bought))) == (200, {201})
    gone = [order for order in orders if (await shop.get(f"/v1/purchases/{order}")).body["customer_id"] is None]
    closed = erased.body["closed"]["available"]
    assert closed == 10 + 10 * len(gone)
    left = await owner.fetchval(
        "SELECT coalesce(sum(available), 0) FROM customer WHERE program_id = $1", shop.program.id
    )
    assert closed + left == 10 + 10 * len(orders)
    if len(gone) < len(orders):
        assert await shop.balance("c-42") == NOTHING | {"available": left}


@pytest.mark.parametrize("turn", TURNS)
async def test_what_is_asked_during_an_erasure_is_done_before_it_or_gone(shop: Shop, turn: int) -> None:
    for number in range(5):
        await shop.buy(id=f"o-{number}", total=1_000)
    held = [await redeem(shop, "c-42", 5) for _ in range(4)]
    erased, *answers = await at_once(
        turn,
        erase(shop, "c-42"),
        *(command(shop, f"/v1/redemptions/{each}/capture", {"points": 3}) for each in held[:2]),
        *(command(shop, f"/v1/redemptions/{each}/release") for each in held[2:]),
        *(shop.post(f"/v1/purchases/o-{each}/refunds", {"id": f"r-{each}", "amount": 1_000}) for each in range(5)),
        *(command(shop, f"/v1/purchases/o-{each}/confirm") for each in range(5)),
    )
    assert erased.status == 200
    assert set(statuses(answers)) <= {200, 201, 410}
    captures, refunds = statuses(answers[:2]).count(200), statuses(answers[4:9]).count(201)
    closed = erased.body["closed"]
    assert closed["available"] + closed["held"] - closed["debt"] == 50 - 3 * captures - 10 * refunds
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404
    assert (await command(shop, f"/v1/redemptions/{held[0]}/capture")).status == 410


@pytest.mark.parametrize("turn", TURNS)
async def test_a_merge_and_erasures_of_both_leave_nobody_behind(shop: Shop, owner: Db, turn: int) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000, channel="web")
    erasures = [erase(shop, name) for name in ("c-42", "guest")[: 1 + turn % 2]]
    merged, *erased = await at_once(turn, merge(shop, "guest", "c-42"), *erasures)
    assert merged.status in {200, 404, 422}
    assert erased[0].status in {200, 404}
    closed = sum(each.body["closed"]["available"] for each in erased if each.status == 200)
    left = await owner.fetchval("SELECT sum(available) FROM customer WHERE program_id = $1", shop.program.id)
    assert closed + left == 20
    if merged.status == 200 or len(erased) == 2:
        assert left == 0
    for name in ("guest", "c-42"):
        new = await shop.buy(customer_id=name, total=1_000)
        assert new.status == 201


@pytest.mark.parametrize("turn", TURNS)
async def test_the_job_that_settles_meets_merges_and_erasures(
    new_shop: NewShop, database: Database, owner: Db, turn: int
) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 1})
    names = [f"c-{number}" for number in range(30)]
    await asyncio.gather(*(shop.buy(customer_id=name, occurred_at=now(), total=1_000) for name in names))
    await pass_time(owner, shop.program.id, 2 * DAY)
    settling = asyncio.create_task(settle_due(database))
    answers = await at_once(
        turn,
        *(merge(shop, guest, into) for guest, into in zip(names[:10], names[10:20], strict=True)),
        *(erase(shop, name) for name in names[20:]),
    )
    await settling
    assert set(statuses(answers)) == {200}
    assert {each.body["closed"]["available"] for each in answers[10:]} == {10}
    for name in names[:20]:
        assert await shop.balance(name) == NOTHING | {"available": 20}


@pytest.mark.parametrize("turn", TURNS)
async def test_who_reads_during_a_merge_sees_both_before_it_or_one_behind_it(shop: Shop, turn: int) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000)
    paths = [f"/v1/customers/{name}/balance" for name in ("guest", "c-42") for _ in range(30)]
    merged, *read = await at_once(turn, merge(shop, "guest", "c-42"), *(shop.get(path) for path in paths))
    assert merged.status == 200
    seen = {(each.body["customer_id"], each.body["available"]) for each in read}
    assert seen <= {("guest", 10), ("c-42", 10), ("c-42", 20)}


@pytest.mark.parametrize("turn", TURNS)
async def test_vouchers_and_pieces_meet_a_merge_and_an_erasure(shop: Shop, database: Database, turn: int) -> None:
    """Vouchers are used while they change their owner; pieces are taken under one name and given back under another."""
    reward = await make(shop, stock=10, voucher={"uses": 5})
    issued = await issue(shop, reward, "guest")
    await shop.buy(customer_id="c-42")
    for name in ("guest", "c-42"):
        await transact(database.connection, lambda db, name=name: take(db, shop, reward, name))
    orders = [{"order_id": unique("order"), "amount": 5_000, "currency": "EUR"} for _ in range(8)]
    path = f"/v1/vouchers/{issued.code}/redeem"

    async def taking(name: str) -> Answer:
        await transact(database.connection, lambda db: take(db, shop, reward, name))
        return Answer(200, {}, "")

    merged, *used = await at_once(
        turn,
        merge(shop, "guest", "c-42"),
        *(command(shop, path, order) for order in orders),
        *(taking(name) for name in ("guest", "c-42")),
    )
    assert merged.status == 200
    assert sorted(statuses(used[:8])) == [200] * 5 + [409] * 3
    assert (await shop.get(f"/v1/rewards/{reward}")).body["left"] == 10 - 5
    export = await shop.get("/v1/customers/c-42/export", Role.ADMIN)
    assert [each["used"] for each in export.body["records"]["vouchers"]] == [5]
    erased, again = await at_once(turn, erase(shop, "guest"), command(shop, path, orders[0]))
    assert erased.status == 200
    assert again.status == statuses(used)[0]  # the order that was there before, or one too many
    # Those that were only held are given back, the issued one stays.
    assert (await shop.get(f"/v1/rewards/{reward}")).body["left"] == 10 - 1
