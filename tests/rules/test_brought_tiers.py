"""What customers bring along of tiers: how long it lasts, what counts of it, and that it is a fact like others."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.periods import Period
from service.points.rules import NEVER
from service.programs.tier_policy import CalendarPeriod, Downgrade, QualifyBy, RollingPeriod, TierPolicy
from service.tiers.bringing import BroughtAlong, FormerCount, FormerTier, amounts_of, last_of
from service.tiers.rules import Guarantee, Reason, TierChange, TierState, decode, encode, is_counted_otherwise
from service.tiers.settling import brought_in, contribute, newcomer, recounted, settle
from service.tiers.standing import standing_of
from service.tiers.windows import NEVER_DAY
from tests.rules.tier_model import Books, Fact, Guaranteed, Model, ladder, noon
from tests.rules.tier_stories import ROLLING, TIERS, YEARLY, books, bought, day, number

BROUGHT = Reason.OPENING_BALANCE
SINCE = datetime(2023, 7, 1, 12, tzinfo=UTC)


def former(until: datetime | None = None, tier: str = "gold") -> FormerTier:
    return FormerTier(tier, SINCE, until)


def along(tier: FormerTier | None, *counted: tuple[int, str], by: QualifyBy = QualifyBy.POINTS) -> BroughtAlong:
    sums = tuple(FormerCount(amount, datetime.fromisoformat(f"{on}T12:00Z")) for amount, on in counted)
    return BroughtAlong(tier, sums, by, None)


@pytest.mark.parametrize(
    ("policy", "until", "last"),
    [
        (ROLLING, None, "2024-07-02"),
        (TierPolicy(RollingPeriod(days=10), grace_days=5), None, "2023-07-17"),
        (YEARLY, None, "2025-01-01"),
        (TierPolicy(CalendarPeriod(Period.QUARTER), grace_days=31), None, "2024-02-01"),
        (ROLLING, "2024-12-31T23:00:00+00:00", "2025-01-01"),  # midnight in Berlin
        (ROLLING, "2024-12-31T22:59:59+00:00", "2025-01-01"),
        (ROLLING, "2024-12-31T23:00:01+00:00", "2025-01-02"),
        (TierPolicy(CalendarPeriod(Period.YEAR), grace_days=31), "2024-12-31T23:00:00+00:00", "2025-02-01"),
    ],
)
def test_it_is_over_when_one_reached_here_would_be_or_at_its_own_end_with_the_days_of_grace(
    policy: TierPolicy, until: str | None, last: str
) -> None:
    told = None if until is None else datetime.fromisoformat(until)
    assert last_of(former(told), ladder(policy, TIERS, "Europe/Berlin")) == number(last)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Adak"])
@pytest.mark.parametrize("until", [NEVER, NEVER - timedelta(hours=1), NEVER - timedelta(days=2)])
def test_what_lasts_for_ever_has_no_last_day_and_shows_none(zone: str, until: datetime) -> None:
    steps = ladder(TierPolicy(RollingPeriod(months=12), grace_days=3), TIERS, zone)
    last, now = last_of(former(until), steps), noon(day("2024-02-01"), steps)
    assert last == NEVER_DAY
    state = brought_in(newcomer(steps, now), steps, now=now, tier="gold", since=SINCE, until=last).state
    assert (state.tier, state.next_day) == ("gold", None)
    assert state.guarantees == (Guarantee("gold", NEVER_DAY, brought=True),)
    assert decode(encode(state)) == state
    shown = standing_of(settle(state, steps, noon(day("2999-01-01"), steps)).state, steps, now)
    assert (shown.id, shown.keep, shown.downgrade) == ("gold", None, None)


def test_what_was_counted_counts_only_where_the_same_is_counted_here() -> None:
    told = along(None, (5, "2024-01-31"), (7, "2024-02-29"))
    assert amounts_of(told, ladder(ROLLING, TIERS)) == [(number("2024-01-31"), 5), (number("2024-02-29"), 7)]
    spend = TierPolicy(RollingPeriod(months=12), QualifyBy.SPEND)
    assert amounts_of(told, ladder(spend, TIERS)) == []
    euros = BroughtAlong(None, told.counted, QualifyBy.SPEND, "EUR")
    assert len(amounts_of(euros, ladder(spend, TIERS))) == 2
    assert amounts_of(euros, ladder(spend, TIERS, currency="USD")) == []


def test_many_sums_are_one_change() -> None:
    story = books(ROLLING)
    now = noon(day("2024-03-01"), story.steps)
    sums = [(number(f"2023-{month:02}-15"), 150) for month in range(4, 13)]
    settled = brought_in(story.state, story.steps, now=now, tier=None, since=now, until=None, amounts=sums)
    assert settled.changes == (TierChange("bronze", "gold", now, BROUGHT),)
    assert (settled.state.since, settled.state.guarantees) == (now, ())


def test_who_brings_sums_that_are_not_enough_has_no_tier_and_no_moment_since_when() -> None:
    steps = ladder(ROLLING, [("silver", 500)])
    now, sums = noon(day("2024-03-01"), steps), [(number("2024-02-01"), 499)]
    settled = brought_in(newcomer(steps, now), steps, now=now, tier=None, since=now, until=None, amounts=sums)
    assert (settled.state.tier, settled.state.since, settled.changes) == (None, None, ())


def test_in_a_calendar_sums_of_one_period_are_one() -> None:
    story = books(YEARLY)
    now = noon(day("2024-03-01"), story.steps)
    sums = [(number("2024-02-01"), 300), (number("2023-05-01"), 400), (number("2024-01-01"), 200), (1, 9_999)]
    settled = brought_in(story.state, story.steps, now=now, tier=None, since=now, until=None, amounts=sums)
    assert (settled.state.tier, settled.state.amounts) == ("silver", (400, 500))


def test_who_was_counted_otherwise_has_the_higher_tier_at_once_and_is_counted_again() -> None:
    steps, now = ladder(ROLLING, TIERS), datetime(2024, 2, 1, tzinfo=UTC)
    before, on = ladder(YEARLY, TIERS), number("2024-01-10")
    had = contribute(newcomer(before, now), before, now=now, day=on, amount=500, reason=Reason.PURCHASE).state
    for tier, until, change in (
        ("gold", None, (TierChange("silver", "gold", now, BROUGHT),)),
        ("silver", None, ()),
        ("gold", number("2024-02-01"), ()),
    ):
        sums = [(number("2024-01-20"), 1)]
        settled = brought_in(had, steps, now=now, tier=tier, since=SINCE, until=until, amounts=sums)
        assert (settled.changes, settled.state.basis, settled.state.days) == (change, "", ())
        assert is_counted_otherwise(settled.state, steps)
        assert is_counted_otherwise(settled.state, ladder(YEARLY, TIERS)), "also for who knows of the policy before"
    brought = [along(former(), (1, "2024-01-20"))]
    again = recounted(settled.state, steps, now=now, amounts={number("2024-01-20"): 4}, brought=brought)
    assert (again.state.tier, again.state.amounts) == ("gold", (5,))


def test_a_recount_takes_what_was_brought_from_the_facts_and_keeps_what_was_stepped_down_to() -> None:
    steps, now = ladder(ROLLING, TIERS), datetime(2024, 2, 1, tzinfo=UTC)
    old = (Guarantee("gold", number("2024-03-01"), brought=True), Guarantee("silver", number("2025-01-01")))
    state = TierState("gold", SINCE, guarantees=old)
    without = recounted(state, steps, now=now, amounts={})
    assert (without.state.tier, without.state.guarantees) == ("silver", (old[1],))
    kept = recounted(state, steps, now=now, amounts={}, brought=[along(former())])
    assert kept.changes == ()
    assert kept.state.guarantees == (Guarantee("gold", number("2024-07-02"), brought=True), old[1])
    longer = ladder(TierPolicy(RollingPeriod(months=36)), TIERS)
    shorter = ladder(TierPolicy(RollingPeriod(days=30)), TIERS)
    lost = recounted(kept.state, shorter, now=now, amounts={}, brought=[along(former())])
    assert lost.state.tier == "silver"
    back = recounted(lost.state, longer, now=now, amounts={}, brought=[along(former())])
    assert (back.state.tier, back.changes) == ("gold", (TierChange("silver", "gold", now, Reason.TERMS),))


def test_who_has_the_tier_already_has_it_since_the_earlier_moment() -> None:
    story = books(ROLLING)
    story.report(bought(1_000, "2024-01-10"))
    now, since = noon(day("2024-02-01"), story.steps), story.state.since
    assert since is not None
    for told, expected in ((SINCE, SINCE), (since + timedelta(days=1), since)):
        settled = brought_in(story.state, story.steps, now=now, tier="gold", since=told, until=number("2025-06-01"))
        assert (settled.changes, settled.state.since) == ((), expected)


DAYS = st.integers(0, 500).map(lambda days: date(2024, 1, 1) + timedelta(days=days))
POLICIES = st.builds(
    TierPolicy,
    st.sampled_from(
        [RollingPeriod(days=30), RollingPeriod(months=3), CalendarPeriod(Period.MONTH), CalendarPeriod(Period.QUARTER)]
    ),
    downgrade=st.sampled_from(Downgrade),
    grace_days=st.sampled_from([0, 5]),
)
AMOUNTS = st.sampled_from([50, 120, 300])
FACTS = st.lists(st.tuples(DAYS, AMOUNTS).map(lambda told: Fact(*told, told[0])), max_size=6)


@given(policy=POLICIES, facts=FACTS, tier=st.sampled_from(["silver", "gold"]), lasts=st.integers(1, 300))
def test_it_is_a_floor_under_what_all_facts_say_and_nothing_else(
    *, policy: TierPolicy, facts: list[Fact], tier: str, lasts: int
) -> None:
    """Against the slow model, day by day."""
    steps, first, last = ladder(policy), date(2023, 12, 31), date(2025, 12, 31)
    until = first + timedelta(days=lasts)
    model = Model(steps, facts, [Guaranteed(tier, until - timedelta(days=1))]).run(first, last)
    now, book = noon(first, steps), Books(steps)
    ends = until.toordinal()
    book.state = brought_in(book.state, steps, now=now, tier=tier, since=now, until=ends).state
    known, today = sorted(facts, key=lambda fact: fact.known), first
    while today < last:
        today += timedelta(days=1)
        book.settle(today)
        for fact in known:
            if fact.known == today:
                book.report(fact)
        assert book.state.tier == model.tiers[today], today
