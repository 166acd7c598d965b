"""A database that stands still: what may wait is bounded, everybody is answered in time, nothing is half done."""

import asyncio
import json
import re
import resource
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.api.operations import OPERATIONS, Operation, stocked
from tests.conftest import make_shop, prove
from tests.faults.api_process import ApiProcess, api_process
from tests.faults.conftest import ShopAlone, ShopBehindProxy
from tests.faults.proxy import PostgresProxy, proxy_before
from tests.shop import Answer, Shop, purchase

DEADLINE = 5.0
"""Seconds within which every request is answered."""
SHARED = 1.0
"""Seconds more while hundreds of calls at once come and go through one process, which is also that of their callers."""
WAITING = 2000 + 64
"""So many purchases may wait in a process: the queue, and the batch in flight."""
NO_ROOM = "Too much is waiting already; nothing was done."


@dataclass(frozen=True)
class Timed:
    """An answer and the seconds that it took."""

    answer: Answer
    seconds: float


def _request(shop: Shop, body: dict[str, Any]) -> bytes:
    """Write a report of a purchase as bytes; the answer ends with the connection."""
    content = json.dumps(body)
    return (
        f"POST /v1/purchases HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {shop.keys[Role.CHECKOUT]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n{content}"
    ).encode()


async def _connect(shop: Shop) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(shop.address)
    return await asyncio.open_connection(address.hostname, address.port)


async def _at_once(shop: Shop, bodies: Sequence[dict[str, Any]]) -> list[Timed]:
    """Report purchases in the same moment, each on a connection of its own that was made before."""
    connections = [await _connect(shop) for _ in bodies]
    began = time.monotonic()
    for (_, writer), body in zip(connections, bodies, strict=True):
        writer.write(_request(shop, body))

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Timed:
        head, _, text = (await reader.read()).decode().partition("\r\n\r\n")
        seconds = time.monotonic() - began
        writer.close()
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Timed(Answer(int(status.split()[1]), headers, text), seconds)

    return await asyncio.gather(*(hear(*connection) for connection in connections))


async def _in_turn(shop: Shop, bodies: Iterable[dict[str, Any]]) -> list[Answer]:
    """Report purchases, a hundred at a time."""
    room = asyncio.Semaphore(100)

    async def report(body: dict[str, Any]) -> Answer:
        async with room:
            return await shop.post("/v1/purchases", body)

    return await asyncio.gather(*(report(body) for body in bodies))


