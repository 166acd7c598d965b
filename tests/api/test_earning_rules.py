"""Earning rules as a marketer sets them: their life, seen from outside."""

from typing import Any

import pytest

from service.platform.roles import Role
from tests.api.operations import RULE
from tests.api.test_events import sequenced
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique

RULES = "/v1/earning-rules"
JANUARY, FEBRUARY, MARCH, APRIL, MAY = (f"2026-0{month}-01T00:00:00Z" for month in range(1, 6))
FAR = "2999-01-01T00:00:00Z"
BASE = 129
"""What a purchase of a shop earns without any other rule."""


async def create(shop: Shop, /, **given: Any) -> Answer:
    return await shop.post(RULES, {"id": unique("rule")} | RULE | given, Role.MARKETER)


async def make(shop: Shop, /, **given: Any) -> dict[str, Any]:
    """Make a rule that gives 50 points for each purchase."""
    made = await create(shop, **given)
    assert made.status == 201, made.text
    return made.body


async def change(shop: Shop, its_id: str, /, query: str = "", **given: Any) -> Answer:
    return await shop.call("PATCH", f"{RULES}/{its_id}{query}", given, role=Role.MARKETER)


async def read(shop: Shop, its_id: str) -> dict[str, Any]:
    found = await shop.get(f"{RULES}/{its_id}", Role.ANALYST)
    assert found.status == 200, found.text
    return found.body


async def listed(shop: Shop, query: str = "") -> list[str]:
    """List the ids of rules."""
    found = await shop.get(RULES + query, Role.SUPPORT)
    assert found.status == 200, found.text
    return [rule["id"] for rule in found.body["data"]]


async def versions(shop: Shop, its_id: str) -> list[int]:
    found = await shop.get(f"{RULES}/{its_id}/versions", Role.ANALYST)
    return [version["version"] for version in found.body["data"]]


async def earned(shop: Shop, occurred_at: str) -> int:
    """Tell what a purchase earns that occurred at a moment."""
    bought = await shop.buy(occurred_at=occurred_at)
    assert bought.status == 201, bought.text
    return bought.body["points"]["earned"]


async def test_a_rule_is_made_with_what_was_left_out_and_read_again(shop: Shop) -> None:
    made = await make(shop, id="welcome")
    assert {name: made[name] for name in made if name not in {"valid_from", "recorded_at"}} == {
        "id": "welcome",
        "version": 1,
        "status": "draft",
        "state": "draft",
        "name": "A welcome",
        "effect": {"kind": "bonus", "points": 50},
        "activity": None,
        "group": None,
        "conditions": {"purchase": None, "items": None, "customer": None, "time": None, "expression": None},
        "limits": [],
        "pending": None,
        "expiry": None,
        "ends_at": None,
    }
    assert made["valid_from"] == made["recorded_at"]
    assert await read(shop, "welcome") == made
    (version,) = (await shop.get(f"{RULES}/welcome/versions", Role.ANALYST)).body["data"]
    assert version == {name: value for name, value in made.items() if name != "status"}


async def test_the_life_of_a_rule_leaves_the_past_alone(shop: Shop) -> None:
    made = await make(shop, id="spring", valid_from=JANUARY)
    assert (made["status"], await earned(shop, JANUARY)) == ("draft", BASE)
    life: tuple[tuple[dict[str, Any], str], ...] = (
        ({"state": "active", "valid_from": JANUARY}, "active"),
        ({"effect": {"kind": "bonus", "points": 70}, "valid_from": FEBRUARY}, "active"),
        ({"state": "paused", "valid_from": MARCH}, "paused"),
        ({"state": "active", "valid_from": APRIL}, "active"),
        ({"state": "ended", "valid_from": MAY}, "ended"),
    )
    for number, (given, status) in enumerate(life, start=2):
        changed = await change(shop, "spring", **given)
        assert (changed.status, changed.body["version"], changed.body["status"]) == (200, number, status)
        assert changed.body["valid_from"] == given["valid_from"]
        assert await read(shop, "spring") == changed.body
    moments = ("2025-12-31T23:59:59Z", JANUARY, "2026-01-31T23:59:59Z", FEBRUARY, MARCH, APRIL, MAY)
    assert [await earned(shop, moment) - BASE for moment in moments] == [0, 50, 50, 70, 0, 70, 0]
    assert await versions(shop, "spring") == [6, 5, 4, 3, 2, 1]
    for given in ({"state": "active"}, {"name": "Again"}, {"state": "ended", "valid_from": FAR}):
        refused = await change(shop, "spring", **given)
        assert (refused.status, refused.code) == (409, "definition_ended"), given


