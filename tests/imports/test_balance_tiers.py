"""Tiers in tables of opening balances: what operators bring from another system."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.platform.roles import Role
from service.platform.settings import Settings
from tests.imports.importer import Importer
from tests.shop import Shop
from tests.tiers import set_tiers, tier

HEADER = "id,customer_id,points,earned_at,tier,tier_since,tier_until,counted,counted_at"


@pytest.fixture
async def importer(settings: Settings, shop: Shop, tmp_path: Path) -> Importer:
    """Give the command on the shop's program, which has tiers; the books are proved after the test."""
    await set_tiers(shop)
    return Importer(settings, shop.program.code, tmp_path, "balances")


def ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


async def tiers(shop: Shop, *customer_ids: str) -> list[str | None]:
    return [(await tier(shop, each))["id"] for each in customer_ids]


async def test_a_line_tells_a_tier_beside_its_lot_and_several_tell_the_same(importer: Importer, shop: Shop) -> None:
    path = importer.table(
        f"old-1,c-1,100,2025-03-01,gold,{ago(30)},2099-01-01,,",
        f"old-1,c-1,50,2025-04-01,gold,{ago(30)},2099-01-01,,",
        "old-1,c-1,7,2025-05-01,,,,,",
        "old-2,c-2,0,,silver,,never,,",
        f"old-3,c-3,5,2025-03-01,,{ago(30)},never,0,{ago(20)}",
        f"old-4,c-4,0,,bronze,{ago(30)},,,",
        header=HEADER,
    )
    tried = await importer.run(path, "--dry-run")
    assert (tried.status, tried.said) == (0, "4 would be booked, 0 there already, 0 bad.\n")
    ended = await importer.run(path)
    assert (ended.status, ended.said, ended.complained) == (0, "4 booked, 0 there already, 0 bad.\n", "")
    assert await tiers(shop, "c-1", "c-2", "c-3", "c-4") == ["gold", "silver", None, "bronze"]
    assert (await tier(shop, "c-1"))["keep"]["until"] == "2099-01-01T00:00:00Z"
    assert (await tier(shop, "c-2"))["keep"] is None
    assert (await importer.run(path)).said == "0 booked, 4 there already, 0 bad.\n"


async def test_lines_tell_what_was_counted_each_for_its_time(importer: Importer, shop: Shop) -> None:
    lines = [f"old-1,c-1,0,,,,,{amount},{ago(days)}" for amount, days in ((300, 90), (200, 60), (100, 30))]
    ended = await importer.run(importer.table(*lines, header=HEADER))
    assert (ended.status, ended.said) == (0, "1 booked, 0 there already, 0 bad.\n")
    shown = await tier(shop, "c-1")
    assert (shown["id"], shown["next"]["missing"]) == ("silver", 400)


async def test_what_the_command_books_of_a_tier_is_what_the_api_knows(importer: Importer, shop: Shop) -> None:
    lines = ["old-1,c-1,0,,,,,5,2026-01-01", "old-1,c-1,0,,gold,2026-02-01,2099-01-01,6,2026-02-01"]
    assert (await importer.run(importer.table(*lines, header=HEADER))).status == 0
    midnights = {month: f"2026-{month:02}-01T00:00:00Z" for month in (1, 2)}
    known = {
        "id": "old-1",
        "customer_id": "c-1",
        "lots": [],
        "tier": "gold",
        "tier_since": midnights[2],
        "tier_until": "2099-01-01T00:00:00Z",
        "counted": [
            {"amount": 5, "occurred_at": midnights[1]},
            {"amount": 6, "occurred_at": midnights[2]},
        ],
    }
    answer = await shop.post("/v1/opening-balances", {"balances": [known]}, Role.ADMIN)
    assert answer.body["results"][0]["status"] == 200


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("old-1,c-1,5,2025-03-01,golden,,,,",), "line 2: tier: The program has no active tier with this id."),
        (("old-1,c-1,5,2025-03-01,gold,2019-01-01,,,",), "line 2: tier_since: This tier is over already"),
        (("old-1,c-1,5,2025-03-01,gold,2019-01-01,2020-01-01,,",), "line 2: tier_until: This tier is over already"),
        (("old-1,c-1,5,2025-03-01,gold,soon,,,",), "line 2: tier_since: This is no time of the form ISO 8601"),
        (("old-1,c-1,5,2025-03-01,,,,7,",), "line 2: counted_at: This field is required."),
        (("old-1,c-1,5,2025-03-01,,,,-7,2026-01-01",), "line 2: counted: Expected `int` >= 1."),
        (("old-1,c-1,5,2025-03-01,,,,7,2999-01-01",), "line 2: counted_at: This is more than 5 minutes"),
        (("old-1,c-1,0,,,,,7,2026-01-01",) * 2, "line 3: counted_at: This moment stands twice"),
        (
            ("old-1,c-1,0,,gold,,,,", "old-1,c-1,0,,silver,,,,"),
            "line 3: tier: The lines of one id tell different tiers, or times. Lines 2 to 3 are one balance.",
        ),
        (("old-1,c-1,0,,gold,,,,", "old-1,c-1,0,,gold,2026-09-01,,,"), "line 3: tier: The lines of one id tell"),
        (
            tuple(f"old-1,c-1,0,,,,,1,2026-01-01T00:{each // 60:02}:{each % 60:02}" for each in range(401)),
            "line 402: A balance has at most 400 sums of what was counted.",
        ),
    ],
)
async def test_a_bad_line_is_told_and_its_balance_is_not_booked(
    importer: Importer, shop: Shop, lines: tuple[str, ...], reason: str
) -> None:
    ended = await importer.run(importer.table(*lines, "old-9,c-9,1,2025-03-01,gold,,,,", header=HEADER))
    assert (ended.status, ended.said) == (1, "1 booked, 0 there already, 1 bad.\n")
    (told,) = ended.bad_lines
    assert told.startswith(reason)
    assert await tiers(shop, "c-9") == ["gold"]
    assert (await shop.get("/v1/customers/c-1/balance")).status == 404


async def test_times_can_be_the_same_for_all_lines_that_tell_something(importer: Importer, shop: Shop) -> None:
    content = "id,customer_id,points,status,sum\nold-1,c-1,5,gold,300\nold-2,c-2,5,,\nold-3,c-3,5,,100\n"
    mapping = ("--column", "tier=status", "--column", "counted=sum", "--value", "earned_at=2025-03-01")
    times = ("--value", f"tier_since={ago(10)}", "--value", "tier_until=never", "--value", f"counted_at={ago(10)}")
    ended = await importer.run(importer.file(content.encode()), *mapping, *times)
    assert (ended.status, ended.said) == (0, "3 booked, 0 there already, 0 bad.\n")
    assert await tiers(shop, "c-1", "c-2", "c-3") == ["gold", None, "bronze"]


@pytest.mark.parametrize("field", ["tier_since", "tier_until", "counted_at"])
async def test_a_time_for_all_lines_that_can_t_be_read_is_told_before(importer: Importer, field: str) -> None:
    ended = await importer.run(importer.table(header=HEADER), "--value", f"{field}=soon")
    assert (ended.status, ended.said) == (1, "")
    assert ended.complained.startswith(f"Error: --value can't be used for {field}: This is no time of the form")