def _memory(api: ApiProcess) -> float:
    """Return the megabytes that a process holds."""
    status = Path(f"/proc/{api.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def _is_told_to_come_again(answer: Answer) -> bool:
    return (answer.status, answer.code) == (503, "unavailable") and int(answer.headers["retry-after"]) >= 1


@dataclass(frozen=True)
class Process:
    """A shop of an API process that reaches Postgres through a proxy."""

    shop: Shop
    api: ApiProcess
    proxy: PostgresProxy


@contextmanager
def _open_files(count: int) -> Generator[None]:
    """Allow this process, and those that it starts, so many open files, if the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def process(settings: Settings, database: Database, client: aiohttp.ClientSession) -> AsyncGenerator[Process]:
    """Give an API process behind a proxy, started with the usual limits; afterwards the books are proved."""
    assert settings.database_url is not None
    async with proxy_before(settings.database_url) as proxy, AsyncExitStack() as stack:
        with _open_files(1024):
            running = api_process(settings.model_copy(update={"database_url": proxy.url}))
            api = await stack.enter_async_context(running)
        stack.enter_context(_open_files(8192))
        shop = await make_shop(database, api.address, client)
        assert (await shop.buy()).status == 201
        yield Process(shop, api, proxy)
        proxy.resume()
    await prove(database)


async def test_what_waits_for_a_database_that_stands_still_is_bounded_and_the_rest_told_at_once(
    process: Process,
) -> None:
    shop, bodies = process.shop, [purchase(customer_id=f"c-{number % 500}") for number in range(3000)]
    process.proxy.hang()
    timed = await _at_once(shop, bodies)
    process.proxy.resume()
    _assert_bounded(timed)
    # Well again, and all is booked once, also what may have been booked already.
    for told, again in zip(timed, await _in_turn(shop, bodies), strict=True):
        nothing_done = told.answer.body["detail"].endswith("nothing was done.")
        assert again.status == 201 or (again.status == 200 and not nothing_done), again.text
    assert (await shop.balance("c-7"))["available"] == 6 * 129


async def test_memory_does_not_grow_with_what_was_turned_away(process: Process) -> None:
    memory = list[float]()
    for _ in range(3):
        process.proxy.hang()
        _assert_bounded(await _at_once(process.shop, [purchase() for _ in range(3000)]))
        process.proxy.resume()
        assert (await process.shop.buy()).status == 201
        memory.append(_memory(process.api))
    assert memory[-1] < memory[0] + 30


def _assert_bounded(timed: Sequence[Timed]) -> None:
    assert all(_is_told_to_come_again(each.answer) for each in timed)
    no_room = [each.seconds for each in timed if each.answer.body["detail"] == NO_ROOM]
    waited = [each.seconds for each in timed if each.answer.body["detail"] != NO_ROOM]
    assert 0 < len(waited) <= WAITING
    assert max(no_room) < min(waited)
    assert max(waited) < DEADLINE + SHARED


@pytest.mark.parametrize("abruptly", [False, True])
async def test_callers_who_leave_leave_their_purchases_whole_or_absent(
    shop: Shop, owner: Db, *, abruptly: bool
) -> None:
    """They leave before the body, amid it, as soon as it is sent, and while it waits in a batch or for one."""
    await shop.buy(customer_id="c-1")
    left = list[dict[str, Any]]()
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM customer WHERE program_id = $1 AND external_id = 'c-1' FOR UPDATE", shop.program.id
        )
        for number in range(160):
            body = purchase(id=f"left-{number}", customer_id=f"c-{number % 3}")
            whole = _request(shop, body)
            head = whole.index(b"\r\n\r\n") + 4
            _, writer = await _connect(shop)
            writer.write(whole[: (head, head + 20, len(whole) - 1, len(whole))[number % 4]])
            await writer.drain()
            if number % 8 == 7:
                await asyncio.sleep(0.02)  # it waits: for the customer, or for the batch that does
            if abruptly:
                writer.transport.abort()
            else:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
            left.append(body)
    assert (await shop.buy(customer_id="c-1")).status == 201  # behind all that waited
    rows = {body["id"]: await _rows(owner, shop, body["id"]) for body in left}
    assert set(rows.values()) <= {(0, 0, 0, 0, 0), (1, 1, 1, 1, 1)}
    assert not any(any(rows[body["id"]]) for number, body in enumerate(left) if number % 4 != 3)
    assert all(all(rows[body["id"]]) for number, body in enumerate(left) if number % 8 == 7)
    for body, answer in zip(left, await _in_turn(shop, left), strict=True):
        assert answer.status == (200 if any(rows[body["id"]]) else 201)
    assert (await shop.balance("c-0"))["available"] == 54 * 129


async def _rows(owner: Db, shop: Shop, purchase_id: str) -> tuple[int, ...]:
    """Count what is booked of a purchase: purchase, claim, transfer, lot, event."""
    row = await owner.fetchrow(
        """
        SELECT
            (SELECT count(*) FROM purchase AS p WHERE p.program_id = $1 AND p.external_id = $2),
            (SELECT count(*) FROM claim AS k WHERE k.program_id = $1 AND k.id = $2),
            (SELECT count(*) FROM transfer AS t WHERE t.program_id = $1 AND t.cause_id = $2),
            (SELECT count(*) FROM lot AS l WHERE l.program_id = $1 AND l.cause_id = $2),
            (
                SELECT count(*) FROM outbox AS o
                INNER JOIN purchase AS p ON p.program_id = o.program_id AND p.id = o.subject_id
                WHERE o.program_id = $1 AND p.external_id = $2 AND o.type = 'purchase.rewarded'
            )
        """,
        shop.program.id,
        purchase_id,
    )
    assert row is not None
    return tuple(row)


@asynccontextmanager
async def _tables_locked(owner: Db) -> AsyncGenerator[None]:
    rows = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    async with owner.transaction():
        await owner.execute(f"LOCK TABLE {', '.join(row['tablename'] for row in rows)} IN ACCESS EXCLUSIVE MODE")
        yield


async def _all_in_time(shop: Shop, known: dict[str, str]) -> dict[str, Timed]:
    """Call every operation, each five times, in the same moment; give the slowest answer of each."""

    async def call(operation: Operation) -> tuple[str, Timed]:
        began = time.monotonic()
        answer = await operation.call(shop, Role.ADMIN, id=known[operation.name])
        return operation.name, Timed(answer, time.monotonic() - began)

    timed = await asyncio.gather(*(call(operation) for operation in OPERATIONS for _ in range(5)))
    return dict(sorted(timed, key=lambda each: each[1].seconds))


def _assert_in_time(timed: dict[str, Timed]) -> None:
    assert timed.pop("getProgram").answer.status == 200  # every process knows it
    assert {name: each.answer.text for name, each in timed.items() if each.answer.status != 503} == {}
    assert all(_is_told_to_come_again(each.answer) for each in timed.values())
    assert {name: each.seconds for name, each in timed.items() if each.seconds > DEADLINE + SHARED} == {}


async def test_every_call_is_answered_in_time_while_nothing_comes_from_the_database(behind: ShopBehindProxy) -> None:
    stock = await stocked(behind.shop)
    known = {operation.name: await stock.id_for(operation) for operation in OPERATIONS}
    behind.proxy.hang()
    timed = await _all_in_time(behind.shop, known)
    behind.proxy.resume()
    _assert_in_time(timed)


async def test_every_call_is_answered_in_time_while_others_hold_what_it_needs(alone: ShopAlone) -> None:
    stock = await stocked(alone.shop)
    known = {operation.name: await stock.id_for(operation) for operation in OPERATIONS}
    async with _tables_locked(alone.owner):
        timed = await _all_in_time(alone.shop, known)
    _assert_in_time(timed)
    for operation in OPERATIONS:
        answer = await operation.call(alone.shop, Role.ADMIN, id=known[operation.name])
        assert answer.status < 500, operation.name
    await prove(alone.database)
