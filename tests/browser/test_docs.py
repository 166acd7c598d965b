"""The page that shows the API, in a browser."""

import pytest

from tests.browser.conftest import NewPage
from tests.shop import Shop


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_the_documents_page_shows_the_operations(shop: Shop, new_page: NewPage, size: str) -> None:
    watched = await new_page(size)
    assert await watched.open(f"{shop.address}/docs") == 200
    await watched.page.get_by_text("Report a purchase").first.wait_for()
