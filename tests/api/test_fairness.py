"""`GET /v1/campaigns/{id}/fairness`: what is told before the key is out, and behind it; what adds no draw."""

import asyncio
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.events import sequencing
from service.platform.roles import Role
from service.platform.statements import Db
from service.surprises.chance import Keyed, drawn, is_held_out, key_hash, occasion_of_purchase
from tests import jobs
from tests.fairness import end, fairness, let_pass
from tests.shop import Shop, unique
from tests.surprises import NOTHING, SWEET, buy, made, move, started

NO_CAMPAIGN = "cmp_00000000000070008000000000000000"


async def drawn_of(shop: Shop, campaign_id: str, *, limit: int = 200) -> tuple[list[Any], list[Any], int]:
    """Read all pages; gives draws, sides, and how many draws are left out."""
    draws, sides, to_come, query = list[Any](), list[Any](), 0, f"?limit={limit}"
    while True:
        page = await fairness(shop, campaign_id, query)
        assert len(page["draws"]) + len(page["sides"]) + page["to_come"] <= limit
        draws, sides, to_come = draws + page["draws"], sides + page["sides"], to_come + page["to_come"]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return draws, sides, to_come
        query = f"?limit={limit}&cursor={page['next_cursor']}"


async def test_before_the_key_is_out_nothing_tells_the_sides_apart(shop: Shop, owner: Db) -> None:
    campaign_id = await started(shop, prizes=[SWEET, NOTHING], holdout=5000, gifts_per_customer=None)
    before = await fairness(shop, campaign_id)
    await asyncio.gather(*(buy(shop, f"c-{number}") for number in range(8)))
    assert await fairness(shop, campaign_id) == before
    assert before["key"] is None
    assert (before["draws"], before["sides"], before["to_come"], before["has_more"]) == ([], [], 0, False)
    assert (before["status"], before["holdout"], before["ended_at"], before["key_at"]) == ("active", 5000, None, None)
    assert [version["prizes"] for version in before["versions"]] == [
        [{"id": "sweet", "weight": 1}, {"id": "nothing", "weight": 1}]
    ]
    await move(shop, campaign_id, "close")
    closed = await fairness(shop, campaign_id)
    assert (closed["status"], closed["key"], closed["draws"], closed["sides"]) == ("closed", None, [], [])
    ended, out = (datetime.fromisoformat(closed[name]) for name in ("ended_at", "key_at"))
    assert out - ended == timedelta(minutes=1)
    await let_pass(owner, shop, campaign_id, timedelta(seconds=40))
    assert (await fairness(shop, campaign_id))["key"] is None
    await let_pass(owner, shop, campaign_id, timedelta(seconds=21))
    after = await fairness(shop, campaign_id)
    assert key_hash(bytes.fromhex(after["key"])) == after["key_hash"] == before["key_hash"]
    assert len(after["sides"]) == 8
    assert len(after["draws"]) == sum(not side["held_out"] for side in after["sides"])


async def test_a_campaign_that_ends_by_itself_tells_its_key_a_minute_later(shop: Shop, owner: Db) -> None:
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    campaign_id = await started(shop, ends_at=ends_at.isoformat())
    assert (await fairness(shop, campaign_id))["key_at"] is None
    for seconds, is_out in ((59, False), (61, True)):
        past = datetime.now(UTC) - timedelta(seconds=seconds)
        await owner.execute(
            "UPDATE definition_version SET content = jsonb_set(content, '{ends_at}', to_jsonb($2::text)),"
            " valid_from = valid_from - interval '1 day' WHERE kind = 'campaign' AND definition_id = $1",
            campaign_id,
            past.isoformat(),
        )
        found = await fairness(shop, campaign_id)
        assert (found["status"], found["key"] is not None) == ("closed", is_out)
        assert datetime.fromisoformat(found["ended_at"]) == past


async def test_a_draft_tells_nothing_of_its_prizes(shop: Shop) -> None:
    campaign_id = await made(shop)
    found = await fairness(shop, campaign_id)
    assert (found["status"], found["key_hash"], found["key"], found["versions"]) == ("draft", None, None, [])
    await move(shop, campaign_id, "close")
    assert (await fairness(shop, campaign_id))["key_at"] is None


