"""Connections to Postgres: dedicated ones for the hot paths, a pool for everything else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from service.kernel.errors import Unavailable
from service.platform.metrics.values import Counter
from service.platform.session import BY_KEY, SERVICE_ROLE, SESSION, fault_of_login
from service.platform.settings import Pooler, Settings
from service.platform.statements import Db

if TYPE_CHECKING:
    from asyncpg import Pool, Record
    from asyncpg.pool import PoolConnectionProxy

    _Base = asyncpg.Connection[Record]
else:
    _Base = asyncpg.Connection

CONNECTION_FAULTS = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The connection is gone or useless, or leads to a server that was demoted to a standby.

After COMMIT was sent this means that the outcome is unknown.
"""

TRY_AGAIN_FAULTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
"""The transaction was rolled back for the sake of another one: classes 40001, 40P01, 55P03."""

ROW_FAULTS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""A row that the database refuses: classes 22 and 23."""


CONNECTIONS_LOST: Final = Counter(
    "loyalty_connections_lost", "Connections to the database that failed under work, or weren't to be had.", ("reason",)
)


class _Connection(_Base):
    def get_reset_query(self) -> str:
        # Nothing here changes the session's state, so giving a connection back needs no round trip.
        return ""


class Database:
    """One Postgres database, as the service's role."""

    def __init__(self, settings: Settings) -> None:
        if settings.database_url is None:
            msg = "DATABASE_URL is not set"
            raise ValueError(msg)
        self._url = settings.database_url
        self._pooler = settings.pooled
        self._session = _session(settings)
        self._options: dict[str, Any] = {
            "timeout": 3,
            "max_cached_statement_lifetime": 0,
            "connection_class": _Connection,
        }
        if settings.pooled is Pooler.UNPREPARED:
            self._options["statement_cache_size"] = 0
        self._pool: Pool[Record] | None = None

    async def connect(self) -> Db:
        """Open a connection for the hot paths. Statements stay prepared on it; it has no reset query."""
        session = {**self._session, **BY_KEY} if self._session else {}
        return await asyncpg.connect(self._url, server_settings=session, **self._options)

    async def open(self, size: int = 8) -> None:
        """Make the pool. It connects when it is first used, so that a database that is away stops no start."""
        self._pool = await asyncpg.create_pool(
            self._url, min_size=0, max_size=size, server_settings=self._session, **self._options
        )

    async def fault_of_login(self, db: Db) -> str | None:
        """Say in one sentence what a login behind a pooler lacks; None when it can serve, and for every other login."""
        if self._pooler is Pooler.NONE:
            return None
        return await fault_of_login(db, prepared=self._pooler is Pooler.PREPARED)

    async def close(self) -> None:
        """Close the pool; connections that hang are cut after 5 s."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def doubt(self) -> None:
        """Make the pool's connections anew when they are asked for next: one that was as old carries nothing."""
        if self._pool is not None:
            await self._pool.expire_connections()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Db]:
        """Borrow a connection. Outside a transaction every statement is one of its own."""
        pool = self._pool
        if pool is None:
            msg = "the pool is not open"
            raise RuntimeError(msg)
        async with pool.acquire(timeout=3) as proxy:
            db = _unwrapped(proxy)
            try:
                yield db
            except (TimeoutError, asyncio.CancelledError):
                # A statement was given up: waiting for its end could take for ever. Whoever gave it up may have ended
                # the connection already, and the pool has taken it back.
                with suppress(asyncpg.InterfaceError):
                    db.terminate()
                await pool.expire_connections()  # the others may be as silent: each would cost a caller
                raise

    @asynccontextmanager
    async def answering(self, patience: float = 10.0) -> AsyncGenerator[Db]:
        """Borrow a connection for what takes a moment: one that is half-open never answers, and never ends by itself.

        Raises TimeoutError when `patience` (s) ends.
        """
        async with asyncio.timeout(patience), self.connection() as db:
            yield db

    @asynccontextmanager
    async def reading(self, patience: float = 4.0) -> AsyncGenerator[Db]:
        """Borrow a connection to read what a caller waits for. Raises Unavailable when `patience` (s) ends."""
        try:
            async with asyncio.timeout(patience), self.connection() as db:
                yield db
        except (asyncpg.PostgresConnectionError, OSError, TimeoutError) as fault:
            detail = "The database doesn't answer."
            raise Unavailable(detail) from fault


def _unwrapped(proxy: "PoolConnectionProxy[Record] | Db") -> Db:
    # A proxy has all methods of a connection; to the type checker they are two things.
    return proxy  # pyright: ignore[reportReturnType]


def _session(settings: Settings) -> dict[str, str]:
    """Return what a connection sets when it begins: nothing behind a pooler, which would refuse it."""
    if settings.pooled is not Pooler.NONE:
        return {}
    role = {"role": SERVICE_ROLE} if settings.database_owner_url is None else {}
    return {"application_name": "loyalty", **SESSION, **role}
