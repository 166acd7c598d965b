"""When points end and when they become available, by a program's policies."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.kernel.periods import Period, day_of, start_of_day
from service.points.policies import Pending, expires_at, keeps_alive_until, pending_until
from service.points.rules import NEVER
from service.programs.policies import (
    ExpiryOnDates,
    ExpiryPolicy,
    PendingAfter,
    PendingUntilConfirmed,
    RollingExpiry,
    SlidingExpiry,
    Unconfirmed,
    pending_policy,
)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "America/St_Johns",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
)
ONE_MONTH = RollingExpiry(months=1)
TICK = timedelta(microseconds=1)
ODD = (
    datetime(2006, 10, 29, 3, tzinfo=UTC),
    datetime(2011, 12, 29, 12, tzinfo=UTC),
    datetime(2018, 11, 3, 12, tzinfo=UTC),
    datetime(2022, 3, 26, 12, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
    NEVER,
)


def at(text: str, zone: str = "UTC") -> datetime:
    """Read a time on the wall of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def month_day(day: date) -> str:
    return f"{day:%m-%d}"


zones = st.sampled_from(ZONES)
moments = st.datetimes(timezones=st.just(UTC)) | st.builds(
    datetime.__add__, st.sampled_from(ODD[:-3]), st.timedeltas(-timedelta(days=3), timedelta(days=3))
)
moments |= st.sampled_from(ODD)
rounding = st.sampled_from([None, *Period])
rolling = st.builds(RollingExpiry, months=st.integers(0, 1_200), days=st.none(), round_up_to=rounding) | st.builds(
    RollingExpiry, months=st.none(), days=st.integers(0, 36_500), round_up_to=rounding
)
sliding = st.builds(SlidingExpiry, months=st.integers(1, 1_200), days=st.none(), round_up_to=rounding) | st.builds(
    SlidingExpiry, months=st.none(), days=st.integers(1, 36_500), round_up_to=rounding
)
month_days = st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(month_day)
yearly = st.builds(
    ExpiryOnDates,
    dates=st.lists(month_days, min_size=1, max_size=6, unique=True).map(tuple),
    least_days=st.integers(0, 800),
)
expiring: st.SearchStrategy[ExpiryPolicy] = rolling | yearly
confirmed = st.builds(PendingUntilConfirmed, days=st.integers(1, 3_650), otherwise=st.sampled_from(Unconfirmed))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles"])
@pytest.mark.parametrize("time", ["00:00", "12:00", "23:59:59.999999"])
@pytest.mark.parametrize(
    ("policy", "earned", "gone"),
    [
        # Voucherify, docs.voucherify.io/build/loyalty-points, "Loyalty point expiration rules".
        (ONE_MONTH, "2026-01-25", "2026-02-26"),
        (ONE_MONTH, "2026-01-31", "2026-03-01"),
        (ONE_MONTH, "2026-01-29", "2026-03-01"),
        (RollingExpiry(months=0), "2026-01-01", "2026-01-02"),
        (RollingExpiry(months=1, round_up_to=Period.HALF_YEAR), "2026-01-25", "2026-07-01"),
        (RollingExpiry(months=1, round_up_to=Period.HALF_YEAR), "2026-06-25", "2027-01-01"),
        (RollingExpiry(months=1, round_up_to=Period.MONTH), "2026-01-25", "2026-03-01"),
        # Square, LoyaltyProgramExpirationPolicy: P12M lasts through the last day of its month.
        (RollingExpiry(months=12, round_up_to=Period.MONTH), "2020-07-06", "2021-08-01"),
        # Zinrelo, "Configuring points expiration": what was earned from January to March ends with 15 April.
        (ExpiryOnDates(("01-15", "04-15", "07-15", "10-15"), least_days=15), "2026-01-01", "2026-04-16"),
        (ExpiryOnDates(("01-15", "04-15", "07-15", "10-15"), least_days=15), "2026-03-31", "2026-04-16"),
        (ExpiryOnDates(("01-15", "04-15", "07-15", "10-15"), least_days=15), "2026-04-01", "2026-07-16"),
        (ExpiryOnDates(("01-15", "04-15", "07-15", "10-15"), least_days=15), "2026-12-31", "2027-01-16"),
        # By hand.
        (ONE_MONTH, "2028-01-31", "2028-03-01"),
        (RollingExpiry(days=0), "2026-01-01", "2026-01-02"),
        (RollingExpiry(days=30), "2026-01-25", "2026-02-25"),
        (RollingExpiry(days=1, round_up_to=Period.QUARTER), "2026-03-31", "2026-07-01"),
        (RollingExpiry(days=0, round_up_to=Period.YEAR), "2026-12-31", "2027-01-01"),
        (ExpiryOnDates(("12-31",)), "2026-12-31", "2027-01-01"),
        (ExpiryOnDates(("12-31",), least_days=1), "2026-12-31", "2028-01-01"),
        (ExpiryOnDates(("12-31",), least_days=366), "2026-12-31", "2029-01-01"),
        (ExpiryOnDates(("06-30", "12-31")), "2026-07-01", "2027-01-01"),
        (ExpiryOnDates(("02-29",)), "2026-02-28", "2026-03-01"),
        (ExpiryOnDates(("02-29",)), "2028-02-28", "2028-03-01"),
        (ExpiryOnDates(("02-28",)), "2028-02-29", "2029-03-01"),
        (ExpiryOnDates(("12-31", "01-01")), "2026-06-01", "2027-01-01"),
    ],
)
def test_points_end_with_their_last_day_in_the_zone_of_the_program(
    policy: ExpiryPolicy, earned: str, gone: str, time: str, zone: str
) -> None:
    assert expires_at(policy, at(f"{earned}T{time}", zone), zone) == at(gone, zone)


