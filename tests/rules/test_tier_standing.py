"""What a tier shows: what is missing for the next one, what keeps this one until when, what comes."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.periods import Period
from service.programs.tier_policy import CalendarPeriod, QualifyBy, RollingPeriod, TierPolicy
from service.tiers.rules import Ladder, Reason, TierState
from service.tiers.settling import brought_in, contribute
from service.tiers.standing import Keeping, NextTier, TierAt, TierStanding, standing_of
from service.tiers.windows import Calendar
from tests.rules.test_tier_properties import LAST, calendars, histories, ladders, settled_by
from tests.rules.tier_model import DAY, Books, Fact, Model, ladder, local, noon

YEARLY = TierPolicy(CalendarPeriod(Period.YEAR), grace_days=31, notice_days=30)
ROLLING = TierPolicy(RollingPeriod(months=12), notice_days=30)


def utc(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def shown(steps: Ladder, day: date, *bought: tuple[date, int]) -> TierStanding:
    """Show what a customer sees on a day who bought on some."""
    books = Books(steps)
    for on, amount in bought:
        books.report(Fact(on, amount, on))
    return standing_of(books.state, steps, noon(day, steps))


def after(state: TierState, steps: Ladder, day: date, amount: int) -> TierState:
    """Count a purchase."""
    return contribute(
        state, steps, now=noon(day, steps), day=day.toordinal(), amount=amount, reason=Reason.PURCHASE
    ).state


def test_who_has_no_tier_sees_what_is_missing_for_the_first() -> None:
    assert shown(ladder(ROLLING), date(2026, 3, 1), (date(2026, 2, 1), 60)) == TierStanding(
        None, None, None, NextTier("silver", "Silver", 40, QualifyBy.POINTS, None), None, None, None
    )


def test_money_is_missing_in_the_currency_that_counts() -> None:
    steps = ladder(TierPolicy(RollingPeriod(days=30), QualifyBy.SPEND), currency="SEK")
    assert shown(steps, date(2026, 3, 1)).next == NextTier("silver", "Silver", 100, QualifyBy.SPEND, "SEK")


def test_a_rolling_tier_shows_when_its_first_purchases_are_over() -> None:
    steps, day = ladder(ROLLING), date(2026, 6, 1)
    standing = shown(steps, day, (date(2026, 1, 10), 80), (date(2026, 3, 5), 60), (date(2026, 5, 1), 200))
    # 340 counted until 10 January 2027, included; then 260, which is silver.
    ends = utc(2027, 1, 11)
    assert standing == TierStanding(
        "gold",
        "Gold",
        noon(date(2026, 5, 1), steps),
        NextTier("platinum", "Platinum", 660, QualifyBy.POINTS, None),
        Keeping(ends, 40, None),
        TierAt("silver", "Silver", ends),
        None,
    )
    assert standing_of(
        Books(steps).state, steps, noon(day, steps)
    ).projected is None  # fmt: skip


def test_the_end_that_was_told_is_shown_from_the_notice_on() -> None:
    steps = ladder(ROLLING)
    bought = (date(2026, 1, 10), 100)
    assert shown(steps, date(2026, 12, 11), bought).downgrade is None
    assert shown(steps, date(2026, 12, 12), bought).downgrade == TierAt(None, None, utc(2027, 1, 11))


def test_a_notice_is_void_once_something_keeps_the_tier() -> None:
    steps = ladder(ROLLING)
    books = Books(steps)
    books.report(Fact(date(2026, 1, 10), 100, date(2026, 1, 10)))
    books.settle(date(2026, 12, 20))
    books.report(Fact(date(2026, 12, 21), 100, date(2026, 12, 21)))
    standing = standing_of(books.state, steps, noon(date(2026, 12, 22), steps))
    assert standing.downgrade is None
    assert standing.keep == Keeping(utc(2027, 12, 22), 100, None)


def test_a_calendar_tier_lasts_to_the_end_of_the_next_year_and_its_days_of_grace() -> None:
    steps = ladder(YEARLY)
    standing = shown(steps, date(2026, 6, 1), (date(2026, 3, 5), 300))
    ends = utc(2028, 2, 1)
    # What is counted this year doesn't keep gold any longer: 300 are needed from 2027 on.
    assert (standing.keep, standing.projected) == (
        Keeping(ends, 300, utc(2027, 1, 1)),
        TierAt("gold", "Gold", utc(2027, 2, 1)),
    )
    standing = shown(steps, date(2027, 6, 1), (date(2026, 3, 5), 300), (date(2027, 5, 1), 120))
    assert (standing.keep, standing.projected) == (Keeping(ends, 180, None), TierAt("silver", "Silver", ends))
    assert standing.next == NextTier("platinum", "Platinum", 880, QualifyBy.POINTS, None)


def test_in_the_days_of_grace_a_calendar_tier_is_kept_by_the_new_year() -> None:
    steps = ladder(YEARLY)
    standing = shown(steps, date(2028, 1, 10), (date(2026, 3, 5), 300), (date(2028, 1, 5), 20))
    assert standing.keep == Keeping(utc(2028, 2, 1), 280, None)
    assert standing.downgrade == TierAt(None, None, utc(2028, 2, 1))


def test_one_who_has_the_highest_tier_for_ever_sees_no_next_and_nothing_to_keep() -> None:
    steps = ladder(ROLLING, [("member", 0)])
    assert shown(steps, date(2026, 6, 1)) == TierStanding("member", "Member", utc(1, 1, 2), None, None, None, None)


def test_what_must_be_counted_again_shows_the_tier_alone() -> None:
    old, steps = ladder(ROLLING), ladder(YEARLY)
    books = Books(old)
    books.report(Fact(date(2026, 1, 10), 100, date(2026, 1, 10)))
    assert standing_of(books.state, steps, noon(date(2027, 6, 1), steps)) == TierStanding(
        "silver", "Silver", noon(date(2026, 1, 10), old), None, None, None, None
    )


def test_a_tier_brought_along_shows_from_when_on_it_is_kept_by_what_is_counted() -> None:
    steps = ladder(TierPolicy(RollingPeriod(days=30), grace_days=10))
    now, until = noon(date(2024, 5, 1), steps), date(2024, 12, 1)
    state = Books(steps).state
    state = brought_in(state, steps, now=now, tier="gold", since=now, until=until.toordinal()).state
    # What is bought on 22 October counts until 21 November and has its grace until 1 December.
    assert standing_of(state, steps, now).keep == Keeping(utc(2024, 12, 1), 300, utc(2024, 10, 22))
    for day, kept in ((date(2024, 10, 21), None), (date(2024, 10, 22), "gold")):
        assert standing_of(after(state, steps, day, 300), steps, noon(until, steps)).id == kept


def test_one_whose_end_lies_in_the_days_of_grace_is_kept_by_the_year_before() -> None:
    steps = ladder(YEARLY)
    now, until = noon(date(2024, 5, 1), steps), date(2026, 1, 10)
    state = Books(steps).state
    state = brought_in(state, steps, now=now, tier="gold", since=now, until=until.toordinal()).state
    assert standing_of(state, steps, now).keep == Keeping(utc(2026, 1, 10), 300, None)
    kept = after(state, steps, date(2024, 12, 31), 300)
    assert standing_of(kept, steps, now).keep == Keeping(utc(2026, 2, 1), 300, utc(2025, 1, 1))


@given(ladders, histories(spending=False))
def test_a_tier_is_over_when_it_is_shown_to_be(steps: Ladder, facts: list[Fact]) -> None:
    standing = standing_of(settled_by(steps, facts, set()).state, steps, noon(LAST, steps))
    model = Model(steps, facts).run(date(2023, 12, 20), LAST)
    count = len(model.changes)
    later = model.run(LAST + DAY, LAST + 250 * DAY)
    first = later.changes[count] if len(later.changes) > count else None
    if first is None:
        assert standing.keep is None
    else:
        assert standing.keep is not None
        assert local(standing.keep.until, steps.zone) == first.on
    if standing.projected is not None:
        assert standing.projected.id == later.tiers[local(standing.projected.at, steps.zone)]
    else:
        assert first is None
        assert not isinstance(steps.window, Calendar)


@given(ladders, histories(spending=False))
def test_what_is_missing_is_enough_and_no_more_than_needed(steps: Ladder, facts: list[Fact]) -> None:
    state = settled_by(steps, facts, set()).state
    standing = standing_of(state, steps, noon(LAST, steps))
    if standing.next is not None:
        assert after(state, steps, LAST, standing.next.missing).tier == standing.next.id
        assert standing.next.missing == 1 or after(state, steps, LAST, standing.next.missing - 1).tier == state.tier
    if standing.keep is not None:
        ends = local(standing.keep.until, steps.zone)
        day = LAST if standing.keep.since is None else local(standing.keep.since, steps.zone)
        assert day < ends
        assert standing.keep.missing >= 1
        level = steps.level(state.tier)
        for amount, kept in ((standing.keep.missing, True), (standing.keep.missing - 1, False)):
            then = after(state, steps, day, amount)
            # Who rises on the way is kept by the step down from there.
            if kept or then.tier == state.tier:
                assert (steps.level(standing_of(then, steps, noon(ends, steps)).id) >= level) is kept


@given(calendars, st.integers(0, 25), st.integers(100, 999), st.integers(0, 20))
def test_what_is_counted_in_the_period_of_a_tier_keeps_it_no_longer(
    period: CalendarPeriod, grace: int, amount: int, days: int
) -> None:
    steps = ladder(TierPolicy(period, grace_days=grace))
    state = after(Books(steps).state, steps, LAST, amount)
    keep = standing_of(state, steps, noon(LAST, steps)).keep
    assert keep is not None
    assert keep.since is not None
    since = local(keep.since, steps.zone)
    before = max(LAST, since - DAY - days * DAY)
    then = after(state, steps, before, keep.missing)
    assert standing_of(then, steps, keep.until).id is None
    assert standing_of(after(state, steps, since, keep.missing), steps, keep.until).id == state.tier


@pytest.mark.parametrize("grace", [0, 10])
def test_in_the_days_of_grace_a_rolling_tier_is_kept_by_what_is_missing_then(grace: int) -> None:
    steps = ladder(TierPolicy(RollingPeriod(days=30), grace_days=grace))
    bought = ((date(2026, 3, 1), 80), (date(2026, 3, 10), 50))
    # 1 March counts until 31 March: from 1 April on there are 50, from 10 April on none.
    standing = shown(steps, date(2026, 3, 31), *bought)
    assert standing.keep == Keeping(utc(2026, 4, 1 + grace), 50, None)
    if grace:
        assert shown(steps, date(2026, 4, 5), *bought).keep == Keeping(utc(2026, 4, 11), 50, None)
        assert shown(steps, date(2026, 4, 10), *bought).keep == Keeping(utc(2026, 4, 11), 100, None)
