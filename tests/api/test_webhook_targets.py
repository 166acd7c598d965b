"""Where webhooks may lead: what is refused when it is saved, and what at the connection, each by itself."""

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from service.events.rules import Event
from service.kernel.errors import Invalid, Unavailable
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings, WebhookTargets
from service.webhooks.rules import AttemptError, Sent
from service.webhooks.sending import AddressRefused, Message, Names, Sender, anywhere, only_public
from tests.conftest import make_shop, running
from tests.receiver import receiving
from tests.shop import Shop
from tests.spellings import HOSTS

NOW = datetime.now(UTC)
SECRET = bytes(range(32))


class Answers(AbstractResolver):
    """Looks up every name as one address, or as one after the other."""

    def __init__(self, *addresses: str, fault: OSError | None = None) -> None:
        self.addresses = list(addresses)
        self.fault = fault

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - as it is called
    ) -> list[ResolveResult]:
        """Return the addresses."""
        if self.fault is not None:
            raise self.fault
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for each in self.addresses
        ]

    async def close(self) -> None:
        """Have nothing to close."""


def message() -> Message:
    return Message(Event("evt_1", "webhook.test", 1, NOW, 0, None, None, {}))


async def send(url: str, *, names: AbstractResolver | None = None, tls: ssl.SSLContext | None = None) -> Sent:
    sender = Sender(WebhookTargets.PUBLIC, names=names, tls=tls, seconds=10)
    try:
        return await sender.send(url, message(), [SECRET], NOW)
    finally:
        await sender.close()


@pytest.fixture(scope="module")
async def careful(settings: Settings, database: Database, client: aiohttp.ClientSession) -> AsyncGenerator[Shop]:
    """Give a shop of a service as production runs it: webhooks lead to the public internet only."""
    async with running(settings.model_copy(update={"webhook_targets": WebhookTargets.PUBLIC})) as address:
        yield await make_shop(database, address, client)


async def test_every_spelling_is_refused_when_it_is_saved(careful: Shop) -> None:
    made = await careful.post("/v1/webhooks", {"url": "https://93.184.216.34/"}, Role.ADMIN)
    assert made.status == 201
    path = f"/v1/webhooks/{made.body['id']}"
    for host in HOSTS:
        for url in (f"https://{host}/", f"https://{host}:8443/hook"):
            refused = await careful.post("/v1/webhooks", {"url": url}, Role.ADMIN)
            assert (refused.status, refused.pointer) == (422, "/url"), url
            assert host not in refused.text or len(host) < 3, "a problem repeats nothing"
        changed = await careful.call("PATCH", path, {"url": f"https://{host}/"}, role=Role.ADMIN)
        assert (changed.status, changed.pointer) == (422, "/url"), host
    assert (await careful.get(path, Role.ADMIN)).body["url"] == "https://93.184.216.34/"
    plain = await careful.post("/v1/webhooks", {"url": "http://93.184.216.34/"}, Role.ADMIN)
    assert (plain.status, plain.body["errors"][0]["code"]) == (422, "not_https")


