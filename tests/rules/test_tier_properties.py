"""Tiers against a slow model that looks at each day anew, from all facts."""

from datetime import date, timedelta
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.periods import Period
from service.programs.tier_policy import CalendarPeriod, Downgrade, RollingPeriod, TierPolicy
from service.tiers.rules import Ladder, Reason, TierChange, TierState, decode, encode, next_change_at
from service.tiers.settling import contribute, joined, newcomer, recounted, settle
from tests.rules.tier_model import DAY, Books, Fact, Model, ladder, local, noon

FIRST = date(2023, 12, 20)
LAST = date(2024, 6, 30)
ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Auckland", "Asia/Beirut")

amounts = st.integers(1, 400) | st.sampled_from([99, 100, 299, 300, 301, 1_000])
rolling = st.builds(RollingPeriod, days=st.integers(1, 40)) | st.builds(RollingPeriod, months=st.integers(1, 2))
calendars = st.builds(CalendarPeriod, st.sampled_from([Period.MONTH, Period.QUARTER]), st.integers(1, 12))


def ladders_of(downgrades: st.SearchStrategy[Downgrade]) -> st.SearchStrategy[Ladder]:
    """Draw ladders whose policies fall so."""
    policies = st.builds(
        TierPolicy,
        rolling | calendars,
        downgrade=downgrades,
        grace_days=st.just(0) | st.integers(0, 25),
        notice_days=st.none() | st.integers(1, 30),
    )
    steps = st.just(()) | st.just((("bronze", 0), ("silver", 100), ("gold", 300), ("platinum", 1_000)))
    return st.builds(ladder, policies, steps, st.sampled_from(ZONES))


ladders = ladders_of(st.sampled_from(Downgrade))
by_balance = ladders_of(st.just(Downgrade.BY_BALANCE))


@st.composite
def histories(draw: st.DrawFn, *, spending: bool = True) -> list[Fact]:
    """Draw purchases, some reported late, refunds of them, points that were spent; in the order of their reports."""
    facts = list[Fact]()
    for _ in range(draw(st.integers(0, 12))):
        occurred = draw(st.dates(FIRST, LAST))
        known = occurred + draw(st.just(0) | st.integers(0, 90)) * DAY
        amount = draw(amounts)
        facts.append(Fact(occurred, amount, known))
        left = amount
        while left and draw(st.booleans()):
            part = draw(st.just(left) | st.integers(1, left))
            left, known = left - part, known + draw(st.integers(0, 60)) * DAY
            facts.append(Fact(occurred, -part, known, Reason.REFUND))
    if spending:
        spent = st.dates(FIRST, LAST)
        facts += [Fact(day, -draw(amounts), day, Reason.REDEMPTION) for day in draw(st.lists(spent, max_size=2))]
    return sorted((fact for fact in facts if fact.known <= LAST), key=lambda fact: fact.known)


def settled_by(steps: Ladder, facts: list[Fact], days: set[date]) -> Books:
    """Report facts, and settle on some days besides."""
    books = Books(steps)
    for day in sorted({*days, LAST, *(fact.known for fact in facts)}):
        if day in days:
            books.settle(day)
        for fact in facts:
            if fact.known == day:
                books.report(fact)
    books.settle(LAST)
    return books


def to_come(state: TierState, steps: Ladder) -> tuple[TierChange, ...]:
    """Tell what time alone will change."""
    return settle(state, steps, noon(LAST + 250 * DAY, steps)).changes


@given(ladders, histories(), st.sets(st.dates(FIRST, LAST), max_size=5))
def test_a_tier_is_what_all_facts_say_that_are_known(steps: Ladder, facts: list[Fact], days: set[date]) -> None:
    model, books = Model(steps, facts).run(FIRST, LAST), settled_by(steps, facts, days)
    assert books.changes == model.changes
    assert books.state.tier == model.tiers[LAST]


@given(ladders, histories())
def test_settling_each_day_or_once_is_the_same(steps: Ladder, facts: list[Fact]) -> None:
    each_day = settled_by(steps, facts, {FIRST + number * DAY for number in range((LAST - FIRST).days)})
    once = settled_by(steps, facts, set())
    assert each_day.changes == once.changes
    assert (each_day.state.tier, each_day.state.since) == (once.state.tier, once.state.since)
    assert each_day.state.guarantees == once.state.guarantees
    assert settle(once.state, steps, noon(LAST, steps)).state is once.state


