"""What is told of each operation, as a caller reads it: the figures of that moment, however often it is read."""

from typing import Any

from service.events import usecases as events
from service.news import KINDS
from service.platform.roles import Role
from service.platform.statements import Db
from tests.api.test_events import read_all, sequenced
from tests.conftest import NewShop
from tests.shop import Shop, purchase, unique
from tests.stories.months import pass_time
from tests.stories.test_adjustments import adjust
from tests.stories.test_lives import DAY, NOTHING, command, now
from tests.stories.test_notices import told as notices
from tests.stories.test_opening_balances import bring, opening
from tests.stories.test_records import WORD, a_full_life, admin, merge, redeem
from tests.vouchers import end, issue, make
from tests.vouchers import redeem as redeem_reward


class Feed:
    """Reads what was told since the last time, and proves that what was told before is told alike."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._seen = list[dict[str, Any]]()

    async def all(self) -> list[dict[str, Any]]:
        """Read all events so far."""
        await sequenced(self._shop)
        events = await read_all(self._shop)
        assert events[: len(self._seen)] == self._seen
        return events

    async def new(self) -> list[dict[str, Any]]:
        """Read the events since."""
        events = await self.all()
        new, self._seen = events[len(self._seen) :], events
        return new

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Read the types and the data of the events since."""
        return [(event["type"], event["data"]) for event in await self.new()]

    async def told_of(self, kind: str) -> dict[str, Any]:
        """Read the data of the one event of a type since."""
        (data,) = [data for type_, data in await self.told() if type_ == kind]
        return data


async def transactions(shop: Shop) -> list[dict[str, Any]]:
    """Read the history of c-42, the oldest first."""
    return (await shop.get("/v1/customers/c-42/transactions")).body["data"][::-1]


