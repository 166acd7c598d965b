"""What a customer has, and how it came to be."""

import asyncio
from datetime import datetime
from itertools import pairwise
from typing import Any

from service.platform.roles import Role
from tests.shop import Shop, purchase


async def pages(shop: Shop, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """Read a list to its end."""
    read, cursor = list[list[dict[str, Any]]](), ""
    while True:
        page = (await shop.get(f"{path}?limit={limit}{cursor}")).body
        read.append(page["data"])
        if not page["has_more"]:
            assert page["next_cursor"] is None
            return read
        assert len(page["data"]) == limit
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_balance_is_to_the_letter(shop: Shop) -> None:
    await shop.buy(total=12_990)
    await shop.buy(total=50)
    answer = await shop.get("/v1/customers/c-42/balance")
    assert answer.status == 200
    assert answer.body == {
        "customer_id": "c-42",
        "available": 129,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "lifetime_earned": 129,
        "next_expiry": None,
        "tier": None,
    }


async def test_who_was_enrolled_and_bought_nothing_has_nothing(shop: Shop) -> None:
    await shop.call("PUT", "/v1/customers/c-1", {})
    balance = (await shop.get("/v1/customers/c-1/balance")).body
    assert {name: balance[name] for name in ("available", "pending", "held", "debt", "lifetime_earned")} == {
        "available": 0,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "lifetime_earned": 0,
    }
    for below in ("transactions", "lots"):
        listed = await shop.get(f"/v1/customers/c-1/{below}")
        assert listed.body == {"data": [], "has_more": False, "next_cursor": None}


async def test_an_unknown_customer_is_404_everywhere(shop: Shop) -> None:
    for below in ("/balance", "/transactions", "/lots", "/transactions?limit=1", "/lots?limit=1", ""):
        answer = await shop.get(f"/v1/customers/nobody{below}", Role.ADMIN)
        assert (answer.status, answer.code) == (404, "not_found")


async def test_a_transaction_is_to_the_letter(shop: Shop) -> None:
    await shop.buy(id="order/1", occurred_at="2026-01-02T11:00:00.5+01:00")
    (entry,) = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    recorded = datetime.fromisoformat(entry.pop("recorded_at"))
    assert recorded.utcoffset() is not None
    assert entry.pop("id").startswith("txn_")
    assert entry == {
        "reason": "purchase",
        "from": "issued",
        "to": "available",
        "points": 129,
        "cause": {"type": "purchase", "id": "order/1"},
        "balance_after": {"available": 129, "pending": 0, "held": 0, "debt": 0},
        "occurred_at": "2026-01-02T10:00:00.500000Z",
    }


async def test_a_lot_is_to_the_letter(shop: Shop) -> None:
    await shop.buy(id="order/1")
    (lot,) = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert datetime.fromisoformat(lot.pop("available_at")).utcoffset() is not None
    assert lot == {
        "granted": 129,
        "remaining": 129,
        "expires_at": None,
        "cause": {"type": "purchase", "id": "order/1"},
    }


async def test_history_is_newest_first_by_pages_and_adds_up(shop: Shop) -> None:
    orders = [f"order-{number}" for number in range(11)]
    for number, order in enumerate(orders):
        await shop.buy(id=order, total=number * 100)
    for limit in (1, 3, 10, 11, 200):
        read = await pages(shop, "/v1/customers/c-42/transactions", limit)
        entries = [entry for page in read for entry in page]
        assert [entry["cause"]["id"] for entry in entries] == orders[:0:-1]  # nothing is booked for 0 points
        assert len({entry["id"] for entry in entries}) == 10
    for newer, older in pairwise(entries):
        assert newer["balance_after"]["available"] == older["balance_after"]["available"] + newer["points"]
        assert newer["recorded_at"] >= older["recorded_at"]
    assert entries[0]["balance_after"] == await shop.balance("c-42")


async def test_lots_add_up_to_what_is_available(shop: Shop) -> None:
    for number in range(7):
        await shop.buy(id=f"order-{number}", total=1000 + number * 100)
    lots = [lot for page in await pages(shop, "/v1/customers/c-42/lots", 3) for lot in page]
    assert [lot["cause"]["id"] for lot in lots] == [f"order-{number}" for number in reversed(range(7))]
    assert sum(lot["remaining"] for lot in lots) == (await shop.balance("c-42"))["available"]


async def test_a_page_read_while_purchases_come_in_misses_and_repeats_nothing(shop: Shop) -> None:
    for number in range(6):
        await shop.buy(id=f"old-{number}")
    first = (await shop.get("/v1/customers/c-42/transactions?limit=3")).body
    await asyncio.gather(*(shop.buy(id=f"new-{number}") for number in range(5)))
    second = (await shop.get(f"/v1/customers/c-42/transactions?limit=3&cursor={first['next_cursor']}")).body
    read = [entry["cause"]["id"] for entry in first["data"] + second["data"]]
    assert read == [f"old-{number}" for number in reversed(range(6))]
    assert second["has_more"] is False


async def test_customers_of_one_program_do_not_mix(shop: Shop) -> None:
    await shop.post(
        "/v1/purchases/batch",
        {"purchases": [purchase(customer_id=f"c-{number % 3}", total=100 * (number % 3 + 1)) for number in range(30)]},
    )
    for number in range(3):
        assert (await shop.balance(f"c-{number}"))["available"] == 10 * (number + 1)
        history = (await shop.get(f"/v1/customers/c-{number}/transactions")).body["data"]
        assert [entry["points"] for entry in history] == [number + 1] * 10


async def test_many_readers_at_once_see_one_balance(shop: Shop) -> None:
    await shop.buy()
    paths = ["/v1/customers/nobody/balance", "/v1/customers/c-42/balance"] * 50
    answers = await asyncio.gather(*(shop.get(path) for path in paths))
    assert [answer.status for answer in answers] == [404, 200] * 50
    assert len({answer.text for answer in answers if answer.status == 200}) == 1
