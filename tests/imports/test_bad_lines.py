"""Lines that can't be purchases are told with number and reason, and the others are imported."""

import csv
import io
from typing import Any

import pytest

from service.platform.roles import Role
from tests.imports.importer import ORDERS, Importer, orders
from tests.shop import Shop

GOOD = "o-{},c-1,129.90,2026-01-02T10:00:00Z"


async def totals(shop: Shop, *ids: str) -> dict[str, int | None]:
    """Read purchases back: their totals, None for those that aren't there."""
    answers = {order: await shop.get(f"/v1/purchases/{order}") for order in ids}
    return {order: answer.body["total"] if answer.status == 200 else None for order, answer in answers.items()}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",c-1,1.00,2026-01-02", "id (column order): This field is required."),
        ("o-1,,1.00,2026-01-02", "customer_id (column customer): This field is required."),
        ("o-1,c-1,,2026-01-02", "total (column amount): This field is required."),
        ("o-1,c-1,1.00,", "occurred_at (column date): This field is required."),
        ("o-1,c-1,1.00", "The line has 3 columns, and column 4 is needed."),
        ("o-1,c-1,1,00,2026-01-02", "The line has 5 columns, and the first line 4: are quotes missing?"),
        ("o-1,c-1,29.335,2026-01-02", "total (column amount): This has more decimals than EUR (2)."),
        ("o-1,c-1,'1.00,2026-01-02", "total (column amount): This is no amount."),
        ('o-1,c-1,"1,00",2026-01-02', "total (column amount): This is no amount."),
        ('o-1,c-1,"1,000.00",2026-01-02', "total (column amount): This is no amount."),
        ("o-1,c-1,.,2026-01-02", "total (column amount): This is no amount."),
        ("o-1,c-1,1e3,2026-01-02", "total (column amount): This is no amount."),
        ("o-1,c-1,NaN,2026-01-02", "total (column amount): This is no amount."),
        ("o-1,c-1,\u0661,2026-01-02", "total (column amount): This is no amount."),
        (f"o-1,c-1,{'9' * 5000},2026-01-02", "total (column amount): This is no amount."),
        ("o-1,c-1,-0.01,2026-01-02", "total (column amount): Expected `int` >= 0."),
        ("o-1,c-1,10000000000.01,2026-01-02", "total (column amount): Expected `int` <= 1000000000000."),
        ("o-1,c-1,99999999999999999999,2026-01-02", "total (column amount): "),
        ("o-1,c-1,1.00,02.01.2026", "occurred_at (column date): This is no time of the form ISO 8601"),
        ("o-1,c-1,1.00,2026-02-30", "occurred_at (column date): This is no time of the form ISO 8601"),
        ("o-1,c-1,1.00,0001-01-01T00:00:00+14:00", "occurred_at (column date): This time is outside the calendar."),
        ("o-1,c-1,1.00,2999-01-01", "occurred_at (column date): This is more than 5 minutes in the future."),
        (f"{'x' * 129},c-1,1.00,2026-01-02", "id (column order): "),
        (f"o-1,{'x' * 129},1.00,2026-01-02", "customer_id (column customer): "),
        ("o-1,gr\u00fcn,1.00,2026-01-02", "customer_id (column customer): This text doesn't have the form"),
        ("o\x00-1,c-1,1.00,2026-01-02", "id (column order): "),
        ('"o-1"x,c-1,1.00,2026-01-02', "A quote is not closed, or text follows the closing one"),
        ('"o-1,c-1,1.00,2026-01-02', "A quote is not closed, or text follows the closing one"),
    ],
)
async def test_a_bad_line_is_told_and_the_lines_around_it_are_booked(
    importer: Importer, shop: Shop, line: str, reason: str
) -> None:
    ended = await importer.run(importer.table(GOOD.format("before"), line, GOOD.format("behind")), *ORDERS)
    assert (ended.status, ended.said) == (1, "2 booked, 0 there already, 1 bad.\n")
    (told,) = ended.bad_lines
    assert told.startswith(f"line 3: {reason}")
    assert await totals(shop, "o-before", "o-behind", "o-1") == {"o-before": 12990, "o-behind": 12990, "o-1": None}


async def test_what_a_line_holds_is_not_told(importer: Importer) -> None:
    ended = await importer.run(importer.table("secret\x00,secret@example.com,secret,secret"), *ORDERS)
    assert ended.status == 1
    assert "secret" not in ended.complained + ended.said


async def test_an_id_that_belongs_to_another_purchase_is_told(importer: Importer, shop: Shop) -> None:
    await shop.buy(id="o-1", total=5)
    ended = await importer.run(importer.table(*orders(range(3)), "o-2,c-9,7.00,2026-01-02"), *ORDERS)
    assert (ended.status, ended.said) == (1, "2 booked, 0 there already, 2 bad.\n")
    assert ended.bad_lines == [
        "line 3: This id belongs to a purchase with other content.",
        "line 5: This id belongs to a purchase with other content.",
    ]
    assert await totals(shop, "o-1") == {"o-1": 5}


async def test_what_the_program_refuses_is_told(importer: Importer, shop: Shop) -> None:
    change = await shop.call("PATCH", "/v1/program", {"settings": {"oldest_fact_days": 30}}, role=Role.ADMIN)
    assert change.status == 200
    ended = await importer.run(importer.table(*orders(range(2))), *ORDERS)
    assert ended.bad_lines[0] == "line 2: occurred_at (column date): This program takes facts of the last 30 days."
    assert ended.said == "0 booked, 0 there already, 2 bad.\n"


