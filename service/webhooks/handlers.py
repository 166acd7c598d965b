"""`/v1/webhooks`."""

import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from service.events.kinds import EventKinds
from service.kernel.errors import NotFound
from service.kernel.ids import to_wire
from service.kernel.times import in_utc
from service.platform.database import Database
from service.platform.http.body import Nothing
from service.platform.http.commanding import REPLAYED, answered_before, command, run_once
from service.platform.http.operation import CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, Link, Parameter, operation
from service.platform.http.paging import Page, limit_and_before, page
from service.platform.http.request import ApiRequest, choice, flag, own_id
from service.platform.idempotency import Answered
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.webhooks import usecases
from service.webhooks.rules import (
    SECRET_BYTES,
    DeliveryState,
    NewWebhook,
    Secret,
    TooManySecrets,
    TooManyTests,
    TooManyWebhooks,
    Webhook,
    WebhookChange,
)
from service.webhooks.schemas import (
    DeletedOut,
    DeliveryOut,
    Enabling,
    Resending,
    ResentOut,
    SecretOut,
    SecretRotation,
    TestOut,
    WebhookOut,
    attempt_out,
    delivery_out,
    webhook_out,
)
from service.webhooks.sending import Message, Sender, shown

_NOTHING: Final = Nothing()
_ROTATION: Final = SecretRotation()
_ENABLING: Final = Enabling()
_replace = msgspec.structs.replace
_STATE: Final = Parameter(
    "state",
    "query",
    "Only deliveries of this state.",
    {"type": "string", "enum": [each.value for each in DeliveryState]},
)
_OF_ANSWER: Final = tuple(
    Link(name, "webhook_id", "$response.body#/id")
    for name in ("getWebhook", "changeWebhook", "listDeliveries", "deleteWebhook")
)


@get("/", operation_id="listWebhooks", opt=operation(Right.MANAGE_WEBHOOKS, parameters=(LIMIT, CURSOR)))
async def list_webhooks(request: ApiRequest) -> Page[WebhookOut]:
    """List the program's endpoints, newest first."""
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        found = await usecases.list_webhooks(db, program_id=request.actor.program_id, limit=limit, before=before)
    last = found[limit - 1].id.bytes if len(found) > limit else None
    return page([webhook_out(each) for each in found], limit, last)


@post(
    "/",
    operation_id="createWebhook",
    opt=operation(
        Right.MANAGE_WEBHOOKS,
        parameters=(DRY_RUN, IDEMPOTENCY_KEY),
        refusals=(TooManyWebhooks,),
        statuses=(200, 201),
        links=_OF_ANSWER,
    ),
)
async def create_webhook(request: ApiRequest, data: JSONBody[NewWebhook]) -> Response[WebhookOut]:
    """Make an endpoint. Its secret is shown in this answer; a repetition with the same Idempotency-Key shows it."""

    async def work(db: Db) -> tuple[int, Any]:
        made, secret = await usecases.create(
            db,
            program_id=request.actor.program_id,
            new=_replace(data, url=url),
            secret=secrets.token_bytes(SECRET_BYTES),
            entropy=random.getrandbits(62),
        )
        return 201, {"webhook": msgspec.to_builtins(made), "secret_id": secret.id.hex}

    named = _named(request, "createWebhook")
    answered = await answered_before(request, named, data)
    if answered is None:
        usecases.check_types(data.types, request.part(EventKinds))
        url = await request.part(Sender).check(data.url)
        answered = await run_once(request, named, data, work, needs_key=False)
    made = msgspec.convert(answered.answer["webhook"], Webhook)
    secret = await _secret(request, made.id, answered)
    return _shown(webhook_out(made, secret), answered)


@get("/{webhook_id:str}", operation_id="getWebhook", opt=operation(Right.MANAGE_WEBHOOKS))
async def get_webhook(request: ApiRequest, webhook_id: FromPath[str]) -> WebhookOut:
    """Read an endpoint."""
    its_id = own_id("whk", webhook_id)
    async with request.part(Database).reading() as db:
        return webhook_out(await usecases.read(db, program_id=request.actor.program_id, webhook_id=its_id))


