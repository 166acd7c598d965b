"""The feed as callers read it: in order, without gaps, in pages or as it comes."""

import asyncio
from typing import Any, cast

import pytest

from service.events import usecases
from service.events.sequencing import move_all
from service.news import KINDS
from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Shop, purchase, unique


async def read_all(shop: Shop, query: str = "limit=200", cursor: str | None = None) -> list[dict[str, Any]]:
    """Read the feed to its end, page by page."""
    events, more = list[dict[str, Any]](), True
    while more:
        at = f"&cursor={cursor}" if cursor else ""
        page = (await shop.get(f"/v1/events?{query}{at}", Role.ADMIN)).body
        events, cursor, more = events + page["data"], page["next_cursor"], page["has_more"]
    return events


async def sequenced(shop: Shop) -> None:
    """Let the sequencer give all that happened its place."""
    assert shop.database is not None
    while await move_all(shop.database):
        pass


async def test_a_purchase_is_told_with_what_it_earned(shop: Shop) -> None:
    answer = await shop.buy(id="order/1", customer_id="c-1", total=12990)
    assert answer.status == 201
    await sequenced(shop)
    enrolled, rewarded = await read_all(shop)
    assert enrolled["type"] == "customer.enrolled"
    assert rewarded["id"].startswith("evt_")
    assert rewarded["timestamp"].endswith("Z")
    assert rewarded["customer_ref"] == enrolled["customer_ref"]
    assert {name: rewarded[name] for name in rewarded.keys() - {"id", "timestamp", "customer_ref"}} == {
        "type": "purchase.rewarded",
        "version": 1,
        "position": 2,
        "customer_id": "c-1",
        "data": {
            "purchase_id": "order/1",
            "currency": "EUR",
            "total": 12990,
            "earned": 129,
            "pending": 0,
            "balance": {"available": 129, "pending": 0, "held": 0, "debt": 0},
            "occurred_at": "2026-01-02T10:00:00Z",
        },
    }


async def test_a_refund_is_told_with_what_it_took_back(shop: Shop) -> None:
    await shop.buy(id="order-1", customer_id="c-1", total=12990)
    refund = {"id": "r-1", "amount": 5000, "occurred_at": "2026-01-03T10:00:00Z"}
    assert (await shop.post("/v1/purchases/order-1/refunds", refund)).status == 201
    await sequenced(shop)
    told = (await read_all(shop))[-1]
    assert (told["type"], told["data"]) == (
        "purchase.refunded",
        {
            "purchase_id": "order-1",
            "refund_id": "r-1",
            "amount": 5000,
            "reversed": 50,
            "restored": 0,
            "balance": {"available": 79, "pending": 0, "held": 0, "debt": 0},
            "occurred_at": "2026-01-03T10:00:00Z",
        },
    )


async def test_what_has_no_place_yet_is_not_told(shop: Shop) -> None:
    await shop.buy()
    page = (await shop.get("/v1/events", Role.BILLING)).body
    assert page["data"] == []
    assert page["has_more"] is False
    await sequenced(shop)
    assert len(await read_all(shop, cursor=page["next_cursor"])) == 2


async def test_pages_go_on_where_the_one_before_ended_also_at_the_end(shop: Shop) -> None:
    for _ in range(5):
        await shop.buy()
    await sequenced(shop)
    assert [event["position"] for event in await read_all(shop, "limit=2")] == [1, 2, 3, 4, 5, 6]
    end = (await shop.get("/v1/events", Role.ADMIN)).body["next_cursor"]
    assert await read_all(shop, cursor=end) == []
    await shop.buy()
    await sequenced(shop)
    assert [event["position"] for event in await read_all(shop, cursor=end)] == [7]


async def test_events_of_some_types_alone(shop: Shop) -> None:
    for _ in range(3):
        await shop.buy(customer_id=unique("c"))
    await sequenced(shop)
    enrolled = await read_all(shop, "limit=2&types=customer.enrolled")
    assert {event["type"] for event in enrolled} == {"customer.enrolled"}
    assert len(enrolled) == 3
    assert len(await read_all(shop, "types=customer.enrolled,purchase.rewarded")) == 6


async def test_programs_see_their_own_events_only_and_each_counts_from_one(new_shop: NewShop) -> None:
    mine, other = await new_shop(), await new_shop()
    await mine.buy(customer_id="mine")
    await other.buy(customer_id="other")
    await sequenced(mine)
    for shop, name in ((mine, "mine"), (other, "other")):
        events = await read_all(shop)
        assert [event["position"] for event in events] == [1, 2]
        assert {event["customer_id"] for event in events} == {name}


async def test_who_waits_is_told_as_soon_as_something_has_its_place(shop: Shop) -> None:
    waiting = asyncio.create_task(shop.get("/v1/events?wait=15", Role.ADMIN))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await shop.buy()
    await sequenced(shop)
    async with asyncio.timeout(10):
        page = (await waiting).body
    assert page["data"]
    assert page["data"][0]["position"] == 1


