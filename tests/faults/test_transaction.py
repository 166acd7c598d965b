"""The one way to commit, against what a server and a piece of work can do to it."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db, RowsMissing
from service.platform.transaction import transact
from service.platform.writer import Writer
from tests.faults.proxy import AtCommit, proxy_before


async def test_work_that_goes_on_after_a_failed_statement_is_never_taken_for_committed(database: Database) -> None:
    """The server answers such a COMMIT with ROLLBACK, and with no error."""

    async def work(db: Db) -> str:
        try:
            await db.execute("SELECT 1 / 0")
        except asyncpg.DivisionByZeroError:
            return "done"
        raise AssertionError

    with pytest.raises(RuntimeError, match="not committed"):
        await transact(database.connection, work)


async def test_work_that_fails_leaves_no_transaction_open_on_a_kept_connection(database: Database) -> None:
    kept: list[Db] = []

    async def work(db: Db, _: None, rows: Sequence[int]) -> Sequence[int]:
        kept.append(db)
        await db.execute("SELECT $1::integer", rows[0])
        if rows[0] == 1:
            raise LookupError
        return rows

    writer = Writer[None, int, int](database, work)
    assert isinstance((await writer.write(None, [1]))[0], LookupError)
    assert not kept[-1].is_in_transaction()
    assert await writer.write(None, [2]) == [2]
    assert len(set(kept)) == 1
    await writer.close()


async def test_a_statement_that_is_given_up_ends_on_the_server_too_and_holds_its_locks_no_longer(
    database: Database,
) -> None:
    pids: list[int] = []

    async def work(db: Db) -> None:
        pids.append(db.get_server_pid())
        await db.execute("SELECT pg_sleep(60)")

    with pytest.raises(Unavailable):
        await transact(database.connection, work, patience=0.2)
    # Under the statement's own limit of 10 s, which is there for poolers and servers that don't look at the connection.
    async with asyncio.timeout(8), database.connection() as db:
        assert db.get_server_pid() != pids[0]
        while await db.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pids[0]):
            await asyncio.sleep(0.05)


async def test_a_server_that_was_demoted_to_a_standby_is_left_for_the_one_that_the_address_names_now(
    database: Database,
) -> None:
    pids: list[int] = []

    async def work(db: Db, _: None, rows: Sequence[str]) -> Sequence[int]:
        pids.append(db.get_server_pid())
        await db.execute(rows[0])
        return [1]

    writer = Writer[None, str, int](database, work)
    await writer.write(None, ["SET default_transaction_read_only = on"])
    assert await writer.write(None, ["SELECT nextval('customer_id_seq')"]) == [1]
    first, refused, last = pids
    assert first == refused != last
    await writer.close()


async def test_work_that_lost_against_another_is_begun_again_until_it_wins_or_time_is_up(database: Database) -> None:
    attempts: list[int] = []

    async def lose_twice(db: Db) -> int:
        attempts.append(await db.fetchval("SELECT 1"))
        if len(attempts) < 3:
            raise RowsMissing("test")
        return len(attempts)

    async def lose(db: Db) -> None:
        await db.fetchval("SELECT 1")
        raise RowsMissing("test")

    assert await transact(database.connection, lose_twice) == 3
    with pytest.raises(Unavailable):
        await transact(database.connection, lose, patience=0.1)


async def test_a_commit_is_not_cancelled_but_its_connection_dropped_when_nothing_is_heard(settings: Settings) -> None:
    """A request to cancel could end a server's wait for its standby; an end of the connection doesn't."""
    assert settings.database_url is not None
    async with proxy_before(settings.database_url) as proxy:
        database = Database(settings.model_copy(update={"database_url": proxy.url}))
        await database.open(size=1)
        proxy.at_next_commit(AtCommit.HOLD)
        with pytest.raises(Unavailable):
            await transact(database.connection, lambda db: db.execute("SELECT 1"), patience=0.1)
        assert (proxy.broken_commits, proxy.accepted) == (1, 1)
        await database.close()


async def test_work_that_commits_itself_is_not_cancelled_either(settings: Settings) -> None:
    assert settings.database_url is not None
    async with proxy_before(settings.database_url) as proxy:
        database = Database(settings.model_copy(update={"database_url": proxy.url}))
        await database.open(size=1)

        async def work(db: Db) -> None:
            await db.execute("CREATE TEMPORARY TABLE written (number integer)")
            proxy.at_next_commit(AtCommit.HOLD)
            await db.fetchval("INSERT INTO written VALUES ($1) RETURNING number", 1)

        with pytest.raises(Unavailable, match="unknown"):
            await transact(database.connection, work, at_once=work, patience=0.1)
        assert (proxy.broken_commits, proxy.accepted) == (1, 1)
        await database.close()


async def test_a_read_that_hangs_ends_with_its_patience(settings: Settings) -> None:
    assert settings.database_url is not None
    async with proxy_before(settings.database_url) as proxy:
        database = Database(settings.model_copy(update={"database_url": proxy.url}))
        await database.open(size=1)
        async with database.reading() as db:
            await db.fetchval("SELECT 1")
        proxy.forget()
        with pytest.raises(Unavailable):
            async with database.reading(0.2) as db:
                await db.fetchval("SELECT 1")
        async with database.reading() as db:
            assert await db.fetchval("SELECT 1") == 1
        await database.close()


async def test_who_waits_for_a_connection_of_the_pool_waits_no_longer_than_its_patience(settings: Settings) -> None:
    database = Database(settings)
    await database.open(size=1)
    async with database.connection(), asyncio.timeout(2):
        with pytest.raises(Unavailable):
            await transact(database.connection, lambda db: db.execute("SELECT 1"), patience=0.2)
    await database.close()


async def test_who_goes_on_losing_lets_others_go_first(database: Database) -> None:
    runs = 0

    async def work(_: Db) -> None:
        nonlocal runs
        runs += 1
        raise RowsMissing

    with pytest.raises(Unavailable):
        await transact(database.connection, work, patience=0.5)
    assert 2 < runs < 20  # without pauses there would be hundreds
