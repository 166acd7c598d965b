"""Each key has a limit, told by every answer; who calls without a valid key is limited by address."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from tests.conftest import NewShop, make_shop, running
from tests.shop import Answer, Shop, purchase, unique
from tests.vouchers import voucher

PATIENCE = 20.0
"""Seconds after which something never happens."""


async def limited(shop: Shop, per_second: int, burst: int, role: str = "admin") -> Shop:
    """Give the shop with a key of a limit of its own."""
    body = {"role": role, "rate_limit": {"per_second": per_second, "burst": burst}}
    made = await shop.post("/v1/api-keys", body, Role.ADMIN)
    assert made.status == 201, made.text
    return replace(shop, keys=dict.fromkeys(Role, made.body["key"]))


async def until_refused(shop: Shop, path: str = "/v1/program") -> Answer:
    async with asyncio.timeout(PATIENCE):
        while (answer := await shop.get(path)).status != 429:
            pass
    return answer


async def until(shop: Shop, status: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await shop.get("/v1/program")).status != status:
            await asyncio.sleep(0.05)


async def test_a_key_without_a_limit_of_its_own_has_the_default_and_every_answer_tells_it(shop: Shop) -> None:
    made = (await shop.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)).body
    assert made["rate_limit"] == {"per_second": 1000, "burst": 2000}
    own = replace(shop, keys=dict.fromkeys(Role, made["key"]))
    json = {"Content-Type": "application/json"}
    answers = {
        201: await own.buy(id="order-1"),
        200: await own.buy(id="order-1"),
        409: await own.buy(id="order-1", total=1),
        404: await own.get("/v1/customers/nobody/balance"),
        403: await own.get("/v1/program"),
        422: await own.buy(total=-1),
        400: await own.call("POST", "/v1/purchases", raw=b"{"),
        413: await own.call("POST", "/v1/purchases", raw=b"x" * 70_000),
        415: await own.call("POST", "/v1/purchases", raw=b"{}", headers=json | {"Content-Type": "text/plain"}),
    }
    for status, answer in answers.items():
        assert answer.status == status
        assert answer.headers["ratelimit-policy"] == '"default";q=2000;w=2'
        name, left, reset = answer.headers["ratelimit"].split(";")
        assert (name, reset) == ('"default"', "t=1")
        assert 0 <= int(left.removeprefix("r=")) <= 2000
    no_key = await shop.call("GET", "/v1/program", role=None)
    for answer in (no_key, await shop.get("/livez"), await shop.get("/v1/nothing")):
        assert "ratelimit" not in answer.headers
        assert "ratelimit-policy" not in answer.headers


@pytest.mark.parametrize(("path", "status"), [("/v1/program", 200), ("/v1/customers/nobody/balance", 404)])
async def test_over_its_limit_a_key_is_refused_on_both_ways_and_goes_on_after_the_wait(
    shop: Shop, path: str, status: int
) -> None:
    own = await limited(shop, 5, 10)
    answers = await asyncio.gather(*(own.get(path) for _ in range(60)))
    assert {answer.status for answer in answers} == {status, 429}
    refused = await until_refused(own, path)
    assert refused.code == "rate_limited"
    wait = int(refused.headers["retry-after"])
    assert wait >= 1
    assert refused.headers["ratelimit-policy"] == '"default";q=10;w=2'
    assert refused.headers["ratelimit"] == f'"default";r=0;t={wait}'
    assert (await shop.get("/v1/program", Role.ADMIN)).status == 200, "another key of the program isn't touched"
    await asyncio.sleep(wait)
    await until(own, 200)


async def test_the_limit_counts_before_rights_and_body(shop: Shop) -> None:
    own = await limited(shop, 1, 2, role="portal")
    async with asyncio.timeout(PATIENCE):
        statuses = [403]
        while statuses[-1] == 403:
            statuses.append((await own.buy()).status)
    assert statuses[-1] == 429, "what isn't allowed is counted, too"
    long_way = {"Content-Type": "application/json; charset=utf-8"}
    await until_refused(own)
    answers = [await own.call("POST", "/v1/purchases", raw=b"{", headers=each) for each in ({}, long_way)]
    assert 429 in {answer.status for answer in answers}
    assert {answer.status for answer in answers} <= {429, 403}


async def test_a_bulk_call_counts_once(shop: Shop) -> None:
    own = await limited(shop, 1, 3)
    batch = {"purchases": [purchase() for _ in range(100)]}
    answer = await own.post("/v1/purchases/batch", batch)
    assert (answer.status, len(answer.body["results"])) == (200, 100)
    assert (await own.get("/v1/program")).status == 200


async def change(shop: Shop, key_id: str, body: Any, query: str = "") -> Answer:
    return await shop.call("PATCH", f"/v1/api-keys/{key_id}{query}", body, role=Role.ADMIN)


async def test_the_limit_of_a_key_is_set_shown_changed_and_inherited(shop: Shop) -> None:
    own, other = {"per_second": 7, "burst": 70}, {"per_second": 10**6, "burst": 10**7}
    default = {"per_second": 1000, "burst": 2000}
    made = (await shop.post("/v1/api-keys", {"role": "portal", "rate_limit": own}, Role.ADMIN)).body
    assert made["rate_limit"] == own
    assert (await shop.get("/v1/api-keys", Role.ADMIN)).body["data"][0]["rate_limit"] == own
    dry = await change(shop, made["id"], {"rate_limit": other}, "?dry_run=true")
    assert (dry.status, dry.body["rate_limit"]) == (200, other)
    assert (await change(shop, made["id"], {})).body["rate_limit"] == own, "nothing was asked for"
    changed = await change(shop, made["id"], {"rate_limit": other})
    assert changed.body == {name: value for name, value in made.items() if name != "key"} | {"rate_limit": other}
    rotated = (await shop.post(f"/v1/api-keys/{made['id']}/rotate", {}, Role.ADMIN)).body
    assert rotated["rate_limit"] == other
    assert (await change(shop, made["id"], {"rate_limit": None})).body["rate_limit"] == default
    listed = (await shop.get("/v1/api-keys", Role.ADMIN)).body["data"]
    assert [each["rate_limit"] for each in listed[:2]] == [other, default]


@pytest.mark.parametrize(
    ("limit", "pointer"),
    [
        ({"per_second": 0, "burst": 1}, "/rate_limit/per_second"),
        ({"per_second": 10**6 + 1, "burst": 10**7}, "/rate_limit/per_second"),
        ({"per_second": 1.5, "burst": 10}, "/rate_limit/per_second"),
        ({"per_second": 10}, "/rate_limit/burst"),
        ({"per_second": 10, "burst": 9}, "/rate_limit/burst"),
        ({"per_second": 10, "burst": 10**7 + 1}, "/rate_limit/burst"),
        ({"per_second": 10, "burst": 10, "per_minute": 1}, "/rate_limit/per_minute"),
        (1000, "/rate_limit"),
    ],
)
async def test_a_limit_that_makes_no_sense_is_pointed_at(shop: Shop, limit: Any, pointer: str) -> None:
    made = (await shop.post("/v1/api-keys", {"role": "portal"}, Role.ADMIN)).body
    body = {"rate_limit": limit}
    assert (await shop.post("/v1/api-keys", {"role": "portal"} | body, Role.ADMIN)).pointer == pointer
    assert (await change(shop, made["id"], body)).pointer == pointer


async def test_a_changed_limit_counts_on_every_process_soon(shop: Shop, settings: Settings) -> None:
    made = (
        await shop.post("/v1/api-keys", {"role": "admin", "rate_limit": {"per_second": 1, "burst": 1}}, Role.ADMIN)
    ).body
    async with running(settings) as another:
        elsewhere = replace(shop, address=another, keys=dict.fromkeys(Role, made["key"]))
        await until_refused(elsewhere)
        assert (await change(shop, made["id"], {"rate_limit": {"per_second": 10**5, "burst": 10**6}})).status == 200
        await until(elsewhere, 200)
        await asyncio.sleep(1)  # until the larger bucket is told to the process and filled
        assert {(await elsewhere.get("/v1/program")).status for _ in range(50)} == {200}


@asynccontextmanager
async def from_address(address: str) -> AsyncGenerator[aiohttp.ClientSession]:
    """Give a client that calls from an address of its own."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0))) as session:
        yield session


