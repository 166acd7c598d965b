"""The customer's page through HTTP: who gets in, what goes with every page, what its forms do and refuse."""

import time
from urllib.parse import quote

import pytest

from service.platform.roles import Role
from tests.own import make_reward, settle_in
from tests.pages import COOKIE, Read, follow, look, send
from tests.portal import Partner, allow, token_of
from tests.shop import Shop, unique

INJECTIONS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "javascript:alert(1)",
    '<a href="javascript:alert(1)">x</a>',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<style>@import 'https://evil.example';</style>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<form action='https://evil.example'><input name=token>",
    "</textarea></title></style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}",
    "{name}{0}{name.__class__}%(name)s%s",
    "<!--<script>alert(1)</script>-->",
    "\u202e<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


async def test_a_link_becomes_a_session_and_the_token_leaves_the_address(shop: Shop) -> None:
    await shop.buy()
    token = await token_of(shop, expires_in=600)
    came = await look(shop, None, f"/portal?token={token}&lang=de")
    assert (came.status, came.headers["location"]) == (303, "/portal?lang=de")
    kept, *rest = came.headers["set-cookie"].split("; ")
    assert kept == f"{COOKIE}={token}"
    (age,) = (each for each in rest if each.startswith("Max-Age="))
    assert set(rest) == {"Path=/", "HttpOnly", "Secure", "SameSite=Lax", age}
    assert 590 <= int(age.removeprefix("Max-Age=")) <= 600
    assert (await look(shop, None, f"/portal?token={token}&lang=//evil.example")).headers["location"] == "/portal"
    page = await look(shop, token)
    assert page.status == 200
    assert token not in page.text
    assert "129" in page.text


async def test_pages_of_frames_have_cookies_for_frames(shop: Shop) -> None:
    await shop.buy()
    await allow(shop, framed_by=["https://www.example.com"])
    token = await token_of(shop)
    came = await look(shop, None, f"/portal?token={token}")
    assert came.headers["set-cookie"].endswith("; HttpOnly; Secure; SameSite=None; Partitioned")
    page = await look(shop, token)
    assert page.headers["content-security-policy"].endswith("; frame-ancestors https://www.example.com")
    assert "x-frame-options" not in page.headers


async def test_who_has_no_session_is_told_so_kindly_and_nothing_else(shop: Shop) -> None:
    await shop.buy()
    await allow(shop, name="Secret & Co.")
    partner = await Partner.registered(shop)
    wrong = [None, "x", "a.b.c", partner.sign(exp=int(time.time()) - 1), partner.sign(exp=int(time.time()) + 9000)]
    for token in wrong:
        for path in ("/portal", "/portal/history", "/portal/logo", f"/portal?token={quote(token or 'x')}"):
            answer = await look(shop, token, path, Accept_Language="de-AT, en;q=0.5")
            assert answer.status == 401
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-store"
            assert "set-cookie" not in answer.headers
            assert 'lang="de"' in answer.text
            assert "Bitte kommen Sie über den Shop herein" in answer.text
            assert "Secret" not in answer.text


async def test_a_customer_who_is_not_there_yet_finds_a_page_that_says_so(shop: Shop) -> None:
    partner = await Partner.registered(shop)
    answer = await look(shop, partner.sign("nobody-yet"))
    assert answer.status == 404
    assert "after your first purchase" in Read(answer.text).text


