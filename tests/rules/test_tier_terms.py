"""Tiers that are brought along, terms that change, records that become one."""

from datetime import UTC, datetime

import pytest

from service.kernel.periods import Period
from service.programs.tier_policy import CalendarPeriod, Downgrade, QualifyBy, RollingPeriod, TierPolicy
from service.tiers.rules import (
    Ladder,
    Reason,
    TierChange,
    TierState,
    is_counted_otherwise,
    is_due,
    next_change_at,
)
from service.tiers.settling import brought_in, contribute, joined, newcomer, recounted, settle
from service.tiers.standing import standing_of
from tests.rules.tier_model import Change, Fact, ladder, noon
from tests.rules.tier_stories import PURCHASE, ROLLING, TIERS, TIME, YEARLY, books, bought, day, number, told


def test_a_tier_brought_along_counts_as_reached_then_and_lasts_to_its_own_end() -> None:
    story = books(ROLLING)
    since = noon(day("2023-07-01"), story.steps)
    settled = brought_in(
        story.state,
        story.steps,
        now=noon(day("2024-02-01"), story.steps),
        tier="gold",
        since=since,
        until=number("2024-09-01"),
    )
    assert settled.changes == (
        TierChange("bronze", "gold", noon(day("2024-02-01"), story.steps), Reason.OPENING_BALANCE),
    )
    assert (settled.state.tier, settled.state.since) == ("gold", since)
    story.state = settled.state
    story.report(bought(600, "2024-08-01"))
    story.settle(day("2025-12-31"))
    assert told(story) == [("gold", "silver", "2024-09-01", TIME), ("silver", "bronze", "2025-08-02", TIME)]


@pytest.mark.parametrize(
    ("policy", "end"),
    [
        (TierPolicy(RollingPeriod(months=12), grace_days=5), "2024-07-07"),
        (TierPolicy(CalendarPeriod(Period.YEAR), grace_days=31), "2025-02-01"),
    ],
)
def test_without_an_end_of_its_own_it_lasts_as_long_as_one_reached_here(policy: TierPolicy, end: str) -> None:
    story = books(policy)
    since, now = noon(day("2023-07-01"), story.steps), noon(day("2024-02-01"), story.steps)
    story.state = brought_in(story.state, story.steps, now=now, tier="gold", since=since, until=None).state
    story.settle(day("2027-01-01"))
    assert told(story) == [("gold", "bronze", end, TIME)]


def test_a_lower_tier_brought_along_waits_below_the_higher_one() -> None:
    story = books(TierPolicy(RollingPeriod(days=30)))
    story.report(bought(2_000, "2024-01-31"))
    since, now = noon(day("2023-07-01"), story.steps), noon(day("2024-02-01"), story.steps)
    settled = brought_in(story.state, story.steps, now=now, tier="silver", since=since, until=number("2024-12-01"))
    assert (settled.changes, settled.state.tier) == ((), "platinum")
    story.state = settled.state
    story.settle(day("2025-01-01"))
    assert told(story)[1:] == [("platinum", "silver", "2024-03-02", TIME), ("silver", "bronze", "2024-12-01", TIME)]


def test_a_tier_brought_along_that_is_over_already_is_none() -> None:
    story = books(ROLLING)
    since, now = noon(day("2022-07-01"), story.steps), noon(day("2024-02-01"), story.steps)
    settled = brought_in(story.state, story.steps, now=now, tier="gold", since=since, until=None)
    assert (settled.changes, settled.state) == ((), story.state)


def test_other_thresholds_change_tiers_when_the_customer_is_next_looked_at() -> None:
    story = books(ROLLING)
    story.report(bought(1_500, "2024-01-10"))
    story.steps = ladder(ROLLING, [("bronze", 0), ("silver", 500), ("gold", 1_600)], "Europe/Berlin")
    now = noon(day("2024-02-01"), story.steps)
    assert is_due(story.state, story.steps, now)
    story.settle(day("2024-02-01"))
    story.steps = ladder(ROLLING, [("bronze", 0), ("platinum", 1_500)], "Europe/Berlin")  # silver and gold are no more
    story.settle(day("2024-02-02"))
    story.settle(day("2025-06-01"))
    assert told(story)[1:] == [
        ("gold", "silver", "2024-02-01", Reason.TERMS),
        ("silver", "platinum", "2024-02-02", Reason.TERMS),
        ("platinum", "bronze", "2025-01-11", TIME),
    ]


