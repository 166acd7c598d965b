"""The life of points, through HTTP, over months: held back, confirmed, spent, given back, expired."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time

DAY = timedelta(days=1)
NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}


def now() -> str:
    return datetime.now(UTC).isoformat()


async def command(shop: Shop, path: str, body: dict[str, Any] | None = None) -> Answer:
    return await shop.post(path, body or {}, Idempotency_Key=unique("key"))


async def redeem(shop: Shop, points: int, **more: Any) -> Answer:
    return await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": points} | more)


async def history(shop: Shop) -> list[tuple[str, str, str, int]]:
    """Read the customer's transfers, the oldest first."""
    listed = await shop.get("/v1/customers/c-42/transactions")
    return [(each["reason"], each["from"], each["to"], each["points"]) for each in reversed(listed.body["data"])]


async def test_points_are_held_back_for_a_while_and_then_there_without_anybody_doing_anything(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 14})
    bought = await shop.buy(occurred_at=now())
    assert bought.body["points"] == {"earned": 129, "pending": 129, "lines": bought.body["points"]["lines"]}
    assert bought.body["balance"] == NOTHING | {"pending": 129}
    assert (await redeem(shop, 1)).code == "insufficient_points"
    await pass_time(owner, shop.program.id, 13 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"pending": 129}
    await pass_time(owner, shop.program.id, DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 129}
    assert (await redeem(shop, 129)).body["balance"] == NOTHING | {"held": 129}
    assert await history(shop) == [
        ("purchase", "issued", "pending", 129),
        ("activation", "pending", "available", 129),
        ("redemption", "available", "held", 129),
    ]


async def test_points_that_a_caller_confirms_are_there_at_once_and_others_lapse(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "lapse"})
    for number in (1, 2):
        assert (await shop.buy(id=f"o-{number}", occurred_at=now())).status == 201
    first = await command(shop, "/v1/purchases/o-1/confirm")
    assert (first.status, first.body["balance"]) == (200, NOTHING | {"available": 129, "pending": 129})
    again = await command(shop, "/v1/purchases/o-1/confirm")
    assert (again.status, again.body) == (200, first.body)
    await pass_time(owner, shop.program.id, 32 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 129}
    late = await command(shop, "/v1/purchases/o-2/confirm")
    assert (late.status, late.code) == (409, "points_lapsed")
    assert (await command(shop, "/v1/purchases/o-1/confirm")).status == 200


async def test_points_end_with_their_day_whether_or_not_anybody_books_it(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30})
    await shop.buy(occurred_at=now(), total=10_000)
    await pass_time(owner, shop.program.id, 20 * DAY)
    await shop.buy(occurred_at=now(), total=5_000)
    balance = (await shop.get("/v1/customers/c-42/balance")).body
    assert (balance["available"], balance["next_expiry"]["points"]) == (150, 100)
    await pass_time(owner, shop.program.id, 12 * DAY)
    balance = (await shop.get("/v1/customers/c-42/balance")).body
    assert (balance["available"], balance["next_expiry"]["points"]) == (50, 50)
    assert (await redeem(shop, 51)).code == "insufficient_points"
    held = await redeem(shop, 50)
    assert held.status == 201
    assert ("expiry", "available", "expired", 100) in await history(shop)


async def test_what_is_reported_late_has_ended_when_its_time_is_over(new_shop: NewShop) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "months": 1})
    bought = await shop.buy(occurred_at="2026-01-02T10:00:00Z")
    assert (bought.body["points"]["earned"], bought.body["balance"]) == (129, NOTHING)
    assert await history(shop) == [
        ("purchase", "issued", "available", 129),
        ("expiry", "available", "expired", 129),
    ]


async def test_who_stays_active_keeps_all_and_who_is_away_for_too_long_loses_all(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "sliding", "days": 60})
    for _ in range(3):
        await shop.buy(occurred_at=now(), total=10_000)
        await pass_time(owner, shop.program.id, 50 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 300}
    await pass_time(owner, shop.program.id, 12 * DAY)
    assert await shop.balance("c-42") == NOTHING
    back = await shop.buy(occurred_at=now(), total=10_000)
    assert back.body["balance"] == NOTHING | {"available": 100}


async def test_points_held_back_end_too_with_their_customer_being_away_for_too_long(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "sliding", "days": 2}, pending={"kind": "after", "days": 14})
    await shop.buy(occurred_at=now())
    await pass_time(owner, shop.program.id, 4 * DAY)
    # Nobody booked it, and they would not have been available for days to come.
    assert await shop.balance("c-42") == NOTHING


async def test_the_first_activity_that_counts_is_noted_for_points_that_were_there_before(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "sliding", "days": 2, "counts": ["redemption"]})
    await shop.buy(occurred_at=now())
    purchases_count = {"settings": {"expiry": {"kind": "sliding", "days": 2}}}
    assert (await shop.call("PATCH", "/v1/program", purchases_count, role=Role.ADMIN)).status == 200
    await shop.buy(occurred_at=now(), total=0)
    await pass_time(owner, shop.program.id, 4 * DAY)
    assert await shop.balance("c-42") == NOTHING


async def test_a_redemption_is_captured_in_part_and_the_rest_goes_back(shop: Shop) -> None:
    await shop.buy(total=10_000)
    held = await redeem(shop, 80, order_id="order-7")
    assert held.status == 201
    assert held.body["value"] == {"amount": 80, "currency": "EUR"}
    captured = await command(shop, f"/v1/redemptions/{held.body['id']}/capture", {"points": 30})
    assert (captured.status, captured.body["status"], captured.body["captured"]) == (200, "captured", 30)
    assert captured.body["balance"] == NOTHING | {"available": 70}
    again = await command(shop, f"/v1/redemptions/{held.body['id']}/capture", {"points": 30})
    assert (again.status, again.body) == (200, captured.body)
    for path, body in (("capture", {"points": 31}), ("release", {})):
        assert (await command(shop, f"/v1/redemptions/{held.body['id']}/{path}", body)).code == "hold_not_open"