def test_the_day_on_which_points_were_earned_is_that_of_the_program() -> None:
    earned = at("2026-01-31T23:30")  # 1 February in Berlin already
    assert expires_at(ONE_MONTH, earned, "UTC") == at("2026-03-01")
    assert expires_at(ONE_MONTH, earned, "Europe/Berlin") == datetime(2026, 3, 1, 23, tzinfo=UTC)


def test_lots_of_several_ends_go_one_after_the_other() -> None:
    """Sylius loyalty plugin: 100 (to 1 March), 200 (to 1 July), 50 (for ever): 100 gone by 1 March, 300 by 1 July."""
    dates = ExpiryOnDates(("02-29", "06-30"))
    lots = [
        (100, expires_at(dates, at("2026-01-10"), "UTC")),
        (200, expires_at(dates, at("2026-03-01"), "UTC")),
        (50, expires_at("never", at("2026-01-10"), "UTC")),
    ]
    gone = [
        sum(points for points, end in lots if end <= at(moment))
        for moment in (
            "2026-02-28T23:59:59.999999",
            "2026-03-01",
            "2026-06-30T23:59:59.999999",
            "2026-07-01",
            "9999-12-31",
        )
    ]
    assert gone == [0, 100, 100, 300, 300]


@pytest.mark.parametrize(
    ("zone", "days", "earned", "gone"),
    [
        ("America/Sao_Paulo", 1, "2018-11-02T12:00", "2018-11-04T03:00"),  # no midnight: the day begins at 01:00
        ("Asia/Beirut", 1, "2022-03-25T12:00", "2022-03-26T22:00"),
        ("Pacific/Apia", 0, "2011-12-29T12:00", "2011-12-30T10:00"),  # in its 29th, which no 30th follows
        ("Pacific/Apia", 1, "2011-12-29T12:00", "2011-12-30T10:00"),  # the last day is the one that was left out
        ("Pacific/Apia", 2, "2011-12-29T12:00", "2011-12-31T10:00"),
        ("America/St_Johns", 0, "2006-10-29T03:00", "2006-10-30T03:30"),  # when 23:30 of the 28th comes again
    ],
)
def test_points_end_with_a_day_that_the_zone_cut(zone: str, days: int, earned: str, gone: str) -> None:
    assert expires_at(RollingExpiry(days=days), at(earned), zone) == at(gone)


