"""Trying earning rules on what was bought, seen from outside."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.kernel.errors import Invalid
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.programs.definitions import DefinitionId
from service.programs.rules import Program
from service.purchases.simulating import Trial, TriedRule, checked_rule, quantiles
from service.purchases.simulations import SimulationRunning, Simulations
from tests.api.operations import RULE
from tests.conftest import NewShop
from tests.imports.importer import Importer
from tests.shop import Answer, Shop, purchase, unique
from tests.tiers import set_tiers

SIMULATE = "/v1/earning-rules/simulate"
LINES = "application/x-ndjson"
SINCE, UNTIL = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
WELCOME: dict[str, Any] = {"id": "welcome", "name": "A welcome", "effect": {"kind": "bonus", "points": 50}}
SECOND: dict[str, Any] = {
    "id": "second",
    "name": "The second purchase",
    "effect": {"kind": "bonus", "points": 7},
    "conditions": {"customer": {"purchase_numbers": {"least": 2, "most": 2}}},
}
TEA: dict[str, Any] = {"id": "1", "sku": "TEA-1", "category": "tea", "quantity": 2, "amount": 5000}


def bought_on(day: int, **changes: Any) -> dict[str, Any]:
    return {"occurred_at": f"2026-01-{day:02}T10:00:00Z"} | changes


async def simulate(shop: Shop, role: Role = Role.MARKETER, /, **given: Any) -> Answer:
    return await shop.post(SIMULATE, {"since": SINCE, "until": UNTIL} | given, role)


async def simulated(shop: Shop, /, **given: Any) -> dict[str, Any]:
    answer = await simulate(shop, **given)
    assert answer.status == 200, answer.text
    return answer.body


def points_of(body: dict[str, Any], which: str = "simulated") -> dict[str, int]:
    """Give the points by rule."""
    return {each["rule"]: each[which]["points"] for each in body["by_rule"]}


async def make(shop: Shop, **given: Any) -> None:
    active = {"valid_from": SINCE, "state": "active"}
    answer = await shop.post("/v1/earning-rules", WELCOME | active | given, Role.ADMIN)
    assert answer.status == 201, answer.text


async def test_a_simulation_tells_what_rules_would_have_given_next_to_what_was_given(shop: Shop) -> None:
    for day, customer, total in ((1, "a", 10_000), (2, "b", 2_000), (3, "a", 5_000)):
        await shop.buy(**bought_on(day, customer_id=customer, total=total))
    body = await simulated(shop, rules=[SECOND])
    assert (body["purchases"], body["customers"], body["currency"]) == (3, 2, "EUR")
    assert body["given"] == {"points": 170, "purchases": 3, "customers": 2, "cost": 170}
    assert body["simulated"] == {"points": 177, "purchases": 3, "customers": 2, "cost": 177}
    assert body["difference"] == {"points": 7, "purchases": 0, "customers": 0, "cost": 7}
    assert body["by_rule"][1] == {
        "rule": "second",
        "given": {"points": 0, "purchases": 0, "customers": 0},
        "simulated": {"points": 7, "purchases": 1, "customers": 1},
    }
    spread = body["distribution"]
    assert (spread["more"], spread["same"], spread["less"]) == (1, 1, 0)
    assert spread["given"] == {"least": 20, "p10": 20, "p50": 20, "p90": 150, "p99": 150, "greatest": 150}
    assert spread["difference"]["greatest"] == 7
    assert (body["most_gained"], body["most_lost"]) == ([{"customer_id": "a", "given": 150, "simulated": 157}], [])


async def test_the_cost_is_what_the_points_are_worth_now(new_shop: NewShop) -> None:
    shop = await new_shop(point_value={"points": 3, "amount": 2})
    await shop.buy()
    body = await simulated(shop, rules=[WELCOME])
    assert [body[which]["cost"] for which in ("given", "simulated", "difference")] == [86, 119, 33]


async def test_a_rule_that_is_there_is_replaced_another_is_left_out_and_the_rest_applies_as_it_did(shop: Shop) -> None:
    await make(shop)
    await make(shop, id="late", valid_from="2026-01-15T00:00:00Z")
    for day in (10, 20):
        await shop.buy(**bought_on(day, total=1_000))
    assert points_of(await simulated(shop)) == {"base": 20, "welcome": 100, "late": 50}
    tried = WELCOME | {"effect": {"kind": "bonus", "points": 5}}
    body = await simulated(shop, rules=[tried])
    assert points_of(body) == {"base": 20, "welcome": 10, "late": 50}
    assert points_of(body, "given") == {"base": 20, "welcome": 100, "late": 50}
    assert points_of(await simulated(shop, without=["welcome"])) == {"base": 20, "welcome": 0, "late": 50}
    body = await simulated(shop, without=["base", "late"])
    assert points_of(body) == {"base": 0, "welcome": 100, "late": 0}
    assert (body["simulated"]["points"], body["distribution"]["less"]) == (100, 1)
    assert body["most_lost"] == [{"customer_id": "c-42", "given": 170, "simulated": 100}]


async def test_a_draft_is_tried_as_it_was_saved_last(shop: Shop) -> None:
    await make(shop, state="draft", valid_from=None)
    await make(shop, id="late", valid_from="2999-01-01T00:00:00Z")
    saved = {"effect": {"kind": "bonus", "points": 9}}
    assert (await shop.call("PATCH", "/v1/earning-rules/welcome", saved, role=Role.MARKETER)).status == 200
    await shop.buy(total=1_000)
    assert points_of(await simulated(shop)) == {"base": 10}
    assert points_of(await simulated(shop, drafts=["welcome", "late"])) == {"base": 10, "welcome": 9, "late": 50}


async def test_limits_begin_with_nothing_used_and_hold_also_for_what_comes_late(shop: Shop) -> None:
    limited = WELCOME | {"limits": [{"every": "month", "points": 70}, {"every": "life", "scope": "all", "times": 5}]}
    await make(shop, limits=[{"every": "life", "times": 1}])
    for month in (1, 2, 1, 1, 2):  # two come late, behind the next month's
        await shop.buy(occurred_at=f"2026-0{month}-10T10:00:00Z", total=1_000)
    await shop.buy(customer_id="other", occurred_at="2026-02-11T10:00:00Z", total=1_000)
    await shop.buy(customer_id="another", occurred_at="2026-02-12T10:00:00Z", total=1_000)
    body = await simulated(shop, rules=[limited], until="2026-03-01T00:00:00Z")
    assert points_of(body, "given")["welcome"] == 150
    assert points_of(body)["welcome"] == 70 + 70 + 50  # and of five times the last was that of `other`
    assert (
        points_of(
            await simulated(shop, rules=[limited], since="2026-02-01T00:00:00Z", until=UNTIL[:5] + "03-01T00:00:00Z")
        )["welcome"]
        == 70 + 50 + 50
    )


async def test_customers_begin_a_period_with_what_was_known_of_them(shop: Shop, database: Database) -> None:
    """A purchase may be 5 minutes ahead, so that a period can begin behind one that was booked a second ago."""
    began = datetime.now(UTC)
    await shop.buy(customer_id="old", occurred_at=(began - timedelta(days=40)).isoformat())
    await shop.buy(customer_id="old", total=0, occurred_at=(began - timedelta(days=30)).isoformat())
    await shop.buy(customer_id="gone", occurred_at=(began - timedelta(days=20)).isoformat())
    await asyncio.sleep(1.5)
    async with database.connection() as db:
        now: datetime = await db.fetchval("SELECT clock_timestamp()")
    ahead = now + timedelta(minutes=4, seconds=59)
    for customer in ("old", "new", "old", "merged"):
        await shop.buy(customer_id=customer, occurred_at=ahead.isoformat())
    await shop.post("/v1/customers/gone/merge", {"into": "merged"}, Role.ADMIN, Idempotency_Key=unique("key"))
    period = {"since": (ahead - timedelta(seconds=0.1)).isoformat(), "until": (ahead + timedelta(days=1)).isoformat()}
    third = SECOND | {"id": "third", "conditions": {"customer": {"purchase_numbers": {"least": 3, "most": 3}}}}
    back = WELCOME | {"id": "back", "conditions": {"customer": {"days_since_last_purchase": {"least": 20, "most": 30}}}}
    enrolled = WELCOME | {"id": "enrolled", "conditions": {"customer": {"enrolled_days": {"least": 40}}}}
    body = await simulated(shop, rules=[SECOND, third, back, enrolled], **period)
    counts = {each["rule"]: each["simulated"]["purchases"] for each in body["by_rule"]}
    # `old` buys for the third and the fourth time, `merged` for the second, after 20 days.
    assert counts == {"base": 4, "second": 1, "third": 1, "back": 2, "enrolled": 2}


async def test_profiles_are_as_they_are_now(shop: Shop) -> None:
    await shop.buy(customer_id="a")
    await shop.buy(customer_id="b")
    await shop.call("PUT", "/v1/customers/a", {"attributes": {"club": True}}, role=Role.ADMIN)
    club = WELCOME | {"conditions": {"customer": {"attributes": {"club": [True]}}}}
    assert points_of(await simulated(shop, rules=[club])) == {"base": 258, "welcome": 50}


async def test_customers_have_the_tiers_that_they_had(shop: Shop) -> None:
    """The first purchase reaches the tier, the second is made with it, a refund takes it, the third is without it."""
    await set_tiers(shop, {"silver": 100})
    now = datetime.now(UTC).isoformat()
    orders = [await shop.buy(total=10_000, occurred_at=now) for _ in range(2)]
    for order in orders:
        refund = {"id": unique("refund"), "amount": 10_000}
        assert (await shop.post(f"/v1/purchases/{order.body['id']}/refunds", refund)).status == 201
    last = await shop.buy(total=100, occurred_at=now)
    assert [each.body["tier"] and each.body["tier"]["id"] for each in (*orders, last)] == ["silver", "silver", None]
    condition = {"customer": {"tiers": ["silver"]}}
    body = await simulated(shop, rules=[WELCOME | {"conditions": condition}], until="2100-01-01T00:00:00Z")
    assert points_of(body)["welcome"] == 50


async def test_refunded_purchases_count_as_bought_and_it_is_told_what_refunds_took_back(shop: Shop) -> None:
    await shop.buy(id="order-1", total=10_000, items=[TEA])
    await shop.buy(total=1_000)
    await shop.post("/v1/purchases/order-1/refunds", {"id": "r-1", "amount": 2_500})
    await shop.post("/v1/purchases/order-1/refunds", {"id": "r-2", "amount": 2_500})
    body = await simulated(shop)
    assert (body["given"]["points"], body["simulated"]["points"], body["reversed"]) == (110, 110, 50)
    assert (await simulated(shop, since="2026-01-02T10:00:00.000001Z"))["reversed"] == 0


async def test_a_tier_that_new_terms_give_is_there_for_the_purchase_with_which_it_is_booked(shop: Shop) -> None:
    await set_tiers(shop, {"silver": 500})
    since = datetime.now(UTC).isoformat()
    first = await shop.buy(total=20_000, occurred_at=since)
    lower = await shop.call("PATCH", "/v1/tiers/silver", {"threshold": 100}, role=Role.MARKETER)
    assert (first.body["tier"], lower.status) == (None, 200)
    await make(shop, conditions={"customer": {"tiers": ["silver"]}})
    bought = await shop.buy(total=0, occurred_at=datetime.now(UTC).isoformat())
    assert {line["rule"]: line["points"] for line in bought.body["points"]["lines"]} == {"base": 0, "welcome": 50}
    told = await simulated(shop, since=since, until="2126-01-01T00:00:00Z")
    assert points_of(told) == points_of(told, "given") == {"base": 200, "welcome": 50}


async def test_the_erased_count_and_are_not_named(shop: Shop) -> None:
    await shop.buy(customer_id="a")
    await shop.buy(customer_id="b", total=100)
    assert (await shop.call("DELETE", "/v1/customers/a", role=Role.ADMIN)).status < 300
    body = await simulated(shop, rules=[WELCOME])
    assert (body["customers"], body["simulated"]["points"]) == (2, 230)
    assert [each["customer_id"] for each in body["most_gained"]] == ["b"]


async def test_a_period_takes_its_beginning_and_not_its_end_and_may_be_empty(shop: Shop) -> None:
    for moment in (SINCE, "2026-01-31T23:59:59.999999Z", UNTIL, "2025-12-31T23:59:59.999999Z"):
        await shop.buy(occurred_at=moment)
    assert (await simulated(shop))["purchases"] == 2
    body = await simulated(shop, since="0001-01-02T00:00:00Z", until="1970-01-01T00:00:00Z", rules=[WELCOME])
    assert (body["purchases"], points_of(body), body["most_gained"]) == (0, {"welcome": 0}, [])
    assert set(body["distribution"]["given"].values()) == {0}
    assert (await simulated(shop, since="2999-01-01T00:00:00Z", until="9999-12-31T23:59:59Z"))["purchases"] == 0


async def test_what_would_be_more_than_a_purchase_can_give_is_left_out_and_counted(shop: Shop) -> None:
    await shop.buy(customer_id="a")
    much = [WELCOME | {"id": each, "effect": {"kind": "bonus", "points": 10**12}} for each in ("one", "two")]
    body = await simulated(shop, rules=much)
    assert (body["refused"], body["purchases"], body["simulated"]["points"]) == (1, 1, 0)


async def test_others_see_nothing_of_a_program(shop: Shop, new_shop: NewShop) -> None:
    await shop.buy()
    await make(shop)
    other = await new_shop()
    assert (await simulated(other))["purchases"] == 0
    assert (await simulate(other, drafts=["welcome"])).pointer == "/drafts/0"
    assert (await simulate(other, without=["welcome"])).pointer == "/without/0"


WRONG = (
    ({"since": UNTIL}, "/until", "out_of_range"),
    ({"since": "2026-01-01T00:00:00"}, "/since", "naive_time"),
    ({"since": "0001-01-01T00:00:00+14:00"}, "/since", "out_of_range"),
    ({"rules": [WELCOME | {"id": "base"}]}, "/rules/0/id", "reserved"),
    ({"rules": [WELCOME | {"id": "simulate"}]}, "/rules/0/id", "reserved"),
    (
        {"rules": [WELCOME | {"conditions": {"expression": "1 +"}}]},
        "/rules/0/conditions/expression",
        "syntax",
    ),
    ({"drafts": ["base"]}, "/drafts/0", "reserved"),
    ({"rules": [WELCOME, WELCOME]}, "/rules/1/id", "duplicate"),
    ({"rules": [WELCOME], "drafts": ["welcome"]}, "/drafts/0", "duplicate"),
    ({"rules": [WELCOME], "without": ["base", "welcome"]}, "/without/1", "duplicate"),
    ({"without": ["nothing"]}, "/without/0", "unknown_rule"),
    ({"drafts": ["nothing"]}, "/drafts/0", "unknown_rule"),
    ({"rules": [WELCOME | {"activity": "survey"}]}, "/rules/0/activity", "not_for_purchases"),
    ({"rules": [SECOND, WELCOME | {"limits": [{"every": "day"}]}]}, "/rules/1/limits/0", "missing"),
    ({"rules": [WELCOME | {"ends_at": SINCE}]}, "/rules/0/ends_at", "out_of_range"),
    ({"rules": [WELCOME | {"state": "draft"}]}, "/rules/0/state", "unknown_field"),
    ({"rules": [WELCOME | {"id": f"rule-{n}"} for n in range(21)]}, "/rules", "out_of_range"),
    ({"rules": [RULE]}, "/rules/0/id", "missing"),
    ({"limit": 5}, "/limit", "unknown_field"),
)


@pytest.mark.parametrize(("given", "pointer", "reason"), WRONG, ids=lambda value: str(value)[:60])
async def test_what_can_not_be_tried_is_refused_where_it_stands(
    shop: Shop, given: dict[str, Any], pointer: str, reason: str
) -> None:
    for headers in ({}, {"Accept": LINES}):
        refused = await shop.post(SIMULATE, {"since": SINCE, "until": UNTIL} | given, Role.ADMIN, **headers)
        assert (refused.pointer, refused.body["errors"][0]["code"]) == (pointer, reason)


async def test_a_period_with_too_many_purchases_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.purchases.simulations.MOST_PURCHASES", 1)
    await shop.buy()
    assert (await simulate(shop)).status == 200
    await shop.buy()
    for headers in ({}, {"Accept": LINES}):
        refused = await shop.post(SIMULATE, {"since": SINCE, "until": UNTIL}, Role.ADMIN, **headers)
        assert (refused.pointer, refused.body["errors"][0]["code"]) == ("/since", "too_many")


async def test_with_lines_it_tells_how_far_it_is(shop: Shop) -> None:
    await shop.buy()
    plain = await simulated(shop, rules=[WELCOME])
    for accept in (LINES, f"application/json, {LINES.upper()};q=0.5"):
        answer = await shop.post(
            SIMULATE, {"since": SINCE, "until": UNTIL, "rules": [WELCOME]}, Role.ADMIN, Accept=accept
        )
        assert (answer.status, answer.headers["content-type"]) == (200, LINES)
        assert answer.headers["request-id"].startswith("req_")
        *progress, last = [json.loads(line) for line in answer.text.splitlines()]
        assert last == {"result": plain}
        assert all(set(each) == {"done", "of"} for each in progress)


@pytest.fixture
async def many(shop: Shop) -> Shop:
    """Give a program with 3,000 purchases."""
    for number in range(6):
        entries = [purchase(customer_id=f"c-{number}-{each % 100}") for each in range(500)]
        assert (await shop.post("/v1/purchases/batch", {"purchases": entries})).status == 200
    return shop


async def test_a_process_simulates_for_one_at_a_time_and_goes_on_booking(many: Shop) -> None:
    body = {"since": SINCE, "until": UNTIL, "rules": [WELCOME]}
    calls = [asyncio.create_task(many.post(SIMULATE, body, Role.MARKETER, Accept=accept)) for accept in ("*/*", LINES)]
    booked = 0
    while not all(each.done() for each in calls):
        assert (await many.buy(occurred_at=UNTIL)).status == 201
        booked += 1
    refused, done = sorted([each.result() for each in calls], key=lambda answer: -answer.status)
    assert (refused.status, refused.code, int(refused.headers["retry-after"]) > 0) == (429, "simulation_running", True)
    assert done.status == 200
    assert booked > 1  # while it ran
    assert (await simulated(many))["purchases"] == 3_000


async def trying(database: Database, shop: Shop) -> tuple[Simulations, Program, Trial]:
    """Give what simulates in the process of the test."""
    period = Trial(since=datetime.fromisoformat(SINCE), until=datetime.fromisoformat(UNTIL))
    return Simulations(database), shop.program, period


async def test_it_goes_on_by_steps_and_who_is_told_to_stop_stops(many: Shop, database: Database) -> None:
    simulations, program, trial = await trying(database, many)
    running, seen = simulations.begin(program, trial), set[int]()
    with pytest.raises(SimulationRunning):
        simulations.begin(program, trial)
    while not await running.wait(0.001):
        seen.add(running.done)
    assert (running.done, running.of, len(seen) > 1) == (3_000, 3_000, True)
    stopped = simulations.begin(program, trial)
    await stopped.begun()
    await simulations.close()
    assert stopped.task.cancelled()
    assert (await simulations.begin(program, trial).task).purchases == 3_000


async def test_many_rules_to_check_hold_up_nobody(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take long to compile: others have their turn between them, and who is refused costs nothing."""
    simulations, program, trial = await trying(database, shop)
    rules = msgspec.convert([WELCOME | {"id": f"r-{number}"} for number in range(20)], tuple[TriedRule, ...])
    looked_at, check = list[DefinitionId](), checked_rule

    def noting(rule: TriedRule, program: Program, since: datetime, pointer: str) -> TriedRule:
        looked_at.append(rule.id)
        return check(rule, program, since, pointer)

    monkeypatch.setattr("service.purchases.simulations.checked_rule", noting)
    running = simulations.begin(program, msgspec.structs.replace(trial, rules=rules))
    wrong = msgspec.structs.replace(trial, since=trial.until)
    with pytest.raises(SimulationRunning):
        simulations.begin(program, wrong)
    for number in range(len(rules)):
        assert len(looked_at) <= number
        await asyncio.sleep(0)
    assert (await running.task).purchases == 0
    assert looked_at == [rule.id for rule in rules]
    with pytest.raises(Invalid):
        await simulations.begin(program, wrong).begun()


