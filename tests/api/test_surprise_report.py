"""Reports and forecasts of surprises through HTTP; and that nothing else tells the two sides of the lot apart."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.events import sequencing
from service.kernel.ids import from_wire
from service.platform.roles import Role
from service.purchases.surprise_report.figures import METHOD
from tests import jobs
from tests.conftest import NewShop
from tests.shop import Shop, purchase, unique
from tests.surprises import NOTHING, SWEET, buy, made, started

EMPTY_ARM: dict[str, Any] = {"customers": 0, "closed": 0, "any": 0, "spent": 0, "mean": None}
NO_GIFTS = {"waiting": 0, "revealed": 0, "stopped": 0, "failed": 0, "taken_back": 0}


async def read(shop: Shop, path: str, role: Role = Role.MARKETER) -> dict[str, Any]:
    answer = await shop.get(path, role)
    assert answer.status == 200, answer.text
    return answer.body


async def test_a_campaign_that_nobody_met_has_empty_arms_and_says_how_it_compares(shop: Shop) -> None:
    campaign_id = await made(shop, holdout=1_000, target_effect=300)
    body = await read(shop, f"/v1/campaigns/{campaign_id}/report")
    datetime.fromisoformat(body.pop("made_at"))
    assert body == {
        "campaign_id": campaign_id,
        "currency": "EUR",
        "metric": "spend",
        "unit": "minor_units",
        "window_days": 30,
        "holdout": 1_000,
        "treated": EMPTY_ARM,
        "held_out": EMPTY_ARM,
        "comparison": {
            "difference": None,
            "low": None,
            "high": None,
            "confidence": 9_500,
            "verdict": "cannot_tell_yet",
            "target_effect": 300,
            "more_customers": None,
            "method": METHOD,
        },
        "no_comparison": None,
        "gain": None,
        "cost": {"cost": 0, "points": 0},
        "gifts": NO_GIFTS,
        "stops": [],
    }


async def test_a_campaign_without_a_holdout_has_figures_and_no_comparison(shop: Shop) -> None:
    campaign_id = await started(shop)
    await buy(shop, "anna")
    await buy(shop, "bert")
    body = await read(shop, f"/v1/campaigns/{campaign_id}/report")
    assert (body["comparison"], body["no_comparison"], body["gain"]) == (None, "no_holdout", None)
    assert body["treated"] == EMPTY_ARM | {"customers": 2}
    assert body["gifts"] == NO_GIFTS | {"revealed": 2}
    assert body["cost"] == {"cost": 20, "points": 100}


async def test_a_game_that_costs_points_is_in_no_comparison(shop: Shop) -> None:
    await buy(shop, "anna")
    campaign_id = await started(shop, trigger={"kind": "play", "points": 20})
    path = f"/v1/campaigns/{campaign_id}/plays"
    played = await shop.post(path, {"customer_id": "anna"}, Idempotency_Key=unique("key"))
    assert played.status == 201, played.text
    body = await read(shop, f"/v1/campaigns/{campaign_id}/report")
    assert (body["no_comparison"], body["treated"], body["gifts"]["revealed"]) == ("paid_game", EMPTY_ARM, 1)
    assert (await read(shop, "/v1/surprise-report"))["gifts"] == NO_GIFTS


async def test_what_was_returned_or_stopped_costs_nothing(shop: Shop) -> None:
    campaign_id = await started(shop)
    await buy(shop, "anna", id="back", total=1_000)
    refund = await shop.post("/v1/purchases/back/refunds", {"id": "r-1", "amount": 1_000})
    assert refund.status == 201, refund.text
    await buy(shop, "bert", id="half", total=1_000)
    await shop.post("/v1/purchases/half/refunds", {"id": "r-2", "amount": 500})
    await shop.call("PUT", "/v1/customers/cleo", {}, role=Role.CHECKOUT)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    given = {"reason": "complaint", "until": until, "reference": "case-7"}
    stopped = await shop.post("/v1/customers/cleo/suppressions", given, Role.SUPPORT)
    assert stopped.status in {200, 201}, stopped.text
    await buy(shop, "cleo")
    body = await read(shop, f"/v1/campaigns/{campaign_id}/report")
    assert body["gifts"] == NO_GIFTS | {"revealed": 1, "taken_back": 1}
    assert body["cost"] == {"cost": 10, "points": 25}
    assert body["stops"] == [{"reason": "complaint", "at_draw": 1, "at_sending": 0}]
    assert body["treated"]["customers"] == 2


async def test_the_programs_own_report_follows_its_settings(new_shop: NewShop) -> None:
    shop = await new_shop(surprises={"metric": "repeat_purchase", "window_days": 7, "margin": 1_000, "holdout": 500})
    body = await read(shop, "/v1/surprise-report", Role.ANALYST)
    assert "campaign_id" not in body
    assert (body["metric"], body["unit"], body["window_days"]) == ("repeat_purchase", "basis_points", 7)
    assert (body["holdout"], body["no_comparison"]) == (500, None)
    plain = await new_shop()
    assert (await read(plain, "/v1/surprise-report"))["no_comparison"] == "no_holdout"


async def test_reports_are_of_the_own_program_and_of_campaigns_that_there_are(new_shop: NewShop) -> None:
    shop, other = await new_shop(), await new_shop()
    campaign_id = await started(shop)
    for path in (
        f"/v1/campaigns/{campaign_id}",
        "/v1/campaigns/cmp_00000000000070008000000000000000",
        "/v1/campaigns/x",
    ):
        for part in ("report", "forecast"):
            answer = await other.get(f"{path}/{part}", Role.MARKETER)
            assert (answer.status, answer.code) == (404, "not_found")
    for path in (f"/v1/campaigns/{campaign_id}/report", f"/v1/campaigns/{campaign_id}/forecast", "/v1/surprise-report"):
        for role in (Role.CHECKOUT, Role.SUPPORT, Role.PORTAL, Role.BILLING):
            assert (await shop.get(path, role)).status == 403


async def test_a_draft_is_forecast_by_what_its_audience_did_before(shop: Shop) -> None:
    for number in range(12):
        await buy(shop, f"c-{number}", total=1_000 * number)
    await buy(shop, "c-11", total=500, currency="USD")
    old = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    await buy(shop, "c-10", total=70_000, occurred_at=old)
    await buy(shop, "c-9", id="back", total=5_000)
    await shop.post("/v1/purchases/back/refunds", {"id": "r-1", "amount": 5_000})
    merged = await shop.post("/v1/customers/c-1/merge", {"into": "c-2"}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert merged.status == 200, merged.text
    campaign_id = await made(shop, holdout=2_000, target_effect=1_000)
    body = await read(shop, f"/v1/campaigns/{campaign_id}/forecast")
    assert (body["customers"], body["sampled"], body["eligible"], body["left_out"]) == (11, 11, 11, [])
    amounts = [1_000 * each for each in (0, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11)]
    mean = sum(amounts) / 11
    assert body["mean"] == round(mean)
    assert body["deviation"] == round((sum((each - mean) ** 2 for each in amounts) / 10) ** 0.5)
    assert (body["needed_share"], body["share_suffices"], body["finds_target"]) == (5_000, False, False)
    assert [each["share"] for each in body["at_shares"]] == [500, 1_000, 2_000, 3_000, 5_000]
    assert body["at_holdout"] == {"share": 2_000, "held_out": 2, "treated": 9, "smallest": None, "relative": None}

    few = await made(shop, holdout=2_000, audience={"expression": "customer.purchases > 2"}, metric="repeat_purchase")
    body = await read(shop, f"/v1/campaigns/{few}/forecast")
    assert (body["eligible"], body["unit"], body["mean"]) == (4, "basis_points", 10_000)
    assert body["finds_target"] is None


async def sides(shop: Shop, campaign_id: str) -> dict[str, bool]:
    """Read whether customers are held out of a campaign, which nobody outside can."""
    assert shop.database is not None
    async with shop.database.connection() as db:
        rows = await db.fetch(
            "SELECT c.external_id, e.held_out FROM campaign_enrolment AS e"
            " INNER JOIN customer AS c ON e.program_id = c.program_id AND e.customer_id = c.id"
            " WHERE e.program_id = $1 AND e.campaign_id = $2",
            shop.program.id,
            from_wire("cmp", campaign_id),
        )
    return {row["external_id"]: row["held_out"] for row in rows}


def bare(text: str, name: str) -> str:
    """Take out of an answer what differs between any two customers: ids, names, and times."""
    text = re.sub(r"\b([a-z]+)_[0-9a-f]{32}\b", r"\1_ID", text.replace(name, "NAME"))
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)", "TIME", text)
    return re.sub(r"[0-9a-f]{32,}", "HASH", text)


async def told_of(shop: Shop, games: Sequence[str], name: str) -> dict[str, str]:
    """Do all that a customer can do, and collect all that anybody outside is told of it."""
    told, now = dict[str, str](), datetime.now(UTC).isoformat()
    body = purchase(id=f"{name}-order", customer_id=name, occurred_at=now, total=5_000)
    for title, path in (
        ("dry run before", "?dry_run=true"),
        ("purchase", ""),
        ("again", ""),
        ("dry run", "?dry_run=true"),
    ):
        answer = await shop.post(f"/v1/purchases{path}", body)
        told[title] = f"{answer.status} {sorted(answer.headers)} {answer.text}"
    second = purchase(id=f"{name}-second", customer_id=name, occurred_at=now, total=700)
    told["dry run of another"] = (await shop.post("/v1/purchases?dry_run=true", second)).text
    told["batch"] = (await shop.post("/v1/purchases/batch", {"purchases": [second]})).text
    for number, game in enumerate(games):
        for attempt in range(2):
            answer = await shop.post(
                f"/v1/campaigns/{game}/plays", {"customer_id": name}, Idempotency_Key=unique("key")
            )
            told[f"play {number}.{attempt}"] = f"{answer.status} {answer.text}"
    told["refund"] = (await shop.post(f"/v1/purchases/{name}-order/refunds", {"id": f"{name}-r", "amount": 900})).text
    return {title: bare(text, name) for title, text in told.items()}


async def read_of(shop: Shop, name: str) -> dict[str, str]:
    """Collect what can be read of a customer afterwards."""
    found = dict[str, str]()
    for path in ("", "/balance", "/transactions", "/surprises", "/export"):
        answer = await shop.get(f"/v1/customers/{name}{path}", Role.ADMIN)
        assert answer.status == 200, answer.text
        found[path] = bare(answer.text, name)
    for order in ("order", "second"):
        found[order] = bare((await shop.get(f"/v1/purchases/{name}-{order}", Role.ADMIN)).text, name)
    return found


async def events_of(shop: Shop, names: Sequence[str]) -> dict[str, list[str]]:
    """Read all events, each by the customer whom it names."""
    found: dict[str, list[str]] = {name: [] for name in names}
    cursor = ""
    while True:
        page = await read(shop, f"/v1/events?limit=100{cursor}", Role.ADMIN)
        for event in page["data"]:
            text = json.dumps({key: value for key, value in event.items() if key != "position"})
            for name in names:
                if f'"{name}"' in text:
                    found[name].append(bare(text, name))
        if not page["has_more"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def test_nothing_that_is_told_sets_the_held_out_apart_from_who_drew_nothing(shop: Shop) -> None:
    prizes = [SWEET | {"weight": 1}, NOTHING | {"weight": 1_000_000}]
    half = {"holdout": 5_000, "prizes": prizes}
    campaign_id = await started(shop, **half)
    games = [await started(shop, trigger={"kind": "play", "per_day": 1}, **half)]
    later = await started(shop, trigger={"kind": "after", "fact": "purchase", "minutes": 1}, **half)
    names = [f"customer-{number:02}" for number in range(14)]
    told = {name: await told_of(shop, games, name) for name in names}
    assert shop.database is not None
    for _ in range(2):  # the feed is looked through for occasions, and then has what came of them
        while await sequencing.move_all(shop.database):
            pass
        await jobs.surprise(shop.database)
    for name in names:
        told[name] |= await read_of(shop, name)
    for name, events in (await events_of(shop, names)).items():
        assert events
        told[name]["events"] = "\n".join(events)
    for each in (campaign_id, *games, later):
        assert set((await sides(shop, each)).values()) == {True, False}
        assert len(await sides(shop, each)) == len(names)
    first = told[names[0]]
    assert '"surprises":[]' in first["purchase"]
    for name in names[1:]:
        for title, text in told[name].items():
            assert text == first[title], title