async def test_a_rule_applies_as_soon_as_it_is_saved(shop: Shop) -> None:
    bought = await shop.buy(occurred_at=FEBRUARY)
    assert bought.body["points"]["earned"] == BASE
    await make(shop, id="winter", state="active", valid_from=JANUARY)
    assert await earned(shop, FEBRUARY) == BASE + 50
    await change(shop, "winter", state="ended", valid_from=JANUARY)
    assert await earned(shop, FEBRUARY) == BASE


async def test_what_is_to_come_is_scheduled_and_keeps_its_moment(shop: Shop) -> None:
    made = await make(shop, id="later", state="active", valid_from="2999-01-01T02:00:00+02:00")
    assert (made["status"], made["valid_from"]) == ("scheduled", FAR)
    edited = await change(shop, "later", name="Later")
    assert (edited.body["version"], edited.body["status"], edited.body["valid_from"]) == (2, "scheduled", FAR)
    ended = await change(shop, "later", state="ended")
    assert ended.body["status"] == "ended"


async def test_what_is_over_by_itself_has_ended_and_can_go_on(shop: Shop) -> None:
    made = await make(shop, id="short", state="active", valid_from=JANUARY, ends_at=MARCH)
    assert (made["status"], made["state"]) == ("ended", "active")
    assert [await earned(shop, moment) - BASE for moment in (FEBRUARY, MARCH)] == [50, 0]
    longer = await change(shop, "short", ends_at=None, valid_from=JANUARY)
    assert longer.body["status"] == "active"
    assert await earned(shop, MARCH) == BASE + 50


async def test_members_are_replaced_whole_and_the_others_stay(shop: Shop) -> None:
    conditions = {"purchase": {"channels": ["web"]}, "time": {"weekdays": [6, 7]}}
    made = await make(shop, id="a", group="best", conditions=conditions, limits=[{"every": "day", "times": 1}])
    changed = (await change(shop, "a", conditions={"purchase": {"minimum": {"EUR": 1000}}}, group=None)).body
    assert changed["conditions"]["time"] is None
    assert changed["conditions"]["purchase"] == {"minimum": {"EUR": 1000}, "currencies": [], "channels": []}
    assert (changed["group"], changed["limits"], changed["name"]) == (None, made["limits"], made["name"])


async def test_nothing_to_change_makes_no_version(shop: Shop) -> None:
    made = await make(shop, id="a", state="active")
    for given in ({}, {"name": made["name"]}, {"state": "active"}, {"valid_from": made["valid_from"]}):
        same = await change(shop, "a", **given)
        assert (same.status, same.body) == (200, made), given
    assert await versions(shop, "a") == [1]


async def test_who_saw_an_older_version_changes_nothing(shop: Shop) -> None:
    await make(shop, id="a")
    assert (await change(shop, "a", name="Mine", version=1)).body["version"] == 2
    refused = await change(shop, "a", name="Yours", version=1)
    assert (refused.status, refused.code) == (409, "version_conflict")
    assert (await read(shop, "a"))["name"] == "Mine"


async def test_nothing_becomes_a_draft_again_and_a_draft_is_not_paused(shop: Shop) -> None:
    await make(shop, id="a")
    await make(shop, id="b", state="active")
    for its_id, state in (("a", "paused"), ("b", "draft")):
        refused = await change(shop, its_id, state=state)
        assert (refused.status, refused.code) == (409, "state_not_reachable"), its_id


async def test_an_id_is_taken_once_in_a_program(shop: Shop, new_shop: NewShop) -> None:
    await make(shop, id="a")
    taken = await create(shop, id="a")
    assert (taken.status, taken.code) == (409, "definition_exists")
    await change(shop, "a", state="ended")
    assert (await create(shop, id="a")).status == 409, "what was booked names it"
    await make(await new_shop(), id="a")


