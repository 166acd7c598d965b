"""Rules as a marketer lives with them: set, edited, paused, limited; what was booked can be computed again."""

from typing import Any

from service.earning import usecases as earning
from service.earning.occasion import Known
from service.platform.roles import Role
from service.purchases import usecases
from service.purchases.rules import Seen, occasion_of
from tests.conftest import NewShop
from tests.rulebook import change_rule, set_rule
from tests.rules.earning import book, earned
from tests.shop import Answer, Shop, purchase, unique

TEA = {"id": "tea", "amount": 9_000, "quantity": 3, "sku": "TEA-1", "category": "tea"}
CARD = {"id": "card", "amount": 5_000, "category": "gift-cards"}


def lines(answer: Answer) -> dict[str, int]:
    """Give the points of an answer by rule."""
    assert answer.status in {200, 201}, answer.text
    return {line["rule"]: line["points"] for line in answer.body["points"]["lines"]}


async def refund(shop: Shop, purchase: str, **content: Any) -> dict[str, int]:
    answer = await shop.post(f"/v1/purchases/{purchase}/refunds", {"id": unique("refund")} | content)
    assert answer.status == 201, answer.text
    return answer.body["points"]


async def test_a_program_of_several_rules_and_a_purchase_of_all_of_them(shop: Shop) -> None:
    await set_rule(shop, "tea", effect={"kind": "items", "points": 5, "items": {"categories": ["tea"]}})
    await set_rule(
        shop,
        "welcome",
        effect={"kind": "bonus", "points": 100},
        conditions={"customer": {"purchase_numbers": {"most": 1}}, "purchase": {"minimum": {"EUR": 5_000}}},
    )
    await set_rule(shop, "double", effect={"kind": "multiplier", "basis_points": 20_000})
    first = await shop.buy(id="o-1", total=14_000, items=[TEA, CARD])
    assert lines(first) == {"base": 140, "tea": 15, "welcome": 100, "double": 140}
    assert (first.body["points"]["earned"], first.body["balance"]["available"]) == (395, 395)
    again = await shop.buy(id="o-1", total=14_000, items=[TEA, CARD])
    assert (again.replayed, again.body) == (True, first.body)
    second = await shop.buy(id="o-2", total=14_000, items=[CARD])
    assert lines(second) == {"base": 140, "double": 140}
    history = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    assert [each["points"] for each in history] == [280, 395]


async def test_a_refund_takes_back_what_each_rule_gave_for_what_came_back(shop: Shop) -> None:
    await set_rule(shop, "tea", effect={"kind": "items", "points": 5, "items": {"categories": ["tea"]}})
    await set_rule(
        shop,
        "large",
        effect={"kind": "bonus", "points": 50},
        conditions={"purchase": {"minimum": {"EUR": 12_000}}},
    )
    await shop.buy(id="o-1", total=14_000, items=[TEA, CARD])
    # A piece of tea is 30.00 of 140.00, and 110.00 are less than the bonus asks for: 30 of 140, 5 of 15, all of 50.
    assert (await refund(shop, "o-1", items=[{"id": "tea", "quantity": 1}]))["reversed"] == 30 + 5 + 50
    assert (await refund(shop, "o-1", items=[{"id": "card", "quantity": 1}]))["reversed"] == 50
    assert (await refund(shop, "o-1", amount=6_000))["reversed"] == 60 + 10
    assert (await shop.balance("c-42"))["available"] == 0


async def test_what_was_multiplied_goes_with_what_was_given(shop: Shop) -> None:
    """After a refund nobody has more than who never bought what came back, by a minimum or by an item."""
    gift = {"purchase": {"minimum": {"EUR": 9_000}}}
    await set_rule(shop, "gift", effect={"kind": "bonus", "points": 1000}, conditions=gift)
    await set_rule(shop, "tea", effect={"kind": "items", "points": 100, "items": {"skus": ["TEA-1"]}})
    effect = {"kind": "multiplier", "basis_points": 20_000, "rules": ["base", "gift", "tea"]}
    await set_rule(shop, "double", effect=effect)
    bought = await shop.buy(id="order", total=14_000, items=[TEA, CARD])
    assert lines(bought) == {"base": 140, "gift": 1000, "tea": 300, "double": 1440}
    assert (await refund(shop, "order", items=[{"id": "tea", "quantity": 3}]))["reversed"] == 2880 - 2 * 50
    assert lines(await shop.buy(total=5_000, items=[CARD], customer_id="c-1")) == {"base": 50, "double": 50}
    assert (await refund(shop, "order", amount=5_000))["reversed"] == 2 * 50


