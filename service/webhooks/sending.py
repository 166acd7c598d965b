"""One message to one endpoint: signed after Standard Webhooks, sent where it may go, its answer read to a bound."""

import asyncio
import base64
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any, Final, TypeAlias

import aiohttp
import msgspec
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook as Signer
from yarl import URL

from service.events.rules import Event
from service.kernel.errors import Invalid, Unavailable
from service.platform.metrics.values import Counter as Counted
from service.platform.settings import WebhookTargets
from service.webhooks.rules import MOST_TESTS, Attempt, AttemptError, Sent, TooManyTests, error_of, kept_of
from service.webhooks.targets import address_of, is_public, not_public, target_of

ATTEMPT_SECONDS: Final = 15.0
READ_BYTES: Final = 64 * 1024
_LOOK_UP_SECONDS: Final = 3.0
_LOOK_UPS_AT_ONCE: Final = 256
"""Threads of its own: names that nobody answers for would else take those of the loop, and let others wait. As many as
a worker has lanes, each of which looks up one name at a time: the system asks for longer than an attempt lasts.
"""
_KEPT_ALIVE_SECONDS: Final = 3.0
"""Shorter than receivers keep a connection (5 s are usual): a message on one that just ended would fail."""
_log = structlog.get_logger()
_ATTEMPTS: Final = Counted("loyalty_webhook_attempts", "Messages sent to webhooks, by what came of them.", ("outcome",))


_AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]
"""What a connection is made of: family, kind, protocol, a name, and the place."""


class AddressRefused(OSError):  # noqa: N818 - a refusal, by which the library ends a connection
    """A connection would lead to an address that is not of the public internet."""

    def __init__(self) -> None:
        super().__init__("address refused")


def only_public(address_info: _AddressInfo) -> socket.socket:
    """Make the socket of a connection, where its address is a plain public one. Raises AddressRefused.

    It is asked for each connection, after names were looked up, and for literal addresses too: a name that leads
    elsewhere than when the URL was saved ends here.
    """
    place = address_info[4]
    address = address_of(str(place[0]))
    if address is None or not is_public(address) or (isinstance(address, IPv6Address) and any(place[3:4])):
        raise AddressRefused
    return anywhere(address_info)


def anywhere(address_info: _AddressInfo) -> socket.socket:
    """Make the socket of a connection to any address: for development."""
    family, kind, protocol, _, _ = address_info
    return socket.socket(family, kind, protocol)


class Names(AbstractResolver):
    """Looks names up, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port, family)
        return [
            ResolveResult(
                hostname=host, host=str(place[0]), port=port, family=each, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for each, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        """Let go of the threads, without waiting for those that look something up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[Any]:
    return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class Message:
    """What is sent of an event: the id that stays the same over all attempts, the body, and the callers' ids in it."""

    __slots__ = ("body", "id", "named")

    def __init__(self, event: Event) -> None:
        self.id = event.id
        self.body = msgspec.json.encode(event)
        ids = [value for name, value in event.data.items() if name.endswith("_id")]
        named = [each for each in (event.customer_id, *ids) if isinstance(each, str) and each]
        self.named = sorted(named, key=len, reverse=True)  # one may begin with another