async def test_who_waits_for_types_is_not_disturbed_by_others(shop: Shop) -> None:
    await shop.buy()
    await sequenced(shop)
    query = "/v1/events?wait=15&types=purchase.refunded"
    waiting = asyncio.create_task(shop.get(query, Role.ADMIN))
    await shop.buy()
    await sequenced(shop)
    await asyncio.sleep(0.3)
    assert not waiting.done()
    bought = await shop.buy()
    await shop.post(f"/v1/purchases/{bought.body['id']}/refunds", {"id": "r", "amount": 100})
    await sequenced(shop)
    async with asyncio.timeout(10):
        assert [event["type"] for event in (await waiting).body["data"]] == ["purchase.refunded"]


async def test_who_waits_for_types_is_given_a_place_in_a_long_feed_to_go_on_from(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.events.usecases._LOOKED_THROUGH_AT_ONCE", 2)
    for _ in range(4):
        await shop.buy()
    await sequenced(shop)
    query, cursor, pages = "/v1/events?wait=1&types=purchase.refunded", "", list[dict[str, Any]]()
    while not pages or pages[-1]["has_more"]:
        pages.append((await shop.get(f"{query}{cursor}", Role.ADMIN)).body)
        cursor = f"&cursor={pages[-1]['next_cursor']}"
    assert [(page["data"], page["has_more"]) for page in pages] == [([], True), ([], True), ([], False)]


async def test_who_waits_for_types_looks_for_them_only_when_they_have_come(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = 0, usecases.read

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*arguments, **named)

    monkeypatch.setattr(usecases, "read", counted)
    bought = await shop.buy()
    await sequenced(shop)
    query = "/v1/events?wait=15&types=purchase.refunded"
    waiting = [asyncio.create_task(shop.get(query, Role.ADMIN)) for _ in range(5)]
    for _ in range(4):
        await shop.buy()
        await sequenced(shop)
        await asyncio.sleep(0.25)
    assert reads == 5
    await shop.post(f"/v1/purchases/{bought.body['id']}/refunds", {"id": "r", "amount": 100})
    await sequenced(shop)
    async with asyncio.timeout(10):
        assert [len((await each).body["data"]) for each in waiting] == [1] * 5
    assert reads == 10


async def test_where_there_is_nothing_to_tell_nothing_is_asked() -> None:
    assert await KINDS.tell(cast("Db", None), program_id=1, events=[]) == []


async def test_waiting_ends_with_nothing_where_nothing_comes(shop: Shop) -> None:
    page = (await shop.get("/v1/events?wait=1", Role.ADMIN)).body
    assert page["data"] == []
    assert page["next_cursor"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("cursor=abc", "?cursor"),
        ("cursor=__________8", "?cursor"),
        ("wait=16", "?wait"),
        ("wait=-1", "?wait"),
        ("wait=x", "?wait"),
        ("limit=0", "?limit"),
        ("types=", "?types"),
        ("types=purchase.rewarded,purchase.eaten", "?types"),
    ],
)
async def test_a_bad_question_is_refused_with_a_pointer(shop: Shop, query: str, pointer: str) -> None:
    assert (await shop.get(f"/v1/events?{query}", Role.ADMIN)).pointer == pointer


async def test_an_erased_customer_is_named_by_no_event_but_by_the_reference_that_all_had(shop: Shop) -> None:
    await shop.buy(customer_id="gone@example.com")
    await shop.buy(customer_id="stays")
    await sequenced(shop)
    references = {event["customer_id"]: event["customer_ref"] for event in await read_all(shop)}
    assert len(set(references.values())) == 2
    assert (await shop.call("DELETE", "/v1/customers/gone@example.com", role=Role.ADMIN)).status == 200
    await sequenced(shop)
    events = await read_all(shop)
    assert events[-1]["type"] == "customer.erased"
    assert events[-1]["customer_ref"] == references["gone@example.com"]
    assert {event["customer_id"] for event in events} == {None, "stays"}
    assert "gone@example" not in str(events)


async def test_under_64_writers_each_event_is_seen_once_in_an_order_that_never_changes(shop: Shop) -> None:
    database = shop.database
    assert database is not None
    writing, seen = True, list[dict[str, Any]]()

    async def write(writer: int) -> None:
        for _ in range(8):
            body = purchase(customer_id=f"c-{writer % 20}")
            assert (await shop.post("/v1/purchases", body)).status == 201

    async def keep_sequencing() -> None:
        while writing:
            await move_all(database)

    async def follow() -> None:
        cursor = ""
        while writing or not seen or len(seen) < 64 * 8 + 20:
            page = (await shop.get(f"/v1/events?limit=50&wait=1{cursor}", Role.ADMIN)).body
            seen.extend(page["data"])
            cursor = f"&cursor={page['next_cursor']}"

    sequencers = [asyncio.create_task(keep_sequencing()) for _ in range(3)]
    following = asyncio.create_task(follow())
    await asyncio.gather(*[write(writer) for writer in range(64)])
    writing = False
    await asyncio.gather(*sequencers)
    await sequenced(shop)
    async with asyncio.timeout(30):
        await following
    assert [event["position"] for event in seen] == [*range(1, 64 * 8 + 20 + 1)]
    assert len({event["id"] for event in seen}) == len(seen)
    assert await read_all(shop) == seen