async def test_what_was_multiplied_for_an_item_goes_with_it(shop: Shop) -> None:
    await set_rule(shop, "gift", effect={"kind": "bonus", "points": 1000})
    effect = {"kind": "multiplier", "basis_points": 20_000, "rules": ["base", "gift"]}
    await set_rule(shop, "double", effect=effect, conditions={"items": {"items": {"skus": ["TEA-1"]}}})
    await shop.buy(id="order", total=14_000, items=[TEA, CARD])
    assert (await refund(shop, "order", amount=1_400))["reversed"] == 14 + 100 + 114
    assert (await refund(shop, "order", items=[{"id": "tea", "quantity": 3}]))["reversed"] >= 1140 - 114
    assert (await shop.balance("c-42"))["available"] == 1140 * 36 // 140  # of the rest of 36.00, nothing doubled


async def test_what_one_rule_gave_is_multiplied_no_longer_than_it_is_left(shop: Shop) -> None:
    """Whatever the multiplier asks for besides: a smaller minimum, or an item."""
    gift = {"purchase": {"minimum": {"EUR": 9_000}}}
    await set_rule(shop, "gift", effect={"kind": "bonus", "points": 1000}, conditions=gift)
    effect = {"kind": "multiplier", "basis_points": 20_000, "rules": ["gift"]}
    conditions = {"purchase": {"minimum": {"EUR": 2_000}}, "items": {"items": {"skus": ["TEA-1"]}}}
    await set_rule(shop, "double", effect=effect, conditions=conditions)
    await shop.buy(id="less", total=14_000, items=[TEA, CARD])
    # Of 50.00 that are left 20.00 would be enough to double; there is no gift any more.
    assert (await refund(shop, "less", amount=9_000))["reversed"] == 90 + 1000 + 1000
    await shop.buy(id="card", total=14_000, items=[TEA, CARD])
    assert (await refund(shop, "card", items=[{"id": "card", "quantity": 1}]))["reversed"] == 50 + 2 * 358
    await shop.buy(id="tea", total=14_000, items=[TEA, CARD])
    assert (await refund(shop, "tea", items=[{"id": "tea", "quantity": 3}]))["reversed"] == 90 + 2 * 1000


async def test_what_is_doubled_because_of_another_item_is_not_doubled_without_it(shop: Shop) -> None:
    await set_rule(shop, "tea", effect={"kind": "items", "points": 100, "items": {"skus": ["TEA-1"]}})
    effect = {"kind": "multiplier", "basis_points": 20_000, "rules": ["tea"]}
    await set_rule(shop, "double", effect=effect, conditions={"items": {"items": {"categories": ["gift-cards"]}}})
    assert lines(await shop.buy(id="order", total=14_000, items=[TEA, CARD])) == {
        "base": 140,
        "tea": 300,
        "double": 300,
    }
    assert (await refund(shop, "order", items=[{"id": "card", "quantity": 1}]))["reversed"] == 50 + 300
    assert (await refund(shop, "order", items=[{"id": "tea", "quantity": 1}]))["reversed"] == 30 + 100


