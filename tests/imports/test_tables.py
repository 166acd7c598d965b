"""How tables are written in the world, and what becomes of them."""

from typing import Any

import pytest

from service.platform.roles import Role
from tests.conftest import NewShop
from tests.imports.importer import HEADER, ORDERS, Importer, orders
from tests.shop import Shop


async def only(shop: Shop, purchase_id: str = "o-1") -> dict[str, Any]:
    """Read a purchase back."""
    answer = await shop.get(f"/v1/purchases/{purchase_id}")
    assert answer.status == 200, answer.text
    return answer.body


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\xef\xbb\xbforder,customer,amount,date\r\no-1,c-1,29.33,2026-01-02\r\n", ()),
        (b"order;customer;amount;date\no-1;c-1;29,33;2026-01-02", ("--delimiter", ";", "--decimal-comma")),
        (b'date\torder\tnote\tamount\tcustomer\n2026-01-02\to-1\t"a\nb"\t29.33\tc-1\n', ("--delimiter", "tab")),
        (f'{HEADER}\n"o-1",c-1, 29.330 , 2026-01-02\n'.encode("utf-16"), ("--encoding", "utf-16")),
        (f"{HEADER},gr\u00f6\u00dfe\no-1,c-1,29.33,2026-01-02,\u00fc\n".encode("latin-1"), ("--encoding", "latin-1")),
        (b"  order  customer\tamount   date\n\n o-1 c-1  29.33   2026-01-02  \n", ("--delimiter", "whitespace")),
    ],
)
async def test_a_purchase_is_the_same_however_its_table_is_written(
    importer: Importer, shop: Shop, content: bytes, options: tuple[str, ...]
) -> None:
    ended = await importer.run(importer.file(content), *ORDERS, *options)
    assert (ended.status, ended.said, ended.complained) == (0, "1 booked, 0 there already, 0 bad.\n", "")
    found = await only(shop)
    assert (found["customer_id"], found["total"], found["occurred_at"]) == ("c-1", 2933, "2026-01-02T00:00:00Z")


async def test_all_fields_can_come_from_columns(importer: Importer, shop: Shop) -> None:
    fields = {
        "id": "o-1",
        "customer_id": "c-1",
        "currency": "USD",
        "total": "129.90",
        "occurred_at": "2026-01-02T10:00:00+01:00",
        "tax": "20.74",
        "shipping": "4.9",
        "points_paid": "0.00",
        "channel": "web",
        "referral_code": "FRIEND",
        "item.id": "7",
        "item.amount": "125",
        "item.quantity": "2",
        "item.sku": "TEA-1",
        "item.category": "tea",
        "metadata.till": "4",
        "metadata.gr\u00fc\u00dfe": 'sch\u00f6n, "ja"',
    }
    table = importer.file(
        (",".join(fields) + "\n" + ",".join('"' + text.replace('"', '""') + '"' for text in fields.values())).encode()
    )
    mapping = (part for field in fields for part in ("--column", f"{field}={field}"))
    assert (await importer.run(table, *mapping, "--decimal")).status == 0
    found = await only(shop)
    assert {name: found[name] for name in found if name not in ("points", "recorded_at")} == {
        "id": "o-1",
        "customer_id": "c-1",
        "currency": "USD",
        "total": 12990,
        "occurred_at": "2026-01-02T09:00:00Z",
        "tax": 2074,
        "shipping": 490,
        "points_paid": 0,
        "channel": "web",
        "referral_code": "FRIEND",
        "items": [{"id": "7", "amount": 12500, "quantity": 2, "sku": "TEA-1", "category": "tea"}],
        "metadata": {"till": "4", "gr\u00fc\u00dfe": 'sch\u00f6n, "ja"'},
    }


async def test_an_imported_purchase_and_the_same_one_over_http_are_one(importer: Importer, shop: Shop) -> None:
    await importer.run(importer.table("o-1,c-1,129.90,2026-01-02T10:00:00Z"), *ORDERS)
    again = await shop.buy(id="o-1", customer_id="c-1", total=12990)
    assert (again.status, again.replayed) == (200, True)
    assert (await shop.balance("c-1"))["available"] == 129


async def test_empty_columns_are_fields_that_are_left_out(importer: Importer, shop: Shop) -> None:
    table = importer.table("o-1,c-1,1,2026-01-02,,", header=f"{HEADER},channel,tax")
    ended = await importer.run(table, *ORDERS, "--column", "channel=channel", "--column", "tax=tax")
    assert ended.status == 0
    found = await only(shop)
    assert (found["channel"], found["tax"]) == (None, 0)


@pytest.mark.parametrize(
    ("currency", "text", "total"),
    [
        ("EUR", "29.33", 2933),
        ("EUR", "0.29", 29),
        ("EUR", "1.1", 110),
        ("EUR", "5", 500),
        ("EUR", "5.", 500),
        ("EUR", ".5", 50),
        ("EUR", "29.3300", 2933),
        ("EUR", "-0.00", 0),
        ("JPY", "1500", 1500),
        ("JPY", "1500.0", 1500),
        ("KWD", "1.234", 1234),
        ("EUR", "1234567890.12", 123456789012),
    ],
)
async def test_whole_units_become_exactly_the_minor_units_of_the_currency(
    importer: Importer, shop: Shop, currency: str, text: str, total: int
) -> None:
    options = [part.replace("=EUR", f"={currency}") for part in ORDERS]
    assert (await importer.run(importer.table(f"o-1,c-1,{text},2026-01-02"), *options)).complained == ""
    assert (await only(shop))["total"] == total


