"""No secret and no personal data in logs and problems, and in the database only where an erasure can find them."""

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import CHECKOUT, Settings
from service.platform.statements import Db
from tests import billing
from tests.conftest import Servers, make_shop, new_database
from tests.ports import free_port
from tests.shop import Answer, Shop, purchase, unique

CANARY = re.compile("canary", re.IGNORECASE)
PERSONAL: dict[str, Any] = {
    "email": "canary@example.com",
    "phone": "+49 canary 1",
    "name": "Canary Bird",
    "attributes": {"pet": "canary yellow"},
}


@dataclass
class Told:
    """A service in a process of its own, and all that it wrote."""

    shop: Shop
    settings: Settings
    owner: Db
    lines: list[str] = field(default_factory=list[str])
    answers: list[Answer] = field(default_factory=list[Answer])

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = Role.ADMIN,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Make a call and keep its answer."""
        answer = await self.shop.call(method, path, body, role=role, headers=headers, raw=raw)
        self.answers.append(answer)
        return answer


def _environment(settings: Settings, port: int) -> dict[str, str]:
    named = {
        "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
        "LOYALTY_PORT": str(port),
    }
    kept = {name: value for name, value in os.environ.items() if name not in named}
    return kept | {name: value for name, value in named.items() if value is not None}


async def _until_ready(address: str, client: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(f"{address}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


@pytest.fixture
async def told(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Told]:
    """Give a service as production runs it, on a database of its own."""
    async with new_database(servers) as name:
        settings, port = servers.settings(name), free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            "serve",
            cwd=CHECKOUT,
            env=_environment(settings, port),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        database, address = Database(settings), f"http://127.0.0.1:{port}"
        await database.open()
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        try:
            await _until_ready(address, client)
            kept = Told(await make_shop(database, address, client), settings, owner)
            reading = asyncio.create_task(_read(process, kept.lines))
            yield kept
            process.terminate()
            await process.wait()
            await reading
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await owner.close()
            await database.close()


async def _read(process: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        lines.append(line.decode())  # noqa: PERF401 - the test reads while lines come in


async def good_calls(told: Told) -> None:
    """Put a canary wherever a caller may put one."""
    customer = "canary@example.com"
    assert (await told.call("PUT", "/v1/customers/canary%40example.com", PERSONAL)).status == 201
    reported = purchase(
        id="canary-order",
        customer_id=customer,
        metadata={"note": "canary", "canary": 1},
        channel="canary",
        referral_code="CANARY",
        items=[{"id": "canary", "amount": 1, "sku": "canary", "category": "canary"}],
    )
    assert (await told.call("POST", "/v1/purchases", reported)).status == 201
    assert (await told.call("POST", "/v1/purchases", reported)).status == 200
    batch = {"purchases": [reported, reported | {"total": 1}, reported | {"id": "canary-2"}]}
    headers = {"Idempotency-Key": unique("k")}
    assert (await told.call("POST", "/v1/purchases/batch", batch, headers=headers)).status == 200
    assert (await told.call("POST", "/v1/purchases/batch", batch, headers=headers)).replayed
    new_key, headers = {"role": "portal", "name": "canary"}, {"Idempotency-Key": unique("k")}
    assert (await told.call("POST", "/v1/api-keys", new_key, headers=headers)).status == 201
    assert (await told.call("POST", "/v1/api-keys", new_key | {"name": "canary 2"}, headers=headers)).status == 422
    await good_calls_of_referrals(told)
    await good_calls_of_invoices(told)
    for path in ("", "/balance", "/transactions", "/lots", "/referral"):
        assert (await told.call("GET", f"/v1/customers/canary%40example.com{path}")).status == 200
    assert (await told.call("GET", "/v1/customers?email=canary@example.com")).status == 200


async def good_calls_of_referrals(told: Told) -> None:
    """Put a canary into codes, marks, and the names of those who come with codes."""
    marks = {"payment": "canary", "device": "canary", "address": "canary"}
    customer = "/v1/customers/canary%40example.com"
    assert (await told.call("PUT", f"{customer}/marks", marks)).status == 200
    commands: list[tuple[str, Any, int]] = [
        (f"{customer}/referral/code", {"code": "CANARY"}, 201),
        ("/v1/referrals", {"code": "CANARY", "referee_id": "canary@example.org", "marks": marks}, 201),
        ("/v1/referrals", {"code": "CANARY", "referee_id": "canary@example.com"}, 422),
        ("/v1/referrals/clicks", {"code": "CANARY"}, 200),
        ("/v1/referrals/clicks", {"code": "CANARY 2"}, 200),
    ]
    for path, body, status in commands:
        headers = {"Idempotency-Key": unique("k")}
        answer = await told.call("POST", path, body, headers=headers)
        assert answer.status == status, answer.text
        assert (await told.call("POST", path, body, headers=headers)).status == status


async def good_calls_of_invoices(told: Told) -> None:
    """Put a canary into an invoice's number, its lines and its id, and into ids of payments and credit notes."""
    invoice = billing.invoice(
        customer_id="canary@example.com",
        number="canary@example.com 1",
        total=...,
        lines=[{"net": 100_000, "taxes": [{"name": "canary", "basis_points": 1900}]}],
    )
    path, terms = "/v1/invoices/canary-invoice", "/v1/customers/canary%40example.com/payment-terms"
    assert (await told.call("PUT", terms, billing.TWO_PERCENT)).status == 200
    for status in (201, 200):
        assert (await told.call("PUT", path, invoice)).status == status
    assert (await told.call("PUT", "/v1/invoices/canary-2", invoice | {"number": "CANARY@example.com1"})).status == 409
    payment = {"id": "canary-payment", "paid_on": "2026-01-12", "amount": 100}
    note = {"id": "canary-note", "issued_on": "2026-01-20", "total": 100}
    for status in (201, 200):
        assert (await told.call("POST", f"{path}/payments", payment)).status == status
        assert (await told.call("POST", f"{path}/credit-notes", note)).status == status
    for headers in ({"Idempotency-Key": unique("k")},) * 2:
        answer = await told.call("POST", f"{path}/payments/canary-payment/reverse", {}, headers=headers)
        assert answer.status == 200, answer.text
    for each in (path, f"{path}/quote", f"{path}/payments", f"{path}/credit-notes", "/v1/payments/canary-payment"):
        assert (await told.call("GET", each)).status == 200
    assert (await told.call("GET", "/v1/invoices?customer_id=canary%40example.com")).status == 200
    assert (await told.call("GET", terms)).status == 200