def test_what_is_counted_otherwise_stays_until_all_is_counted_again() -> None:
    story = books(ROLLING)
    story.report(bought(1_000, "2024-01-10"))
    before = story.state
    story.steps = ladder(TierPolicy(RollingPeriod(months=12), QualifyBy.PURCHASES), [("bronze", 0), ("gold", 3)])
    assert is_counted_otherwise(before, story.steps)
    story.report(bought(1, "2024-03-01"))
    story.settle(day("2026-03-01"))
    assert story.state == before
    now = noon(day("2024-04-01"), story.steps)
    counts = {number("2023-01-01"): 9, number("2024-01-10"): 1, number("2024-02-10"): 1, number("2024-03-01"): 1}
    settled = recounted(before, story.steps, now=now, amounts=counts)
    assert (settled.state.tier, settled.state.amounts, settled.changes) == ("gold", (1, 1, 1), ())
    assert not is_counted_otherwise(settled.state, story.steps)
    assert next_change_at(settled.state, story.steps) == datetime(2025, 1, 11, tzinfo=UTC)


def test_tiers_that_are_new_count_what_was_before_them() -> None:
    steps = ladder(YEARLY, TIERS)
    now = noon(day("2024-04-01"), steps)
    assert is_counted_otherwise(TierState(), steps)
    counts = {number("2023-05-01"): 700, number("2023-12-31"): 300, number("2024-01-10"): 500}
    settled = recounted(TierState(), steps, now=now, amounts=counts)
    assert settled.changes == (TierChange(None, "gold", now, Reason.TERMS),)
    assert (settled.state.days, settled.state.amounts) == ((number("2023-01-01"), number("2024-01-01")), (1_000, 500))


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (TierPolicy(RollingPeriod(months=12), downgrade=Downgrade.ONE_STEP, notice_days=30), False),
        (TierPolicy(RollingPeriod(months=12), grace_days=1), True),
        (TierPolicy(RollingPeriod(months=6)), True),
        (TierPolicy(RollingPeriod(months=12), QualifyBy.SPEND, currency="EUR"), True),
        (YEARLY, True),
    ],
)
def test_only_what_is_counted_and_for_how_long_makes_a_new_count(change: TierPolicy, again: bool) -> None:  # noqa: FBT001 - it is a row of the table
    state = newcomer(ladder(ROLLING, TIERS), datetime(2024, 1, 1, tzinfo=UTC))
    assert is_counted_otherwise(state, ladder(change, TIERS)) is again


def test_the_currency_of_a_program_matters_where_spend_counts_in_it() -> None:
    spend, named = TierPolicy(RollingPeriod(days=30), QualifyBy.SPEND), "EUR"
    state = newcomer(ladder(spend, TIERS, currency=named), datetime(2024, 1, 1, tzinfo=UTC))
    assert is_counted_otherwise(state, ladder(spend, TIERS, currency="USD"))
    same = TierPolicy(RollingPeriod(days=30), QualifyBy.SPEND, currency=named)
    assert not is_counted_otherwise(state, ladder(same, TIERS, currency="USD"))


def test_a_merge_adds_what_was_counted_and_keeps_what_was_guaranteed() -> None:
    one, other = books(ROLLING), books(ROLLING)
    one.report(bought(600, "2024-01-10"))
    other.report(bought(450, "2024-01-10"))
    since, now = noon(day("2023-07-01"), one.steps), noon(day("2024-02-01"), one.steps)
    other.state = brought_in(
        other.state, one.steps, now=now, tier="silver", since=since, until=number("2026-01-01")
    ).state
    merged = joined(one.state, other.state, one.steps, now)
    assert merged.changes == (TierChange("silver", "gold", now, Reason.MERGE),)
    assert (merged.state.days, merged.state.amounts) == ((number("2024-01-10"),), (1_050,))
    other.state = merged.state
    other.settle(day("2026-12-31"))
    assert other.changes == [
        Change("gold", "silver", day("2025-01-11"), TIME),
        Change("silver", "bronze", day("2026-01-01"), TIME),
    ]


