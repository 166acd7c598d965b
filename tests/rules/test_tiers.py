"""How customers climb and fall, told over months and years with numbers worked out by hand."""

from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from service.kernel.periods import Period
from service.programs.tier_policy import CalendarPeriod, Downgrade, RollingPeriod, TierPolicy
from service.tiers.rules import (
    Guarantee,
    Reason,
    TierChange,
    TierNotice,
    is_due,
    next_change_at,
)
from service.tiers.settling import contribute, newcomer, settle, told_after
from tests.rules.tier_model import DAY, Fact, ladder, noon
from tests.rules.tier_stories import (
    PURCHASE,
    REFUND,
    ROLLING,
    TIERS,
    TIME,
    books,
    bought,
    day,
    number,
    refunded,
    told,
)


def test_two_years_of_twelve_rolling_months() -> None:
    story = books(ROLLING)
    for fact in [
        bought(300, "2024-01-31"),
        bought(200, "2024-02-29"),  # 500: silver
        bought(600, "2024-06-15"),  # 1,100: gold
        # 31 January 2025 is the last day of the first 300: 800 are left, silver; after February, 600.
        bought(450, "2025-03-10"),  # 1,050: gold again
        # With 15 June the 600 are over: 450 are left, bronze.
        bought(60, "2025-12-24"),  # 510: silver until the 450 are over, too
    ]:
        story.report(fact)
    story.settle(day("2026-06-30"))
    assert told(story) == [
        ("bronze", "silver", "2024-02-29", PURCHASE),
        ("silver", "gold", "2024-06-15", PURCHASE),
        ("gold", "silver", "2025-02-01", TIME),
        ("silver", "gold", "2025-03-10", PURCHASE),
        ("gold", "bronze", "2025-06-16", TIME),
        ("bronze", "silver", "2025-12-24", PURCHASE),
        ("silver", "bronze", "2026-03-11", TIME),
    ]


def test_two_years_of_calendar_years_that_begin_in_april() -> None:
    story = books(TierPolicy(CalendarPeriod(Period.YEAR, 4)))
    for fact in [
        bought(1_000, "2024-03-31"),  # the last day of 2023/24: gold until the end of 2024/25
        bought(2_000, "2024-04-01"),  # platinum until the end of 2025/26
        bought(700, "2025-04-01"),
        bought(700, "2026-03-31"),  # 1,400 in 2025/26: gold until the end of 2026/27
    ]:
        story.report(fact)
    story.settle(day("2027-12-31"))
    assert told(story) == [
        ("bronze", "gold", "2024-03-31", PURCHASE),
        ("gold", "platinum", "2024-04-01", PURCHASE),
        ("platinum", "gold", "2026-04-01", TIME),
        ("gold", "bronze", "2027-04-01", TIME),
    ]


@pytest.mark.parametrize(
    ("period", "until"),
    [(Period.MONTH, "2024-04-01"), (Period.QUARTER, "2024-07-01"), (Period.HALF_YEAR, "2025-01-01")],
)
def test_a_calendar_tier_is_kept_to_the_end_of_the_next_period(period: Period, until: str) -> None:
    story = books(TierPolicy(CalendarPeriod(period)))
    story.report(bought(1_000, "2024-02-10"))
    story.settle(day("2025-12-31"))
    assert told(story)[1:] == [("gold", "bronze", until, TIME)]


def test_days_of_grace_come_on_top_and_a_purchase_in_them_keeps_the_tier() -> None:
    story = books(TierPolicy(RollingPeriod(days=30), grace_days=14))
    story.report(bought(1_000, "2024-03-01"))
    # It counts until 31 March; gold lasts until 14 April.
    story.report(bought(1_000, "2024-04-14"))
    story.settle(day("2024-05-28"))
    assert told(story) == [("bronze", "gold", "2024-03-01", PURCHASE)]
    story.settle(day("2024-05-29"))  # 14 May was its last day, 28 May the last of grace
    assert told(story)[1:] == [("gold", "bronze", "2024-05-29", TIME)]


def test_one_step_at_a_time_each_kept_for_a_whole_period() -> None:
    story = books(TierPolicy(RollingPeriod(months=12), downgrade=Downgrade.ONE_STEP, grace_days=10))
    story.report(bought(2_500, "2023-01-15"))
    story.settle(day("2027-12-31"))
    assert told(story) == [
        ("bronze", "platinum", "2023-01-15", PURCHASE),
        ("platinum", "gold", "2024-01-26", TIME),
        ("gold", "silver", "2025-02-06", TIME),
        ("silver", "bronze", "2026-02-17", TIME),
    ]


