"""How customers climb, keep and lose tiers, through HTTP, over months that pass."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests.activities import declare, report, reward
from tests.api.test_events import read_all, sequenced
from tests.conftest import NewShop
from tests.jobs import settle_tiers
from tests.rulebook import SINCE, set_rule
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, NOTHING, now
from tests.stories.test_records import admin, merge
from tests.tiers import qualify, set_tier, set_tiers, tier

CHANGED, ENDING = "customer.tier_changed", "customer.tier_ending"


def ago(days: int) -> str:
    """Return a moment so many days ago."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def buy(shop: Shop, euros: int, **more: Any) -> str | None:
    """Buy now for so much, with a point for each euro; returns the tier that is answered."""
    bought = await shop.buy(**({"total": euros * 100, "occurred_at": now()} | more))
    assert bought.status == 201, bought.text
    return None if bought.body["tier"] is None else bought.body["tier"]["id"]


async def give_back(shop: Shop, purchase_id: str, **content: Any) -> Answer:
    answer = await shop.post(f"/v1/purchases/{purchase_id}/refunds", {"id": unique("refund")} | content)
    assert answer.status == 201, answer.text
    return answer


class Told:
    """Reads what was told of tiers since the last time."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._seen = 0

    async def all(self) -> list[tuple[str, dict[str, Any]]]:
        """Read the types and the data of the events since."""
        await sequenced(self._shop)
        told = [event for event in await read_all(self._shop) if event["type"] in {CHANGED, ENDING}]
        new, self._seen = told[self._seen :], len(told)
        return [(event["type"], event["data"]) for event in new]

    async def new(self, kind: str) -> list[dict[str, Any]]:
        """Read the data of the events of a type since."""
        return [data for type_, data in await self.all() if type_ == kind]

    async def changes(self) -> list[tuple[str | None, str | None, str]]:
        """Read the changes since."""
        return [(data["from_tier"], data["to_tier"], data["reason"]) for data in await self.new(CHANGED)]


async def test_a_customer_climbs_by_what_purchases_earn_and_falls_by_refunds(shop: Shop) -> None:
    await set_tiers(shop)
    told = Told(shop)
    assert await buy(shop, 99, id="o-1") is None
    shown = await tier(shop)
    assert (shown["id"], shown["next"]) == (
        None,
        {"id": "bronze", "name": "Bronze", "missing": 1, "unit": "points", "currency": None},
    )
    first = await shop.buy(id="o-2", total=45_000, occurred_at=now())
    assert first.body["tier"] == {"id": "silver", "name": "Silver"}
    assert await buy(shop, 460, id="o-3") == "gold"
    await give_back(shop, "o-3", amount=1_000)  # 999 points are left
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"], shown["keep"]["missing"]) == ("silver", 1, 500)
    assert await told.changes() == [
        (None, "silver", "purchase"),
        ("silver", "gold", "purchase"),
        ("gold", "silver", "refund"),
    ]


async def test_a_repetition_gives_the_tier_of_the_first_answer(shop: Shop) -> None:
    await set_tiers(shop)
    at = now()
    first = await shop.buy(id="o-1", total=50_000, occurred_at=at)
    await buy(shop, 500)
    again = await shop.buy(id="o-1", total=50_000, occurred_at=at)
    assert (again.replayed, again.body) == (True, first.body)
    assert again.body["tier"] == {"id": "silver", "name": "Silver"}
    tried = await shop.post("/v1/purchases?dry_run=true", {**_order(), "total": 100})
    assert tried.body["tier"] == {"id": "gold", "name": "Gold"}


def _order() -> dict[str, Any]:
    return {"id": unique("order"), "customer_id": "c-42", "currency": "EUR", "occurred_at": now()}


async def test_a_tier_is_over_when_its_time_is_whether_anybody_books_it_or_not(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 30}, grace_days=5, notice_days=10)
    told = Told(shop)
    assert await buy(shop, 1_200) == "gold"
    await pass_time(owner, shop.program.id, 20 * DAY)
    assert await buy(shop, 100) == "gold"
    assert (await tier(shop))["downgrade"] is None
    await pass_time(owner, shop.program.id, 7 * DAY)
    # 27 days after it the 1,200 have three whole days left, and five of grace: nine days until they are over.
    soon = (await tier(shop))["downgrade"]
    assert (soon["id"], soon["name"]) == ("bronze", "Bronze")
    assert await settle_tiers(database) >= 1
    assert [(data["tier"], data["then"], data["ends_at"]) for data in await told.new(ENDING)] == [
        ("gold", "bronze", soon["at"])
    ]
    await pass_time(owner, shop.program.id, 10 * DAY)
    assert (await tier(shop))["id"] == "bronze"
    await settle_tiers(database)
    await settle_tiers(database)
    assert await told.changes() == [("gold", "bronze", "time")]
    await pass_time(owner, shop.program.id, 30 * DAY)
    assert await buy(shop, 1) is None
    assert await told.changes() == [("bronze", None, "time")]


async def test_what_was_bought_before_tiers_are_switched_on_is_counted_by_a_job(
    shop: Shop, database: Database, owner: Db
) -> None:
    await set_rule(shop, "hello", effect={"kind": "bonus", "points": 700})
    await shop.buy(id="o-1", total=60_000, occurred_at=ago(40))
    await shop.buy(id="o-2", total=30_000, occurred_at=ago(20))
    await shop.buy(total=90_000, occurred_at=ago(500))
    await give_back(shop, "o-1", amount=15_000)
    told = Told(shop)
    assert (await shop.get("/v1/customers/c-42/balance")).body["tier"] is None
    await set_tiers(shop)
    assert (await tier(shop))["id"] is None
    assert await buy(shop, 10) is None  # until all is counted, nothing is
    await settle_tiers(database)
    # 450 and 300 and 10 points, without bonuses, and without what was bought too long ago.
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"]) == ("silver", 240)
    await qualify(shop, period={"kind": "rolling", "months": 24}, qualify_by="spend")
    assert (await tier(shop))["id"] == "silver"
    await settle_tiers(database)
    shown = await tier(shop)
    assert (shown["id"], shown["next"], shown["keep"]["missing"]) == ("gold", None, 1_000)
    await qualify(shop, period={"kind": "rolling", "months": 12}, counts=["bonuses"])
    await settle_tiers(database)
    # Two bonuses of 700 in full; what came back took 15 of 60 of one of them.
    assert (await tier(shop))["id"] == "gold"
    await qualify(shop, period={"kind": "rolling", "months": 12}, qualify_by="purchases")
    await settle_tiers(database)
    assert (await tier(shop))["next"] == {
        "id": "bronze",
        "name": "Bronze",
        "missing": 97,
        "unit": "purchases",
        "currency": None,
    }
    await qualify(shop)
    await buy(shop, 1)
    await settle_tiers(database)
    assert (await shop.get("/v1/customers/c-42/balance")).body["tier"] is None
    state = "SELECT count(*) FROM customer WHERE program_id = $1 AND (tier_state != '{}' OR tier IS NOT NULL)"
    assert await owner.fetchval(state, shop.program.id) == 0
    assert await told.changes() == [
        (None, "silver", "terms"),
        ("silver", "gold", "terms"),
        ("gold", None, "terms"),
    ]


async def test_what_was_not_counted_while_tiers_were_off_is_counted_when_they_are_on_again(
    shop: Shop, database: Database
) -> None:
    await set_tiers(shop)
    assert await buy(shop, 400) == "bronze"
    await qualify(shop)
    assert await buy(shop, 100) is None
    await qualify(shop, period={"kind": "rolling", "months": 12})
    await settle_tiers(database)
    assert (await tier(shop))["id"] == "silver"


async def test_purchases_that_came_back_whole_are_none(shop: Shop) -> None:
    await set_tiers(shop, {"friend": 1, "regular": 3}, qualify_by="purchases")
    tiers = [await buy(shop, 10, id=f"o-{number}") for number in range(3)]
    assert tiers == ["friend", "friend", "regular"]
    await give_back(shop, "o-1", amount=999)
    assert (await tier(shop))["id"] == "regular"
    await give_back(shop, "o-1", amount=1)
    assert (await tier(shop))["id"] == "friend"


async def test_spend_counts_in_one_currency(shop: Shop) -> None:
    await set_tiers(shop, {"friend": 10_000}, qualify_by="spend", currency="USD")
    assert await buy(shop, 500) is None
    assert await buy(shop, 99, currency="USD") is None
    assert (await tier(shop))["next"]["missing"] == 100
    assert await buy(shop, 1, currency="USD") == "friend"


@pytest.mark.parametrize(("counts", "reached"), [([], None), (["bonuses"], "bronze"), (["activities"], "bronze")])
async def test_bonuses_and_activities_count_where_the_program_says_so(
    shop: Shop, counts: list[str], reached: str | None
) -> None:
    await set_rule(shop, "visit", effect={"kind": "visit", "points": 60})
    await declare(shop)
    await reward(shop)
    await set_tiers(shop, counts=counts)
    assert await buy(shop, 50) == ("bronze" if counts == ["bonuses"] else None)
    surveyed = await report(shop, occurred_at=now())
    assert surveyed.body["tier"] == (None if reached is None else {"id": reached, "name": "Bronze"})
    assert (await tier(shop))["id"] == reached


async def test_a_tier_multiplies_what_it_names_and_a_refund_takes_its_part_back(shop: Shop) -> None:
    await set_tiers(shop, {})
    benefits = {"multiplier": {"basis_points": 15_000}, "pending": {"kind": "after", "days": 10}}
    await set_tier(shop, "gold", 100, benefits=benefits)
    assert await buy(shop, 100) == "gold"
    second = await shop.buy(id="o-2", total=10_100, occurred_at=now())
    lines = {line["rule"]: (line["points"], line["why"]) for line in second.body["points"]["lines"]}
    assert lines["tier:gold"] == (50, "1.5 times the 101 points of base, for the tier Gold")
    assert (second.body["points"]["earned"], second.body["points"]["pending"]) == (151, 151)
    assert (await tier(shop))["next"] is None
    took = (await give_back(shop, "o-2", amount=5_050)).body["points"]
    assert took["reversed"] == 51 + 25
    late = await shop.buy(total=10_000, occurred_at="2019-06-01T10:00:00Z")  # there was no such tier then
    assert [line["rule"] for line in late.body["points"]["lines"]] == ["base"]
    reason = (await shop.get("/v1/customers/c-42/transactions")).body["data"][0]["id"]
    assert (await shop.get(f"/v1/transactions/{reason}/explain")).status == 200


async def test_rules_see_the_tier_that_a_customer_had_before_the_purchase(shop: Shop, database: Database) -> None:
    await set_tiers(shop, {"member": 0, "gold": 100})
    await set_rule(
        shop, "for-gold", effect={"kind": "bonus", "points": 7}, conditions={"customer": {"tiers": ["gold"]}}
    )
    await set_rule(
        shop, "for-members", effect={"kind": "bonus", "points": 3}, conditions={"customer": {"tiers": ["member"]}}
    )
    for euros, expected in ((100, {"for-members": 3}), (1, {"for-gold": 7})):
        bought = await shop.buy(total=euros * 100, occurred_at=now())
        given = {line["rule"]: line["points"] for line in bought.body["points"]["lines"] if line["rule"] != "base"}
        assert given == expected
    await shop.call("PUT", "/v1/customers/new", {})
    assert (await tier(shop, "new"))["id"] == "member"
    await settle_tiers(database)
    assert (await tier(shop, "new"))["id"] == "member"


async def test_a_late_purchase_counts_as_if_it_had_come_in_time(shop: Shop) -> None:
    await set_tiers(shop, period={"kind": "calendar", "period": "year"})
    year = datetime.now(UTC).year
    assert await buy(shop, 1_000, occurred_at=f"{year - 2}-05-01T10:00:00Z") is None  # had until the last year's end
    assert await buy(shop, 500, occurred_at=f"{year - 1}-05-01T10:00:00Z") == "silver"
    shown = await tier(shop)
    assert (shown["keep"]["until"], shown["keep"]["missing"]) == (f"{year + 1}-01-01T00:00:00Z", 500)
    assert (shown["projected"]["id"], shown["projected"]["at"]) == (None, f"{year + 1}-01-01T00:00:00Z")
    assert await buy(shop, 1_000, occurred_at=now()) == "gold"


async def test_who_steps_down_keeps_the_lower_tier_for_a_period(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 10}, downgrade="one_step")
    told = Told(shop)
    assert await buy(shop, 1_000) == "gold"
    for days, expected in ((11, "silver"), (11, "bronze"), (11, None)):
        await pass_time(owner, shop.program.id, timedelta(days=days))
        assert (await tier(shop))["id"] == expected
        assert await buy(shop, 0) == expected
    assert [each for each in await told.changes() if each[2] == "time"] == [
        ("gold", "silver", "time"),
        ("silver", "bronze", "time"),
        ("bronze", None, "time"),
    ]


async def test_a_merge_adds_up_what_was_counted_for_both(shop: Shop, database: Database) -> None:
    await set_tiers(shop)
    told = Told(shop)
    assert await buy(shop, 400, customer_id="guest") == "bronze"
    assert await buy(shop, 700) == "silver"
    await merge(shop, "guest", "c-42")
    shown = await tier(shop, "guest")
    assert (shown["id"], shown["keep"]["missing"]) == ("gold", 1_000)
    assert await told.changes() == [
        (None, "bronze", "purchase"),
        (None, "silver", "purchase"),
        ("silver", "gold", "merge"),
    ]
    await merge(shop, "guest", "c-42")
    await settle_tiers(database)
    assert await told.changes() == []
    exported = await admin(shop, "GET", "/v1/customers/c-42/export")
    assert [(each["from_tier"], each["to_tier"]) for each in exported.body["records"]["tier_changes"]] == [
        ("silver", "gold"),
        (None, "silver"),
        (None, "bronze"),
    ]


async def test_a_merge_of_who_is_not_counted_yet_keeps_the_higher_tier_until_all_is(
    shop: Shop, database: Database
) -> None:
    await shop.buy(customer_id="guest", total=90_000, occurred_at=ago(10))
    await set_tiers(shop)
    assert await buy(shop, 500) == "silver"
    await merge(shop, "guest", "c-42")
    assert (await tier(shop))["id"] == "silver"
    await settle_tiers(database)
    assert (await tier(shop))["id"] == "gold"


async def test_a_merge_without_tiers_leaves_all_to_be_counted(shop: Shop, database: Database) -> None:
    await set_tiers(shop)
    await buy(shop, 400, customer_id="guest")
    await buy(shop, 700)
    await qualify(shop)
    await merge(shop, "guest", "c-42")
    await qualify(shop, period={"kind": "rolling", "months": 12})
    await settle_tiers(database)
    assert (await tier(shop))["id"] == "gold"


async def test_nothing_is_left_of_the_tier_of_who_is_erased(shop: Shop, owner: Db) -> None:
    await set_tiers(shop)
    told = Told(shop)
    await buy(shop, 400)
    assert (await admin(shop, "DELETE", "/v1/customers/c-42")).status in {200, 204}
    assert await told.changes() == [(None, "bronze", "purchase")]
    left = "SELECT count(*) FROM customer WHERE program_id = $1 AND (tier, tier_state::text, tier_due_at) IS NOT NULL"
    assert await owner.fetchval(left, shop.program.id) == 0


async def test_a_tier_of_another_release_has_no_benefits_and_stops_nobody(
    shop: Shop, database: Database, owner: Db
) -> None:
    """During a rolling deployment, or behind a step back, a process may not know what a tier gives."""
    await set_tiers(shop)
    told = Told(shop)
    assert await buy(shop, 1_000) == "gold"
    benefits = {"multiplier": {"basis_points": 20_000}}
    change = {"benefits": benefits, "valid_from": SINCE}
    for tier_id in ("gold", "bronze"):
        assert (await shop.call("PATCH", f"/v1/tiers/{tier_id}", change, role=Role.MARKETER)).status == 200
    for tier_id, content in (("gold", '{"of_tomorrow": 1}'), ("bronze", '{"threshold": "ten"}')):
        await owner.execute(
            "UPDATE definition_version SET content = content || $3::jsonb"
            " WHERE program_id = $1 AND definition_id = $2 AND version = 2",
            shop.program.id, tier_id, content,
        )  # fmt: skip
    await set_tier(shop, "platinum", 5_000)  # by which the process reads all of the program again
    assert await buy(shop, 1) == "gold"
    await settle_tiers(database)
    bought = await shop.buy(total=100, occurred_at=now())
    assert [line["rule"] for line in bought.body["points"]["lines"]] == ["base"]
    shown = await tier(shop)
    assert (shown["id"], shown["name"], shown["next"]["id"]) == ("gold", "Gold", "platinum")
    assert await buy(shop, 100, customer_id="new") is None
    assert await told.changes() == [(None, "gold", "purchase")]


async def test_points_that_nobody_confirmed_count_as_those_that_ended(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    """A purchase counts what it earned, less what refunds took back; a lapse is an end, and takes nothing back."""
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 10, "otherwise": "lapse"})
    await set_tiers(shop)
    assert await buy(shop, 600) == "silver"
    await pass_time(owner, shop.program.id, 12 * DAY)
    assert await shop.balance("c-42") == NOTHING
    assert await buy(shop, 400, occurred_at=ago(11)) == "gold"  # too late to be confirmed at all
    await qualify(shop, period={"kind": "rolling", "months": 24})
    await settle_tiers(database)
    assert (await tier(shop))["id"] == "gold"


async def test_what_lapsed_is_taken_off_where_the_program_counts_what_ends(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    """Also what is reported when it had lapsed already."""
    shop = await new_shop(pending={"kind": "until_confirmed", "days": 10, "otherwise": "lapse"})
    await set_tiers(shop, counts=["expiry"])
    assert await buy(shop, 600) == "silver"
    await pass_time(owner, shop.program.id, 12 * DAY)
    await buy(shop, 700, occurred_at=ago(11))
    await settle_tiers(database)
    assert (await tier(shop))["id"] is None
