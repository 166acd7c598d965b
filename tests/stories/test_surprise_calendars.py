"""Surprises of the calendar, each story a list of dates: holidays, birthdays, anniversaries; and who fell silent."""

from datetime import datetime
from typing import Any

from tests.stories.surprised import BERLIN, UNBOUND, Story
from tests.surprises import started

CHRISTMAS: dict[str, Any] = {"kind": "holiday", "country": "DE", "names": ["Christmas Day"], "days_before": 2}
SILENT: dict[str, Any] = {"kind": "inactivity", "times_rhythm": 20000, "purchases": 3, "least_days": 5}


async def test_a_holiday_gift_comes_once_around_christmas(story: Story) -> None:
    await story.buys()
    await started(story.shop, trigger=CHRISTMAS, **UNBOUND)
    await story.goes(
        ("2030-12-20 12:00", None, 0, 0),
        ("2030-12-22 23:59", None, 0, 0),
        ("2030-12-23 00:00", None, 0, 0),
        ("2030-12-26 00:00", None, 1, 50),
        ("2031-11-26 12:00", None, 1, 50),
        ("2031-12-23 00:00", None, 1, 50),
        ("2031-12-26 00:00", None, 2, 100),
    )


async def test_a_holiday_is_that_of_the_region(story: Story) -> None:
    await story.buys()
    epiphany = {"kind": "holiday", "country": "DE", "region": "BY", "names": ["Epiphany"]}
    await started(story.shop, trigger=epiphany, **UNBOUND)
    await story.goes(
        ("2031-01-05 12:00", None, 0, 0),
        ("2031-01-06 00:00", None, 0, 0),
        ("2031-01-07 00:00", None, 1, 50),
        ("2031-12-31 12:00", None, 1, 50),
    )


async def test_gifts_of_a_holiday_are_spread_over_its_days(story: Story) -> None:
    names = [f"guest {number}" for number in range(30)]
    for name in names:
        await story.buys(name)
    await started(story.shop, trigger=CHRISTMAS)
    for moment in ("2030-12-22 23:59", "2030-12-23 00:00", "2030-12-23 18:00", "2030-12-24 12:00", "2030-12-25 06:00"):
        await story.at(moment)
    moments = dict[str, datetime]()
    await story.at("2030-12-26 00:00")
    for row in await story.rows("SELECT id, reveal_at FROM surprise WHERE program_id = $1"):
        moments[row["id"].hex] = row["reveal_at"].astimezone(BERLIN)
    assert len(moments) == 30
    assert [len(await story.gifts(name)) for name in names] == [1] * 30
    first, end = datetime(2030, 12, 23, tzinfo=BERLIN), datetime(2030, 12, 26, tzinfo=BERLIN)
    assert all(first <= each < end for each in moments.values())
    assert len(set(moments.values())) > 25, "some share a moment"
    assert {each.day for each in moments.values()} == {23, 24, 25}
    # Nobody learns from one customer when the others get theirs: they are of all hours.
    assert len({each.hour for each in moments.values()}) > 8


async def test_who_has_a_birthday_gets_a_gift_on_it_each_year(story: Story) -> None:
    await story.tells("anna", birthday="1990-12-12")
    await started(story.shop, trigger={"kind": "birthday"}, **UNBOUND)
    await story.goes(
        ("2030-12-11 23:59", None, 0, 0),
        ("2030-12-12 00:00", None, 0, 0),
        ("2030-12-13 00:00", None, 1, 50),
        ("2031-06-01 00:00", None, 1, 50),
        ("2031-12-12 00:00", None, 1, 50),
        ("2031-12-13 00:00", None, 2, 100),
    )


async def test_a_birthday_that_is_told_later_counts_from_then_on(story: Story) -> None:
    await started(story.shop, trigger={"kind": "birthday"}, **UNBOUND)
    await story.goes(
        ("2030-12-02 10:00", story.buying(), 0, 0),
        ("2030-12-10 10:00", lambda: story.tells("anna", birthday="1990-12-12"), 0, 0),
        ("2030-12-12 00:00", None, 0, 0),
        ("2030-12-13 00:00", None, 1, 50),
        ("2030-12-14 00:00", lambda: story.tells("anna", birthday="1990-12-20"), 1, 50),
        ("2030-12-20 00:00", None, 1, 50),
        ("2030-12-21 00:00", None, 1, 50),
    )