async def test_points_that_live_otherwise_are_a_lot_of_their_own_and_come_back_from_it(shop: Shop) -> None:
    await set_rule(shop, "later", effect={"kind": "bonus", "points": 40}, pending={"kind": "after", "days": 3650})
    await set_rule(shop, "short", effect={"kind": "bonus", "points": 30}, expiry={"kind": "rolling", "days": 3650})
    await set_rule(shop, "plain", effect={"kind": "bonus", "points": 20})
    bought = await shop.buy(id="o-1", total=10_000)
    assert lines(bought) == {"base": 100, "later": 40, "plain": 20, "short": 30}
    assert (bought.body["points"]["pending"], bought.body["balance"]["available"]) == (40, 150)
    lots = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert sorted((lot["granted"], lot["expires_at"] is None) for lot in lots) == [(30, False), (40, True), (120, True)]
    assert {lot["cause"]["id"] for lot in lots} == {"o-1"}
    told = await refund(shop, "o-1", amount=2_500)
    assert (told["reversed"], told["from_lots"]) == (25 + 10 + 8 + 5, 25 + 10 + 8 + 5)
    lots = (await shop.get("/v1/customers/c-42/lots")).body["data"]
    assert sorted((lot["granted"], lot["remaining"]) for lot in lots) == [(30, 22), (40, 30), (120, 90)]
    confirmed = await shop.post("/v1/purchases/o-1/confirm", {}, Idempotency_Key=unique("key"))
    assert confirmed.body["balance"] == {"available": 142, "pending": 0, "held": 0, "debt": 0}
    assert (await refund(shop, "o-1", amount=7_500))["from_lots"] == 142
    assert (await shop.get("/v1/customers/c-42/balance")).body["lifetime_earned"] == 0


async def test_what_is_doubled_lives_as_what_it_doubles(shop: Shop) -> None:
    """Points that are held back aren't doubled into points to spend at once; where they differ, the program decides."""
    held = {"kind": "after", "days": 3650}
    await set_rule(shop, "held", effect={"kind": "bonus", "points": 40}, pending=held)
    await set_rule(shop, "twice", effect={"kind": "multiplier", "basis_points": 20_000, "rules": ["held"]})
    bought = await shop.buy(total=10_000)
    assert lines(bought) == {"base": 100, "held": 40, "twice": 40}
    assert (bought.body["points"]["pending"], bought.body["balance"]["available"]) == (80, 100)
    own = {"kind": "multiplier", "basis_points": 20_000, "rules": ["held"]}
    await set_rule(shop, "own", effect=own, pending="at_once")
    await set_rule(shop, "both", effect=own | {"rules": ["base", "held"]})
    bought = await shop.buy(total=10_000)
    assert lines(bought) == {"base": 100, "held": 40, "twice": 40, "own": 40, "both": 140}
    assert bought.body["points"]["pending"] == 80


async def confirm(shop: Shop, its_id: str) -> Answer:
    return await shop.post(f"/v1/purchases/{its_id}/confirm", {}, Idempotency_Key=unique("key"))


async def test_what_is_confirmed_stays_so_where_another_lot_was_taken_back(new_shop: NewShop) -> None:
    until = {"kind": "until_confirmed", "otherwise": "lapse"}
    shop = await new_shop(pending=until | {"days": 3000})
    effect = {"kind": "items", "points": 30, "items": {"skus": ["TEA-1"]}}
    await set_rule(shop, "tea", effect=effect, pending=until | {"days": 2000})
    await shop.buy(id="order", total=12_000, items=[TEA])
    assert (await refund(shop, "order", items=[{"id": "tea", "quantity": 3}]))["reversed"] == 90 + 90
    first, again = await confirm(shop, "order"), await confirm(shop, "order")
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert first.body["balance"] == {"available": 30, "pending": 0, "held": 0, "debt": 0}


async def test_what_was_never_held_back_confirms_nothing_that_was_taken_back(shop: Shop) -> None:
    effect = {"kind": "items", "points": 30, "items": {"skus": ["TEA-1"]}}
    until = {"kind": "until_confirmed", "otherwise": "lapse", "days": 2000}
    await set_rule(shop, "tea", effect=effect, pending=until)
    await shop.buy(id="order", total=12_000, items=[TEA])
    await refund(shop, "order", items=[{"id": "tea", "quantity": 3}])
    assert (await confirm(shop, "order")).code == "points_lapsed"


