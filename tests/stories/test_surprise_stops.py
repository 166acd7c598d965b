"""Whom something stands against gets no surprise, at the draw and at the sending; what that stopped is recorded."""

from typing import Any
from uuid import UUID

import pytest

from service.customers.suppressions.rules import SuppressionReason
from service.platform.clock import database_time
from service.platform.roles import Role
from service.programs import usecases as programs
from service.surprises import surprising
from service.surprises.surprising import Due
from tests.stories.surprised import UNBOUND, Story, sweet
from tests.surprises import NOTHING, started

REASONS = [each.value for each in SuppressionReason]
AFTER: dict[str, Any] = {"kind": "after", "fact": "purchase", "minutes": 60}


def told(stops: list[dict[str, Any]]) -> list[tuple[str | None, str, str, list[str]]]:
    """Tell of stops what matters."""
    return [(each["customer_id"], each["occasion"], each["at"], each["reasons"]) for each in stops]


async def test_whom_any_reason_stands_against_draws_nothing_and_is_told_what_a_loser_is(story: Story) -> None:
    campaign_id = await started(story.shop, **UNBOUND, prizes=sweet(stock=100))
    empty = await started(story.shop, **UNBOUND, prizes=[*sweet(weight=1, stock=0), NOTHING])
    for reason in REASONS:
        await story.tells(reason)
        await story.suppress(reason, reason)
        bought = await story.buys(reason)
        assert bought.body["surprises"] == []
        assert bought.body["balance"]["available"] == 0
    assert told(await story.stops(campaign_id)) == [(each, "purchase", "draw", [each]) for each in REASONS]
    for table in ("campaign_draw", "campaign_enrolment", "surprise"):
        assert await story.counted(table, campaign_id) == 0, table
    assert await story.left(campaign_id, "prize:sweet") == 100
    assert await story.stops(empty) == [], "it could have given nothing"


async def test_what_is_drawn_is_stopped_by_any_reason_that_came_before_its_moment(story: Story) -> None:
    campaign_id = await started(story.shop, trigger=AFTER, prizes=sweet(stock=100), budget={"points": 5000})
    for reason in REASONS:
        await story.buys(reason)
    await story.at("2030-12-01 10:30")
    assert await story.left(campaign_id, "prize:sweet") == 100 - len(REASONS)
    for reason in REASONS:
        await story.suppress(reason, reason)
    await story.at("2030-12-01 11:30")
    stops = await story.stops(campaign_id)
    assert sorted(told(stops)) == sorted((each, "after", "sending", [each]) for each in REASONS)
    assert all(each["surprise_id"].startswith("sur_") for each in stops)
    # It is given back, once, and stays stopped when the reason is lifted.
    for reason in REASONS:
        await story.lift(reason, reason)
    await story.at("2030-12-02 11:30")
    assert await story.stops(campaign_id) == stops
    assert [await story.gifts(each) for each in REASONS] == [[] for _ in REASONS]
    assert await story.left(campaign_id, "prize:sweet") == 100
    assert await story.left(campaign_id, "points") == 5000
    answer = await story.shop.get(f"/v1/surprises/{stops[0]['surprise_id']}")
    assert answer.status == 404


async def test_a_stopped_gift_does_not_count_for_its_customer(story: Story) -> None:
    await started(story.shop, trigger=AFTER)
    await story.goes(
        ("2030-12-01 10:10", story.buying(), 0, 0),
        ("2030-12-01 10:20", lambda: story.suppress("complaint"), 0, 0),
        ("2030-12-01 12:00", lambda: story.lift("complaint"), 0, 0),
        ("2030-12-02 10:10", story.buying(), 0, 0),
        ("2030-12-02 12:00", None, 1, 50),
        ("2030-12-03 10:10", story.buying(), 1, 50),
        ("2030-12-03 12:00", None, 1, 50),
    )


