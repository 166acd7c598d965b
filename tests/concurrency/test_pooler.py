"""A service behind a pooler: what its login and its pooler must bring, told in one sentence where it is missing."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from service.platform.database import Database
from service.platform.settings import CHECKOUT, Pooler, Settings
from tests.concurrency.pooler import BROUGHT, Login, missing, new_login, pooler
from tests.conftest import NewShop, Servers, running
from tests.shop import unique

Said = tuple[int, str, str]


async def loyalty(settings: Settings, *arguments: str) -> Said:
    """Run a command to its end: its status, what it said and what it complained of."""
    told = {
        "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
        "LOYALTY_POOLED": settings.pooled.value,
    }
    inherited = {name: value for name, value in os.environ.items() if name not in told}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        *arguments,
        cwd=CHECKOUT,
        env=inherited | {name: value for name, value in told.items() if value is not None},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


def with_login(settings: Settings, login: Login, pooled: Pooler) -> Settings:
    """Return the settings of a service that believes to be behind a pooler."""
    assert settings.database_url is not None
    return settings.model_copy(update={"database_url": login.url(settings.database_url), "pooled": pooled})


async def is_refused(settings: Settings, sentence: str) -> None:
    """Assert that `serve` doesn't start and says why, and that a process which runs already isn't ready."""
    status, _, complained = await loyalty(settings, "serve")
    assert (status, complained.count("\n")) == (1, 1)
    assert re.search(sentence, complained), complained
    async with running(settings) as address, aiohttp.request("GET", f"{address}/readyz") as answer:
        assert (answer.status, (await answer.json())["database"]) == (503, "login_unfit")


async def test_a_login_that_brings_no_settings_is_told_all_of_them(
    servers: Servers, settings: Settings, database_name: str
) -> None:
    async with new_login(servers, database_name, {}) as login:
        sentence = "; ".join(f"ALTER ROLE {login.name} SET {name} = '{BROUGHT[name]}'" for name in sorted(BROUGHT))
        await is_refused(with_login(settings, login, Pooler.UNPREPARED), sentence)


async def test_a_login_that_lacks_one_setting_is_told_this_one(
    servers: Servers, settings: Settings, database_name: str
) -> None:
    async with new_login(servers, database_name, BROUGHT | {"lock_timeout": "0"}) as login:
        sentence = rf"run ALTER ROLE {login.name} SET lock_timeout = '2s'; then"
        await is_refused(with_login(settings, login, Pooler.UNPREPARED), sentence)


async def test_a_login_that_is_no_member_of_the_services_role_is_told_so(
    servers: Servers, settings: Settings, database_name: str
) -> None:
    async with new_login(servers, database_name, BROUGHT, member=False) as login:
        found = with_login(settings, login, Pooler.UNPREPARED)
        status, _, complained = await loyalty(found, "serve")
        assert status == 1
        assert f"run GRANT loyalty_service TO {login.name}." in complained


async def test_a_login_that_may_change_history_is_refused(
    servers: Servers, settings: Settings, database_name: str
) -> None:
    url = servers.database_url(database_name, owner=True)
    owner = settings.model_copy(update={"database_url": url, "pooled": Pooler.UNPREPARED})
    status, _, complained = await loyalty(owner, "serve")
    assert status == 1
    assert "may change history" in complained


async def test_a_pooler_that_does_not_carry_prepared_statements_is_refused(
    servers: Servers, settings: Settings, database_name: str
) -> None:
    """Postgres itself, where names of statements arrive as they were sent, looks like such a pooler."""
    async with new_login(servers, database_name, BROUGHT) as login:
        await is_refused(with_login(settings, login, Pooler.PREPARED), "1.21 or newer with max_prepared_statements")


async def test_the_worker_asks_for_postgres_itself(settings: Settings) -> None:
    status, _, complained = await loyalty(settings.model_copy(update={"pooled": Pooler.PREPARED}), "worker")
    assert (status, complained.count("\n")) == (1, 1)
    assert "set DATABASE_URL to the address of Postgres itself" in complained


async def test_a_migration_asks_for_postgres_itself(settings: Settings) -> None:
    pooled = settings.model_copy(update={"pooled": Pooler.PREPARED, "database_owner_url": None})
    status, _, complained = await loyalty(pooled, "migrate")
    assert (status, complained.count("\n")) == (1, 1)
    assert "set DATABASE_OWNER_URL to the address of Postgres itself" in complained


@pytest.fixture(params=[Pooler.PREPARED, Pooler.UNPREPARED], ids=lambda pooled: f"pooler-{pooled.value}")
async def pooled(request: pytest.FixtureRequest, servers: Servers, settings: Settings) -> AsyncGenerator[Settings]:
    """Give the settings of a service behind a pooler."""
    why = missing(request.param)
    if why is not None:
        pytest.skip(why)
    async with pooler(servers, settings, request.param) as through:
        yield through


async def test_commands_pass_the_pooler(pooled: Settings) -> None:
    code = unique("pooled")
    status, said, complained = await loyalty(pooled, "programs", "create", code, "--name", "Pooled")
    assert status == 0, complained
    assert "lk_" in said
    assert (await loyalty(pooled, "keys", "list", "--program", code))[0] == 0
    status, said, complained = await loyalty(pooled, "verify")
    assert (status, complained) == (0, "")
    assert said.endswith("invariants hold.\n")


async def test_a_service_that_does_not_know_of_its_pooler_is_told_so(pooled: Settings) -> None:
    status, _, complained = await loyalty(pooled.model_copy(update={"pooled": Pooler.NONE}), "verify")
    assert (status, complained.count("\n")) == (1, 1)
    assert "Behind a pooler set LOYALTY_POOLED=1." in complained


async def test_connections_that_the_pooler_drops_are_made_anew(pooled: Settings, new_shop: NewShop) -> None:
    """Those between it and Postgres, amid the work."""
    async with running(pooled) as address:
        shop = await new_shop(address)
        assert (await shop.buy(id="first")).status == 201
        database = Database(pooled)
        await database.open(size=1)
        async with database.connection() as db:
            await db.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = session_user AND pid != pg_backend_pid()"
            )
        await database.close()
        answers = await asyncio.gather(*(shop.buy(id=f"order-{number}") for number in range(20)))
        assert {answer.status for answer in answers} == {201}
        assert (await shop.balance("c-42"))["available"] == 21 * 129
