"""Customers who come from another system with points, or with debt."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time

NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}
DAY = timedelta(days=1)
EARNED = "2025-03-01T09:00:00Z"


def opening(*points: int, **more: Any) -> dict[str, Any]:
    lots = [{"points": each, "earned_at": EARNED} for each in points]
    return {"id": unique("old"), "customer_id": "c-42", "lots": lots} | more


async def bring(shop: Shop, *balances: dict[str, Any], dry: str = "", **headers: str) -> Answer:
    answer = await shop.post(f"/v1/opening-balances{dry}", {"balances": balances}, Role.ADMIN, **headers)
    assert answer.status == 200, answer.text
    return answer


def results(answer: Answer) -> list[tuple[int, Any]]:
    """Read each result: its status, and the points that it brought or the code of its problem."""
    return [
        (each["status"], each["opening_balance"]["points"] if "problem" not in each else each["problem"]["code"])
        for each in answer.body["results"]
    ]


async def history(shop: Shop) -> list[tuple[str, str, str, int]]:
    data = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    return [(each["reason"], each["from"], each["to"], each["points"]) for each in reversed(data)]


async def test_a_balance_comes_with_its_lots_and_their_expiries(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30})
    now = datetime.now(UTC)
    lots = [
        {"points": 100, "earned_at": EARNED, "expires_at": (now + 5 * DAY).isoformat()},
        {"points": 50, "earned_at": EARNED, "expires_at": None},
        {"points": 30, "earned_at": (now - 20 * DAY).isoformat()},
        {"points": 7, "earned_at": (now - 1 * DAY).isoformat(), "available_at": (now + 2 * DAY).isoformat()},
    ]
    answer = await bring(shop, opening(lots=lots, id="old-1"))
    assert answer.body["results"] == [
        {
            "status": 201,
            "opening_balance": {
                "id": "old-1",
                "customer_id": "c-42",
                "points": 187,
                "debt": 0,
                "balance": NOTHING | {"available": 180, "pending": 7},
                "tier": None,
            },
        }
    ]
    balance = (await shop.get("/v1/customers/c-42/balance")).body
    assert (balance["lifetime_earned"], balance["next_expiry"]["points"]) == (0, 100)
    told = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert [each["granted"] for each in reversed(told)] == [100, 50, 30, 7]
    assert {tuple(each["cause"].values()) for each in told} == {("opening_balance", "old-1")}
    first = (await shop.get("/v1/customers/c-42/transactions")).body["data"][-1]
    assert (first["reason"], first["occurred_at"]) == ("opening_balance", EARNED)
    for days, left in ((3, 187), (3, 87), (6, 57), (400, 50)):
        await pass_time(owner, shop.program.id, days * DAY)
        assert (await shop.balance("c-42"))["available"] == left, days


async def test_each_is_booked_once_and_its_first_answer_is_repeated(shop: Shop) -> None:
    first = opening(100, id="old-1")
    one = await bring(shop, first)
    await shop.buy(total=10_000)
    again = await bring(shop, first, opening(100, id="old-1", debt=0), opening(101, id="old-1"))
    assert results(again) == [(200, 100), (200, 100), (409, "opening_balance_conflict")]
    assert again.body["results"][0]["opening_balance"] == one.body["results"][0]["opening_balance"]
    assert await shop.balance("c-42") == NOTHING | {"available": 200}
    elsewhere = await bring(shop, opening(100, id="old-1", customer_id="c-1"))
    assert results(elsewhere) == [(409, "opening_balance_conflict")]


async def test_one_id_is_one_balance_whoever_it_is_told_of(shop: Shop) -> None:
    answer = await bring(shop, opening(100, id="old-1"), opening(100, id="old-1", customer_id="c-43"))
    assert results(answer) == [(201, 100), (409, "opening_balance_conflict")]
    assert (await shop.get("/v1/customers/c-43/balance")).status == 404, "nobody is enrolled for nothing"


async def test_it_adds_to_what_there_is_and_several_of_one_customer_see_each_other(shop: Shop) -> None:
    await shop.buy(total=10_000)
    answer = await bring(shop, opening(10), opening(20), opening(debt=5, lots=[]))
    seen = [each["opening_balance"]["balance"]["available"] for each in answer.body["results"]]
    assert seen == [110, 130, 125]
    assert (await history(shop))[1:] == [
        ("opening_balance", "issued", "available", 10),
        ("opening_balance", "issued", "available", 20),
        ("opening_balance", "debt", "issued", 5),
        ("debt_repayment", "available", "debt", 5),
    ]


async def test_a_debt_is_brought_and_repaid_by_what_is_earned_later(shop: Shop) -> None:
    await bring(shop, opening(debt=150))
    assert await shop.balance("c-42") == NOTHING | {"debt": 150}
    assert (await shop.buy(total=20_000)).body["balance"] == NOTHING | {"available": 50}


async def test_an_entrys_fault_is_its_own_and_tells_where_it_is(shop: Shop) -> None:
    good = opening(1)
    bad: list[tuple[Any, str]] = [
        (opening(1, debt=1), "/debt"),
        (opening(0), "/lots/0/points"),
        (opening(10**12, 1), "/lots"),
        (opening(lots=[{"points": 1}]), "/lots/0/earned_at"),
        (opening(lots=[{"points": 1, "earned_at": "2999-01-01T00:00:00Z"}]), "/lots/0/earned_at"),
        (opening(lots=[{"points": 1, "earned_at": "0001-01-01T00:00:00+14:00"}]), "/lots/0/earned_at"),
        (opening(lots=[{"points": 1, "earned_at": EARNED, "expires_at": EARNED}]), "/lots/0/expires_at"),
        (
            opening(lots=[{"points": 1, "earned_at": EARNED, "available_at": "2999-01-01T00:00:00Z"}]),
            "/lots/0/available_at",
        ),
        (opening(1) | {"customer_id": ""}, "/customer_id"),
        (opening(1) | {"more": 1}, "/more"),
        ({"id": "x", "customer_id": "c-1"}, "/lots"),
        (opening(debt=-1), "/debt"),
        (5, ""),
    ]
    answer = await bring(shop, good, *(entry for entry, _ in bad), opening(2))
    told = answer.body["results"]
    assert [told[0]["status"], told[-1]["status"]] == [201, 201]
    assert [each["problem"]["errors"][0]["pointer"] for each in told[1:-1]] == [pointer for _, pointer in bad]
    assert await shop.balance("c-42") == NOTHING | {"available": 3}


ENVELOPES: tuple[dict[str, Any], ...] = (
    {},
    {"balances": []},
    {"balances": [{}] * 501},
    {"balances": [{}], "more": 1},
)


@pytest.mark.parametrize("body", ENVELOPES)
async def test_a_fault_of_the_envelope_refuses_all(shop: Shop, body: dict[str, Any]) -> None:
    refused = await shop.post("/v1/opening-balances", body, Role.ADMIN)
    assert (refused.status, refused.pointer.split("/")[1]) == (422, "more" if "more" in body else "balances")


async def test_who_is_unknown_is_enrolled_unless_the_program_wants_that_said(new_shop: NewShop) -> None:
    shop = await new_shop(enrolment="explicit")
    await shop.call("PUT", "/v1/customers/c-42", {}, role=Role.ADMIN)
    answer = await bring(shop, opening(1), opening(1, customer_id="c-43"))
    assert results(answer) == [(201, 1), (422, "customer_unknown")]
    assert (await shop.get("/v1/customers/c-43/balance")).status == 404


async def test_a_customer_may_bring_nothing_and_is_enrolled(shop: Shop) -> None:
    assert results(await bring(shop, opening())) == [(201, 0)]
    assert await shop.balance("c-42") == NOTHING
    assert results(await bring(shop, opening(id="old-9"), opening(id="old-9"))) == [(201, 0), (200, 0)]


async def test_a_dry_run_brings_nothing(shop: Shop) -> None:
    tried = await bring(shop, opening(5, id="old-1"), opening(6), dry="?dry_run=true")
    assert results(tried) == [(201, 5), (201, 6)]
    assert tried.body["results"][1]["opening_balance"]["balance"]["available"] == 11
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404
    assert results(await bring(shop, opening(5, id="old-1"))) == [(201, 5)]


async def test_a_call_with_a_key_is_replayed_whole_and_keeps_no_names(shop: Shop, owner: Db) -> None:
    body = (opening(5, id="old-1", customer_id="ann@example.org"), {"id": "old-2"})
    first, again = [await bring(shop, *body, Idempotency_Key="k-1") for _ in range(2)]
    assert (again.text, again.replayed) == (first.text, True)
    assert results(again) == [(201, 5), (422, "invalid_content")]
    other = await shop.post("/v1/opening-balances", {"balances": [opening(1)]}, Role.ADMIN, Idempotency_Key="k-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    kept = await owner.fetchval("SELECT answer::text FROM command WHERE program_id = $1", shop.program.id)
    assert "ann" not in kept


async def test_many_are_taken_at_once_and_what_is_too_much_for_one_call_is_told(shop: Shop) -> None:
    lots = [{"points": 1, "earned_at": EARNED} for _ in range(10)]
    many = [opening(customer_id=f"c-{number}", lots=lots) for number in range(500)]
    answer = await bring(shop, *many)
    assert {each["status"] for each in answer.body["results"]} == {201}
    assert {tuple((await shop.balance(f"c-{number}")).values()) for number in (0, 499)} == {(10, 0, 0, 0)}
    more = [opening(customer_id="c-0", lots=lots * 50) for _ in range(11)]
    answer = await bring(shop, *more)
    assert [each["status"] for each in answer.body["results"]] == [201] * 10 + [422]
    assert answer.body["results"][-1]["problem"]["errors"][0]["pointer"] == "/lots"


async def test_policies_are_those_of_when_the_points_were_earned(shop: Shop) -> None:
    """As of purchases that are reported late: settings apply to what occurred while they did."""
    settings = {"settings": {"expiry": {"kind": "rolling", "months": 1200}}, "valid_from": "2025-06-01T00:00:00Z"}
    assert (await shop.call("PATCH", "/v1/program", settings, role=Role.ADMIN)).status == 200
    lots = [{"points": 1, "earned_at": f"2025-{month}-01T12:00:00Z"} for month in ("05", "07")]
    await bring(shop, opening(lots=lots))
    told = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert [each["expires_at"] for each in reversed(told)] == [None, "2125-07-02T00:00:00Z"]


async def test_a_balance_of_an_erased_customer_is_gone_and_that_of_a_merged_one_replays(shop: Shop) -> None:
    guest, erased = opening(5, id="old-1", customer_id="guest"), opening(7, id="old-2", customer_id="gone")
    first = await bring(shop, guest, erased, opening(1))
    headers = {"Idempotency-Key": unique("key")}
    await shop.call("POST", "/v1/customers/guest/merge", {"into": "c-42"}, role=Role.ADMIN, headers=headers)
    await shop.call("DELETE", "/v1/customers/gone", role=Role.ADMIN)
    again = await bring(shop, guest, erased, opening(2, customer_id="guest"), opening(3))
    assert results(again) == [(200, 5), (410, "customer_erased"), (201, 2), (201, 3)]
    assert again.body["results"][0] == first.body["results"][0] | {"status": 200}
    assert await shop.balance("c-42") == NOTHING | {"available": 11}
    export = (await shop.get("/v1/customers/c-42/export", Role.ADMIN)).body["records"]["opening_balances"]
    assert sorted(each["points"] for each in export) == [1, 2, 3, 5]


async def test_an_explanation_tells_of_opening_balances(shop: Shop) -> None:
    await bring(shop, opening(5, id="old-1"), opening(id="old-2", debt=9))
    data = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    told = [(await shop.get(f"/v1/transactions/{each['id']}/explain")).body["why"] for each in reversed(data)]
    assert told == [
        "Opening balance old-1 brought 5 points from elsewhere.",
        "Opening balance old-2 brought a debt of 9 points from elsewhere.",
        "5 points from opening balance old-2 repaid what was owed.",
    ]
