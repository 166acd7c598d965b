"""The online retail log: all that 353 customers bought and took back, proved with arithmetic of the test's own."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import aiohttp
import pytest

from service.platform.database import Database
from service.platform.statements import Db
from tests.conftest import make_shop, prove
from tests.stories.online_retail import LONDON, Log, read_log
from tests.stories.retail_books import YEARS, Books, Wallet
from tests.stories.retail_run import Run, standings

pytestmark = pytest.mark.long

DEBT_LIMIT = 500
TOO_FEW_LEFT = {4680, 12345, 19350}
"""Cancelled lines of what was bought earlier, but not, or not any more, in that quantity."""
UNMATCHED = """
    153 154 155 561 2386 2387 2388 2975 3057 3060 3196 3197 3198 3199 3200 3201 3202 3203 3204 3205 3206 3207
    3208 3209 3366 3370 3547 3548 3549 3550 3642 3643 4181 4478 4479 4680 5134 5952 6025 6286 6637 6638 6639
    7120 7593 7594 7710 7831 7835 7836 9515 9516 9519 9521 9522 9525 9530 9531 9566 9621 9984 9985 9986 12233
    12246 12265 12345 13985 13986 14023 14115 14116 14143 14144 14145 14146 14505 14506 14804 14830 15255 15391
    15412 15545 15846 16018 16065 16069 16568 17006 17059 17531 17539 17814 18595 18830 18831 18832 18833 18834
    18835 18836 18837 18838 18842 18843 18844 19350
"""
"""Cancelled lines, by their numbers in the file, that have no earlier line to take back."""


@pytest.fixture(scope="module")
def log() -> Log:
    """Read the log."""
    return read_log()


@pytest.fixture(scope="module", params=[False, True], ids=["as it was", "with customers who spend"])
async def run(
    request: pytest.FixtureRequest, log: Log, database: Database, address: str, client: aiohttp.ClientSession
) -> Run:
    """Let the log run through the API, as it was or with customers who spend their points meanwhile."""
    limit = DEBT_LIMIT if request.param else None
    shop = await make_shop(
        database,
        address,
        client,
        currency="GBP",
        time_zone="Europe/London",
        expiry={"kind": "rolling", "months": 12 * YEARS},
        debt_limit=limit,
    )
    played = Run(log, shop, Books(limit), spending=request.param)
    await played.play()
    return played


def test_the_log_has_the_lines_that_its_note_tells(log: Log) -> None:
    assert len(log.lines) == 20_328
    assert len({line.customer for line in log.lines}) == 353
    assert len({line.invoice for line in log.lines}) == 1_324
    assert len({line.invoice for line in log.lines if line.is_cancelled}) == 261


def test_each_of_636_cancelled_lines_takes_back_an_earlier_one_or_is_listed(log: Log) -> None:
    assert (len(log.returns), len(log.unmatched)) == (528, 108)
    assert sorted(line.number for line in log.unmatched) == [int(number) for number in UNMATCHED.split()]
    bought = [(line.customer, line.stock_code, line.at, line.number) for line in log.lines if not line.is_cancelled]
    bought_earlier = {
        line.number
        for line in log.unmatched
        if any(each[:2] == (line.customer, line.stock_code) and each[2:] < (line.at, line.number) for each in bought)
    }
    assert bought_earlier == TOO_FEW_LEFT


@pytest.mark.parametrize(
    ("cancelled", "bought"),
    [
        (2843, 2842),  # two lines of one invoice have enough: the higher number, though of the same minute
        (11250, 11010),  # 5 pieces: the newest invoice has 1, the one before it 5
        (19791, 19699),  # 4 pieces: the newest has 2, of those before it the newest has 8
        (15260, 15112),  # the newest is cancelled already
        (12349, 12346),  # three of one piece each; the newest is cancelled already
    ],
)
def test_a_cancelled_line_takes_back_the_newest_that_still_has_the_whole_quantity(
    log: Log, cancelled: int, bought: int
) -> None:
    assert [each.bought.number for each in log.returns if each.line.number == cancelled] == [bought]


async def test_every_answer_is_what_the_books_of_the_test_come_to(run: Run) -> None:
    assert run.answered.keys() == run.expected.keys()
    wrong = [(name, run.answered[name], told) for name, told in run.expected.items() if run.answered[name] != told]
    assert wrong[:3] == []


async def test_every_balance_and_every_lot_is_what_the_books_of_the_test_come_to(run: Run) -> None:
    customers = {purchase.customer for purchase in run.log.purchases}
    found = await standings(run.shop, customers)
    told = {customer: _standing(run.books.wallets[customer]) for customer in customers}
    wrong = [(customer, found[customer], told[customer]) for customer in customers if found[customer] != told[customer]]
    assert wrong[:3] == []


async def test_the_counts_and_sums_are_those_of_the_log(run: Run, owner: Db) -> None:
    """Counts and money stand in the file, whoever spends what."""
    purchases = await owner.fetchrow(
        """
        SELECT count(*), sum(jsonb_array_length(items)), sum(total), sum(earned), count(DISTINCT customer_id)
        FROM purchase WHERE program_id = $1
        """,
        run.shop.program.id,
    )
    assert purchases is not None
    assert tuple(purchases) == (1_063, 19_692, 63_077_084, 630_274, len(run.books.wallets))
    refunds = await owner.fetchrow(
        """
        SELECT count(*), sum(amount), sum(from_lots), sum(to_debt), sum(written_off), sum(restored)
        FROM refund WHERE program_id = $1
        """,
        run.shop.program.id,
    )
    totals = run.books.totals
    assert refunds is not None
    assert tuple(refunds) == (
        528,
        9_764_389,
        *(totals[name] for name in ("from_lots", "to_debt", "written_off", "restored")),
    )
    assert sum(wallet.lifetime for wallet in run.books.wallets.values()) == 630_274 - 97_708


async def test_where_customers_spend_a_refund_meets_all_that_it_can(run: Run) -> None:
    """Other lots, debt, the limit of debt, points that paid, debt that is repaid; and nothing of it where none does."""
    names = ("of_other_lots", "to_debt", "written_off", "restored", "repaid")
    assert [run.books.totals[name] > 0 for name in names] == [run.spending] * len(names)


async def test_who_only_cancelled_is_no_customer(run: Run) -> None:
    only_cancelled = {line.customer for line in run.log.lines} - {each.customer for each in run.log.purchases}
    assert len(only_cancelled) == 9
    for customer in only_cancelled:
        assert (await run.shop.get(f"/v1/customers/{customer}/balance")).status == 404


async def test_the_books_hold_after_the_log(run: Run, database: Database) -> None:
    assert len(run.expected) >= 1_063 + 528
    await prove(database)


def _standing(wallet: Wallet) -> dict[str, Any]:
    return {
        "balance": wallet.balance,
        "lifetime": wallet.lifetime,
        "lots": [
            (lot.invoice, lot.granted, lot.remaining, _start_of(lot.last_day + timedelta(days=1)))
            for lot in wallet.lots
            if lot.remaining
        ],
    }


def _start_of(day: date) -> str:
    return datetime.combine(day, time(), LONDON).astimezone(UTC).isoformat().replace("+00:00", "Z")