async def test_the_same_call_with_its_idempotency_key_makes_one_rule(shop: Shop) -> None:
    body = {"id": "a"} | RULE
    answers = [await shop.post(RULES, body, Role.ADMIN, Idempotency_Key="k-1") for _ in range(3)]
    assert [(each.status, each.text, each.replayed) for each in answers[1:]] == [(201, answers[0].text, True)] * 2
    other = await shop.post(RULES, body | {"name": "Another"}, Role.ADMIN, Idempotency_Key="k-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_a_dry_run_shows_what_would_be_and_keeps_nothing(shop: Shop) -> None:
    dry = await shop.post(f"{RULES}?dry_run=true", {"id": "a", "state": "active"} | RULE, Role.MARKETER)
    assert (dry.status, dry.body["status"], dry.body["version"]) == (200, "active", 1)
    assert await listed(shop) == []
    made = await make(shop, id="a")
    changed = await change(shop, "a", "?dry_run=true", state="active")
    assert (changed.status, changed.body["status"], changed.body["version"]) == (200, "active", 2)
    assert await read(shop, "a") == made
    assert (await change(shop, "a", "?dry_run=true", effect={"kind": "bonus"})).pointer == "/effect/points"


WRONG: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"name": ""}, "/name", "out_of_range"),
    ({"name": None}, "/name", "type"),
    ({"nope": 1}, "/nope", "unknown_field"),
    ({"status": "active"}, "/status", "unknown_field"),
    ({"state": "gone"}, "/state", "invalid_format"),
    ({"valid_from": "2026-01-01T00:00:00"}, "/valid_from", "naive_time"),
    ({"valid_from": "0001-01-01T00:00:00Z"}, "/valid_from", "out_of_range"),
    ({"valid_from": FEBRUARY, "ends_at": FEBRUARY}, "/ends_at", "out_of_range"),
    ({"ends_at": "soon"}, "/ends_at", "invalid_format"),
    ({"group": "Best"}, "/group", "invalid_format"),
    ({"effect": None}, "/effect", "type"),
    ({"effect": {"points": 5}}, "/effect/kind", "missing"),
    ({"effect": {"kind": "gift"}}, "/effect/kind", "invalid_format"),
    ({"effect": {"kind": "bonus", "points": -1}}, "/effect/points", "out_of_range"),
    ({"effect": {"kind": "bonus", "points": 1.5}}, "/effect/points", "type"),
    ({"effect": {"kind": "bonus", "points": 5, "basis_points": 1}}, "/effect/basis_points", "unknown_field"),
    (
        {"effect": {"kind": "amount", "rates": {"EUX": {"points": 1, "amount": 1}}}},
        "/effect/rates/EUX",
        "unknown_currency",
    ),
    ({"effect": {"kind": "multiplier", "basis_points": 10_000}}, "/effect/basis_points", "out_of_range"),
    ({"activity": "survey", "effect": {"kind": "visit", "points": 5}}, "/effect/kind", "not_for_activities"),
    ({"activity": "survey", "conditions": {"purchase": {}}}, "/conditions/purchase", "not_for_activities"),
    ({"activity": "invoice.payed"}, "/activity", "invalid_format"),
    (
        {"activity": "invoice.paid", "conditions": {"expression": "activity.properties.streek > 2"}},
        "/conditions/expression",
        "unknown_variable",
    ),
    ({"conditions": {"weather": {}}}, "/conditions/weather", "unknown_field"),
    (
        {"conditions": {"customer": {"attributes": {"a": [1], "b": []}}}},
        "/conditions/customer/attributes/b",
        "out_of_range",
    ),
    ({"conditions": {"customer": {"attributes": {"a": [1, {}]}}}}, "/conditions/customer/attributes/a/1", "type"),
    ({"conditions": {"customer": {"tier": ["gold"]}}}, "/conditions/customer/tier", "unknown_field"),
    (
        {"conditions": {"customer": {"birthday": {"days_before": 61}}}},
        "/conditions/customer/birthday/days_before",
        "out_of_range",
    ),
    ({"conditions": {"purchase": {"minimum": {"XXX": 5}}}}, "/conditions/purchase/minimum/XXX", "unknown_currency"),
    ({"conditions": {"time": {"weekdays": [1, 8]}}}, "/conditions/time/weekdays/1", "out_of_range"),
    (
        {"conditions": {"time": {"hours": [{"from": "9:00", "to": "17:00"}]}}},
        "/conditions/time/hours/0/from",
        "invalid_format",
    ),
    (
        {"conditions": {"time": {"dates": [{"from": "2026-02-02", "to": "2026-02-01"}]}}},
        "/conditions/time/dates/0/to",
        "out_of_range",
    ),
    *(
        (
            {"conditions": {"customer": {name: {"least": 3, "most": 2}}}},
            f"/conditions/customer/{name}/most",
            "out_of_range",
        )
        for name in ("purchase_numbers", "enrolled_days", "days_since_last_purchase")
    ),
    ({"limits": [{"every": "day"}]}, "/limits/0", "missing"),
    ({"limits": [{"every": "day", "points": 5}, {"every": "day", "times": 5}]}, "/limits/1", "duplicate"),
    ({"limits": [{"every": "decade", "points": 5}]}, "/limits/0/every", "invalid_format"),
    ({"pending": {"kind": "after"}}, "/pending/days", "missing"),
    ({"expiry": {"kind": "sliding", "days": 5}}, "/expiry/kind", "invalid_format"),
    ({"expiry": {"kind": "rolling"}}, "/expiry/months", "missing"),
    ({"expiry": {"kind": "dates", "dates": ["12-31", "12-31"]}}, "/expiry/dates/1", "duplicate"),
    (
        {
            "conditions": {
                "customer": {
                    "tiers": ["g" * 63] * 50,
                    "attributes": {f"a{number}": ["v" * 500] * 2 for number in range(20)},
                }
            }
        },
        "",
        "too_large",
    ),
)


