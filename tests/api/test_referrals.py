"""Referrals over HTTP: what can't be told apart, what is refused and where, what a repetition and a dry run do."""

import asyncio
import json
from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.api.test_access import compared
from tests.conftest import NewShop
from tests.jobs import judge_referrals
from tests.shop import Answer, Shop, unique

REFERRALS = "/v1/referrals"
OFFER: dict[str, Any] = {
    "id": "friends",
    "state": "active",
    "name": "Bring a friend",
    "referrer": {"kind": "points", "points": 500},
    "referee": {"kind": "points", "points": 200},
    "waiting_days": 0,
}


async def offer(shop: Shop, **changes: Any) -> dict[str, Any]:
    made = await shop.post("/v1/referral-offers", OFFER | changes, Role.MARKETER)
    assert made.status == 201, made.text
    return made.body


async def enrol(shop: Shop, *customers: str) -> None:
    for each in customers:
        assert (await shop.call("PUT", f"/v1/customers/{each}", {})).status == 201


async def code_of(shop: Shop, customer: str) -> str:
    answer = await shop.get(f"/v1/customers/{customer}/referral", Role.PORTAL)
    assert answer.status == 200, answer.text
    return answer.body["code"]


async def claim(shop: Shop, code: str, referee: str, *, query: str = "", key: str | None = None, **more: Any) -> Answer:
    body = {"code": code, "referee_id": referee} | more
    return await shop.post(f"{REFERRALS}{query}", body, Idempotency_Key=key or unique("key"))


async def claimed(shop: Shop, code: str, referee: str) -> str:
    answer = await claim(shop, code, referee)
    assert answer.status == 201, answer.text
    return answer.body["id"]


async def new_code(shop: Shop, customer: str, *, query: str = "", key: str | None = None, **content: Any) -> Answer:
    path = f"/v1/customers/{customer}/referral/code{query}"
    return await shop.post(path, content, Role.MARKETER, Idempotency_Key=key or unique("key"))


def told_alike(answers: list[Answer]) -> bool:
    """Tell whether answers are the same to the byte, but for the request's id, and in all headers."""
    return len({str(compared(each)) for each in answers}) == 1


async def kept_answers(owner: Db, shop: Shop) -> str:
    rows = await owner.fetch("SELECT answer::text FROM command WHERE program_id = $1", shop.program.id)
    return "\n".join(row["answer"] for row in rows)


# Who can't be claimed


