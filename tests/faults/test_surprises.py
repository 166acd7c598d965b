"""Draws when something breaks: none is made twice, no gift is lost, and nothing keeps a purchase from being booked."""

import random
from datetime import UTC, datetime
from functools import partial

import pytest

from service.events import sequencing
from service.news import KINDS
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.surprises import jobs as surprises
from service.surprises import noticing, surprising
from tests import jobs
from tests.faults.conftest import ShopAlone, ShopBehindProxy
from tests.faults.proxy import AtCommit
from tests.shop import Shop, unique
from tests.surprises import SWEET, buy, started

STOCK = {"prizes": [SWEET | {"stock": 10}], "gifts_per_customer": None}


async def counted(owner: Db, shop: Shop) -> tuple[int, int, int]:
    """Count the draws, the gifts, and what is taken of the stock."""
    row = await owner.fetchrow(
        "SELECT (SELECT count(*) FROM campaign_draw WHERE program_id = $1),"
        " (SELECT count(*) FROM surprise WHERE program_id = $1 AND state IN ('waiting', 'revealed')),"
        " (SELECT sum(taken)::bigint FROM campaign_slice WHERE program_id = $1)",
        shop.program.id,
    )
    assert row is not None
    return row[0], row[1], row[2]


async def test_a_draw_whose_commit_answer_is_lost_is_told_as_it_was_and_made_once(
    behind: ShopBehindProxy, owner: Db
) -> None:
    await started(behind.shop, **STOCK)
    at = datetime.now(UTC).isoformat()
    behind.proxy.at_next_commit(AtCommit.CUT)
    first = await buy(behind.shop, id="order-1", occurred_at=at)
    assert behind.proxy.broken_commits == 1
    assert (first.status, len(first.body["surprises"])) == (201, 1)
    again = await buy(behind.shop, id="order-1", occurred_at=at)
    assert (again.status, again.text) == (200, first.text)
    assert await counted(owner, behind.shop) == (1, 1, 1)
    assert (await behind.shop.balance("c-42"))["available"] == 129 + 50


async def test_a_play_whose_commit_answer_is_lost_is_one_play(behind: ShopBehindProxy, owner: Db) -> None:
    await behind.shop.buy()
    game = await started(behind.shop, trigger={"kind": "play", "points": 29, "per_day": None}, **STOCK)
    behind.proxy.at_next_commit(AtCommit.CUT)
    path, body, key = f"/v1/campaigns/{game}/plays", {"customer_id": "c-42"}, unique("key")
    first = await behind.shop.post(path, body, Idempotency_Key=key)
    assert behind.proxy.broken_commits == 1
    assert first.status == 201, first.text
    again = await behind.shop.post(path, body, Idempotency_Key=key)
    assert (again.status, again.replayed, again.text) == (201, True, first.text)
    assert await counted(owner, behind.shop) == (1, 1, 1)
    assert (await behind.shop.balance("c-42"))["available"] == 129 - 29 + 50


@pytest.mark.parametrize("ways", ["drawing", "revealing"])
async def test_a_job_whose_commit_answer_is_lost_draws_and_reveals_once(
    behind: ShopBehindProxy, database: Database, owner: Db, ways: str
) -> None:
    await behind.shop.buy()
    campaign_id = await started(behind.shop, trigger={"kind": "list"}, **STOCK)
    path = f"/v1/campaigns/{campaign_id}/customers"
    await behind.shop.post(path, {"customer_ids": ["c-42"]}, Role.MARKETER)
    turn, program_id = Turn(behind.shop.program.id, campaign_id), behind.shop.program.id
    through = Database(behind.settings)
    await through.open()
    try:
        if ways == "drawing":
            behind.proxy.at_next_commit(AtCommit.CUT)
            assert await surprises.plan_occasions(through, turn)
        else:
            assert await surprises.plan_occasions(through, turn)
            behind.proxy.at_next_commit(AtCommit.CUT)
            assert await surprises.reveal_gifts(through, Turn(program_id))
        assert behind.proxy.broken_commits == 1
    finally:
        await through.close()
    await jobs.surprise(database)
    assert await counted(owner, behind.shop) == (1, 1, 1)
    assert (await behind.shop.balance("c-42"))["available"] == 129 + 50


async def test_a_worker_that_dies_between_a_draw_and_its_place_in_the_feed_draws_no_second_time(
    shop: Shop, database: Database, owner: Db
) -> None:
    trigger = {"kind": "after", "fact": "purchase", "minutes": 1}
    await started(shop, trigger=trigger, **STOCK)
    for name in ("a", "b", "b"):
        await buy(shop, name)
    while await sequencing.move_all(database):
        pass
    async with database.connection() as db:
        program = await programs.read_program(db, program_id=shop.program.id)
        noticed = await noticing.notice(db, program=program, kinds=KINDS)
    for campaign_id, rounds in noticed.occasions.items():
        work = partial(surprising.occur, program=program, campaign_id=campaign_id, due=rounds[0])
        await transact(database.connection, partial(work, entropy=random.getrandbits(62)))
    assert await counted(owner, shop) == (2, 2, 2)
    await jobs.surprise(database)
    assert await counted(owner, shop) == (3, 3, 3)
    await jobs.surprise(database)
    assert await counted(owner, shop) == (3, 3, 3)


async def test_a_campaign_that_cannot_be_read_gives_nothing_and_keeps_nothing_from_being_booked(
    alone: ShopAlone,
) -> None:
    """As another release of the service may have saved it. The others go on."""
    shop = alone.shop
    spoilt = await started(shop, name="spoilt")
    await started(shop, prizes=[SWEET | {"id": "other"}], gifts_per_customer=2)
    assert len((await buy(shop)).body["surprises"]) == 2
    await alone.owner.execute(
        'UPDATE definition_version SET content = content || \'{"trigger": {"kind": "telepathy"}}\''
        " WHERE definition_id = $1",
        spoilt,
    )
    await alone.owner.execute("UPDATE catalogue_version SET version = version + 1")
    told = (await buy(shop)).body["surprises"]
    for _ in range(40):
        if [each["prize"] for each in told] == ["other"]:
            break
        told = (await buy(shop, unique("c"))).body["surprises"]
    assert [each["prize"] for each in told] == ["other"]
    await jobs.surprise(alone.database)