async def refused_calls(told: Told) -> list[Answer]:
    """Make calls that are refused, each with a canary."""
    shop, good = told.shop, purchase(customer_id="canary", id="canary-order")
    bodies: list[tuple[str, str, Any]] = [
        ("POST", "/v1/purchases", good | change)
        for change in (
            {"total": "canary"},
            {"occurred_at": "canary"},
            {"currency": "canary"},
            {"currency": "CNY\ncanary"},
            {"id": "canary "},
            {"metadata": "canary"},
            {"items": ["canary"]},
            {"items": [{"id": "canary", "amount": 1}] * 2},
            {"channel": "canary\x00"},
            {"channel": "canary\ud800"},
            {"channel": "canary" * 50},
        )
    ]
    bodies += [("POST", "/v1/purchases", good)]  # a conflict: other content under a known id
    bodies += [
        ("POST", "/v1/referrals/clicks", {"code": "canary" * 50}),
        ("POST", "/v1/referrals", {"code": "canary", "referee_id": "canary "}),
        ("POST", "/v1/customers/canary%40example.com/referral/code", {"code": "canary-"}),
        ("PUT", "/v1/customers/canary%40example.com/marks", {"canary": "canary"}),
        ("PUT", "/v1/customers/canary%40example.com/marks", {"device": "canary" * 100}),
    ]
    invoice = billing.invoice(customer_id="canary")
    bodies += [
        ("PUT", "/v1/invoices/canary-refused", invoice | change)
        for change in (
            {"number": "canary" * 50},
            {"number": "canary\ud800"},
            {"customer_id": "canary "},
            {"issued_on": "canary"},
            {"currency": "canary"},
            {"terms": {"kind": "canary"}},
            {"terms": None, "terms_text": "canary"},
            {"total": None, "lines": [{"net": 1, "taxes": [{"name": "canary"}]}]},
            {"canary": "canary"},
        )
    ]
    bodies += [
        ("POST", "/v1/invoices/canary-invoice/payments", {"id": "canary-p", "paid_on": "canary", "amount": 1}),
        (
            "POST",
            "/v1/invoices/canary-invoice/payments",
            {"id": "canary-payment", "paid_on": "2026-01-12", "amount": 2},
        ),
        ("POST", "/v1/invoices/canary-invoice/credit-notes", {"id": "canary-n", "issued_on": "2026-01-20"}),
        ("POST", "/v1/invoices/canary-nothing/payments", {"id": "canary-p", "paid_on": "2026-01-12", "amount": 1}),
        (
            "POST",
            "/v1/payments",
            {
                "id": "canary-p",
                "customer_id": "canary",
                "paid_on": "2026-01-12",
                "allocations": [{"invoice_id": "canary", "amount": 1}],
            },
        ),
        ("PUT", "/v1/customers/canary%40example.com/payment-terms", {"kind": "none", "mode": "canary"}),
    ]
    bodies += [
        ("PUT", "/v1/customers/canary", change)
        for change in (
            {"email": "canary"},
            {"name": "canary" * 50},
            {"birthday": "canary"},
            {"locale": "canary canary"},
            {"attributes": "canary"},
        )
    ]
    settings = ("time_zone", "currency", "enrolment")
    bodies += [("PATCH", "/v1/program", {"settings": {name: "canary"}}) for name in settings]
    bodies += [("POST", "/v1/api-keys", {"role": "canary"})]
    answers = [await told.call(*each) for each in bodies]
    for raw in (b'{"id":"canary', b'{"canary":1,"canary":2}', b'"canary\xff"', b'["canary"]'):
        answers += [await told.call("POST", "/v1/purchases", raw=raw)]
    paths = [
        "/v1/customers/canary-nobody",
        "/v1/purchases/canary-nothing",
        "/v1/canary",
        "/v1/customers/canary%ff",
        "/v1/customers?cursor=canary",
        "/v1/customers?limit=canary",
        "/v1/customers?email=canary%00",
        "/v1/invoices/canary-nothing",
        "/v1/invoices?status=canary",
        "/v1/invoices/canary-invoice/quote?paid_on=canary",
        "/v1/payments/canary-nothing",
    ]
    answers += [await told.call("GET", path) for path in paths]
    for key in ("Bearer canary", "Basic canary", f"Bearer {shop.keys[Role.ADMIN]}x"):
        answers += [await told.call("GET", "/v1/program", role=None, headers={"Authorization": key})]
    answers.append(await told.call("POST", "/v1/purchases", good, headers={"Idempotency-Key": "canary canary"}))
    answers.append(await told.call("POST", "/v1/purchases", good, headers={"Content-Type": "text/canary"}))
    assert all(400 <= answer.status < 500 for answer in answers), [answer.status for answer in answers]
    return answers