@pytest.mark.parametrize(
    ("policy", "earned", "zone", "gone"),
    [
        (RollingExpiry(months=12), "9998-12-30T12:00", "UTC", at("9999-12-31")),
        (RollingExpiry(months=12), "9998-12-31T12:00", "UTC", NEVER),
        (RollingExpiry(months=12), "9999-01-01", "UTC", NEVER),
        (RollingExpiry(days=1), "9999-12-31", "UTC", NEVER),
        (RollingExpiry(days=0), "9999-12-31T23:59:59.999999", "Asia/Tokyo", NEVER),
        (RollingExpiry(days=0, round_up_to=Period.YEAR), "9999-01-01", "UTC", NEVER),
        (ExpiryOnDates(("12-30",)), "9999-12-30", "UTC", at("9999-12-31")),
        (ExpiryOnDates(("12-30",)), "9999-12-31", "UTC", NEVER),
        (ExpiryOnDates(("12-31",), least_days=2), "9999-12-30", "UTC", NEVER),
        (RollingExpiry(days=0), "0001-01-01", "UTC", at("0001-01-02")),
        (ONE_MONTH, "0001-01-01", "Etc/GMT+12", datetime(1, 2, 2, 12, tzinfo=UTC)),
        (ExpiryOnDates(("01-01",)), "0001-01-01", "America/New_York", at("0001-01-02", "America/New_York")),
    ],
)
def test_at_the_ends_of_the_calendar_points_end_in_time_or_never(
    policy: ExpiryPolicy, earned: str, zone: str, gone: datetime
) -> None:
    assert expires_at(policy, at(earned), zone) == gone


@given(moments, zones, sliding)
def test_points_that_never_end_or_that_slide_have_no_end_of_their_own(
    moment: datetime, zone: str, policy: SlidingExpiry
) -> None:
    assert expires_at("never", moment, zone) == expires_at(policy, moment, zone) == NEVER


@given(moments, zones, expiring)
@example(NEVER, "UTC", RollingExpiry(days=0))
def test_points_end_after_they_were_earned_with_a_day(moment: datetime, zone: str, policy: ExpiryPolicy) -> None:
    end = expires_at(policy, moment, zone)
    assert end.tzinfo is UTC
    if end != NEVER:
        assert end > moment
        assert start_of_day(day_of(end, ZoneInfo(zone)), ZoneInfo(zone)) == end


@given(moments, moments, zones, expiring)
@example(ODD[0], ODD[0] - timedelta(minutes=30, seconds=-30), "America/St_Johns", RollingExpiry(days=1))
def test_who_earns_later_loses_no_earlier(one: datetime, other: datetime, zone: str, policy: ExpiryPolicy) -> None:
    earlier, later = sorted((one, other))
    assert expires_at(policy, earlier, zone) <= expires_at(policy, later, zone)


@given(moments, zones, st.integers(0, 36_500))
def test_days_that_points_last_are_counted_by_the_calendar(moment: datetime, zone: str, days: int) -> None:
    end = expires_at(RollingExpiry(days=days), moment, zone)
    earned = day_of(moment, ZoneInfo(zone))
    if end == NEVER:
        assert (date.max - earned).days <= days
    else:
        last = earned + timedelta(days=days)
        assert day_of(end - TICK, ZoneInfo(zone)) <= last < day_of(end, ZoneInfo(zone))


@given(moments, zones, rolling.filter(lambda policy: policy.round_up_to is not None))
def test_rounding_up_lets_points_last_to_the_end_of_the_period_and_no_longer(
    moment: datetime, zone: str, policy: RollingExpiry
) -> None:
    bare = expires_at(RollingExpiry(months=policy.months, days=policy.days), moment, zone)
    rounded = expires_at(policy, moment, zone)
    assert bare <= rounded
    if rounded != NEVER:
        length = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}
        months = length[policy.round_up_to or Period.MONTH]
        last, after = day_of(bare - TICK, ZoneInfo(zone)), day_of(rounded, ZoneInfo(zone))
        assert (after.day, (after.month - 1) % months) == (1, 0)
        assert (after.year - last.year) * 12 + after.month - last.month <= months


