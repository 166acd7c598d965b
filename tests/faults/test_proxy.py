"""The proxy breaks what it says it breaks: each way to commit, at each side of the commit, and nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import asyncpg
import pytest

from service.platform.statements import Db
from tests.conftest import Servers
from tests.faults.proxy import AtCommit, PostgresProxy, proxy_before
from tests.faults.wire import Conversation, Splitter

LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_messages_are_whole_however_their_bytes_come(piece: int) -> None:
    greeting = (8).to_bytes(4) + b"\0\3\0\0"
    sent = [greeting, _message(b"Q", b"SELECT 1\0"), _message(b"S"), _message(b"P", b"\0COMMIT\0\0\0")]
    stream, messages = b"".join(sent), Splitter(greets=True)
    found = [each for at in range(0, len(stream), piece) for each in messages.feed(stream[at : at + piece])]
    assert found == sent


def _talk(*, status: bytes) -> Conversation:
    """Give a conversation that is greeted and whose server is idle (`I`) or in a transaction (`T`)."""
    talk = Conversation()
    talk.hear_client((8).to_bytes(4) + b"\0\3\0\0")
    talk.hear_server(_message(b"Z", b"I"))
    talk.hear_client(_message(b"Q", b"BEGIN\0"))
    talk.hear_server(_message(b"Z", status))
    return talk


@pytest.mark.parametrize(
    ("before", "statement", "tag", "after", "commits"),
    [
        (b"T", b"COMMIT\0", b"COMMIT\0", b"I", True),
        (b"T", b"COMMIT\0", b"ROLLBACK\0", b"I", False),
        (b"T", b"INSERT INTO t VALUES (1)\0", b"INSERT 0 1\0", b"T", False),
        (b"I", b"INSERT INTO t VALUES (1)\0", b"INSERT 0 1\0", b"I", True),
        (b"I", b"WITH w AS (insert INTO t VALUES (1)) SELECT 1\0", b"SELECT 1\0", b"I", True),
        (b"I", b"SELECT inserted FROM t\0", b"SELECT 1\0", b"I", False),
        (b"I", b"BEGIN; INSERT INTO t VALUES (1); COMMIT\0", b"COMMIT\0", b"I", True),
    ],
)
@pytest.mark.parametrize("prepared", [False, True])
def test_an_answer_tells_of_a_commit(
    before: bytes, statement: bytes, tag: bytes, after: bytes, *, commits: bool, prepared: bool
) -> None:
    talk = _talk(status=before)
    if prepared:
        for kind, body in [(b"P", b"s\0" + statement + b"\0\0"), (b"S", b"")]:
            assert not talk.hear_client(_message(kind, body))
        assert not talk.hear_server(_message(b"Z", before))
        sent = [(b"B", b"\0s\0\0\0"), (b"E", b"\0\0\0\0\0"), (b"S", b"")]
    else:
        sent = [(b"Q", statement)]
    for kind, body in sent:
        talk.hear_client(_message(kind, body))
    assert not talk.hear_server(_message(b"C", tag))
    assert talk.hear_server(_message(b"Z", after)) is commits


def test_a_statement_that_failed_commits_nothing() -> None:
    talk = _talk(status=b"I")
    talk.hear_client(_message(b"Q", b"INSERT INTO t VALUES (1)\0"))
    assert not talk.hear_server(_message(b"E", b"S"))
    assert not talk.hear_server(_message(b"Z", b"I"))


@pytest.fixture
async def proxy(servers: Servers, database_name: str, owner: Db) -> AsyncGenerator[PostgresProxy]:
    """Give a proxy, and a table to write into."""
    await owner.execute("CREATE TABLE written (row text PRIMARY KEY)")
    async with proxy_before(servers.database_url(database_name, owner=True)) as proxy:
        yield proxy
    await owner.execute("DROP TABLE written")


INSERT = "INSERT INTO written VALUES ($1)"
WITH_INSERT = "WITH w AS (INSERT INTO written VALUES ($1) RETURNING 1) SELECT count(*) FROM w"


async def _in_transaction(db: Db, row: str) -> None:
    async with db.transaction():
        await db.execute(INSERT, row)


async def _alone(db: Db, row: str) -> None:
    await db.execute(INSERT, row)


async def _alone_as_rows(db: Db, row: str) -> None:
    assert await db.fetchval(WITH_INSERT, row) == 1


async def _as_text(db: Db, row: str) -> None:
    await db.execute(f"INSERT INTO written VALUES ('{row}')")


@pytest.mark.parametrize("write", [_in_transaction, _alone, _alone_as_rows, _as_text])
async def test_each_way_to_commit_is_cut_on_either_side(
    proxy: PostgresProxy, owner: Db, write: Callable[[Db, str], Awaitable[None]]
) -> None:
    broken: list[tuple[AtCommit, bytes]] = []
    proxy.on_broken = lambda what, sent: broken.append((what, sent))
    for what, row in [(AtCommit.CUT, "kept"), (AtCommit.CUT_BEFORE, "lost")]:
        db = await asyncpg.connect(proxy.url)
        await write(db, f"{row} before")
        await db.fetchval("SELECT count(*) FROM written")
        proxy.at_next_commit(what)
        # Nothing that reads is cut.
        assert await db.fetchval("SELECT count(*) FROM written WHERE row != 'inserted'")
        with pytest.raises(LOST):
            await write(db, row)
        db.terminate()
        assert [broken[-1][0]] == [what]
        assert row.encode() in broken[-1][1]
        assert f"{row} before".encode() not in broken[-1][1]
    found = {row["row"] for row in await owner.fetch("SELECT row FROM written")}
    assert (found, proxy.broken_commits) == ({"kept before", "kept", "lost before"}, 2)


async def test_a_commit_that_is_held_is_durable_and_its_connection_silent(proxy: PostgresProxy, owner: Db) -> None:
    db = await asyncpg.connect(proxy.url)
    proxy.at_next_commit(AtCommit.HOLD)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await _in_transaction(db, "held")
    db.terminate()
    assert await owner.fetchval("SELECT row FROM written") == "held"