def test_one_step_at_a_time_through_calendar_years() -> None:
    story = books(TierPolicy(CalendarPeriod(Period.YEAR), downgrade=Downgrade.ONE_STEP, grace_days=31))
    story.report(bought(2_500, "2022-06-01"))
    story.settle(day("2027-12-31"))
    assert told(story)[1:] == [
        ("platinum", "gold", "2024-02-01", TIME),
        ("gold", "silver", "2025-02-01", TIME),
        ("silver", "bronze", "2026-02-01", TIME),
    ]


def test_a_step_down_goes_no_further_than_what_was_counted_says() -> None:
    story = books(TierPolicy(RollingPeriod(months=12), downgrade=Downgrade.ONE_STEP))
    story.report(bought(1_000, "2023-01-15"))
    story.report(bought(1_200, "2023-06-01"))  # platinum; from 16 January 2024 on 1,200: gold, by its own right
    story.settle(day("2024-06-01"))
    assert story.state.guarantees == ()
    story.settle(day("2024-06-02"))
    assert told(story)[2:] == [
        ("platinum", "gold", "2024-01-16", TIME),
        ("gold", "silver", "2024-06-02", TIME),
    ]
    assert story.state.guarantees == (Guarantee("silver", number("2025-06-03")),)


@pytest.mark.parametrize("downgrade", Downgrade)
def test_a_refund_takes_the_tier_at_once_without_grace_or_steps_as_if_nothing_had_been_bought(
    downgrade: Downgrade,
) -> None:
    story = books(TierPolicy(RollingPeriod(months=12), downgrade=downgrade, grace_days=90))
    story.report(bought(300, "2024-01-10"))
    story.report(bought(1_900, "2024-01-20"))
    story.report(refunded(1_000, "2024-01-20", "2024-02-01"))
    story.report(refunded(900, "2024-01-20", "2024-02-02"))
    assert told(story)[1:] == [
        ("platinum", "gold", "2024-02-01", REFUND),
        ("gold", "bronze", "2024-02-02", REFUND),
    ]
    assert (story.state.days, story.state.amounts) == ((number("2024-01-10"),), (300,))


def test_a_refund_leaves_the_grace_that_the_rest_would_have_had() -> None:
    story = books(TierPolicy(RollingPeriod(days=30), grace_days=10))
    story.report(bought(1_000, "2024-03-01"))
    story.report(bought(1_000, "2024-03-02"))  # platinum
    story.report(refunded(1_000, "2024-03-02", "2024-04-05"))
    # What is left counted until 31 March, so gold is in its grace until 10 April.
    story.settle(day("2024-12-31"))
    assert told(story)[2:] == [
        ("platinum", "gold", "2024-04-05", REFUND),
        ("gold", "bronze", "2024-04-11", TIME),
    ]


def test_a_refund_of_what_is_out_of_the_window_changes_nothing() -> None:
    story = books(ROLLING)
    story.report(bought(1_000, "2023-01-10"))
    story.report(bought(600, "2024-01-05"))
    story.settle(day("2024-02-01"))
    before = story.state
    story.report(refunded(1_000, "2023-01-10", "2024-02-01"))
    assert story.state == before
    assert told(story)[1:] == [("gold", "silver", "2024-01-11", TIME)]


def test_a_purchase_told_late_counts_from_its_day_on_and_lifts_at_once() -> None:
    story = books(ROLLING)
    story.report(bought(600, "2024-01-10"))
    story.report(bought(500, "2023-08-01", known="2024-03-01"))  # 1,100 until 1 August 2024
    story.settle(day("2024-12-31"))
    assert told(story) == [
        ("bronze", "silver", "2024-01-10", PURCHASE),
        ("silver", "gold", "2024-03-01", PURCHASE),
        ("gold", "silver", "2024-08-02", TIME),
    ]


def test_a_purchase_told_later_than_it_would_have_counted_changes_nothing() -> None:
    story = books(ROLLING)
    story.report(bought(5_000, "2023-01-10", known="2024-01-11"))
    assert told(story) == []
    assert story.state.days == ()


