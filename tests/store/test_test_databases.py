"""Databases of tests: they can be removed, also behind a test that failed, and who stays in one is named."""

import aiohttp
import asyncpg
import pytest

from tests.conftest import Servers, drop_database, new_database, running


async def _fail_beside_a_service(servers: Servers, client: aiohttp.ClientSession, names: list[str]) -> None:
    async with new_database(servers) as name, running(servers.settings(name)) as address:
        names.append(name)
        async with client.get(f"{address}/readyz") as ready:  # so it is logged in
            assert ready.status == 200
        raise LookupError("what the test found")


async def test_a_service_leaves_its_database_also_where_the_test_fails(
    servers: Servers, client: aiohttp.ClientSession
) -> None:
    """Else nobody could remove it: who owns it may not end those who logged in as the service."""
    names = list[str]()
    with pytest.raises(LookupError, match="what the test found"):
        await _fail_beside_a_service(servers, client, names)
    admin = await asyncpg.connect(servers.owner_url)
    try:
        assert await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", names[0]) == 0
    finally:
        await admin.close()


async def test_who_stays_in_a_database_is_named(servers: Servers) -> None:
    if servers.login_url is None:
        pytest.skip("the service logs in as the owner, who may end all of its own")
    async with new_database(servers) as name:
        admin = await asyncpg.connect(servers.owner_url)
        left = await asyncpg.connect(servers.database_url(name), server_settings={"application_name": "left behind"})
        try:
            with pytest.raises(AssertionError, match=f"still in {name}: .*left behind.*{left.get_server_pid()}"):
                await drop_database(admin, name, patience=0)
        finally:
            await left.close()
            await admin.close()
