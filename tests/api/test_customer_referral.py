"""What a customer has to bring others with: codes, links, and numbers of what became of them."""

import asyncio
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from service.referrals.codes.links import qr_svg
from tests.api.test_referrals import claim, claimed, code_of, enrol, kept_answers, new_code, offer, told_alike
from tests.conftest import NewShop
from tests.jobs import judge_referrals
from tests.shop import Answer, Shop, unique
from tests.tiers import set_tiers

CODE = r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{3}"
NONE = dict.fromkeys(
    ("signed_up", "qualified", "waiting", "in_review", "rewarded", "refused", "expired", "reversed"), 0
)


async def shown(shop: Shop, customer: str, role: Role = Role.PORTAL) -> dict[str, Any]:
    answer = await shop.get(f"/v1/customers/{customer}/referral", role)
    assert answer.status == 200, answer.text
    return answer.body


async def close(shop: Shop, customer: str, *, query: str = "", key: str | None = None, **content: Any) -> Answer:
    path = f"/v1/customers/{customer}/referral/code/close{query}"
    return await shop.post(path, content, Role.MARKETER, Idempotency_Key=key or unique("key"))


# Codes and links


async def test_every_customer_has_a_code_a_link_and_a_picture_of_it(shop: Shop) -> None:
    await enrol(shop, "anna", "ben")
    first = await shown(shop, "anna")
    assert first["customer_id"] == "anna"
    assert first["link"] is None
    assert first["qr"] == qr_svg(first["code"])
    assert first == await shown(shop, "anna"), "the code stays"
    assert (await shown(shop, "ben"))["code"] != first["code"]
    link = {"settings": {"referral_link": "https://shop.example/?a=b#top"}}
    assert (await shop.call("PATCH", "/v1/program", link, role=Role.ADMIN)).status == 200
    linked = await shown(shop, "anna")
    assert linked["link"] == f"https://shop.example/?a=b&ref={first['code']}#top"
    assert linked["qr"] == qr_svg(linked["link"])
    assert ET.fromstring(linked["qr"]).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - it is ours
    assert linked["offers"] == [
        {
            "id": "default",
            "name": "Referrals are followed",
            "campaign": None,
            "code": first["code"],
            "link": linked["link"],
            "referrer": None,
            "referee": None,
            "qualification": {"kind": "purchase", "number": 1, "minimum": {}},
            "window_days": 30,
            "waiting_days": 14,
            "steps": [],
            "ends_at": None,
        }
    ]
    assert linked["counts"] == NONE
    assert (linked["clicks"], linked["points_earned"], linked["points_waiting"]) == (0, 0, 0)
    assert (linked["referred_by"], linked["referrals"]) == (None, [])


async def test_a_code_is_made_once_also_when_many_look_at_once(shop: Shop) -> None:
    for number in range(5):
        customer = f"c-{number}"
        await enrol(shop, customer)
        await offer(shop, id=f"spring-{number}", campaign=f"spring {number}")
        answers = await asyncio.gather(*(shop.get(f"/v1/customers/{customer}/referral") for _ in range(12)))
        assert {each.status for each in answers} == {200}
        assert len({str([each["code"] for each in answer.body["offers"]]) for answer in answers}) == 1
        assert len(answers[0].body["offers"]) == number + 1


