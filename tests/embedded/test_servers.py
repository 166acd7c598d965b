"""The servers that `./run` starts for itself: what a person who relies on them must be able to take for granted."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL
from stat import S_IMODE

import asyncpg
import pytest
import redis

from service.platform.embedded import EmbeddedServers, temporary_servers

pytestmark = pytest.mark.long

Query = Callable[[str | None, str], object]


def kill_and_heal(servers: EmbeddedServers, name: str) -> None:
    """Kill one server and check, as the service does, until another process has taken its place."""
    killed = servers.process_ids[name]
    assert killed is not None
    os.kill(killed, SIGKILL)
    give_up_at = time.monotonic() + 30
    while servers.process_ids[name] in {killed, None} or not servers.are_ready:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
        servers.check()


def ping(address: str | None) -> bool:
    """Whether the cache answers at the address."""
    assert address is not None
    client = redis.Redis.from_url(address)  # pyright: ignore[reportUnknownMemberType]
    return client.ping()  # pyright: ignore[reportUnknownMemberType]


def test_a_first_start_gives_addresses_that_work(servers: EmbeddedServers, query: Query) -> None:
    """The owner owns the database and may make roles, the service may not, and both are who they should be."""
    addresses = servers.start()
    owner, login = addresses.owner_database_url, addresses.database_url
    assert query(owner, "SELECT current_user || ' ' || current_database()") == "loyalty_owner loyalty"
    assert query(login, "SELECT current_user || ' ' || current_database()") == "loyalty_login loyalty"
    assert query(login, "SELECT pg_has_role('loyalty_login', 'loyalty_service', 'member')") is True
    query(owner, "CREATE ROLE loyalty_reader NOLOGIN")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        query(login, "CREATE ROLE loyalty_intruder NOLOGIN")
    assert ping(addresses.redis_url)


def test_a_commit_is_durable_and_text_is_unicode(servers: EmbeddedServers, query: Query) -> None:
    """What was acknowledged survives a loss of power, and nobody can connect over the network."""
    owner = servers.start().owner_database_url
    shown = {name: query(owner, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")}
    assert shown == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert query(owner, "SHOW server_encoding") == "UTF8"
    assert query(owner, "SHOW listen_addresses") == ""


def test_a_wrong_password_is_refused(servers: EmbeddedServers, query: Query) -> None:
    """The socket alone opens nothing."""
    owner = servers.start().owner_database_url
    assert owner is not None
    password = owner.partition("@")[0].rpartition(":")[2]
    with pytest.raises(asyncpg.InvalidPasswordError):
        query(owner.replace(password, "guessed"), "SELECT 1")


def test_the_addresses_are_published_while_the_servers_run(servers: EmbeddedServers, folder: Path) -> None:
    """Others of the same user find them in servers.json; nobody else may read it, and it goes with the servers."""
    addresses = servers.start()
    file = folder / "servers.json"
    published = json.loads(file.read_text())
    assert published["database_url"] == addresses.database_url
    assert published["redis_url"] == addresses.redis_url
    assert S_IMODE(file.stat().st_mode) == 0o600
    assert S_IMODE((folder / "passwords.json").stat().st_mode) == 0o600
    servers.stop()
    assert not file.exists()


def test_a_second_start_keeps_the_data(servers: EmbeddedServers, query: Query) -> None:
    """Stopping and starting again loses nothing, and the addresses stay the same."""
    first = servers.start()
    query(first.owner_database_url, "CREATE TABLE kept AS SELECT 41 AS points")
    servers.stop()
    second = servers.start()
    assert query(second.owner_database_url, "SELECT points FROM kept") == 41
    assert second == first


def test_a_killed_postgres_is_started_again(servers: EmbeddedServers, query: Query, reports: list[str]) -> None:
    """After kill -9 of the postmaster check() brings it back at the same address, with all that was acknowledged."""
    owner = servers.start().owner_database_url
    query(owner, "CREATE TABLE kept AS SELECT 41 AS points")
    kill_and_heal(servers, "Postgres")
    assert query(owner, "SELECT points FROM kept") == 41
    assert "Postgres was killed by SIGKILL and is started again." in reports


def test_a_killed_valkey_is_started_again(servers: EmbeddedServers) -> None:
    """After kill -9 of the cache check() brings it back, empty, at the same address."""
    address = servers.start().redis_url
    kill_and_heal(servers, "Valkey")
    assert ping(address)


def test_repeated_kills_are_no_failures(folder: Path, reports: list[str]) -> None:
    """Only starts that fail count, so a server that is killed time and again comes back each time."""
    servers = EmbeddedServers(folder, reports.append, postgres=False)
    servers.start()
    try:
        for _ in range(4):
            kill_and_heal(servers, "Valkey")
    finally:
        servers.stop()


@pytest.mark.parametrize("alone", ["postgres", "valkey"])
def test_each_server_may_be_asked_for_alone(alone: str) -> None:
    """Who has a database of their own needs the cache only, and the other way round."""
    with temporary_servers(postgres=alone == "postgres", valkey=alone == "valkey") as servers:
        addresses = servers.addresses
        assert (addresses.database_url is not None) == (alone == "postgres")
        assert (addresses.owner_database_url is not None) == (alone == "postgres")
        assert (addresses.redis_url is not None) == (alone == "valkey")


def test_temporary_servers_leave_nothing_behind(query: Query) -> None:
    """Throw-away servers are gone with their folder when the test is over."""
    with temporary_servers() as servers:
        place = Path(str(servers.addresses.redis_url).partition("@")[2].partition("?")[0]).parent
        assert query(servers.addresses.database_url, "SELECT 1") == 1
        assert place.exists()
    assert not place.exists()


def test_a_very_long_folder_is_fine(folder: Path, reports: list[str], query: Query) -> None:
    """A socket's path may have some 100 bytes; the sockets of a longer folder move to a short place, and go again."""
    deep = folder
    for _ in range(4):
        deep /= "a_folder_with_a_rather_long_name"
        deep.mkdir()
        deep.chmod(0o711)
    servers = EmbeddedServers(deep, reports.append)
    addresses = servers.start()
    sockets = (deep / "run").readlink()
    try:
        assert len(str(sockets)) < 80
        assert query(addresses.database_url, "SELECT 1") == 1
        assert ping(addresses.redis_url)
    finally:
        servers.stop()
    assert not sockets.exists()