def moved(transaction: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Tell of a transaction of the history what an event tells."""
    names = ("points", "cause", "balance_after", "occurred_at")
    return {"transaction_id": transaction["id"]} | {name: transaction[name] for name in names} | more


async def test_points_that_are_pending_become_available_or_lapse(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "lapse"})
    feed = Feed(shop)
    await shop.buy(id="o-1", occurred_at=now())
    (earned,) = await transactions(shop)
    assert (await feed.told())[1:2] == [("points.pending", moved(earned))]
    await command(shop, "/v1/purchases/o-1/confirm")
    confirmed = (await transactions(shop))[-1]
    assert confirmed["cause"] == {"type": "purchase", "id": "o-1"}
    assert await feed.told() == [("points.available", moved(confirmed))]
    await shop.buy(id="o-2", occurred_at=now())
    assert [kind for kind, _ in await feed.told()] == ["points.pending", "purchase.rewarded"]
    await pass_time(owner, shop.program.id, 32 * DAY)
    await shop.buy(id="o-3", total=0, occurred_at=now())
    ended = (await transactions(shop))[-1]
    seen = [(event["type"], event["data"]) for event in (await read_of(shop))[-2:]]
    assert seen[0] == ("points.expired", moved(ended, reason="lapse"))


async def read_of(shop: Shop) -> list[dict[str, Any]]:
    """Read the whole feed, where time has passed and so what was told is of other times."""
    await sequenced(shop)
    return await read_all(shop)


async def test_points_that_end_are_told_of_before_and_then(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30, "notice": {"days": 10}})
    await shop.buy(occurred_at=now(), total=10_000)
    await pass_time(owner, shop.program.id, 21 * DAY)
    await shop.buy(occurred_at=now(), total=0)
    assert await notices(shop, owner) == [100]
    ends_at = (await shop.get("/v1/customers/c-42/balance")).body["next_expiry"]["at"]
    expiring = (await read_of(shop))[-2]
    assert (expiring["type"], expiring["customer_id"]) == ("points.expiring", "c-42")
    assert expiring["data"] == {"points": 100, "ends_at": ends_at}
    await pass_time(owner, shop.program.id, 11 * DAY)
    await shop.buy(occurred_at=now(), total=0)
    expired = (await read_of(shop))[-2]
    assert (expired["type"], expired["data"]) == (
        "points.expired",
        moved((await transactions(shop))[-1], reason="expiry"),
    )


async def test_a_redemption_of_points_is_told_of_when_it_begins_and_when_it_ends(shop: Shop, owner: Db) -> None:
    await shop.buy(total=10_000)
    feed = Feed(shop)
    await feed.new()
    held = await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 50, "order_id": "o-9"})
    redemption = {"redemption_id": held.body["id"], "points": 50, "order_id": "o-9", "reward_id": None}
    assert await feed.told() == [("redemption.held", redemption | {"expires_at": held.body["expires_at"]})]
    assert (await end(shop, held.body["id"], "capture", points=30)).status == 200
    (captured,) = await feed.new()
    assert (captured["type"], captured["customer_id"]) == ("redemption.captured", "c-42")
    assert captured["data"] == redemption | {"captured": 30, "captured_at": captured["data"]["captured_at"]}
    # A refund gives back what was captured, and what was told of that stays.
    await shop.buy(id="o-9", total=0, points_paid=30)
    assert (await shop.post("/v1/purchases/o-9/refunds", {"id": "r-9", "amount": 0})).status == 201
    assert (await feed.told_of("purchase.refunded"))["restored"] == 30
    other = await redeem(shop, "c-42", 20)
    await end(shop, other, "release")
    released = (await feed.told())[-1]
    assert (released[0], released[1]["redemption_id"], released[1]["points"]) == ("redemption.released", other, 20)
    await redeem(shop, "c-42", 20, expires_in=60)
    await feed.new()
    await pass_time(owner, shop.program.id, DAY)
    await shop.buy(total=0, occurred_at=now())
    lapsed = (await read_of(shop))[-2]
    assert (lapsed["type"], set(lapsed["data"])) == ("redemption.lapsed", {*redemption, "ended_at"})


async def test_a_reward_and_its_vouchers_are_told_of_without_a_code_that_would_buy_something(shop: Shop) -> None:
    await shop.buy(total=30_000)
    feed = Feed(shop)
    await feed.new()
    reward_id = await make(shop, voucher={"uses": 2})
    assert await feed.told() == [
        ("reward.created", {"reward_id": reward_id, "version": 1, "name": "10 % off", "points": 100})
    ]
    redemption = (await redeem_reward(shop, reward_id, order_id="o-1")).body["id"]
    held = await feed.told_of("redemption.held")
    assert (held["reward_id"], held["order_id"], held["points"]) == (reward_id, "o-1", 100)
    captured = await end(shop, redemption, "capture")
    voucher, told = captured.body["voucher"], await feed.told()
    assert [kind for kind, _ in told] == ["redemption.captured", "voucher.issued"]
    issued = told[1][1]
    assert issued == {
        "voucher_id": redemption.replace("hold", "vch"),
        "redemption_id": redemption,
        "reward_id": reward_id,
        "reward_version": 1,
        "code_ends_in": voucher["code"][-2:],
        "uses": 2,
        "issued_at": voucher["issued_at"],
        "valid_until": voucher["valid_until"],
    }
    order = {"order_id": "o-2", "amount": 5_000, "currency": "EUR"}
    used = await command(shop, f"/v1/vouchers/{voucher['code']}/redeem", order)
    once = {name: issued[name] for name in ("voucher_id", "reward_id", "code_ends_in")}
    first_use = order | once | {"discount": 500, "number": 1, "uses": 2, "used_at": used.body["used_at"]}
    assert await feed.told() == [("voucher.redeemed", first_use)]
    await command(shop, f"/v1/vouchers/{voucher['code']}/redeem", order | {"order_id": "o-3"})
    assert (await feed.told_of("voucher.redeemed"))["number"] == 2
    other = await issue(shop, reward_id)
    assert (await feed.told_of("voucher.issued"))["redemption_id"] is None
    cancelled = await command(shop, f"/v1/vouchers/{other.code}/cancel")
    ended = await feed.told_of("voucher.cancelled")
    assert (ended["code_ends_in"], ended["cancelled_at"]) == (other.code[-2:], cancelled.body["cancelled_at"])
    everything = str(await feed.all()).replace("-", "")
    assert voucher["code"].replace("-", "") not in everything
    assert other.code not in everything


async def test_a_change_of_a_reward_is_told_with_the_version_that_it_had_then(shop: Shop) -> None:
    feed, reward_id = Feed(shop), await make(shop)
    assert (await feed.told_of("reward.created"))["version"] == 1
    path = f"/v1/rewards/{reward_id}"
    for change in ({"points": 200}, {"status": "archived"}, {"status": "archived"}, {"points": 300}):
        assert (await shop.call("PATCH", path, change, role=Role.MARKETER)).status == 200
    told = [(data["version"], data["points"]) for _, data in await feed.told()]
    assert told == [(2, 200), (2, 200), (3, 300)]


async def test_codes_that_are_loaded_change_a_rewards_stock_and_those_that_are_there_nothing(shop: Shop) -> None:
    feed, reward_id = Feed(shop), await make(shop, codes="third_party")
    await feed.new()
    for _ in range(2):
        loaded = await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": ["SHORT-1", "SHORT-2"]}, Role.MARKETER)
        assert loaded.status == 200
    assert [kind for kind, _ in await feed.told()] == ["reward.changed"]
    await issue(shop, reward_id)
    told = await feed.told_of("voucher.issued")
    assert told["code_ends_in"] is None, "half of so short a code is too much"


async def test_an_adjustment_is_told_of_when_it_waits_and_when_it_is_decided(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=10)
    await shop.buy(total=10_000)
    feed = Feed(shop)
    await feed.new()
    at_once = await adjust(shop, 5, note=WORD)
    booked = {"adjustment_id": at_once.body["id"], "points": 5, "reason": "goodwill"}
    assert await feed.told() == [("adjustment.booked", booked | {"transaction_id": at_once.body["transaction_id"]})]
    for verb, kind in (("approve", "adjustment.booked"), ("refuse", "adjustment.refused")):
        asked = await adjust(shop, -50, reason="correction", note=WORD)
        waiting = {"adjustment_id": asked.body["id"], "points": -50, "reason": "correction"}
        assert await feed.told() == [("adjustment.waiting", waiting)]
        decided = await admin(shop, "POST", f"/v1/adjustments/{asked.body['id']}/{verb}")
        transaction = decided.body["transaction_id"]
        assert await feed.told() == [(kind, waiting | ({"transaction_id": transaction} if transaction else {}))]


async def test_an_opening_balance_is_told_with_what_it_brought(shop: Shop) -> None:
    feed = Feed(shop)
    await bring(shop, opening(100, 50, id="old-1"))
    brought = {"opening_balance_id": "old-1", "granted": 150, "debt": 0, "balance": NOTHING | {"available": 150}}
    assert await feed.told() == [("customer.enrolled", {}), ("opening_balance.booked", brought)]


async def test_a_change_of_the_program_is_told_with_the_version_of_its_settings(shop: Shop) -> None:
    feed = Feed(shop)
    changes = ({"settings": {"debt_limit": 5}}, {"settings": {"debt_limit": 5}}, {"name": "New"}, {"name": "New"})
    for change in changes:
        changed = await shop.call("PATCH", "/v1/program", change, role=Role.ADMIN)
        assert (changed.status, changed.body["version"]) == (200, 2)
    valid_from = "2026-02-03T04:05:06Z"
    later = {"settings": {"debt_limit": 6}, "valid_from": valid_from}
    assert (await shop.call("PATCH", "/v1/program", later, role=Role.ADMIN)).status == 200
    events = await feed.new()
    assert {(event["type"], event["customer_id"]) for event in events} == {("program.changed", None)}
    assert [event["data"]["version"] for event in events] == [2, 2, 3]
    assert events[0]["data"] == events[1]["data"]
    assert events[2]["data"]["valid_from"] == valid_from


async def test_a_customer_is_told_of_from_the_first_day_to_the_last(shop: Shop) -> None:
    feed = Feed(shop)
    for profile in ({}, {"name": "Ann"}, {"name": "Ann"}):
        await shop.call("PUT", "/v1/customers/c-42", profile)
    await shop.call("PUT", "/v1/customers/guest", {})
    assert await feed.told() == [("customer.enrolled", {}), ("customer.changed", {}), ("customer.enrolled", {})]
    references = {event["customer_id"]: event["customer_ref"] for event in await read_of(shop)}
    await merge(shop, "guest", "c-42")
    (merged,) = await feed.new()
    assert (merged["type"], merged["customer_id"], merged["data"]) == (
        "customer.merged",
        "c-42",
        {"merged_id": "guest", "merged_ref": references["guest"]},
    )
    await admin(shop, "DELETE", "/v1/customers/c-42")
    events = await read_of(shop)
    assert (events[-1]["type"], events[-1]["customer_id"], events[-1]["data"]) == ("customer.erased", None, {})
    assert events[-2]["data"] == {"merged_id": None, "merged_ref": references["guest"]}


async def test_what_was_told_of_a_record_that_went_into_another_one_stays(new_shop: NewShop) -> None:
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 30, "otherwise": "lapse"})
    feed = Feed(shop)
    await shop.buy(id="o-1", customer_id="guest", occurred_at=now())
    await shop.buy(id="o-2", customer_id="guest", occurred_at=now())
    await command(shop, "/v1/purchases/o-2/confirm")
    await redeem(shop, "guest", 10)
    await shop.buy(id="o-3", customer_id="c-42", occurred_at=now())
    await feed.new()
    await merge(shop, "guest", "c-42")
    assert [event["customer_id"] for event in await feed.new()] == ["c-42"]
    await command(shop, "/v1/purchases/o-1/confirm")
    (available,) = await feed.new()
    assert (available["type"], available["customer_id"]) == ("points.available", "c-42")
    assert available["data"]["cause"] == {"type": "purchase", "id": "o-1"}


async def test_after_an_erasure_no_event_has_a_word_of_the_customers_and_all_else_is_told_alike(
    new_shop: NewShop,
) -> None:
    shop = await new_shop(adjustment_limit=10)
    name = f"{WORD}@example.com"
    await a_full_life(shop)
    guest = f"{WORD}-guest"
    await shop.buy(customer_id=guest, total=30_000)
    await merge(shop, guest, name)
    held = await redeem(shop, name, 20)
    await end(shop, held, "capture")
    reward = (await redeem_reward(shop, await make(shop), name)).body["id"]
    assert (await end(shop, reward, "capture")).status == 200
    asked = {"points": 50, "reason": "goodwill", "note": WORD}
    path = f"/v1/customers/{name}/adjustments"
    assert (await shop.post(path, asked, Role.SUPPORT, Idempotency_Key=unique("key"))).status == 201
    before = await read_of(shop)
    assert {event["customer_id"] for event in before} == {name, guest, None}
    kinds_before = {event["type"] for event in before}
    assert kinds_before >= {"customer.enrolled", "customer.merged", "adjustment.waiting", "voucher.issued"}
    assert not any(WORD in str(event["data"]) for event in before if event["type"] != "customer.merged")
    assert (await admin(shop, "DELETE", f"/v1/customers/{name}")).status == 200
    after = await read_of(shop)
    assert WORD not in str(after)
    assert {event["customer_id"] for event in after} == {None}
    emptied: list[dict[str, Any]] = [event | {"customer_id": None} for event in before]
    for event in emptied:
        if event["type"] == "customer.merged":
            event["data"] |= {"merged_id": None}
    assert after[: len(before)] == emptied
    assert {event["type"] for event in after[len(before) :]} == {"adjustment.refused", "customer.erased"}


async def test_events_of_what_concerns_nobody_name_no_customer(shop: Shop) -> None:
    await make(shop)
    await shop.call("PATCH", "/v1/program", {"name": "New"}, role=Role.ADMIN)
    await shop.call("PUT", "/v1/customers/c-42", {})
    concerns = {kind.type: kind.concerns_customer for kind in KINDS}
    for event in await read_of(shop):
        assert concerns[event["type"]] == (event["customer_id"] is not None) == (event["customer_ref"] is not None)


async def test_two_hundred_events_of_all_kinds_are_told_by_a_handful_of_statements(shop: Shop) -> None:
    assert shop.database is not None
    bodies = [purchase(customer_id=f"c-{number}", total=20_000) for number in range(40)]
    assert (await shop.post("/v1/purchases/batch", {"purchases": bodies})).status == 200
    reward_id = await make(shop)
    for number in range(40):
        redemption = (await redeem_reward(shop, reward_id, f"c-{number}")).body["id"]
        await end(shop, redemption, "capture" if number % 2 else "release")
        await command(shop, f"/v1/purchases/{bodies[number]['id']}/refunds", {"id": f"r-{number}", "amount": 100})
    await sequenced(shop)
    async with shop.database.connection() as db:
        found = await events.read(db, program_id=shop.program.id, after=0, limit=200)
        first = await KINDS.tell(db, program_id=shop.program.id, events=found.events)
        statements = list[str]()
        with db.query_logger(lambda query: statements.append(query.query)):
            told = await KINDS.tell(db, program_id=shop.program.id, events=found.events)
    assert len(told) == 200
    assert told == first
    kinds = {event.type for event in told}
    assert len(kinds) >= 7
    assert len(statements) <= len(kinds)
    assert all(event.data for event in told if event.type != "customer.enrolled")
