"""Activities over HTTP: what is answered, refused, repeated, read again."""

from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.activities import activity, declare, earned, report, reward
from tests.api.test_events import sequenced
from tests.conftest import NewShop
from tests.rulebook import SINCE
from tests.shop import Shop

FIFTY = {"available": 50, "pending": 0, "held": 0, "debt": 0}
REVIEW: dict[str, Any] = {
    "product": {"type": "string", "required": True, "most": 5},
    "stars": {"type": "integer", "required": True, "least": 1, "most": 5},
    "score": {"type": "number", "least": 0.5},
    "verified": {"type": "boolean"},
    "channel": {"type": "string", "values": ["web", "app"]},
}
GOOD: dict[str, Any] = {"product": "TEA-1", "stars": 5, "score": 9.5, "verified": True, "channel": "app"}


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """Give a program that rewards surveys with 50 points."""
    await declare(shop)
    await reward(shop)
    return shop


async def test_an_activity_is_answered_with_its_points_and_read_again(shop: Shop) -> None:
    answer = await report(shop, id="a-1")
    assert answer.status == 201
    points = {"earned": 50, "pending": 0, "lines": [{"rule": "answers", "points": 50, "why": "a bonus of 50 points"}]}
    told = {"id": "a-1", "customer_id": "c-42", "type": "survey", "points": points}
    assert answer.body == told | {"balance": FIFTY, "tier": None}
    found = await shop.get("/v1/activities/a-1", Role.SUPPORT)
    times = {"occurred_at": "2026-01-02T10:00:00Z", "recorded_at": found.body["recorded_at"]}
    assert (found.status, found.body) == (200, told | times | {"properties": {}})
    assert (await shop.get("/v1/customers/c-42/balance")).body["lifetime_earned"] == 50
    (transfer,) = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    assert (transfer["reason"], transfer["cause"]) == ("activity", {"type": "activity", "id": "a-1"})


async def test_an_activity_that_no_rule_rewards_is_kept_and_earns_nothing(shop: Shop) -> None:
    await declare(shop, "webinar")
    answer = await report(shop, type="webinar")
    assert answer.body["points"] == {"earned": 0, "pending": 0, "lines": []}
    assert (await shop.get("/v1/customers/c-42/transactions")).body["data"] == []


async def test_a_repetition_is_answered_alike_and_other_content_refused(shop: Shop) -> None:
    await declare(shop, "review", properties=REVIEW)
    body = activity(id="a-1", type="review", properties=GOOD)
    first = await shop.post("/v1/activities", body)
    await report(shop)
    same = body | {"occurred_at": "2026-01-02T11:00:00+01:00", "properties": dict(reversed(GOOD.items()))}
    again = await shop.post("/v1/activities", same)
    assert (again.status, again.replayed, again.text) == (200, True, first.text)
    others: list[dict[str, Any]] = [
        {"customer_id": "c-1"},
        {"type": "survey", "properties": {}},
        {"occurred_at": "2026-01-03T10:00:00Z"},
        {"properties": GOOD | {"stars": 4}},
        {"properties": GOOD | {"score": 9}},
    ]
    for other in others:
        answer = await shop.post("/v1/activities", body | other)
        assert (answer.status, answer.code) == (409, "activity_conflict"), other
    assert (await shop.balance("c-42")) == FIFTY


async def test_a_time_that_is_left_out_is_now_and_stays_left_out(shop: Shop) -> None:
    body = activity(id="a-1", occurred_at=...)
    first = await shop.post("/v1/activities", body)
    again = await shop.post("/v1/activities", body)
    assert (first.status, again.status, again.text) == (201, 200, first.text)
    found = (await shop.get("/v1/activities/a-1")).body
    assert found["occurred_at"] == found["recorded_at"]
    told = await shop.post("/v1/activities", body | {"occurred_at": found["occurred_at"]})
    assert told.code == "activity_conflict"


async def test_a_purchase_and_an_activity_may_have_one_id(shop: Shop) -> None:
    assert (await shop.buy(id="one")).status == 201
    assert (await report(shop, id="one")).body["balance"]["available"] == 179


