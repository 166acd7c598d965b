"""Opening balances from tables: what operators bring from another system."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from service.__main__ import loyalty
from service.platform.importing.table import BATCH
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.imports.importer import Importer
from tests.shop import Shop

HEADER = "id,customer_id,points,earned_at,expires_at"
GOOD = "{},c-{},100,2025-03-01,"


@pytest.fixture
def importer(settings: Settings, shop: Shop, tmp_path: Path) -> Importer:
    """Give the command on the shop's program; the books are proved after the test."""
    return Importer(settings, shop.program.code, tmp_path, "balances")


def table(importer: Importer, *lines: str, header: str = HEADER) -> Path:
    return importer.table(*lines, header=header)


async def lots(shop: Shop, customer_id: str) -> list[tuple[int, str, str | None]]:
    """Read a customer's lots, the oldest first: points, the balance that they came with, when they end."""
    data = (await shop.get(f"/v1/customers/{customer_id}/lots")).body["data"]
    return [(each["granted"], each["cause"]["id"], each["expires_at"]) for each in reversed(data)]


async def available(shop: Shop, *customer_ids: str) -> list[int | None]:
    answers = [await shop.get(f"/v1/customers/{each}/balance") for each in customer_ids]
    return [answer.body["available"] if answer.status == 200 else None for answer in answers]


async def test_lines_of_one_id_are_the_lots_of_one_balance(importer: Importer, shop: Shop) -> None:
    path = table(
        importer,
        "old-1,c-1,100,2025-03-01T10:00:00Z,2099-01-01",
        "old-1,c-1,50,2025-04-01,never",
        "old-2,c-2,7,2025-03-01,",
    )
    ended = await importer.run(path)
    assert (ended.status, ended.said, ended.complained) == (0, "2 booked, 0 there already, 0 bad.\n", "")
    assert await lots(shop, "c-1") == [(100, "old-1", "2099-01-01T00:00:00Z"), (50, "old-1", None)]
    assert await lots(shop, "c-2") == [(7, "old-2", None)]
    again = await importer.run(path)
    assert (again.status, again.said) == (0, "0 booked, 2 there already, 0 bad.\n")
    assert await available(shop, "c-1", "c-2") == [150, 7]


async def test_a_column_is_found_by_its_fields_name_or_by_what_is_said_of_it(importer: Importer, shop: Shop) -> None:
    path = importer.file(
        b"kunde;saldo;earned_at;debt;verfall\nc-1;100;01.03.2025;;never\nc-2;0;;30;\nc-3;5;01.03.2025;;31.12.2098\n"
    )
    options = ("--delimiter", ";", "--date-format", "%d.%m.%Y", "--id", "old-{kunde}", "--column", "customer_id=kunde")
    ended = await importer.run(path, *options, "--column", "points=saldo", "--column", "expires_at=verfall")
    assert (ended.status, ended.said, ended.complained) == (0, "3 booked, 0 there already, 0 bad.\n", "")
    assert await lots(shop, "c-3") == [(5, "old-c-3", "2098-12-31T00:00:00Z")]
    assert (await shop.balance("c-2"))["debt"] == 30


async def test_times_without_a_zone_are_the_programs_and_without_an_expiry_its_policy_counts(
    new_shop: NewShop, importer: Importer
) -> None:
    shop = await new_shop(time_zone="Europe/Berlin", expiry={"kind": "rolling", "months": 1200})
    here = replace(importer, program=shop.program.code)
    ended = await here.run(table(here, "old-1,c-1,100,2025-03-02,2098-07-01", "old-1,c-1,50,2025-03-02,"))
    assert ended.status == 0, ended.complained
    assert await lots(shop, "c-1") == [
        (100, "old-1", "2098-06-30T22:00:00Z"),
        (50, "old-1", "2125-03-02T23:00:00Z"),
    ]
    first = (await shop.get("/v1/customers/c-1/transactions")).body["data"][-1]
    assert first["occurred_at"] == "2025-03-01T23:00:00Z"


