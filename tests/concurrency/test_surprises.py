"""Limits of campaigns under many at once: exactly as many gifts as there are, whoever comes when, and each once."""

import asyncio
import dataclasses
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db, RowsMissing
from service.points.facts import Accepted
from service.programs import usecases as programs
from service.programs.rules import Program
from service.purchases.usecases import PurchaseOutcome
from tests import jobs
from tests.concurrency.till import Till, draft
from tests.conftest import NewShop
from tests.faults.api_process import api_process
from tests.shop import Answer, Shop, purchase, unique
from tests.surprises import NOTHING, SWEET, buy, started

NEWS_SECONDS = 1.0
"""Until a change made at one process counts at all."""
CALLERS = 50
OFTEN: dict[str, Any] = {"gifts_per_customer": None}


def now() -> str:
    return datetime.now(UTC).isoformat()


def fresh(number: int, customers: int, till: int = 0) -> dict[str, Any]:
    """Make a purchase of this moment, of one of the so many customers of a till."""
    return purchase(id=f"order-{number}", customer_id=f"c-{till}-{number % customers}", occurred_at=now())


def gifts_in(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Give the surprises that purchases or bulk calls were answered with."""
    told = list[dict[str, Any]]()
    for answer in answers:
        assert answer.status in {200, 201}, answer.text
        for each in answer.body.get("results", [{"status": answer.status, "purchase": answer.body}]):
            assert each["status"] in {200, 201}, each
            told += each["purchase"]["surprises"]
    return told


async def taken_of(owner: Db, shop: Shop) -> dict[str, tuple[int, int]]:
    """Read of all that is limited how much is taken, and of how much."""
    rows = await owner.fetch(
        "SELECT resource, sum(taken)::bigint, sum(cap)::bigint FROM campaign_slice WHERE program_id = $1 GROUP BY 1",
        shop.program.id,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def states_of(owner: Db, shop: Shop) -> Counter[str]:
    """Count the gifts of a shop by where they stand."""
    rows = await owner.fetch("SELECT state FROM surprise WHERE program_id = $1", shop.program.id)
    return Counter(row["state"] for row in rows)


async def loaded(shop: Shop) -> Program:
    """Load the shop's program with its campaigns, as a process does that goes by them from now on."""
    assert shop.database is not None
    async with shop.database.connection() as db:
        return await programs.read_program(db, program_id=shop.program.id)


def drawn_in(outcomes: Sequence[PurchaseOutcome]) -> list[str]:
    """Name the prizes that bookings drew."""
    assert all(isinstance(each, Accepted) for each in outcomes)
    return [told.prize for each in outcomes if isinstance(each, Accepted) for told in each.answer.surprises]


async def sent(doors: Sequence[Shop], path: str, body: Any) -> Answer:
    """Call until there is an answer, each time at another process: on a slow machine some are told to come again."""
    for attempt in itertools.count():
        answer = await doors[attempt % len(doors)].post(path, body)
        if answer.status != 503:
            return answer
    raise AssertionError


@pytest.mark.long
async def test_ten_thousand_draws_for_five_thousand_gifts_give_exactly_these(
    settings: Settings, new_shop: NewShop, owner: Db
) -> None:
    """At two processes, in bulk and one by one; whoever comes when all are gone gets none."""
    shop = await new_shop(surprises={"per_year": None})
    await started(shop, prizes=[SWEET | {"stock": 5000}], **OFTEN)
    async with api_process(settings) as other:
        await asyncio.sleep(NEWS_SECONDS)
        doors = [shop, dataclasses.replace(shop, address=other.address)]
        bulks = [[fresh(250 * place + each, 125, 1 + place % 3) for each in range(250)] for place in range(36)]
        singles = [fresh(each, 100) for each in range(9000, 10_000)]

        async def in_bulk(place: int) -> list[Answer]:
            path = "/v1/purchases/batch"
            return [await sent(doors[place % 2 :], path, {"purchases": each}) for each in bulks[place::3]]

        async def alone(place: int) -> list[Answer]:
            return [await sent(doors[place % 2 :], "/v1/purchases", each) for each in singles[place::24]]

        done = await asyncio.gather(*(in_bulk(each) for each in range(3)), *(alone(each) for each in range(24)))
    told = gifts_in([answer for each in done for answer in each])
    assert len(told) == 5000
    assert await taken_of(owner, shop) == {"prize:sweet": (5000, 5000)}
    assert await states_of(owner, shop) == {"revealed": 5000}
    points = "SELECT sum(points)::bigint FROM transfer WHERE program_id = $1 AND reason = 'surprise'"
    assert await owner.fetchval(points, shop.program.id) == 5000 * 50


async def test_a_budget_is_spent_to_the_last_gift_that_fits_and_never_beyond(new_shop: NewShop, owner: Db) -> None:
    """In points and in money, by unequal gifts, which are paid from several slices."""
    shop = await new_shop(surprises={"per_year": None})
    prizes = [
        {"id": "small", "gift": {"kind": "points", "points": 30}, "cost": 7},
        {"id": "large", "gift": {"kind": "points", "points": 70}, "cost": 1},
    ]
    await started(shop, name="points", prizes=prizes, budget={"points": 2000}, **OFTEN)
    await started(shop, name="money", prizes=prizes, budget={"cost": 300}, **OFTEN)
    bulks = [
        shop.post("/v1/purchases/batch", {"purchases": [fresh(100 * place + each, 90) for each in range(100)]})
        for place in range(5)
    ]
    singles = [shop.post("/v1/purchases", fresh(each, 90)) for each in range(500, 600)]
    told = gifts_in(await asyncio.gather(*bulks, *singles))
    by_campaign = Counter[str]()
    for each in told:
        by_campaign[each["campaign_id"]] += 1
    taken = await taken_of(owner, shop)
    assert 2000 - 30 < taken["points"][0] <= 2000
    assert taken["cost"] == (300, 300)
    sums = await owner.fetch(
        "SELECT campaign_id, sum(points)::bigint, sum(cost)::bigint, count(*) FROM surprise"
        " WHERE program_id = $1 GROUP BY 1",
        shop.program.id,
    )
    assert {taken["points"][0]} & {row[1] for row in sums}
    assert {300} & {row[2] for row in sums}
    assert sorted(by_campaign.values()) == sorted(row[3] for row in sums)


@pytest.mark.parametrize(
    ("limit", "policy", "gifts"),
    [
        ({"gifts_per_customer": 3}, {}, 3),
        (OFTEN, {"per_year": 4}, 4),
        (OFTEN, {"cool_down_days": 1}, 1),
    ],
    ids=["of a campaign", "of a year", "cool-down"],
)
async def test_fifty_purchases_of_one_customer_at_once_draw_no_more_than_the_customer_may_have(
    new_shop: NewShop, owner: Db, limit: dict[str, Any], policy: dict[str, int], gifts: int
) -> None:
    """Two campaigns wait for the same purchases: what bounds both is counted over both."""
    shop = await new_shop(surprises={"per_year": None} | policy)
    await started(shop, **limit)
    if policy:
        await started(shop, **limit)
    bulk = shop.post("/v1/purchases/batch", {"purchases": [fresh(each, 1) for each in range(CALLERS)]})
    singles = [shop.post("/v1/purchases", fresh(CALLERS + each, 1)) for each in range(CALLERS)]
    assert len(gifts_in(await asyncio.gather(bulk, *singles))) == gifts
    assert await states_of(owner, shop) == {"revealed": gifts}


async def play(shop: Shop, campaign_id: str, customer: str = "c-42", key: str | None = None) -> Answer:
    """Play a game."""
    path = f"/v1/campaigns/{campaign_id}/plays"
    return await shop.post(path, {"customer_id": customer}, Idempotency_Key=key or unique("key"))


@pytest.mark.parametrize(
    ("trigger", "refusal"),
    [
        ({"granted": True, "per_day": None}, "plays_used_up"),
        ({"per_day": 1}, "plays_used_up"),
        ({"per_day": None, "per_customer": 1}, "plays_used_up"),
        ({"points": 129, "per_day": None}, "insufficient_points"),
    ],
    ids=["granted", "a day", "in all", "points"],
)
async def test_fifty_plays_at_once_of_who_has_one_are_one(
    shop: Shop, owner: Db, trigger: dict[str, Any], refusal: str
) -> None:
    await shop.buy()
    game = await started(
        shop,
        trigger={"kind": "play"} | trigger,
        prizes=[NOTHING, SWEET | {"weight": 0}, SWEET_2],
        gifts_per_customer=None,  # else who wins finds a paid game closed
    )
    if trigger.get("granted"):
        path, body = f"/v1/campaigns/{game}/play-grants", {"customer_id": "c-42", "plays": 1}
        assert (await shop.post(path, body, Role.MARKETER, Idempotency_Key=unique("key"))).status == 201
    answers = await asyncio.gather(*(play(shop, game) for _ in range(CALLERS)))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: CALLERS - 1}
    assert {answer.code for answer in answers if answer.status == 409} == {refusal}
    plays = "SELECT count(*) FROM campaign_play WHERE program_id = $1"
    assert await owner.fetchval(plays, shop.program.id) == 1


