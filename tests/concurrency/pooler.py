"""PgBouncer in transaction mode before the tests' Postgres, where a program of it is found."""

import asyncio
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import asyncpg

from service.platform.embedded.account import Account, bound_command, server_account, temporary_places
from service.platform.session import BY_KEY, SERVICE_ROLE, SESSION
from service.platform.settings import Pooler, Settings
from tests.conftest import Servers

PROGRAM = os.environ.get("LOYALTY_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
"""A folder for system programs is often not on the path."""
FIRST_WITH_PREPARED_STATEMENTS = (1, 21)
BROUGHT = {**SESSION, **BY_KEY}
SESSIONS = 4
"""Fewer than two processes have connections, so that they are really shared."""


def missing(pooled: Pooler) -> str | None:
    """Say why a pooler can't be had here; None when it can."""
    if pooled is Pooler.NONE:
        return None
    if PROGRAM is None:
        return "no pgbouncer is installed, and LOYALTY_TEST_PGBOUNCER names none"
    if pooled is Pooler.PREPARED and _version(PROGRAM) < FIRST_WITH_PREPARED_STATEMENTS:
        return f"{PROGRAM} is older than 1.21 and carries no prepared statements"
    return None


def _version(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Login:
    """A login of a database."""

    name: str
    password: str

    def url(self, address: str) -> str:
        """Return an address with this login in it."""
        parts = urlsplit(address)
        return urlunsplit(parts._replace(netloc=f"{self.name}:{self.password}@{parts.netloc.rpartition('@')[2]}"))


@asynccontextmanager
async def new_login(
    servers: Servers, database: str, brings: Mapping[str, str], *, member: bool = True
) -> AsyncGenerator[Login]:
    """Give a login of the service whose sessions begin with what it brings."""
    login = Login(f"loyalty_test_{secrets.token_hex(6)}", secrets.token_hex(16))
    owner = await asyncpg.connect(servers.database_url(database, owner=True))
    try:
        await owner.execute(f"CREATE ROLE {login.name} LOGIN PASSWORD '{login.password}'")
        if member:
            await owner.execute(f"GRANT {SERVICE_ROLE} TO {login.name}")
        for setting, value in brings.items():
            await owner.execute(f"ALTER ROLE {login.name} SET {setting} = '{value}'")
        try:
            yield login
        finally:
            await owner.execute(f"DROP ROLE {login.name}")
    finally:
        await owner.close()


@asynccontextmanager
async def pooler(servers: Servers, settings: Settings, pooled: Pooler) -> AsyncGenerator[Settings]:
    """Run a pooler before a database; gives the settings of a service behind it."""
    assert PROGRAM is not None
    assert settings.database_url is not None
    database = urlsplit(settings.database_url).path.removeprefix("/")
    account = server_account(Path("/nowhere"))
    folder = Path(tempfile.mkdtemp(prefix="loyalty-pooler-", dir=next(iter(temporary_places(account)), None)))
    account.give(folder)
    try:
        async with new_login(servers, database, BROUGHT) as login:
            files = {
                "logins": f'"{login.name}" "{login.password}"\n',
                "pgbouncer.ini": _config(settings.database_url, folder, prepared=pooled is Pooler.PREPARED),
            }
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
                account.give(folder / name)
            url = f"postgresql://{login.name}:{login.password}@/{database}?host={folder}"
            async with _process(account, folder / "pgbouncer.ini", url):
                yield settings.model_copy(
                    update={
                        "database_url": url,
                        "database_owner_url": servers.database_url(database, owner=True),
                        "pooled": pooled,
                    }
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _process(account: Account, config: Path, url: str) -> AsyncGenerator[None]:
    """Run PgBouncer, which refuses to be root, and wait until it answers."""
    command = bound_command(account, SIGKILL, [str(PROGRAM), "--quiet", str(config)])
    process = await asyncio.create_subprocess_exec(*command, cwd="/", stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, "PgBouncer didn't start"
                try:
                    await (await asyncpg.connect(url, statement_cache_size=0)).close()
                except (OSError, asyncpg.PostgresConnectionError):
                    await asyncio.sleep(0.02)
                else:
                    break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _config(upstream: str, folder: Path, *, prepared: bool) -> str:
    parts = urlsplit(upstream)
    host = parse_qs(parts.query).get("host", [parts.hostname or "127.0.0.1"])[0]
    port = parse_qs(parts.query).get("port", [str(parts.port or 5432)])[0]
    lines = [
        "[databases]",
        f"* = host={unquote(host)} port={port}",
        "[pgbouncer]",
        "listen_addr =",
        f"unix_socket_dir = {folder}",
        "listen_port = 5432",
        "auth_type = scram-sha-256",
        f"auth_file = {folder / 'logins'}",
        "pool_mode = transaction",
        f"default_pool_size = {SESSIONS}",
        "max_client_conn = 200",
    ]
    if prepared:
        lines.append("max_prepared_statements = 200")
    return "\n".join(lines) + "\n"
