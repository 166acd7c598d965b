"""The demo shop in a browser: all that there is to try, as a newcomer tries it, on a phone and on a desktop."""

from collections.abc import AsyncGenerator

import aiohttp
import pytest
from playwright.async_api import Page, expect

from service.platform.database import Database
from service.platform.settings import Settings
from tests.browser.conftest import NewPage
from tests.browser.watched import Watched
from tests.demo_shop import DemoShop, demo_shop
from tests.referrals import judge
from tests.shop import Shop


@pytest.fixture(scope="module")
async def demo(settings: Settings, database: Database, makers: dict[int, str]) -> AsyncGenerator[DemoShop]:
    """Give a demo shop."""
    async with demo_shop(settings, database) as shop:
        makers[shop.program.id] = "the demo shop"
        yield shop


async def press(page: Page, name: str) -> None:
    """Press a button that leads to the page anew."""
    await page.get_by_role("button", name=name).first.click()
    await page.wait_for_load_state()


async def go(page: Page, name: str) -> None:
    """Follow a link."""
    await page.get_by_role("link", name=name, exact=True).click()
    await page.wait_for_load_state()


async def check(watched: Watched) -> None:
    """Prove that the page fits, and that everybody can use it."""
    await watched.check_fits()
    await watched.check_usable()


async def points_of(page: Page) -> int:
    """Read the points that the widget shows."""
    points = page.locator("loyalty-balance").locator("[part=points]")
    await points.wait_for()
    return int((await points.inner_text()).replace(",", ""))


@pytest.mark.parametrize(
    ("size", "scheme"), [("phone", "light"), ("phone", "dark"), ("desktop", "light"), ("desktop", "dark")]
)
async def test_a_newcomer_tries_everything(
    demo: DemoShop,
    new_page: NewPage,
    database: Database,
    client: aiohttp.ClientSession,
    size: str,
    scheme: str,
) -> None:
    watched = await new_page(size, scheme=scheme)
    page, said = watched.page, watched.page.locator(".said")
    assert await watched.open(f"{demo.address}/demo") == 200
    assert await points_of(page) == 0
    await check(watched)

    await press(page, "Buy Gooseneck kettle")
    await expect(said).to_contain_text("139 points")
    assert await points_of(page) in {139, 164}
    await expect(page.locator("#buy pre").nth(1)).to_contain_text('"earned": 139')
    await check(watched)

    before = await points_of(page)
    await press(page, "Get A tin of tea to try")
    await expect(said).to_contain_text("Your code is")
    assert await points_of(page) == before - 60

    await go(page, "Open it as your friend")
    await expect(page.locator(".came")).to_contain_text("You came by a friend's link")
    await check(watched)
    await press(page, "Buy Round pot")
    await expect(said).to_contain_text("both of you are rewarded")
    friends = await points_of(page)
    await judge(Shop(demo.address, client, demo.program, {}, database), database)
    await page.wait_for_function(
        "before => +document.querySelector('loyalty-balance').shadowRoot.querySelector('[part=points]').textContent"
        " === before + 100",
        arg=friends,
        timeout=10_000,
    )
    await go(page, "You")
    assert await points_of(page) == before - 60 + 250

    await press(page, "Order for the office")
    await expect(said).to_contain_text("2% off when paid by")
    await page.get_by_text("The quote of today").click()
    await check(watched)
    await press(page, "Pay €583.10")
    await expect(said).to_contain_text("saved €11.90")
    assert await points_of(page) == before - 60 + 250 + 100

    await press(page, "Turn the wheel for 20 points")
    await expect(page.locator("[class*=stop-]")).to_have_count(1)
    await check(watched)
    await page.locator(".exchange summary").first.click()
    await check(watched)

    await press(page, "Open the customer's portal")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Robin")
    await page.get_by_role("link", name="Back to the shop").click()
    await press(page, "Start anew")
    assert await points_of(page) == 0


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_without_scripts_all_of_it_works_but_the_widget(demo: DemoShop, new_page: NewPage, size: str) -> None:
    watched = await new_page(size, scripts=False)
    page = watched.page
    await watched.open(f"{demo.address}/demo")
    await press(page, "Buy Two cups")
    await expect(page.locator(".said")).to_contain_text("74 points")
    await expect(page.locator(".balance")).to_contain_text(" points")
    await press(page, "Get A tin of tea to try")
    await expect(page.locator(".said")).to_contain_text("Your code is")
    await press(page, "Order for the office")
    await press(page, "Pay €583.10")
    await press(page, "Turn the wheel")
    await expect(page.locator("[class*=stop-]")).to_have_count(1)


async def test_a_link_that_somebody_else_opens_brings_them_as_themselves(demo: DemoShop, new_page: NewPage) -> None:
    mine, theirs = await new_page(), await new_page("phone")
    await mine.open(f"{demo.address}/demo")
    link = await mine.page.locator(".link a").get_attribute("href")
    assert link is not None
    assert link.startswith(f"{demo.address}/demo?ref=")
    await theirs.open(link)
    await expect(theirs.page.locator(".came")).to_contain_text("came by a friend's link")
    await expect(theirs.page.get_by_role("link", name="You", exact=True)).to_have_attribute("aria-current", "page")
    await check(theirs)
    await press(theirs.page, "Buy Round pot")
    await expect(theirs.page.locator(".said")).to_contain_text("both of you are rewarded")
    await mine.open(link)
    await expect(mine.page.get_by_role("link", name="Your friend")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_a_refused_form_says_so_on_a_page(demo: DemoShop, new_page: NewPage, size: str) -> None:
    watched = await new_page(size)
    watched.expected.append("403")
    await watched.open(f"{demo.address}/demo")
    await watched.page.evaluate("document.querySelector('#buy [name=token]').value = 'another'")
    await press(watched.page, "Buy Assam breakfast")
    await expect(watched.page.get_by_role("heading", level=1)).to_contain_text("did not come from your own page")
    await check(watched)
    await go(watched.page, "Back to the shop")
    assert await points_of(watched.page) == 0
