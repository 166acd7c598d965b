"""Connections that misbehave: they are cut or answered, and nobody else notices."""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import uvicorn

from service.app import BODY_BYTES, uvicorn_config
from service.platform.http.protocol import BoundedProtocol
from service.platform.roles import Role
from service.platform.settings import Settings
from tests.conftest import NewShop, running
from tests.shop import Shop, purchase

HEAD = b"POST /v1/purchases HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


async def connect(shop: Shop) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(shop.address)
    return await asyncio.open_connection(address.hostname, address.port)


@pytest.mark.parametrize("begun", [b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"], ids=["nothing", "head", "body"])
async def test_a_request_that_does_not_come_to_its_end_is_cut(
    new_shop: NewShop, settings: Settings, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(BoundedProtocol, "patience_seconds", 0.3)
    async with running(settings) as address:
        shop = await new_shop(address)
        reader, writer = await connect(shop)
        writer.write(
            begun.replace(b"\r\nHost", f"\r\nAuthorization: Bearer {shop.keys[Role.CHECKOUT]}\r\nHost".encode())
        )
        assert (await shop.buy()).status == 201
        async with asyncio.timeout(8):
            with suppress(ConnectionResetError):  # closed in order is as good
                assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_is_used_again_and_again_is_not_cut(
    new_shop: NewShop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "patience_seconds", 0.2)
    async with running(settings) as address:
        shop = await new_shop(address)
        reader, writer = await connect(shop)
        for _ in range(5):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await reader.readuntil(b"}")
            assert answer.startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.1)
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000,
    ],
    ids=["nonsense", "version", "length", "endless head"],
)
async def test_what_is_no_request_gets_a_problem(shop: Shop, sent: bytes) -> None:
    reader, writer = await connect(shop)
    writer.write(sent)
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert b"request-id" in head.lower()
    assert json.loads(body)["code"] == "undecodable"


async def test_a_caller_who_leaves_amid_the_body_leaves_nothing(shop: Shop) -> None:
    body = json.dumps(purchase(id="left")).encode()
    for sent in (body[:20], body[:-1]):
        _, writer = await connect(shop)
        key = f"Authorization: Bearer {shop.keys[Role.CHECKOUT]}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(HEAD + key.encode() + sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await shop.buy()).status == 201
    assert (await shop.get("/v1/purchases/left")).status == 404


def bytes_of_purchase(shop: Shop, number: int, more: str = "") -> bytes:
    body = json.dumps(purchase(id=f"order-{number}", total=100 * number)).encode()
    key = f"Authorization: Bearer {shop.keys[Role.CHECKOUT]}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return HEAD + key.encode() + body


async def test_calls_that_do_not_wait_for_answers_are_answered_in_their_order(shop: Shop) -> None:
    reader, writer = await connect(shop)
    livez = bytes_of_livez(shop)
    last = bytes_of_purchase(shop, 4, "Connection: close\r\n")
    writer.write(bytes_of_purchase(shop, 1) + livez + bytes_of_purchase(shop, 2) + bytes_of_purchase(shop, 3) + last)
    async with asyncio.timeout(8):
        answered = await reader.read()
    writer.close()
    statuses = [part[:3] for part in answered.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"201", b"200", b"201", b"201", b"201"]
    places = [answered.index(f'"id":"order-{number}"'.encode()) for number in (1, 2, 3, 4)]
    assert places == sorted(places)


@pytest.mark.parametrize("piece", [1, 7, 100])
async def test_a_call_may_come_in_pieces(shop: Shop, piece: int) -> None:
    reader, writer = await connect(shop)
    for number in (1, 2):
        whole = bytes_of_purchase(shop, number, "Connection: close\r\n" if number == 2 else "")
        for start in range(0, len(whole), piece):
            writer.write(whole[start : start + piece])
            await asyncio.sleep(0)
    async with asyncio.timeout(8):
        answered = await reader.read()
    writer.close()
    assert answered.count(b"HTTP/1.1 201 ") == 2
    assert answered.lower().count(b"connection: close") == 1


async def test_the_old_version_of_the_protocol_is_answered_and_closed(shop: Shop) -> None:
    reader, writer = await connect(shop)
    writer.write(bytes_of_purchase(shop, 1).replace(b"HTTP/1.1", b"HTTP/1.0"))
    async with asyncio.timeout(8):
        answered = await reader.read()
    writer.close()
    assert answered.split()[1] == b"201"


async def test_of_two_keys_the_first_counts(shop: Shop) -> None:
    reader, writer = await connect(shop)
    twice = f"Authorization: Bearer {shop.keys[Role.MARKETER]}\r\nConnection: close\r\n"
    writer.write(bytes_of_purchase(shop, 1, twice))
    async with asyncio.timeout(8):
        answered = await reader.read()
    writer.close()
    assert answered.split()[1] == b"201"


