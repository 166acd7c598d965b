"""Why a number is what it is: every transaction of a history explains itself, in words and in data."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.customers.rules import Balance
from service.platform.roles import Role
from service.platform.statements import Db
from service.points.rules import Bucket, moved
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.tiers import set_tier, set_tiers

DAY = timedelta(days=1)
NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}
OF_LOTS = {"available", "pending", "held"}
RULE = "1 point for each 1.00 EUR of 100.00 EUR (total), rounded down"


REASONS = ("purchase", "redemption", "release", "reversal", "merge")


def now() -> str:
    return datetime.now(UTC).isoformat()


async def command(shop: Shop, path: str, **body: Any) -> Any:
    answer = await shop.post(path, body, Idempotency_Key=unique("key"))
    assert answer.status in {200, 201}, answer.text
    return answer.body


async def buy(shop: Shop, order: str, total: int = 10_000) -> None:
    assert (await shop.buy(id=order, total=total, occurred_at=now())).status == 201


async def redeem(shop: Shop, points: int, **more: Any) -> str:
    return (await command(shop, "/v1/redemptions", customer_id="c-42", points=points, **more))["id"]


async def refund(shop: Shop, order: str, amount: int, named: str = "r-1") -> None:
    assert (await shop.post(f"/v1/purchases/{order}/refunds", {"id": named, "amount": amount})).status == 201


async def explain(shop: Shop, transaction_id: str) -> Answer:
    return await shop.get(f"/v1/transactions/{transaction_id}/explain", Role.PORTAL)


async def explained(shop: Shop) -> list[dict[str, Any]]:
    """Explain a customer's whole history, the oldest first, and prove that each explanation adds up."""
    listed = (await shop.get("/v1/customers/c-42/transactions?limit=200")).body["data"]
    answers = [await explain(shop, each["id"]) for each in reversed(listed)]
    assert [answer.status for answer in answers] == [200] * len(listed)
    history = [answer.body for answer in answers]
    assert [each["transaction"] for each in history] == listed[::-1]
    before = NOTHING
    for each in history:
        assert (each["customer_id"], each["id"]) == ("c-42", each["transaction"]["id"])
        assert each["balance_before"] == before
        assert each["balance_after"] == each["transaction"]["balance_after"]
        before = each["balance_after"]
        prove(each)
    assert before == await shop.balance("c-42")
    return history


def prove(told: dict[str, Any]) -> None:
    """Prove that the lots and the balances of an explanation are those of its transaction."""
    transaction, lots = told["transaction"], told["lots"]
    source, target, points = transaction["from"], transaction["to"], transaction["points"]
    after = moved(Balance(**told["balance_before"]), Bucket(source), Bucket(target), points)
    assert Balance(**told["balance_after"]) == after
    assert sum(lot["points"] for lot in lots) == (points if {source, target} & OF_LOTS else 0)
    assert all(lot["points"] > 0 and lot["id"].removeprefix("lot_") == lot["granted_by"][4:] for lot in lots)
    open_ones = {"available", "pending"}
    change = points * ((target in open_ones) - (source in open_ones))
    assert sum(lot["change"] for lot in lots) == change
    assert all(0 <= lot["remaining"] <= lot["granted"] for lot in lots)
    assert (told["rule"] is not None) == (transaction["reason"] == "purchase")


def whys(history: list[dict[str, Any]]) -> list[str]:
    return [each["why"] for each in history]


def shares(told: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(lot["cause"]["id"], lot["points"], lot["change"]) for lot in told["lots"]]


