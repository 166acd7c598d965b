"""Keys are shown once and end at once; a program's settings have versions."""

import asyncio
import base64
from dataclasses import replace
from random import getrandbits
from typing import Any

import pytest

from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.redis import connect
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import Program, ProgramSettings
from tests.conftest import NewShop
from tests.shop import Answer, Shop, purchase, unique


async def make(
    shop: Shop, role: str = "checkout", key: str | None = None, caller: str | None = None, **more: Any
) -> Answer:
    headers = {"Authorization": f"Bearer {caller or shop.keys[Role.ADMIN]}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return await shop.call("POST", "/v1/api-keys", {"role": role} | more, role=None, headers=headers)


async def status_with(shop: Shop, key: str, path: str = "/v1/customers/nobody/balance") -> int:
    answer = await shop.call("GET", path, role=None, headers={"Authorization": f"Bearer {key}"})
    return answer.status


async def command(shop: Shop, verb: str, key_id: str, body: Any = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await shop.call("POST", f"/v1/api-keys/{key_id}/{verb}", body, role=Role.ADMIN, headers=named)


async def test_a_new_key_is_shown_once_and_works_at_once(shop: Shop) -> None:
    made = await make(shop, name="till")
    assert made.status == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.body["key"]
    assert key.startswith("lk_test_")
    assert len(base64.urlsafe_b64decode(key.removeprefix("lk_test_") + "=")) == 32
    assert {name: made.body[name] for name in ("role", "name", "hint", "expires_at", "revoked_at")} == {
        "role": "checkout",
        "name": "till",
        "hint": key[-4:],
        "expires_at": None,
        "revoked_at": None,
    }
    assert await status_with(shop, key) == 404  # it may ask for a balance; there is none
    listed = await shop.get("/v1/api-keys", Role.ADMIN)
    assert listed.body["data"][0] == {name: value for name, value in made.body.items() if name != "key"}
    assert key not in listed.text
    assert len({(await make(shop)).body["key"] for _ in range(5)}) == 5


async def everything_in_redis(settings: Settings) -> list[bytes]:
    kept = list[bytes]()
    async with connect(str(settings.redis_url)) as redis:
        for name in await redis.keys("loyalty:*"):  # pyright: ignore[reportUnknownMemberType]
            is_list = await redis.type(name) == b"list"
            values: Any = await redis.lrange(name, 0, -1) if is_list else [await redis.get(name)]
            kept += [value for value in values if value is not None]
    return kept


async def test_no_table_and_no_cache_holds_a_key(shop: Shop, owner: Db, settings: Settings) -> None:
    made = await make(shop, key="k-1")
    rotated = await command(shop, "rotate", made.body["id"], {}, Idempotency_Key="k-2")
    tables = [
        row[0]
        for row in await owner.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    ]
    assert {"api_key", "command"} <= set(tables)
    kept = await everything_in_redis(settings)
    assert kept, "the answer of a command is kept for some minutes"
    for key in [made.body["key"], rotated.body["key"], *shop.keys.values()]:
        secret = key.removeprefix("lk_test_")
        bits = base64.urlsafe_b64decode(secret + "=")
        for table in tables:
            found = await owner.fetchval(
                f"SELECT count(*) FROM {table} AS t WHERE strpos(t::text, $1) + strpos(t::text, $2) > 0",
                secret,
                bits.hex(),
            )
            assert found == 0, table
        assert not any(secret.encode() in value or bits in value or bits.hex().encode() in value for value in kept)


async def test_the_same_call_with_its_idempotency_key_repeats_the_key(shop: Shop) -> None:
    first = await make(shop, key="k-1")
    again = [await make(shop, key="k-1"), await make(shop, key='"k-1"'), await make(shop, key="k-1", name="API key")]
    assert [(answer.status, answer.text, answer.replayed) for answer in again] == [(201, first.text, True)] * 3
    assert first.replayed is False
    assert len((await shop.get("/v1/api-keys", Role.ADMIN)).body["data"]) == len(Role) + 1
    assert await status_with(shop, again[0].body["key"]) == 404


async def test_another_request_under_an_idempotency_key_is_422(shop: Shop) -> None:
    made = await make(shop, key="k-1")
    others = [
        await make(shop, "billing", key="k-1"),
        await make(shop, key="k-1", name="other"),
        await command(shop, "rotate", made.body["id"], {}, Idempotency_Key="k-1"),
        await command(shop, "revoke", made.body["id"], {}, Idempotency_Key="k-1"),
        await shop.post("/v1/purchases/batch", {"purchases": [purchase()]}, Idempotency_Key="k-1"),
    ]
    assert {(answer.status, answer.code) for answer in others} == {(422, "idempotency_key_reused")}
    assert await status_with(shop, made.body["key"]) == 404


async def test_another_admin_is_not_shown_a_key_that_would_not_work(shop: Shop) -> None:
    other_admin = (await make(shop, "admin")).body["key"]
    first = await make(shop, key="k-1")
    second = await make(shop, key="k-1", caller=other_admin)
    assert (second.status, second.code) == (422, "idempotency_key_reused")
    assert (await make(shop, key="k-1")).text == first.text


async def test_an_idempotency_key_means_nothing_in_another_program(shop: Shop, new_shop: NewShop) -> None:
    first, other = await make(shop, key="k-1"), await make(await new_shop(), "billing", key="k-1")
    assert (first.status, other.status) == (201, 201)
    assert first.body["key"] != other.body["key"]


async def test_twenty_repetitions_at_once_make_one_key(shop: Shop) -> None:
    answers = await asyncio.gather(*(make(shop, key="k-1") for _ in range(20)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status == 201}) == 1
    for refused in (answer for answer in answers if answer.status == 409):
        assert (refused.code, refused.headers["retry-after"]) == ("idempotency_key_in_flight", "1")
    assert len((await shop.get("/v1/api-keys", Role.ADMIN)).body["data"]) == len(Role) + 1


async def test_a_key_in_flight_is_409_with_retry_after(shop: Shop, owner: Db) -> None:
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(hashtextextended('k-1', $1))", shop.program.id)
        refused = await make(shop, key="k-1")
        assert (refused.status, refused.code) == (409, "idempotency_key_in_flight")
        assert refused.headers["retry-after"] == "1"
    assert (await make(shop, key="k-1")).status == 201


WRONG_KEYS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "/role"),
    ({"role": "boss"}, "/role"),
    ({"role": "Admin"}, "/role"),
    ({"role": None}, "/role"),
    ({"role": 1}, "/role"),
    ({"role": "admin", "name": ""}, "/name"),
    ({"role": "admin", "name": "x" * 201}, "/name"),
    ({"role": "admin", "name": None}, "/name"),
    ({"role": "admin", "key": "lk_test_mine"}, "/key"),
)