async def test_a_purchase_told_twice_has_one_draw_and_a_dry_run_none(shop: Shop, owner: Db) -> None:
    campaign_id = await started(shop, gifts_per_customer=None)
    body = {"occurred_at": datetime.now(UTC).isoformat(), "currency": "EUR", "total": 1000, "customer_id": "c-1"}
    tried = [await shop.post("/v1/purchases?dry_run=true", body | {"id": "order-1"}) for _ in range(5)]
    assert {answer.status for answer in tried} == {200}
    assert {answer.text for answer in tried} == {tried[0].text}
    assert tried[0].body["surprises"] == []
    answers = await asyncio.gather(*(shop.post("/v1/purchases", body | {"id": "order-1"}) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 201]
    assert {answer.text for answer in answers} == {answers[0].text}
    # A dry run of what was reported before repeats its answer.
    again = await shop.post("/v1/purchases?dry_run=true", body | {"id": "order-1"})
    assert again.body["surprises"] == answers[0].body["surprises"]
    await shop.post("/v1/purchases?dry_run=true", body | {"id": "order-2"})
    await end(owner, shop, campaign_id)
    ((draw,), (side,), _) = await drawn_of(shop, campaign_id)
    assert draw["occasion"] == occasion_of_purchase("order-1")
    assert [draw["prize"]] == [each["prize"] for each in answers[0].body["surprises"]]
    assert (side["pseudonym"], side["held_out"]) == (draw["pseudonym"], False)


async def test_plays_are_drawn_in_the_same_form(shop: Shop, owner: Db) -> None:
    await buy(shop, "c-1")
    campaign_id = await started(
        shop,
        trigger={"kind": "play", "per_day": 3},
        prizes=[SWEET | {"stock": 1}, NOTHING | {"weight": 5}],
        gifts_per_customer=None,
    )
    won = list[str]()
    for number in range(3):
        key = f"{campaign_id}-{number}"
        path, body = f"/v1/campaigns/{campaign_id}/plays", {"customer_id": "c-1"}
        answer = await shop.post(path, body, Idempotency_Key=key)
        if answer.status == 409:  # nothing is left to win
            break
        assert answer.status == 201, answer.text
        won.append(answer.body["prize"]["prize"] if answer.body["prize"] else "nothing")
        assert (await shop.post(path, body, Idempotency_Key=key)).text == answer.text
    await end(owner, shop, campaign_id)
    told = await fairness(shop, campaign_id)
    by_occasion = {draw["occasion"]: draw for draw in told["draws"]}
    assert [by_occasion[f"play:{number}"]["prize"] for number in range(1, len(won) + 1)] == won
    assert len(by_occasion) == len(told["draws"]) == len(won)
    for occasion, draw in by_occasion.items():
        assert draw["left"] == [1, None]
        assert draw["u"] == drawn(
            Keyed(bytes.fromhex(told["key"])), campaign=campaign_id, pseudonym=draw["pseudonym"], occasion=occasion
        )


async def test_a_gift_that_is_still_to_come_is_not_told(shop: Shop, owner: Db) -> None:
    campaign_id = await started(shop, trigger={"kind": "after", "fact": "purchase", "minutes": 600})
    await buy(shop, "c-1")
    assert shop.database is not None
    while await sequencing.move_all(shop.database):
        pass
    await jobs.surprise(shop.database)
    await end(owner, shop, campaign_id)
    draws, sides, to_come = await drawn_of(shop, campaign_id)
    assert (draws, len(sides), to_come) == ([], 1, 1)
    await owner.execute(
        "UPDATE surprise SET reveal_at = drawn_at WHERE program_id = $1 AND state = 'waiting'", shop.program.id
    )
    await jobs.surprise(shop.database)
    (draw,), _, to_come = await drawn_of(shop, campaign_id)
    assert (draw["prize"], draw["left"], to_come) == ("sweet", [None], 0)


async def test_a_merge_keeps_draws_and_sides_as_the_lot_had_them(shop: Shop, owner: Db) -> None:
    campaign_id = await started(shop, holdout=5000, gifts_per_customer=None)
    await asyncio.gather(*(buy(shop, f"c-{number}") for number in range(12)))
    for number in range(12):
        await shop.call("PUT", f"/v1/customers/new-{number}", {}, role=Role.ADMIN)
        path = f"/v1/customers/c-{number}/merge"
        merged = await shop.post(path, {"into": f"new-{number}"}, Role.ADMIN, Idempotency_Key=unique("key"))
        assert merged.status == 200, merged.text
    surprised = [bool((await buy(shop, f"new-{number}")).body["surprises"]) for number in range(12)]
    await end(owner, shop, campaign_id)
    draws, sides, _ = await drawn_of(shop, campaign_id)
    key = Keyed(bytes.fromhex((await fairness(shop, campaign_id))["key"]))
    for side in sides:
        held_out = is_held_out(key, campaign=campaign_id, pseudonym=side["pseudonym"], share=5000)
        assert side["held_out"] == held_out
    assert len(sides) == 12
    assert sum(not side["held_out"] for side in sides) == sum(surprised) == len(draws) / 2


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_of_any_length_list_each_draw_and_side_once(shop: Shop, owner: Db, limit: int) -> None:
    campaign_id = await started(shop, holdout=1000)
    await asyncio.gather(*(buy(shop, f"c-{number}") for number in range(4)))
    await end(owner, shop, campaign_id)
    draws, sides, _ = await drawn_of(shop, campaign_id, limit=limit)
    assert len(sides) == len({side["pseudonym"] for side in sides}) == 4
    assert {draw["pseudonym"] for draw in draws} == {side["pseudonym"] for side in sides if not side["held_out"]}
    assert len(draws) == sum(not side["held_out"] for side in sides)


async def test_whoever_has_a_key_may_read_it_and_nobody_else(shop: Shop) -> None:
    campaign_id = await started(shop)
    found = [await fairness(shop, campaign_id, role=role) for role in Role]
    assert all(each == found[0] for each in found)
    path = f"/v1/campaigns/{campaign_id}/fairness"
    assert (await shop.call("GET", path, role=None)).status == 401
    for unknown in (NO_CAMPAIGN, "nothing"):
        assert (await shop.get(f"/v1/campaigns/{unknown}/fairness")).status == 404


@pytest.mark.parametrize(
    "place", [b"", b"d", b"d" + bytes(15), b"x" + bytes(16), b"s" + b"\xff" * 16, b"s" + (2**63).to_bytes(16)]
)
async def test_a_cursor_that_no_page_gave_is_refused(shop: Shop, place: bytes) -> None:
    campaign_id = await started(shop)
    cursor = urlsafe_b64encode(place).rstrip(b"=").decode()
    answer = await shop.get(f"/v1/campaigns/{campaign_id}/fairness?cursor={cursor}")
    assert (answer.status, answer.pointer) == (422, "?cursor")