async def test_a_purchase_tells_the_rule_that_counted_then_and_not_the_one_of_today(shop: Shop, owner: Db) -> None:
    await buy(shop, "o-1")
    other = '[{"rule": "bonus", "version": 1, "points": 0, "why": "another line"}]'
    await owner.execute("UPDATE purchase SET lines = $2::jsonb || lines WHERE program_id = $1", shop.program.id, other)
    rates = {"base_rule": {"rates": {"EUR": {"points": 3, "amount": 1000}}, "rounding": "up"}}
    assert (await shop.call("PATCH", "/v1/program", {"settings": rates}, role=Role.ADMIN)).status == 200
    await buy(shop, "o-2")
    old, new = await explained(shop)
    assert old["why"] == f"Purchase o-1 earned 100 points: {RULE}."
    assert old["rule"] | {"settings": ...} == {
        "rule": "base", "version": 1, "points": 100, "why": RULE, "settings": ..., "content": None,
        "tier": None,
    }  # fmt: skip
    assert (old["rule"]["settings"]["rates"], old["rule"]["settings"]["rounding"]) == ({}, "down")
    assert (new["rule"]["version"], new["rule"]["settings"]["rounding"]) == (2, "up")
    assert new["rule"]["settings"]["rates"] == rates["base_rule"]["rates"]
    assert new["why"].startswith("Purchase o-2 earned 30 points: 3 points for each 10.00 EUR")
    assert shares(old) == [("o-1", 100, 100)]
    assert (old["reverses"], old["reversed_by"]) == (None, [])


async def test_points_that_were_held_back_tell_until_when_and_what_made_them_available(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 14}, time_zone="Europe/Berlin")
    for order in ("o-1", "o-2"):
        await buy(shop, order)
    (_, told) = await explained(shop)
    assert told["why"].startswith(f"Purchase o-2 earned 100 points: {RULE}. Until 20")
    assert told["why"].endswith(" Europe/Berlin, or until confirmed, nothing of it can be spent.")
    assert shares(told) == [("o-2", 100, 100)]
    await command(shop, "/v1/purchases/o-2/confirm")
    await pass_time(owner, shop.program.id, 15 * DAY)
    await redeem(shop, 1)
    history = await explained(shop)
    assert history[1]["why"] == f"Purchase o-2 earned 100 points: {RULE}. At first, nothing of it could be spent."
    assert [why.split(" at ")[0] for why in whys(history[2:4])] == [
        "100 points from purchase o-2 became available",
        "100 points from purchase o-1 became available",
    ]
    assert [why.split(", ")[1] for why in whys(history[2:4])] == ["once confirmed.", "when the wait was over."]
    assert [shares(each) for each in history[2:4]] == [[("o-2", 100, 0)], [("o-1", 100, 0)]]


async def test_of_two_lots_with_one_cause_the_one_is_named_that_is_meant_or_none(new_shop: NewShop, owner: Db) -> None:
    """A purchase whose second rule granted a lot of its own, as the tables allow it."""
    expiry: dict[str, Any] = {"kind": "rolling", "days": 20}
    shop = await new_shop(pending={"kind": "after", "days": 14}, expiry=expiry)
    for order in ("o-1", "o-2"):
        await buy(shop, order)
    await owner.execute("UPDATE lot SET cause_id = 'o-1' WHERE program_id = $1", shop.program.id)
    await command(shop, "/v1/purchases/o-2/confirm")
    await pass_time(owner, shop.program.id, 15 * DAY)
    hold = await redeem(shop, 200, expires_in=30 * 86_400)
    bought, activated = (await explained(shop))[:2], (await explained(shop))[2:4]
    assert [each["lots"][0]["id"] for each in activated] == [each["lots"][0]["id"] for each in reversed(bought)]
    await pass_time(owner, shop.program.id, 15 * DAY)
    await command(shop, f"/v1/redemptions/{hold}/release")
    listed = (await shop.get("/v1/customers/c-42/transactions?limit=2")).body["data"]
    for each in listed:
        told = (await explain(shop, each["id"])).body
        assert (told["transaction"]["from"], told["transaction"]["to"], told["lots"]) == ("held", "expired", [])