async def test_codes_that_cant_be_used_are_told_alike_whatever_the_reason(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    await offer(shop)
    await offer(other)
    await enrol(shop, "anna", "bea", "eve", "new")
    await enrol(other, "olga")
    mine, hers, foreign = await code_of(shop, "anna"), await code_of(shop, "bea"), await code_of(other, "olga")
    await shop.buy(customer_id="old")
    await claimed(shop, mine, "came")
    await claimed(shop, hers, "anna")
    closed = await code_of(shop, "eve")
    assert (await new_code(shop, "eve")).status == 201
    tried = {
        "guessed": ("7KQM-2XRA-9TD", "new"),
        "no code at all": ("?", "new"),
        "empty": ("", "new"),
        "foreign": (foreign, "new"),
        "closed": (closed, "new"),
        "one's own": (mine, "anna"),
        "used by the same": (mine, "came"),
        "used by another's": (hers, "came"),
        "of whom one brought": (mine, "bea"),
        "of an old customer": (mine, "old"),
    }
    answers = {why: await claim(shop, *each) for why, each in tried.items()}
    assert {answer.status for answer in answers.values()} == {422}
    assert told_alike([*answers.values()]), answers
    dry = [await claim(shop, *each, query="?dry_run=true") for each in tried.values()]
    assert told_alike([*answers.values(), *dry])
    assert answers["guessed"].pointer == "/code"
    assert (await claim(shop, mine, "new")).status == 201, "and one that can is"


async def test_purchases_tell_codes_that_cant_be_used_alike(shop: Shop) -> None:
    await enrol(shop, "anna", "eve")
    mine, closed = await code_of(shop, "anna"), await code_of(shop, "eve")
    assert (await new_code(shop, "eve")).status == 201
    await shop.buy(customer_id="old")
    for code, customer in (("7KQM-2XRA-9TD", "x"), ("?", "y"), (closed, "z"), (mine, "anna"), (mine, "old")):
        bought = await shop.buy(customer_id=customer, referral_code=code)
        assert (bought.status, bought.body["referral"]) == (201, {"status": "refused"}), (code, customer)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"code": None}, "/code"),
        ({"code": 7}, "/code"),
        ({"code": "x" * 129}, "/code"),
        ({"code": "\x00"}, "/code"),
        ({"code": ...}, "/code"),
        ({"referee_id": ""}, "/referee_id"),
        ({"referee_id": " x"}, "/referee_id"),
        ({"referee_id": "x" * 129}, "/referee_id"),
        ({"marks": None}, "/marks"),
        ({"marks": {"phone": "x"}}, "/marks/phone"),
        ({"marks": {"device": ""}}, "/marks/device"),
        ({"marks": {"address": "x" * 501}}, "/marks/address"),
        ({"more": 1}, "/more"),
    ],
)
async def test_a_claim_that_means_nothing_is_refused_with_a_pointer(
    shop: Shop, changes: dict[str, Any], pointer: str
) -> None:
    body = {"code": "7KQM-2XRA-9TD", "referee_id": "ben"} | changes
    sent = {name: value for name, value in body.items() if value is not ...}
    refused = await shop.post(REFERRALS, sent, Idempotency_Key=unique("key"))
    assert refused.pointer == pointer


async def test_a_claim_is_repeated_under_its_key_and_by_no_other_request(shop: Shop, owner: Db) -> None:
    await enrol(shop, "anna@example.org")
    code, key = await code_of(shop, "anna@example.org"), unique("key")
    first = await claim(shop, code, "ben@example.org", key=key)
    assert (first.status, first.body["referrer_id"], first.body["referee_id"]) == (
        201,
        "anna@example.org",
        "ben@example.org",
    )
    again = await claim(shop, code, "ben@example.org", key=key)
    assert (again.status, again.body, again.replayed) == (201, first.body, True)
    other = await claim(shop, code, "someone", key=key)
    assert (other.status, other.body["errors"][0]["code"]) == (422, "idempotency_key_reused")
    missing = await shop.post(REFERRALS, {"code": code, "referee_id": "x"})
    assert (missing.status, missing.code) == (400, "idempotency_key_missing")
    reviewed = unique("key")
    path = f"{REFERRALS}/{first.body['id']}/refuse"
    refused = await shop.post(path, {}, Role.MARKETER, Idempotency_Key=reviewed)
    assert (refused.status, refused.body["referrer_id"], refused.body["reason"]) == (
        200,
        "anna@example.org",
        "by_hand",
    )
    assert (await shop.post(path, {}, Role.MARKETER, Idempotency_Key=reviewed)).body == refused.body
    assert "example.org" not in await kept_answers(owner, shop), "names are personal data, which outlive no erasure"


async def test_a_dry_run_claims_nobody(shop: Shop) -> None:
    await enrol(shop, "anna", "ben")
    code = await code_of(shop, "anna")
    for referee in ("ben", "not-enrolled-yet"):
        tried = await claim(shop, code, referee, query="?dry_run=true")
        assert (tried.status, tried.body["status"], tried.body["referee_id"]) == (200, "signed_up", referee)
        assert (await shop.get(f"{REFERRALS}/{tried.body['id']}")).status == 404
    assert (await shop.get(REFERRALS, Role.MARKETER)).body["data"] == []
    assert (await claim(shop, code, "ben")).status == 201