async def test_a_customer_who_is_unknown_or_anothers_has_nothing(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    await enrol(other, "olga")
    for customer in ("nobody", "olga", "%20"):
        told = [
            await shop.get(f"/v1/customers/{customer}/referral", Role.PORTAL),
            await new_code(shop, customer),
            await close(shop, customer),
            await shop.call("PUT", f"/v1/customers/{customer}/marks", {"device": "x"}),
        ]
        assert {(each.status, each.code) for each in told} == {(404, "not_found")}
        assert told_alike(told)


async def test_what_a_customer_can_offer_hangs_on_the_tier_and_campaigns_have_codes_of_their_own(shop: Shop) -> None:
    await set_tiers(shop)
    await offer(shop)
    await offer(
        shop,
        id="for-gold",
        name="Gold brings friends",
        referrer={"kind": "points", "points": 900},
        minimum_tier="gold",
        priority=5,
        steps=[{"number": 3, "points": 1_000}],
    )
    await offer(shop, id="spring", campaign="spring 2026", ends_at="2999-01-01T00:00:00Z")
    await offer(
        shop, id="over", campaign="last year", valid_from="2020-01-01T00:00:00Z", ends_at="2021-01-01T00:00:00Z"
    )
    await shop.buy(customer_id="anna", total=5_000)
    await shop.buy(customer_id="goldie", total=120_000)
    of_anna, of_goldie = await shown(shop, "anna"), await shown(shop, "goldie")
    assert {each["id"]: each["campaign"] for each in of_anna["offers"]} == {"friends": None, "spring": "spring 2026"}
    assert {each["id"] for each in of_goldie["offers"]} == {"for-gold", "spring"}
    gold, spring = of_goldie["offers"]
    assert (gold["referrer"], gold["steps"]) == ({"kind": "points", "points": 900}, [{"number": 3, "points": 1_000}])
    assert gold["code"] == of_goldie["code"] != spring["code"]
    assert spring["ends_at"] == "2999-01-01T00:00:00Z"
    for code, name in ((gold["code"], "for-gold"), (spring["code"], "spring"), (of_anna["code"], "friends")):
        assert (await claim(shop, code, unique("referee"))).body["offer"] == name


async def test_where_nothing_is_offered_there_is_no_code(shop: Shop) -> None:
    await enrol(shop, "anna")
    before = await shown(shop, "anna")
    await offer(shop, valid_from="2020-01-01T00:00:00Z", ends_at="2021-01-01T00:00:00Z")
    told = await shown(shop, "anna")
    assert (told["code"], told["link"], told["qr"], told["offers"]) == (None, None, None, [])
    assert (await claim(shop, before["code"], "ben")).status == 422
    await offer(shop, id="again")
    assert (await shown(shop, "anna"))["code"] == before["code"]


# What became of it


async def test_a_customer_sees_numbers_and_nobodys_name(shop: Shop) -> None:
    await offer(shop, qualification={"kind": "purchase", "minimum": {"EUR": 2_000}})
    await offer(shop, id="patient", campaign="patience", waiting_days=14, referrer={"kind": "points", "points": 300})
    await enrol(shop, "anna", "granny")
    await claimed(shop, await code_of(shop, "granny"), "anna")
    first = await shown(shop, "anna")
    patient = next(each["code"] for each in first["offers"] if each["id"] == "patient")
    signed_up = await claimed(shop, first["code"], "ref-a")
    refused = await claimed(shop, first["code"], "ref-b")
    await shop.post(f"/v1/referrals/{refused}/refuse", {}, Role.MARKETER, Idempotency_Key=unique("key"))
    bought = [
        (await shop.buy(customer_id=f"ref-{number}", total=5_000, referral_code=code)).body["referral"]["id"]
        for number, code in enumerate((first["code"], first["code"], patient))
    ]
    assert (await shown(shop, "anna"))["points_waiting"] == 500 + 500 + 300, "also what nobody has looked at yet"
    assert shop.database is not None
    await judge_referrals(shop.database)
    told = await shown(shop, "anna")
    assert told["counts"] == NONE | {"signed_up": 1, "refused": 1, "rewarded": 2, "waiting": 1}
    assert (told["points_earned"], told["points_waiting"]) == (1_000, 300)
    assert told["referred_by"]["status"] == "signed_up"
    assert [each["id"] for each in told["referrals"]] == [*bought[::-1], refused, signed_up]
    assert [each["points"] for each in told["referrals"]] == [0, 500, 500, 0, 0]
    assert [each["rewarded_at"] is not None for each in told["referrals"]] == [False, True, True, False, False]
    assert set(told["referrals"][0]) == {"id", "status", "claimed_at", "rewarded_at", "points"}
    assert "ref-a" not in str(told)
    assert "ref-0" not in str(told)
    came = await shown(shop, "ref-0")
    assert came["referred_by"] == {"id": bought[0], "status": "rewarded"}
    assert came["counts"] == NONE


async def test_of_many_referrals_the_newest_twenty_are_shown_and_all_are_counted(shop: Shop) -> None:
    await enrol(shop, "anna")
    code = await code_of(shop, "anna")
    ids = [await claimed(shop, code, f"referee-{number}") for number in range(23)]
    told = await shown(shop, "anna")
    assert told["counts"] == NONE | {"signed_up": 23}
    assert [each["id"] for each in told["referrals"]] == ids[:2:-1]


async def test_two_records_that_became_one_have_the_referrals_clicks_and_codes_of_both(shop: Shop) -> None:
    await offer(shop)
    await enrol(shop, "anna", "twin")
    codes = [await code_of(shop, each) for each in ("anna", "twin")]
    for number, code in enumerate(codes):
        await claimed(shop, code, f"referee-{number}")
        await shop.post("/v1/referrals/clicks", {"code": code})
    merged = await shop.post("/v1/customers/twin/merge", {"into": "anna"}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert merged.status == 200, merged.text
    for name in ("anna", "twin"):
        told = await shown(shop, name)
        assert (told["customer_id"], told["code"]) == ("anna", codes[0])
        assert (told["counts"], told["clicks"]) == (NONE | {"signed_up": 2}, 2)
        assert len(told["referrals"]) == 2
    await claimed(shop, codes[1], "another")
    assert (await close(shop, "anna")).status == 200
    assert [(await claim(shop, code, "one-more")).status for code in codes] == [422, 422]


async def test_of_two_records_codes_either_can_be_chosen(shop: Shop) -> None:
    await enrol(shop, "anna", "twin")
    codes = [await code_of(shop, each) for each in ("anna", "twin")]
    await shop.post("/v1/customers/twin/merge", {"into": "anna"}, Role.ADMIN, Idempotency_Key=unique("key"))
    for chosen, other in ((1, 0), (0, 1)):
        assert (await new_code(shop, "anna", code=codes[chosen])).status == 201
        assert await code_of(shop, "anna") == codes[chosen]
        assert (await claim(shop, codes[other], unique("referee"))).status == 422
        assert (await claim(shop, codes[chosen], unique("referee"))).status == 201


# Codes that the program replaces, sets and closes


async def test_a_replaced_code_is_random_and_the_old_one_is_of_no_use(shop: Shop) -> None:
    await enrol(shop, "anna")
    old = await code_of(shop, "anna")
    made = await new_code(shop, "anna")
    assert (made.status, made.body["customer_id"], made.body["vanity"], made.body["offer"]) == (
        201,
        "anna",
        False,
        None,
    )
    assert made.body["code"] == await code_of(shop, "anna") != old
    assert ((await claim(shop, old, "ben")).status, (await claim(shop, made.body["code"], "ben")).status) == (422, 201)


async def test_a_code_that_the_program_sets_is_found_however_it_is_typed_and_is_taken_for_all_others(
    shop: Shop, new_shop: NewShop
) -> None:
    await enrol(shop, "anna", "bea")
    made = await new_code(shop, "anna", code="Anna-2O")
    assert (made.status, made.body["code"], made.body["vanity"]) == (201, "ANNA-2O", True)
    assert await code_of(shop, "anna") == "ANNA-2O"
    assert (await claim(shop, "anna20", "ben")).status == 201
    for each in ("anna20", "ANNA-20", "A-N-N-A-2-0", await code_of(shop, "anna")):
        taken = await new_code(shop, "bea", code=each)
        assert (taken.status, taken.code) == (409, "referral_code_taken")
    assert (await close(shop, "anna")).status == 200
    assert (await new_code(shop, "bea", code="ANNA20")).code == "referral_code_taken", "closed ones are taken, too"
    other = await new_shop()
    await enrol(other, "olga")
    assert (await new_code(other, "olga", code="ANNA20")).status == 201, "another program has codes of its own"


async def test_of_two_who_want_one_code_at_once_one_has_it(shop: Shop) -> None:
    names = [f"c-{number}" for number in range(8)]
    await enrol(shop, *names)
    answers = await asyncio.gather(*(new_code(shop, name, code="SUMMER") for name in names))
    assert sorted(each.status for each in answers) == [201] + [409] * 7


async def test_a_customer_is_given_an_own_code_back(shop: Shop) -> None:
    await enrol(shop, "anna", "bea")
    first = await code_of(shop, "anna")
    assert (await new_code(shop, "anna", code="ANNA20")).status == 201
    same = await new_code(shop, "anna", code="anna-20")
    assert (same.status, same.body["code"]) == (200, "ANNA20"), "what is asked for is so already"
    assert (await new_code(shop, "anna")).status == 201
    assert (await claim(shop, "ANNA20", "ben")).status == 422
    for code in ("ANNA20", first):
        back = await new_code(shop, "anna", code=code)
        assert (back.status, back.body["code"]) == (201, code)
        assert await code_of(shop, "anna") == code
        assert (await claim(shop, code, unique("referee"))).status == 201
    assert (await shown(shop, "anna"))["counts"]["signed_up"] == 2


async def test_a_closed_code_is_of_no_use_and_none_comes_by_itself(shop: Shop) -> None:
    await enrol(shop, "anna", "never-looked")
    code = await code_of(shop, "anna")
    its_id = await claimed(shop, code, "ben")
    for _ in range(2):
        closed = await close(shop, "anna")
        assert (closed.status, closed.body) == (
            200,
            {"customer_id": "anna", "offer": None, "code": None, "vanity": False},
        )
        told = await shown(shop, "anna")
        assert (told["code"], told["link"], told["qr"], told["offers"][0]["code"]) == (None, None, None, None)
    assert (await claim(shop, code, "cleo")).status == 422
    assert (await shop.get(f"/v1/referrals/{its_id}")).body["status"] == "signed_up", "who came stays"
    assert (await close(shop, "never-looked")).status == 200
    assert await code_of(shop, "never-looked") is None
    anew = await new_code(shop, "anna")
    assert await code_of(shop, "anna") == anew.body["code"] != code


async def test_codes_of_campaigns_are_replaced_set_and_closed_by_themselves(shop: Shop) -> None:
    await offer(shop)
    await offer(shop, id="spring", campaign="spring")
    await enrol(shop, "anna")

    async def codes() -> list[str | None]:
        return [each["code"] for each in (await shown(shop, "anna"))["offers"]]

    own, spring = await codes()
    assert (await new_code(shop, "anna", offer="spring", code="SPRING")).body["offer"] == "spring"
    assert await codes() == [own, "SPRING"]
    assert (await claim(shop, spring or "", "ben")).status == 422
    assert (await claim(shop, "spring", "ben")).body["offer"] == "spring"
    for taken in (await new_code(shop, "anna", code="SPRING"), await new_code(shop, "anna", code=spring)):
        assert taken.code == "referral_code_taken", "it stands for the campaign"
    assert (await close(shop, "anna", offer="spring")).status == 200
    assert await codes() == [own, None]
    for name in ("friends", "default", "nothing"):
        assert (await new_code(shop, "anna", offer=name)).pointer == "/offer"
        assert (await close(shop, "anna", offer=name)).pointer == "/offer"
    assert await codes() == [own, None]


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"code": "abc"}, "/code"),
        ({"code": "A" * 33}, "/code"),
        ({"code": "ANNA 20"}, "/code"),
        ({"code": "-ANNA"}, "/code"),
        ({"code": "ANNA--20"}, "/code"),
        ({"code": "ÄNNA"}, "/code"),
        ({"code": "ANNA20\n"}, "/code"),
        ({"code": ""}, "/code"),
        ({"code": 1234}, "/code"),
        ({"offer": ""}, "/offer"),
        ({"link": "x"}, "/link"),
    ],
)
async def test_a_code_that_cant_be_is_refused_with_a_pointer(shop: Shop, content: dict[str, Any], pointer: str) -> None:
    await enrol(shop, "anna")
    assert (await new_code(shop, "anna", **content)).pointer == pointer