async def test_points_that_nobody_confirmed_tell_that_they_lapsed(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "lapse"})
    await buy(shop, "o-1")
    assert "Unless confirmed before 20" in whys(await explained(shop))[0]
    await pass_time(owner, shop.program.id, 32 * DAY)
    await buy(shop, "o-2")
    lapsed = (await explained(shop))[1]
    assert lapsed["why"].startswith("100 points from purchase o-1 lapsed at 20")
    assert lapsed["why"].endswith(" UTC: nobody had confirmed by then.")
    assert shares(lapsed) == [("o-1", 100, -100)]


async def test_points_that_expired_tell_when_and_why(new_shop: NewShop, owner: Db) -> None:
    for expiry, why in (
        ({"kind": "rolling", "days": 30}, "when the time for spending was over."),
        ({"kind": "sliding", "days": 30}, "after too long without an activity that keeps points alive."),
    ):
        shop = await new_shop(expiry=expiry)
        await buy(shop, "o-1")
        await pass_time(owner, shop.program.id, 32 * DAY)
        await buy(shop, "o-2")
        _, expired, _ = await explained(shop)
        assert expired["why"].startswith("100 points from purchase o-1 expired unspent at 20")
        assert expired["why"].endswith(why)
        assert shares(expired) == [("o-1", 100, -100)]
        assert (expired["lots"][0]["expires_at"] is None) == (expiry["kind"] == "sliding")


async def test_points_that_end_before_they_become_available_tell_so(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10}, pending={"kind": "after", "days": 20})
    await buy(shop, "o-1")
    await pass_time(owner, shop.program.id, 12 * DAY)
    await buy(shop, "o-2")
    _, ended, _ = await explained(shop)
    assert ended["why"].startswith("100 points from purchase o-1 expired at 20")
    assert ended["why"].endswith(", still held back, when the time for spending was over.")


async def test_a_redemption_tells_its_order_and_of_which_lots_it_was(shop: Shop) -> None:
    await buy(shop, "o-1")
    await buy(shop, "o-2")
    hold = await redeem(shop, 150, order_id="o-3")
    await command(shop, f"/v1/redemptions/{hold}/capture", points=120)
    _, _, held, captured, released = await explained(shop)
    assert whys([held, captured, released]) == [
        f"Redemption {hold} for order o-3 set 150 points aside.",
        f"Redemption {hold} for order o-3 was captured and spent 120 points.",
        f"30 points set aside for redemption {hold} for order o-3 came back unspent.",
    ]
    assert shares(held) == [("o-1", 100, -100), ("o-2", 50, -50)]
    assert shares(captured) == [("o-1", 100, 0), ("o-2", 20, 0)]
    assert shares(released) == [("o-2", 30, 30)]


async def test_a_redemption_that_nobody_ended_tells_that_its_time_was_over(shop: Shop, owner: Db) -> None:
    await buy(shop, "o-1")
    hold = await redeem(shop, 80, expires_in=60)
    await pass_time(owner, shop.program.id, timedelta(seconds=61))
    await buy(shop, "o-2")
    lapsed = (await explained(shop))[2]
    assert lapsed["why"].startswith(f"80 points set aside for redemption {hold} came back at 20")
    assert lapsed["why"].endswith(": nobody had captured it by then.")
    assert shares(lapsed) == [("o-1", 80, 80)]