def unused_address() -> str:
    return f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"


@pytest.fixture
async def guarded(settings: Settings, database: Database) -> AsyncGenerator[Shop]:
    """Give a shop at a service that lets an address fail three times a minute; the caller has its own address."""
    strict = settings.model_copy(update={"failed_logins_per_minute": 3})
    async with running(strict) as at, from_address(unused_address()) as session:
        yield await make_shop(database, at, session)


async def fail(shop: Shop) -> Answer:
    """Call with a key that nobody has."""
    return await shop.call("GET", "/v1/program", role=None, headers={"Authorization": f"Bearer {new_key(live=False)}"})


async def test_an_address_without_a_valid_key_is_told_to_wait_and_its_neighbours_go_on(guarded: Shop) -> None:
    assert (await guarded.get("/v1/program", Role.ADMIN)).status == 200
    failures = [await fail(guarded), await guarded.call("GET", "/v1/program", role=None), await fail(guarded)]
    assert {answer.status for answer in failures} == {401}
    for refused in (await fail(guarded), await guarded.call("GET", "/v1/program", role=None), await fail(guarded)):
        assert (refused.status, refused.code) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert "www-authenticate" not in refused.headers
    assert (await guarded.get("/v1/program", Role.ADMIN)).status == 200, "a valid key goes on"
    async with from_address(unused_address()) as session:
        assert (await fail(replace(guarded, client=session))).status == 401