async def test_a_new_code_is_told_again_under_its_key_and_kept_in_no_answer(shop: Shop, owner: Db) -> None:
    await enrol(shop, "anna", "bea")
    for content in ({}, {"code": "ANNA20"}):
        key = unique("key")
        first = await new_code(shop, "anna", key=key, **content)
        again = await new_code(shop, "anna", key=key, **content)
        assert (again.status, again.body, again.replayed) == (201, first.body, True)
        assert await code_of(shop, "anna") == first.body["code"]
    reused = await new_code(shop, "bea", key=key, code="ANNA20")
    assert (reused.status, reused.body["errors"][0]["code"]) == (422, "idempotency_key_reused")
    closed = unique("key")
    assert [(await close(shop, "anna", key=closed)).replayed for _ in range(2)] == [False, True]
    assert (await new_code(shop, "anna", key=key, code="ANNA20")).body["code"] == "ANNA20"
    assert "ANNA20" not in await kept_answers(owner, shop)
    missing = await shop.post("/v1/customers/anna/referral/code", {}, Role.MARKETER)
    assert (missing.status, missing.code) == (400, "idempotency_key_missing")
    assert (await shop.call("DELETE", "/v1/customers/anna", role=Role.ADMIN)).status == 200
    erased = await new_code(shop, "anna", key=key, code="ANNA20")
    assert (erased.status, erased.body["code"]) == (201, None), "what may be worded after somebody is gone"