async def test_a_wrong_key_is_not_made(shop: Shop) -> None:
    for body, pointer in WRONG_KEYS:
        assert (await shop.post("/v1/api-keys", body, Role.ADMIN)).pointer == pointer, body


async def test_a_revoked_key_ends_at_once_and_for_ever(shop: Shop) -> None:
    made = (await make(shop)).body
    assert await status_with(shop, made["key"]) == 404
    revoked = await command(shop, "revoke", made["id"])
    assert revoked.status == 200
    assert revoked.body["revoked_at"] is not None
    assert await status_with(shop, made["key"]) == 401
    assert (await command(shop, "revoke", made["id"], {})).text == revoked.text  # it is reached already
    assert await status_with(shop, made["key"]) == 401


async def test_revoking_with_an_idempotency_key_is_repeated_as_it_was(shop: Shop) -> None:
    made = (await make(shop)).body
    first = await command(shop, "revoke", made["id"], Idempotency_Key="k-1")
    again = await command(shop, "revoke", made["id"], {}, Idempotency_Key="k-1")
    assert (again.status, again.text, again.replayed, first.replayed) == (200, first.text, True, False)


async def test_a_dry_run_revokes_and_rotates_nothing(shop: Shop) -> None:
    made = (await make(shop)).body
    for verb in ("revoke", "rotate"):
        dry = await shop.call("POST", f"/v1/api-keys/{made['id']}/{verb}?dry_run=true", role=Role.ADMIN)
        assert dry.status == 200
        assert await status_with(shop, dry.body.get("key", "lk_test_none")) == 401
    assert await status_with(shop, made["key"]) == 404