async def test_a_redemption_that_nobody_ends_lapses_and_can_not_be_captured_then(shop: Shop, owner: Db) -> None:
    await shop.buy(total=10_000)
    held = await redeem(shop, 80, expires_in=60)
    await pass_time(owner, shop.program.id, timedelta(seconds=61))
    assert await shop.balance("c-42") == NOTHING | {"available": 100}
    assert (await shop.get(f"/v1/redemptions/{held.body['id']}")).body["status"] == "lapsed"
    assert (await command(shop, f"/v1/redemptions/{held.body['id']}/capture")).code == "hold_not_open"
    assert (await redeem(shop, 100)).status == 201
    released = await command(shop, f"/v1/redemptions/{held.body['id']}/release")
    assert (released.status, released.body["status"]) == (200, "lapsed")


async def test_points_that_come_back_after_their_end_are_gone_and_a_capture_stays_valid(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await shop.buy(occurred_at=now(), total=10_000)
    kept, spent = [await redeem(shop, 40, expires_in=30 * 86_400) for _ in range(2)]
    await pass_time(owner, shop.program.id, 12 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"held": 80}
    captured = await command(shop, f"/v1/redemptions/{spent.body['id']}/capture")
    assert captured.body["balance"] == NOTHING | {"held": 40}
    released = await command(shop, f"/v1/redemptions/{kept.body['id']}/release")
    assert released.body["balance"] == NOTHING
    moves = [each[1:] for each in await history(shop)]
    assert moves.count(("held", "expired", 40)) == 1
    assert ("available", "expired", 20) in moves


@pytest.mark.parametrize("points", [0, -1, 10**12 + 1, "5", 1.5, None])
async def test_a_number_of_points_that_none_is_is_refused(shop: Shop, points: Any) -> None:
    assert (await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": points})).pointer == "/points"


async def test_points_are_redeemed_as_the_program_says(new_shop: NewShop) -> None:
    shop = await new_shop(point_value={"points": 100, "amount": 150, "minimum": 50, "step": 10})
    await shop.buy(total=10_000)
    for points in (40, 55):
        assert (await redeem(shop, points)).pointer == "/points"
    assert (await redeem(shop, 70)).body["value"] == {"amount": 105, "currency": "EUR"}


async def test_a_dry_run_holds_nothing_and_needs_no_key(shop: Shop) -> None:
    await shop.buy(total=10_000)
    tried = await shop.post("/v1/redemptions?dry_run=true", {"customer_id": "c-42", "points": 100})
    assert (tried.status, tried.body["balance"]) == (200, NOTHING | {"held": 100})
    assert await shop.balance("c-42") == NOTHING | {"available": 100}
    without = await shop.post("/v1/redemptions", {"customer_id": "c-42", "points": 100})
    assert (without.status, without.code) == (400, "idempotency_key_missing")


async def test_a_repeated_command_repeats_its_answer_and_does_nothing(shop: Shop) -> None:
    await shop.buy(total=10_000)
    body = {"customer_id": "c-42", "points": 60}
    first, again = [await shop.post("/v1/redemptions", body, Idempotency_Key="the-same") for _ in range(2)]
    assert (again.status, again.text, again.replayed) == (201, first.text, True)
    other = await shop.post("/v1/redemptions", body | {"points": 1}, Idempotency_Key="the-same")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert await shop.balance("c-42") == NOTHING | {"available": 40, "held": 60}


async def test_nobody_redeems_for_who_is_not_there(shop: Shop) -> None:
    refused = await redeem(shop, 1)
    assert (refused.status, refused.code) == (422, "customer_unknown")
    assert (await shop.get("/v1/redemptions/hold_" + "0" * 32, Role.ADMIN)).status == 404


async def test_what_is_reported_when_nobody_can_confirm_it_any_more_lapses_as_it_would_have(
    new_shop: NewShop, owner: Db
) -> None:
    """Else a checkout that was cut off would give for good what one that reports in time gives only if confirmed."""
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "lapse"})
    await shop.buy(id="first", occurred_at=now(), total=1_000)
    await pass_time(owner, shop.program.id, 32 * DAY)
    late = await shop.buy(id="late", occurred_at="2026-01-02T10:00:00Z")
    assert (late.body["points"]["earned"], late.body["points"]["pending"], late.body["balance"]) == (129, 0, NOTHING)
    assert (await command(shop, "/v1/purchases/late/confirm")).code == "points_lapsed"
    listed = (await shop.get("/v1/customers/c-42/transactions")).body["data"][:2]
    assert [(each["reason"], each["to"], each["occurred_at"]) for each in listed] == [
        ("lapse", "expired", "2026-02-02T00:00:00Z"),
        ("purchase", "pending", "2026-01-02T10:00:00Z"),
    ]
    explained = await shop.get(f"/v1/transactions/{listed[0]['id']}/explain")
    assert "lapsed at 2026-02-02 00:00 UTC: nobody had confirmed by then." in explained.text
    refunded = await shop.post("/v1/purchases/late/refunds", {"id": "r-1", "amount": 12_990})
    assert (refunded.status, refunded.body["points"]["reversed"], refunded.body["balance"]) == (201, 0, NOTHING)
    # What waits no more becomes available, where the program says so.
    other = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "activate"})
    assert (await other.buy()).body["balance"] == NOTHING | {"available": 129}
