"""Campaigns through HTTP: made, changed, started, paused, closed; lists; draws inside purchases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.roles import Role
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.surprises import NOTHING, SWEET, buy, campaign, made, move, started
from tests.vouchers import make

NO_REWARD = "rwd_00000000000070008000000000000000"


async def change(shop: Shop, campaign_id: str, dry: str = "", /, **given: Any) -> Answer:
    """Change a campaign."""
    return await shop.call("PATCH", f"/v1/campaigns/{campaign_id}{dry}", given, role=Role.MARKETER)


async def read(shop: Shop, campaign_id: str) -> dict[str, Any]:
    """Read a campaign."""
    answer = await shop.get(f"/v1/campaigns/{campaign_id}", Role.MARKETER)
    assert answer.status == 200, answer.text
    return answer.body


async def listed(shop: Shop, query: str = "") -> list[str]:
    """List the ids of campaigns."""
    answer = await shop.get(f"/v1/campaigns{query}", Role.MARKETER)
    assert answer.status == 200, answer.text
    return [each["id"] for each in answer.body["data"]]


def refused(answer: Answer) -> tuple[str, str]:
    """Return the pointer and the code of a refusal of content."""
    assert answer.status == 422, answer.text
    error = answer.body["errors"][0]
    return error["pointer"], error["code"]


async def test_a_purchase_draws_and_tells_what_was_won(shop: Shop) -> None:
    campaign_id = await started(shop)
    bought = await buy(shop, id="order-1", occurred_at=(at := datetime.now(UTC).isoformat()))
    assert bought.status == 201, bought.text
    (won,) = bought.body["surprises"]
    assert won | {"id": ""} == {
        "id": "",
        "campaign_id": campaign_id,
        "prize": "sweet",
        "kind": "points",
        "points": 50,
        "reward_id": None,
    }
    assert won["id"].startswith("sur_")
    assert bought.body["balance"]["available"] == bought.body["points"]["earned"] + 50
    again = await buy(shop, id="order-1", occurred_at=at)
    assert again.status == 200
    assert again.body == bought.body


async def test_a_campaign_is_a_draft_until_it_starts_and_tells_the_hash_of_its_key_from_then_on(shop: Shop) -> None:
    answer = await shop.post("/v1/campaigns", campaign(), Role.MARKETER)
    assert answer.status == 201
    draft = answer.body
    assert draft["id"].startswith("cmp_")
    assert (draft["status"], draft["version"], draft["started_at"], draft["key_hash"]) == ("draft", 1, None, None)
    assert await read(shop, draft["id"]) == draft
    assert (await buy(shop)).body["surprises"] == []
    active = (await move(shop, draft["id"], "activate")).body
    assert (active["status"], active["version"]) == ("active", 2)
    assert active["started_at"]
    assert len(bytes.fromhex(active["key_hash"])) == 32
    assert await read(shop, draft["id"]) == active
    again = await move(shop, draft["id"], "activate")
    assert (again.status, again.body) == (200, active), "one that runs stays so"


async def test_a_campaign_whose_period_is_to_come_is_scheduled(shop: Shop) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    campaign_id = await started(shop, starts_at=tomorrow)
    assert (await read(shop, campaign_id))["status"] == "scheduled"
    assert await listed(shop, "?status=active") == [campaign_id]
    assert (await buy(shop)).body["surprises"] == []


async def test_a_paused_campaign_draws_nothing_and_goes_on_with_the_same_key(shop: Shop) -> None:
    campaign_id = await started(shop, gifts_per_customer=None)
    key_hash = (await read(shop, campaign_id))["key_hash"]
    assert len((await buy(shop)).body["surprises"]) == 1
    paused = await move(shop, campaign_id, "pause")
    assert (paused.status, paused.body["status"]) == (200, "paused")
    assert (await move(shop, campaign_id, "pause")).body == paused.body
    assert (await buy(shop)).body["surprises"] == []
    assert (await move(shop, campaign_id, "activate")).body["key_hash"] == key_hash
    assert len((await buy(shop)).body["surprises"]) == 1


async def test_a_closed_campaign_stays_closed(shop: Shop) -> None:
    campaign_id = await started(shop)
    closed = await move(shop, campaign_id, "close")
    assert (closed.status, closed.body["status"]) == (200, "closed")
    again = await move(shop, campaign_id, "close")
    assert (again.status, again.body) == (200, closed.body), "who asks for what is reached already is told so"
    for verb in ("activate", "pause"):
        answer = await move(shop, campaign_id, verb)
        assert (answer.status, answer.code) == (409, "definition_ended"), verb
    changed = await change(shop, campaign_id, name="Another")
    assert (changed.status, changed.code) == (409, "definition_ended")
    assert (await buy(shop)).body["surprises"] == []


async def test_a_draft_can_be_closed_but_not_paused(shop: Shop) -> None:
    campaign_id = await made(shop)
    paused = await move(shop, campaign_id, "pause")
    assert (paused.status, paused.code) == (409, "state_not_reachable")
    assert (await move(shop, campaign_id, "close")).body["status"] == "closed"


async def test_campaigns_are_listed_the_newest_first_and_by_where_they_stand(shop: Shop) -> None:
    draft, active, paused, closed = [await made(shop) for _ in range(4)]
    for campaign_id, verbs in ((active, ["activate"]), (paused, ["activate", "pause"]), (closed, ["close"])):
        for verb in verbs:
            await move(shop, campaign_id, verb)
    assert await listed(shop) == [closed, paused, active, draft]
    by_status = {"draft": draft, "active": active, "paused": paused, "closed": closed}
    for status, campaign_id in by_status.items():
        assert await listed(shop, f"?status={status}") == [campaign_id]
    page = (await shop.get("/v1/campaigns?limit=3", Role.MARKETER)).body
    assert page["has_more"]
    assert await listed(shop, f"?cursor={page['next_cursor']}") == [draft]
    bad = await shop.get("/v1/campaigns?status=scheduled", Role.MARKETER)
    assert bad.pointer == "?status"


async def test_each_change_is_a_version_and_nothing_to_change_makes_none(shop: Shop) -> None:
    campaign_id = await made(shop)
    changed = await change(shop, campaign_id, name="Two sweets", gifts_per_customer=2, version=1)
    assert (changed.status, changed.body["version"], changed.body["name"]) == (200, 2, "Two sweets")
    assert changed.body["prizes"] == (await read(shop, campaign_id))["prizes"]
    assert (await change(shop, campaign_id, name="Two sweets")).body["version"] == 2
    late = await change(shop, campaign_id, name="Another", version=1)
    assert (late.status, late.code) == (409, "version_conflict")
    versions = (await shop.get(f"/v1/campaigns/{campaign_id}/versions", Role.MARKETER)).body["data"]
    assert [(each["version"], each["name"], each["gifts_per_customer"]) for each in versions] == [
        (2, "Two sweets", 2),
        (1, "A sweet", 1),
    ]


REWARD_PRIZE: dict[str, Any] = {"id": "mug", "gift": {"kind": "reward", "reward_id": NO_REWARD}}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"prizes": []}, "/prizes", "out_of_range"),
    ({"prizes": [NOTHING]}, "/prizes", "missing"),
    ({"prizes": [SWEET | {"weight": 0}]}, "/prizes", "missing"),
    ({"prizes": [SWEET, SWEET]}, "/prizes/1/id", "duplicate"),
    ({"prizes": [SWEET, NOTHING | {"stock": 5}]}, "/prizes/1", "contradictory"),
    ({"prizes": [SWEET, REWARD_PRIZE]}, "/prizes/1/gift/reward_id", "unknown_reward"),
    (
        {"prizes": [REWARD_PRIZE | {"gift": {"kind": "reward", "reward_id": "mug"}}]},
        "/prizes/0/gift/reward_id",
        "unknown_reward",
    ),
    ({"prizes": [SWEET | {"stock": -1}]}, "/prizes/0/stock", "out_of_range"),
    ({"prizes": [SWEET | {"weight": 10**6 + 1}]}, "/prizes/0/weight", "out_of_range"),
    ({"trigger": {"kind": "whenever"}}, "/trigger/kind", "invalid_format"),
    ({"trigger": {"kind": "holiday", "country": "XX"}}, "/trigger/country", "unknown_country"),
    ({"trigger": {"kind": "milestone"}}, "/trigger/purchases", "missing"),
    ({"trigger": {"kind": "inactivity", "least_days": 30, "most_days": 30}}, "/trigger/most_days", "out_of_range"),
    ({"trigger": {"kind": "play", "points": 5, "granted": True}}, "/trigger/granted", "exclusive"),
    ({"trigger": {"kind": "play", "points": 5}, "holdout": 500}, "/holdout", "contradictory"),
    ({"holdout": 5_001}, "/holdout", "out_of_range"),
    ({"pacing": "even"}, "/ends_at", "missing"),
    ({"starts_at": "2026-12-02T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"}, "/ends_at", "out_of_range"),
    ({"metric": "margin"}, "/metric", "missing"),
    ({"gifts_per_customer": 0}, "/gifts_per_customer", "out_of_range"),
    ({"audience": {"customer": {"tiers": [5]}}}, "/audience/customer/tiers/0", "type"),
    ({"audience": {"expression": "customer."}}, "/audience/expression", "syntax"),
    (
        {"trigger": {"kind": "birthday"}, "audience": {"expression": "purchase.total > 5"}},
        "/audience/expression",
        "unknown_variable",
    ),
    ({"name": ""}, "/name", "out_of_range"),
    ({"name": ...}, "/name", "missing"),
]


@pytest.mark.parametrize(("given", "pointer", "code"), REFUSED, ids=[f"{row[1]} {row[2]}" for row in REFUSED])
async def test_what_can_not_be_a_campaign_is_refused_where_it_stands(
    shop: Shop, given: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await shop.post("/v1/campaigns", campaign(**given), Role.MARKETER)
    assert refused(answer) == (pointer, code), answer.text
    assert await listed(shop) == []


async def test_a_prize_is_a_reward_that_can_be_had(shop: Shop) -> None:
    reward_id = await make(shop)
    prize = REWARD_PRIZE | {"gift": {"kind": "reward", "reward_id": reward_id}}
    campaign_id = await made(shop, prizes=[SWEET, prize])
    await shop.call("PATCH", f"/v1/rewards/{reward_id}", {"status": "archived"}, role=Role.MARKETER)
    answer = await move(shop, campaign_id, "activate")
    assert refused(answer) == ("/prizes/1/gift/reward_id", "reward_not_active")
    assert (await read(shop, campaign_id))["status"] == "draft"


FIXED: list[tuple[dict[str, Any], str]] = [
    ({"trigger": {"kind": "birthday"}}, "/trigger"),
    ({"audience": {"customer": {"tiers": ["gold"]}}}, "/audience"),
    ({"holdout": 100}, "/holdout"),
    ({"metric": "repeat_purchase"}, "/metric"),
    ({"window_days": 31}, "/window_days"),
    ({"starts_at": "2026-01-01T00:00:00Z"}, "/starts_at"),
    ({"pacing": "even", "ends_at": "2999-01-01T00:00:00Z"}, "/pacing"),
    ({"budget": {"points": 500, "cost": 9}}, "/budget/cost"),
    ({"budget": {}}, "/budget/points"),
    ({"prizes": [SWEET | {"stock": 5}]}, "/prizes"),
    ({"prizes": [NOTHING, SWEET | {"stock": 5}]}, "/prizes/1"),
    ({"prizes": [SWEET, NOTHING]}, "/prizes/0/stock"),
    ({"prizes": [SWEET | {"stock": 5, "gift": {"kind": "points", "points": 51}}, NOTHING]}, "/prizes/0/gift"),
]


async def test_what_makes_both_sides_comparable_and_draws_checkable_stays_once_a_campaign_has_started(
    shop: Shop,
) -> None:
    settings = {"prizes": [SWEET | {"stock": 5}, NOTHING | {"weight": 0}], "budget": {"points": 500}}
    campaign_id = await started(shop, **settings)
    before = await read(shop, campaign_id)
    for given, pointer in FIXED:
        assert refused(await change(shop, campaign_id, **given)) == (pointer, "fixed_after_start"), given
    assert await read(shop, campaign_id) == before
    draft = await made(shop, **settings)
    for given, _ in FIXED:
        assert (await change(shop, draft, **given)).status == 200, "a draft may still become anything"


async def test_odds_stock_cost_budgets_and_new_prizes_may_change_after_the_start(shop: Shop) -> None:
    campaign_id = await started(shop, prizes=[SWEET | {"stock": 5}], budget={"points": 500})
    mint = {"id": "mint", "gift": {"kind": "points", "points": 7}, "stock": 3}
    prizes = [SWEET | {"stock": 6, "weight": 0, "cost": 11}, mint]
    changed = await change(shop, campaign_id, prizes=prizes, budget={"points": 400}, ends_at="2999-01-01T00:00:00Z")
    assert changed.status == 200, changed.text
    assert [each["prize"] for each in (await buy(shop)).body["surprises"]] == ["mint"]


async def test_a_campaign_can_not_have_less_than_it_gave(shop: Shop) -> None:
    campaign_id = await started(shop, prizes=[SWEET | {"stock": 5}], budget={"points": 500, "cost": 100})
    for customer in ("c-1", "c-2"):
        assert len((await buy(shop, customer)).body["surprises"]) == 1
    for given in (
        {"prizes": [SWEET | {"stock": 1}]},
        {"budget": {"points": 99, "cost": 100}},
        {"budget": {"points": 500, "cost": 19}},
    ):
        answer = await change(shop, campaign_id, **given)
        assert (answer.status, answer.code) == (409, "campaign_taken"), given
    lowered = await change(shop, campaign_id, prizes=[SWEET | {"stock": 2}])
    assert lowered.status == 200, lowered.text
    assert (await buy(shop, "c-3")).body["surprises"] == []


async def test_dry_runs_store_nothing(shop: Shop) -> None:
    dry = await shop.post("/v1/campaigns?dry_run=true", campaign(), Role.MARKETER)
    assert (dry.status, dry.body["status"]) == (200, "draft")
    assert await listed(shop) == []
    campaign_id = await made(shop)
    before = await read(shop, campaign_id)
    assert (await change(shop, campaign_id, "?dry_run=true", name="Another")).body["name"] == "Another"
    for verb, status in (("activate", "active"), ("close", "closed")):
        answer = await move(shop, campaign_id, f"{verb}?dry_run=true")
        assert (answer.status, answer.body["status"]) == (200, status)
    assert await read(shop, campaign_id) == before
    await move(shop, campaign_id, "activate")
    bought = await shop.post(
        "/v1/purchases?dry_run=true",
        {"id": "dry", "customer_id": "c-42", "currency": "EUR", "total": 500}
        | {"occurred_at": datetime.now(UTC).isoformat()},
    )
    assert (bought.status, bought.body["surprises"]) == (200, []), "nobody can shop for prizes"


async def test_a_campaign_of_another_program_is_told_as_one_that_there_is_not(shop: Shop, new_shop: NewShop) -> None:
    other = await started(await new_shop())
    for campaign_id in (other, "cmp_00000000000070008000000000000000", "nothing"):
        path = f"/v1/campaigns/{campaign_id}"
        answers = [
            await shop.get(path, Role.MARKETER),
            await shop.get(f"{path}/versions", Role.MARKETER),
            await change(shop, campaign_id, name="Mine"),
            *[await move(shop, campaign_id, verb) for verb in ("activate", "pause", "close")],
            await shop.post(f"{path}/customers", {"customer_ids": ["c-1"]}, Role.MARKETER),
        ]
        assert {(answer.status, answer.code) for answer in answers} == {(404, "not_found")}, campaign_id


async def test_a_list_takes_each_customer_once_and_tells_the_unknown(shop: Shop) -> None:
    for customer in ("c-1", "c-2"):
        await shop.call("PUT", f"/v1/customers/{customer}", {})
    campaign_id = await made(shop, trigger={"kind": "list"})
    path = f"/v1/campaigns/{campaign_id}/customers"
    dry = await shop.post(f"{path}?dry_run=true", {"customer_ids": ["c-1"]}, Role.MARKETER)
    assert (dry.status, dry.body) == (200, {"added": 1, "unknown": []})
    key, body = unique("key"), {"customer_ids": ["nobody", "c-1", "c-1", "gone"]}
    first = await shop.post(path, body, Role.MARKETER, Idempotency_Key=key)
    assert (first.status, first.body) == (200, {"added": 1, "unknown": ["nobody", "gone"]})
    again = await shop.post(path, body, Role.MARKETER, Idempotency_Key=key)
    assert (again.body, again.replayed) == (first.body, True)
    both = await shop.post(path, {"customer_ids": ["c-1", "c-2"]}, Role.MARKETER)
    assert both.body == {"added": 1, "unknown": []}
    for ids in ([], [f"c-{number}" for number in range(501)]):
        assert refused(await shop.post(path, {"customer_ids": ids}, Role.MARKETER)) == ("/customer_ids", "out_of_range")


async def test_only_a_campaign_that_waits_for_a_list_and_is_not_closed_takes_one(shop: Shop) -> None:
    other = await made(shop)
    answer = await shop.post(f"/v1/campaigns/{other}/customers", {"customer_ids": ["c-1"]}, Role.MARKETER)
    assert refused(answer) == ("", "not_by_list")
    closed = await started(shop, trigger={"kind": "list"})
    await move(shop, closed, "close")
    answer = await shop.post(f"/v1/campaigns/{closed}/customers", {"customer_ids": ["c-1"]}, Role.MARKETER)
    assert (answer.status, answer.code) == (409, "definition_ended")