async def test_the_command_prints_a_table(shop: Shop, settings: Settings, tmp_path: Path) -> None:
    for day, customer in ((1, "a"), (2, "b"), (3, "a")):
        await shop.buy(**bought_on(day, customer_id=customer, total=100_000))
    importer = Importer(settings, shop.program.code, tmp_path)
    file = importer.file(json.dumps({"rules": [SECOND], "without": ["base"]}).encode())
    period = ("--since", "2026-01-01", "--until", "2026-01-03")
    ended = await importer.run_command(("simulate",), file, *period)
    assert ended.status == 0, ended
    told = [line.split() for line in ended.said.splitlines()]
    assert told[1:5] == [
        ["base", "2,000", "0", "-2,000", "0", "0"],
        ["second", "0", "0", "0", "0", "0"],
        ["all", "2,000", "0", "-2,000", "0", "0"],
        ["cost", "in", "EUR", "20.00", "0.00", "-20.00"],
    ]
    assert ended.said.splitlines()[5].startswith("2 purchases of 2 customers: 0 would have got more, 2 less")


async def test_the_command_tells_what_is_wrong_in_a_sentence(shop: Shop, settings: Settings, tmp_path: Path) -> None:
    importer = Importer(settings, shop.program.code, tmp_path)
    period = ("--since", "2026-01-01", "--until", "2026-01-03T00:00:00Z")
    for content, options, said in (
        (b"{", period, "can't be read: It is not JSON"),
        (b"[]", period, "is no JSON object"),
        (b'{"since": "2026-01-01T00:00:00Z"}', period, "is no JSON object that tells rules and no period"),
        (b'{"without": ["nothing"]}', period, "/without/0: There is no such rule"),
        (b"{}", ("--since", "yesterday", "--until", "2026-01-03"), "--since 'yesterday' is no time"),
        (b"{}", ("--since", "2026-01-03", "--until", "2026-01-03"), "/until: This is not after the beginning."),
    ):
        ended = await importer.run_command(("simulate",), importer.file(content), *options)
        assert (ended.status, said in ended.complained) == (1, True), ended


def test_quantiles_are_those_of_the_nearest_rank() -> None:
    assert quantiles([7]) == quantiles([7, 7, 7])
    of_hundred = quantiles(range(1, 101))
    assert msgspec.structs.astuple(of_hundred) == (1, 10, 50, 90, 99, 100)
    assert quantiles([1, 2, 3, 4]).p50 == 2