async def test_a_dry_run_tells_what_it_would_come_to_and_books_nothing(shop: Shop) -> None:
    body = activity(id="a-1")
    tried = await shop.post("/v1/activities?dry_run=true", body)
    assert tried.status == 200
    assert (await shop.get("/v1/activities/a-1")).status == 404
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404
    booked = await shop.post("/v1/activities", body)
    assert (booked.status, booked.body) == (201, tried.body)
    again = await shop.post("/v1/activities?dry_run=true", body)
    assert (again.status, again.body) == (200, booked.body)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"product": "TEA-1", "stars": 5, "nope": 1}, "/properties/nope", "unknown_field"),
    ({"product": "TEA-1", "stars": 5, "a/b~c": 1}, "/properties/a~1b~0c", "unknown_field"),
    ({"product": "TEA-1"}, "/properties/stars", "missing"),
    ({"product": "TEA-1", "stars": None}, "/properties/stars", "type"),
    ({"product": "TEA-1", "stars": "5"}, "/properties/stars", "type"),
    ({"product": "TEA-1", "stars": True}, "/properties/stars", "type"),
    ({"product": "TEA-1", "stars": 5.0}, "/properties/stars", "type"),
    ({"product": "TEA-1", "stars": 0}, "/properties/stars", "out_of_range"),
    ({"product": "TEA-1", "stars": 6}, "/properties/stars", "out_of_range"),
    ({"product": "TEA-1", "stars": 10**30}, "/properties/stars", "out_of_range"),
    ({"product": "TEA-10", "stars": 5}, "/properties/product", "out_of_range"),
    ({"product": 1, "stars": 5}, "/properties/product", "type"),
    ({"product": ["TEA-1"], "stars": 5}, "/properties/product", "type"),
    ({"product": "\0", "stars": 5}, "/properties/product", "invalid_character"),
    ({"product": "TEA-1", "stars": 5, "score": 0.4}, "/properties/score", "out_of_range"),
    ({"product": "TEA-1", "stars": 5, "score": 10**13}, "/properties/score", "out_of_range"),
    ({"product": "TEA-1", "stars": 5, "score": {}}, "/properties/score", "type"),
    ({"product": "TEA-1", "stars": 5, "verified": 1}, "/properties/verified", "type"),
    ({"product": "TEA-1", "stars": 5, "verified": "yes"}, "/properties/verified", "type"),
    ({"product": "TEA-1", "stars": 5, "channel": "phone"}, "/properties/channel", "unknown_value"),
]


@pytest.mark.parametrize(("properties", "pointer", "reason"), BAD, ids=lambda value: str(value)[:40])
async def test_properties_are_as_their_type_says(
    shop: Shop, properties: dict[str, Any], pointer: str, reason: str
) -> None:
    await declare(shop, "review", properties=REVIEW)
    answer = await report(shop, type="review", properties=properties)
    assert (answer.status, answer.pointer) == (422, pointer)
    assert answer.body["errors"][0]["code"] == reason
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404, "nobody was enrolled"


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "key"}])
async def test_a_type_of_fractions_with_thousands_of_digits_is_refused(shop: Shop, headers: dict[str, str]) -> None:
    """They are short as they are sent, and long as they are stored, where nothing has an exponent."""
    tiny = [float(f"{number}e-300") for number in range(1, 101)]
    properties = {name: {"type": "number", "values": tiny} for name in ("one", "other")}
    body = {"id": "tiny", "name": "Tiny", "properties": properties}
    made = await shop.post("/v1/activity-types", body, Role.MARKETER, **headers)
    assert (made.status, made.body["errors"][0]["code"]) == (422, "too_large")
    changed = await shop.call("PATCH", "/v1/activity-types/survey", {"properties": properties}, role=Role.MARKETER)
    assert (changed.status, changed.body["errors"][0]["code"]) == (422, "too_large")