def test_points_that_were_spent_count_on_their_day_and_come_back_when_it_is_over() -> None:
    story = books(TierPolicy(RollingPeriod(days=30)))
    story.report(Fact(day("2024-03-01"), -400, day("2024-03-01"), Reason.REDEMPTION))
    story.report(bought(1_200, "2024-03-10"))  # 800: silver
    story.settle(day("2024-04-30"))
    # From 1 April on the 400 aren't taken off any more: 1,200 are gold, until 9 April.
    assert told(story) == [
        ("bronze", "silver", "2024-03-10", PURCHASE),
        ("silver", "gold", "2024-04-01", TIME),
        ("gold", "bronze", "2024-04-10", TIME),
    ]


def test_more_that_is_bought_may_be_enough_once_what_was_spent_is_over() -> None:
    story = books(TierPolicy(RollingPeriod(days=30)))
    story.report(Fact(day("2024-03-01"), -400, day("2024-03-01"), Reason.REDEMPTION))
    story.report(bought(900, "2024-03-10"))  # 500, and from 1 April on 900
    story.report(bought(150, "2024-03-12"))  # 650, and from 1 April on 1,050
    story.settle(day("2024-06-01"))
    assert told(story) == [
        ("bronze", "silver", "2024-03-10", PURCHASE),
        ("silver", "gold", "2024-04-01", TIME),
        ("gold", "bronze", "2024-04-10", TIME),
    ]


@pytest.mark.parametrize(
    ("reason", "tier"), [(Reason.REDEMPTION, "silver"), (Reason.EXPIRY, "silver"), (Reason.ADJUSTMENT, "bronze")]
)
def test_what_is_spent_costs_one_step_and_a_correction_all_that_was_wrong(reason: Reason, tier: str) -> None:
    story = books(TierPolicy(RollingPeriod(days=30), downgrade=Downgrade.ONE_STEP))
    story.report(bought(1_000, "2024-03-01"))
    story.report(Fact(day("2024-03-02"), -900, day("2024-03-02"), reason))
    assert told(story)[1:] == [("gold", tier, "2024-03-02", reason)]


def test_a_tier_that_is_lost_and_comes_back_by_time_alone_is_both() -> None:
    story = books(TierPolicy(RollingPeriod(days=30), notice_days=5))
    story.report(bought(300, "2024-03-01"))
    story.report(Fact(day("2024-03-05"), -300, day("2024-03-05"), Reason.REDEMPTION))
    story.report(bought(1_000, "2024-03-06"))
    for number_of_day in range(50):
        story.settle(day("2024-03-06") + number_of_day * DAY)
    # The 300 are over after 31 March, that they were spent after 4 April, the 1,000 after 5 April.
    assert told(story) == [
        ("bronze", "gold", "2024-03-06", PURCHASE),
        ("gold", "silver", "2024-04-01", TIME),
        ("silver", "gold", "2024-04-05", TIME),
        ("gold", "bronze", "2024-04-06", TIME),
    ]
    assert [(each.isoformat(), ends.isoformat()) for each, _, _, ends in story.notices] == [
        ("2024-03-27", "2024-04-01"),
        ("2024-04-05", "2024-04-06"),
    ]


def test_who_is_about_to_lose_a_tier_is_told_once_and_anew_of_another_end() -> None:
    story = books(TierPolicy(RollingPeriod(days=60), notice_days=10))
    story.report(bought(1_000, "2024-01-01"))  # until 1 March
    for each in ("2024-02-20", "2024-02-21", "2024-02-25"):
        story.settle(day(each))
    assert story.notices == [(day("2024-02-21"), "gold", "bronze", day("2024-03-02"))]
    story.report(bought(1, "2024-02-25"))  # not enough to keep it
    assert len(story.notices) == 1
    story.report(bought(1_000, "2024-02-26"))  # 2,001 until 1 March, then 1,001; 1,000 until 26 April
    story.settle(day("2024-03-02"))
    assert story.notices[1:] == [(day("2024-02-26"), "platinum", "gold", day("2024-03-02"))]
    story.settle(day("2024-04-17"))
    assert story.notices[2:] == [(day("2024-04-17"), "gold", "bronze", day("2024-04-27"))]


def test_who_is_told_of_the_end_of_one_tier_is_told_of_that_of_another_at_the_same_moment() -> None:
    story = books(TierPolicy(RollingPeriod(days=60), notice_days=10))
    story.report(bought(1_100, "2024-01-01"))
    story.settle(day("2024-02-21"))
    story.report(refunded(500, "2024-01-01", "2024-02-22"))
    assert story.notices == [
        (day("2024-02-21"), "gold", "bronze", day("2024-03-02")),
        (day("2024-02-22"), "silver", "bronze", day("2024-03-02")),
    ]