def shown(secret: bytes) -> str:
    """Write a secret as Standard Webhooks does: `whsec_` and base64."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def signed(message: Message, secrets: Sequence[bytes], at: datetime) -> dict[str, str]:
    """Make the headers of a message that is sent at a time: a signature for each secret."""
    text = message.body.decode()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(message.id, at, text) for secret in secrets),
    }


class Sender:
    """Sends messages, over connections that are kept for a moment. It follows nothing, keeps no cookie, asks no proxy.

    An attempt takes at most `seconds`, whatever it waits for. `names` and `tls` are for tests.
    """

    def __init__(
        self,
        targets: WebhookTargets,
        *,
        seconds: float = ATTEMPT_SECONDS,
        names: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._anywhere = targets is WebhookTargets.ANY
        self._seconds = seconds
        self._names = names
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._tests = Counter[int]()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
        if self._names is not None:
            await self._names.close()

    async def check(self, url: str) -> str:
        """Return a URL as it is kept, after all addresses of its host were checked. Raises Invalid, Unavailable."""
        target = target_of(url, anywhere=self._anywhere)
        if target.address is not None or self._anywhere:
            return target.url
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                found = await self._resolver().resolve(target.host, target.port, socket.AF_UNSPEC)
        except socket.gaierror as fault:
            if fault.errno == socket.EAI_AGAIN:
                raise Unavailable("Names can't be looked up now; nothing was done.") from fault
            raise Invalid("There is no such host.", pointer="/url", reason="unknown_host") from None
        except TimeoutError as fault:
            raise Unavailable("Names can't be looked up now; nothing was done.") from fault
        except (OSError, UnicodeError):
            raise Invalid("There is no such host.", pointer="/url", reason="unknown_host") from None
        addresses = [address_of(each["host"]) for each in found]
        if not addresses or not all(each is not None and is_public(each) for each in addresses):
            raise not_public()
        return target.url

    async def send(self, url: str, message: Message, secrets: Sequence[bytes], at: datetime) -> Sent:
        """Send a message now, `at` by the database's clock. Never raises for what the endpoint does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        status, answer, retry_after, error = None, b"", None, None
        try:
            status, answer, retry_after = await self._post(url, message, signed(message, secrets, at))
            error = error_of(status)
        except Exception as fault:  # noqa: BLE001 - whatever it is: it must not keep the lane from going on
            error = _error(fault)
        milliseconds = int((loop.time() - began) * 1000)
        attempt = Attempt(at, status, milliseconds, kept_of(answer, message.named), error)
        _ATTEMPTS.add(("succeeded" if attempt.succeeded else error.value if error else "refused",))
        return Sent(attempt, retry_after)

    async def test(self, program_id: int, url: str, message: Message, secrets: Sequence[bytes], at: datetime) -> Sent:
        """Send a test, as long as not too many of the program's wait for answers. Raises TooManyTests."""
        if self._tests[program_id] >= MOST_TESTS:
            raise TooManyTests
        self._tests[program_id] += 1
        try:
            return await self.send(url, message, secrets, at)
        finally:
            self._tests[program_id] -= 1

    async def _post(self, url: str, message: Message, headers: dict[str, str]) -> tuple[int, bytes, str | None]:
        async with self._open().post(
            _place(url, anywhere=self._anywhere), data=message.body, headers=headers, allow_redirects=False
        ) as response:
            answer = await _read(response)
            return response.status, answer, response.headers.get("retry-after")

    def _resolver(self) -> AbstractResolver:
        if self._names is None:
            self._names = Names()
        return self._names

    def _open(self) -> aiohttp.ClientSession:
        """Return the session; it is made in the loop that it is used in."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                resolver=self._resolver(),
                socket_factory=anywhere if self._anywhere else only_public,
                keepalive_timeout=_KEPT_ALIVE_SECONDS,
                ssl=self._tls or True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,  # a small answer may unpack to a large one
                timeout=aiohttp.ClientTimeout(total=self._seconds, ceil_threshold=self._seconds),  # not rounded up
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": "loyalty-webhooks/1",
                    "Accept-Encoding": "identity",
                },
            )
        return self._session


@lru_cache(maxsize=4096)
def _place(url: str, *, anywhere: bool) -> URL:
    """Make a URL ready to be sent to, once more by the rules: it may have been saved under others. Raises Invalid."""
    return URL(target_of(url, anywhere=anywhere).url, encoded=True)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer's body, at most so much; what comes after that, or is broken, doesn't undo the status."""
    found = bytearray()
    try:
        while len(found) < READ_BYTES:
            chunk = await response.content.read(READ_BYTES - len(found))
            if not chunk:
                return bytes(found)
            found += chunk
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    response.close()
    return bytes(found)


def _error(fault: Exception) -> AttemptError:
    """Tell what a fault of an attempt is."""
    cause = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    kinds: tuple[tuple[type[Exception] | tuple[type[Exception], ...], AttemptError], ...] = (
        ((AddressRefused, Invalid, aiohttp.InvalidURL), AttemptError.ADDRESS_REFUSED),
        ((aiohttp.ClientConnectorDNSError, socket.gaierror, UnicodeError), AttemptError.UNRESOLVABLE),
        ((aiohttp.ClientSSLError, ssl.SSLError), AttemptError.TLS_FAILED),
        (TimeoutError, AttemptError.TIMED_OUT),
        ((aiohttp.ClientResponseError, aiohttp.ClientPayloadError), AttemptError.BAD_ANSWER),
        ((aiohttp.ClientError, OSError, RuntimeError), AttemptError.CONNECTION_FAILED),
    )
    for kind, error in kinds:
        if isinstance(cause, kind) or isinstance(fault, kind):
            return error
    _log.error("webhook_attempt_failed_strangely", exc_info=fault)
    return AttemptError.BAD_ANSWER
