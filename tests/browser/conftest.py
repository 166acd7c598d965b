"""A browser, pages of a phone's and of a desktop's size, and what is held against every page."""

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.watched import SIZES, Watched

NewPage: TypeAlias = Callable[..., Awaitable[Watched]]


@pytest.fixture(scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """Start the system's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("There is no Chromium on this machine: pages aren't tried in a browser.")
    # As root it has no sandbox, and small /dev/shm are common in containers.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=[*as_root, "--disable-dev-shm-usage"])
        yield started
        await started.close()


@pytest.fixture
async def new_page(browser: Browser) -> AsyncGenerator[NewPage]:
    """Open pages, as of a phone or a desktop, dark, without scripts, in a language.

    At the end each of them must have run without an error and asked nobody but its own origins.
    """
    opened = list[Watched]()

    async def make(
        size: str = "desktop", *, scheme: str = "light", scripts: bool = True, locale: str = "en-GB"
    ) -> Watched:
        context = await browser.new_context(
            viewport=SIZES[size],
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            locale=locale,
            is_mobile=size == "phone",
            reduced_motion="reduce",
        )
        watched = Watched(await context.new_page())
        opened.append(watched)
        return watched

    yield make
    for each in opened:
        await each.page.context.close()
    for each in opened:
        each.check_quiet()