def test_who_buys_what_keeps_the_tier_is_not_told_of_its_end_by_that_purchase() -> None:
    story = books(TierPolicy(RollingPeriod(days=60), notice_days=10))
    story.report(bought(300, "2024-01-01"))
    story.report(bought(200, "2024-02-01"))  # silver until 1 March: a notice is due on 21 February
    now, before = noon(day("2024-02-25"), story.steps), story.state
    settled = settle(before, story.steps, now)
    assert settled.notice is not None
    for amount, notice in ((299, settled.notice), (300, None)):
        buy = partial(contribute, now=now, day=number("2024-02-25"), amount=amount, reason=PURCHASE)
        assert buy(before, story.steps).notice == notice
        assert told_after(settled, buy(settled.state, story.steps)) == notice


def test_a_notice_that_comes_too_late_is_none() -> None:
    story = books(TierPolicy(RollingPeriod(days=60), notice_days=10))
    story.report(bought(1_000, "2024-01-01"))
    story.settle(day("2024-06-01"))
    assert (told(story)[-1], story.notices) == (("gold", "bronze", "2024-03-02", TIME), [])


def test_a_tier_reached_by_a_late_purchase_is_told_of_at_once_when_its_end_is_near() -> None:
    steps = ladder(TierPolicy(RollingPeriod(days=60), notice_days=10), TIERS)
    now = noon(day("2024-02-28"), steps)
    settled = contribute(newcomer(steps, now), steps, now=now, day=number("2024-01-01"), amount=1_000, reason=PURCHASE)
    assert settled.notice == TierNotice("gold", "bronze", datetime(2024, 3, 2, tzinfo=UTC))


def test_days_begin_in_the_programs_time_zone_also_when_the_clock_changes() -> None:
    for zone, ends in [
        ("Europe/Berlin", datetime(2024, 3, 30, 23, tzinfo=UTC)),  # 31 March has 23 hours
        ("America/Sao_Paulo", datetime(2024, 3, 31, 3, tzinfo=UTC)),
        ("Asia/Beirut", datetime(2024, 3, 30, 22, tzinfo=UTC)),  # from 00:00 to 01:00 there is no time
        ("Pacific/Auckland", datetime(2024, 3, 30, 11, tzinfo=UTC)),
    ]:
        steps = ladder(TierPolicy(RollingPeriod(days=10)), TIERS, zone)
        now = datetime(2024, 3, 20, 23, 59, 59, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        today = steps.day_of(now)
        assert today == number("2024-03-20")
        state = contribute(newcomer(steps, now), steps, now=now, day=today, amount=1_000, reason=PURCHASE).state
        assert next_change_at(state, steps) == ends
        tick = ends - datetime.resolution
        assert (settle(state, steps, tick).state, is_due(state, steps, tick)) == (state, False)
        assert settle(state, steps, ends).changes == (TierChange("gold", "bronze", ends, TIME),)


def test_a_clock_that_is_set_back_over_midnight_takes_no_tier() -> None:
    steps = ladder(ROLLING, TIERS)
    after = datetime(2024, 5, 1, 0, 0, 1, tzinfo=UTC)
    state = contribute(
        newcomer(steps, after), steps, now=after, day=number("2024-05-01"), amount=1_000, reason=PURCHASE
    ).state
    before = datetime(2024, 4, 30, 23, 59, 59, tzinfo=UTC)
    settled = contribute(state, steps, now=before, day=number("2024-04-30"), amount=-1, reason=Reason.ADJUSTMENT)
    assert (settled.state.tier, settled.changes) == (
        "silver",
        (TierChange("gold", "silver", after, Reason.ADJUSTMENT),),
    )


@pytest.mark.parametrize("period", [RollingPeriod(months=12), CalendarPeriod(Period.MONTH)])
def test_a_purchase_dated_minutes_ahead_counts_when_its_day_begins(period: RollingPeriod | CalendarPeriod) -> None:
    steps = ladder(TierPolicy(period), TIERS)
    now, midnight = datetime(2024, 4, 30, 23, 58, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
    settled = contribute(newcomer(steps, now), steps, now=now, day=number("2024-05-01"), amount=1_000, reason=PURCHASE)
    assert (settled.changes, next_change_at(settled.state, steps)) == ((), midnight)
    assert settle(settled.state, steps, midnight).changes == (TierChange("bronze", "gold", midnight, TIME),)