async def test_points_can_come_later_and_a_table_need_have_no_header(importer: Importer, shop: Shop) -> None:
    path = importer.file(b"c-1,100,2025-03-01,2035-01-01T00:00:00Z\n")
    columns = ("customer_id=1", "points=2", "earned_at=3", "available_at=4")
    options = ("--no-header", "--id", "{1}", *(part for each in columns for part in ("--column", each)))
    assert (await importer.run(path, *options)).status == 0
    assert await shop.balance("c-1") == {"available": 0, "pending": 100, "held": 0, "debt": 0}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("old-1,c-1,,2025-03-01,", "points: This field is required."),
        ("old-1,c-1,ten,2025-03-01,", "points: This is no whole number."),
        ("old-1,c-1,-5,2025-03-01,", "points: Expected `int` >= 1."),
        ("old-1,c-1,1000000000001,2025-03-01,", "points: Expected `int` <= 1000000000000."),
        ("old-1,c-1,5,,", "earned_at: This field is required."),
        ("old-1,c-1,5,yesterday,", "earned_at: This is no time of the form ISO 8601"),
        ("old-1,c-1,5,2999-01-01,", "earned_at: This is more than 5 minutes in the future."),
        ("old-1,c-1,5,2025-03-01,2025-04-01", "expires_at: These points have ended"),
        ("old-1,c-1,5,2025-03-01,forever", "expires_at: This is no time of the form ISO 8601"),
        ("old-1,,5,2025-03-01,", "customer_id: This field is required."),
        (f"{'x' * 129},c-1,5,2025-03-01,", "id: "),
    ],
)
async def test_a_bad_line_is_told_and_the_balances_around_it_are_booked(
    importer: Importer, shop: Shop, line: str, reason: str
) -> None:
    path = table(importer, GOOD.format("before", 8), line, GOOD.format("behind", 9))
    ended = await importer.run(path)
    assert (ended.status, ended.said) == (1, "2 booked, 0 there already, 1 bad.\n")
    (told,) = ended.bad_lines
    assert told.startswith(f"line 3: {reason}")
    assert await available(shop, "c-8", "c-1", "c-9") == [100, None, 100]


async def test_a_balance_with_a_bad_line_is_not_booked_in_part(importer: Importer, shop: Shop) -> None:
    lines = [GOOD.format("old-1", 1), "old-1,c-1,oops,2025-03-01,", GOOD.format("old-1", 1), GOOD.format("old-2", 2)]
    ended = await importer.run(table(importer, *lines))
    assert ended.bad_lines == ["line 3: points: This is no whole number. Lines 2 to 4 are one balance."]
    assert (ended.said, await available(shop, "c-1", "c-2")) == ("1 booked, 0 there already, 1 bad.\n", [None, 100])
    lines[1] = "old-1,c-1,11,2025-03-01,"
    corrected = await importer.run(table(importer, *lines))
    assert (corrected.status, corrected.said) == (0, "1 booked, 1 there already, 0 bad.\n")
    assert await available(shop, "c-1") == [211]


async def test_beside_a_line_of_which_nobody_knows_whose_it_is_nothing_is_booked(
    importer: Importer, shop: Shop
) -> None:
    lines = [GOOD.format(f"old-{number}", number) for number in range(4)]
    lines.insert(2, ",c-1,5,2025-03-01,")
    ended = await importer.run(table(importer, *lines))
    assert ended.said == "2 booked, 0 there already, 3 bad.\n"
    assert ended.bad_lines == [
        "line 3: Line 4 beside it can't be read, and may be a part of it.",
        "line 4: id: This field is required.",
        "line 5: Line 4 beside it can't be read, and may be a part of it.",
    ]
    assert await available(shop, "c-0", "c-1", "c-2", "c-3") == [100, None, None, 100]


async def test_lines_of_one_id_that_stand_apart_are_told_even_if_they_are_alike(importer: Importer, shop: Shop) -> None:
    lines = [GOOD.format("old-1", 1), GOOD.format("old-2", 2), GOOD.format("old-1", 1)]
    ended = await importer.run(table(importer, *lines))
    assert ended.said == "2 booked, 0 there already, 1 bad.\n"
    assert ended.bad_lines == [
        "line 4: The lines of one id must stand behind each other, and this id stands above, too."
    ]
    assert await available(shop, "c-1") == [100]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("old-1,c-1,5,2025-03-01,", "old-1,c-2,5,2025-03-01,"), "line 3: customer_id: The lines of one id name"),
        (("old-1,c-1,1000000000000,2025-03-01,", "old-1,c-1,1,2025-03-01,"), "lines 2 to 3: The lots of a balance"),
        (("old-1,c-1,5,2025-03-01,", "old-1,c-1,5,2025-03-01,2025-03-02"), "line 3: expires_at: These points"),
        (("old-1,c-1,1,2025-03-01,",) * 501, "line 502: A balance has at most 500 lots. Lines 2 to 502 are one"),
    ],
)
async def test_lines_that_make_no_balance_together_are_told(
    importer: Importer, shop: Shop, lines: tuple[str, ...], reason: str
) -> None:
    ended = await importer.run(table(importer, *lines, GOOD.format("old-9", 9)))
    (told,) = ended.bad_lines
    assert told.startswith(reason)
    assert await available(shop, "c-1", "c-2", "c-9") == [None, None, 100]


async def test_a_debt_is_told_once_and_not_beside_points(importer: Importer, shop: Shop) -> None:
    header = "id,customer_id,points,earned_at,debt"
    lines = ["old-1,c-1,0,,5", "old-1,c-1,0,,5", "old-2,c-2,1,2025-03-01,5", "old-3,c-3,0,,5", "old-4,c-4,0,,0"]
    ended = await importer.run(table(importer, *lines, header=header))
    assert ended.bad_lines == [
        "line 3: debt: Only one line of an id tells a debt. Lines 2 to 3 are one balance.",
        "line 4: debt: Who has a debt has no points available: leave out one of them.",
    ]
    assert [(await shop.balance(each))["debt"] for each in ("c-3", "c-4")] == [5, 0]