@patch(
    "/{webhook_id:str}",
    operation_id="changeWebhook",
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN,)),
)
async def change_webhook(request: ApiRequest, webhook_id: FromPath[str], data: JSONBody[WebhookChange]) -> WebhookOut:
    """Change an endpoint, for what is sent from now on."""
    its_id, change = own_id("whk", webhook_id), data
    if not isinstance(data.types, msgspec.UnsetType):
        usecases.check_types(data.types, request.part(EventKinds))
    if not isinstance(data.url, msgspec.UnsetType):
        change = _replace(data, url=await request.part(Sender).check(data.url))

    async def work(db: Db) -> Webhook:
        return await usecases.change(db, program_id=request.actor.program_id, webhook_id=its_id, change=change)

    return webhook_out(await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run")))


@delete(
    "/{webhook_id:str}",
    operation_id="deleteWebhook",
    status_code=200,
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN,)),
)
async def delete_webhook(request: ApiRequest, webhook_id: FromPath[str]) -> DeletedOut:
    """End an endpoint for ever, with its secrets and its log."""
    its_id = own_id("whk", webhook_id)

    async def work(db: Db) -> None:
        await usecases.delete(db, program_id=request.actor.program_id, webhook_id=its_id)

    await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    return DeletedOut(to_wire("whk", its_id))


@post(
    "/{webhook_id:str}/secrets",
    operation_id="rotateWebhookSecret",
    opt=operation(
        Right.MANAGE_WEBHOOKS,
        parameters=(DRY_RUN, IDEMPOTENCY_KEY),
        refusals=(TooManySecrets,),
        statuses=(200, 201),
    ),
)
async def rotate_secret(
    request: ApiRequest, webhook_id: FromPath[str], data: JSONBody[SecretRotation] = _ROTATION
) -> Response[SecretOut]:
    """Make a new secret; for the grace period messages carry the signatures of both. The body may be empty."""
    its_id = own_id("whk", webhook_id)

    async def work(db: Db) -> tuple[int, Any]:
        made, ends_at = await usecases.rotate(
            db,
            program_id=request.actor.program_id,
            webhook_id=its_id,
            grace=timedelta(seconds=data.grace_seconds),
            secret=secrets.token_bytes(SECRET_BYTES),
            entropy=random.getrandbits(62),
        )
        told = SecretOut(to_wire("whk", its_id), made.created_at, ends_at)
        return 201, {"told": msgspec.to_builtins(told), "secret_id": made.id.hex}

    named = _named(request, f"rotateWebhookSecret {its_id}")
    answered = await run_once(request, named, data, work, needs_key=False)
    told = msgspec.convert(answered.answer["told"], SecretOut)
    return _shown(_replace(told, secret=await _secret(request, its_id, answered)), answered)


