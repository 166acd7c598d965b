"""What an operator may say about a table, and the sentence that answers what can't be used."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.__main__ import loyalty
from service.platform.importing.mapping import Kind
from service.purchases.importing.line_reader import FIELDS
from service.purchases.rules import Item, Purchase
from tests.imports.importer import HEADER, ORDERS, Importer


def refusal(tmp_path: Path, *options: str, content: str = f"{HEADER}\n") -> str:
    """Run the command where no database is, so that what it says is said before one is asked."""
    path = tmp_path / "orders.csv"
    path.write_text(content)
    nowhere: dict[str, str | None] = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    result = CliRunner().invoke(loyalty, ["import", "purchases", str(path), "--program", "x", *options], env=nowhere)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1, result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


def without(option: str) -> tuple[str, ...]:
    """Leave one mapping out of the usual ones."""
    place = next(place for place, text in enumerate(ORDERS) if text.startswith(f"{option}="))
    return ORDERS[: place - 1] + ORDERS[place + 1 :]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (without("total"), "Tell where total can be found: --column total=COLUMN, or --value total=TEXT"),
        (without("id"), "Tell where id can be found: --column id=COLUMN, or --id 'FILE-{line}'"),
        ((), "Tell where id and customer_id and currency and total and occurred_at can be found"),
        ((*ORDERS, "--column", "item.sku=sku"), "Tell where item.amount can be found"),
        ((*ORDERS, "--column", "totl=amount"), "There is no field 'totl': the fields are id, customer_id,"),
        ((*ORDERS, "--column", "items=amount"), "There is no field 'items'"),
        ((*ORDERS, "--column", "metadata.=amount"), "There is no field 'metadata.'"),
        ((*ORDERS, "--column", "total=tax"), "--column tells the field total twice"),
        ((*ORDERS, "--value", "total=5"), "The field total is told twice"),
        ((*ORDERS, "--id", "{line}"), "The field id is told twice"),
        ((*without("id"), "--value", "id=5"), "Every purchase needs an id of its own"),
        ((*without("id"), "--id", "order"), "Every purchase needs an id of its own"),
        ((*ORDERS, "--column", "tax"), "--column 'tax' can't be read: write FIELD=..."),
        ((*ORDERS, "--column", "tax="), "--column 'tax=' can't be read: write FIELD=..."),
        (
            (*ORDERS, "--no-header"),
            "With --no-header the columns are numbers from 1 on, not 'amount', 'customer', 'date'",
        ),
        (("--no-header", "--id", "{0}", *without("id")), "With --no-header the columns are numbers from 1 on, not '0'"),
        ((*ORDERS, "--delimiter", ";;"), "--delimiter is one character"),
        ((*ORDERS, "--delimiter", '"'), "--delimiter is one character"),
        ((*ORDERS, "--encoding", "klingon"), "--encoding names none that is known"),
        ((*ORDERS, "--encoding", "base64"), "--encoding names none that is known"),
        ((*ORDERS, "--time-zone", "Mars/Olympus"), "There is no time zone 'Mars/Olympus'"),
        ((*ORDERS, "--time-zone", "../../etc/passwd"), "There is no time zone '../../etc/passwd'"),
        ((*ORDERS, "--date-format", "%d.%m"), "--date-format '%d.%m' can't be read: tell year, month and day"),
        ((*ORDERS, "--date-format", "%Y-%Q"), "--date-format '%Y-%Q' can't be read"),
        ((*ORDERS, "--date-format", "%"), "--date-format '%' can't be read"),
        ((*without("currency"), "--value", "currency=XAU"), "--value can't be used for currency: This is no ISO 4217"),
        ((*without("currency"), "--value", "currency=eur"), "--value can't be used for currency: "),
        ((*ORDERS, "--value", f"channel={'x' * 129}"), "--value can't be used for channel: Expected"),
        ((*ORDERS, "--value", "tax=1.234"), "--value can't be used for tax: This has more decimals than EUR (2)."),
        ((*ORDERS, "--value", "tax=-1"), "--value can't be used for tax: "),
        ((*without("occurred_at"), "--value", "occurred_at=today"), "--value can't be used for occurred_at: This"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_in_a_sentence_before_anything_is_read(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    assert refusal(tmp_path, *options).startswith(said)


def test_the_bad_lines_are_not_written_over_the_table(tmp_path: Path) -> None:
    said = refusal(tmp_path, *ORDERS, "--errors", str(tmp_path / "orders.csv"))
    assert said == "--errors names the file that is imported: name another one."
    assert (tmp_path / "orders.csv").read_text() == f"{HEADER}\n"


def test_a_file_for_bad_lines_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, *ORDERS, "--errors", str(tmp_path / "no" / "bad.txt"))
    assert said.endswith("(No such file or directory): name another file with --errors.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "order;customer;amount;date\n",
            "There is no column 'amount': the first line names 'order;customer;amount;date'.",
        ),
        ("order,customer,amount,amount,date\n", "Two columns are called 'amount': use --no-header --from-line 2"),
        ("", "The file is empty: its first line must name the columns"),
        ("\n\n", "The file is empty: its first line must name the columns"),
        ('"order,customer\n', "The first line doesn't name columns: A quote is not closed"),
    ],
)
async def test_a_first_line_that_does_not_fit_the_mapping_is_told(importer: Importer, content: str, said: str) -> None:
    ended = await importer.run(importer.file(content.encode()), *ORDERS)
    assert (ended.status, ended.said) == (1, "")
    assert ended.complained.startswith(f"Error: {said}")


async def test_an_unknown_program_is_told(importer: Importer) -> None:
    ended = await importer.run(importer.table(), *ORDERS, "--program", "nowhere")
    assert (ended.status, ended.complained) == (
        1,
        "Error: There is no program 'nowhere': `loyalty programs list` names them.\n",
    )


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    said = refusal(tmp_path, *ORDERS)
    assert said.startswith("The database doesn't answer")
    assert "Check DATABASE_URL." in said


def test_every_field_of_a_purchase_can_be_mapped() -> None:
    names = {*Purchase.__struct_fields__, *(f"item.{name}" for name in Item.__struct_fields__)}
    assert set(FIELDS.kinds) == names - {"items", "metadata"}
    amounts = {name for name, kind in FIELDS.kinds.items() if kind is Kind.AMOUNT}
    assert amounts == {"total", "tax", "shipping", "points_paid", "item.amount"}


def test_the_help_explains_itself_with_an_example() -> None:
    text = CliRunner().invoke(loyalty, ["import", "purchases", "--help"]).stdout
    assert "Example: loyalty import purchases orders.csv" in text
