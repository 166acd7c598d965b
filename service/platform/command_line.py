"""The command line's door: settings, a transaction, and every error as one sentence that says what to do."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg
import click
import pydantic

from service.kernel.errors import Invalid, NotFound, Refusal, Unavailable
from service.platform import redis as redis_client
from service.platform.database import CONNECTION_FAULTS, Database
from service.platform.settings import Pooler, Settings
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
    except Exception as fault:
        sentence = _sentence(fault)
        if sentence is None:
            raise
        raise click.ClickException(sentence) from None


def _sentence(fault: Exception) -> str | None:  # noqa: C901, PLR0911 - a table
    """Say what went wrong and what to do; None for what nobody has foreseen."""
    match fault:
        case NotFound():
            return "There is no such thing: check the program's code and the id."
        case Invalid() if fault.pointer:
            return f"{fault.pointer}: {fault.detail}"
        case Refusal():
            return fault.detail or fault.title
        case Unavailable():
            return f"{fault.detail} Check DATABASE_URL."
        case asyncpg.ClientConfigurationError() | ValueError():
            return f"DATABASE_URL can't be used: {str(fault).splitlines()[0]}."
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedFunctionError():
            return "The database has no tables of this service: run `loyalty migrate` first."
        case asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InvalidCatalogNameError():
            return f"The database can't be used: {fault.args[0]}. Check DATABASE_URL."
        case asyncpg.ProtocolViolationError():
            return f"What DATABASE_URL leads to refuses this: {fault.args[0]}. Behind a pooler set LOYALTY_POOLED=1."
        case _ if isinstance(fault, CONNECTION_FAULTS):
            return f"The database doesn't answer ({type(fault).__name__}): check DATABASE_URL."
        case asyncpg.PostgresError():
            return f"The database refuses this ({type(fault).__name__}): {fault.args[0]}."
        case _:
            return None


def for_production() -> Settings:
    """Read the settings of a command that starts no servers of its own, and try the login. Raises ClickException."""
    found = settings(required=False)
    missing = [name for name, url in (("DATABASE_URL", found.database_url), ("REDIS_URL", found.redis_url)) if not url]
    if missing:
        msg = f"Set {' and '.join(missing)}: this command starts no servers of its own (./run does)."
        raise click.ClickException(msg)
    try:
        redis_client.connect(found.redis_url or "")
    except ValueError as fault:
        msg = f"REDIS_URL can't be used: {fault}."
        raise click.ClickException(msg) from None
    if found.pooled is not Pooler.NONE:
        in_one_sentence(lambda: _check_login(found))
    return found


async def _check_login(found: Settings) -> None:
    """Refuse a login that can't serve behind a pooler. A database that is away stops no start; /readyz tells later."""
    database = Database(found)
    try:
        db = await database.connect()
    except (*CONNECTION_FAULTS, asyncpg.TooManyConnectionsError):
        return
    try:
        sentence = await database.fault_of_login(db)
    finally:
        await db.close(timeout=2)
    if sentence is not None:
        raise click.ClickException(sentence)


def listen(host: str, port: int, setting: str = "LOYALTY_PORT") -> socket.socket:
    """Take a port before anything else, so that a taken one is told at once. Raises ClickException."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as fault:
        listener.close()
        msg = f"Port {port} of {host} can't be used ({fault.strerror}): stop what uses it, or set {setting}."
        raise click.ClickException(msg) from None
    return listener