async def test_two_keys_work_at_a_time_after_a_rotation(shop: Shop) -> None:
    old = (await make(shop, "support", name="desk")).body
    rotated = await command(shop, "rotate", old["id"])
    assert rotated.status == 201
    assert (rotated.body["role"], rotated.body["name"]) == ("support", "desk")
    assert rotated.body["key"] != old["key"]
    assert [await status_with(shop, key) for key in (old["key"], rotated.body["key"])] == [404, 404]
    listed = {key["id"]: key for key in (await shop.get("/v1/api-keys", Role.ADMIN)).body["data"]}
    assert listed[old["id"]]["expires_at"] is not None
    assert listed[rotated.body["id"]]["expires_at"] is None
    third = await command(shop, "rotate", old["id"])
    assert 400 <= third.status < 500, "a key that ends has its successor already"


async def test_a_rotation_without_grace_ends_the_old_key_at_once(shop: Shop) -> None:
    old = (await make(shop)).body
    rotated = await command(shop, "rotate", old["id"], {"grace_seconds": 0}, Idempotency_Key="k-1")
    assert [await status_with(shop, key) for key in (old["key"], rotated.body["key"])] == [401, 404]
    again = await command(shop, "rotate", old["id"], {"grace_seconds": 0}, Idempotency_Key="k-1")
    assert (again.status, again.text, again.replayed) == (201, rotated.text, True)


async def test_a_rotated_key_ends_when_its_grace_is_over(shop: Shop) -> None:
    old = (await make(shop)).body
    await command(shop, "rotate", old["id"], {"grace_seconds": 1})
    async with asyncio.timeout(30):
        while await status_with(shop, old["key"]) != 401:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("grace", [-1, 30 * 86_400 + 1, True, 1.0, "1", None])
async def test_a_grace_is_up_to_30_days(shop: Shop, grace: Any) -> None:
    made = (await make(shop)).body
    assert (await command(shop, "rotate", made["id"], {"grace_seconds": grace})).pointer == "/grace_seconds"
    assert await status_with(shop, made["key"]) == 404


NO_KEYS = (
    "x",
    "key_",
    f"key_{'0' * 32}",
    f"key_{'A' * 32}",
    f"txn_{'0' * 32}",
    f"key_{'0' * 33}",
    "%20",
    "a%2Fb",
    f"key_{'%D9%A0' * 32}",
    "..",
    f"key_{'0' * 31}%00",
)


async def test_an_unknown_key_is_404(shop: Shop) -> None:
    for key_id in NO_KEYS:
        for verb in ("revoke", "rotate"):
            for body in (None, dict[str, Any]()):
                answer = await command(shop, verb, key_id, body)
                assert (answer.status, answer.code) == (404, "not_found"), key_id


async def test_an_admin_can_revoke_the_key_that_it_calls_with(shop: Shop) -> None:
    other = (await make(shop, "admin")).body
    headers = {"Authorization": f"Bearer {other['key']}"}
    path = f"/v1/api-keys/{other['id']}/revoke"
    assert (await shop.call("POST", path, role=None, headers=headers)).status == 200
    assert (await shop.call("POST", path, role=None, headers=headers)).status == 401