async def test_who_was_born_on_a_leap_day_has_a_birthday_each_year(story: Story) -> None:
    await story.tells("anna", birthday="2004-02-29")
    await started(story.shop, trigger={"kind": "birthday"}, **UNBOUND)
    await story.goes(
        ("2031-02-28 00:00", None, 0, 0),
        ("2031-03-01 00:00", None, 1, 50),
        ("2032-02-28 00:00", None, 1, 50),
        ("2032-02-29 00:00", None, 1, 50),
        ("2032-03-01 00:00", None, 2, 100),
    )


async def test_the_day_of_joining_is_kept_each_year(story: Story) -> None:
    await story.buys()
    await started(story.shop, trigger={"kind": "anniversary", "days_after": 1}, **UNBOUND)
    await story.goes(
        ("2030-12-03 12:00", None, 0, 0),
        ("2031-11-30 23:59", None, 0, 0),
        ("2031-12-01 00:00", None, 0, 0),
        ("2031-12-03 00:00", None, 1, 50),
        ("2032-12-01 00:00", None, 1, 50),
        ("2032-12-03 00:00", None, 2, 100),
    )


async def test_who_is_silent_for_twice_the_usual_time_is_won_back(story: Story) -> None:
    await started(story.shop, trigger=SILENT)
    await story.goes(
        ("2030-12-01 11:00", story.buying(), 0, 0),
        ("2030-12-11 11:00", story.buying(), 0, 0),
        ("2030-12-21 11:00", story.buying(), 0, 0),
        ("2031-01-10 10:00", None, 0, 0),
        ("2031-01-10 23:30", None, 0, 0),
        ("2031-01-12 01:00", None, 1, 50),
        ("2031-02-20 01:00", None, 1, 50),
    )


async def test_who_falls_silent_again_is_won_back_again_and_by_the_new_rhythm(story: Story) -> None:
    await started(story.shop, trigger=SILENT, **UNBOUND)
    await story.goes(
        ("2030-12-01 11:00", story.buying(), 0, 0),
        ("2030-12-11 11:00", story.buying(), 0, 0),
        ("2030-12-21 11:00", story.buying(), 0, 0),
        ("2031-01-11 00:00", None, 0, 0),
        ("2031-01-11 12:00", None, 1, 50),
        ("2031-01-20 11:00", story.buying(), 1, 50),  # now it is 50 days over 3: 33 days and 8 hours are twice that
        ("2031-02-22 12:00", None, 1, 50),
        ("2031-02-22 20:00", None, 1, 50),
        ("2031-02-23 08:00", None, 2, 100),
    )


async def test_who_buys_before_the_moment_still_gets_the_gift(story: Story) -> None:
    await started(story.shop, trigger=SILENT)
    await story.goes(
        ("2030-12-01 11:00", story.buying(), 0, 0),
        ("2030-12-11 11:00", story.buying(), 0, 0),
        ("2030-12-21 11:00", story.buying(), 0, 0),
        ("2031-01-10 12:00", None, 0, 0),
        ("2031-01-10 12:00", story.buying(), 0, 0),
        ("2031-01-11 00:01", None, 1, 50),
    )


async def test_who_is_held_out_is_never_won_back(story: Story) -> None:
    campaign_id = await started(story.shop, trigger=SILENT, holdout=5000)
    names = [f"guest {number}" for number in range(12)]
    for day in ("2030-12-01 11:00", "2030-12-11 11:00", "2030-12-21 11:00"):
        await story.at(day)
        for name in names:
            await story.buys(name)
    for moment in ("2031-01-10 12:00", "2031-01-11 01:00", "2031-02-11 01:00"):
        await story.at(moment)
    rows = await story.rows(
        "SELECT c.external_id, e.held_out FROM campaign_enrolment AS e"
        " JOIN customer AS c ON c.program_id = e.program_id AND c.id = e.customer_id"
        " WHERE e.program_id = $1 AND e.campaign_id = $2::uuid",
        campaign_id.removeprefix("cmp_"),
    )
    held_out = {row["external_id"] for row in rows if row["held_out"]}
    assert len(rows) == 12
    assert 0 < len(held_out) < 12
    assert {name for name in names if await story.points(name) == 0} == held_out