@given(ladders, histories(spending=False), st.randoms(use_true_random=False))
def test_the_order_of_reports_changes_nothing(steps: Ladder, facts: list[Fact], random: Random) -> None:
    """Refunds come after their purchases; apart from that, all that is reported on one day may come in any order."""
    states = list[TierState]()
    for _ in range(2):
        state = newcomer(steps, noon(FIRST, steps))
        for fact in facts:
            state = contribute(
                state,
                steps,
                now=noon(LAST, steps),
                day=fact.occurred.toordinal(),
                amount=fact.amount,
                reason=fact.reason,
            ).state
        states.append(state)
        back = [fact for fact in facts if fact.amount < 0]
        facts = [fact for fact in facts if fact.amount > 0]
        random.shuffle(facts)
        random.shuffle(back)
        facts += back
    one, other = states
    assert (one.tier, one.days, one.amounts, one.guarantees) == (
        other.tier,
        other.days,
        other.amounts,
        other.guarantees,
    )


@given(ladders, histories())
def test_nothing_changes_by_time_before_it_is_due(steps: Ladder, facts: list[Fact]) -> None:
    state = settled_by(steps, facts, set()).state
    model = Model(steps, facts).run(FIRST, LAST)
    count = len(model.changes)
    later = model.run(LAST + DAY, LAST + 250 * DAY).changes[count:]
    due = next_change_at(state, steps)
    if later:
        assert due is not None
        assert local(due, steps.zone) <= later[0].on
    assert due is None or due > noon(LAST, steps)


@given(ladders.filter(lambda steps: steps.policy.notice_days is not None), histories())
def test_who_loses_a_tier_by_time_was_told_before_and_of_what_comes(steps: Ladder, facts: list[Fact]) -> None:
    books = settled_by(steps, facts, {FIRST + number * DAY for number in range((LAST - FIRST).days)})
    names = [None, *(tier.id for tier in steps.tiers)]
    for change in books.changes:
        if change.reason is Reason.TIME and names.index(change.after) < names.index(change.before):
            told = [(day, after) for day, tier, after, on in books.notices if (tier, on) == (change.before, change.on)]
            assert told, change
            day, after = told[-1]
            assert change.on - timedelta(days=steps.policy.notice_days or 0) <= day < change.on
            assert after == change.after or any(day <= fact.known < change.on for fact in facts)


@given(by_balance, histories(), histories(), st.dates(LAST - 90 * DAY, LAST))
def test_two_customers_who_become_one_have_what_one_would_have(
    steps: Ladder, facts: list[Fact], others: list[Fact], day: date
) -> None:
    one, other = (
        settled_by(steps, [fact for fact in each if fact.known <= day], set()).state for each in (facts, others)
    )
    merged = joined(one, other, steps, noon(LAST, steps)).state
    together = sorted([fact for fact in facts + others if fact.known <= day], key=lambda fact: fact.known)
    alone = settled_by(steps, together, set()).state
    assert merged.tier == alone.tier
    assert to_come(merged, steps) == to_come(alone, steps)
    higher = max(steps.level(one.tier), steps.level(other.tier))
    if all(fact.reason is not Reason.REDEMPTION for fact in together):
        assert steps.level(merged.tier) >= higher


@given(by_balance, histories())
def test_counting_all_again_gives_the_same_tier(steps: Ladder, facts: list[Fact]) -> None:
    state = settled_by(steps, facts, set()).state
    amounts = dict[int, int]()
    for fact in facts:
        day = fact.occurred.toordinal()
        amounts[day] = amounts.get(day, 0) + fact.amount
    again = recounted(TierState(), steps, now=noon(LAST, steps), amounts=amounts).state
    assert again.tier == state.tier
    assert to_come(again, steps) == to_come(state, steps)


@given(ladders, histories())
def test_a_state_is_stored_and_read_back(steps: Ladder, facts: list[Fact]) -> None:
    state = settled_by(steps, facts, set()).state
    assert decode(encode(state)) == state
    assert msgspec.json.decode(encode(TierState())) == {}