SWEET_2 = {"id": "tiny", "gift": {"kind": "points", "points": 1}}


async def test_a_play_that_is_sent_fifty_times_with_one_key_is_one_play(shop: Shop, owner: Db) -> None:
    await shop.buy()
    game = await started(shop, trigger={"kind": "play", "per_day": None}, **OFTEN)
    answers = await asyncio.gather(*(play(shop, game, key="k-1") for _ in range(CALLERS)))
    done = [answer for answer in answers if answer.status == 201]
    assert [answer.replayed for answer in done].count(False) == 1
    assert len({answer.text for answer in done}) == 1
    assert {answer.code for answer in answers if answer.status != 201} <= {"idempotency_key_in_flight"}
    assert await states_of(owner, shop) == {"revealed": 1}
    assert (await shop.balance("c-42"))["available"] == 129 + 50


async def test_what_is_paced_is_not_given_before_its_time(new_shop: NewShop, owner: Db) -> None:
    """Half of the period is over, and half of the stock of 96 can be had, however many come at once."""
    shop = await new_shop(surprises={"per_year": None})
    ends_at = (datetime.now(UTC) + timedelta(days=50)).isoformat()
    await started(shop, prizes=[SWEET | {"stock": 96}], pacing="even", ends_at=ends_at, **OFTEN)
    began = "UPDATE campaign_run SET started_at = started_at - interval '50 days' WHERE program_id = $1"
    await owner.execute(began, shop.program.id)
    bulks = [
        shop.post("/v1/purchases/batch", {"purchases": [fresh(30 * place + each, 40) for each in range(30)]})
        for place in range(3)
    ]
    singles = [shop.post("/v1/purchases", fresh(each, 40)) for each in range(90, 130)]
    assert len(gifts_in(await asyncio.gather(*bulks, *singles))) == 48
    assert await taken_of(owner, shop) == {"prize:sweet": (48, 96)}