@given(moments, zones, yearly)
def test_points_end_with_the_first_date_that_is_far_enough(moment: datetime, zone: str, policy: ExpiryOnDates) -> None:
    end = expires_at(policy, moment, zone)
    leap = {"02-29"} & set(policy.dates)
    try:
        day = day_of(moment, ZoneInfo(zone)) + timedelta(days=policy.least_days)
        while month_day(day) not in policy.dates:
            tomorrow = day + timedelta(days=1)
            if leap and (day.month, tomorrow.month) == (2, 3):
                break
            day = tomorrow
        after = day + timedelta(days=1)
    except OverflowError:
        assert end == NEVER
    else:
        assert end == start_of_day(after, ZoneInfo(zone))


def test_an_activity_keeps_points_alive() -> None:
    """Capillary, "Points rolling expiry": 12 months, a purchase on 1 June 2025 moves the end to 1 June 2026."""
    policy = SlidingExpiry(months=12)
    assert keeps_alive_until(policy, at("2025-01-01T10:00"), "UTC") == at("2026-01-02")
    assert keeps_alive_until(policy, at("2025-06-01T10:00"), "UTC") == at("2026-06-02")


@given(moments, zones, sliding)
def test_points_that_slide_live_as_long_as_if_they_were_earned_with_the_last_activity(
    moment: datetime, zone: str, policy: SlidingExpiry
) -> None:
    fresh = RollingExpiry(months=policy.months, days=policy.days, round_up_to=policy.round_up_to)
    assert keeps_alive_until(policy, moment, zone) == expires_at(fresh, moment, zone)


@given(moments, zones, expiring | st.just("never"))
def test_nothing_keeps_points_alive_that_do_not_slide(moment: datetime, zone: str, policy: ExpiryPolicy) -> None:
    assert keeps_alive_until(policy, moment, zone) is None


@given(moments, zones, st.integers(1, 3_650))
@example(datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin")), "Europe/Berlin", 1)
def test_points_held_back_for_days_wait_24_hours_for_each(moment: datetime, zone: str, days: int) -> None:
    pending = pending_until(PendingAfter(days), moment, zone)
    assert pending is not None
    assert not pending.lapses
    if pending.available_at == NEVER:
        assert (NEVER - moment).days < days + 1
    else:
        assert pending.available_at.tzinfo is UTC
        assert (pending.available_at - moment.astimezone(UTC)).total_seconds() == days * 86_400


@given(moments, zones, confirmed)
def test_the_last_day_to_confirm_is_a_whole_day(moment: datetime, zone: str, policy: PendingUntilConfirmed) -> None:
    end = expires_at(RollingExpiry(days=policy.days), moment, zone)
    assert pending_until(policy, moment, zone) == Pending(end, lapses=policy.otherwise is Unconfirmed.LAPSE)


def test_the_last_day_to_confirm_ends_in_the_zone_of_the_program() -> None:
    earned = at("2026-11-01T10:00")
    for otherwise, lapses in ((Unconfirmed.LAPSE, True), (Unconfirmed.ACTIVATE, False)):
        found = pending_until(PendingUntilConfirmed(14, otherwise), earned, "Europe/Berlin")
        assert found == Pending(datetime(2026, 11, 15, 23, tzinfo=UTC), lapses)


def test_a_rule_holds_points_back_as_it_says_else_as_its_program_does() -> None:
    program, rule = PendingAfter(14), PendingUntilConfirmed(30, Unconfirmed.LAPSE)
    assert pending_policy(None, program) == program
    assert pending_policy(rule, program) == rule
    assert pending_policy(rule, None) == rule
    assert pending_policy("at_once", program) is None
    assert pending_policy("at_once", None) is None
    assert pending_policy(None, None) is None
    assert pending_until(None, at("2026-11-21"), "UTC") is None