async def test_a_transfer_names_its_rules_and_what_they_said_then(shop: Shop) -> None:
    await set_rule(shop, "later", effect={"kind": "bonus", "points": 40}, pending={"kind": "after", "days": 3650})
    await set_rule(shop, "plain", effect={"kind": "bonus", "points": 20})
    await shop.buy(id="o-1", total=10_000)
    await change_rule(shop, "plain", effect={"kind": "bonus", "points": 25}, valid_from="2025-06-01T00:00:00Z")
    ids = [each["id"] for each in (await shop.get("/v1/customers/c-42/transactions")).body["data"]]
    held_back, at_once = [(await shop.get(f"/v1/transactions/{each}/explain")).body for each in ids]
    assert (held_back["rule"]["rule"], held_back["rule"]["content"]["effect"]["points"]) == ("later", 40)
    assert at_once["rule"] is None
    assert [(each["rule"], each["version"], each["points"]) for each in at_once["rules"]] == [
        ("base", 1, 100),
        ("plain", 1, 20),
    ]
    assert at_once["rules"][1]["content"]["effect"]["points"] == 20
    assert at_once["why"].startswith("Purchase o-1 earned 120 points: base: 1 point for each 1.00 EUR")
    assert at_once["why"].endswith("; plain: a bonus of 20 points.")


async def test_an_edited_rule_leaves_the_past_alone_and_late_facts_follow_their_time(shop: Shop) -> None:
    await set_rule(shop, "bonus", effect={"kind": "bonus", "points": 10})
    before = await shop.buy(id="o-1", occurred_at="2026-02-01T10:00:00Z")
    await change_rule(shop, "bonus", effect={"kind": "bonus", "points": 20}, valid_from="2026-03-01T00:00:00Z")
    await change_rule(shop, "bonus", state="paused", valid_from="2026-05-01T00:00:00Z")
    for moment, points in [
        ("2026-02-28T23:59:59Z", 10),
        ("2026-03-01T00:00:00Z", 20),
        ("2026-04-30T23:59:59Z", 20),
        ("2026-05-01T00:00:00Z", 0),
        ("2024-12-31T23:59:59Z", 0),
    ]:
        assert lines(await shop.buy(occurred_at=moment)).get("bonus", 0) == points, moment
    again = await shop.buy(id="o-1", occurred_at="2026-02-01T10:00:00Z")
    assert (again.replayed, again.body) == (True, before.body)


async def test_limits_count_by_when_it_occurred_however_late_it_is_told(shop: Shop) -> None:
    await set_rule(shop, "daily", effect={"kind": "bonus", "points": 40}, limits=[{"every": "day", "points": 100}])
    days = {"15": [40, 40, 20, 0], "14": [40, 40], "16": [40], "13": [40, 40, 20]}
    for day, expected in days.items():
        told = [lines(await shop.buy(occurred_at=f"2026-01-{day}T0{hour}:00:00Z")) for hour in range(len(expected))]
        assert [each.get("daily", 0) for each in told] == expected, day
    # Behind newer days, after each of them: what was given then is counted from what was booked.
    assert lines(await shop.buy(occurred_at="2026-01-14T20:00:00Z"))["daily"] == 20
    assert "daily" not in lines(await shop.buy(occurred_at="2026-01-14T21:00:00Z"))
    assert "daily" not in lines(await shop.buy(occurred_at="2026-01-15T21:00:00Z"))
    assert [lines(await shop.buy(occurred_at="2026-01-16T21:00:00Z"))["daily"] for _ in range(2)] == [40, 20]


async def test_late_facts_of_one_call_count_each_other(shop: Shop) -> None:
    await set_rule(shop, "daily", effect={"kind": "bonus", "points": 40}, limits=[{"every": "day", "points": 100}])
    days = ["15", "14", "15", "13", "14", "14", "15", "14", "15"]
    purchases = [
        {
            "id": unique("order"),
            "customer_id": "c-42",
            "occurred_at": f"2026-01-{day}T10:00:00Z",
            "currency": "EUR",
            "total": 100,
        }
        for day in days
    ]
    answer = await shop.post("/v1/purchases/batch", {"purchases": purchases})
    given = [
        {line["rule"]: line["points"] for line in each["purchase"]["points"]["lines"]}.get("daily", 0)
        for each in answer.body["results"]
    ]
    assert given == [40, 40, 40, 40, 40, 20, 20, 0, 0]


