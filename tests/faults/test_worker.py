"""A worker's connections carry nothing any more and stay open: nothing ends, so it must find out by itself."""

import asyncio
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from service.events import sequencing
from service.platform.database import Database
from service.platform.queue.job import Job, Subject
from service.platform.queue.running import Outcome, Runner
from service.platform.queue.turn import Turn
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import Servers, new_database
from tests.faults.proxy import PostgresProxy, proxy_before
from tests.worker.workers import until, until_so, working

OUTBOX = (
    "INSERT INTO outbox (program_id, id, type, customer_id, subject_id, recorded_at)"
    " VALUES ($1, gen_random_uuid(), 'x', NULL, gen_random_uuid(), now())"
)


@pytest.fixture
async def proxied(servers: Servers) -> AsyncGenerator[tuple[Settings, PostgresProxy, str]]:
    """Give the settings of a worker behind a proxy, on a database of its own, with the address of its owner."""
    async with new_database(servers) as name:
        settings = servers.settings(name)
        assert settings.database_url is not None
        async with proxy_before(settings.database_url) as proxy:
            yield (
                settings.model_copy(update={"database_url": proxy.url}),
                proxy,
                servers.database_url(name, owner=True),
            )


@pytest.fixture
async def owner_of(proxied: tuple[Settings, PostgresProxy, str]) -> AsyncGenerator[Db]:
    """Give a connection as the owner, past the proxy."""
    connection = await asyncpg.connect(proxied[2])
    yield connection
    await connection.close()


async def test_a_queue_whose_connection_was_forgotten_goes_on_by_itself(
    proxied: tuple[Settings, PostgresProxy, str],
) -> None:
    settings, proxy, _ = proxied
    ran = list[str]()

    async def run(_: Database, __: Turn) -> bool:
        ran.append("once")
        return True

    async with working(settings, [Job(name="often", cron="* * * * * *", run=run)]):
        await until_so(lambda: len(ran) > 1)
        proxy.forget()
        await asyncio.sleep(1)
        before = len(ran)
        await until_so(lambda: len(ran) > before + 1)


async def test_a_sequencer_whose_connection_was_forgotten_goes_on_by_itself(
    proxied: tuple[Settings, PostgresProxy, str], owner_of: Db
) -> None:
    settings, proxy, _ = proxied
    database, stop = Database(settings), asyncio.Event()
    await database.open(size=1)
    sequencer = asyncio.create_task(sequencing.run(database, stop))

    async def are_placed(count: int) -> bool:
        return await owner_of.fetchval("SELECT count(*) FROM event") == count

    await owner_of.execute(OUTBOX, 7)
    await until(lambda: are_placed(1))
    proxy.forget()
    await owner_of.execute(OUTBOX, 7)
    await until(lambda: are_placed(2))
    stop.set()
    await sequencer
    await database.close()


async def test_a_run_whose_connection_was_forgotten_holds_its_place_no_longer(
    proxied: tuple[Settings, PostgresProxy, str],
) -> None:
    settings, proxy, _ = proxied
    database = Database(settings)
    await database.open(size=1)

    async def run(_: Database, __: Turn) -> bool:
        return True

    runner, job = Runner(database, asyncio.Event()), Job(name="often", run=run)
    assert (await runner.run(job, Subject())).outcome is Outcome.DONE
    proxy.forget()
    async with asyncio.timeout(30):
        with pytest.raises(TimeoutError):
            await runner.run(job, Subject())
        assert (await runner.run(job, Subject())).outcome is Outcome.DONE
    await database.close()


async def test_events_of_one_program_that_find_no_place_keep_no_other_waiting(
    proxied: tuple[Settings, PostgresProxy, str], owner_of: Db
) -> None:
    settings, _, _ = proxied
    database = Database(settings)
    await database.open(size=1)
    for program_id in (7, 8, 9):
        await owner_of.execute(OUTBOX, program_id)
    await owner_of.execute(
        "INSERT INTO event (program_id, position, id, type, subject_id, recorded_at)"
        " VALUES (8, 1, gen_random_uuid(), 'x', gen_random_uuid(), now())"
    )
    with pytest.raises(Exception, match="event"):
        await sequencing.move_all(database)
    await database.close()
    rows = await owner_of.fetch("SELECT program_id FROM outbox")
    assert [row["program_id"] for row in rows] == [8]
