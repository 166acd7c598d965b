"""`/livez` and `/readyz`: whether the process lives, and whether it can serve."""

import asyncio
from typing import Literal

import msgspec
from litestar import Response, get
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.platform import migrations
from service.platform.database import Database
from service.platform.http.request import ApiRequest

State = Literal["ok", "down", "not_migrated", "may_change_history"]


class Liveness(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(msgspec.Struct, frozen=True):
    """Whether calls can be served. Redis only helps: without it the service is ready, and slower for repetitions."""

    status: Literal["ready", "not_ready"]
    database: State
    redis: State


@get("/livez", operation_id="liveness", tags=["Health"])
async def livez() -> Liveness:
    """Tell that the process lives."""
    return Liveness()


@get("/readyz", operation_id="readiness", tags=["Health"])
async def readyz(request: ApiRequest) -> Response[Readiness]:
    """Tell whether the service can serve: 503 when the database is away or not migrated."""
    database, redis = await asyncio.gather(_database(request.part(Database)), _redis(request.part(Redis)))
    ready = database == "ok"
    return Response(
        Readiness("ready" if ready else "not_ready", database, redis),
        status_code=200 if ready else 503,
        headers=None if ready else {"Retry-After": "1"},
    )


async def _database(database: Database) -> State:
    try:
        async with asyncio.timeout(2), database.connection() as db:
            applied = await migrations.applied(db)
            if not migrations.known() <= applied:
                return "not_migrated"
            # The guard of the ledger: whoever serves may add to it, and nothing else.
            may_change = await db.fetchval("SELECT has_table_privilege(current_user, 'transfer', 'UPDATE')")
    except Exception:  # noqa: BLE001 - whatever it is, the database can't be used
        return "down"
    return "may_change_history" if may_change else "ok"


async def _redis(redis: Redis) -> State:
    try:
        await redis.ping()  # pyright: ignore[reportUnknownMemberType]
    except (RedisError, OSError, TimeoutError):
        return "down"
    return "ok"