@post(
    "/{webhook_id:str}/test",
    operation_id="testWebhook",
    status_code=200,
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN, IDEMPOTENCY_KEY), refusals=(TooManyTests,)),
)
async def try_webhook(
    request: ApiRequest, webhook_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[TestOut]:
    """Send an event of the type `webhook.test` now, once, and answer what came of it. The body may be empty."""
    its_id, named = own_id("whk", webhook_id), f"testWebhook {webhook_id}"
    answered = await answered_before(request, named, data)
    if answered is None:
        told = await _test(request, its_id)

        async def work(_: Db) -> tuple[int, Any]:
            return 200, msgspec.to_builtins(told)

        answered = await run_once(request, named, data, work, needs_key=False)
    headers = REPLAYED if answered.replayed else None
    return Response(msgspec.convert(answered.answer, TestOut), headers=headers)


async def _test(request: ApiRequest, webhook_id: UUID) -> TestOut:
    """Send a test. No connection to the database is held while the endpoint is waited for. Raises TooManyTests."""
    program_id = request.actor.program_id
    async with request.part(Database).reading() as db:
        webhook = await usecases.read(db, program_id=program_id, webhook_id=webhook_id)
        signing = await usecases.signing_secrets(db, program_id=program_id, webhook_id=webhook_id)
        event = await usecases.event_of_test(db, webhook_id=webhook_id, entropy=random.getrandbits(62))
    if not signing:
        raise NotFound  # it was deleted a moment ago
    if flag(request, "dry_run"):
        return TestOut(event.id, None)
    keys = [each.secret for each in signing]
    sent = await request.part(Sender).test(program_id, webhook.url, Message(event), keys, event.timestamp)
    return TestOut(event.id, attempt_out(sent.attempt))


@post(
    "/{webhook_id:str}/enable",
    operation_id="enableWebhook",
    status_code=200,
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def enable_webhook(
    request: ApiRequest, webhook_id: FromPath[str], data: JSONBody[Enabling] = _ENABLING
) -> Response[WebhookOut]:
    """Tell an endpoint what happens again, and what happened meanwhile, unless that is skipped. The body may be empty.

    One that is enabled stays as it is.
    """
    its_id = own_id("whk", webhook_id)

    async def work(db: Db) -> Webhook:
        return await usecases.enable(
            db, program_id=request.actor.program_id, webhook_id=its_id, skip_missed=data.skip_missed
        )

    return await _command(request, f"enableWebhook {its_id}", data, work)


@post(
    "/{webhook_id:str}/disable",
    operation_id="disableWebhook",
    status_code=200,
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def disable_webhook(
    request: ApiRequest, webhook_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[WebhookOut]:
    """Tell an endpoint nothing until it is enabled; what happens meanwhile is not lost. The body may be empty."""
    its_id = own_id("whk", webhook_id)

    async def work(db: Db) -> Webhook:
        return await usecases.disable(db, program_id=request.actor.program_id, webhook_id=its_id)

    return await _command(request, f"disableWebhook {its_id}", data, work)


@get(
    "/{webhook_id:str}/deliveries",
    operation_id="listDeliveries",
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(LIMIT, CURSOR, _STATE)),
)
async def list_deliveries(request: ApiRequest, webhook_id: FromPath[str]) -> Page[DeliveryOut]:
    """List what an endpoint was told, or is still to be told again, with its answers; the newest event first.

    What was delivered is kept for 30 days.
    """
    its_id = own_id("whk", webhook_id)
    limit, before = limit_and_before(request)
    state = choice(request, "state", DeliveryState)
    async with request.part(Database).reading() as db:
        found = await usecases.list_deliveries(
            db,
            program_id=request.actor.program_id,
            webhook_id=its_id,
            limit=limit,
            before=before,
            state=state,
        )
    last = found[limit - 1].event_id.bytes if len(found) > limit else None
    return page([delivery_out(each) for each in found], limit, last)


@post(
    "/{webhook_id:str}/deliveries/{event_id:str}/resend",
    operation_id="resendDelivery",
    status_code=200,
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def resend_delivery(
    request: ApiRequest, webhook_id: FromPath[str], event_id: FromPath[str], data: JSONBody[Nothing] = _NOTHING
) -> Response[DeliveryOut]:
    """Send an event again, as soon as the worker comes to it, whatever became of it. The body may be empty.

    The answer, which is kept, has no attempts: the list of deliveries has them.
    """
    its_id, its_event = own_id("whk", webhook_id), own_id("evt", event_id)

    async def work(db: Db) -> DeliveryOut:
        found = await usecases.resend(db, program_id=request.actor.program_id, webhook_id=its_id, event_id=its_event)
        return delivery_out(_replace(found, attempts=()))

    named = f"resendDelivery {its_id} {its_event}"
    return await command(request, named, data, work, DeliveryOut, needs_key=False)


@post(
    "/{webhook_id:str}/resend",
    operation_id="resendDeliveries",
    status_code=200,
    opt=operation(Right.MANAGE_WEBHOOKS, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def resend_deliveries(
    request: ApiRequest, webhook_id: FromPath[str], data: JSONBody[Resending]
) -> Response[ResentOut]:
    """Send the dead deliveries of events since a time again, up to 10,000 in one call, the oldest first."""
    its_id, since = own_id("whk", webhook_id), in_utc(data.since, "/since")

    async def work(db: Db) -> ResentOut:
        resent = await usecases.resend_since(db, program_id=request.actor.program_id, webhook_id=its_id, since=since)
        return ResentOut(resent, has_more=resent == usecases.RESENT_AT_ONCE)

    return await command(request, f"resendDeliveries {its_id}", data, work, ResentOut, needs_key=False)


async def _command(
    request: ApiRequest, named: str, content: object, work: Callable[[Db], Awaitable[Webhook]]
) -> Response[WebhookOut]:
    async def told(db: Db) -> WebhookOut:
        return webhook_out(await work(db))

    return await command(request, named, content, told, WebhookOut, needs_key=False)


def _named(request: ApiRequest, operation_id: str) -> str:
    """Name an operation that shows a secret: another caller's repetition can't be answered alike."""
    return f"{operation_id} by {request.actor.key_id}"


async def _secret(request: ApiRequest, webhook_id: UUID, answered: Answered) -> str | None:
    """Read the secret that an answer is about: it is kept with no answer. A dry run has made none; one may be over."""
    if flag(request, "dry_run"):
        return None
    async with request.part(Database).reading() as db:
        found: list[Secret] = await usecases.signing_secrets(
            db, program_id=request.actor.program_id, webhook_id=webhook_id
        )
    return next((shown(each.secret) for each in found if each.id.hex == answered.answer["secret_id"]), None)


def _shown(told: Any, answered: Answered) -> Response[Any]:  # noqa: ANN401 - the two answers that show a secret
    headers = {"Cache-Control": "no-store"} | (REPLAYED if answered.replayed else {})
    return Response(told, status_code=answered.status, headers=headers)


router = Router(
    "/webhooks",
    route_handlers=[
        list_webhooks,
        create_webhook,
        get_webhook,
        change_webhook,
        delete_webhook,
        rotate_secret,
        try_webhook,
        enable_webhook,
        disable_webhook,
        list_deliveries,
        resend_delivery,
        resend_deliveries,
    ],
    tags=["Webhooks"],
)