async def test_a_reason_that_has_ended_stops_nothing(story: Story) -> None:
    campaign_id = await started(story.shop, **UNBOUND)
    await story.tells("anna")
    await story.suppress("open_case", until="2030-12-02T09:00:00Z")
    await story.goes(
        ("2030-12-01 10:10", story.buying(), 0, 0),
        ("2030-12-02 09:59", story.buying(), 0, 0),
        ("2030-12-02 10:01", story.buying(), 1, 50),
    )
    assert told(await story.stops(campaign_id)) == [("anna", "purchase", "draw", ["open_case"])] * 2


async def test_a_reason_that_ends_before_the_moment_stops_no_sending(story: Story) -> None:
    campaign_id = await started(story.shop, trigger=AFTER)
    await story.goes(
        ("2030-12-01 10:10", story.buying(), 0, 0),
        ("2030-12-01 10:20", lambda: story.suppress("open_case", until="2030-12-01T10:00:00Z"), 0, 0),
        ("2030-12-01 11:20", None, 1, 50),
    )
    assert await story.stops(campaign_id) == []


async def test_all_reasons_that_hold_are_recorded_of_an_occasion_and_it_once(story: Story) -> None:
    campaign_id = await started(story.shop, trigger={"kind": "birthday"})
    await story.tells("anna", birthday="1990-12-12")
    for reason in ("opt_out", "complaint"):
        await story.suppress(reason)
    await story.goes(
        ("2030-12-12 00:00", None, 0, 0),
        ("2030-12-12 12:00", lambda: story.lift("opt_out"), 0, 0),
        ("2030-12-12 13:00", lambda: story.lift("complaint"), 0, 0),
        ("2030-12-13 00:00", None, 0, 0),
    )
    ((_, occasion, at, reasons),) = told(await story.stops(campaign_id))
    assert (occasion, at, sorted(reasons)) == ("birthday", "draw", ["complaint", "opt_out"])


async def test_who_was_erased_is_not_named_by_what_was_stopped(story: Story) -> None:
    campaign_id = await started(story.shop)
    for name in ("anna", "bert"):
        await story.tells(name)
        await story.suppress("left", name)
        await story.buys(name)
    erased = await story.shop.call("DELETE", "/v1/customers/anna", role=Role.ADMIN)
    assert erased.status == 200, erased.text
    assert [each["customer_id"] for each in await story.stops(campaign_id)] == [None, "bert"]


async def test_two_workers_that_come_to_one_occasion_record_it_once(story: Story) -> None:
    campaign_id = await started(story.shop, trigger={"kind": "list"})
    await story.tells("anna")
    await story.suppress("left")
    database = story.shop.database
    assert database is not None
    async with database.connection() as db:
        program = await programs.read_program(db, program_id=story.shop.program.id)
        now = await database_time(db)
        (row,) = await story.rows("SELECT id FROM customer WHERE program_id = $1")
        due = {"anna": Due(row["id"], "list", now, now)}
        its_id = UUID(campaign_id.removeprefix("cmp_"))
        for _ in range(2):
            async with db.transaction():
                await surprising.occur(db, program=program, campaign_id=its_id, due=due, entropy=0)
    assert told(await story.stops(campaign_id)) == [("anna", "list", "draw", ["left"])]


@pytest.mark.parametrize("limit", [1, 2])
async def test_what_was_stopped_is_read_by_pages_the_newest_first(story: Story, limit: int) -> None:
    campaign_id = await started(story.shop)
    await story.tells("anna")
    await story.suppress("left")
    for _ in range(3):
        await story.buys()
    whole = (await story.stops(campaign_id))[::-1]
    read, cursor = list[dict[str, Any]](), ""
    while True:
        path = f"/v1/campaigns/{campaign_id}/stops?limit={limit}{cursor}"
        page = (await story.shop.get(path, Role.ANALYST)).body
        assert len(page["data"]) <= limit
        read += page["data"]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert read == whole
    assert len(read) == 3
