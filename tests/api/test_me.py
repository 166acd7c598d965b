"""`/v1/me` through HTTP: what customers read of themselves, redeem and play."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from service.platform.roles import Role
from service.platform.statements import Db
from tests import billing, jobs
from tests.conftest import NewShop
from tests.own import PORTAL, make_reward, put, set_settings, settle_in
from tests.portal import allow, call_as, token_of
from tests.rulebook import SINCE, set_rule
from tests.shop import Answer, Shop, unique
from tests.surprises import NOTHING, SWEET, buy, move, started

BONUS: dict[str, Any] = {"effect": {"kind": "bonus", "points": 50}}
RATES = (("AUD", 1, 300), ("EUR", 2, 100), ("JPY", 0, 1))


async def ask(shop: Shop, section: str = "", customer: str = "c-42") -> Any:
    """Read a section as the customer; gives its list, or the whole of what is none."""
    answer = await call_as(shop, await token_of(shop, customer), f"/v1/me{section}")
    assert answer.status == 200, answer.text
    return answer.body.get("data", answer.body)


async def redeem(shop: Shop, reward_id: str, key: str = "", query: str = "") -> Answer:
    """Redeem a reward as the customer."""
    body, token = {"reward_id": reward_id}, await token_of(shop)
    return await call_as(shop, token, f"/v1/me/redemptions{query}", body, Idempotency_Key=key or unique("key"))


async def play(shop: Shop, campaign_id: str, key: str = "") -> Answer:
    """Play a game as the customer."""
    path, token = f"/v1/me/games/{campaign_id}/plays", await token_of(shop)
    return await call_as(shop, token, path, {}, Idempotency_Key=key or unique("key"))


async def bought_now(shop: Shop, total: int, **changes: Any) -> None:
    """Buy at this moment."""
    await buy(shop, total=total, **changes)


async def test_a_customer_sees_the_balance_whose_it_is_and_what_it_is_worth(shop: Shop) -> None:
    await settle_in(shop)
    me = await ask(shop)
    assert (me["customer_id"], me["name"], me["locale"]) == ("c-42", "Anna", "de-DE")
    assert me["balance"] == (await shop.get("/v1/customers/c-42/balance")).body
    assert (me["balance"]["available"], me["balance"]["pending"]) == (249, 50)
    assert me["value"] == {"amount": 249, "currency": "EUR"}
    partner = {"name": "Tea & Co.", "program": shop.program.code, "live": False, "currency": "EUR", "time_zone": "UTC"}
    allowed = {name: PORTAL[name] for name in ("accent", "home", "may_redeem", "may_play")}
    assert me["partner"] == partner | allowed


async def test_the_next_reward_is_the_cheapest_out_of_reach_else_the_dearest_in_reach(shop: Shop) -> None:
    await shop.buy(total=30_000)
    assert (await ask(shop))["next_reward"] is None
    await make_reward(shop, "A spoon", 50)
    mug = await make_reward(shop, "A mug", 200)
    told = {"id": mug, "name": "A mug", "points": 200, "missing_points": 0, "available": True}
    assert (await ask(shop))["next_reward"] == told
    await make_reward(shop, "A journey", 90_000)
    pot = await make_reward(shop, "A teapot", 400)
    await make_reward(shop, "Gone", 310, stock=0)
    told = {"id": pot, "name": "A teapot", "points": 400, "missing_points": 100, "available": False}
    assert (await ask(shop))["next_reward"] == told


async def test_what_the_token_does_not_allow_is_not_offered(shop: Shop) -> None:
    await settle_in(shop)
    answer = await call_as(shop, await token_of(shop, read_only=True), "/v1/me")
    assert (answer.body["partner"]["may_redeem"], answer.body["partner"]["may_play"]) == (False, False)


async def test_pending_points_tell_what_brought_them_and_what_they_wait_for(shop: Shop) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    cases: dict[str, dict[str, Any]] = {
        "after": {"kind": "after", "days": 14},
        "opened": {"kind": "until_confirmed", "days": 7, "otherwise": "activate"},
        "lapsing": {"kind": "until_confirmed", "days": 3, "otherwise": "lapse"},
    }
    for name, pending in cases.items():
        await set_settings(shop, pending=pending)
        await shop.buy(id=name, total=1_000, occurred_at=datetime.now(UTC).isoformat())
    found = {each["cause"]["id"]: each for each in await ask(shop, "/pending")}
    assert set(found) == set(cases)
    assert {each["points"] for each in found.values()} == {10}
    assert found["after"]["until"] == found["opened"]["until"] == "date"
    comes = datetime.fromisoformat(found["after"]["available_at"])
    assert timedelta(days=14) <= comes - at < timedelta(days=14, minutes=5)
    assert (found["after"]["lapses_at"], found["lapsing"]["available_at"]) == (None, None)
    assert found["lapsing"]["until"] == "confirmed"
    assert at + timedelta(days=3) < datetime.fromisoformat(found["lapsing"]["lapses_at"]) <= at + timedelta(days=4)


async def test_points_that_are_confirmed_wait_for_nothing(shop: Shop) -> None:
    await set_settings(shop, pending={"kind": "after", "days": 14})
    await shop.buy(id="order-1", total=1_000, occurred_at=datetime.now(UTC).isoformat())
    assert len(await ask(shop, "/pending")) == 1
    assert (await shop.post("/v1/purchases/order-1/confirm", {}, Idempotency_Key="confirm")).status == 200
    assert await ask(shop, "/pending") == []


async def test_what_ends_is_told_by_moments_the_earliest_first(shop: Shop) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await set_settings(shop, SINCE, expiry={"kind": "rolling", "days": 30})
    for days, total in ((2, 1_000), (0, 500), (2, 300), (1, 100)):
        await shop.buy(total=total, occurred_at=(today - timedelta(days=days)).isoformat())
    ends = [today + timedelta(days=days) for days in (29, 30, 31)]
    assert [(each["points"], datetime.fromisoformat(each["at"])) for each in await ask(shop, "/expiring")] == list(
        zip((13, 1, 5), ends, strict=True)
    )


async def test_no_more_than_twelve_moments_are_told(shop: Shop) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await set_settings(shop, SINCE, expiry={"kind": "rolling", "days": 90})
    for days in range(14):
        await shop.buy(total=100, occurred_at=(today - timedelta(days=days)).isoformat())
    told = [datetime.fromisoformat(each["at"]) for each in await ask(shop, "/expiring")]
    assert told == [today + timedelta(days=91 - days) for days in range(13, 1, -1)]


async def test_points_that_slide_end_all_together(shop: Shop) -> None:
    now = datetime.now(UTC)
    await set_settings(shop, SINCE, expiry={"kind": "sliding", "days": 60})
    for days in (40, 10):
        await shop.buy(total=1_000, occurred_at=(now - timedelta(days=days)).isoformat())
    (told,) = await ask(shop, "/expiring")
    assert told["points"] == 20
    assert timedelta(days=50) < datetime.fromisoformat(told["at"]) - now <= timedelta(days=51)


async def test_points_that_never_end_and_pending_ones_are_not_among_what_ends(shop: Shop) -> None:
    await shop.buy(total=1_000)
    await set_settings(shop, expiry={"kind": "rolling", "days": 60}, pending={"kind": "after", "days": 14})
    await shop.buy(total=1_000, occurred_at=datetime.now(UTC).isoformat())
    assert await ask(shop, "/expiring") == []


async def test_what_is_due_and_not_booked_counts_as_done(shop: Shop, owner: Db) -> None:
    now = datetime.now(UTC)
    await set_settings(shop, SINCE, expiry={"kind": "rolling", "days": 60}, pending={"kind": "after", "days": 14})
    for days, total in ((1, 1_000), (2, 300)):
        await shop.buy(total=total, occurred_at=(now - timedelta(days=days)).isoformat())
    assert ([each["points"] for each in await ask(shop, "/pending")], await ask(shop, "/expiring")) == ([3, 10], [])
    # Time goes on for two weeks less one and a half days: what was bought two days ago is not held back any more.
    ago = timedelta(days=12, hours=12)
    await owner.execute(
        "UPDATE lot SET available_at = available_at - $2::interval WHERE program_id = $1", shop.program.id, ago
    )
    await owner.execute(
        "UPDATE customer SET next_due_at = next_due_at - $2::interval WHERE program_id = $1", shop.program.id, ago
    )
    assert [each["points"] for each in await ask(shop, "/pending")] == [10]
    assert [each["points"] for each in await ask(shop, "/expiring")] == [3]
    assert (await ask(shop))["balance"]["available"] == 3


async def test_the_ways_to_earn_begin_with_what_every_purchase_earns(shop: Shop) -> None:
    await shop.buy()
    (base,) = await ask(shop, "/ways")
    empty = dict.fromkeys(("name", "units", "pieces", "factor_basis_points", "activity", "own", "friend", "ends_at"))
    told = {"id": "base", "kind": "amount", "rewards": "purchase", "points": 1, "amount": 100, "currency": "EUR"}
    assert base == empty | told | {"restricted": False}


async def test_each_currency_with_a_rate_is_a_way_the_programs_own_first(shop: Shop) -> None:
    rates = {
        "AUD": {"points": 1, "amount": 300},
        "EUR": {"points": 2, "amount": 100},
        "JPY": {"points": 0, "amount": 1},
    }
    await set_settings(shop, base_rule={"rates": rates, "any_currency": {"points": 1, "units": 5}})
    await shop.buy()
    told = [(each["currency"], each["points"], each["amount"], each["units"]) for each in await ask(shop, "/ways")]
    assert told == [("EUR", 2, 100, None), ("AUD", 1, 300, None), (None, 1, None, 5)]


async def test_rules_are_ways_as_long_as_they_are_open_to_the_customer(shop: Shop) -> None:
    await shop.call("PUT", "/v1/customers/c-42", {"attributes": {"club": "yes"}}, role=Role.ADMIN)
    await shop.buy()
    await put(shop, "/v1/activity-types", {"id": "review", "name": "A review", "state": "active"})
    await set_rule(shop, "reviewed", activity="review", **BONUS)
    await set_rule(shop, "unknown-type", activity="nobody-does-this", **BONUS)
    await set_rule(shop, "paid", activity="invoice.paid", **BONUS)
    await set_rule(shop, "visit", effect={"kind": "visit", "points": 5})
    await set_rule(shop, "tea", effect={"kind": "items", "points": 9, "pieces": 2, "items": {"categories": ["tea"]}})
    await set_rule(shop, "double", effect={"kind": "multiplier", "basis_points": 20_000})
    await set_rule(shop, "club", conditions={"customer": {"attributes": {"club": ["yes"]}}}, **BONUS)
    await set_rule(shop, "others", conditions={"customer": {"attributes": {"club": ["no"]}}}, **BONUS)
    await set_rule(shop, "first", conditions={"customer": {"purchase_numbers": {"most": 1}}}, **BONUS)
    await set_rule(shop, "second", conditions={"customer": {"purchase_numbers": {"least": 2, "most": 2}}}, **BONUS)
    await set_rule(shop, "large", conditions={"purchase": {"minimum": {"EUR": 10_000}}}, **BONUS)
    await set_rule(shop, "mine", conditions={"expression": "customer.purchase_number > 1"}, **BONUS)
    await set_rule(shop, "not-mine", conditions={"expression": "customer.purchase_number > 9"}, **BONUS)
    await set_rule(shop, "maybe", conditions={"expression": "purchase.total > 9"}, **BONUS)
    await set_rule(shop, "over", ends_at="2026-01-01T00:00:00Z", **BONUS)
    ways = {each["id"]: each for each in await ask(shop, "/ways")}
    open_ones = {"base", "reviewed", "paid", "visit", "tea", "double", "club", "second", "large", "mine", "maybe"}
    assert set(ways) == open_ones
    assert {its for its, each in ways.items() if each["restricted"]} == {"second", "large", "mine", "maybe"}
    assert (ways["reviewed"]["rewards"], ways["reviewed"]["activity"]) == ("activity", "A review")
    assert (ways["paid"]["rewards"], ways["paid"]["activity"]) == ("invoice", None)
    assert (ways["tea"]["kind"], ways["tea"]["points"], ways["tea"]["pieces"]) == ("items", 9, 2)
    assert (ways["double"]["kind"], ways["double"]["factor_basis_points"]) == ("multiplier", 20_000)
    assert (ways["visit"]["kind"], ways["visit"]["points"]) == ("visit", 5)


async def test_a_rule_is_no_way_any_more_once_its_limit_is_used_up(shop: Shop) -> None:
    await set_rule(shop, "once", limits=[{"every": "life", "times": 1}], **BONUS)
    await set_rule(shop, "first-come", limits=[{"every": "life", "scope": "all", "times": 1}], **BONUS)
    await set_rule(shop, "daily", limits=[{"every": "day", "times": 1}], **BONUS)
    await put(shop, "/v1/activity-types", {"id": "app", "name": "The app", "state": "active", "once": True})
    await set_rule(shop, "app", activity="app", **BONUS)
    await shop.call("PUT", "/v1/customers/c-42", {}, role=Role.ADMIN)
    await shop.call("PUT", "/v1/customers/c-43", {}, role=Role.ADMIN)
    every = {"base", "once", "first-come", "daily", "app"}
    assert {each["id"] for each in await ask(shop, "/ways")} == every
    await shop.buy()
    await put(shop, "/v1/activities", activity_now("app"))
    assert {each["id"] for each in await ask(shop, "/ways")} == {"base", "daily"}
    assert {each["id"] for each in await ask(shop, "/ways", "c-43")} == every - {"first-come"}


def activity_now(type_: str) -> dict[str, Any]:
    """Make an activity of this moment."""
    at = datetime.now(UTC).isoformat()
    return {"id": unique("activity"), "customer_id": "c-42", "type": type_, "occurred_at": at}


async def test_days_of_a_rule_bound_it_and_hours_restrict_it(shop: Shop) -> None:
    await shop.buy()
    today = datetime.now(UTC).date()
    span = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}
    later = {"from": str(today + timedelta(days=9)), "to": str(today + timedelta(days=9))}
    await set_rule(shop, "these-days", conditions={"time": {"dates": [later, span]}}, **BONUS)
    await set_rule(shop, "later", conditions={"time": {"dates": [later]}}, **BONUS)
    await set_rule(shop, "mornings", conditions={"time": {"hours": [{"from": "06:00", "to": "06:01"}]}}, **BONUS)
    ways = {each["id"]: each for each in await ask(shop, "/ways")}
    assert set(ways) == {"base", "these-days", "mornings"}
    assert ways["these-days"]["ends_at"] == f"{today + timedelta(days=2)}T00:00:00Z"
    assert [ways[its]["restricted"] for its in ("these-days", "mornings")] == [False, True]


async def test_the_tiers_part_and_what_a_friend_gets_are_ways_too(shop: Shop) -> None:
    await set_settings(shop, tiers={"qualify_by": "points", "period": {"kind": "rolling", "months": 12}})
    silver = {"multiplier": {"basis_points": 15_000}}
    for its_id, threshold, benefits in (("silver", 100, silver), ("gold", 9_000, silver)):
        tier = {"id": its_id, "name": its_id.title(), "threshold": threshold, "benefits": benefits, "state": "active"}
        await put(shop, "/v1/tiers", tier)
    await bought_now(shop, 20_000)
    mug = await make_reward(shop, "A mug", 100)
    prizes = {"referrer": {"kind": "points", "points": 500}, "referee": {"kind": "reward", "reward_id": mug}}
    await put(shop, "/v1/referral-offers", {"id": "friends", "name": "Bring a friend", "state": "active"} | prizes)
    _, tier, referral = await ask(shop, "/ways")
    assert (tier["kind"], tier["name"], tier["factor_basis_points"]) == ("tier", "Silver", 15_000)
    assert (referral["kind"], referral["rewards"], referral["points"]) == ("referral", "referral", 500)
    assert referral["own"] == {"kind": "points", "points": 500, "reward_name": None}
    assert referral["friend"] == {"kind": "reward", "points": 0, "reward_name": "A mug"}


async def test_rewards_in_reach_come_first_and_the_others_say_why_not(shop: Shop) -> None:
    await shop.buy(total=30_000)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await make_reward(shop, "Not yet", 10, valid_from=tomorrow)
    await make_reward(shop, "Over", 10, valid_until="2026-01-01T00:00:00Z")
    await make_reward(shop, "A draft", 10, status="draft")
    for name, points, more in (("Pot", 400, {}), ("Mug", 200, {}), ("Spoon", 50, {}), ("Gone", 10, {"stock": 0})):
        await make_reward(shop, name, points, **more)
    told = [(each["name"], each["for_customer"]) for each in await ask(shop, "/rewards")]
    available = {"available": True, "why": None, "missing_points": None}
    assert told == [
        ("Spoon", available),
        ("Mug", available),
        ("Gone", {"available": False, "why": "out_of_stock", "missing_points": None}),
        ("Pot", {"available": False, "why": "not_enough_points", "missing_points": 100}),
    ]


async def test_a_reward_is_redeemed_at_once_and_its_voucher_is_there(shop: Shop) -> None:
    ids = await settle_in(shop)
    answer = await redeem(shop, ids["reward_id"], "one")
    assert (answer.status, answer.body["status"], answer.body["captured"]) == (201, "captured", 100)
    assert answer.body["balance"]["available"] == 149
    (voucher,) = await ask(shop, "/vouchers")
    assert voucher == answer.body["voucher"]
    assert (voucher["name"], voucher["redeemable"]) == ("A mug", True)
    again = await redeem(shop, ids["reward_id"], "one")
    assert (again.status, again.body, again.replayed) == (201, answer.body, True)
    assert (await ask(shop))["balance"]["available"] == 149
    assert (await shop.get(f"/v1/vouchers/{voucher['code']}")).body["redeemable"]


async def test_keys_of_customers_are_theirs_alone(shop: Shop) -> None:
    ids = await settle_in(shop)
    await shop.buy(customer_id="c-43", total=24_990, occurred_at="2026-01-02T10:00:00Z")
    assert (await redeem(shop, ids["reward_id"], "same")).status == 201
    body = {"reward_id": ids["reward_id"]}
    other = await call_as(shop, await token_of(shop, "c-43"), "/v1/me/redemptions", body, Idempotency_Key="same")
    assert (other.status, other.replayed) == (201, False)


async def test_what_cannot_be_had_leaves_everything_as_it_was(shop: Shop) -> None:
    await settle_in(shop)
    dear, gone = await make_reward(shop, "Dear", 9_000), await make_reward(shop, "Gone", 10, stock=0)
    refused = [await redeem(shop, each) for each in (dear, gone)]
    assert [(each.status, each.code) for each in refused] == [
        (409, "insufficient_points"),
        (409, "reward_out_of_stock"),
    ]
    assert (await redeem(shop, "rwd_00000000000070008000000000000000")).status == 404
    dry = await redeem(shop, await make_reward(shop, "Cheap", 10), query="?dry_run=true")
    assert (dry.status, dry.body["voucher"]) == (200, None)
    balance = (await ask(shop))["balance"]
    assert (balance["available"], balance["held"]) == (249, 0)
    assert await ask(shop, "/vouchers") == []
    bare = await call_as(shop, await token_of(shop), "/v1/me/redemptions", {"reward_id": dear})
    assert bare.code == "idempotency_key_missing"


async def test_customers_who_want_the_last_pieces_at_once_get_as_many_as_there_are(shop: Shop) -> None:
    await allow(shop, may_redeem=True)
    rare = await make_reward(shop, "Rare", 100, stock=3)
    names = [f"c-{number}" for number in range(8)]
    for each in names:
        await shop.buy(customer_id=each, total=20_000)
    tokens = [await token_of(shop, each) for each in names]
    body = {"reward_id": rare}
    answers = await asyncio.gather(
        *(call_as(shop, each, "/v1/me/redemptions", body, Idempotency_Key=unique("key")) for each in tokens * 2)
    )
    assert sorted(each.status for each in answers) == [201] * 3 + [409] * 13
    spent = [200 - (await shop.balance(each))["available"] for each in names]
    assert sum(spent) == 300
    assert sum([(await shop.balance(each))["held"] for each in names]) == 0
    assert len({each.body["voucher"]["code"] for each in answers if each.status == 201}) == 3


async def test_vouchers_that_can_be_used_come_first_also_after_a_merge(shop: Shop) -> None:
    ids = await settle_in(shop)
    used, fresh = [(await redeem(shop, ids["reward_id"])).body["voucher"]["code"] for _ in range(2)]
    order = {"order_id": "order-9", "amount": 5_000, "currency": "EUR"}
    assert (await shop.post(f"/v1/vouchers/{used}/redeem", order, Idempotency_Key="use")).status == 200
    await shop.post("/v1/purchases/order-1001/refunds", {"id": "back", "total": 1}, Idempotency_Key="back")
    newest = (await redeem(shop, await make_reward(shop, "A spoon", 10))).body["voucher"]["code"]
    told = [each["code"] for each in await ask(shop, "/vouchers")]
    assert told == [newest, fresh, used]
    await shop.call("PUT", "/v1/customers/c-99", {}, role=Role.ADMIN)
    merged = await shop.post("/v1/customers/c-42/merge", {"into": "c-99"}, Role.ADMIN, Idempotency_Key="merge")
    assert merged.status == 200, merged.text
    assert [each["code"] for each in await ask(shop, "/vouchers", "c-99")] == told


async def test_history_says_why_and_goes_on_by_pages(shop: Shop) -> None:
    ids = await settle_in(shop)
    await redeem(shop, ids["reward_id"])
    token = await token_of(shop)
    first = (await call_as(shop, token, "/v1/me/transactions?limit=2")).body
    rest = (await call_as(shop, token, f"/v1/me/transactions?cursor={first['next_cursor']}")).body
    told = first["data"] + rest["data"]
    whole = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    assert [{name: each[name] for name in each if name != "why"} for each in told] == whole
    assert told[-1]["why"] == "Purchase order-1001 earned 249 points."
    assert told[0]["why"].endswith("was captured and spent 100 points.")
    bad = await call_as(shop, token, "/v1/me/transactions?limit=0")
    assert bad.pointer == "?limit"


async def test_the_own_code_is_made_when_it_is_asked_for_first(shop: Shop) -> None:
    await set_settings(shop, referral_link="https://tea.example/welcome")
    await shop.buy()
    told = await ask(shop, "/referral")
    assert told["code"]
    assert told["link"] == f"https://tea.example/welcome?ref={told['code']}"
    assert (await shop.get("/v1/customers/c-42/referral", Role.PORTAL)).body == told


async def test_open_invoices_tell_what_closes_them_today_those_due_first(shop: Shop) -> None:
    today = datetime.now(UTC).date()
    await shop.buy()
    await billing.issue(shop, "later", terms=billing.TWO_PERCENT, issued_on=str(today))
    await billing.issue(shop, "sooner", terms=billing.TWO_PERCENT, issued_on=str(today - timedelta(days=20)))
    await billing.issue(shop, "paid", terms=billing.TWO_PERCENT, issued_on=str(today))
    await billing.issue(shop, "anothers", customer_id="c-43", issued_on=str(today))
    assert (await billing.pay(shop, "paid", 98_000, str(today))).status == 201
    told = await ask(shop, "/invoices")
    assert [each["id"] for each in told] == ["sooner", "later"]
    assert [each["quote"]["payable"] for each in told] == [100_000, 98_000]
    assert (told[1]["open"], told[1]["due_on"]) == (100_000, str(today + timedelta(days=30)))
    quote = (await shop.get("/v1/invoices/later/quote", Role.BILLING)).body
    assert told[1]["quote"] == quote


async def test_games_that_run_are_shown_without_odds_and_stock(shop: Shop) -> None:
    await bought_now(shop, 10_000)
    mug = await make_reward(shop, "A mug", 100)
    cup = {"id": "cup", "gift": {"kind": "reward", "reward_id": mug}, "weight": 7, "stock": 3, "cost": 900}
    never = SWEET | {"id": "never", "weight": 0}
    gone = SWEET | {"id": "gone", "stock": 0}
    trigger = {"kind": "play", "points": 20, "per_day": 2}
    game = await started(shop, name="Wheel", trigger=trigger, prizes=[SWEET, cup, NOTHING, never, gone])
    await started(shop, name="No game")
    paused = await started(shop, name="Paused", trigger=trigger)
    await move(shop, paused, "pause")
    assert await ask(shop, "/games") == [
        {
            "id": game,
            "name": "Wheel",
            "points": 20,
            "granted": False,
            "open": True,
            "left_today": 2,
            "left_granted": None,
            "prizes": [
                {"id": "sweet", "kind": "points", "points": 50, "reward_name": None},
                {"id": "cup", "kind": "reward", "points": 0, "reward_name": "A mug"},
                {"id": "nothing", "kind": "nothing", "points": 0, "reward_name": None},
            ],
        }
    ]


async def test_a_game_is_played_once_for_each_key_and_closes_when_no_play_is_left(shop: Shop) -> None:
    await allow(shop, may_play=True)
    await bought_now(shop, 10_000)
    trigger = {"kind": "play", "points": 20, "per_day": 2}
    game = await started(shop, trigger=trigger, gifts_per_customer=None)
    first = await play(shop, game, "one")
    assert (first.status, first.body["customer_id"], first.body["prize"]["points"]) == (201, "c-42", 50)
    again = await play(shop, game, "one")
    assert (again.status, again.body, again.replayed) == (201, first.body, True)
    (told,) = await ask(shop, "/games")
    assert (told["open"], told["left_today"]) == (True, 1)
    await play(shop, game)
    (told,) = await ask(shop, "/games")
    assert (told["open"], told["left_today"]) == (False, 0)
    assert (await play(shop, game)).code == "plays_used_up"
    (won, _) = await ask(shop, "/surprises")
    assert (won["campaign_id"], won["points"], won["state"]) == (game, 50, "revealed")
    dry = await call_as(
        shop, await token_of(shop), f"/v1/me/games/{game}/plays?dry_run=true", {}, Idempotency_Key="dry"
    )
    assert dry.body["errors"][0]["code"] == "no_dry_run"


async def test_granted_plays_are_counted_and_other_audiences_games_are_not_shown(shop: Shop) -> None:
    await shop.call("PUT", "/v1/customers/c-42", {"attributes": {"club": "yes"}}, role=Role.ADMIN)
    granted = {"kind": "play", "granted": True, "per_day": None}
    for club in ("yes", "no"):
        audience = {"customer": {"attributes": {"club": [club]}}}
        game = await started(shop, name=club, trigger=granted, audience=audience)
        body = {"customer_id": "c-42", "plays": 3}
        given = await shop.post(f"/v1/campaigns/{game}/play-grants", body, Role.MARKETER, Idempotency_Key=club)
        assert given.status == 201, given.text
    (told,) = await ask(shop, "/games")
    assert (told["name"], told["left_granted"], told["left_today"], told["open"]) == ("yes", 3, None, True)


async def test_nobody_can_tell_who_is_held_out(new_shop: NewShop) -> None:
    """Before and after a play without a price, who is on either side of the comparison reads the same."""
    shop = await new_shop()
    await allow(shop, may_play=True)
    game = await started(shop, trigger={"kind": "play", "per_day": 2}, holdout=5_000)
    told = dict[str, list[Any]]()
    for number in range(12):
        customer = f"c-{number}"
        await shop.call("PUT", f"/v1/customers/{customer}", {}, role=Role.ADMIN)
        token = await token_of(shop, customer)
        path = f"/v1/me/games/{game}/plays"
        before = await ask(shop, "/games", customer)
        won = (await call_as(shop, token, path, {}, Idempotency_Key="a")).body["prize"] is not None
        after = await ask(shop, "/games", customer)
        again = await call_as(shop, token, path, {}, Idempotency_Key="b")
        assert (again.status, again.body["prize"]) == (201, None)
        told.setdefault("treated" if won else "held out", []).append(
            (before, after, await ask(shop, "/games", customer))
        )
    assert len(told) == 2, "one in 2,048 runs has all on one side"
    assert len({str(each) for its in told.values() for each in its}) == 1


async def test_who_is_suppressed_cannot_play_and_is_not_told_why(shop: Shop) -> None:
    await allow(shop, may_play=True)
    await bought_now(shop, 10_000)
    game = await started(shop, trigger={"kind": "play"})
    await put(shop, "/v1/customers/c-42/suppressions", {"reason": "complaint", "until": "2999-01-01T00:00:00Z"})
    (told,) = await ask(shop, "/games")
    assert told["open"] is False
    assert (await play(shop, game)).code == "game_not_open"


async def test_a_reward_that_was_won_is_told_once_it_is_revealed_with_its_voucher(shop: Shop) -> None:
    await allow(shop, may_play=True)
    await bought_now(shop, 1_000)
    mug = await make_reward(shop, "A mug", 100)
    game = await started(
        shop, trigger={"kind": "play"}, prizes=[{"id": "cup", "gift": {"kind": "reward", "reward_id": mug}}]
    )
    assert (await play(shop, game)).body["prize"]["kind"] == "reward"
    assert await ask(shop, "/surprises") == []
    assert shop.database is not None
    await jobs.surprise(shop.database)
    (told,), (voucher,) = await ask(shop, "/surprises"), await ask(shop, "/vouchers")
    assert (told["kind"], told["reward_id"], told["customer_id"]) == ("reward", mug, "c-42")
    assert told["voucher_code"] == voucher["code"].replace("-", "")


async def test_who_was_merged_reads_the_record_that_there_is_now(shop: Shop) -> None:
    await settle_in(shop)
    token = await token_of(shop)
    await shop.buy(customer_id="c-99", total=10_000, occurred_at="2026-01-02T10:00:00Z")
    await shop.post("/v1/customers/c-42/merge", {"into": "c-99"}, Role.ADMIN, Idempotency_Key="merge")
    own, other = [(await call_as(shop, each, "/v1/me")).body for each in (token, await token_of(shop, "c-99"))]
    assert own == other
    assert own["balance"]["available"] == 449
