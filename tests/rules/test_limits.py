"""Limits of rules, against a count of all that was given, in whatever order facts come."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.earning.limits import Added, Allowance, Shared, Use, UseUnknown, counted_limit, end_day, first_day, joined
from service.earning.rules import Every, Limit, Scope
from service.kernel.periods import day_of
from tests.rules.earning import AT, book, bought, by_rule, earned, rule

DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))
PERIODS: dict[Every, Callable[[date], object]] = {
    Every.DAY: lambda day: day,
    Every.WEEK: lambda day: day.isocalendar()[:2],
    Every.MONTH: lambda day: (day.year, day.month),
    Every.QUARTER: lambda day: (day.year, (day.month - 1) // 3),
    Every.YEAR: lambda day: day.year,
    Every.LIFE: lambda _: None,
}


@given(DAYS, DAYS, st.sampled_from(sorted(PERIODS, key=lambda every: every.value)))
def test_two_days_are_of_one_period_when_it_begins_with_one_day(one: date, other: date, every: Every) -> None:
    same = PERIODS[every](one) == PERIODS[every](other)
    assert (first_day(every, one) == first_day(every, other)) is same
    end = end_day(every, first_day(every, one))
    if every is not Every.LIFE:
        assert end is not None
        assert first_day(every, one) <= one.toordinal() < end.toordinal()
        assert first_day(every, end) == end.toordinal()


@pytest.mark.parametrize("day", [date.min, date(1, 1, 3), date(9999, 12, 31)])
def test_periods_reach_to_the_ends_of_the_calendar(day: date) -> None:
    for every in PERIODS:
        start = first_day(every, day)
        assert start <= day.toordinal()
        end = end_day(every, start)
        assert end is None or end > day


times = st.integers(0, 60).map(lambda hours: datetime(2026, 3, 27, tzinfo=UTC) + timedelta(hours=hours))
limits = st.builds(
    Limit,
    every=st.sampled_from([Every.FACT, *PERIODS]),
    scope=st.sampled_from(Scope),
    points=st.none() | st.integers(1, 40),
    times=st.none() | st.integers(1, 4),
).filter(lambda limit: limit.points is not None or limit.times is not None)


@given(
    st.lists(limits, max_size=3, unique_by=lambda limit: (limit.every, limit.scope)),
    st.lists(st.tuples(st.sampled_from([1, 2]), times, st.integers(0, 30)), max_size=12),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_a_rule_gives_what_a_count_of_all_that_it_gave_leaves(
    some: list[Limit], facts: list[tuple[int, datetime, int]], zone: str
) -> None:
    """The model counts everything from the beginning; the rows hold the newest period only."""
    some = [limit for limit in some if limit.every is not Every.FACT or limit.scope is Scope.CUSTOMER]
    rows: dict[int, str | None] = {1: None, 2: None}
    given_so_far = list[tuple[int, date, int]]()
    shared = Shared()
    for customer, at, asked in facts:
        day = day_of(at, ZoneInfo(zone))
        left = asked
        for limit in some:
            if limit.every is Every.FACT:
                left = min(left, limit.points or left)
                continue
            its = [
                points
                for other, earlier, points in given_so_far
                if PERIODS[limit.every](earlier) == PERIODS[limit.every](day)
                and (limit.scope is Scope.ALL or other == customer)
            ]
            if limit.times is not None and len(its) >= limit.times:
                left = 0
            if limit.points is not None:
                left = min(left, limit.points - sum(its))
        rules = book(
            one=rule(effect={"kind": "bonus", "points": asked}, limits=msgspec.to_builtins(some)),
        )
        purchase = bought(total=0, at=at, zone=zone)
        # What a booking reads from the rows of facts where the customer's row doesn't tell.
        for limit in rules.at(at).limits(None):
            use = Use(customer, limit.rule, limit.every, first_day(limit.every, day))
            if limit.scope is Scope.CUSTOMER and not Allowance(customer, rows[customer], shared).is_known(
                limit, use.start
            ):
                past = [
                    points
                    for other, earlier, points in given_so_far
                    if other == customer and PERIODS[limit.every](earlier) == PERIODS[limit.every](day)
                ]
                shared.past[use] = [sum(past), len(past)]
        allowance = Allowance(customer, rows[customer], shared)
        decided = earned(rules, purchase, used=rows[customer], shared=shared, customer=customer)
        assert by_rule(decided).get("one", 0) == left
        rows[customer] = allowance.take([each for its in decided.given for each in its.taken])
        if left:
            given_so_far.append((customer, day, left))


def test_what_a_limit_left_is_told() -> None:
    rules = book(one=rule(effect={"kind": "bonus", "points": 50}, limits=[{"every": "fact", "points": 20}]))
    (_, one) = earned(rules, bought()).given
    assert (one.line.points, one.line.why) == (20, "a bonus of 50 points, of 50 points those that a limit left")


def test_a_visit_is_one_a_day() -> None:
    rules = book(visit=rule(effect={"kind": "visit", "points": 7}))
    used = _after(rules, None)
    assert "visit" not in by_rule(earned(rules, bought(at=AT + timedelta(hours=11)), used=used))
    assert by_rule(earned(rules, bought(at=AT + timedelta(hours=12)), used=used))["visit"] == 7


def _after(rules: object, used: str | None) -> str | None:
    decided = earned(rules, bought(), used=used)  # type: ignore[arg-type]
    return Allowance(7, used, Shared()).take([each for its in decided.given for each in its.taken])


def test_a_period_that_was_not_read_is_a_fault_and_no_guess() -> None:
    rules = book(one=rule(effect={"kind": "bonus", "points": 1}, limits=[{"every": "day", "times": 1}]))
    used = _after(rules, None)
    with pytest.raises(UseUnknown):
        earned(rules, bought(at=AT - timedelta(days=1)), used=used)


def test_two_records_used_what_both_used() -> None:
    assert joined(None, None) is None
    assert joined('{"a":{"day":[5,1,1]}}', None) == '{"a":{"day":[5,1,1]}}'
    one = '{"a":{"day":[5,10,1],"life":[0,30,3]},"b":{"day":[9,1,1]}}'
    other = '{"a":{"day":[5,20,2],"life":[0,4,1]},"b":{"day":[8,7,7]},"c":{"week":[3,2,1]}}'
    both = msgspec.json.decode(joined(one, other) or "")
    assert both == {
        "a": {"day": [5, 30, 3], "life": [0, 34, 4]},
        "b": {"day": [9, 1, 1]},
        "c": {"week": [3, 2, 1]},
    }


def test_a_group_takes_the_best_of_what_limits_left_and_counts_it_alone() -> None:
    rules = book(
        a=rule(effect={"kind": "bonus", "points": 50}, group="one", limits=[{"every": "life", "points": 50}]),
        b=rule(effect={"kind": "bonus", "points": 40}, group="one", limits=[{"every": "life", "points": 50}]),
    )
    used, seen = None, list[dict[str, int]]()
    for _ in range(4):
        decided = earned(rules, bought(total=0), used=used)
        seen.append({name: points for name, points in by_rule(decided).items() if points})
        used = Allowance(7, used, Shared()).take([each for its in decided.given for each in its.taken])
    assert seen == [{"a": 50}, {"b": 40}, {"b": 10}, {}]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(1, 200), st.none() | st.integers(1, 9)), min_size=1),
    st.integers(0, 150),
    st.integers(0, 5),
)
def test_a_batch_holds_the_limit_of_each_fact_and_no_other(
    facts: list[tuple[int, int | None, int | None]], used: int, times: int
) -> None:
    """What was used before is read again while it is written: then it still holds exactly where each fact's does."""
    added, holds = Added(), True
    for number, (points, most_points, most_times) in enumerate(facts, 1):
        added.add(points, counted_limit("r", Limit(Every.LIFE, Scope.ALL, most_points, most_times)))
        holds = holds and (most_points is None or used + added.points <= most_points)
        holds = holds and (most_times is None or times + number <= most_times)
    assert holds == (
        (added.most_points is None or used + added.points <= added.most_points)
        and (added.most_times is None or times + added.times <= added.most_times)
    )
