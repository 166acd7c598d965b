"""Points given and taken by hand, and the second key that large ones wait for."""

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


async def adjust(shop: Shop, points: int, role: Role = Role.SUPPORT, /, **more: Any) -> Answer:
    body = {"points": points, "reason": "goodwill"} | more
    return await shop.post("/v1/customers/c-42/adjustments", body, role, Idempotency_Key=unique("key"))


async def decide(shop: Shop, adjustment: str, verb: str, role: Role = Role.ADMIN) -> Answer:
    return await shop.post(f"/v1/adjustments/{adjustment}/{verb}", {}, role, Idempotency_Key=unique("key"))


async def waiting(shop: Shop, points: int, role: Role = Role.SUPPORT, /, **more: Any) -> str:
    """Ask for an adjustment above the limit; returns its id."""
    asked = await adjust(shop, points, role, **more)
    assert (asked.status, asked.body["status"], asked.body["transaction_id"]) == (201, "waiting", None), asked.text
    return asked.body["id"]


async def read(shop: Shop, adjustment: str) -> dict[str, Any]:
    answer = await shop.get(f"/v1/adjustments/{adjustment}", Role.SUPPORT)
    assert answer.status == 200, answer.text
    return answer.body


async def history(shop: Shop) -> list[dict[str, Any]]:
    return (await shop.get("/v1/customers/c-42/transactions")).body["data"]


async def test_points_are_given_and_taken_and_the_history_tells_by_which_adjustment(shop: Shop) -> None:
    await shop.buy(total=10_000)
    given = await adjust(shop, 50, note="the parcel came late")
    taken = await adjust(shop, -30, reason="correction")
    assert [each.status for each in (given, taken)] == [201, 201]
    assert given.body["balance"] == NOTHING | {"available": 150}
    assert (taken.body["status"], taken.body["balance"]) == ("booked", NOTHING | {"available": 120})
    moves = await history(shop)
    assert [(each["from"], each["to"], each["points"], each["reason"]) for each in moves[:2]] == [
        ("available", "issued", 30, "adjustment"),
        ("issued", "available", 50, "adjustment"),
    ]
    for each, adjusted in zip(moves, (taken, given), strict=False):
        assert each["id"] == adjusted.body["transaction_id"]
        assert each["cause"] == {"type": "adjustment", "id": adjusted.body["id"]}
    assert (await shop.get("/v1/customers/c-42/balance")).body["lifetime_earned"] == 100
    told = await read(shop, given.body["id"])
    assert (told["customer_id"], told["note"], told["reason"], told["decided_by"]) == (
        "c-42",
        "the parcel came late",
        "goodwill",
        None,
    )
    assert "expires_at" not in told


async def test_more_than_is_available_is_not_taken(shop: Shop) -> None:
    await shop.buy(total=10_000)
    refused = await adjust(shop, -101)
    assert (refused.status, refused.code) == (409, "insufficient_points")
    assert await shop.balance("c-42") == NOTHING | {"available": 100}
    assert (await shop.get("/v1/adjustments", Role.SUPPORT)).body["data"] == []


async def test_an_unknown_customer_is_not_enrolled_by_an_adjustment(shop: Shop) -> None:
    assert (await adjust(shop, 50)).status == 404
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"points": 0}, "/points"),
        ({"points": 10**12 + 1}, "/points"),
        ({"points": -(10**12) - 1}, "/points"),
        ({"points": 1.5}, "/points"),
        ({"reason": "because"}, "/reason"),
        ({"note": ""}, "/note"),
        ({"note": "x" * 501}, "/note"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"points": -1, "expires_at": "2999-01-01T00:00:00Z"}, "/expires_at"),
        ({"customer_id": "c-1"}, "/customer_id"),
    ],
)
async def test_what_is_no_adjustment_is_refused_with_a_pointer(
    shop: Shop, content: dict[str, Any], pointer: str
) -> None:
    await shop.buy(total=10_000)
    assert (await adjust(shop, 5, **content)).pointer == pointer
    assert await shop.balance("c-42") == NOTHING | {"available": 100}