@pytest.mark.parametrize("looked_up", ["127.0.0.1", "::1", "169.254.169.254"])
async def test_every_spelling_is_refused_at_the_connection_alone(
    looked_up: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the URL is, and however kindly names are looked up: no socket is even made."""
    made, refused = list[object](), list[Exception]()
    monkeypatch.setattr("service.webhooks.sending.anywhere", made.append)
    connector = aiohttp.TCPConnector(socket_factory=only_public, resolver=Answers(looked_up))
    async with aiohttp.ClientSession(connector=connector) as session:
        for host in HOSTS:
            with pytest.raises((aiohttp.ClientConnectorError, ValueError)) as caught:  # the library can't read some
                await session.post(URL(f"https://{host}/", encoded=True))
            refused.append(caught.value)
    assert made == []
    at_the_socket = [each.os_error for each in refused if isinstance(each, aiohttp.ClientConnectorError)]
    assert {type(each) for each in at_the_socket} == {AddressRefused}
    assert len(at_the_socket) >= 120


async def test_the_systems_own_looking_up_of_odd_spellings_ends_at_the_connection() -> None:
    """What libc makes of `127.1` and its kin is asked for real."""
    names = Names()
    for host in ("localhost", "0x7f.0.0.1", "0x7f000001", "0177.0.0.1", "127.1", "2130706433", "0"):
        found = await names.resolve(host, 443)
        assert found
        for each in found:
            info = (each["family"], socket.SOCK_STREAM, 0, "", (each["host"], 443))
            with pytest.raises(AddressRefused):
                only_public(info)
    await names.close()


async def test_a_name_is_refused_when_any_of_its_addresses_is_not_public() -> None:
    good, bad = "93.184.216.34", ("10.0.0.1", "::1", "fe80::1%eth0", "::ffff:8.8.8.8", "2130706433")
    assert await Sender(WebhookTargets.PUBLIC, names=Answers(good)).check("https://Hooks.example.com")
    for each in bad:
        for addresses in ((each,), (good, each), (each, good)):
            with pytest.raises(Invalid):
                await Sender(WebhookTargets.PUBLIC, names=Answers(*addresses)).check("https://hooks.example.com/")
    with pytest.raises(Invalid):
        await Sender(WebhookTargets.PUBLIC, names=Answers()).check("https://hooks.example.com/")


async def test_a_name_that_there_is_not_is_refused_and_one_that_cannot_be_looked_up_now_is_no_refusal() -> None:
    gone = Sender(WebhookTargets.PUBLIC, names=Answers(fault=socket.gaierror(socket.EAI_NONAME, "")))
    with pytest.raises(Invalid) as refused:
        await gone.check("https://hooks.example.com/")
    assert refused.value.reason == "unknown_host"
    away = Sender(WebhookTargets.PUBLIC, names=Answers(fault=socket.gaierror(socket.EAI_AGAIN, "")))
    with pytest.raises(Unavailable):
        await away.check("https://hooks.example.com/")


async def test_a_name_that_leads_inside_since_it_was_saved_is_not_connected_to() -> None:
    async with receiving() as inside:
        port = URL(inside.address).port
        names = Answers("93.184.216.34")
        sender = Sender(WebhookTargets.PUBLIC, names=names, seconds=10)
        url = await sender.check(f"https://hooks.example.com:{port}/")
        names.addresses = ["127.0.0.1"]
        sent = await sender.send(url, message(), [SECRET], NOW)
        await sender.close()
        assert sent.attempt.error is AttemptError.ADDRESS_REFUSED
        assert inside.headers == []


async def test_what_was_saved_for_development_is_not_sent_to_in_production() -> None:
    async with receiving() as inside:
        assert (await send(inside.address)).attempt.error is AttemptError.ADDRESS_REFUSED
        assert inside.headers == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        sent = await send("https://hooks.example.com/", names=Answers("127.0.0.1"))
        assert sent.attempt.error is AttemptError.ADDRESS_REFUSED
        assert proxy.headers == []


async def test_an_unknown_name_is_told_as_such() -> None:
    names = Answers(fault=socket.gaierror(socket.EAI_NONAME, ""))
    assert (await send("https://hooks.example.com/", names=names)).attempt.error is AttemptError.UNRESOLVABLE


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the certificate of hooks.example.com, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    names = ("-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com")
    files = ("-keyout", str(folder / "key"), "-out", str(folder / "certificate"))
    subprocess.run(
        ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files),
        check=True,
        capture_output=True,
    )
    return folder / "certificate", folder / "key"


async def test_tls_is_verified_against_authorities_and_the_name(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one test in which a public address is led here: the socket is made as if the check had passed."""
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(*certificate)
    came = list[str]()

    async def take(request: web.Request) -> web.Response:
        came.append(request.headers["host"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=offered)
    await site.start()
    port = runner.addresses[0][1]
    monkeypatch.setattr("service.webhooks.sending.only_public", anywhere)
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    trials: list[tuple[str, ssl.SSLContext | None, int | None]] = [
        ("hooks.example.com", trusted, 200),
        ("hooks.example.com", None, None),  # nobody vouches for it
        ("other.example.com", trusted, None),  # it is another's
    ]
    for host, tls, status in trials:
        sent = await send(f"https://{host}:{port}/", names=Answers("127.0.0.1"), tls=tls)
        assert (sent.attempt.status, sent.attempt.error) == (status, None if status else AttemptError.TLS_FAILED)
    await runner.cleanup()
    assert came == [f"hooks.example.com:{port}"]


async def _raw(answer: bytes) -> tuple[asyncio.Server, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


BROKEN: dict[str, tuple[bytes, AttemptError | None, int | None]] = {
    "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n", AttemptError.BAD_ANSWER, None),
    "nothing": (b"", AttemptError.CONNECTION_FAILED, None),
    "endless headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, AttemptError.BAD_ANSWER, None),
    "a long header": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", AttemptError.BAD_ANSWER, None),
    "a body cut short": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", None, 200),
    "a bad chunk": (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", AttemptError.BAD_ANSWER, None),
    "a bomb": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", None, 200),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_broken_answer_is_a_failure_and_harms_nobody(what: str) -> None:
    answer, error, status = BROKEN[what]
    server, port = await _raw(answer)
    sender = Sender(WebhookTargets.ANY, seconds=10)
    sent = await sender.send(f"http://127.0.0.1:{port}/", message(), [SECRET], NOW)
    await sender.close()
    server.close()
    assert (sent.attempt.error, sent.attempt.status) == (error, status)


async def test_names_that_nobody_answers_for_keep_no_other_from_being_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a few programs: each may have twenty endpoints."""
    released = threading.Event()

    def look_up(host: str, *_: int) -> list[object]:
        if host.startswith("hanging"):
            released.wait(60)
        return []

    monkeypatch.setattr("service.webhooks.sending._look_up", look_up)
    names = Names()
    hanging = [asyncio.create_task(names.resolve(f"hanging-{number}.example.com", 443)) for number in range(100)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            assert await names.resolve("hooks.example.com", 443) == []
    finally:
        released.set()
        await asyncio.gather(*hanging)
        await names.close()