async def test_what_two_records_used_of_a_limit_is_used_by_the_one_they_become(shop: Shop) -> None:
    await set_rule(shop, "once", effect={"kind": "bonus", "points": 40}, limits=[{"every": "life", "points": 100}])
    await shop.buy(customer_id="c-1")
    await shop.buy(customer_id="c-2")
    merged = await shop.post("/v1/customers/c-1/merge", {"into": "c-2"}, role=Role.ADMIN, Idempotency_Key=unique("key"))
    assert merged.status == 200, merged.text
    assert lines(await shop.buy(customer_id="c-2"))["once"] == 20
    assert "once" not in lines(await shop.buy(customer_id="c-1"))


async def test_a_late_fact_counts_what_the_other_record_used_then(shop: Shop) -> None:
    await set_rule(shop, "daily", effect={"kind": "bonus", "points": 40}, limits=[{"every": "day", "points": 100}])
    await shop.buy(customer_id="c-1", occurred_at="2026-01-05T10:00:00Z")
    await shop.buy(customer_id="c-2", occurred_at="2026-01-05T10:00:00Z")
    await shop.buy(customer_id="c-2", occurred_at="2026-01-06T10:00:00Z")
    await shop.post("/v1/customers/c-1/merge", {"into": "c-2"}, role=Role.ADMIN, Idempotency_Key=unique("key"))
    assert lines(await shop.buy(customer_id="c-2", occurred_at="2026-01-05T11:00:00Z"))["daily"] == 20


async def test_a_limit_for_all_is_used_up_by_all(shop: Shop) -> None:
    budget = [{"every": "month", "scope": "all", "points": 100}, {"every": "life", "scope": "all", "times": 4}]
    await set_rule(shop, "launch", effect={"kind": "bonus", "points": 40}, limits=budget)
    told = [lines(await shop.buy(customer_id=f"c-{number}")).get("launch", 0) for number in range(4)]
    assert told == [40, 40, 20, 0]
    february = [lines(await shop.buy(occurred_at="2026-02-02T10:00:00Z")).get("launch", 0) for _ in range(2)]
    assert february == [40, 0]
    # A larger limit goes on counting what is used.
    larger = [{"every": "month", "scope": "all", "points": 110}]
    await change_rule(shop, "launch", limits=larger, valid_from="2025-01-01T00:00:00Z")
    assert lines(await shop.buy())["launch"] == 10


async def test_purchases_before_and_behind_a_change_of_a_limit_for_all_may_come_in_one_call(shop: Shop) -> None:
    """Each is under the limit that applied when it occurred, and all count."""
    small, large = ([{"every": "life", "scope": "all", "points": points}] for points in (70, 130))
    await set_rule(shop, "launch", effect={"kind": "bonus", "points": 40}, limits=small)
    await change_rule(shop, "launch", limits=large, valid_from="2026-02-01T00:00:00Z")
    await shop.buy(customer_id="c-0")
    months = ["01", "02", "02", "02", "01"]
    purchases = [
        purchase(customer_id=f"c-{number}", occurred_at=f"2026-{month}-10T10:00:00Z")
        for number, month in enumerate(months)
    ]
    answer = await shop.post("/v1/purchases/batch", {"purchases": purchases})
    assert answer.status == 200, answer.text
    given = [
        {line["rule"]: line["points"] for line in each["purchase"]["points"]["lines"]}.get("launch", 0)
        for each in answer.body["results"]
    ]
    assert given == [30, 40, 20, 0, 0]


async def test_attributes_and_the_birthday_are_asked_of_the_profile(shop: Shop) -> None:
    await set_rule(
        shop,
        "b2b",
        effect={"kind": "bonus", "points": 5},
        conditions={"customer": {"attributes": {"segment": ["b2b"]}}},
    )
    birthday = {"customer": {"birthday": {"days_after": 3}}}
    await set_rule(shop, "birthday", effect={"kind": "bonus", "points": 7}, conditions=birthday)
    assert set(lines(await shop.buy(occurred_at="2026-01-03T10:00:00Z"))) == {"base"}
    profile = {"birthday": "1990-01-01", "attributes": {"segment": "b2b"}}
    assert (await shop.call("PUT", "/v1/customers/c-42", profile)).status == 200
    assert set(lines(await shop.buy(occurred_at="2026-01-03T10:00:00Z"))) == {"base", "b2b", "birthday"}
    assert set(lines(await shop.buy(occurred_at="2026-01-05T10:00:00Z"))) == {"base", "b2b"}