async def faults(told: Told) -> list[Answer]:
    """Make calls that fail where a message of the database would tell what was sent."""
    owner, good = told.owner, purchase(customer_id="canary-2", id=unique("canary"))
    await owner.execute("ALTER TABLE customer_profile ADD CONSTRAINT no_bird CHECK (name <> 'canary')")
    await owner.execute("ALTER TABLE purchase ADD CONSTRAINT no_bird CHECK (channel <> 'canary') NOT VALID")
    await owner.execute("ALTER TABLE invoice ADD CONSTRAINT no_bird CHECK (number <> 'canary')")
    answers = [
        await told.call("PUT", "/v1/customers/canary-2", {"name": "canary"}),
        await told.call("POST", "/v1/purchases", good | {"channel": "canary"}),
        await told.call("POST", "/v1/purchases/batch", {"purchases": [good | {"channel": "canary"}]}),
    ]
    assert (await told.call("PUT", "/v1/invoices/canary-3", billing.invoice(number="canary"))).status == 503
    await owner.execute("ALTER TABLE customer_profile RENAME COLUMN email TO gone")
    answers += [
        await told.call("PUT", "/v1/customers/canary-2", PERSONAL),
        await told.call("GET", "/v1/customers?email=canary@example.com"),
    ]
    await owner.execute("ALTER TABLE customer_profile RENAME COLUMN gone TO email")
    await end_connections(told.settings)
    answers.append(await told.call("POST", "/v1/purchases", good))
    return answers