def bytes_of_balance(shop: Shop) -> bytes:
    key = f"Authorization: Bearer {shop.keys[Role.CHECKOUT]}\r\n"
    return f"GET /v1/customers/c-42/balance HTTP/1.1\r\nHost: a\r\n{key}\r\n".encode()


def bytes_of_livez(_: Shop) -> bytes:
    return b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


def bytes_of_no_route(_: Shop) -> bytes:
    """Make a call that is answered before its body is there."""
    return HEAD.replace(b"purchases", b"nothing") + b"Content-Length: 2\r\n\r\n"


def bytes_of_first_purchase(shop: Shop) -> bytes:
    return bytes_of_purchase(shop, 1)


@pytest.fixture
def kept_alive_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what the next server has of patience."""

    def configured(settings: Settings) -> uvicorn.Config:
        config = uvicorn_config(settings)
        config.timeout_keep_alive = 1
        return config

    monkeypatch.setattr("tests.conftest.uvicorn_config", configured)
    monkeypatch.setattr(BoundedProtocol, "patience_seconds", 0.5)


@pytest.mark.parametrize(
    ("call", "then"),
    [
        (bytes_of_balance, b""),
        (bytes_of_first_purchase, b""),
        (bytes_of_livez, b""),
        (bytes_of_balance, b"\r\n"),
        (bytes_of_livez, b"\r\n"),
        (bytes_of_no_route, b"{}"),
    ],
    ids=["balance", "purchase", "another", "balance and a blank line", "a blank line", "the body after the answer"],
)
@pytest.mark.usefixtures("kept_alive_for_a_second")
async def test_a_connection_that_was_kept_alive_and_is_not_used_is_closed(
    new_shop: NewShop, settings: Settings, call: Callable[[Shop], bytes], then: bytes
) -> None:
    """What comes after the answer and begins no request keeps nothing alive."""
    async with running(settings) as address:
        shop = await new_shop(address)
        await shop.buy()
        reader, writer = await connect(shop)
        async with asyncio.timeout(10):
            writer.write(call(shop))
            answered = await reader.readuntil(b"\r\n\r\n")
            writer.write(then)
            await reader.read()
        writer.close()
    assert b"connection: close" not in answered.lower()


@pytest.mark.usefixtures("kept_alive_for_a_second")
async def test_a_caller_who_takes_no_answers_is_cut(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen from the server: what is on its way to a caller who doesn't read hides the end from it."""
    lost, connection_lost = asyncio.Event(), BoundedProtocol.connection_lost

    def seen(protocol: BoundedProtocol, exc: Exception | None) -> None:
        lost.set()
        connection_lost(protocol, exc)

    monkeypatch.setattr(BoundedProtocol, "connection_lost", seen)
    async with running(settings) as address:
        at = urlsplit(address)
        with socket.create_connection((at.hostname, at.port)) as caller:
            caller.sendall(100 * b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(30):
                await lost.wait()


@pytest.mark.parametrize("more", ["", "Idempotency-Key: k-1\r\n"], ids=["short way", "long way"])
@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize(
    "behind",
    [b"nonsense\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nx"],
    ids=["nonsense", "path", "chunk"],
)
async def test_whole_calls_before_what_is_no_request_are_answered_first(
    shop: Shop, more: str, calls: int, behind: bytes
) -> None:
    """A purchase that is booked is never answered by the problem of what came behind it."""
    await shop.buy(id="known by now")
    reader, writer = await connect(shop)
    for number in range(1, calls + 1):
        writer.write(bytes_of_purchase(shop, number, more))
    writer.write(behind)
    async with asyncio.timeout(8):
        answered = await reader.read()
    writer.close()
    statuses = [part[:3] for part in answered.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"201"] * calls + [b"400"]


async def test_a_body_of_the_greatest_length_may_come_in_pieces(shop: Shop) -> None:
    """Its bytes aren't taken for those of a head without end."""
    await shop.buy(id="known by now")
    whole = bytes_of_purchase(shop, 1, "Connection: close\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    head = head.replace(f"Content-Length: {len(body)}".encode(), f"Content-Length: {BODY_BYTES}".encode())
    reader, writer = await connect(shop)
    writer.write(head + b"\r\n\r\n" + body.ljust(BODY_BYTES)[:-1])
    await writer.drain()
    await asyncio.sleep(0.1)  # the last byte comes in a piece of its own
    writer.write(b" ")
    async with asyncio.timeout(8):
        answered = await reader.read()
    writer.close()
    assert answered.split()[1] == b"201"
