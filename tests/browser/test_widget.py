"""The widget on a partner's page, of another origin, under a strict policy of that page."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web

from service.platform.roles import Role
from service.portal.widget.handlers import SCRIPT
from tests.browser.conftest import NewPage
from tests.browser.watched import Watched
from tests.portal import Partner, allow, token_of
from tests.ports import free_port
from tests.shop import Shop

LONG = "W" * 80


@dataclass
class Host:
    """A partner's site: it serves whatever page stands in `body`, and gives out tokens at /token."""

    address: str
    body: str = ""
    policy: str = ""
    tokens: list[str] = field(default_factory=list[str])
    asked: int = 0

    async def page(self, _: web.Request) -> web.Response:
        """Serve the page."""
        head = '<meta name="viewport" content="width=device-width"><title>Shop</title>'
        text = f"<!doctype html><html lang=en>{head}<main><h1>Shop</h1>{self.body}</main></html>"
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": self.policy})

    async def script(self, _: web.Request) -> web.Response:
        """Serve what a partner's own script does: it gives new tokens, and keeps what the widget tells."""
        text = """
            window.told = [];
            for (const name of ["loyalty-balance", "loyalty-error", "loyalty-token-expired"]) {
              document.addEventListener(name, (event) => window.told.push([name, event.detail]));
            }
            document.querySelector("loyalty-balance").tokenProvider = async () => (await fetch("/token")).text();
        """
        return web.Response(text=text, content_type="text/javascript")

    async def token(self, _: web.Request) -> web.Response:
        """Give out the next token."""
        self.asked += 1
        return web.Response(text=self.tokens.pop(0) if self.tokens else "")


NewHost = Callable[[Shop], Awaitable[Host]]