async def test_an_id_that_is_booked_with_other_content_is_told(importer: Importer, shop: Shop) -> None:
    balance: dict[str, Any] = {"id": "old-1", "customer_id": "c-1", "lots": []}
    await shop.post("/v1/opening-balances", {"balances": [balance]}, Role.ADMIN)
    ended = await importer.run(table(importer, GOOD.format("old-1", 1)))
    assert ended.bad_lines == ["line 2: This id belongs to an opening balance with other content."]


async def test_what_the_command_books_is_what_the_api_knows(importer: Importer, shop: Shop) -> None:
    await importer.run(table(importer, "old-1,c-1,100,2025-03-01,2099-01-01", "old-1,c-1,50,2025-04-01,never"))
    known = {
        "id": "old-1",
        "customer_id": "c-1",
        "lots": [
            {"points": 100, "earned_at": "2025-03-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z"},
            {"points": 50, "earned_at": "2025-04-01T00:00:00Z", "expires_at": None},
        ],
    }
    answer = await shop.post("/v1/opening-balances", {"balances": [known]}, Role.ADMIN)
    assert answer.body["results"][0]["status"] == 200


async def test_a_dry_run_books_nothing(importer: Importer, shop: Shop) -> None:
    path = table(importer, GOOD.format("old-1", 1), "old-2,c-2,x,2025-03-01,")
    tried = await importer.run(path, "--dry-run")
    assert (tried.status, tried.said) == (1, "1 would be booked, 0 there already, 1 bad.\n")
    assert await available(shop, "c-1") == [None]


async def test_what_was_interrupted_goes_on_and_books_nothing_twice(importer: Importer, shop: Shop, owner: Db) -> None:
    number = 2 * BATCH
    lines = [line for each in range(number) for line in (GOOD.format(f"old-{each}", each),) * 2]
    path = table(importer, *lines)
    await shop.buy(customer_id=f"c-{number - 1}", total=0)
    async with owner.transaction():
        await owner.execute(
            "SELECT 1 FROM customer WHERE program_id = $1 AND external_id = $2 FOR UPDATE",
            shop.program.id,
            f"c-{number - 1}",
        )
        running = await importer.start(path)
        await until(lambda: owner.fetchval("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"))
        running.send_signal(signal.SIGINT)
        _, complained = await running.communicate()
    assert running.returncode == 130, complained.decode()
    going_on = complained.decode().split("--from-line ")[1].split(",")[0]
    assert int(going_on) % 2 == 0, "where a balance begins"
    went_on = await importer.run(path, "--from-line", going_on)
    assert (went_on.status, went_on.bad_lines) == (0, [])
    again = await importer.run(path)
    assert (again.status, again.said) == (0, f"0 booked, {number} there already, 0 bad.\n")
    assert await available(shop, "c-0", f"c-{number - 1}") == [200, 200]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(30):
        while not await true():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("id,customer_id,points\n", (), "There is no column 'earned_at': the first line names 'id', 'customer_id'"),
        (f"{HEADER}\n", ("--column", "total=x"), "There is no field 'total': the fields are id, customer_id, points,"),
        (f"{HEADER}\n", ("--value", "id=5"), "Every balance needs an id of its own: --column id=COLUMN"),
        (f"{HEADER}\n", ("--value", "expires_at=soon"), "--value can't be used for expires_at: This is no time"),
        (f"{HEADER}\n", ("--no-header",), "Tell where id and customer_id and points and earned_at can be found"),
        (f"{HEADER}\n", ("--date-format", "%d.%m"), "--date-format '%d.%m' can't be read"),
    ],
)
async def test_a_mapping_that_cannot_work_is_refused_in_a_sentence(
    importer: Importer, content: str, options: tuple[str, ...], said: str
) -> None:
    ended = await importer.run(importer.file(content.encode()), *options)
    assert (ended.status, ended.said) == (1, "")
    assert ended.complained.startswith(f"Error: {said}")
    assert len(ended.complained.splitlines()) == 1


async def test_values_can_be_the_same_in_all_lines(importer: Importer, shop: Shop) -> None:
    path = importer.file(b"id,customer_id,points\nold-1,c-1,5\n")
    ended = await importer.run(path, "--value", "earned_at=2025-03-01", "--value", "expires_at=never")
    assert (ended.status, await lots(shop, "c-1")) == (0, [(5, "old-1", None)])


def test_the_help_explains_itself_with_an_example() -> None:
    text = CliRunner().invoke(loyalty, ["import", "balances", "--help"]).stdout
    assert "Example: loyalty import balances balances.csv" in text