async def test_keys_are_listed_newest_first_by_pages(shop: Shop) -> None:
    made = [(await make(shop)).body["id"] for _ in range(4)]
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = (await shop.get(f"/v1/api-keys?limit=3{cursor}", Role.ADMIN)).body
        seen += [key["id"] for key in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    assert seen[:4] == made[::-1]
    assert len(seen) == len(set(seen)) == len(Role) + 4


async def change(shop: Shop, dry: str = "", /, **given: Any) -> Answer:
    return await shop.call("PATCH", f"/v1/program{dry}", given, role=Role.ADMIN)


async def test_a_program_is_read_with_its_settings(shop: Shop) -> None:
    program = (await shop.get("/v1/program", Role.ANALYST)).body
    assert {name: program[name] for name in ("id", "name", "live", "version")} == {
        "id": shop.program.code,
        "name": "Shop",
        "live": False,
        "version": 1,
    }
    assert program["settings"] == {
        "currency": "EUR",
        "time_zone": "UTC",
        "enrolment": "implicit",
        "oldest_fact_days": None,
        "base_rule": {
            "rates": {},
            "any_currency": {"points": 1, "units": 1},
            "tax": "included",
            "shipping": "included",
            "points_paid": "excluded",
            "without": None,
            "rounding": "down",
            "pending": None,
        },
        "expiry": "never",
        "pending": None,
        "point_value": {"points": 1, "amount": 1, "minimum": 1, "step": 1, "greatest_share": None},
        "debt_limit": None,
        "restored_grace_days": None,
        "hold_seconds": 900,
        "adjustment_limit": None,
        "tiers": None,
        "referral_link": None,
        "early_payment": None,
        "surprises": {
            "cool_down_days": 0,
            "per_year": 12,
            "holdout": 0,
            "metric": "spend",
            "window_days": 90,
            "margin": None,
        },
        "portal": {
            "name": None,
            "accent": "#2457d6",
            "logo": None,
            "home": None,
            "origins": [],
            "framed_by": [],
            "may_redeem": False,
            "may_play": False,
        },
    }


async def test_a_change_of_settings_is_a_version_and_counts_for_what_is_reported_next(shop: Shop) -> None:
    body = purchase(id="before", total=1999, tax=319)
    before = await shop.post("/v1/purchases", body)
    rule = {"rates": {"EUR": {"points": 3, "amount": 200}}, "tax": "excluded", "rounding": "half_up"}
    changed = await change(shop, settings={"base_rule": rule}, valid_from=body["occurred_at"])
    assert (changed.status, changed.body["version"]) == (200, 2)
    kept = {"shipping": "included", "any_currency": {"points": 1, "units": 1}, "pending": None}
    kept |= {"points_paid": "excluded", "without": None}
    assert changed.body["settings"]["base_rule"] == rule | kept
    assert changed.body["settings"]["currency"] == "EUR"
    after = await shop.post("/v1/purchases", body | {"id": "after"})
    assert (before.body["points"]["earned"], after.body["points"]["earned"]) == (19, 25)  # 1680 x 3 / 200 = 25.2
    assert (await shop.post("/v1/purchases", body)).text == before.text


async def test_what_changes_no_setting_makes_no_version(shop: Shop) -> None:
    settings = (await change(shop, settings={"currency": "USD"})).body["settings"]
    unchanged: list[dict[str, Any]] = [
        {},
        {"settings": {}},
        {"settings": settings},
        {"settings": {"currency": "USD"}},
        {"name": None},
    ]
    for given in unchanged:
        assert (await change(shop, **given)).body["version"] == 2, given
    named = (await change(shop, name="New name")).body
    assert (named["name"], named["version"]) == ("New name", 2)


async def test_each_setting_is_replaced_whole_and_the_others_stay(shop: Shop) -> None:
    await change(shop, settings={"base_rule": {"rounding": "up", "tax": "excluded"}, "hold_seconds": 60})
    settings = (await change(shop, settings={"base_rule": {"tax": "included"}})).body["settings"]
    assert (settings["base_rule"]["rounding"], settings["hold_seconds"]) == ("down", 60)


async def test_a_dry_run_of_a_change_shows_it_and_keeps_nothing(shop: Shop) -> None:
    before = await shop.get("/v1/program", Role.ADMIN)
    dry = await change(shop, "?dry_run=true", name="Dry", settings={"currency": "JPY"})
    assert (dry.status, dry.body["name"], dry.body["version"]) == (200, "Dry", 2)
    assert (await shop.get("/v1/program", Role.ADMIN)).text == before.text


WRONG_CHANGES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"settings": {"currency": "XAU"}}, "/settings/currency"),
    ({"settings": {"enrolment": "sometimes"}}, "/settings/enrolment"),
    ({"settings": {"base_rule": {"rates": {"XTS": {"points": 1, "amount": 1}}}}}, "/settings/base_rule/rates/XTS"),
    ({"settings": {"base_rule": {"tax": "x"}}}, "/settings/base_rule/tax"),
    ({"settings": {"point_value": {"step": 0}}}, "/settings/point_value/step"),
    ({"settings": {"time_zone": "Mars/\u0000"}}, "/settings/time_zone"),
    ({"settings": {"debt_limit": 10**400}}, "/settings"),
    ({"settings": {"referral_link": "shop.example"}}, "/settings/referral_link"),
    ({"settings": {"early_payment": {"calendar": {"country": "XX"}}}}, "/settings/early_payment/calendar/country"),
    (
        {"settings": {"early_payment": {"terms": {"kind": "steps", "steps": [{"days": 7}]}}}},
        "/settings/early_payment/terms/steps/0",
    ),
    ({"settings": {"referral_link": "https://ann@shop.example/"}}, "/settings/referral_link"),
    ({"settings": {"referral_link": "https://x/" + "a" * 500}}, "/settings/referral_link"),
    ({"settings": {"surprises": {"metric": "margin"}}}, "/settings/surprises/margin"),
    ({"settings": {"surprises": {"per_year": -1}}}, "/settings/surprises/per_year"),
    ({"settings": {"surprises": {"holdout": 5_001}}}, "/settings/surprises/holdout"),
    ({"settings": {"portal": {"accent": "red"}}}, "/settings/portal/accent"),
    ({"settings": {"portal": {"accent": "#00f;x"}}}, "/settings/portal/accent"),
    ({"settings": {"portal": {"home": "https://ann@shop.example/"}}}, "/settings/portal/home"),
    ({"settings": {"portal": {"logo": "https://shop.example/logo.png"}}}, "/settings/portal/logo"),
    ({"settings": {"portal": {"logo": "data:image/svg+xml;base64,PHN2Zz4="}}}, "/settings/portal/logo"),
    ({"settings": {"portal": {"logo": "data:image/png;base64,PHN2Zz4="}}}, "/settings/portal/logo"),
    ({"settings": {"portal": {"origins": ["https://shop.example/"]}}}, "/settings/portal/origins/0"),
    ({"settings": {"portal": {"origins": ["https://shop.example", "*"]}}}, "/settings/portal/origins"),
    ({"settings": {"portal": {"origins": ["https://Shop.example"]}}}, "/settings/portal/origins/0"),
    ({"settings": {"portal": {"origins": ["https://shop.example:443"]}}}, "/settings/portal/origins/0"),
    ({"settings": {"portal": {"origins": ["https://a b;c"]}}}, "/settings/portal/origins"),
    ({"settings": {"portal": {"framed_by": ["https://shop.example; script-src *"]}}}, "/settings/portal/framed_by"),
    ({"settings": {"portal": {"framed_by": ["https://shop.example;script-src"]}}}, "/settings/portal/framed_by"),
    ({"settings": {"portal": {"framed_by": ["https://*.example"]}}}, "/settings/portal/framed_by/0"),
    ({"settings": {"nope": 1}}, "/settings/nope"),
    ({"settings": None}, "/settings"),
    ({"settings": []}, "/settings"),
    ({"name": ""}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"live": True}, "/live"),
    ({"version": 5}, "/version"),
    ({"id": "other"}, "/id"),
)