async def test_failures_are_counted_over_all_processes(guarded: Shop, settings: Settings) -> None:
    async with running(settings.model_copy(update={"failed_logins_per_minute": 3})) as another:
        elsewhere = replace(guarded, address=another)
        statuses = [(await fail(each)).status for each in (guarded, elsewhere, guarded, elsewhere, guarded)]
    assert statuses == [401, 401, 401, 429, 429]


async def test_a_key_made_elsewhere_is_known_soon_at_an_address_that_has_to_wait(
    guarded: Shop, database: Database
) -> None:
    while (await fail(guarded)).status != 429:
        pass
    key = new_key(live=False)

    async def work(db: Db) -> None:
        await programs.add_key(
            db, program_id=guarded.program.id, role=Role.ADMIN, name="new", key=key, entropy=random.getrandbits(62)
        )

    await transact(database.connection, work)
    await until(replace(guarded, keys={Role.CHECKOUT: key}), 200)


async def test_behind_a_proxy_that_is_trusted_the_caller_counts_and_not_the_proxy(
    settings: Settings, shop: Shop
) -> None:
    strict = settings.model_copy(update={"failed_logins_per_minute": 1, "trusted_proxies": "127.0.0.0/8"})

    async def status(at: Shop, caller: str) -> int:
        return (await at.call("GET", "/v1/program", role=None, headers={"X-Forwarded-For": caller})).status

    block = f"2001:db8:{random.randrange(16**4):x}:{random.randrange(16**4):x}"
    async with running(strict) as address:
        at = replace(shop, address=address)
        callers = (f"{block}::1", f"{block}:ffff::2", f"2001:db8:0:{random.randrange(16**4):x}::1")
        assert [await status(at, caller) for caller in callers] == [401, 429, 401]
    async with (
        running(strict.model_copy(update={"trusted_proxies": ""})) as address,
        from_address(unused_address()) as session,
    ):
        at = replace(shop, address=address, client=session)
        assert [await status(at, f"198.51.100.{number}") for number in (1, 2)] == [401, 429]