async def test_only_who_reviews_is_told_why(shop: Shop) -> None:
    await offer(shop)
    await enrol(shop, "anna")
    its_id = await claimed(shop, await code_of(shop, "anna"), "ben")
    path = f"{REFERRALS}/{its_id}"
    await shop.post(f"{path}/refuse", {}, Role.MARKETER, Idempotency_Key=unique("key"))
    for role, reason in ((Role.MARKETER, "by_hand"), (Role.SUPPORT, "by_hand"), (Role.CHECKOUT, None)):
        told = (await shop.get(path, role)).body
        assert (told["status"], told["reason"]) == ("refused", reason), role
        assert (told["reviewed_at"] is None) == (reason is None)


async def test_the_list_is_newest_first_and_of_one_state_where_that_is_asked_for(shop: Shop) -> None:
    await enrol(shop, "anna")
    code = await code_of(shop, "anna")
    ids = [await claimed(shop, code, f"referee-{number}") for number in range(5)]
    await shop.post(f"{REFERRALS}/{ids[2]}/refuse", {}, Role.MARKETER, Idempotency_Key=unique("key"))

    async def listed(query: str) -> list[str]:
        found, cursor = list[str](), ""
        while True:
            page = (await shop.get(f"{REFERRALS}?limit=2{query}{cursor}", Role.ANALYST)).body
            found += [each["id"] for each in page["data"]]
            if not page["has_more"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    assert await listed("") == ids[::-1]
    assert await listed("&status=signed_up") == [ids[4], ids[3], ids[1], ids[0]]
    assert await listed("&status=refused") == [ids[2]]
    assert await listed("&status=expired") == []
    assert (await shop.get(f"{REFERRALS}?status=clicked", Role.ANALYST)).pointer == "?status"


async def test_what_was_decided_otherwise_is_409_and_what_was_decided_so_is_200(shop: Shop) -> None:
    await offer(shop)
    await enrol(shop, "anna")
    code = await code_of(shop, "anna")
    its_id = await claimed(shop, code, "ben")

    async def review(verb: str) -> Answer:
        return await shop.post(f"{REFERRALS}/{its_id}/{verb}", {}, Role.MARKETER, Idempotency_Key=unique("key"))

    early = await review("approve")
    assert (early.status, early.code) == (409, "referral_not_open")
    assert [(await review("refuse")).status for _ in range(2)] == [200, 200]
    assert ((await review("approve")).status, (await review("approve")).code) == (409, "referral_not_open")
    its_id = (await shop.buy(customer_id="cleo", referral_code=code)).body["referral"]["id"]
    assert [(await review("approve")).status for _ in range(2)] == [200, 200]
    assert shop.database is not None
    await judge_referrals(shop.database)
    assert (await shop.get(f"{REFERRALS}/{its_id}")).body["status"] == "rewarded"
    assert ((await review("approve")).status, (await review("refuse")).status) == (200, 409)


# Offers


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"referrer": {"kind": "points", "points": 0}}, "/referrer/points"),
        ({"referrer": {"kind": "money", "points": 5}}, "/referrer/kind"),
        ({"referee": {"kind": "reward", "reward_id": "mug"}}, "/referee/reward_id"),
        ({"qualification": {"kind": "purchase", "number": 0}}, "/qualification/number"),
        ({"qualification": {"kind": "purchase", "minimum": {"XXX": 5}}}, "/qualification/minimum/XXX"),
        ({"qualification": {"kind": "spend", "amounts": {}}}, "/qualification/amounts"),
        ({"qualification": {"kind": "spend", "amounts": {"QQQ": 5}}}, "/qualification/amounts/QQQ"),
        ({"qualification": {"kind": "activity"}}, "/qualification/type"),
        ({"window_days": 0}, "/window_days"),
        ({"waiting_days": 91}, "/waiting_days"),
        ({"steps": [{"number": 3, "points": 5}, {"number": 3, "points": 6}]}, "/steps/1/number"),
        ({"limits": [{"every": "month"}]}, "/limits/0"),
        ({"limits": [{"every": "fact", "times": 1}]}, "/limits/0/every"),
        ({"cheating": {"review_from": 60, "refuse_from": 50}}, "/cheating/refuse_from"),
        ({"cheating": {"scores": {"same_device": 101}}}, "/cheating/scores/same_device"),
        ({"id": "default"}, "/id"),
        ({"name": ""}, "/name"),
        ({"nope": 1}, "/nope"),
    ],
)
async def test_an_offer_that_cant_be_is_refused_with_a_pointer(
    shop: Shop, changes: dict[str, Any], pointer: str
) -> None:
    refused = await shop.post("/v1/referral-offers", OFFER | changes, Role.MARKETER)
    assert refused.pointer == pointer, refused.text