async def test_every_amount_of_cents_is_read_exactly(importer: Importer, shop: Shop) -> None:
    lines = [f"o-{cents},c-1,{cents // 100}.{cents % 100:02},2026-01-02" for cents in range(1000)]
    assert (await importer.run(importer.table(*lines), *ORDERS)).status == 0
    assert (await shop.balance("c-1"))["available"] == sum(cents // 100 for cents in range(1000))
    for cents in (29, 57, 113, 907):
        assert (await only(shop, f"o-{cents}"))["total"] == cents


async def test_without_decimal_amounts_are_minor_units_and_never_guessed_at(importer: Importer, shop: Shop) -> None:
    options = [option for option in ORDERS if option != "--decimal"]
    ended = await importer.run(importer.table("o-1,c-1,2933,2026-01-02", "o-2,c-1,30.00,2026-01-02"), *options)
    (told,) = ended.bad_lines
    assert told.startswith("line 3: total (column amount): This is no whole number of minor units (cents): --decimal")
    assert (await only(shop))["total"] == 2933


@pytest.mark.parametrize(
    ("text", "options", "time"),
    [
        ("2026-07-01", (), "2026-07-01T00:00:00Z"),
        ("2026-07-01 10:30", (), "2026-07-01T10:30:00Z"),
        ("2026-07-01T10:30:00.5+02:00", ("--time-zone", "Asia/Tokyo"), "2026-07-01T08:30:00.500000Z"),
        ("2026-07-01", ("--time-zone", "Europe/Berlin"), "2026-06-30T22:00:00Z"),
        ("2026-01-01", ("--time-zone", "Europe/Berlin"), "2025-12-31T23:00:00Z"),
        ("20260701", ("--date-format", "%Y%m%d"), "2026-07-01T00:00:00Z"),
        ("7/1/2026 8:26", ("--date-format", "%m/%d/%Y %H:%M"), "2026-07-01T08:26:00Z"),
        ("01.07.2026 08:26 +0200", ("--date-format", "%d.%m.%Y %H:%M %z"), "2026-07-01T06:26:00Z"),
    ],
)
async def test_times_are_read_in_their_form_and_zone(
    importer: Importer, shop: Shop, text: str, options: tuple[str, ...], time: str
) -> None:
    assert (await importer.run(importer.table(f"o-1,c-1,1,{text}"), *ORDERS, *options)).complained == ""
    assert (await only(shop))["occurred_at"] == time


async def test_times_without_a_zone_are_in_the_programs(new_shop: NewShop, importer: Importer) -> None:
    shop = await new_shop(time_zone="America/New_York")
    there = Importer(importer.settings, shop.program.code, importer.folder)
    await there.run(there.table("o-1,c-1,1,2026-07-01 20:00"), *ORDERS)
    assert (await only(shop))["occurred_at"] == "2026-07-02T00:00:00Z"


async def test_ids_can_be_made_of_the_lines_number_and_of_columns(importer: Importer, shop: Shop) -> None:
    table = importer.table("a,c-1,1,2026-01-02", "", "b,c-2,1,2026-01-02", "b,c-2,1,2026-01-02")
    ended = await importer.run(table, *ORDERS[2:], "--id", "{order}/{line}")
    assert ended.said == "3 booked, 0 there already, 0 bad.\n"
    for purchase_id in ("a%2F2", "b%2F4", "b%2F5"):
        await only(shop, purchase_id)


async def test_without_a_header_columns_are_numbered(importer: Importer, shop: Shop) -> None:
    table = importer.file(b"2026-01-02,o-1,1.50,c-1\n")
    ended = await importer.run(
        table,
        "--no-header",
        "--column",
        "id=2",
        "--column",
        "customer_id=4",
        "--column",
        "total=3",
        "--column",
        "occurred_at=1",
        "--value",
        "currency=EUR",
        "--decimal",
    )
    assert (ended.status, (await only(shop))["total"]) == (0, 150)


async def test_a_table_without_lines_is_imported(importer: Importer) -> None:
    for ended in (
        await importer.run(importer.table(), *ORDERS),
        await importer.run(
            importer.file(b""),
            "--no-header",
            "--column",
            "customer_id=1",
            "--column",
            "total=2",
            "--column",
            "occurred_at=3",
            "--value",
            "currency=EUR",
            "--id",
            "{line}",
        ),
    ):
        assert (ended.status, ended.said, ended.complained) == (0, "0 booked, 0 there already, 0 bad.\n", "")


async def test_a_dry_run_checks_every_line_and_books_nothing(importer: Importer, shop: Shop) -> None:
    table = importer.table(*orders(range(3)), "o-4,c-1,x,2026-01-02")
    tried = await importer.run(table, *ORDERS, "--dry-run")
    assert (tried.status, tried.said) == (1, "3 would be booked, 0 there already, 1 bad.\n")
    assert tried.bad_lines == ["line 5: total (column amount): This is no amount."]
    assert (await shop.get("/v1/customers/c-1/balance")).status == 404
    await importer.run(table, *ORDERS)
    again = await importer.run(table, *ORDERS, "--dry-run")
    assert again.said == "0 would be booked, 3 there already, 1 bad.\n"


async def test_what_is_imported_is_booked_by_the_settings_of_its_own_time(importer: Importer, shop: Shop) -> None:
    change = {
        "settings": {"base_rule": {"any_currency": {"points": 3, "units": 1}}},
        "valid_from": "2026-01-02T00:00:00Z",
    }
    assert (await shop.call("PATCH", "/v1/program", change, role=Role.ADMIN)).status == 200
    table = importer.table("o-1,c-1,1.00,2026-01-02", "o-2,c-1,1.00,2026-01-01T23:59:59Z")
    assert (await importer.run(table, *ORDERS)).status == 0
    assert [(await only(shop, each))["points"]["earned"] for each in ("o-1", "o-2")] == [3, 1]