async def test_who_guesses_codes_with_many_keys_is_told_to_wait_by_address(
    settings: Settings, new_shop: NewShop
) -> None:
    strict = settings.model_copy(update={"wrong_codes_of_address_per_minute": 2, "trusted_proxies": "127.0.0.0/8"})
    async with running(strict) as address:
        shop, neighbour = await new_shop(address), await new_shop(address)
        code = await voucher(shop)

        async def look(at: Shop, code: str, caller: str, role: Role = Role.CHECKOUT) -> Answer:
            return await at.call("GET", f"/v1/vouchers/{code}", role=role, headers={"X-Forwarded-For": caller})

        guesser, elsewhere = (f"198.51.{random.randrange(256)}.{number}" for number in (1, 2))
        for role in (Role.CHECKOUT, Role.SUPPORT):
            assert (await look(shop, "0000-0000-0000", guesser, role)).status == 404
        for its_code, role in (("0000-0000-0001", Role.ANALYST), (code, Role.ADMIN)):
            refused = await look(shop, its_code, guesser, role)
            assert (refused.status, refused.code) == (429, "rate_limited")
            assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert (await look(shop, code, elsewhere, Role.CHECKOUT)).status == 200, "the same key from elsewhere goes on"
        assert (await look(neighbour, "0000-0000-0000", guesser)).status == 404, "another program there goes on"


async def test_who_guesses_referral_codes_by_dry_runs_is_told_to_wait(new_shop: NewShop, settings: Settings) -> None:
    """A dry run costs nothing and tells whether a code is good; a purchase is booked, whatever its code."""
    strict = settings.model_copy(update={"wrong_codes_per_minute": 2})
    async with running(strict) as at:
        shop = await new_shop(at)
        body = purchase(referral_code="0000-0000-000")
        path = "/v1/purchases?dry_run=true"
        answers = [await shop.post(path, body) for _ in range(4)]
        assert [each.status for each in answers] == [200, 200, 429, 429]
        assert answers[0].body["referral"] == {"status": "refused"}
        batch = await shop.post("/v1/purchases/batch?dry_run=true", {"purchases": [body]})
        assert (batch.status, batch.code) == (429, "rate_limited")
        assert (await shop.post(path, purchase())).status == 200
        assert (await shop.post("/v1/purchases", body)).status == 201


@pytest.mark.parametrize("limited", ["wrong_codes_per_minute", "wrong_codes_of_address_per_minute"])
async def test_who_guesses_referral_codes_is_told_to_wait_and_learns_nothing_by_clicks(
    new_shop: NewShop, settings: Settings, limited: str
) -> None:
    """Claims are counted. Clicks tell nothing, and anybody can make up links: they hold up nobody, and go on."""
    async with running(settings.model_copy(update={limited: 3})) as at:
        shop = await new_shop(at)
        assert (await shop.call("PUT", "/v1/customers/anna", {})).status == 201
        code = (await shop.get("/v1/customers/anna/referral")).body["code"]

        async def click(code: str) -> Answer:
            return await shop.post("/v1/referrals/clicks", {"code": code})

        async def claim(code: str, referee: str = "ben") -> Answer:
            body = {"code": code, "referee_id": referee}
            return await shop.post("/v1/referrals", body, Idempotency_Key=unique("key"))

        for _ in range(5):
            assert (await click(code)).status == 200
            assert (await click("7KQM-2XRA-9TD")).status == 200, "nor do those that there are not"
        for _ in range(2):
            assert (await claim("7KQM-2XRA-9TD")).status == 422
        assert (await claim(code, "anna")).status == 422, "one's own code counts like any that can't be used"
        for refused in (await claim("7KQM-2XRA-9TE"), await claim(code)):
            assert (refused.status, refused.code) == (429, "rate_limited")
            assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert [(await click(each)).status for each in (code, "?")] == [200, 200]
        assert (await shop.get("/v1/customers/anna/referral")).body["clicks"] == 6
        assert (await shop.buy()).status == 201, "all else goes on"


async def test_codes_of_returning_customers_are_no_guesses(new_shop: NewShop, settings: Settings) -> None:
    """For who isn't new each code is refused, so that nothing is learnt: a shop may send along what a cookie says."""
    strict = settings.model_copy(update={"wrong_codes_per_minute": 1})
    async with running(strict) as at:
        shop = await new_shop(at)
        assert (await shop.buy()).status == 201
        body = purchase(referral_code="0000-0000-000")
        answers = [await shop.post("/v1/purchases?dry_run=true", body) for _ in range(3)]
        assert [(each.status, each.body["referral"]) for each in answers] == [(200, {"status": "refused"})] * 3
