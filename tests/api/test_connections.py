"""Connections that misbehave: they are cut or answered, and nobody else notices."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

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