async def test_points_end_as_they_were_given_else_by_the_programs_policy(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await shop.buy(total=0)
    soon = (datetime.now(UTC) + 3 * DAY).isoformat()
    ids = [(await adjust(shop, points, **own)).body["id"] for points, own in ((1, {"expires_at": soon}), (2, {}))]
    ids.append((await adjust(shop, 4, expires_at=None)).body["id"])
    told = [(await read(shop, each)).get("expires_at", "by policy") for each in ids]
    assert [told[1], told[2]] == ["by policy", None]
    assert datetime.fromisoformat(told[0]) == datetime.fromisoformat(soon)
    for days, left in ((4, 6), (8, 4), (4000, 4)):
        await pass_time(owner, shop.program.id, days * DAY)
        assert await shop.balance("c-42") == NOTHING | {"available": left}


async def test_given_points_repay_debt_first(shop: Shop) -> None:
    await shop.buy(id="o-1", total=10_000)
    await adjust(shop, -100)
    await shop.post("/v1/purchases/o-1/refunds", {"id": "r-1", "amount": 10_000})
    assert await shop.balance("c-42") == NOTHING | {"debt": 100}
    assert (await adjust(shop, 130)).body["balance"] == NOTHING | {"available": 30}


async def test_what_is_above_the_limit_waits_until_another_key_approves(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=100)
    await shop.buy(total=0)
    assert (await adjust(shop, 100)).body["status"] == "booked"
    its_id = await waiting(shop, 101)
    assert await shop.balance("c-42") == NOTHING | {"available": 100}
    approved = await decide(shop, its_id, "approve")
    assert (approved.status, approved.body["status"]) == (200, "booked")
    assert approved.body["balance"] == NOTHING | {"available": 201}
    told = await read(shop, its_id)
    assert told["asked_by"] != told["decided_by"]
    assert told["transaction_id"] == approved.body["transaction_id"] == (await history(shop))[0]["id"]
    again = await decide(shop, its_id, "approve")
    assert (again.status, again.body) == (200, approved.body)
    assert (await decide(shop, its_id, "refuse")).code == "adjustment_not_waiting"


async def test_many_small_ones_count_as_one_large_one_for_a_day(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(adjustment_limit=100)
    await shop.buy(total=0)
    await shop.buy(customer_id="c-43", total=0)
    for points in (60, -20, 20):
        assert (await adjust(shop, points)).body["status"] == "booked"
    await waiting(shop, 1)
    body = {"points": 100, "reason": "goodwill"}
    other = await shop.post("/v1/customers/c-43/adjustments", body, Role.SUPPORT, Idempotency_Key=unique("key"))
    assert other.body["status"] == "booked", "another customer"
    assert (await adjust(shop, 100, Role.ADMIN)).body["status"] == "booked", "another key"
    await pass_time(owner, shop.program.id, DAY)
    assert (await adjust(shop, 100)).body["status"] == "booked"


async def test_what_was_approved_does_not_count_towards_the_limit(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=100)
    await shop.buy(total=0)
    its_id = await waiting(shop, 500)
    assert (await adjust(shop, 60)).body["status"] == "booked", "nor does what waits"
    await decide(shop, its_id, "approve")
    assert (await adjust(shop, 40)).body["status"] == "booked"


async def test_neither_the_key_that_asked_nor_one_rotated_from_it_approves(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=0)
    its_id = await waiting(shop, 5, Role.ADMIN)
    refused = await decide(shop, its_id, "approve")
    assert (refused.status, refused.code) == (409, "second_key_needed")
    keys = (await shop.get("/v1/api-keys", Role.ADMIN)).body["data"]
    (own,) = (each["id"] for each in keys if each["role"] == "admin")
    for _ in range(2):  # a successor, and its successor
        rotated = await shop.post(f"/v1/api-keys/{own}/rotate", {}, Role.ADMIN)
        own, shop.keys[Role.ADMIN] = rotated.body["id"], rotated.body["key"]
        assert (await decide(shop, its_id, "approve")).code == "second_key_needed"
    assert (await read(shop, its_id))["status"] == "waiting"
    other = await shop.post("/v1/api-keys", {"role": "admin"}, Role.ADMIN)
    shop.keys[Role.ADMIN] = other.body["key"]
    assert (await decide(shop, its_id, "approve")).body["status"] == "booked"


async def test_who_asked_may_take_it_back_and_what_is_refused_stays_so(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=10_000)
    its_id = await waiting(shop, -5, Role.ADMIN)
    refused, again = [await decide(shop, its_id, "refuse") for _ in range(2)]
    assert (refused.status, refused.body["status"], refused.body["transaction_id"]) == (200, "refused", None)
    assert (again.status, again.body) == (200, refused.body)
    assert (await decide(shop, its_id, "approve")).code == "adjustment_not_waiting"
    assert await shop.balance("c-42") == NOTHING | {"available": 100}


async def test_an_approval_needs_the_points_then_and_it_goes_on_waiting_without_them(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=10_000)
    body = {"customer_id": "c-42", "points": 60}
    its_id = await waiting(shop, -50)
    assert (await adjust(shop, -101)).code == "insufficient_points", "nor is what can't be booked asked for"
    held = await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
    short = await decide(shop, its_id, "approve")
    assert (short.status, short.code) == (409, "insufficient_points")
    assert (await read(shop, its_id))["status"] == "waiting"
    await shop.post(f"/v1/redemptions/{held.body['id']}/release", {}, Idempotency_Key=unique("key"))
    assert (await decide(shop, its_id, "approve")).body["balance"] == NOTHING | {"available": 50}


async def test_points_that_would_have_ended_while_they_waited_are_not_booked(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(adjustment_limit=0)
    await shop.buy(total=0)
    its_id = await waiting(shop, 5, expires_at=(datetime.now(UTC) + DAY).isoformat())
    await pass_time(owner, shop.program.id, DAY)
    assert (await decide(shop, its_id, "approve")).code == "adjustment_ended"
    assert (await decide(shop, its_id, "refuse")).status == 200


async def test_adjustments_are_listed_newest_first_by_status_and_by_customer(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=10)
    for customer in ("c-42", "c-43"):
        await shop.buy(customer_id=customer, total=0)
    booked, large, refused = (await adjust(shop, 10)).body["id"], await waiting(shop, 20), await waiting(shop, 30)
    await decide(shop, refused, "refuse")
    body = {"points": 1, "reason": "fraud"}
    other = await shop.post("/v1/customers/c-43/adjustments", body, Role.ADMIN, Idempotency_Key=unique("key"))

    async def listed(query: str) -> list[str]:
        page = await shop.get(f"/v1/adjustments?{query}", Role.ANALYST)
        assert page.status == 200, page.text
        return [each["id"] for each in page.body["data"]]

    assert await listed("") == [other.body["id"], refused, large, booked]
    assert await listed("status=waiting") == [large]
    assert await listed("customer_id=c-42") == [refused, large, booked]
    assert await listed("customer_id=c-42&status=refused") == [refused]
    assert await listed("customer_id=c-43&status=waiting") == []
    first = (await shop.get("/v1/adjustments?limit=3", Role.ADMIN)).body
    assert (len(first["data"]), first["has_more"]) == (3, True)
    assert await listed(f"limit=3&cursor={first['next_cursor']}") == [booked]
    assert (await shop.get("/v1/adjustments?status=gone", Role.ADMIN)).pointer == "?status"
    assert (await shop.get("/v1/adjustments?customer_id=nobody", Role.ADMIN)).status == 404


async def test_a_repeated_command_repeats_its_answer_and_books_nothing(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=10)
    await shop.buy(total=0)
    path, body = "/v1/customers/c-42/adjustments", {"points": 5, "reason": "goodwill"}
    first, again = [await shop.post(path, body, Role.SUPPORT, Idempotency_Key="the-same") for _ in range(2)]
    assert (again.status, again.text, again.replayed) == (201, first.text, True)
    other = await shop.post(path, body | {"points": 6}, Role.SUPPORT, Idempotency_Key="the-same")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    without = await shop.post(path, body, Role.SUPPORT)
    assert (without.status, without.code) == (400, "idempotency_key_missing")
    tried = await shop.post(f"{path}?dry_run=true", body, Role.SUPPORT)
    assert (tried.status, tried.body["balance"]["available"]) == (200, 10)
    assert await shop.balance("c-42") == NOTHING | {"available": 5}


async def test_a_note_stands_in_one_place_alone(shop: Shop, owner: Db) -> None:
    await shop.buy(customer_id="c-42", total=0)
    await adjust(shop, 5, note="for Ann Nightingale")
    found = await owner.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    holding = {
        row["name"]
        for row in found
        if await owner.fetchval(f"SELECT count(*) FROM {row['name']} AS t WHERE t::text ~ 'Nightingale'")
    }
    assert holding == {"adjustment"}
    kept = await owner.fetchval(
        "SELECT string_agg(answer::text, '') FROM command WHERE program_id = $1", shop.program.id
    )
    assert "c-42" not in kept


async def test_each_thing_that_happens_is_announced(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(adjustment_limit=10)
    await shop.buy(total=0)
    await adjust(shop, 5)
    for verb in ("approve", "refuse"):
        await decide(shop, await waiting(shop, 50), verb)
    rows = await owner.fetch(
        "SELECT type, count(*) AS times FROM outbox WHERE program_id = $1 AND type LIKE 'adjustment.%' GROUP BY type",
        shop.program.id,
    )
    assert {row["type"]: row["times"] for row in rows} == {
        "adjustment.waiting": 2,
        "adjustment.booked": 2,
        "adjustment.refused": 1,
    }


async def test_of_who_is_erased_no_note_is_left_and_nothing_waits(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=10)
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=0)
    path, body = "/v1/customers/guest/adjustments", {"points": 60, "reason": "goodwill", "note": "for Ann"}
    of_guest = await shop.post(path, body, Role.SUPPORT, Idempotency_Key=unique("key"))
    await merge(shop, "guest", "c-42")
    booked = (await adjust(shop, 5, note="for Ann")).body["id"]
    waits, refused = await waiting(shop, 50, note="for Ann"), await waiting(shop, 60)
    await decide(shop, refused, "refuse")
    erased = await shop.call("DELETE", "/v1/customers/c-42", role=Role.ADMIN)
    assert erased.status == 200, erased.text
    told = [await read(shop, each) for each in (of_guest.body["id"], booked, waits, refused)]
    assert [(each["status"], each["note"], each["customer_id"], each["decided_by"] is None) for each in told] == [
        ("refused", None, None, True),
        ("booked", None, None, True),
        ("refused", None, None, True),
        ("refused", None, None, False),
    ]
    for verb in ("approve", "refuse"):
        gone = await decide(shop, waits, verb)
        assert (gone.status, gone.code) == (410, "customer_erased")
    assert (await adjust(shop, 5)).status == 404


async def merge(shop: Shop, source: str, into: str) -> None:
    path = f"/v1/customers/{source}/merge"
    merged = await shop.post(path, {"into": into}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert merged.status == 200, merged.text


async def test_what_waited_for_a_record_that_went_into_another_is_that_ones(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=10)
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=10_000)
    path, body = "/v1/customers/guest/adjustments", {"points": 9, "reason": "goodwill"}
    small = await shop.post(path, body, Role.SUPPORT, Idempotency_Key=unique("key"))
    large = await shop.post(path, body | {"points": -150}, Role.SUPPORT, Idempotency_Key=unique("key"))
    assert (small.body["status"], large.code) == ("booked", "insufficient_points")
    large = await shop.post(path, body | {"points": -100}, Role.SUPPORT, Idempotency_Key=unique("key"))
    await merge(shop, "guest", "c-42")
    approved = await decide(shop, large.body["id"], "approve")
    assert (approved.status, approved.body["balance"]) == (200, NOTHING | {"available": 109})
    assert (await adjust(shop, 2)).body["status"] == "waiting", "the guest's count, too"
    listed = (await shop.get("/v1/adjustments?customer_id=guest", Role.ADMIN)).body["data"]
    assert len(listed) == 3


async def test_an_export_holds_adjustments_with_their_notes(shop: Shop) -> None:
    await shop.buy(total=0)
    its_id = (await adjust(shop, 5, note="for Ann")).body["id"]
    export = await shop.get("/v1/customers/c-42/export", Role.SUPPORT)
    assert export.body["records"]["adjustments"] == [await read(shop, its_id)]


async def test_an_explanation_tells_of_adjustments(shop: Shop) -> None:
    await shop.buy(total=0)
    for points, words in ((5, "gave 5 points by hand."), (-2, "took 2 points away by hand.")):
        adjusted = (await adjust(shop, points)).body
        told = await shop.get(f"/v1/transactions/{adjusted['transaction_id']}/explain", Role.SUPPORT)
        assert told.body["why"] == f"Adjustment {adjusted['id']} {words}"
        assert told.body["lots"][0]["change"] == points
