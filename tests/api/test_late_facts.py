"""A purchase is booked by the settings that applied when it occurred, however late it is reported."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.shop import Answer, Shop, purchase, unique

BEFORE, FROM, AFTER = "2026-01-09T23:59:59.999999Z", "2026-01-10T00:00:00Z", "2026-01-10T00:00:01Z"
WRONG = (
    ("2026-01-10T00:00:00", "naive_time"),
    ("yesterday", "invalid_format"),
    (1_768_003_200, "type"),
    ("0001-01-01T00:00:00Z", "out_of_range"),
    ("0001-01-01T00:00:00+01:00", "out_of_range"),
    ("9999-12-31T23:59:59Z", "in_the_future"),
    ("9999-12-31T23:59:59-01:00", "out_of_range"),
)


def rate(points: int) -> dict[str, Any]:
    """Make settings by which a purchase of 1.00 EUR earns so many points."""
    return {"base_rule": {"rates": {"EUR": {"points": points, "amount": 100}}}}


async def change(shop: Shop, dry: str = "", /, **given: Any) -> Answer:
    return await shop.call("PATCH", f"/v1/program{dry}", given, role=Role.ADMIN)


async def earned(shop: Shop, occurred_at: str, **more: Any) -> int:
    """Report a purchase of 1.00 EUR; returns what it earned."""
    answer = await shop.buy(total=100, occurred_at=occurred_at, **more)
    assert answer.status == 201, answer.text
    return answer.body["points"]["earned"]


async def versions(owner: Db, shop: Shop) -> list[tuple[int, int]]:
    """Read points and version of all that was booked, in order: the transfer's and the line's agree."""
    rows = await owner.fetch(
        """
        SELECT t.points, t.rule_version, (p.lines -> 0 ->> 'version')::integer AS line_version
        FROM transfer AS t INNER JOIN purchase AS p ON t.program_id = p.program_id AND t.id = p.id
        WHERE t.program_id = $1 ORDER BY t.id
        """,
        shop.program.id,
    )
    assert all(row["rule_version"] == row["line_version"] for row in rows)
    return [(row["points"], row["rule_version"]) for row in rows]


async def test_a_change_counts_from_the_moment_on_at_which_it_was_made(shop: Shop, owner: Db) -> None:
    assert (await shop.get("/v1/program", Role.ADMIN)).body["valid_from"] is None
    changed = await change(shop, settings=rate(3))
    assert (changed.status, changed.body["version"]) == (200, 2)
    assert (await shop.get("/v1/program", Role.ADMIN)).body == changed.body
    at = datetime.fromisoformat(changed.body["valid_from"])
    just_before = (at - timedelta(microseconds=1)).isoformat()
    assert [await earned(shop, each) for each in ("2025-01-01T00:00:00Z", just_before, at.isoformat())] == [1, 1, 3]
    assert await versions(owner, shop) == [(1, 1), (1, 1), (3, 2)]


async def test_a_change_can_count_from_an_earlier_moment_and_leaves_what_was_booked(shop: Shop) -> None:
    body = purchase(id="booked", total=100, occurred_at=AFTER)
    booked = await shop.post("/v1/purchases", body)
    changed = await change(shop, settings=rate(3), valid_from="2026-01-10T01:00:00+01:00")
    assert (changed.body["version"], changed.body["valid_from"]) == (2, FROM)
    assert [await earned(shop, at) for at in (BEFORE, FROM, AFTER)] == [1, 3, 3]
    again = await shop.post("/v1/purchases", body)
    assert (again.status, again.text) == (200, booked.text)
    assert booked.body["points"]["earned"] == 1


async def test_of_all_versions_that_are_valid_the_newest_applies(shop: Shop, owner: Db) -> None:
    await change(shop, settings=rate(2), valid_from="2026-01-05T00:00:00Z")
    await change(shop, settings=rate(3), valid_from="2026-01-15T00:00:00Z")
    days = [f"2026-01-{day:02}T12:00:00Z" for day in (4, 5, 9, 10, 14, 15)]
    assert [await earned(shop, day) for day in days] == [1, 2, 2, 2, 2, 3]
    await change(shop, settings=rate(4), valid_from=FROM)
    assert [await earned(shop, day) for day in days] == [1, 2, 2, 4, 4, 4]
    assert (await versions(owner, shop))[6:] == [(1, 1), (2, 2), (2, 2), (4, 4), (4, 4), (4, 4)]


@pytest.mark.parametrize(("valid_from", "reason"), WRONG)
async def test_a_moment_that_is_still_to_come_or_none_is_refused(shop: Shop, valid_from: Any, reason: str) -> None:
    before = await shop.get("/v1/program", Role.ADMIN)
    for settings in (rate(3), {}):
        refused = await change(shop, settings=settings, valid_from=valid_from)
        assert (refused.pointer, refused.body["errors"][0]["code"]) == ("/valid_from", reason)
    assert (await shop.get("/v1/program", Role.ADMIN)).text == before.text


async def test_a_moment_a_minute_ahead_is_refused_too(shop: Shop) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert (await change(shop, settings=rate(3), valid_from=soon)).pointer == "/valid_from"


async def test_the_same_change_again_makes_no_version_and_an_earlier_moment_does(shop: Shop) -> None:
    first = await change(shop, settings=rate(3), valid_from=FROM)
    same: list[dict[str, Any]] = [
        {"settings": rate(3), "valid_from": FROM},
        {"settings": rate(3)},
        {"settings": first.body["settings"], "valid_from": AFTER},
        {"valid_from": FROM},
        {"valid_from": None},
    ]
    for given in same:
        assert (await change(shop, **given)).body == first.body, given
    named = await change(shop, name="New name", valid_from=FROM)
    assert named.body == first.body | {"name": "New name"}
    earlier = await change(shop, valid_from=BEFORE)
    assert (earlier.body["version"], earlier.body["valid_from"]) == (3, BEFORE)
    assert earlier.body["settings"] == first.body["settings"]
    assert await earned(shop, BEFORE) == 3


async def test_dry_runs_say_what_would_be_booked_and_change_nothing(shop: Shop) -> None:
    before = await shop.get("/v1/program", Role.ADMIN)
    dry = await change(shop, "?dry_run=true", settings=rate(9), valid_from=FROM)
    assert (dry.status, dry.body["version"], dry.body["valid_from"]) == (200, 2, FROM)
    assert (await shop.get("/v1/program", Role.ADMIN)).text == before.text
    await change(shop, settings=rate(3), valid_from=FROM)
    for at in (BEFORE, FROM):
        tried = await shop.post("/v1/purchases?dry_run=true", purchase(total=100, occurred_at=at))
        assert tried.status == 200
        assert tried.body["points"]["earned"] == await earned(shop, at)


async def test_each_purchase_of_a_batch_has_the_version_of_its_own_time(shop: Shop, owner: Db) -> None:
    await change(shop, settings=rate(3), valid_from=FROM)
    times = [AFTER, BEFORE, FROM, BEFORE]
    bulk = {"purchases": [purchase(total=100, occurred_at=at) for at in times]}
    results = (await shop.post("/v1/purchases/batch", bulk)).body["results"]
    assert [each["purchase"]["points"]["earned"] for each in results] == [3, 1, 3, 1]
    assert await versions(owner, shop) == [(3, 2), (1, 1), (3, 2), (1, 1)]
    assert await asyncio.gather(*(earned(shop, at) for at in times * 16)) == [3, 1, 3, 1] * 16


async def test_points_of_a_late_purchase_end_by_the_policy_and_the_time_zone_of_then(new_shop: NewShop) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "months": 600}, time_zone="Pacific/Auckland")
    await change(shop, settings={"expiry": "never", "time_zone": "UTC"}, valid_from=FROM)
    for at in (BEFORE, FROM):
        await shop.buy(id=at, total=100, occurred_at=at)
    lots = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    # Bought on the morning of 10 January in Auckland: the last day is 10 January 2076, whose end is before noon in UTC.
    assert [(lot["cause"]["id"], lot["expires_at"]) for lot in lots] == [(FROM, None), (BEFORE, "2076-01-10T11:00:00Z")]


async def test_points_of_a_late_purchase_are_held_back_as_they_were_then(new_shop: NewShop) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 3_650})
    await change(shop, settings={"pending": None}, valid_from=FROM)
    for at in (BEFORE, FROM):
        await shop.buy(total=100, occurred_at=at)
    assert await shop.balance("c-42") == {"available": 1, "pending": 1, "held": 0, "debt": 0}


async def test_a_late_purchase_keeps_points_alive_as_the_policy_of_then_says(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "sliding", "days": 36_500})
    await change(shop, settings={"expiry": {"kind": "sliding", "days": 1}}, valid_from=FROM)
    alive_until = "SELECT alive_until FROM customer WHERE program_id = $1"
    await shop.buy(total=100, occurred_at=datetime.now(UTC).isoformat())
    assert await owner.fetchval(alive_until, shop.program.id) < datetime(2100, 1, 1, tzinfo=UTC)
    await shop.buy(total=100, occurred_at=BEFORE)
    last_day = datetime(2026, 1, 9, tzinfo=UTC) + timedelta(days=36_500)
    assert await owner.fetchval(alive_until, shop.program.id) == last_day + timedelta(days=1)
    assert (await shop.balance("c-42"))["available"] == 2


async def test_what_is_about_now_follows_the_newest_settings(shop: Shop) -> None:
    """How far debt may go, who may come in and how old a fact may be is asked when it is reported."""
    await shop.buy(id="o-1", total=10_000, occurred_at=BEFORE)
    held = await shop.post("/v1/redemptions", {"customer_id": "c-42", "points": 100}, Idempotency_Key=unique("key"))
    await shop.post(f"/v1/redemptions/{held.body['id']}/capture", {}, Idempotency_Key=unique("key"))
    await change(shop, settings={"debt_limit": 30, "enrolment": "explicit"}, valid_from=FROM)
    back = await shop.post("/v1/purchases/o-1/refunds", {"id": "r-1", "amount": 10_000, "occurred_at": BEFORE})
    assert (back.body["points"]["to_debt"], back.body["points"]["written_off"]) == (30, 70)
    assert (await shop.buy(customer_id="new", occurred_at=BEFORE)).code == "customer_unknown"
    await change(shop, settings={"oldest_fact_days": 1}, valid_from=FROM)
    assert (await shop.buy(occurred_at=BEFORE)).pointer == "/occurred_at"


async def test_what_occurred_as_the_calendar_began_is_booked(new_shop: NewShop) -> None:
    """Its notice would have been due in the year 0."""
    notice = {"days": 365}
    shop = await new_shop(expiry={"kind": "rolling", "days": 0, "notice": notice})
    first = "0001-01-01T00:00:01Z"
    assert await earned(shop, first) == 1
    rule = {"id": "r", "name": "r", "state": "active", "valid_from": first, "effect": {"kind": "bonus", "points": 5}}
    expiry = {"kind": "dates", "dates": ["01-02"], "notice": notice | {"required": True}}
    made = await shop.post("/v1/earning-rules", rule | {"expiry": expiry}, Role.MARKETER)
    assert made.status == 201, made.text
    assert await earned(shop, first) == 6
    assert (await shop.balance("c-42"))["available"] == 5  # they end only behind a notice, which comes now