async def test_a_type_that_is_not_active_when_it_occurred_is_unknown(shop: Shop) -> None:
    await declare(shop, "beta", state="draft")
    await declare(shop, "over", ends_at="2026-01-01T00:00:00Z")
    await declare(shop, "new", valid_from="2026-01-02T10:00:01Z")
    await declare(shop, "paused")
    paused = {"state": "paused", "valid_from": "2026-01-01T00:00:00Z"}
    changed = await shop.call("PATCH", "/v1/activity-types/paused", paused, role=Role.MARKETER)
    assert changed.status == 200, changed.text
    for type_ in ("nope", "No such thing!", "beta", "over", "new", "paused", "invoice.paid"):
        answer = await report(shop, type=type_)
        assert (answer.status, answer.code, answer.pointer) == (422, "unknown_activity_type", "/type"), type_
    for type_ in ("over", "paused"):
        assert (await report(shop, type=type_, occurred_at="2025-12-31T23:59:59Z")).status == 201
    assert (await report(shop, type="new", occurred_at="2026-01-02T10:00:01Z")).status == 201


async def test_what_was_booked_is_known_although_its_type_is_over(shop: Shop) -> None:
    body = activity()
    first = await shop.post("/v1/activities", body)
    ended = await shop.call(
        "PATCH", "/v1/activity-types/survey", {"state": "ended", "valid_from": SINCE}, role=Role.ADMIN
    )
    assert ended.status == 200, ended.text
    assert (await report(shop)).code == "unknown_activity_type"
    again = await shop.post("/v1/activities", body)
    assert (again.status, again.text) == (200, first.text)


async def test_times_that_can_not_be_are_refused(new_shop: NewShop) -> None:
    shop = await new_shop(oldest_fact_days=30)
    await declare(shop)
    for occurred_at, reason in (
        ("2999-01-01T00:00:00Z", "in_the_future"),
        ("2024-01-01T00:00:00Z", "too_old"),
        ("0001-01-01T00:00:00+01:00", "out_of_range"),
        ("2026-01-01T00:00:00", "naive_time"),
    ):
        answer = await report(shop, occurred_at=occurred_at)
        assert (answer.pointer, answer.body["errors"][0]["code"]) == ("/occurred_at", reason)


async def test_an_unknown_customer_is_enrolled_only_where_the_program_lets_activities_do_so(
    new_shop: NewShop, shop: Shop
) -> None:
    await report(shop, customer_id="new")
    assert (await shop.get("/v1/customers/new", Role.ADMIN)).status == 200
    strict = await new_shop(enrolment="explicit")
    await declare(strict)
    answer = await report(strict)
    assert (answer.code, answer.pointer) == ("customer_unknown", "/customer_id")
    await strict.call("PUT", "/v1/customers/c-42", {})
    assert (await report(strict)).status == 201


async def test_of_an_erased_customer_nothing_is_left_but_numbers(shop: Shop) -> None:
    await declare(shop, "review", properties={"text": {"type": "string"}})
    body = activity(id="a-1", type="review", properties={"text": "Ann likes it"})
    await shop.post("/v1/activities", body)
    await earned(shop)
    assert (await shop.call("DELETE", "/v1/customers/c-42", role=Role.ADMIN)).status == 200
    again = await shop.post("/v1/activities", body)
    assert (again.status, again.code) == (410, "customer_erased")
    found = (await shop.get("/v1/activities/a-1")).body
    assert (found["customer_id"], found["properties"]) == (None, {})


async def test_an_export_has_the_activities_of_all_records(shop: Shop) -> None:
    await declare(shop, "review", properties=REVIEW)
    await report(shop, id="a-1", type="review", properties=GOOD, customer_id="guest")
    await report(shop, id="a-2")
    merged = await shop.post("/v1/customers/guest/merge", {"into": "c-42"}, Role.ADMIN, Idempotency_Key="m")
    assert merged.status == 200, merged.text
    exported = (await shop.get("/v1/customers/c-42/export", Role.ADMIN)).body["records"]["activities"]
    assert [(each["id"], each["properties"]) for each in exported] == [("a-1", GOOD), ("a-2", {})]


