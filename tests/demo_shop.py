"""The demo shop as tests open it: a service that serves it, and a visitor without a browser."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import aiohttp

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.transaction import transact
from service.portal.demo import seeding
from service.portal.demo.visits import COOKIE
from service.programs.rules import Program
from tests.conftest import running
from tests.shop import Answer, unique


@dataclass(frozen=True)
class DemoShop:
    """A service that serves a demo shop, and its program."""

    address: str
    program: Program


@asynccontextmanager
async def demo_shop(settings: Settings, database: Database) -> AsyncGenerator[DemoShop]:
    """Run a service with a demo shop, as `./run` makes it."""
    code = unique("demo-shop")
    async with running(settings.model_copy(update={"demo": code})) as address:
        program = await transact(database.connection, lambda db: seeding.make(db, code=code, address=address))
        visitor = Visitor(address)
        while (await visitor.get()).status == 404:  # until the process has heard of the program
            visitor = Visitor(address)
        yield DemoShop(address, program)


class Visitor:
    """Somebody with a cookie, who reads pages as text and sends their forms."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.secret: str | None = None
        self.page = ""

    async def call(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Make one call and follow nowhere."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secret is not None:
            sent["Cookie"] = f"{COOKIE}={self.secret}"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, self.address + path, data=data, headers=sent, allow_redirects=False) as response,
        ):
            for each in response.headers.getall("Set-Cookie", []):
                self.secret = SimpleCookie(each)[COOKIE].value or None
            text = await response.text()
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, text)

    async def get(self, query: str = "") -> Answer:
        """Open the page, and keep it."""
        answer = await self.call("GET", f"/demo{query}")
        if answer.status == 200:
            self.page = answer.text
        return answer

    def form(self, act: str, containing: str = "") -> dict[str, str]:
        """Read the fields of a form of the page: the first one of an act that holds some text."""
        for form in re.findall(rf'<form method="post" action="/demo/{act}">.*?</form>', self.page, re.DOTALL):
            if containing in form:
                return dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
        raise AssertionError(f"there is no form to {act} {containing}")

    async def send(self, act: str, containing: str = "", **changes: str) -> Answer:
        """Send a form of the page, and open the page that it leads to."""
        answer = await self.call("POST", f"/demo/{act}", self.form(act, containing) | changes)
        assert answer.status == 303, answer.text
        await self.get(answer.headers["location"].removeprefix("/demo").partition("#")[0])
        return answer

    @property
    def points(self) -> int:
        """How many points the page says there are."""
        found = re.search(r'class="balance"><strong>([0-9,]+)</strong>', self.page)
        assert found is not None
        return int(found[1].replace(",", ""))

    @property
    def said(self) -> str:
        """What the page says of what was done."""
        return "".join(re.findall(r'class="said">(.*?)</p>', self.page))
