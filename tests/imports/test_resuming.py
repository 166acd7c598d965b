"""An import that is broken off can be run again: every line is booked once."""

import asyncio
import re
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from service.platform.database import Database
from service.platform.importing.mapping import Mapping
from service.platform.importing.table import BATCH, Table, Tally, Told
from service.platform.statements import Db
from service.points import importing
from service.purchases.importing.table import import_purchases
from tests.conftest import Servers
from tests.faults.proxy import AtCommit, PostgresProxy, proxy_before
from tests.imports.importer import ORDERS, Importer, orders
from tests.shop import Shop

LINES = 4 * BATCH
MAPPING = Mapping(
    columns={"id": "order", "customer_id": "customer", "total": "amount", "occurred_at": "date"},
    values={"currency": "EUR"},
    decimal_mark=".",
)


@asynccontextmanager
async def held(owner: Db, shop: Shop, customer_id: str) -> AsyncGenerator[None]:
    """Hold a customer's row, so that whoever books for the customer waits."""
    await shop.buy(customer_id=customer_id, total=0)
    async with owner.transaction():
        await owner.execute(
            "SELECT 1 FROM customer WHERE program_id = $1 AND external_id = $2 FOR UPDATE", shop.program.id, customer_id
        )
        yield


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(30):
        while not await true():
            await asyncio.sleep(0.01)


@pytest.fixture
def somebody_waits(owner: Db) -> Callable[[], Awaitable[bool]]:
    """Tell whether somebody waits for a lock."""

    async def waits() -> bool:
        return await owner.fetchval("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")

    return waits


async def booked(owner: Db, shop: Shop) -> int:
    """Count the imported purchases."""
    return await owner.fetchval(
        "SELECT count(*) FROM purchase WHERE program_id = $1 AND external_id ~ '^o-'", shop.program.id
    )


def lines_with_one_of(customer_id: str, place: int) -> list[str]:
    """Make lines for some customers, and one for this one."""
    lines = orders(range(LINES))
    lines[place] = f"o-{place},{customer_id},1.00,2026-01-02T10:00:00Z"
    return lines


async def test_an_import_that_is_killed_in_a_transaction_is_finished_by_the_next(
    importer: Importer, shop: Shop, owner: Db, somebody_waits: Callable[[], Awaitable[bool]]
) -> None:
    table = importer.table(*lines_with_one_of("held", place=BATCH + 7))
    async with held(owner, shop, "held"):
        running = await importer.start(table, *ORDERS)
        await until(somebody_waits)
        running.kill()
        await running.communicate()
    assert await booked(owner, shop) == BATCH
    ended = await importer.run(table, *ORDERS)
    assert (ended.status, ended.said) == (0, f"{LINES - BATCH:,} booked, {BATCH:,} there already, 0 bad.\n")
    again = await importer.run(table, *ORDERS)
    assert (again.status, again.said) == (0, f"0 booked, {LINES:,} there already, 0 bad.\n")
    assert await booked(owner, shop) == LINES


async def test_ctrl_c_tells_the_line_to_go_on_from(
    importer: Importer, shop: Shop, owner: Db, somebody_waits: Callable[[], Awaitable[bool]]
) -> None:
    table = importer.table(*lines_with_one_of("held", place=2 * BATCH + 7))
    async with held(owner, shop, "held"):
        running = await importer.start(table, *ORDERS)
        await until(somebody_waits)
        running.send_signal(signal.SIGINT)
        _, complained = await running.communicate()
    assert running.returncode == 130, complained.decode()
    told = re.search(r"Interrupted: .* Go on with --from-line (\d+), or run the same again", complained.decode())
    assert told is not None, complained
    assert int(told[1]) == 1 + 2 * BATCH + 1  # behind the header and two batches
    assert "Traceback" not in complained.decode()
    ended = await importer.run(table, *ORDERS, "--from-line", told[1])
    assert (ended.status, ended.said) == (0, f"{LINES - 2 * BATCH:,} booked, 0 there already, 0 bad.\n")
    assert await booked(owner, shop) == LINES


async def test_lines_before_the_one_to_go_on_from_are_neither_booked_nor_told(importer: Importer) -> None:
    table = importer.table("bad", *orders(range(5)), "bad")
    ended = await importer.run(table, *ORDERS, "--from-line", "4")
    assert (ended.said, len(ended.bad_lines)) == ("4 booked, 0 there already, 1 bad.\n", 1)
    assert ended.bad_lines[0].startswith("line 8: ")
    assert (await importer.run(table, *ORDERS, "--from-line", "100")).said == "0 booked, 0 there already, 0 bad.\n"