async def test_a_quote_tells_which_items_earn_what_and_what_is_out_of_reach(shop: Shop) -> None:
    await set_rule(shop, "tea", effect={"kind": "items", "points": 5, "items": {"categories": ["tea"]}})
    await set_rule(
        shop,
        "large",
        effect={"kind": "bonus", "points": 50},
        conditions={"purchase": {"minimum": {"EUR": 15_000}}},
    )
    await set_rule(
        shop, "friday", effect={"kind": "multiplier", "basis_points": 20_000}, conditions={"time": {"weekdays": [1]}}
    )
    await set_rule(
        shop,
        "tenth",
        effect={"kind": "bonus", "points": 50},
        conditions={"customer": {"purchase_numbers": {"every": 10}}},
    )
    await set_rule(shop, "used", effect={"kind": "bonus", "points": 1}, limits=[{"every": "life", "times": 1}])
    await set_rule(shop, "small", effect={"kind": "bonus", "points": 1}, group="sizes")
    await set_rule(shop, "medium", effect={"kind": "bonus", "points": 2}, group="sizes")
    await shop.buy(total=0)
    body = {"total": 14_000, "items": [TEA, CARD], "occurred_at": "2026-01-02T10:00:00Z"}
    quote = await shop.post("/v1/purchases?dry_run=true", {"id": "q", "customer_id": "c-42", "currency": "EUR"} | body)
    assert lines(quote) == {"base": 140, "medium": 2, "tea": 15}
    told = quote.body["quote"]
    # One more piece of tea is 30.00: 30 points, 5 for tea, and the bonus of 50.
    assert told["items"] == [
        {"id": "tea", "points": 90 + 15, "one_more": 30 + 5 + 50},
        {"id": "card", "points": 50, "one_more": 50 + 50},
    ]
    assert {each["rule"]: (each["reason"], each["missing"]) for each in told["out_of_reach"]} == {
        "large": ("minimum", 1_000),
        "friday": ("weekdays", None),
        "tenth": ("purchase_number", 8),
        "used": ("limit", None),
        "small": ("group", None),
    }
    assert quote.body["balance"]["available"] == 160


async def test_what_was_booked_can_be_computed_again(shop: Shop) -> None:
    """From the purchase as it was reported, what the rules saw of the customer, and the versions that are named."""
    third = {"customer": {"purchase_numbers": {"least": 3, "most": 3}}}
    await set_rule(shop, "third", effect={"kind": "bonus", "points": 30}, conditions=third)
    back = {"customer": {"days_since_last_purchase": {"least": 30}}}
    await set_rule(shop, "back", effect={"kind": "bonus", "points": 9}, conditions=back)
    for number in range(3):
        await shop.buy(id=f"o-{number}", occurred_at=f"2026-0{2 * number + 1}-02T10:00:00Z")
    await change_rule(shop, "third", effect={"kind": "bonus", "points": 1}, valid_from="2026-01-01T00:00:00Z")
    await change_rule(shop, "back", state="ended", valid_from="2026-01-01T00:00:00Z")
    assert shop.database is not None
    async with shop.database.reading() as db:
        booked = [await usecases.read(db, program_id=shop.program.id, purchase_id=f"o-{each}") for each in range(3)]
        contents = {
            rule: await earning.rule_at(db, program_id=shop.program.id, rule=rule, version=1)
            for rule in ("third", "back")
        }
    named = [{line.rule: line.version for line in each.earnings.lines} for each in booked]
    assert named == [{"base": 1}, {"base": 1, "back": 1}, {"base": 1, "third": 1, "back": 1}]
    rules = book(**{rule: content for rule, content in contents.items() if content is not None})
    for each in booked:
        seen = each.earnings.seen or Seen(1, each.recorded_at)
        known = Known(seen.purchase_number - 1, seen.since, seen.last_purchase_at, seen.tier)
        again = earned(rules, occasion_of(each.purchase, known, shop.program.settings))
        assert [candidate.line for candidate in again.given] == list(each.earnings.lines)