@pytest.fixture
async def host(shop: Shop) -> AsyncGenerator[Host]:
    """Run a partner's site, which the program lists."""
    port = free_port()
    made = Host(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.add_routes(
        [
            web.get("/", made.page),
            web.get("/own.js", made.script),
            web.get("/token", made.token),
            web.get("/favicon.ico", made.token),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await allow(shop, origins=[made.address])
    made.policy = (
        f"default-src 'none'; script-src 'self' {shop.address}; connect-src 'self' {shop.address}; base-uri 'none'"
    )
    yield made
    await runner.cleanup()


async def shown(watched: Watched, host: Host, shop: Shop, body: str) -> None:
    """Open the partner's page with a widget on it."""
    host.body = f'{body}<script src="{shop.address}/widget.js"></script>'
    watched.may_ask(shop.address)
    assert await watched.open(host.address) == 200


async def text_of(watched: Watched) -> str:
    """Return what the widget shows."""
    return await watched.page.locator("loyalty-balance [part=card]").inner_text()


async def until(watched: Watched, text: str) -> str:
    """Wait until the widget shows a text."""
    async with asyncio.timeout(10):
        while text not in (told := await text_of(watched)):
            await asyncio.sleep(0.05)
    return told


async def rewarded(shop: Shop, **changes: object) -> None:
    """Let there be a reward."""
    body = {"name": "A mug", "gives": {"kind": "gift", "description": "a mug"}, "points": 1_000, "status": "active"}
    assert (await shop.post("/v1/rewards", body | changes, Role.MARKETER)).status == 201


def test_it_is_small_and_needs_nothing() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.encode()) < 10_000
    assert "import " not in text
    assert "innerHTML" not in text


async def test_it_is_served_to_every_page_and_known_again(shop: Shop) -> None:
    first = await shop.call("GET", "/widget.js", role=None)
    assert (first.status, first.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
    again = await shop.call("GET", "/widget.js", role=None, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize("size", ["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_partners_page_shows_points_and_the_next_reward(
    shop: Shop, host: Host, new_page: NewPage, size: str, scheme: str
) -> None:
    await shop.buy(total=12_990)
    await rewarded(shop)
    watched = await new_page(size, scheme=scheme)
    await shown(watched, host, shop, f'<loyalty-balance token="{await token_of(shop)}"></loyalty-balance>')
    told = await until(watched, "129")
    assert "871 more for A mug" in told
    await watched.check_fits()
    await watched.check_usable()


@pytest.mark.parametrize(
    ("language", "expected"),
    [("de", "Noch 871 bis A mug"), ("zh-CN", "再得 871 即可兑换A mug"), ("zh-TW", "再得 871 即可兌換A mug")],
)
async def test_it_speaks_the_pages_language(
    shop: Shop, host: Host, new_page: NewPage, language: str, expected: str
) -> None:
    await shop.buy(total=12_990)
    await rewarded(shop)
    watched = await new_page()
    token = await token_of(shop)
    await shown(watched, host, shop, f'<loyalty-balance lang="{language}" token="{token}"></loyalty-balance>')
    assert expected in await until(watched, "871")


async def test_it_names_the_last_day_of_points_by_the_programs_calendar(
    shop: Shop, host: Host, new_page: NewPage
) -> None:
    settings = {"time_zone": "Asia/Tokyo", "expiry": {"kind": "dates", "dates": ["12-31"]}}
    changed = await shop.call("PATCH", "/v1/program", {"settings": settings}, role=Role.ADMIN)
    assert changed.status == 200, changed.text
    await shop.buy(total=12_990, occurred_at=datetime.now(UTC).isoformat())
    watched = await new_page()
    await shown(watched, host, shop, f'<loyalty-balance token="{await token_of(shop)}"></loyalty-balance>')
    assert "129 to spend until Dec 31," in await until(watched, "to spend until")


async def test_great_numbers_and_long_names_fit(shop: Shop, host: Host, new_page: NewPage) -> None:
    await shop.buy(total=10**12, currency="JPY")
    await rewarded(shop, name=LONG)
    watched = await new_page("phone")
    await shown(watched, host, shop, f'<loyalty-balance token="{await token_of(shop)}"></loyalty-balance>')
    assert LONG in await until(watched, "1,000,000,000,000")
    await watched.check_fits()


async def test_a_token_that_ended_is_asked_for_anew(shop: Shop, host: Host, new_page: NewPage) -> None:
    await shop.buy(total=12_990)
    partner = await Partner.registered(shop)
    host.tokens = [await token_of(shop)]
    watched = await new_page()
    watched.expected = ["401"]
    body = f'<loyalty-balance token="{partner.sign(exp=1_700_000_000)}"></loyalty-balance><script src=/own.js></script>'
    await shown(watched, host, shop, body)
    await until(watched, "129")
    assert host.asked == 1
    told = await watched.page.evaluate("() => window.told")
    assert [name for name, _ in told] == ["loyalty-token-expired", "loyalty-balance"]
    assert told[1][1]["balance"]["available"] == 129


async def test_without_a_good_token_it_says_so_and_gives_up(shop: Shop, host: Host, new_page: NewPage) -> None:
    watched = await new_page()
    watched.expected = ["401"]
    body = (
        '<loyalty-balance token="a.b.c"><p slot="error">Please sign in.</p></loyalty-balance>'
        "<script src=/own.js></script>"
    )
    await shown(watched, host, shop, body)
    await watched.page.get_by_text("Please sign in.").wait_for()
    assert host.asked <= 2
    told = await watched.page.evaluate("() => window.told")
    assert told[-1] == ["loyalty-error", {"status": 401, "code": "unauthenticated"}]


async def test_it_asks_again_when_it_is_told_to(shop: Shop, host: Host, new_page: NewPage) -> None:
    await shop.buy(total=12_990)
    watched = await new_page()
    await shown(watched, host, shop, f'<loyalty-balance token="{await token_of(shop)}"></loyalty-balance>')
    await until(watched, "129")
    await shop.buy(total=10_000)
    await watched.page.evaluate("() => document.querySelector('loyalty-balance').refresh()")
    await until(watched, "229")


async def test_a_site_that_the_program_does_not_list_shows_nothing(shop: Shop, host: Host, new_page: NewPage) -> None:
    await shop.buy(total=12_990)
    token = await token_of(shop)
    await allow(shop, origins=["https://somebody.example"])
    watched = await new_page()
    watched.expected = ["CORS", "net::ERR_FAILED"]
    await shown(watched, host, shop, f'<loyalty-balance token="{token}"></loyalty-balance>')
    await until(watched, "can't be shown")


async def test_names_are_shown_as_they_are_and_never_run(shop: Shop, host: Host, new_page: NewPage) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    await shop.buy(total=12_990)
    await rewarded(shop, name=name)
    watched = await new_page()
    await shown(watched, host, shop, f'<loyalty-balance token="{await token_of(shop)}"></loyalty-balance>')
    assert json.dumps(name)[1:-1] in json.dumps(await until(watched, "871"))