async def test_an_activity_is_told(shop: Shop) -> None:
    await report(shop, id="a-1")
    await sequenced(shop)
    (event,) = (await shop.get("/v1/events?types=activity.rewarded", Role.ADMIN)).body["data"]
    assert event["data"] == {
        "activity_id": "a-1",
        "type": "survey",
        "earned": 50,
        "pending": 0,
        "balance": FIFTY,
        "occurred_at": "2026-01-02T10:00:00Z",
    }


async def test_what_an_activity_earned_is_explained_by_its_rules(shop: Shop) -> None:
    await reward(shop, "thanks", effect={"kind": "bonus", "points": 5}, expiry="never")
    await reward(shop, "double", effect={"kind": "multiplier", "basis_points": 20_000, "rules": ["answers"]})
    await report(shop, id="a-1")
    transfers = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    explained = [(await shop.get(f"/v1/transactions/{each['id']}/explain")).body for each in reversed(transfers)]
    rules = [[(rule["rule"], rule["points"], rule["version"]) for rule in each["rules"]] for each in explained]
    assert rules == [[("answers", 50, 1), ("double", 50, 1)], [("thanks", 5, 1)]]
    assert [each["why"] for each in explained] == [
        "Activity a-1 earned 100 points: answers: a bonus of 50 points; double: 2 times the 50 points of answers.",
        "Activity a-1 earned 5 points: a bonus of 5 points.",
    ]


async def test_points_of_an_activity_are_held_back_where_its_rule_says_so(shop: Shop) -> None:
    await reward(shop, "later", effect={"kind": "bonus", "points": 7}, pending={"kind": "after", "days": 3000})
    answer = (await report(shop, id="a-1")).body
    assert (answer["points"]["earned"], answer["points"]["pending"]) == (57, 7)
    assert answer["balance"] == FIFTY | {"pending": 7}


@pytest.mark.parametrize(
    ("counts", "ends_at"), [(["purchase"], "2126-01-31T00:00:00Z"), (["purchase", "activity"], "2126-02-15T00:00:00Z")]
)
async def test_activities_keep_points_alive_where_they_count(
    new_shop: NewShop, counts: list[str], ends_at: str
) -> None:
    shop = await new_shop(expiry={"kind": "sliding", "months": 1200, "counts": counts})
    await declare(shop)
    await shop.buy(occurred_at="2026-01-30T10:00:00Z")
    await report(shop, occurred_at="2026-02-14T10:00:00Z")
    balance = (await shop.get("/v1/customers/c-42/balance")).body
    assert balance["next_expiry"] == {"points": 129, "at": ends_at}


async def test_a_type_of_another_release_keeps_no_other_from_being_reported(shop: Shop, owner: Db) -> None:
    """During a rolling deployment, or behind a step back, a process may not know what a type asks for."""
    await declare(shop, "webinar")
    known = activity(type="webinar")
    first = await shop.post("/v1/activities", known)
    assert first.status == 201
    newer = {"name": "Of tomorrow", "valid_from": "2026-01-01T00:00:00Z"}
    assert (await shop.call("PATCH", "/v1/activity-types/webinar", newer, role=Role.MARKETER)).body["version"] == 2
    await owner.execute(
        "UPDATE definition_version SET content = content || '{\"of_tomorrow\": 1}'"
        " WHERE program_id = $1 AND definition_id = 'webinar' AND version = 2",
        shop.program.id,
    )
    await declare(shop, "review")  # by which the process reads all of the program again
    refused = await report(shop, type="webinar")
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "unavailable", "30")
    assert (await report(shop, "?dry_run=true", type="webinar")).status == 503
    assert await earned(shop) == 50
    assert (await report(shop, type="review")).status == 201
    assert (await shop.buy()).status == 201
    assert (await report(shop, type="webinar", occurred_at="2025-06-01T10:00:00Z")).status == 201  # by the one before
    again = await shop.post("/v1/activities", known)
    assert (again.replayed, again.body) == (True, first.body)