async def test_every_page_has_headers_that_keep_it_to_itself(shop: Shop) -> None:
    await shop.buy()
    token = await token_of(shop)
    answers = [
        await look(shop, token),
        await look(shop, token, "/portal/history"),
        await look(shop, token, "/portal/nowhere/at/all"),
        await look(shop, None, f"/portal?token={token}"),
        await look(shop, None),
        await look(shop, token, "/portal/history?cursor=x"),
    ]
    assert [each.status for each in answers] == [200, 200, 404, 303, 401, 422]
    for each in answers:
        policy = each.headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert {"script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"} <= {*policy}
        assert {"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= {*policy}
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["referrer-policy"] == "no-referrer"
        assert each.headers["cache-control"] == "no-store"
        assert each.headers["x-frame-options"] == "DENY"
        assert each.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_page_loads_only_what_is_ours_and_runs_nothing_inline(shop: Shop) -> None:
    await settle_in(shop)
    token = await token_of(shop)
    page = Read((await look(shop, token)).text)
    for tag, has in page.elements:
        assert not [name for name in has if name.startswith("on") or name == "style"], tag
        loaded = has.get("src") or (has.get("href") if tag == "link" else None)
        if loaded is not None and loaded != "data:,":
            assert loaded.startswith("/portal/")
            got = await look(shop, token, loaded)
            assert (got.status, got.headers["x-content-type-options"]) == (200, "nosniff")
            assert "immutable" in got.headers["cache-control"]
    assert [has.get("src") is None for tag, has in page.elements if tag == "script"] == [False]


async def test_the_page_shows_everything_in_the_customers_language(shop: Shop) -> None:
    await settle_in(shop)
    token = await token_of(shop)
    text = Read((await look(shop, token, Accept_Language="en")).text).text
    for said in ("Hallo, Anna", "Tea & Co.", "Einkauf order-1001", "Einkauf order-1002", "A mug", "Turn the wheel"):
        assert said in text
    for said in ("Unterwegs", "Prämien", "Offene Rechnungen", "Sie erhalten 500 Punkte", "So sammeln Sie Punkte"):
        assert said in text
    chinese = await look(shop, token, "/portal?lang=zh-Hant")
    assert chinese.headers["content-language"] == "zh-Hant"
    assert "可用點數" in chinese.text


async def test_older_history_goes_on_page_by_page(shop: Shop) -> None:
    orders = [unique("order") for _ in range(25)]
    for order in orders:
        assert (await shop.buy(id=order)).status == 201
    token = await token_of(shop)
    page = Read((await look(shop, token)).text)
    (older,) = {has["href"] for tag, has in page.elements if tag == "a" and "cursor=" in (has.get("href") or "")}
    assert older is not None
    following = Read((await look(shop, token, older)).text)
    told = f"{page.text}\n{following.text}"
    assert [order for order in orders if told.count(f"Purchase {order}\n") != 1] == []


async def test_a_reward_is_redeemed_once_however_often_its_form_is_sent(shop: Shop) -> None:
    made = await settle_in(shop)
    token = await token_of(shop)
    before = (await shop.balance("c-42"))["available"]
    form = Read((await look(shop, token)).text).form("/portal/redeem", reward_id=made["reward_id"])
    first, again = [await send(shop, token, form) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"]
    page = await follow(shop, token, first)
    assert "Geschafft! Der Gutschein liegt unten bereit." in page.text
    assert (await shop.balance("c-42"))["available"] == before - 100
    assert [tag for tag, has in page.elements if tag == "code" and has.get("class") == "code"] == ["code"]
    other = Read((await look(shop, token)).text).form("/portal/redeem", reward_id=made["reward_id"])
    assert other.fields["key"] != form.fields["key"]


async def test_a_game_is_played_and_tells_what_was_won(shop: Shop) -> None:
    made = await settle_in(shop)
    token = await token_of(shop)
    form = Read((await look(shop, token)).text).form("/portal/play", game_id=made["campaign_id"])
    first, again = [await send(shop, token, form) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"]
    page = await follow(shop, token, first)
    assert "Sie haben gewonnen!" in page.text or "Diesmal leider nichts." in page.text
    assert "heute noch 2 Mal" in page.text


async def test_what_cant_be_done_is_told_on_the_page(shop: Shop) -> None:
    made = await settle_in(shop)
    token = await token_of(shop)
    page = Read((await look(shop, token)).text)
    redeem, play = page.form("/portal/redeem"), page.form("/portal/play")
    dear = await make_reward(shop, "A castle", 10**9)
    redeem.fields |= {"reward_id": dear, "key": "k-1"}
    assert "nicht genug Punkte" in (await follow(shop, token, await send(shop, token, redeem))).text
    for reward_id in ("", "rwd_x", "rwd_00000000000070008000000000000000", made["campaign_id"]):
        redeem.fields |= {"reward_id": reward_id, "key": unique("key")}
        assert "nicht mehr angeboten" in (await follow(shop, token, await send(shop, token, redeem))).text
    await allow(shop, name="Tea & Co.")
    for form in (redeem, play):
        form.fields["key"] = unique("key")
        assert "auf dieser Seite nicht" in (await follow(shop, token, await send(shop, token, form))).text
    assert Read((await look(shop, token)).text).forms[-1].action == "/portal/leave"


async def test_a_token_that_only_reads_shows_no_buttons(shop: Shop) -> None:
    await settle_in(shop)
    page = Read((await look(shop, await token_of(shop, read_only=True))).text)
    assert {each.action for each in page.forms} == {"/portal/leave"}


async def test_forged_forms_do_nothing(shop: Shop) -> None:
    made = await settle_in(shop)
    await shop.buy(customer_id="c-43", total=50_000)
    token, other = await token_of(shop), await token_of(shop, "c-43")
    before = await shop.balance("c-42")
    form = Read((await look(shop, token)).text).form("/portal/redeem", reward_id=made["reward_id"])
    others = Read((await look(shop, other)).text).form("/portal/redeem", reward_id=made["reward_id"])
    proof = form.fields["form"]
    assert others.fields["form"] != proof
    for wrong in ("", "x", "ä", proof[:-1], proof.upper() + "0", others.fields["form"]):
        form.fields["form"] = wrong
        assert (await send(shop, token, form)).status == 403
    form.fields["form"] = proof
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "", "Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "", "Origin": "evil"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/json"},
    ):
        assert (await send(shop, token, form, **headers)).status == 403, headers
    form.fields["key"] = ""
    assert (await send(shop, token, form)).status == 403
    form.fields["key"] = "k"
    assert (await send(shop, None, form)).status == 401
    assert await shop.balance("c-42") == before
    answer = await send(shop, token, form, Sec_Fetch_Site="", Origin=shop.address)
    assert answer.status == 303
    assert (await shop.balance("c-42"))["available"] == before["available"] - 100


async def test_only_this_session_can_say_what_was_done(shop: Shop) -> None:
    await shop.buy()
    token = await token_of(shop)
    plain = Read((await look(shop, token)).text).text
    for done in ("redeemed", "redeemed~", "won~999~~x", "won", "%00", "a" * 3000, "~~~~", "nothing~%C3%A4"):
        assert Read((await look(shop, token, f"/portal?done={done}")).text).text == plain


async def test_leaving_ends_the_session_in_this_browser(shop: Shop) -> None:
    await shop.buy()
    token = await token_of(shop)
    left = await send(shop, token, Read((await look(shop, token)).text).form("/portal/leave"))
    assert left.status == 303
    assert left.headers["set-cookie"].startswith(f"{COOKIE}=; Path=/; Max-Age=0;")
    page = await look(shop, None, left.headers["location"])
    assert "You have left." in Read(page.text).text


async def test_what_a_form_leads_to_can_be_opened_by_hand(shop: Shop) -> None:
    for path in ("/portal/redeem", "/portal/play", "/portal/leave"):
        answer = await look(shop, None, path)
        assert (answer.status, answer.headers["location"]) == (303, "/portal")


async def test_colours_and_files_are_the_same_for_everybody(shop: Shop) -> None:
    sheet = await look(shop, None, "/portal/theme/1f6f54.css")
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "--fill:#1f6f54;" in sheet.text
    assert sheet.headers["cache-control"] == "public, max-age=300"
    for name in ("1f6f54", "1f6f54.js", "1f6f5.css", "%231f6f54.css", "red;.css", "..%2F..%2Fetc%2Fpasswd"):
        assert (await look(shop, None, f"/portal/theme/{name}")).status == 404
        assert (await look(shop, None, f"/portal/assets/{name}")).status == 404


async def test_the_logo_is_served_to_who_has_a_session(shop: Shop) -> None:
    await shop.buy()
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    token = await token_of(shop)
    assert (await look(shop, token, "/portal/logo")).status == 404
    await allow(shop, logo=f"data:image/png;base64,{png}")
    page = Read((await look(shop, token)).text)
    (address,) = (has["src"] for tag, has in page.elements if tag == "img")
    got = await look(shop, token, address or "")
    assert (got.status, got.headers["content-type"]) == (200, "image/png")
    assert got.headers["cache-control"] == "private, max-age=86400"


@pytest.mark.parametrize("text", INJECTIONS)
async def test_nothing_that_somebody_named_becomes_markup(shop: Shop, text: str) -> None:
    made = await settle_in(shop)
    await allow(shop, name=text[:80], may_redeem=True, may_play=True)
    named = await shop.call("PUT", "/v1/customers/c-42", {"name": text}, role=Role.ADMIN)
    assert named.status == 200, named.text
    printable = text.encode("ascii", "ignore").decode()
    assert (await shop.buy(id=printable, total=50_000)).status == 201
    gives = {"kind": "experience", "description": text, "place": text}
    reward_id = await make_reward(shop, text, 100, gives=gives, codes="third_party", voucher={"categories": [text]})
    loaded = await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": [printable]}, Role.ADMIN)
    assert loaded.status in {200, 201}, loaded.text
    token = await token_of(shop)
    before = Read((await look(shop, token)).text)
    done = await send(shop, token, before.form("/portal/redeem", reward_id=reward_id))
    page = await follow(shop, token, done)
    assert page.text.count(text) >= 4
    assert f"Einkauf {printable}" in page.text
    assert made["reward_id"] != reward_id
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"iframe", "base", "style", "object", "embed", "textarea"}
    assert [has.get("src", "").partition("?")[0] for tag, has in page.elements if tag == "script"] == [  # type: ignore[union-attr]
        "/portal/assets/portal.js"
    ]
    for tag, has in page.elements:
        assert not [name for name in has if name.startswith("on") or name in {"style", "srcdoc", "http-equiv"}]
        assert not (has.get("href") or "").lower().startswith("javascript:"), tag
    assert {each.action for each in page.forms} <= {"/portal/redeem", "/portal/play", "/portal/leave"}
