"""The demo shop without a browser: where it is served, whom it believes, what it does once."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.transaction import transact
from service.portal.demo.handlers import ASSETS
from service.portal.demo.visits import COOKIE
from service.programs import usecases as programs
from service.programs.rules import ProgramSettings
from tests.conftest import running
from tests.demo_shop import DemoShop, Visitor, demo_shop
from tests.portal import call_as
from tests.shop import Shop, unique

ALL = ("/demo", "/demo/token", "/demo/assets/demo.css")


@pytest.fixture(scope="module")
async def demo(settings: Settings, database: Database, makers: dict[int, str]) -> AsyncGenerator[DemoShop]:
    """Give a demo shop."""
    async with demo_shop(settings, database) as shop:
        makers[shop.program.id] = "the demo shop"
        yield shop


@pytest.fixture
async def visitor(demo: DemoShop) -> Visitor:
    """Give a visitor who has opened the page."""
    made = Visitor(demo.address)
    assert (await made.get()).status == 200
    return made


async def test_without_the_setting_there_is_no_demo_shop(address: str) -> None:
    for path in ALL:
        assert (await Visitor(address).call("GET", path)).status == 404
    assert (await Visitor(address).call("POST", "/demo/buy", {"sku": "pot"})).status == 404


@pytest.mark.parametrize("kind", ["live", "unknown"])
async def test_a_live_program_and_an_unknown_one_are_no_demo_shop(
    settings: Settings, database: Database, kind: str
) -> None:
    code = unique("no-demo")
    if kind == "live":
        await transact(
            database.connection,
            lambda db: programs.create_program(db, code=code, name="Live", live=True, settings=ProgramSettings()),
        )
    async with running(settings.model_copy(update={"demo": code})) as address:
        for path in ALL:
            assert (await Visitor(address).call("GET", path)).status == 404


async def test_the_page_is_nobody_elses_and_runs_nothing_of_others(demo: DemoShop) -> None:
    visitor = Visitor(demo.address)
    answer = await visitor.get()
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    told = answer.headers["set-cookie"]
    assert told.startswith(f"{COOKIE}=")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(told.split("; "))
    assert re.search(r"<script(?! src)|style=|\son[a-z]+=", answer.text) is None
    assert visitor.secret is not None
    assert visitor.secret not in answer.text
    assert "lk_test_" not in answer.text


async def test_two_visitors_are_two_customers_and_each_finds_his_own_again(demo: DemoShop) -> None:
    first, second = Visitor(demo.address), Visitor(demo.address)
    for each in (first, second):
        await each.get()
    await first.send("buy", "pot")
    assert first.points >= 99
    await second.get()
    assert second.points == 0
    before = first.points
    await first.get()
    assert first.points == before


async def test_a_form_that_is_sent_twice_buys_once(visitor: Visitor) -> None:
    form = visitor.form("buy", "pot")
    for _ in range(2):
        answer = await visitor.call("POST", "/demo/buy", form)
        assert answer.status == 303
    await visitor.get("?as=you&did=buy")
    assert "nothing was booked twice" in visitor.said
    assert visitor.points in {99, 124}  # a surprise may have been in the parcel
    redeeming, before = visitor.form("redeem", "tin of tea"), visitor.points
    for _ in range(2):
        assert (await visitor.call("POST", "/demo/redeem", redeeming)).status == 303
    await visitor.get()
    assert visitor.points == before - 60


async def test_the_answer_of_the_checkout_is_shown_as_the_api_gives_it(visitor: Visitor) -> None:
    await visitor.send("buy", "jasmine")
    answer = json.loads(re.findall(r"<pre.*?><code>(.*?)</code>", visitor.page, re.DOTALL)[1].replace("&#34;", '"'))
    assert answer["points"]["earned"] == 74
    assert {line["rule"]: line["points"] for line in answer["points"]["lines"]} == {
        "base": 14,
        "tea": 10,
        "welcome": 50,
    }


async def test_what_is_refused_is_said_and_costs_nothing(visitor: Visitor) -> None:
    await visitor.send("redeem", "5 euros off")
    assert "points" in visitor.said
    assert visitor.points == 0
    await visitor.send("play")
    assert visitor.points == 0


async def test_forms_of_others_are_refused(visitor: Visitor, demo: DemoShop) -> None:
    other, form = Visitor(demo.address), visitor.form("buy", "pot")
    await other.get()
    own_host = demo.address.removeprefix("http://")
    for changes, headers in (
        ({"token": ""}, {}),
        ({"token": other.form("buy", "pot")["token"]}, {}),
        ({"token": "ü"}, {}),
        ({}, {"Sec_Fetch_Site": "cross-site"}),
        ({}, {"Sec_Fetch_Site": "same-site"}),
        ({}, {"Sec_Fetch_Site": "none"}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Origin": "null"}),
        ({}, {"Origin": f"http://{own_host}.evil.example", "Sec_Fetch_Site": "same-origin"}),
    ):
        answer = await visitor.call("POST", "/demo/buy", form | changes, **headers)
        assert answer.status == 403, (changes, headers)
        assert answer.headers["content-type"].startswith("text/html")
    assert (await Visitor(demo.address).call("POST", "/demo/buy", form)).status == 403, "without the cookie"
    for headers in ({"Origin": demo.address}, {"Origin": "null", "Sec_Fetch_Site": "same-origin"}):
        assert (await visitor.call("POST", "/demo/buy", form, **headers)).status == 303


async def test_nobody_pays_or_reads_by_what_is_somebody_elses(visitor: Visitor, demo: DemoShop) -> None:
    other = Visitor(demo.address)
    await other.get()
    await other.send("invoice")
    paying = other.form("pay")
    form = visitor.form("invoice") | {"invoice": paying["invoice"], "amount": paying["amount"]}
    assert (await visitor.call("POST", "/demo/pay", form)).status == 404
    await other.get()
    assert other.form("pay") | {"once": ""} == paying | {"once": ""}, "it is still open"
    await other.send("pay")
    assert "saved €11.90" in other.said


@pytest.mark.parametrize(
    "changes",
    [{"once": ""}, {"once": "zz-1"}, {"once": "ffffffff-00000000" * 9}, {"sku": "moon"}, {"sku": ""}, {"once": "ä"}],
)
async def test_what_no_form_says_is_refused_with_a_page(visitor: Visitor, changes: dict[str, str]) -> None:
    answer = await visitor.call("POST", "/demo/buy", visitor.form("buy") | changes)
    assert answer.status == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text


async def test_other_bodies_and_unknown_acts_are_refused(visitor: Visitor) -> None:
    form = visitor.form("buy")
    assert (await visitor.call("POST", "/demo/nothing", form)).status == 404
    assert (await visitor.call("POST", "/demo/buy", json.dumps(form), Content_Type="application/json")).status == 422
    many = {f"field{number}": "x" for number in range(50)}
    assert (await visitor.call("POST", "/demo/buy", form | many)).status == 422


@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "9" * 5000, "²"])
async def test_an_invoice_is_paid_with_an_amount(visitor: Visitor, amount: str) -> None:
    await visitor.send("invoice")
    answer = await visitor.call("POST", "/demo/pay", visitor.form("pay") | {"amount": amount})
    assert answer.status == 422


@pytest.mark.parametrize("game", ["", "nothing", "cmp_" + "0" * 32, "x" * 5000, "\x00"])
async def test_a_game_that_there_is_not_costs_nothing(visitor: Visitor, game: str) -> None:
    await visitor.send("buy", "pot")
    before = visitor.points
    await visitor.call("POST", "/demo/play", visitor.form("play") | {"game": game})
    await visitor.get()
    assert visitor.points == before


async def test_visitors_have_a_limit_together(settings: Settings, database: Database, makers: dict[int, str]) -> None:
    async with demo_shop(settings, database) as crowded:
        makers[crowded.program.id] = "a crowd"
        strangers = [Visitor(crowded.address) for _ in range(150)]
        answers = await asyncio.gather(*(each.call("GET", "/demo/token") for each in strangers))
        assert {each.status for each in answers} == {404, 429}
        assert all("retry-after" in each.headers for each in answers if each.status == 429)


@pytest.mark.parametrize("ref", ["%3Cscript%3E", "%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E", "x" * 100, "%00", ""])
async def test_a_link_brings_no_script_into_the_page(visitor: Visitor, ref: str) -> None:
    answer = await visitor.get(f"?as=friend&ref={ref}&did={ref}")
    assert answer.status == 200
    assert 'name="ref"' not in answer.text
    assert "onerror" not in answer.text


async def test_the_widgets_token_reads_its_customer_and_does_nothing(visitor: Visitor, shop: Shop) -> None:
    told = await visitor.call("GET", "/demo/token?as=you", Sec_Fetch_Site="same-origin")
    assert told.status == 200
    assert told.headers["cache-control"] == "no-store"
    at = Shop(visitor.address, shop.client, shop.program, {})
    me = await call_as(at, told.body["token"], "/v1/me")
    assert me.status == 200
    assert me.body["customer_id"].startswith("you-")
    redeemed = await call_as(at, told.body["token"], "/v1/me/redemptions", {"reward_id": "rwd_1"}, Idempotency_Key="k")
    assert redeemed.status == 403
    assert (await visitor.call("GET", "/demo/token", Sec_Fetch_Site="cross-site")).status == 403
    assert (await Visitor(visitor.address).call("GET", "/demo/token")).status == 404


async def test_the_portal_opens_for_the_customer_that_the_visitor_is(visitor: Visitor) -> None:
    answer = await visitor.call("POST", "/demo/portal", visitor.form("portal"))
    assert answer.status == 303
    assert answer.headers["location"].startswith("/portal?token=")


async def test_starting_anew_makes_somebody_else(visitor: Visitor) -> None:
    before = visitor.secret
    await visitor.send("anew")
    assert visitor.secret not in {None, before}
    assert visitor.points == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("demo.css", "text/css"),
        ("demo.js", "text/javascript"),
        ("leaf.svg", "image/svg+xml"),
        ("demo.png", "image/png"),
    ],
)
async def test_what_the_page_needs_is_small_and_served(demo: DemoShop, name: str, kind: str) -> None:
    content = (ASSETS / name).read_bytes()
    assert len(content) < 200_000
    async with aiohttp.ClientSession() as session, session.get(f"{demo.address}/demo/assets/{name}") as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith(kind)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert await response.read() == content


@pytest.mark.parametrize("name", ["another.css", "..%2Fhandlers.py", "%2e%2e%2fhandlers.py", "demo.css%00"])
async def test_nothing_else_is_served(demo: DemoShop, name: str) -> None:
    assert (await Visitor(demo.address).call("GET", f"/demo/assets/{name}")).status == 404
