"""Pages of other origins: those that a program lists read what its customers read, and nobody else does."""

from service.platform.roles import Role
from tests.conftest import NewShop
from tests.portal import allow, call_as, token_of
from tests.shop import Answer, Shop

PARTNER, OTHER = "https://shop.example", "https://elsewhere.example"
ALLOWED = "access-control-allow-origin"


async def preflight(shop: Shop, origin: str, path: str = "/v1/me") -> Answer:
    """Ask as a browser does before a call."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    return await shop.call("OPTIONS", path, role=None, headers=headers)


async def test_a_listed_origin_reads_and_nobody_else(shop: Shop) -> None:
    await shop.buy()
    await allow(shop, origins=[PARTNER])
    token = await token_of(shop)
    mine = await call_as(shop, token, "/v1/me", Origin=PARTNER)
    assert (mine.status, mine.headers[ALLOWED]) == (200, PARTNER)
    assert "Retry-After" in mine.headers["access-control-expose-headers"]
    for origin in (OTHER, "null", f"{PARTNER}.evil.example", "https://shop.example:8443", "http://shop.example", ""):
        answer = await call_as(shop, token, "/v1/me", Origin=origin)
        assert ALLOWED not in answer.headers, origin
    for answer in (mine, await call_as(shop, token, "/v1/me")):
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_an_origin_of_another_program_reads_nothing_of_this_one(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    await allow(other, origins=[OTHER])
    await shop.buy()
    await allow(shop, origins=[PARTNER])
    assert ALLOWED not in (await call_as(shop, await token_of(shop), "/v1/me", Origin=OTHER)).headers


async def test_a_browser_may_ask_where_some_program_lists_its_origin(shop: Shop) -> None:
    assert ALLOWED not in (await preflight(shop, "https://nobodys.example")).headers
    await allow(shop, origins=[PARTNER])
    answer = await preflight(shop, PARTNER)
    assert (answer.status, answer.headers[ALLOWED]) == (204, PARTNER)
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    await allow(shop, origins=[])


async def test_a_page_is_told_why_its_token_is_no_good(shop: Shop) -> None:
    await allow(shop, origins=[PARTNER])
    answer = await call_as(shop, "nonsense", "/v1/me", Origin=PARTNER)
    assert (answer.status, answer.headers[ALLOWED]) == (401, PARTNER)


async def test_nothing_else_is_shared(shop: Shop) -> None:
    await allow(shop, origins=[PARTNER])
    for path in ("/v1/program", "/v1/mes", "/v1/me%2f..%2fprogram", "/openapi.json"):
        answer = await shop.call("GET", path, role=Role.ADMIN, headers={"Origin": PARTNER})
        assert ALLOWED not in answer.headers
        assert ALLOWED not in (await preflight(shop, PARTNER, path)).headers