async def test_ids_of_lines_stay_the_same_when_an_import_goes_on(importer: Importer) -> None:
    table = importer.table(*orders(range(20)))
    by_line = (*ORDERS[2:], "--id", "orders-{line}")
    await importer.run(table, *by_line, "--from-line", "11")
    ended = await importer.run(table, *by_line)
    assert ended.said == "9 booked, 11 there already, 0 bad.\n"


async def test_a_corrected_table_books_what_was_bad_and_no_more(importer: Importer) -> None:
    lines = orders(range(10))
    await importer.run(importer.table(*lines[:4], "o-4,c-4,oops,2026-01-02T10:00:00Z", *lines[5:]), *ORDERS)
    ended = await importer.run(importer.table(*lines), *ORDERS)
    assert (ended.status, ended.said) == (0, "1 booked, 9 there already, 0 bad.\n")


@pytest.fixture
async def behind(importer: Importer) -> AsyncGenerator[tuple[PostgresProxy, Database]]:
    """Give the database of an import with a proxy before it that can break connections."""
    assert importer.settings.database_url is not None
    async with proxy_before(importer.settings.database_url) as proxy:
        proxied = Database(importer.settings.model_copy(update={"database_url": proxy.url}))
        await proxied.open(size=1)
        yield proxy, proxied
        await proxied.close()


async def test_a_database_that_is_away_for_a_while_is_waited_for(
    importer: Importer, shop: Shop, owner: Db, behind: tuple[PostgresProxy, Database]
) -> None:
    proxy, database = behind
    table, tally, losses = Table(importer.table(*orders(range(LINES))), MAPPING), Tally(), 0

    def lose() -> None:
        nonlocal losses
        losses += 1
        proxy.reset()
        proxy.hang()
        asyncio.get_running_loop().call_later(0.2, proxy.reset)
        asyncio.get_running_loop().call_later(0.2, proxy.resume)

    told = Told(_unexpected, lose)
    await import_purchases(database, table, program_code=shop.program.code, tally=tally, told=told)
    assert (tally.booked, tally.known, tally.bad, losses) == (LINES, 0, 0, LINES // BATCH)
    assert await booked(owner, shop) == LINES


async def test_a_commit_whose_answer_is_lost_is_told_as_booked_and_booked_once(
    importer: Importer, shop: Shop, owner: Db, behind: tuple[PostgresProxy, Database]
) -> None:
    proxy, database = behind
    table, tally = Table(importer.table(*orders(range(LINES))), MAPPING), Tally()
    told = Told(_unexpected, lambda: proxy.at_next_commit(AtCommit.CUT))
    await import_purchases(database, table, program_code=shop.program.code, tally=tally, told=told)
    assert proxy.broken_commits == LINES // BATCH - 1
    assert (tally.booked, tally.known, tally.bad) == (LINES, 0, 0)
    assert await booked(owner, shop) == LINES


async def test_a_database_that_stays_away_ends_the_import_with_the_line_to_go_on_from(
    importer: Importer, shop: Shop, owner: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PATIENCE", 0.3)
    table = importer.table(*lines_with_one_of("held", place=BATCH))
    async with held(owner, shop, "held"):
        ended = await importer.run(table, *ORDERS)
    assert (ended.status, ended.said) == (1, "")
    assert ended.complained.startswith("Error: The database doesn't answer")
    assert f"{BATCH} booked, 0 there already, 0 bad. " in ended.complained
    assert f"Go on with --from-line {BATCH + 2}, or run the same again" in ended.complained


async def test_a_database_that_refuses_is_told_in_a_sentence(importer: Importer, servers: Servers) -> None:
    elsewhere = Importer(servers.settings("no_such_database"), "x", importer.folder)
    ended = await elsewhere.run(importer.table(*orders(range(2))), *ORDERS)
    assert (ended.status, ended.said) == (1, "")
    assert ended.complained.startswith("Error: The database refuses (InvalidCatalogNameError)")


async def test_two_imports_of_one_table_at_once_book_it_once(importer: Importer, shop: Shop, owner: Db) -> None:
    path = importer.table(*orders(range(LINES)))
    running = [await importer.start(path, *ORDERS) for _ in range(2)]
    said = [(await each.communicate())[0].decode() for each in running]
    assert [each.returncode for each in running] == [0, 0]
    counts = [[int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", line)] for line in said]
    assert [sum(column) for column in zip(*counts, strict=True)] == [LINES, LINES, 0]
    assert await booked(owner, shop) == LINES


def _unexpected(first: int, _: int, why: str) -> None:
    raise AssertionError(first, why)