async def test_of_ten_who_draw_a_reward_of_which_there_are_three_three_get_a_voucher(
    shop: Shop, owner: Db, database: Database
) -> None:
    """The others' gifts fail, and are given back; two workers come for all of them at once."""
    made = await shop.post(
        "/v1/rewards",
        {
            "name": "A ticket",
            "gives": {"kind": "event_ticket", "event": "Opera"},
            "points": 1000,
            "status": "active",
            "stock": 3,
        },
        Role.MARKETER,
    )
    ticket = {"id": "ticket", "gift": {"kind": "reward", "reward_id": made.body["id"]}, "stock": 20, "cost": 900}
    await started(shop, prizes=[ticket], budget={"cost": 90_000})
    told = gifts_in(await asyncio.gather(*(buy(shop, f"c-{each}") for each in range(10))))
    assert len(told) == 10
    await asyncio.gather(*(jobs.surprise(database) for _ in range(3)))
    assert await states_of(owner, shop) == {"revealed": 3, "failed": 7}
    vouchers = "SELECT count(*) FROM voucher WHERE program_id = $1"
    assert await owner.fetchval(vouchers, shop.program.id) == 3
    assert await taken_of(owner, shop) == {"prize:ticket": (3, 20), "cost": (2700, 90_000)}


async def test_gifts_that_several_workers_reveal_at_once_are_revealed_once(
    shop: Shop, owner: Db, database: Database
) -> None:
    names = [f"c-{each}" for each in range(20)]
    await asyncio.gather(*(shop.buy(customer_id=each) for each in names))
    campaign_id = await started(shop, trigger={"kind": "list"}, prizes=[SWEET | {"stock": 20}])
    path = f"/v1/campaigns/{campaign_id}/customers"
    listed = await asyncio.gather(*(shop.post(path, {"customer_ids": names}, Role.MARKETER) for _ in range(3)))
    assert sum(each.body["added"] for each in listed) == 20
    await asyncio.gather(*(jobs.surprise(database) for _ in range(3)))
    await jobs.surprise(database)
    assert await states_of(owner, shop) == {"revealed": 20}
    assert {(await shop.balance(each))["available"] for each in names} == {129 + 50}
    told = "SELECT count(*) FROM outbox WHERE program_id = $1 AND type = 'surprise.revealed'"
    moved = "SELECT count(*) FROM event WHERE program_id = $1 AND type = 'surprise.revealed'"
    ids = shop.program.id
    assert await owner.fetchval(told, ids) + await owner.fetchval(moved, ids) == 20


