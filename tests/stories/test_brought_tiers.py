"""Customers who come from another system with a tier, and with what was counted for it there."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.jobs import settle_tiers
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY
from tests.stories.test_opening_balances import bring, opening, results
from tests.stories.test_records import admin, merge
from tests.stories.test_tiers import Told, ago, buy, give_back
from tests.tiers import STEPS, qualify, set_tiers, tier

YEAR = {"period": {"kind": "rolling", "months": 12}}


def with_tier(tier: str | None = "gold", **more: Any) -> dict[str, Any]:
    """Make an opening balance without points, with a tier."""
    return opening() | {"tier": tier} | more


def ahead(days: int) -> str:
    return ago(-days)


def counted(*sums: tuple[int, int]) -> list[dict[str, Any]]:
    """Word what was counted: amounts, each so many days ago."""
    return [{"amount": amount, "occurred_at": ago(days)} for amount, days in sums]


def problem(answer: Answer, number: int = 0) -> tuple[str, str]:
    """Read the pointer and the code of what was refused of an entry."""
    entry = answer.body["results"][number]
    assert entry["status"] == 422, entry
    (error,) = entry["problem"]["errors"]
    return error["pointer"], error["code"]


async def test_a_tier_comes_with_the_points_and_lasts_as_one_reached_here(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 30}, grace_days=5, notice_days=3)
    told = Told(shop)
    answer = await bring(shop, opening(100, id="old-1") | {"tier": "gold", "tier_since": ago(10)})
    entry = answer.body["results"][0]["opening_balance"]
    assert (entry["points"], entry["tier"]) == (100, {"id": "gold", "name": "Gold"})
    assert await told.changes() == [(None, "gold", "opening_balance")]
    shown = await tier(shop)
    assert (shown["id"], shown["since"][:10]) == ("gold", ago(10)[:10])
    # 30 days after the day on which it was reached, that day whole, and five of grace.
    ends = (datetime.now(UTC) + 26 * DAY).date().isoformat()
    assert (shown["keep"]["until"], shown["keep"]["missing"]) == (f"{ends}T00:00:00Z", 1_000)
    assert await buy(shop, 100) == "gold"
    await pass_time(owner, shop.program.id, 25 * DAY)
    soon = (await tier(shop))["downgrade"]
    assert (soon["id"], (await tier(shop))["id"]) == ("bronze", "gold")
    await pass_time(owner, shop.program.id, DAY)
    assert await buy(shop, 1) == "bronze"
    assert await told.changes() == [(None, "gold", "opening_balance"), ("gold", "bronze", "time")][1:]


@pytest.mark.parametrize(
    ("told", "until"),
    [
        ({"tier_until": "2126-01-01T00:00:00Z"}, "2126-01-11T00:00:00Z"),
        ({"tier_until": "2126-01-01T01:00:00+01:00"}, "2126-01-11T00:00:00Z"),
        ({"tier_until": "2125-12-31T23:59:59Z"}, "2126-01-11T00:00:00Z"),
        ({"tier_until": "2126-01-01T00:00:01Z"}, "2126-01-12T00:00:00Z"),
        ({"tier_until": None}, None),
        ({"tier_until": "9999-12-31T23:00:00Z"}, None),
    ],
)
async def test_it_has_an_end_of_its_own_with_the_programs_days_of_grace_or_none(
    shop: Shop, told: dict[str, Any], until: str | None
) -> None:
    await set_tiers(shop, grace_days=10)
    await bring(shop, with_tier(tier_since="2019-05-01T00:00:00Z", **told))
    shown = await tier(shop)
    assert (shown["id"], shown["since"]) == ("gold", "2019-05-01T00:00:00Z")
    assert (None if shown["keep"] is None else shown["keep"]["until"]) == until


async def test_in_periods_of_the_calendar_it_lasts_to_the_end_of_the_next(shop: Shop) -> None:
    await set_tiers(shop, period={"kind": "calendar", "period": "year"}, grace_days=31)
    year = datetime.now(UTC).year
    await bring(shop, with_tier("silver", tier_since=f"{year - 1}-02-01T00:00:00Z"), with_tier(customer_id="c-1"))
    assert ((await tier(shop))["id"], (await tier(shop))["keep"]["until"]) == ("silver", f"{year + 1}-02-01T00:00:00Z")
    assert (await tier(shop, "c-1"))["keep"]["until"] == f"{year + 2}-02-01T00:00:00Z"


async def test_what_was_counted_elsewhere_counts_on_as_if_it_had_been_here(shop: Shop, database: Database) -> None:
    await set_tiers(shop)
    told = Told(shop)
    first = await bring(shop, with_tier(None, counted=counted((100, 200), (350, 40), (20, 500))))
    assert first.body["results"][0]["opening_balance"]["tier"] == {"id": "bronze", "name": "Bronze"}
    assert await told.changes() == [(None, "bronze", "opening_balance")], "one change, however many sums"
    assert (await tier(shop))["next"]["missing"] == 50
    assert await buy(shop, 50) == "silver"
    later = with_tier("silver", tier_since=ago(30), counted=counted((500, 30)))
    assert results(await bring(shop, later)) == [(201, 0)]
    assert (await tier(shop))["id"] == "gold"
    await qualify(shop, **(YEAR | {"grace_days": 3}))
    await settle_tiers(database)
    shown = await tier(shop)
    assert (shown["id"], shown["next"], shown["keep"]["missing"]) == ("gold", None, 100)


async def test_spend_counts_in_the_currency_that_qualified_and_not_as_something_else(
    shop: Shop, database: Database
) -> None:
    spend = {"qualify_by": "spend", "currency": "USD"}
    await set_tiers(shop, {"friend": 10_000}, **spend)
    await bring(shop, with_tier(None, counted=counted((9_000, 5))))
    assert (await tier(shop))["next"]["missing"] == 1_000
    for policy, missing in (({}, 10_000), ({"qualify_by": "spend"}, 10_000), (spend | {"grace_days": 1}, 1_000)):
        await qualify(shop, **(YEAR | policy))
        await settle_tiers(database)
        assert (await tier(shop))["next"]["missing"] == missing, policy


async def test_a_recount_keeps_it_and_gives_it_the_end_that_the_new_terms_say(shop: Shop, database: Database) -> None:
    await set_tiers(shop, period={"kind": "rolling", "days": 30})
    told = Told(shop)
    await bring(shop, with_tier(tier_since=ago(20)))
    await bring(shop, with_tier(tier_since=ago(20), tier_until=ahead(90), customer_id="c-1"))
    fixed = (await tier(shop, "c-1"))["keep"]["until"]
    for period, own in (({"days": 60}, 41), ({"days": 10}, None), ({"days": 60}, 41), ({"months": 36}, ...)):
        await qualify(shop, period={"kind": "rolling"} | period)
        await settle_tiers(database)
        shown, other = await tier(shop), await tier(shop, "c-1")
        assert other["id"] == "gold"
        assert other["keep"]["until"] == fixed
        assert shown["id"] == (None if own is None else "gold"), period
        if isinstance(own, int):
            assert shown["keep"]["until"][:10] == (datetime.now(UTC) + own * DAY).date().isoformat()
    assert [each for each in await told.changes() if each[2] == "terms"] == [
        ("gold", None, "terms"),
        (None, "gold", "terms"),
    ]


async def test_who_does_nothing_else_has_it_again_when_tiers_are_on_again(
    shop: Shop, database: Database, owner: Db
) -> None:
    await set_tiers(shop, {"member": 0, "gold": 1_000, "platinum": 2_000})
    told = Told(shop)
    await bring(shop, with_tier(counted=counted((10, 10))))
    await shop.call("PUT", "/v1/customers/new", {})
    await settle_tiers(database)
    await qualify(shop)
    await settle_tiers(database)
    due = "SELECT count(*) FROM customer WHERE program_id = $1 AND (tier IS NOT NULL OR tier_state != '{}')"
    assert await owner.fetchval(due, shop.program.id) == 0
    await qualify(shop, **YEAR)
    await settle_tiers(database)
    assert ((await tier(shop))["id"], (await tier(shop))["next"]["missing"]) == ("gold", 1_990)
    assert (await tier(shop, "new"))["id"] == "member"
    assert await told.changes() == [
        ("member", "gold", "opening_balance"),
        ("gold", None, "terms"),
        ("member", None, "terms"),
        (None, "gold", "terms"),
        (None, "member", "terms"),
    ]


async def test_who_is_not_counted_yet_has_it_at_once(shop: Shop, database: Database) -> None:
    await shop.buy(total=50_000, occurred_at=ago(10))
    await shop.buy(total=110_000, occurred_at=ago(10), customer_id="c-1")
    await set_tiers(shop, STEPS | {"platinum": 2_000})
    brought = await bring(shop, with_tier("gold", counted=counted((7, 3))), with_tier("silver", customer_id="c-1"))
    tiers = [each["opening_balance"]["tier"]["id"] for each in brought.body["results"]]
    assert tiers == ["gold", "silver"]
    await settle_tiers(database)
    assert ((await tier(shop))["id"], (await tier(shop, "c-1"))["id"]) == ("gold", "gold")
    assert (await tier(shop))["next"]["missing"] == 2_000 - 507


async def test_a_higher_tier_stays_and_the_lower_one_waits_below_it(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop()
    await set_tiers(shop, period={"kind": "rolling", "days": 30})
    told = Told(shop)
    assert await buy(shop, 1_000) == "gold"
    answer = await bring(shop, with_tier("silver", tier_since=ago(900), tier_until=ahead(90)))
    assert answer.body["results"][0]["opening_balance"]["tier"]["id"] == "gold"
    await pass_time(owner, shop.program.id, 40 * DAY)
    assert await buy(shop, 0) == "silver"
    await pass_time(owner, shop.program.id, 60 * DAY)
    assert await buy(shop, 0) is None
    assert await told.changes() == [
        (None, "gold", "purchase"),
        ("gold", "silver", "time"),
        ("silver", None, "time"),
    ]


async def test_a_refund_takes_what_was_bought_and_not_what_was_brought(shop: Shop) -> None:
    await set_tiers(shop)
    await bring(shop, with_tier("silver"))
    assert await buy(shop, 1_000, id="o-1") == "gold"
    await give_back(shop, "o-1", amount=100_000)
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"]) == ("silver", 1_000)


@pytest.mark.parametrize("recounted", [False, True])
async def test_a_merge_keeps_what_both_brought(shop: Shop, database: Database, recounted: bool) -> None:  # noqa: FBT001 - it is a row of the table
    await set_tiers(shop, STEPS | {"platinum": 2_000})
    told = Told(shop)
    await bring(shop, with_tier("gold", customer_id="guest", counted=counted((300, 20))))
    await bring(shop, with_tier("bronze", counted=counted((250, 20))))
    await merge(shop, "guest", "c-42")
    if recounted:
        await qualify(shop, **(YEAR | {"grace_days": 3}))
        await settle_tiers(database)
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"]) == ("gold", 1_450)
    assert await told.changes() == [
        (None, "gold", "opening_balance"),
        (None, "bronze", "opening_balance"),
        ("bronze", "gold", "merge"),
    ]
    exported = await admin(shop, "GET", "/v1/customers/c-42/export")
    brought = exported.body["records"]["tiers_brought"]
    assert sorted((each["tier"], each["until"], each["counted"][0]["amount"]) for each in brought) == [
        ("bronze", None, 250),
        ("gold", None, 300),
    ]


async def test_a_repetition_has_the_first_answer_and_other_content_is_a_conflict(shop: Shop) -> None:
    await set_tiers(shop)
    body = with_tier("silver", id="old-1", tier_since="2026-02-01T10:00:00Z", tier_until=None)
    first = await bring(shop, body)
    await buy(shop, 1_000)
    again = await bring(
        shop,
        body,
        body | {"tier_since": "2026-02-01T11:00:00+01:00", "counted": []},
        body | {"tier": "gold"},
        {name: value for name, value in body.items() if name != "tier_until"},
        body | {"counted": counted((1, 1))},
    )
    assert results(again) == [(200, 0)] * 2 + [(409, "opening_balance_conflict")] * 3
    assert again.body["results"][0]["opening_balance"] == first.body["results"][0]["opening_balance"]
    ended = await shop.call("PATCH", "/v1/tiers/silver", {"state": "ended"}, role=Role.MARKETER)
    assert ended.status == 200
    assert results(await bring(shop, body)) == [(200, 0)], "what is booked is not looked at again"


async def test_a_dry_run_tells_the_tier_and_brings_none(shop: Shop) -> None:
    await set_tiers(shop)
    await shop.call("PUT", "/v1/customers/c-42", {})
    told = Told(shop)
    tried = await bring(shop, with_tier("silver"), with_tier("gold"), dry="?dry_run=true")
    assert [each["opening_balance"]["tier"]["id"] for each in tried.body["results"]] == ["silver", "gold"]
    assert ((await tier(shop))["id"], await told.changes()) == (None, [])


async def test_an_entry_whose_tier_cannot_be_is_refused_whole_and_tells_where(shop: Shop) -> None:
    await set_tiers(shop, {"member": 0, "gold": 1_000})
    at = "2026-03-01T00:00:00Z"
    bad: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"tier": "golden"}, ("/tier", "unknown_tier")),
        ({"tier": ""}, ("/tier", "out_of_range")),
        ({"tier": 5}, ("/tier", "type")),
        ({"tier": None, "tier_since": at}, ("/tier_since", "contradictory")),
        ({"tier": None, "tier_until": None}, ("/tier_until", "contradictory")),
        ({"tier_since": "2999-01-01T00:00:00Z"}, ("/tier_since", "in_the_future")),
        ({"tier_since": "0001-01-01T00:00:00+14:00"}, ("/tier_since", "out_of_range")),
        ({"tier_until": "9999-12-31T23:59:59-14:00"}, ("/tier_until", "out_of_range")),
        ({"tier_since": "2019-01-01T00:00:00Z"}, ("/tier_since", "ended")),
        ({"tier_since": "2019-01-01T00:00:00Z", "tier_until": "2020-01-01T00:00:00Z"}, ("/tier_until", "ended")),
        ({"tier_since": at, "tier_until": at}, ("/tier_until", "out_of_range")),
        ({"tier_until": "2020-01-01T00:00:00Z"}, ("/tier_until", "out_of_range")),
        ({"counted": [{"amount": 0, "occurred_at": at}]}, ("/counted/0/amount", "out_of_range")),
        ({"counted": [{"amount": 1}]}, ("/counted/0/occurred_at", "missing")),
        (
            {"counted": [{"amount": 1, "occurred_at": at}, {"amount": 2, "occurred_at": "2026-03-01T01:00:00+01:00"}]},
            ("/counted/1/occurred_at", "duplicate"),
        ),
        ({"counted": [*counted((1, 1)), *counted((1, -1))]}, ("/counted/1/occurred_at", "in_the_future")),
        ({"counted": counted((10**12, 1), (1, 2))}, ("/counted", "out_of_range")),
        ({"counted": [{"amount": 1, "occurred_at": at}] * 401}, ("/counted", "out_of_range")),
    ]
    answer = await bring(shop, opening(1), *(opening(5) | {"tier": "gold"} | more for more, _ in bad))
    assert [problem(answer, number) for number in range(1, len(bad) + 1)] == [expected for _, expected in bad]
    assert (await shop.balance("c-42"))["available"] == 1
    assert (await tier(shop))["id"] == "member"
    # The tier that asks for nothing is never over.
    assert results(await bring(shop, with_tier("member", tier_since="2019-01-01T00:00:00Z"))) == [(201, 0)]
    assert (await tier(shop))["since"] == "2019-01-01T00:00:00Z"


async def test_a_program_without_tiers_takes_none(shop: Shop) -> None:
    answer = await bring(shop, with_tier("gold"), with_tier(None, counted=counted((1, 1))), with_tier(None))
    assert (problem(answer), problem(answer, 1)) == (("/tier", "unknown_tier"), ("/counted", "contradictory"))
    assert answer.body["results"][2]["opening_balance"]["tier"] is None


async def test_nothing_is_left_of_it_when_the_customer_is_erased(shop: Shop, database: Database) -> None:
    await set_tiers(shop)
    told, body = Told(shop), with_tier("gold", id="old-1")
    await bring(shop, body)
    assert (await admin(shop, "DELETE", "/v1/customers/c-42")).status in {200, 204}
    await qualify(shop, **(YEAR | {"grace_days": 3}))
    await settle_tiers(database)
    again = await bring(shop, body, with_tier(None))
    assert results(again) == [(410, "customer_erased"), (201, 0)]
    assert (await tier(shop))["id"] is None, "who comes under the same id is somebody else"
    assert await told.changes() == [(None, "gold", "opening_balance")]


async def test_brought_tiers_multiply_what_is_bought_next(shop: Shop) -> None:
    await set_tiers(shop, {})
    benefits = {"multiplier": {"basis_points": 20_000}}
    made = await shop.post(
        "/v1/tiers",
        {"id": "gold", "name": "Gold", "threshold": 1_000, "state": "active", "benefits": benefits},
        Role.MARKETER,
    )
    assert made.status == 201
    await bring(shop, with_tier("gold"))
    bought = await shop.buy(id=unique("order"), total=1_000, occurred_at=datetime.now(UTC).isoformat())
    assert bought.body["points"]["earned"] == 20
