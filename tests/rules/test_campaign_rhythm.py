"""Who is silent: for longer than the own rhythm of purchases lets expect, and not for ever."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.surprises.campaigns import OnInactivity
from service.surprises.rhythm import silence_of, silent_since_bounds

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
START = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
TWICE = OnInactivity()  # 3 purchases, twice the rhythm, at least 14 days, at most 365

triggers = st.builds(
    OnInactivity,
    times_rhythm=st.integers(10_000, 1_000_000),
    purchases=st.integers(2, 6),
    least_days=st.integers(1, 3650),
    most_days=st.integers(1, 3650),
)
moments = st.datetimes(timezones=st.just(UTC))


def silence(trigger: OnInactivity, count: int, over: timedelta, silent: timedelta) -> str | None:
    """Ask for a customer who bought so often since the start, over this time, and was silent for that time then."""
    last = START + over
    return silence_of(trigger, purchase_count=count, first_purchase_at=START, last_purchase_at=last, now=last + silent)


def test_a_customer_is_silent_after_twice_the_own_rhythm() -> None:
    """Five purchases over 40 days are one in 10 days: twice that are 20 days, of which the moment itself is not yet."""
    assert silence(TWICE, 5, 40 * DAY, 20 * DAY) is None
    assert silence(TWICE, 5, 40 * DAY, 20 * DAY + TICK) == "silence:20260210T093000.000000Z"


def test_who_buys_seldom_is_silent_later() -> None:
    assert silence(TWICE, 3, 180 * DAY, 179 * DAY) is None
    assert silence(TWICE, 3, 180 * DAY, 181 * DAY) == "silence:20260630T093000.000000Z"


def test_who_buys_often_is_not_silent_before_the_least_days() -> None:
    assert silence(TWICE, 31, 30 * DAY, 14 * DAY) is None
    assert silence(TWICE, 31, 30 * DAY, 14 * DAY + TICK) is not None


def test_purchases_at_one_moment_have_a_rhythm_of_nothing() -> None:
    assert silence(TWICE, 3, 0 * DAY, 14 * DAY) is None
    assert silence(TWICE, 3, 0 * DAY, 15 * DAY) is not None


def test_who_is_silent_for_too_long_is_gone() -> None:
    assert silence(TWICE, 5, 40 * DAY, 365 * DAY) is not None
    assert silence(TWICE, 5, 40 * DAY, 365 * DAY + TICK) is None


def test_whose_rhythm_is_slower_than_the_most_days_is_never_silent() -> None:
    assert all(silence(TWICE, 3, 400 * DAY, days * DAY) is None for days in range(0, 900, 10))


def test_few_purchases_are_no_rhythm() -> None:
    assert silence(TWICE, 2, 10 * DAY, 100 * DAY) is None
    assert silence(TWICE, 3, 10 * DAY, 100 * DAY) is not None
    assert silence(OnInactivity(purchases=2), 2, 10 * DAY, 100 * DAY) is not None
    assert silence(OnInactivity(purchases=2), 1, 0 * DAY, 100 * DAY) is None


def test_who_never_bought_is_not_silent() -> None:
    now = START + 100 * DAY
    assert silence_of(TWICE, purchase_count=0, first_purchase_at=None, last_purchase_at=None, now=now) is None
    assert silence_of(TWICE, purchase_count=9, first_purchase_at=START, last_purchase_at=None, now=now) is None
    assert silence_of(TWICE, purchase_count=9, first_purchase_at=None, last_purchase_at=START, now=now) is None


def test_a_purchase_from_the_future_is_no_silence() -> None:
    assert silence(TWICE, 5, 40 * DAY, -30 * DAY) is None


def test_a_third_of_a_microsecond_counts() -> None:
    """Four purchases over 60 days and 1 microsecond: the rhythm is 20 days and a third, twice that two thirds."""
    over = 60 * DAY + TICK
    assert silence(TWICE, 4, over, 40 * DAY) is None
    assert silence(TWICE, 4, over, 40 * DAY + TICK) is not None
    assert silence(TWICE, 4, over + TICK, 40 * DAY + TICK) is None


def test_a_silence_is_the_same_as_long_as_it_lasts_and_another_after_a_purchase() -> None:
    names = {silence(TWICE, 5, 40 * DAY, days * DAY) for days in range(21, 366)}
    assert names == {"silence:20260210T093000.000000Z"}
    assert silence(TWICE, 6, 40 * DAY + TICK, 30 * DAY) == "silence:20260210T093000.000001Z"


@given(trigger=triggers, count=st.integers(0, 50), first=moments, last=moments, now=moments)
@example(trigger=TWICE, count=3, first=FIRST, last=LAST, now=LAST)
@example(trigger=TWICE, count=3, first=LAST, last=FIRST, now=LAST)
@example(trigger=TWICE, count=3, first=FIRST, last=FIRST, now=FIRST + 100 * DAY)
def test_a_silence_anywhere_in_the_calendar_is_longer_than_the_rhythm(
    trigger: OnInactivity, count: int, first: datetime, last: datetime, now: datetime
) -> None:
    assert_as_defined(trigger, count, first, last, now)


@given(
    trigger=triggers,
    count=st.integers(2, 50),
    over=st.timedeltas(0 * DAY, 900 * DAY),
    silent=st.timedeltas(0 * DAY, 900 * DAY),
)
def test_a_silence_is_longer_than_the_rhythm(
    trigger: OnInactivity, count: int, over: timedelta, silent: timedelta
) -> None:
    assert_as_defined(trigger, count, START, START + over, START + over + silent)


@given(trigger=triggers, count=st.integers(6, 50), over=st.integers(0, 10**9), more=st.integers(-1, 1))
def test_it_begins_to_the_microsecond(trigger: OnInactivity, count: int, over: int, more: int) -> None:
    """What is asked is one microsecond before, at, and behind the moment at which it begins, rounded down."""
    trigger = OnInactivity(trigger.times_rhythm, purchases=2, least_days=1, most_days=3650)
    gap = max(DAY // TICK, over * 1_000_000 * trigger.times_rhythm // (count - 1) // 10_000)
    last = START + over * timedelta(seconds=1)
    if gap < 4000 * DAY // TICK:
        assert_as_defined(trigger, count, START, last, last + (gap + more) * TICK)


def assert_as_defined(trigger: OnInactivity, count: int, first: datetime, last: datetime, now: datetime) -> None:
    """Compare with the definition, in fractions, and with the coarse bounds."""
    found = silence_of(trigger, purchase_count=count, first_purchase_at=first, last_purchase_at=last, now=now)
    silent = (now - last) // TICK
    expected = (
        count >= trigger.purchases
        and silent > Fraction((last - first) // TICK * trigger.times_rhythm, (count - 1) * 10_000)
        and trigger.least_days * DAY // TICK < silent <= trigger.most_days * DAY // TICK
    )
    assert (found is not None) == expected
    earliest, before = silent_since_bounds(trigger, now)
    assert not expected or earliest <= last < before


@pytest.mark.parametrize(
    ("now", "bounds"),
    [
        (START, (START - 365 * DAY, START - 14 * DAY)),
        (FIRST + 100 * DAY, (FIRST, FIRST + 86 * DAY)),
        (FIRST, (FIRST, FIRST)),
    ],
)
def test_the_bounds_are_those_of_the_days(now: datetime, bounds: tuple[datetime, datetime]) -> None:
    assert silent_since_bounds(TWICE, now) == bounds


def test_the_bounds_are_tight() -> None:
    """At both of their ends there is somebody who is silent."""
    now = START + 500 * DAY
    earliest, before = silent_since_bounds(TWICE, now)
    for last, silent in ((earliest, True), (earliest - TICK, False), (before - TICK, True), (before, False)):
        found = silence_of(TWICE, purchase_count=3, first_purchase_at=last, last_purchase_at=last, now=now)
        assert (found is not None) is silent