async def end_connections(settings: Settings) -> None:
    """End every connection of the service, as its own login may."""
    login = await asyncpg.connect(settings.database_url)
    await login.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = session_user AND application_name = 'loyalty' AND pid <> pg_backend_pid()"
    )
    await login.close()


async def test_no_log_line_and_no_problem_repeats_what_a_caller_sent(told: Told) -> None:
    await good_calls(told)
    refused = await refused_calls(told)
    failed = await faults(told)
    assert [answer.status for answer in failed[3:5]] == [503, 503]
    for answer in refused + failed:
        # A pointer names the field, which a caller may have named; nothing else may.
        errors: list[dict[str, str]] = answer.body.get("errors", [])
        for error in errors:
            assert not CANARY.search(error["code"] + error["message"]), answer.text
        if answer.status >= 400:
            said = {name: value for name, value in answer.body.items() if name != "errors"}
            assert not CANARY.search(json.dumps(said)), answer.text
    assert (await told.call("POST", "/v1/purchases", purchase())).status == 201
    async with asyncio.timeout(10):
        while not any("fault" in line for line in told.lines):
            await asyncio.sleep(0.05)
    written = "".join(told.lines)
    assert not CANARY.search(written), written
    secrets = [key.removeprefix("lk_test_") for key in told.shop.keys.values()]
    secrets += [answer.body["key"].removeprefix("lk_test_") for answer in told.answers if '"key":"lk_' in answer.text]
    assert not any(secret in written for secret in secrets)
    for line in told.lines:
        assert isinstance(json.loads(line), dict), line
    request_ids = {answer.headers["request-id"] for answer in failed if answer.status == 503}
    assert all(request_id in written for request_id in request_ids), "a fault is found by the id that the caller got"


async def holding(owner: Db, table: str, word: str) -> list[str]:
    """Name the columns of a table in which a word stands."""
    columns = [
        row[0]
        for row in await owner.fetch(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1", table
        )
    ]
    return [
        column
        for column in columns
        if await owner.fetchval(f"SELECT count(*) FROM {table} AS c WHERE c.{column}::text ~* $1", word)
    ]


async def test_personal_data_lie_where_an_erasure_can_empty_them(told: Told) -> None:
    await good_calls(told)
    tables = [
        row[0]
        for row in await told.owner.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    ]
    with_personal_data = {
        table
        for table in tables
        if await told.owner.fetchval(f"SELECT count(*) FROM {table} AS t WHERE t::text ~* 'canary(@| bird| 1| yellow)'")
    }
    assert with_personal_data == {"customer", "customer_profile", "referral_ahead", "invoice"}
    assert await holding(told.owner, "customer", "canary") == ["external_id"]
    assert await holding(told.owner, "invoice", "canary@") == ["number"]
    beside = {
        table
        for table in tables
        if not table.startswith(("purchase", "transfer", "customer"))
        and await told.owner.fetchval(f"SELECT count(*) FROM {table} AS t WHERE t::text ~* 'canary'")
    }
    beside -= {"referral_ahead", "referral_code"}  # whom claims name ahead, above, and codes in words
    of_invoices = {"invoice", "payment", "payment_reversal", "settlement", "credit_note"}
    names = {"claim", "lot", "api_key", "command"}
    assert beside <= names | of_invoices, "ids of purchases, invoices and payments, and names of keys and taxes"
