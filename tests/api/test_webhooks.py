"""`/v1/webhooks` as callers see it: endpoints, secrets that are shown once, and the log."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests.receiver import Receiver, answering, receiving, sending, webhook, work
from tests.shop import Shop, unique

URL = "http://127.0.0.1:9/hook"
SECRET = re.compile("whsec_[A-Za-z0-9+/]{43}=")


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    """Give a receiver."""
    async with receiving() as made:
        yield made


async def create(shop: Shop, **body: object) -> str:
    """Make an endpoint; returns its id."""
    made = await shop.post("/v1/webhooks", {"url": URL} | body, Role.ADMIN)
    assert made.status == 201, made.text
    return made.body["id"]


async def test_an_endpoint_is_made_read_changed_listed_and_deleted(shop: Shop) -> None:
    made = await shop.post("/v1/webhooks", {"url": URL, "types": ["purchase.rewarded"]}, Role.ADMIN)
    assert made.headers["cache-control"] == "no-store"
    plain = {name: value for name, value in made.body.items() if name != "secret"}
    assert {name: plain[name] for name in plain.keys() - {"id", "created_at"}} == {
        "url": URL,
        "description": "",
        "types": ["purchase.rewarded"],
        "status": "enabled",
        "reason": None,
        "disabled_at": None,
        "position": 0,
        "waiting": 0,
        "failing_since": None,
    }
    path = f"/v1/webhooks/{plain['id']}"
    assert (await shop.get(path, Role.ADMIN)).body == plain
    change = {"description": "orders", "types": None}
    changed = await shop.call("PATCH", path, change, role=Role.ADMIN)
    assert changed.body == plain | change
    assert (await shop.call("PATCH", path, {}, role=Role.ADMIN)).body == plain | change
    others = [await create(shop) for _ in range(3)]
    listed = (await shop.get("/v1/webhooks?limit=2", Role.ADMIN)).body
    assert [each["id"] for each in listed["data"]] == [others[2], others[1]]
    rest = (await shop.get(f"/v1/webhooks?limit=2&cursor={listed['next_cursor']}", Role.ADMIN)).body
    assert [each["id"] for each in rest["data"]] == [others[0], plain["id"]]
    deleted = await shop.call("DELETE", path, role=Role.ADMIN)
    assert deleted.body == {"id": plain["id"], "deleted": True}
    for method, at in (("GET", path), ("DELETE", path), ("GET", f"{path}/deliveries"), ("POST", f"{path}/secrets")):
        assert (await shop.call(method, at, {} if method == "POST" else None, role=Role.ADMIN)).status == 404
    assert plain["id"] not in (await shop.get("/v1/webhooks", Role.ADMIN)).text


async def test_a_secret_is_shown_once_and_to_who_asked_and_kept_with_no_answer(shop: Shop, owner: Db) -> None:
    key = unique("key")
    made = await shop.post("/v1/webhooks", {"url": URL}, Role.ADMIN, Idempotency_Key=key)
    secret, its_id = made.body["secret"], made.body["id"]
    assert SECRET.fullmatch(secret)
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    again = await shop.post("/v1/webhooks", {"url": URL}, Role.ADMIN, Idempotency_Key=key)
    assert (again.status, again.replayed, again.body) == (201, True, made.body)
    assert again.headers["cache-control"] == "no-store"
    other = await shop.post("/v1/api-keys", {"role": "admin"}, Role.ADMIN)
    theirs = {"Authorization": f"Bearer {other.body['key']}", "Idempotency-Key": key}
    refused = await shop.call("POST", "/v1/webhooks", {"url": URL}, role=None, headers=theirs)
    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    rotated = await shop.post(f"/v1/webhooks/{its_id}/secrets", {}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert rotated.status == 201
    assert SECRET.fullmatch(rotated.body["secret"])
    assert rotated.body["secret"] != secret
    for path in ("/v1/webhooks", f"/v1/webhooks/{its_id}", f"/v1/webhooks/{its_id}/deliveries"):
        assert "whsec_" not in (await shop.get(path, Role.ADMIN)).text
    dry = await shop.post("/v1/webhooks?dry_run=true", {"url": URL}, Role.ADMIN)
    assert (dry.status, dry.body.get("secret")) == (200, None)
    dry = await shop.post(f"/v1/webhooks/{its_id}/secrets?dry_run=true", {}, Role.ADMIN)
    assert (dry.status, dry.body.get("secret")) == (200, None)
    encoded = {each.removeprefix("whsec_") for each in (secret, rotated.body["secret"])}
    tables = await owner.fetch(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    for (table,) in tables:
        for each in encoded:
            found = await owner.fetchval(
                f"SELECT count(*) FROM {table} AS t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, $2) > 0",
                each,
                base64.b64decode(each).hex(),
            )
            assert found == (1 if table == "webhook_secret" else 0), table


async def test_only_so_many_secrets_sign_at_a_time_and_one_without_grace_ends_now(shop: Shop, owner: Db) -> None:
    its_id = await create(shop)
    path = f"/v1/webhooks/{its_id}/secrets"
    for _ in range(4):
        assert (await shop.post(path, {}, Role.ADMIN)).status == 201
    refused = await shop.post(path, {}, Role.ADMIN)
    assert (refused.status, refused.code) == (409, "too_many_secrets")
    for _ in range(3):
        await owner.execute("UPDATE webhook_secret SET ends_at = now() WHERE ends_at IS NOT NULL")
        assert (await shop.post(path, {"grace_seconds": 0}, Role.ADMIN)).status == 201
    signing = await owner.fetchval(
        "SELECT count(*) FROM webhook_secret"
        " WHERE program_id = $1 AND (ends_at IS NULL OR ends_at > clock_timestamp())",
        shop.program.id,
    )
    assert signing == 1


BAD_BODIES: list[tuple[dict[str, Any], str]] = [
    ({}, "/url"),
    ({"url": 5}, "/url"),
    ({"url": ""}, "/url"),
    ({"url": "https://hooks.example.com/" + "a" * 2048}, "/url"),
    ({"url": "ftp://hooks.example.com/"}, "/url"),
    ({"url": "https://a@hooks.example.com/"}, "/url"),
    ({"url": URL, "types": []}, "/types"),
    ({"url": URL, "types": ["purchase.rewarded", "purchase.eaten"]}, "/types/1"),
    ({"url": URL, "types": ["webhook.test"]}, "/types/0"),
    ({"url": URL, "types": ["x"]}, "/types/0"),
    ({"url": URL, "types": "purchase.rewarded"}, "/types"),
    ({"url": URL, "description": "x" * 501}, "/description"),
    ({"url": URL, "status": "disabled"}, "/status"),
    ({"url": URL, "secret": "whsec_"}, "/secret"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD_BODIES)
async def test_what_can_be_no_endpoint_is_refused_with_a_pointer(
    shop: Shop, body: dict[str, Any], pointer: str
) -> None:
    assert (await shop.post("/v1/webhooks", body, Role.ADMIN)).pointer == pointer
    assert (await shop.get("/v1/webhooks", Role.ADMIN)).body["data"] == []
    if "url" in body:
        path = f"/v1/webhooks/{await create(shop)}"
        assert (await shop.call("PATCH", path, body, role=Role.ADMIN)).pointer == pointer


async def test_enabling_and_disabling_what_is_so_already_answers_as_it_is(shop: Shop) -> None:
    path = f"/v1/webhooks/{await create(shop)}"
    enabled = (await shop.post(f"{path}/enable", {}, Role.ADMIN)).body
    assert enabled["status"] == "enabled"
    disabled = (await shop.post(f"{path}/disable", {}, Role.ADMIN)).body
    assert (await shop.post(f"{path}/disable", {}, Role.ADMIN)).body == disabled
    dry = await shop.post(f"{path}/enable?dry_run=true", {}, Role.ADMIN)
    assert dry.body["status"] == "enabled"
    assert (await shop.get(path, Role.ADMIN)).body == disabled


async def test_a_command_with_a_key_is_done_once(shop: Shop) -> None:
    path, key = f"/v1/webhooks/{await create(shop)}", unique("key")
    first = await shop.post(f"{path}/disable", {}, Role.ADMIN, Idempotency_Key=key)
    await shop.post(f"{path}/enable", {}, Role.ADMIN)
    again = await shop.post(f"{path}/disable", {}, Role.ADMIN, Idempotency_Key=key)
    assert (again.replayed, again.body) == (True, first.body)
    assert (await shop.get(path, Role.ADMIN)).body["status"] == "enabled"
    other = await shop.post(f"{path}/test", {}, Role.ADMIN, Idempotency_Key=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_the_log_is_read_in_pages_and_by_state(shop: Shop, database: Database, receiver: Receiver) -> None:
    path = f"/v1/webhooks/{await webhook(shop, receiver, types=['purchase.rewarded'])}/deliveries"
    async with sending() as sender:
        for status in (200, 200, 500):
            receiver.answers = answering(status)
            await shop.buy()
            await work(database, shop, sender)
    everything = (await shop.get(path, Role.ADMIN)).body["data"]
    assert [each["state"] for each in everything] == ["waiting", "delivered", "delivered"]
    assert [each["position"] for each in everything] == sorted((e["position"] for e in everything), reverse=True)
    for query, expected in (("", everything), ("state=delivered&", everything[1:]), ("state=waiting&", everything[:1])):
        found, cursor = list[object](), ""
        for _ in range(4):
            page = (await shop.get(f"{path}?{query}limit=1{cursor}", Role.ADMIN)).body
            found += page["data"]
            if not page["has_more"]:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert found == expected
    assert (await shop.get(f"{path}?state=dead", Role.ADMIN)).body["data"] == []
    assert (await shop.get(f"{path}?state=lost", Role.ADMIN)).pointer == "?state"


async def test_an_event_that_an_endpoint_was_not_told_is_not_sent_again(
    shop: Shop, database: Database, receiver: Receiver
) -> None:
    path = f"/v1/webhooks/{await webhook(shop, receiver, types=['purchase.rewarded'])}/deliveries"
    await shop.buy()
    async with sending() as sender:
        await work(database, shop, sender)
    enrolled = (await shop.get("/v1/events", Role.ADMIN)).body["data"][0]
    for event_id in (enrolled["id"], "evt_x", "purchase", enrolled["id"].replace("evt", "txn")):
        assert (await shop.post(f"{path}/{event_id}/resend", {}, Role.ADMIN)).status == 404


async def test_a_test_of_a_receiver_that_hangs_or_is_away_is_told_and_holds_no_connection(
    shop: Shop, receiver: Receiver
) -> None:
    away = await shop.post(f"/v1/webhooks/{await create(shop)}/test", {}, Role.ADMIN)
    assert (away.status, away.body["attempt"]["error"]) == (200, "connection_failed")
    held = asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        await held.wait()
        return web.Response()

    receiver.answers = hold
    its_id = await webhook(shop, receiver)
    tests = [asyncio.create_task(shop.post(f"/v1/webhooks/{its_id}/test", {}, Role.ADMIN)) for _ in range(12)]
    async with asyncio.timeout(10):
        while len(receiver.messages) < 12:
            await asyncio.sleep(0.01)
    assert (await shop.get("/v1/webhooks", Role.ADMIN)).status == 200, "more than there are connections"
    held.set()
    assert {each.body["attempt"]["status"] for each in await asyncio.gather(*tests)} == {200}
