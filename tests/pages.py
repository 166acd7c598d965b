"""Customers at their page, as tests play them: what a browser would read of it, and the forms that it would send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from tests.shop import Answer, Shop

COOKIE = "__Host-loyalty"
_VOID = {"meta", "link", "input", "img", "br"}


@dataclass
class Form:
    """A form, with what its fields hold."""

    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])


class Read(HTMLParser):
    """A page as a browser reads it: elements with their attributes, texts, forms."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements = list[tuple[str, dict[str, str | None]]]()
        self.forms = list[Form]()
        self.pieces = list[str]()
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        has = dict(attrs)
        self.elements.append((tag, has))
        if tag == "form":
            self.forms.append(Form(has["action"] or ""))
        if tag == "input" and "name" in has and self.forms:
            self.forms[-1].fields[has["name"] or ""] = has.get("value") or ""

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.pieces.append(data.strip())

    @property
    def text(self) -> str:
        """All texts in their order."""
        return "\n".join(each for each in self.pieces if each)

    def form(self, action: str, **fields: str) -> Form:
        """Find the form with an action that holds these fields."""
        (found,) = (each for each in self.forms if each.action == action and fields.items() <= each.fields.items())
        return found


async def look(shop: Shop, token: str | None, path: str = "/portal", **headers: str) -> Answer:
    """Look at a page with a token in the cookie."""
    return await _call(shop, "GET", path, token, None, headers)


async def send(shop: Shop, token: str | None, form: Form, **headers: str) -> Answer:
    """Send a form as a browser does from the page itself."""
    return await _call(shop, "POST", form.action, token, form.fields, {"Sec_Fetch_Site": "same-origin"} | headers)


async def follow(shop: Shop, token: str, answer: Answer) -> Read:
    """Follow where a form leads; gives the page."""
    assert answer.status == 303, answer.text
    page = await look(shop, token, answer.headers["location"])
    assert page.status == 200, page.text
    return Read(page.text)


async def _call(
    shop: Shop, method: str, path: str, token: str | None, form: dict[str, str] | None, headers: dict[str, str]
) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
    if token is not None:
        sent["Cookie"] = f"{COOKIE}={token}"
    data: Any = None
    if form is not None:
        data = urlencode(form).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded"} | sent
    url = URL(shop.address + path, encoded=True)
    # Not the client that all tests share: no cookie is to stay with it.
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        client.request(method, url, data=data, headers=sent, allow_redirects=False) as response,
    ):
        text = await response.text(errors="replace")
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, text)
