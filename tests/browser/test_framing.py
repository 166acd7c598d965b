"""The page in a frame of another site: only where the program lets it, and then with a session."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from aiohttp import web

from tests.browser.conftest import NewPage
from tests.own import make_reward
from tests.portal import allow, token_of
from tests.ports import free_port
from tests.shop import Shop


@dataclass
class Site:
    """A partner's site with a frame. Browsers take `localhost` and `127.0.0.1` for different sites."""

    address: str
    framed: str = "about:blank"

    async def page(self, _: web.Request) -> web.Response:
        """Serve the page around the frame."""
        frame = f'<iframe src="{self.framed}" title="Points" width="340" height="600"></iframe>'
        text = f"<!doctype html><html lang=en><title>Shop</title><main><h1>Shop</h1>{frame}</main></html>"
        return web.Response(text=text, content_type="text/html")


async def _nothing(_: web.Request) -> web.Response:
    return web.Response(status=204)


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    """Run a partner's site."""
    port = free_port()
    made = Site(f"http://localhost:{port}")
    app = web.Application()
    app.add_routes([web.get("/", made.page), web.get("/favicon.ico", _nothing)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "localhost", port).start()
    yield made
    await runner.cleanup()


async def test_a_site_that_may_frames_the_page_and_customers_redeem_in_it(
    shop: Shop, site: Site, new_page: NewPage
) -> None:
    await allow(shop, framed_by=[site.address], may_redeem=True)
    await shop.buy(total=100_000)
    await make_reward(shop, "A mug", 100, status="active")
    site.framed = f"{shop.address}/portal?token={await token_of(shop)}"
    watched = await new_page()
    watched.may_ask(shop.address)
    await watched.open(site.address)
    frame = watched.page.frame_locator("iframe")
    await frame.get_by_text("1,000", exact=True).first.wait_for()
    await frame.get_by_text("Get this").first.click()
    await frame.get_by_role("button", name="Yes, spend").click()
    await frame.get_by_text("900", exact=True).first.wait_for()
    assert (await shop.balance("c-42"))["available"] == 900


async def test_nobody_else_frames_it(shop: Shop, site: Site, new_page: NewPage) -> None:
    await allow(shop, framed_by=["https://somebody.example"])
    await shop.buy()
    site.framed = f"{shop.address}/portal?token={await token_of(shop)}"
    watched = await new_page()
    watched.expected = ["frame-ancestors"]
    watched.may_ask(shop.address)
    await watched.open(site.address)
    await watched.page.wait_for_timeout(500)
    assert any("frame-ancestors" in each for each in watched.errors)
    assert await watched.page.frame_locator("iframe").get_by_text("129").count() == 0