@pytest.mark.parametrize(("given", "pointer", "reason"), WRONG, ids=lambda value: str(value)[:60])
async def test_what_can_be_no_rule_is_refused_where_it_stands(
    shop: Shop, given: dict[str, Any], pointer: str, reason: str
) -> None:
    made = await make(shop, id="a")
    for refused in (await create(shop, **given), await change(shop, "a", **given)):
        assert refused.pointer == pointer, refused.text
        assert refused.body["errors"][0]["code"] == reason
    assert await read(shop, "a") == made
    assert await listed(shop) == ["a"]


async def test_only_a_new_rule_has_an_id_and_only_a_change_has_seen_a_version(shop: Shop) -> None:
    assert (await create(shop, version=1)).pointer == "/version"
    assert (await create(shop, state="paused")).pointer == "/state"
    await make(shop, id="a")
    assert (await change(shop, "a", id="b")).pointer == "/id"
    assert (await change(shop, "a", state=None)).pointer == "/state"
    assert (await change(shop, "a", version=0)).pointer == "/version"


async def test_an_id_is_short_and_plain_and_not_that_of_the_programs_own_rule(shop: Shop) -> None:
    for its_id in ("", "A", "1", "-a", "a b", "a/b", "ä", "a" * 64, "a\n"):
        assert (await create(shop, id=its_id)).pointer == "/id", its_id
    reserved = await create(shop, id="base")
    assert (reserved.pointer, reserved.body["errors"][0]["code"]) == ("/id", "reserved")
    for its_id in ("a", "a" * 63, "a-1_b", "base-2"):
        await make(shop, id=its_id)


async def test_what_nobody_has_or_another_program_is_404(shop: Shop, new_shop: NewShop) -> None:
    await make(await new_shop(), id="theirs")
    for its_id in ("nothing", "theirs", "base", "A", "%20", "a%2Fb", "%C3%A4", "a" * 129):
        for path in (f"{RULES}/{its_id}", f"{RULES}/{its_id}/versions"):
            assert (await shop.get(path, Role.ADMIN)).code == "not_found", path
        assert (await change(shop, its_id, name="Mine")).code == "not_found", its_id
    assert await listed(shop) == []


async def test_rules_are_listed_newest_first_by_pages_and_by_where_they_stand(shop: Shop) -> None:
    made = [(await make(shop, state="draft" if number == 2 else "active"))["id"] for number in range(5)]
    await change(shop, made[1], state="paused")
    await change(shop, made[0], state="ended")
    await make(shop, id="later", state="active", valid_from=FAR)
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = (await shop.get(f"{RULES}?limit=2{cursor}", Role.MARKETER)).body
        seen += [rule["id"] for rule in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    assert seen == ["later", *made[::-1]]
    by_status = {status: await listed(shop, f"?status={status}") for status in ("draft", "active", "paused", "ended")}
    assert by_status == {
        "draft": [made[2]],
        "active": [made[4], made[3]],
        "paused": [made[1]],
        "ended": [made[0]],
    }
    assert await listed(shop, "?status=scheduled") == ["later"]
    first = (await shop.get(f"{RULES}?status=active&limit=1", Role.MARKETER)).body
    assert await listed(shop, f"?status=active&limit=1&cursor={first['next_cursor']}") == [made[3]]
    assert (await shop.get(f"{RULES}?status=gone", Role.MARKETER)).pointer == "?status"


async def test_versions_are_listed_newest_first_by_pages(shop: Shop) -> None:
    await make(shop, id="a")
    for number in range(2, 6):
        await change(shop, "a", name=f"Name {number}")
    seen, cursor = list[tuple[int, str]](), ""
    while cursor is not None:
        page = (await shop.get(f"{RULES}/a/versions?limit=2{cursor}", Role.MARKETER)).body
        seen += [(version["version"], version["name"]) for version in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    assert seen == [(5, "Name 5"), (4, "Name 4"), (3, "Name 3"), (2, "Name 2"), (1, "A welcome")]


async def test_each_version_is_an_event(shop: Shop) -> None:
    await make(shop, id="a", valid_from=JANUARY)
    await change(shop, "a", state="active", valid_from=FEBRUARY)
    await change(shop, "a")  # nothing
    await create(shop, id="a")  # refused
    await sequenced(shop)
    events = await shop.get("/v1/events?types=earning_rule.created,earning_rule.changed", Role.MARKETER)
    told = [(event["type"], event["customer_id"], event["data"]) for event in events.body["data"]]
    assert told == [
        ("earning_rule.created", None, {"id": "a", "version": 1, "state": "draft", "valid_from": JANUARY}),
        ("earning_rule.changed", None, {"id": "a", "version": 2, "state": "active", "valid_from": FEBRUARY}),
    ]