async def test_bad_lines_are_told_in_order_by_the_number_of_their_first_line(importer: Importer) -> None:
    table = importer.file(
        b"order,customer,amount,date,note\r\n"
        b'o-1,c-1,1.00,2026-01-02,"two\r\nlines"\r\n'
        b'o-2,c-1,x,2026-01-02,"three\r\n\r\nlines"\r\n'
        b"\r\n"
        b"o-3,c-1,1.00,2026-01-02,one line\r\n"
        b"o-4,c-1,1.00,,one line\r\n"
    )
    ended = await importer.run(table, *ORDERS, "--column", "metadata.note=note")
    assert ended.said == "2 booked, 0 there already, 2 bad.\n"
    assert ended.bad_lines == [
        "lines 4 to 6: total (column amount): This is no amount.",
        "line 9: occurred_at (column date): This field is required.",
    ]


async def test_bad_lines_can_be_written_into_a_file(importer: Importer) -> None:
    errors = importer.folder / "bad.txt"
    errors.write_text("of an earlier import")
    ended = await importer.run(importer.table("x", *orders(range(2)), "y"), *ORDERS, "--errors", str(errors))
    assert (ended.status, ended.said, ended.complained) == (1, "2 booked, 0 there already, 2 bad.\n", "")
    reason = "The line has 1 columns, and column 4 is needed."
    assert errors.read_text() == f"line 2: {reason}\nline 5: {reason}\n"


async def test_bad_lines_of_other_columns_do_not_matter(importer: Importer, shop: Shop) -> None:
    table = importer.file(b"order,customer,amount,date,note\no-1,c-1,1.00,2026-01-02,\xfc\x00\n")
    assert (await importer.run(table, *ORDERS)).said == "1 booked, 0 there already, 0 bad.\n"
    noted = await importer.run(
        importer.file(table.read_bytes().replace(b"o-1", b"o-2")), *ORDERS, "--column", "metadata.note=note"
    )
    assert noted.bad_lines == [
        "line 2: metadata.note (column note): This doesn't fit the encoding: tell the right one with --encoding."
    ]
    noted = await importer.run(table, *ORDERS, "--column", "metadata.note=note", "--encoding", "latin-1")
    assert noted.bad_lines[0].startswith("line 2: metadata.note (column note): A text may hold neither the NUL")
    assert await totals(shop, "o-1", "o-2") == {"o-1": 100, "o-2": None}


async def test_a_line_is_accepted_exactly_when_the_same_purchase_is_accepted_over_http(
    importer: Importer, shop: Shop
) -> None:
    good = {"customer_id": "c-1", "currency": "EUR", "total": "100", "occurred_at": "2026-01-02T10:00:00Z"}
    tries: list[tuple[str, str]] = [
        (field, text)
        for field, texts in {
            "customer_id": ["c", "c" * 128, "c" * 129, "a b", "a\tb", "a\x7f", "\u00e9", "a/b%'\"", "-", "null"],
            "currency": ["JPY", "KWD", "XAU", "XXX", "XTS", "eur", "EURO", "E", "US$"],
            "total": ["0", "1000000000000", "1000000000001", "-1", "9223372036854775808", "0" * 20 + "7"],
            "tax": ["0", "1000000000000", "1000000000001"],
            "points_paid": ["5", "-5"],
            "channel": ["x", "x" * 128, "x" * 129, "\u2615", "a\x00b"],
            "referral_code": ["NO-SUCH", "x" * 129],
            "occurred_at": ["1600-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-02T10:00:00-12:00"],
            "item.quantity": ["1", "0", "1000000", "1000001", "-1"],
            "item.sku": ["\u00fc" * 128, "\u00fc" * 129],
            "item.id": ["i", "i" * 129, "\u00fc"],
        }.items()
        for text in texts
    ]
    item = {"item.amount": "100"}
    lines = [{"id": f"h-{number}", **good, **item, field: text} for number, (field, text) in enumerate(tries)]
    fields = [
        "id",
        *good,
        "item.amount",
        "tax",
        "points_paid",
        "channel",
        "referral_code",
        "item.quantity",
        "item.sku",
        "item.id",
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, fields)
    writer.writeheader()
    writer.writerows(lines)
    ended = await importer.run(
        importer.file(out.getvalue().encode()), *(part for field in fields for part in ("--column", f"{field}={field}"))
    )
    over_http = await shop.post("/v1/purchases/batch", {"purchases": [_body(line) for line in lines]})
    refused = {number for number, result in enumerate(over_http.body["results"]) if result["status"] == 422}
    assert {int(line.partition(":")[0].removeprefix("line ")) - 2 for line in ended.bad_lines} == refused
    # What both accepted was the same purchase: the second report of it is a repetition.
    accepted = [result["status"] for result in over_http.body["results"] if result["status"] != 422]
    assert accepted == [200] * (len(lines) - len(refused))
    assert 0 < len(refused) < len(lines)


def _body(line: dict[str, str]) -> dict[str, Any]:
    whole = {"total", "tax", "points_paid", "item.amount", "item.quantity"}
    values: dict[str, Any] = {field: int(text) if field in whole else text for field, text in line.items()}
    item = {field.removeprefix("item."): value for field, value in values.items() if field.startswith("item.")}
    body = {field: value for field, value in values.items() if not field.startswith("item.")}
    return body | {"items": [{"id": "1"} | item]}