async def test_points_that_come_back_after_their_end_tell_that_they_expired(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    await buy(shop, "o-1")
    hold = await redeem(shop, 100, expires_in=30 * 86_400)
    await pass_time(owner, shop.program.id, 12 * DAY)
    await command(shop, f"/v1/redemptions/{hold}/release")
    *_, ended = await explained(shop)
    assert ended["why"].startswith("100 points from purchase o-1 came back from a redemption at 20")
    assert ended["why"].endswith(", when the time for spending was over, and expired.")
    assert shares(ended) == [("o-1", 100, 0)]


async def test_a_refund_tells_what_it_reversed_and_the_purchase_what_reversed_it(new_shop: NewShop) -> None:
    shop = await new_shop(debt_limit=50)
    await buy(shop, "o-0", total=1_000)
    await buy(shop, "o-1")
    await command(shop, f"/v1/redemptions/{await redeem(shop, 90)}/capture")
    await refund(shop, "o-1", 10_000)
    history = await explained(shop)
    bought, reversals = history[1], history[4:]
    taken, no_more = "that purchase o-1 had earned.", "No more was available"
    assert whys(reversals) == [
        f"Refund r-1 took back 20 points {taken}",
        f"Refund r-1 took back 50 points {taken} {no_more}: this is owed, and what comes in next repays it first.",
        f"Refund r-1 took back 30 points {taken} {no_more} and no more may be owed: this is written off.",
    ]
    assert [shares(each) for each in reversals] == [[("o-1", 20, -20)], [], []]
    assert [each["reverses"] for each in reversals] == [bought["transaction"]] * 3
    assert bought["reversed_by"] == [each["transaction"] for each in reversals]
    assert [each["reversed_by"] for each in reversals] == [[]] * 3


async def test_a_refund_of_what_is_held_back_tells_so(new_shop: NewShop) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 14})
    await buy(shop, "o-1")
    await refund(shop, "o-1", 5_000)
    bought, reversal = await explained(shop)
    assert reversal["why"] == "Refund r-1 took back 50 points that purchase o-1 had earned, still held back."
    assert (bought["reversed_by"], reversal["reverses"]) == ([reversal["transaction"]], bought["transaction"])


async def test_points_that_paid_tell_that_they_came_back_and_that_they_repaid_what_was_owed(shop: Shop) -> None:
    await buy(shop, "o-1")
    await command(shop, f"/v1/redemptions/{await redeem(shop, 60, order_id='o-2')}/capture")
    await buy(shop, "o-2", total=1_000)
    await refund(shop, "o-1", 10_000)
    await refund(shop, "o-2", 1_000, "r-2")
    history = await explained(shop)
    owed, restored, repaid = history[5], history[6], history[7]
    assert owed["transaction"]["points"] == 50
    assert whys([restored, repaid]) == [
        "Refund r-2 gave back 60 points that had paid for what was returned.",
        "50 points from refund r-2 repaid what was owed.",
    ]
    assert (shares(restored), shares(repaid)) == ([("o-1", 60, 60)], [("o-1", 50, -50)])


