"""A receiver of webhooks, as tests play it: it checks every message with the library's own verifier."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook as Verifier

from service.events.sequencing import move_all
from service.news import KINDS
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.platform.settings import WebhookTargets
from service.webhooks.jobs import deliver, lanes_with_work
from service.webhooks.sending import Sender
from tests.shop import Shop

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """An endpoint: what came, in order, and how it answers. `secrets` are those that it knows; each must verify."""

    def __init__(self) -> None:
        self.secrets = list[str]()
        self.messages = list[dict[str, Any]]()
        self.headers = list[dict[str, str]]()
        self.address = ""
        self.answers: Behaviour = answering(204)

    @property
    def ids(self) -> list[str]:
        """The ids of what came."""
        return [message["id"] for message in self.messages]

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Verify a message with each secret, keep it, and answer."""
        body = await request.read()
        for secret in self.secrets:
            self.messages.append(Verifier(secret).verify(body, dict(request.headers)))
            assert request.headers["webhook-id"] == self.messages[-1]["id"]
        for _ in self.secrets[1:]:
            self.messages.pop()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return await self.answers(request)


def answering(status: int, text: str = "", **headers: str) -> Behaviour:
    """Always answer so."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return answer


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.address = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def webhook(shop: Shop, receiver: Receiver, **changes: Any) -> str:
    """Make an endpoint that leads to a receiver, which learns its secret; returns its id."""
    made = await shop.post("/v1/webhooks", {"url": receiver.address} | changes, Role.ADMIN)
    assert made.status == 201, made.text
    receiver.secrets.append(made.body["secret"])
    return made.body["id"]


@asynccontextmanager
async def sending(seconds: float = 5) -> AsyncGenerator[Sender]:
    """Give a sender that may send to this machine."""
    sender = Sender(WebhookTargets.ANY, seconds=seconds)
    try:
        yield sender
    finally:
        await sender.close()


async def work(database: Database, shop: Shop, sender: Sender, seconds: float = 30) -> int:
    """Sequence what happened and work the lanes of a shop once, at the same time; returns how many had work."""
    while await move_all(database):
        pass
    async with database.connection() as db:
        lanes = [each for each in await lanes_with_work(db) if each.program_id == shop.program.id]
    turns = [Turn(*lane, seconds=seconds) for lane in lanes]
    await asyncio.gather(*(deliver(database, turn, kinds=KINDS, sender=sender) for turn in turns))
    return len(lanes)