# What is used for guessing is answered alike in clicks, too


async def test_a_click_is_answered_alike_for_every_code(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    await enrol(shop, "anna", "eve")
    await enrol(other, "olga")
    mine, closed, foreign = await code_of(shop, "anna"), await code_of(shop, "eve"), await code_of(other, "olga")
    assert (await new_code(shop, "eve")).status == 201
    codes = [mine, mine.lower(), closed, foreign, "7KQM-2XRA-9TD", "?", "", "x" * 128]
    plain = [await shop.post(f"{REFERRALS}/clicks", {"code": code}) for code in codes]
    assert {each.status for each in plain} == {200}
    assert told_alike(plain)
    keyed, repeated = list[Answer](), list[Answer]()
    for code in codes:
        key = unique("key")
        keyed.append(await shop.post(f"{REFERRALS}/clicks", {"code": code}, Idempotency_Key=key))
        repeated.append(await shop.post(f"{REFERRALS}/clicks", {"code": code}, Idempotency_Key=key))
    assert told_alike(plain + keyed)
    assert told_alike(repeated)
    assert repeated[0].replayed
    dry = [await shop.post(f"{REFERRALS}/clicks?dry_run=true", {"code": code}) for code in codes]
    assert told_alike(plain + dry)
    seen = (await shop.get("/v1/customers/anna/referral")).body
    assert seen["clicks"] == 4, "once for each plain call and each key, however it was spelled, and for no dry run"


async def test_clicks_are_counted_by_code_and_day_also_when_many_come_at_once(shop: Shop, owner: Db) -> None:
    await enrol(shop, "anna", "ben")
    code, other = await code_of(shop, "anna"), await code_of(shop, "ben")
    answers = await asyncio.gather(*(shop.post(f"{REFERRALS}/clicks", {"code": code}) for _ in range(60)))
    assert {each.status for each in answers} == {200}
    await shop.post(f"{REFERRALS}/clicks", {"code": other})
    assert [(await shop.get(f"/v1/customers/{each}/referral")).body["clicks"] for each in ("anna", "ben")] == [60, 1]
    days = await owner.fetch(
        "SELECT day, (clock_timestamp() AT TIME ZONE 'UTC')::date AS today FROM referral_click WHERE program_id = $1",
        shop.program.id,
    )
    assert all(0 <= (row["today"] - row["day"]).days <= 1 for row in days)
    assert (await shop.get("/v1/events?limit=200", Role.ADMIN)).text.count("click") == 0


async def test_a_click_that_means_nothing_is_refused_with_a_pointer(shop: Shop) -> None:
    for body, pointer in (({"code": 5}, "/code"), ({"code": "x" * 129}, "/code"), ({"code": "x", "a": 1}, "/a")):
        assert (await shop.post(f"{REFERRALS}/clicks", body)).pointer == pointer
    refused = await shop.call("POST", f"{REFERRALS}/clicks", raw=json.dumps({"code": "x"}).encode() + b"{")
    assert refused.status == 400