async def test_a_wrong_change_is_refused_whole(shop: Shop) -> None:
    before = await shop.get("/v1/program", Role.ADMIN)
    for given, pointer in WRONG_CHANGES:
        refused = await change(shop, **({"name": "Half done"} | given))
        assert refused.status == 422, given
        assert refused.pointer.startswith(pointer), given
    assert (await shop.get("/v1/program", Role.ADMIN)).text == before.text


async def test_where_links_of_referrals_lead_is_a_setting(shop: Shop) -> None:
    link = "https://shop.example/welcome?from=friend#top"
    changed = (await change(shop, settings={"referral_link": link})).body
    assert (changed["settings"]["referral_link"], changed["version"]) == (link, 2)
    assert (await shop.get("/v1/program", Role.ANALYST)).body["settings"]["referral_link"] == link
    assert (await change(shop, settings={"referral_link": None})).body["settings"]["referral_link"] is None


async def test_only_a_test_program_may_link_without_encryption(shop: Shop, database: Database) -> None:
    link = {"referral_link": "http://localhost:3000/"}
    assert (await change(shop, settings=link)).status == 200
    key = new_key(live=True)

    async def work(db: Db) -> Program:
        made = await programs.create_program(
            db, code=unique("live"), name="Live", live=True, settings=ProgramSettings()
        )
        await programs.add_key(db, program_id=made.id, role=Role.ADMIN, name="test", key=key, entropy=getrandbits(62))
        return made

    live = replace(shop, program=await transact(database.connection, work), keys={Role.ADMIN: key})
    refused = await change(live, settings=link)
    assert refused.pointer == "/settings/referral_link"
    assert refused.body["errors"][0]["code"] == "not_https"
    assert (await change(live, settings={"referral_link": "https://shop.example/"})).status == 200


async def test_changes_at_once_make_versions_one_after_the_other(shop: Shop) -> None:
    answers = await asyncio.gather(*(change(shop, settings={"hold_seconds": seconds}) for seconds in range(1, 11)))
    assert sorted(answer.body["version"] for answer in answers) == list(range(2, 12))
    last = max(answers, key=lambda answer: answer.body["version"])
    assert (await shop.get("/v1/program", Role.ADMIN)).text == last.text
