"""The customer's page in a browser: on a phone and on a desktop, light and dark, with and without scripts."""

from itertools import pairwise
from typing import Any

import pytest

from service.portal.pages.answering import headers_of
from service.portal.pages.files import VERSION
from service.portal.pages.offers import names_of
from service.portal.pages.rendering import Chrome, Forms, Look, Notice, page
from service.portal.pages.words import Words
from service.portal.schemas import Everything
from tests.api.test_portal_page import INJECTIONS
from tests.browser.conftest import NewPage
from tests.browser.watched import Watched
from tests.own import settle_in
from tests.portal import token_of
from tests.portal_examples import LONGEST_NAME, NOW, empty, greatest, usual
from tests.shop import Shop


async def enter(page: Watched, shop: Shop, **session: Any) -> None:
    """Come in by a link, as customers do."""
    assert await page.open(f"{shop.address}/portal?token={await token_of(shop, **session)}") == 200
    assert page.page.url == f"{shop.address}/portal"


def rendered(its: Everything, locale: str, *, accent: str = "2457d6", won: bool = False) -> str:
    """Render a page of examples."""
    words = Words(locale, "Europe/Berlin", NOW)
    notice = Notice("good", words.t("You have won! The points are yours."), words.points(50)) if won else None
    return page(
        its,
        words=words,
        look=Look(its.me.partner.name, accent, None, "https://shop.example/"),
        chrome=Chrome("/portal", VERSION, notice),
        forms=Forms("form-token", lambda: "key"),
        names=names_of(its, {"gold": "Gold"}),
        tier_share=62,
    )


async def put_up(watched: Watched, shop: Shop, content: str) -> None:
    """Open a page of examples at the service's address, with the headers that pages have."""

    async def answer(route: Any) -> None:
        await route.fulfill(body=content, content_type="text/html; charset=utf-8", headers=headers_of(None))

    await watched.page.route(f"{shop.address}/portal", answer)
    assert await watched.open(f"{shop.address}/portal") == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_the_page_fits_and_can_be_used_by_all(shop: Shop, new_page: NewPage, size: str, scheme: str) -> None:
    await settle_in(shop)
    watched = await new_page(size, scheme=scheme)
    await enter(watched, shop)
    await watched.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    await watched.check_fits()
    await watched.check_usable()


@pytest.mark.parametrize(
    ("size", "scheme", "accent"),
    [
        ("phone", "light", "ffd400"),
        ("phone", "dark", "000000"),
        ("desktop", "light", "ffffff"),
        ("desktop", "dark", "2457d6"),
    ],
)
async def test_any_content_and_any_colour_fits(
    shop: Shop, new_page: NewPage, size: str, scheme: str, accent: str
) -> None:
    for its, locale in ((greatest(LONGEST_NAME), "de"), (empty(), "zh_Hans"), (usual(), "zh_Hant")):
        watched = await new_page(size, scheme=scheme)
        await put_up(watched, shop, rendered(its, locale, accent=accent, won=True))
        await watched.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        await watched.check_fits()
        await watched.check_usable()


async def test_what_somebody_named_runs_nothing(shop: Shop, new_page: NewPage) -> None:
    watched = await new_page("phone")
    for text in INJECTIONS:
        await put_up(watched, shop, rendered(greatest(text), "en_001"))
        assert await watched.page.evaluate("document.querySelectorAll('script').length") == 1
        assert text in await watched.page.inner_text("main")


@pytest.mark.parametrize("size", ["phone", "desktop"])
@pytest.mark.parametrize("scripts", [True, False])
async def test_redeem_and_play_with_and_without_scripts(
    shop: Shop, new_page: NewPage, size: str, *, scripts: bool
) -> None:
    await settle_in(shop)
    watched = await new_page(size, scripts=scripts)
    await enter(watched, shop)
    page = watched.page
    await page.get_by_label("Einlösen: A mug").click()
    await page.get_by_role("button", name="Ja, 100 Punkte einlösen").click()
    await page.get_by_text("Geschafft!").wait_for()
    assert await page.locator(".voucher").count() == 1
    await page.get_by_role("button", name="Spielen: Turn the wheel").click()
    await page.get_by_role("status").get_by_text("gewonnen").or_(page.get_by_text("Diesmal leider nichts")).wait_for()
    if scripts:
        assert "done=" not in page.url
    await watched.check_fits()


async def test_codes_are_copied(shop: Shop, new_page: NewPage) -> None:
    await settle_in(shop)
    watched = await new_page("phone")
    await enter(watched, shop)
    await watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    friends = watched.page.locator("#friends")
    await friends.get_by_role("button", name="Kopieren").click()
    await friends.get_by_role("button", name="Kopiert").wait_for()
    assert await watched.page.evaluate("navigator.clipboard.readText()") == "https://tea.example/welcome?ref=ANNA-20"


async def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(shop: Shop, new_page: NewPage) -> None:
    await settle_in(shop)
    watched = await new_page("desktop")
    await enter(watched, shop)
    await watched.page.keyboard.press("Tab")
    skip = watched.page.locator(".skip")
    assert await skip.evaluate("(each) => each === document.activeElement && each.getBoundingClientRect().top >= 0")
    assert await skip.evaluate("(each) => getComputedStyle(each).outlineStyle") == "solid"
    await watched.page.keyboard.press("Enter")
    assert await watched.page.evaluate("document.activeElement.id") == "main"


async def test_headings_and_landmarks_are_in_order(shop: Shop, new_page: NewPage) -> None:
    await settle_in(shop)
    watched = await new_page("desktop")
    await enter(watched, shop)
    levels = await watched.page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((each) => +each.tagName[1])"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for landmark in ("header.top", "main", "footer"):
        assert await watched.page.locator(f"body > {landmark}").count() == 1


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_who_has_no_session_sees_a_page_that_fits(shop: Shop, new_page: NewPage, size: str) -> None:
    watched = await new_page(size, locale="zh-TW")
    watched.expected.append("401")
    assert await watched.open(f"{shop.address}/portal") == 401
    await watched.page.get_by_text("請從商店進入").wait_for()
    await watched.check_fits()
    await watched.check_usable()


async def test_leaving_forgets_the_session(shop: Shop, new_page: NewPage) -> None:
    await settle_in(shop)
    watched = await new_page("phone")
    watched.expected.append("401")
    await enter(watched, shop)
    await watched.page.get_by_role("button", name="Seite verlassen").click()
    await watched.page.get_by_text("Sie haben die Seite verlassen").wait_for()
    assert await watched.page.context.cookies() == []
