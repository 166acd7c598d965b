"""Commands as handlers run them: once for each `Idempotency-Key`, and answered alike from then on."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
from litestar import Response

from service.platform.http.request import ApiRequest, flag, idempotency_key, key_of_command
from service.platform.idempotency import Answered, Commands, hash_of_request
from service.platform.statements import Db

Out = TypeVar("Out", bound=msgspec.Struct)
REPLAYED: Final = {"Idempotent-Replayed": "true"}
"""The header of an answer that was given before."""


async def command(
    request: ApiRequest,
    named: str,
    content: object,
    work: Callable[[Db], Awaitable[Out]],
    kind: type[Out],
    *,
    status: int = 200,
    needs_key: bool = True,
) -> Response[Out]:
    """Run work that gives an answer of a kind, or give again what it gave. A dry run keeps nothing, and says 200.

    `named` is the operation with the ids of its path, `content` the decoded body: another request under the key is
    refused. Raises MissingIdempotencyKey where the key is needed, KeyInFlight, KeyReused.
    """

    async def answer(db: Db) -> tuple[int, Any]:
        return status, msgspec.to_builtins(await work(db))

    answered = await run_once(request, named, content, answer, needs_key=needs_key)
    headers = REPLAYED if answered.replayed else None
    return Response(msgspec.convert(answered.answer, kind), status_code=answered.status, headers=headers)


async def run_once(
    request: ApiRequest,
    named: str,
    content: object,
    work: Callable[[Db], Awaitable[tuple[int, Any]]],
    *,
    needs_key: bool = True,
) -> Answered:
    """Run work that gives a status and what is kept of the answer, as `command` does; the answer is not rendered."""
    key = key_of_command(request) if needs_key else idempotency_key(request)
    return await request.part(Commands).run(
        program_id=request.actor.program_id,
        key=None if key is None else request.key_space + key,
        request_hash=hash_of_request(named, content),
        work=work,
        dry_run=flag(request, "dry_run"),
    )


async def answered_before(request: ApiRequest, named: str, content: object) -> Answered | None:
    """Return what a command was answered with before, as `run_once` would; None where it has no key or wasn't.

    Raises KeyReused.
    """
    key = idempotency_key(request)
    if key is None or flag(request, "dry_run"):
        return None
    return await request.part(Commands).find(
        program_id=request.actor.program_id, key=request.key_space + key, request_hash=hash_of_request(named, content)
    )