def test_who_gets_the_tier_of_a_merged_record_has_it_since_that_one_had() -> None:
    one, other = books(ROLLING), books(ROLLING)
    one.report(bought(1_000, "2024-01-10"))
    now = noon(day("2024-02-01"), one.steps)
    merged = joined(one.state, other.state, one.steps, now)
    assert (merged.state.tier, merged.state.since) == ("gold", noon(day("2024-01-10"), one.steps))
    back = joined(other.state, one.state, one.steps, now)
    assert (back.state, back.changes) == (one.state, ())


def test_a_merge_with_one_who_spent_more_leaves_what_both_say_and_no_step() -> None:
    policy = TierPolicy(RollingPeriod(days=30), downgrade=Downgrade.ONE_STEP)
    one, other = books(policy), books(policy)
    one.report(bought(1_000, "2024-03-01"))
    other.report(Fact(day("2024-03-01"), -900, day("2024-03-01"), Reason.REDEMPTION))
    now = noon(day("2024-03-02"), one.steps)
    merged = joined(other.state, one.state, one.steps, now)
    assert (merged.state.tier, merged.state.guarantees) == ("bronze", ())


def test_a_merge_with_one_who_was_counted_otherwise_keeps_the_higher_tier_until_both_are_counted_again() -> None:
    old, steps = books(YEARLY), ladder(ROLLING, TIERS, "Europe/Berlin")
    old.report(bought(1_000, "2024-01-10"))
    now = noon(day("2024-02-01"), steps)
    merged = joined(old.state, newcomer(steps, now), steps, now)
    assert merged.changes == (TierChange("bronze", "gold", now, Reason.MERGE),)
    assert is_counted_otherwise(merged.state, steps)
    assert next_change_at(merged.state, steps) is None
    again = recounted(merged.state, steps, now=now, amounts={number("2024-01-10"): 1_000})
    assert (again.state.tier, again.changes) == ("gold", ())


def test_a_program_without_tiers_gives_none() -> None:
    steps = ladder(ROLLING, [("only", 1)])
    empty = Ladder((), steps.policy, steps.currency, steps.zone, steps.window, (), {}, "other", steps.basis)
    now = noon(day("2024-02-01"), steps)
    state = contribute(newcomer(steps, now), steps, now=now, day=number("2024-02-01"), amount=5, reason=PURCHASE).state
    assert state.tier == "only"
    settled = settle(state, empty, now)
    assert settled.changes == (TierChange("only", None, now, Reason.TERMS),)
    assert standing_of(settled.state, empty, now).next is None
    assert newcomer(empty, now).tier is None


@pytest.mark.parametrize("period", [RollingPeriod(months=36), RollingPeriod(days=1_100), CalendarPeriod(Period.YEAR)])
@pytest.mark.parametrize("on", ["0001-01-01", "0001-12-31", "9998-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days_like_others(period: RollingPeriod | CalendarPeriod, on: str) -> None:
    steps = ladder(TierPolicy(period, grace_days=300, notice_days=365, downgrade=Downgrade.ONE_STEP), TIERS)
    now = datetime.combine(day(on), datetime.min.time(), UTC)
    settled = contribute(newcomer(steps, now), steps, now=now, day=number(on), amount=2_000, reason=PURCHASE)
    assert settled.state.tier == "platinum"
    assert (next_change_at(settled.state, steps) is None) is on.startswith("999")
    assert standing_of(settled.state, steps, now).id == "platinum"
    late = contribute(newcomer(steps, now), steps, now=now, day=1, amount=2_000, reason=PURCHASE)
    assert late.state.tier == ("platinum" if on.startswith("0001") else "bronze")