async def test_stock_that_was_lowered_since_a_process_read_it_refuses_no_purchase(
    shop: Shop, tills: tuple[Till, Till, Till], owner: Db
) -> None:
    """What was left of it is read at most once a second: the write finds that there is less, and all is read anew."""
    till = tills[0]
    its_id = await started(shop, prizes=[SWEET | {"stock": 10}], **OFTEN)
    till.program = await loaded(shop)
    assert drawn_in(await till.at_once(draft(occurred_at=now()))) == ["sweet"]
    change = {"prizes": [SWEET | {"stock": 1}]}
    assert (await shop.call("PATCH", f"/v1/campaigns/{its_id}", change, role=Role.MARKETER)).status == 200
    with pytest.raises(RowsMissing):
        await till.at_once(draft(occurred_at=now()))
    assert drawn_in(await till.begin(draft(occurred_at=now()))) == []
    await till.end()
    assert await taken_of(owner, shop) == {"prize:sweet": (1, 1)}


async def test_a_process_that_does_not_know_a_campaign_yet_forgets_nothing_of_it(
    shop: Shop, tills: tuple[Till, Till, Till]
) -> None:
    """Else it would give more than a customer may have, or could not enrol the customer a second time."""
    till = tills[0]
    second = {"customer": {"purchase_numbers": {"least": 2, "most": 2}}}
    await started(shop, name="known", audience=second)
    till.program = await loaded(shop)
    await started(shop, name="news", prizes=[SWEET | {"id": "new"}])
    assert [each["prize"] for each in (await buy(shop)).body["surprises"]] == ["new"]
    assert drawn_in(await till.begin(draft(occurred_at=now()))) == ["sweet"]
    await till.end()
    assert (await buy(shop)).body["surprises"] == []


async def test_plays_that_were_granted_ahead_of_the_start_stay(shop: Shop) -> None:
    """Also when the customer is drawn for by another campaign in between."""
    from tests.surprises import made, move

    await shop.buy()
    game = await made(shop, trigger={"kind": "play", "granted": True, "per_day": None})
    path, body = f"/v1/campaigns/{game}/play-grants", {"customer_id": "c-42", "plays": 2}
    assert (await shop.post(path, body, Role.MARKETER, Idempotency_Key=unique("key"))).status == 201
    await started(shop)
    assert len((await buy(shop)).body["surprises"]) == 1
    assert (await move(shop, game, "activate")).status == 200
    assert (await play(shop, game)).status == 201


async def test_draws_go_on_while_a_campaign_is_edited_paused_and_closed(new_shop: NewShop, owner: Db) -> None:
    """Nothing fails, and what was given is what was taken."""
    shop = await new_shop(surprises={"per_year": None})
    its_id = await started(shop, prizes=[SWEET | {"stock": 30}], **OFTEN)
    chance = random.Random(1)

    async def edit(number: int) -> None:
        await asyncio.sleep(chance.random() / 2)
        change = {"prizes": [SWEET | {"stock": chance.choice([20, 40, 60, 80])}]}
        answer = await shop.call("PATCH", f"/v1/campaigns/{its_id}", change, role=Role.MARKETER)
        assert answer.status in {200, 409}, answer.text
        verb = "close" if number == 11 else chance.choice(["pause", "activate"])
        moved = await shop.post(f"/v1/campaigns/{its_id}/{verb}", {}, Role.MARKETER)
        assert moved.status in {200, 409}, moved.text

    async def buys(number: int) -> Answer:
        await asyncio.sleep(chance.random() / 2)
        return await shop.post("/v1/purchases", fresh(number, 20))

    edits, answers = asyncio.gather(*(edit(each) for each in range(12))), [buys(each) for each in range(200)]
    told = gifts_in(await asyncio.gather(*answers))
    await edits
    (taken,) = (await taken_of(owner, shop)).values()
    assert taken[0] == len(told) <= taken[1]
