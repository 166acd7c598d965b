"""The customer's page through HTTP: who gets in, what goes with every page, what its forms do and refuse."""

import re

from tests.portal import allow, token_of
from tests.shop import Answer, Shop

async def enter(shop: Shop, token: str, path: str = "/portal", **headers: str) -> Answer:
    """Look at a page with a token in the cookie."""
    sent = {"Cookie": f"__Host-loyalty={token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await shop.call("GET", path, role=None, headers=sent)

async def test_smoke(shop: Shop) -> None:
    await shop.buy()
    token = await token_of(shop)
    answer = await shop.client.get(f"{shop.address}/portal?token={token}", allow_redirects=False)
    print(answer.status, answer.headers)
    page = await enter(shop, token)
    print(page.status, page.headers, page.text[:3000])
    print(await shop.call("GET", "/portal", role=None, headers={"Accept-Language": "de"}))
    print((await shop.call("GET", "/portal/nothing", role=None)))
    print((await shop.call("GET", "/portal/theme/ff0000.css", role=None)))
    print((await shop.call("GET", "/portal/assets/x", role=None)).status)
    print((await shop.call("GET", "/portal/redeem", role=None)))
    assert 0
