"""The CDNOW sample, proved customer by customer with arithmetic of the test's own."""

import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

import asyncpg
import pytest

from service import demo
from service.platform.database import Database
from service.platform.settings import CHECKOUT
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import Program, ProgramSettings
from tests.conftest import Servers, new_database, prove
from tests.imports.importer import Ended, Importer

SAMPLE = CHECKOUT / "tests" / "data" / "cdnow_sample.txt"
OPTIONS = (
    "--no-header",
    "--delimiter",
    "whitespace",
    "--id",
    "cdnow-{line}",
    "--column",
    "customer_id=1",
    "--column",
    "occurred_at=3",
    "--date-format",
    "%Y%m%d",
    "--column",
    "total=5",
    "--decimal",
    "--value",
    "currency=USD",
    "--column",
    "item.quantity=4",
    "--column",
    "item.amount=5",
    "--value",
    "item.category=cd",
)
TABLES = ("customer", "purchase", "transfer", "lot", "claim", "outbox")


@dataclass(frozen=True)
class Imported:
    """A database into which the sample was imported once."""

    importer: Importer
    database: Database
    program: Program
    owner: Db
    first: Ended


@pytest.fixture(scope="module")
async def imported(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Imported]:
    """Import the sample through the command."""
    async with new_database(servers) as name:
        settings = servers.settings(name)
        database = Database(settings)
        await database.open()
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        program = await transact(
            database.connection,
            lambda db: programs.create_program(db, code="cdnow", name="CDNOW", live=False, settings=ProgramSettings()),
        )
        importer = Importer(settings, program.code, tmp_path_factory.mktemp("cdnow"))
        yield Imported(importer, database, program, owner, await importer.run(SAMPLE, *OPTIONS))
        await owner.close()
        await database.close()


@dataclass
class Expected:
    """What one customer of the sample must come to."""

    purchases: int = 0
    discs: int = 0
    dollars: Decimal = Decimal(0)
    points: int = 0
    days: list[datetime] = field(default_factory=list[datetime])


def lines_of_sample() -> list[tuple[str, datetime, int, Decimal]]:
    """Read the raw file: customer, day, discs and dollars of each line."""
    rows = [line.split() for line in SAMPLE.read_text(encoding="ascii").splitlines()]
    return [
        (master, datetime(int(day[:4]), int(day[4:6]), int(day[6:]), tzinfo=UTC), int(discs), Decimal(dollars))
        for master, _, day, discs, dollars in rows
    ]


async def test_every_line_of_the_sample_is_booked(imported: Imported) -> None:
    assert imported.first == Ended(0, "6,919 booked, 0 there already, 0 bad.\n", "")


async def test_the_sample_is_6919_purchases_of_2357_customers_over_244091_94_dollars(imported: Imported) -> None:
    row = await imported.owner.fetchrow("SELECT count(*), count(DISTINCT customer_id), sum(total) FROM purchase")
    assert row is not None
    assert (row[0], row[1], Decimal(row[2]) / 100) == (6919, 2357, Decimal("244091.94"))
    assert await imported.owner.fetchval("SELECT count(*) FROM customer") == 2357


async def test_each_customer_of_the_sample_has_the_points_and_counts_that_the_file_says(imported: Imported) -> None:
    expected = defaultdict[str, Expected](Expected)
    for customer, day, discs, dollars in lines_of_sample():
        one = expected[customer]
        one.purchases += 1
        one.discs += discs
        one.dollars += dollars
        one.points += int(dollars.to_integral_value(ROUND_DOWN))  # a point for each whole dollar of each purchase
        one.days.append(day)
    rows = await imported.owner.fetch("""
        SELECT c.external_id, c.available, c.lifetime_earned, c.pending, c.held, c.debt, c.purchase_count,
               c.first_purchase_at, c.last_purchase_at, count(*) AS purchases, sum(p.total) AS cents,
               sum(p.earned) AS earned, sum(coalesce((p.items -> 0 ->> 'quantity')::bigint, 1)) AS discs
        FROM customer AS c INNER JOIN purchase AS p ON p.program_id = c.program_id AND p.customer_id = c.id
        GROUP BY c.program_id, c.id
    """)
    found: dict[str, tuple[Any, ...]] = {row[0]: tuple(row)[1:] for row in rows}
    assert found == {
        customer: (
            one.points,
            one.points,
            0,
            0,
            0,
            one.purchases,
            min(one.days),
            max(one.days),
            one.purchases,
            one.dollars * 100,
            one.points,
            one.discs,
        )
        for customer, one in expected.items()
    }


async def test_each_line_of_the_sample_is_a_purchase_under_its_number(imported: Imported) -> None:
    rows = await imported.owner.fetch("""
        SELECT p.external_id, c.external_id, p.occurred_at, p.currency, p.total, p.items
        FROM purchase AS p INNER JOIN customer AS c ON p.program_id = c.program_id AND p.customer_id = c.id
    """)
    assert {row[0]: (*row[1:5], _items(row[5])) for row in rows} == {
        f"cdnow-{number}": (customer, day, "USD", dollars * 100, [(discs, dollars * 100)])
        for number, (customer, day, discs, dollars) in enumerate(lines_of_sample(), start=1)
    }


def _items(text: str) -> list[tuple[int, Decimal]]:
    return [(item.get("quantity", 1), Decimal(item["amount"])) for item in json.loads(text)]


async def test_importing_the_sample_again_changes_nothing(imported: Imported) -> None:
    before = await _everything(imported.owner)
    again = await imported.importer.run(SAMPLE, *OPTIONS)
    assert again == Ended(0, "0 booked, 6,919 there already, 0 bad.\n", "")
    assert await _everything(imported.owner) == before


async def test_the_demo_is_filled_with_just_these_purchases(
    imported: Imported, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await _everything(imported.owner)
    await demo._fill(imported.database, imported.program)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert "0 booked, 6,919 there already, 0 bad" in capsys.readouterr().out
    assert await _everything(imported.owner) == before


async def test_the_books_hold_after_the_sample(imported: Imported) -> None:
    await prove(imported.database)


async def _everything(owner: Db) -> dict[str, str]:
    """Hash all rows of each table that a booking writes."""
    rows = "SELECT count(*) || ':' || md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t"
    return {table: await owner.fetchval(rows.format(table)) for table in TABLES}