async def test_a_dry_run_makes_and_closes_no_code(shop: Shop) -> None:
    await enrol(shop, "anna", "bea")
    code = await code_of(shop, "anna")
    tried = await new_code(shop, "anna", query="?dry_run=true", code="ANNA20")
    assert (tried.status, tried.body["code"]) == (200, "ANNA20")
    tried = await new_code(shop, "anna", query="?dry_run=true")
    assert (tried.status, tried.body["code"]) == (200, None), "the one that will be drawn is another one"
    assert (await close(shop, "anna", query="?dry_run=true")).status == 200
    assert await code_of(shop, "anna") == code
    assert (await new_code(shop, "bea", code="ANNA20")).status == 201


async def test_an_export_names_codes_and_referrals_and_nobody_else(shop: Shop) -> None:
    await enrol(shop, "anna")
    await claimed(shop, await code_of(shop, "anna"), "ref-a")
    await new_code(shop, "anna", code="ANNA20")
    exported = (await shop.get("/v1/customers/anna/export", Role.SUPPORT)).body["records"]
    assert [each["vanity"] for each in exported["referral_codes"]] == [True, False]
    assert [each["closed_at"] is None for each in exported["referral_codes"]] == [True, False]
    assert [each["referrer_id"] for each in exported["referrals"]] == ["anna"]
    assert "ref-a" not in str(exported)