async def test_what_was_of_a_record_that_went_into_another_is_told_as_the_others(shop: Shop) -> None:
    for customer_id in ("guest", "c-42"):
        await shop.buy(id=f"of-{customer_id}", customer_id=customer_id, total=10_000)
    held = await command(shop, "/v1/redemptions", customer_id="guest", points=40)
    merged = await shop.post("/v1/customers/guest/merge", {"into": "c-42"}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert merged.status == 200
    await command(shop, f"/v1/redemptions/{held['id']}/release")
    await refund(shop, "of-guest", 10_000)
    listed = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    told = {each["id"]: (await explain(shop, each["id"])).body for each in listed}
    assert {each["customer_id"] for each in told.values()} == {"c-42"}
    by_reason = {reason: [t for t in told.values() if t["transaction"]["reason"] == reason] for reason in REASONS}
    for each in by_reason["purchase"] + by_reason["redemption"] + by_reason["release"] + by_reason["reversal"]:
        prove(each)
    (bought,) = (each for each in by_reason["purchase"] if each["transaction"]["cause"]["id"] == "of-guest")
    assert [each["id"] for each in bought["reversed_by"]] == [each["id"] for each in by_reason["reversal"]]
    assert [each["reverses"]["id"] for each in by_reason["reversal"]] == [bought["id"]]
    assert [shares(each) for each in by_reason["redemption"]] == [[("of-guest", 40, -40)]]
    assert {why.split(" ", 2)[2] for why in whys(by_reason["merge"])} == {
        "moved 60 points to the other record.",
        "brought 60 points from the other record.",
        "moved 40 points to the other record, still set aside.",
        "brought 40 points from the other record, still set aside.",
    }
    assert [each["lots"] for each in by_reason["merge"]] == [[]] * 4


async def test_what_became_available_before_a_merge_is_still_told_with_its_lot(new_shop: NewShop) -> None:
    shop = await new_shop(pending={"kind": "after", "days": 14})
    await shop.buy(id="o-1", customer_id="guest", total=10_000, occurred_at=now())
    await shop.buy(id="o-2", total=10_000, occurred_at=now())
    await command(shop, "/v1/purchases/o-1/confirm")
    (activation, _) = (await shop.get("/v1/customers/guest/transactions")).body["data"]
    merged = await shop.post("/v1/customers/guest/merge", {"into": "c-42"}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert merged.status == 200
    assert shares((await explain(shop, activation["id"])).body) == [("o-1", 100, 0)]


async def test_what_was_of_an_erased_customer_is_told_without_a_name(shop: Shop) -> None:
    await buy(shop, "o-1")
    (bought,) = await explained(shop)
    hold = await redeem(shop, 40)
    (_, held) = await explained(shop)
    erased = await shop.call("DELETE", "/v1/customers/c-42", role=Role.ADMIN)
    assert erased.status == 200
    for before in (bought, held):
        after = await explain(shop, before["id"])
        assert after.status == 200, after.text
        assert (after.body["customer_id"], after.body["why"]) == (None, before["why"])
        assert "c-42" not in after.text
    assert held["why"] == f"Redemption {hold} set 40 points aside."


@pytest.mark.parametrize(
    "name",
    [
        "txn_{own}x",
        "txn_{upper}",
        "hold_{own}",
        "{own}",
        "txn_",
        "txn_" + "f" * 32,
        "txn_" + "0" * 32,
        "lot_{own}",
        "txn_{own}%20",
        "txn_{own}%2F",
    ],
)
async def test_what_is_no_transaction_of_the_program_is_404(shop: Shop, new_shop: NewShop, name: str) -> None:
    await buy(shop, "o-1")
    (told,) = await explained(shop)
    own = told["id"].removeprefix("txn_")
    unknown = await explain(shop, name.format(own=own, upper=own.upper()))
    foreign = await explain(await new_shop(), told["id"])
    for answer in (unknown, foreign):
        assert (answer.status, answer.code) == (404, "not_found")
    assert {**unknown.body, "request_id": ""} == {**foreign.body, "request_id": ""}


async def test_what_a_tier_multiplied_tells_the_tier_as_it_was_then(shop: Shop) -> None:
    await set_tiers(shop, {})
    once_more = {"multiplier": {"basis_points": 15_000, "of": ["base"]}, "pending": None}
    await set_tier(shop, "gold", 100, benefits=once_more)
    await buy(shop, "o-1")
    await buy(shop, "o-2")
    twice = {"benefits": {"multiplier": {"basis_points": 20_000}}, "name": "Golden"}
    assert (await shop.call("PATCH", "/v1/tiers/gold", twice, role=Role.MARKETER)).status == 200
    await buy(shop, "o-3")
    listed = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    first, old, new = [(await explain(shop, each["id"])).body for each in reversed(listed)]
    assert [rule["rule"] for rule in first["rules"]] == ["base"]
    base, of_tier = old["rules"]
    assert (base["rule"], base["tier"], base["content"]) == ("base", None, None)
    assert of_tier == {
        "rule": "tier:gold", "version": 1, "points": 50, "settings": None, "content": None,
        "why": "1.5 times the 100 points of base, for the tier Gold",
        "tier": {"name": "Gold", "threshold": 100, "benefits": once_more},
    }  # fmt: skip
    told = new["rules"][1]
    assert (told["version"], told["points"], told["tier"]["name"]) == (2, 100, "Golden")
    assert told["tier"]["benefits"]["multiplier"]["basis_points"] == 20_000
