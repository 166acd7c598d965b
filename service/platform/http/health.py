"""`/livez`, `/readyz` and `/metrics`: whether the process lives, whether it can serve, and how it fares."""

import asyncio
from typing import Literal

import msgspec
from litestar import MediaType, Response, get
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.platform import migrations
from service.platform.database import Database
from service.platform.http.request import ApiRequest
from service.platform.metrics import exposition
from service.platform.metrics.process import Numbers

State = Literal["ok", "down", "not_migrated", "may_change_history", "login_unfit"]


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


@get("/metrics", operation_id="metrics", media_type=MediaType.TEXT, tags=["Health"])
async def metrics(request: ApiRequest) -> Response[bytes]:
    """Tell the numbers of all processes here, for Prometheus. No key is asked for: keep it inside."""
    text, media_type = exposition.write(request.part(Numbers), request.headers.get("accept", ""))
    return Response(text, media_type=media_type)


async def _database(database: Database) -> State:
    try:
        async with asyncio.timeout(2), database.connection() as db:
            applied = await migrations.applied(db)
            if not migrations.known() <= applied:
                return "not_migrated"
            # The guard of the ledger: whoever serves may add to it, and nothing else.
            may_change = await db.fetchval("SELECT has_table_privilege(current_user, 'transfer', 'UPDATE')")
            fault = None if may_change else await database.fault_of_login(db)
    except Exception:  # noqa: BLE001 - whatever it is, the database can't be used
        return "down"
    if may_change:
        return "may_change_history"
    return "ok" if fault is None else "login_unfit"


async def _redis(redis: Redis) -> State:
    try:
        await redis.ping()  # pyright: ignore[reportUnknownMemberType]
    except (RedisError, OSError, TimeoutError):
        return "down"
    return "ok"
