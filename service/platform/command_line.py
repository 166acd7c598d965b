"""The command line's door: settings, a transaction, and every error as one sentence that says what to do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg
import click
import pydantic

from service.kernel.errors import NotFound, Refusal, Unavailable
from service.platform.database import CONNECTION_FAULTS, Database
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact

T = TypeVar("T")


def settings(*, required: bool = True) -> Settings:
    """Read the settings; without DATABASE_URL those of a service that `./run` started. Raises ClickException."""
    try:
        found = Settings()
    except pydantic.ValidationError as fault:
        first = fault.errors()[0]
        msg = f"The environment's {'.'.join(map(str, first['loc']))} can't be used: {first['msg']}."
        raise click.ClickException(msg) from None
    if found.database_url is None and required:
        addresses = _running(found.data_dir)
        found = found.model_copy(
            update={
                "database_url": addresses["database_url"],
                "database_owner_url": addresses["owner_database_url"],
                "redis_url": found.redis_url or addresses.get("redis_url"),
            }
        )
    return found


def _running(data_dir: Path) -> dict[str, str]:
    try:
        return json.loads((data_dir / "servers.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        msg = "There is no database: set DATABASE_URL, or start the service with ./run."
        raise click.ClickException(msg) from None


def ask(work: Callable[[Db], Awaitable[T]]) -> T:
    """Run work in a transaction and commit. Refusals and faults become one sentence."""
    found = settings()

    async def run() -> T:
        database = Database(found)
        await database.open(size=1)
        try:
            return await transact(database.connection, work)
        finally:
            await database.close()

    return in_one_sentence(run)


def in_one_sentence(run: Callable[[], Awaitable[T]]) -> T:
    """Run to the end; refusals and faults become one sentence. Raises ClickException."""

    async def awaited() -> T:
        return await run()

    try:
        return asyncio.run(awaited())
    except NotFound:
        msg = "There is no such thing: check the program's code and the id."
        raise click.ClickException(msg) from None
    except Refusal as refusal:
        raise click.ClickException(refusal.detail or refusal.title) from None
    except Unavailable as fault:
        raise click.ClickException(f"{fault.detail} Check DATABASE_URL.") from None
    except CONNECTION_FAULTS as fault:
        msg = f"The database doesn't answer ({type(fault).__name__}): check DATABASE_URL."
        raise click.ClickException(msg) from None
    except asyncpg.UndefinedTableError:
        msg = "The database has no tables of this service: run `loyalty migrate` first."
        raise click.ClickException(msg) from None
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as fault:
        msg = f"The database can't be used: {fault.args[0]}. Check DATABASE_URL."
        raise click.ClickException(msg) from None
    except asyncpg.PostgresError as fault:
        msg = f"The database refuses this ({type(fault).__name__}): {fault.args[0]}."
        raise click.ClickException(msg) from None


def for_production() -> Settings:
    """Read the settings of a command that starts no servers of its own. Raises ClickException."""
    found = settings(required=False)
    missing = [name for name, url in (("DATABASE_URL", found.database_url), ("REDIS_URL", found.redis_url)) if not url]
    if missing:
        msg = f"Set {' and '.join(missing)}: this command starts no servers of its own (./run does)."
        raise click.ClickException(msg)
    return found
