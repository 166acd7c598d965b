"""Gifts of the calendar: when birthdays and anniversaries are, and at which moment each gift comes."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.kernel.periods import clamped, day_of, end_of_day, start_of_day
from service.surprises.calendar import (
    SPREAD_BITS,
    Days,
    anniversary_window,
    birthday_window,
    moment_within,
)
from service.surprises.campaigns import OnAnniversary, OnBirthday

BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")  # it left out 30 December 2011
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SECOND = timedelta(seconds=1)

zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Los_Angeles", "America/Sao_Paulo", "Pacific/Apia", "Pacific/Kiritimati"]
).map(ZoneInfo)
around = st.integers(0, 60)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(first: str, last: str) -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last), timezones=st.just(UTC))


def test_a_birthdays_window_may_lie_over_new_year() -> None:
    trigger = OnBirthday(days_before=3, days_after=2)
    found = birthday_window(date(1980, 1, 2), trigger, BERLIN, at("2026-12-01"), at("2027-01-01"))
    assert found == Days("birthday:2027", at("2026-12-29T23:00"), at("2027-01-04T23:00"))
    assert birthday_window(date(1980, 1, 2), trigger, BERLIN, at("2027-01-01"), at("2027-12-01")) is None
    found = birthday_window(date(1980, 12, 31), trigger, BERLIN, at("2026-12-01"), at("2027-01-01"))
    assert found == Days("birthday:2026", at("2026-12-27T23:00"), at("2027-01-02T23:00"))


def test_a_birthday_counts_by_when_its_window_begins() -> None:
    def found(since: str, until: str) -> Days | None:
        return birthday_window(date(1980, 1, 2), OnBirthday(days_before=3), BERLIN, at(since), at(until))

    assert found("2026-12-29T23:00", "2026-12-29T23:00:01") is not None
    assert found("2026-12-01", "2026-12-29T23:00") is None
    assert found("2026-12-29T23:00:01", "2027-12-01") is None
    assert found("2027-01-01", "2026-12-01") is None


@pytest.mark.parametrize(("year", "day"), [(2027, 28), (2028, 29), (2100, 28)])
def test_born_on_a_leap_day_the_birthday_is_the_last_of_february(year: int, day: int) -> None:
    found = birthday_window(date(2000, 2, 29), OnBirthday(), ZoneInfo("UTC"), at(f"{year}-02-20"), at(f"{year}-03-20"))
    assert found is not None
    assert (found.first, found.end) == (at(f"{year}-02-{day}"), at(f"{year}-03-01"))


def test_a_birthday_on_which_the_clocks_change_is_a_shorter_day() -> None:
    found = birthday_window(date(1990, 3, 28), OnBirthday(), BERLIN, at("2027-03-01"), at("2027-04-01"))
    assert found is not None
    assert found.end - found.first == timedelta(hours=23)


def test_a_birthday_that_the_zone_left_out_is_kept_on_the_next_day() -> None:
    found = birthday_window(date(1980, 12, 30), OnBirthday(), APIA, at("2011-12-01"), at("2012-01-31"))
    assert found == Days("birthday:2011", at("2011-12-30T10:00"), at("2011-12-31T10:00"))
    assert found is not None
    assert day_of(moment_within(found, 0), APIA) == date(2011, 12, 31)


def test_the_day_of_birth_is_no_birthday() -> None:
    newborn = date(2026, 5, 5)
    assert birthday_window(newborn, OnBirthday(), BERLIN, at("2026-01-01"), at("2026-12-01")) is None
    assert birthday_window(newborn, OnBirthday(), BERLIN, at("2020-01-01"), at("2020-12-01")) is None
    assert birthday_window(newborn, OnBirthday(), BERLIN, at("2027-01-01"), at("2027-12-01")) is not None


def test_the_first_anniversary_is_a_year_after_joining() -> None:
    """Joined at half past eleven in the evening of UTC, which is the next day in Berlin."""
    joined = at("2026-07-13T22:30")
    assert anniversary_window(joined, OnAnniversary(), BERLIN, at("2026-01-01"), at("2026-12-20")) is None
    assert anniversary_window(joined, OnAnniversary(), BERLIN, at("2027-01-01"), at("2027-12-20")) == Days(
        "anniversary:2027", at("2027-07-13T22:00"), at("2027-07-14T22:00")
    )
    assert anniversary_window(joined, OnAnniversary(), ZoneInfo("UTC"), at("2027-01-01"), at("2027-12-20")) == Days(
        "anniversary:2027", at("2027-07-13"), at("2027-07-14")
    )


def test_who_joined_on_a_leap_day_has_an_anniversary_each_year() -> None:
    joined = at("2024-02-29T12:00")
    found = [
        anniversary_window(joined, OnAnniversary(), BERLIN, at(f"{year}-01-01"), at(f"{year}-12-01"))
        for year in (2024, 2025, 2026, 2027, 2028)
    ]
    assert [each and day_of(each.first, BERLIN) for each in found] == [
        None,
        date(2025, 2, 28),
        date(2026, 2, 28),
        date(2027, 2, 28),
        date(2028, 2, 29),
    ]


def test_of_a_period_of_years_it_is_the_first() -> None:
    found = birthday_window(date(1980, 6, 1), OnBirthday(), BERLIN, at("2026-07-01"), LAST)
    assert found is not None
    assert found.occasion == "birthday:2027"


birthdays = st.dates(date(1900, 1, 1), date(2019, 12, 31)) | st.sampled_from(
    [date(2000, 2, 29), date(1980, 12, 30), date(1999, 12, 31), date(1999, 1, 1), date(1960, 3, 1)]
)


@settings(max_examples=100)
@example(
    birthday=date(1980, 12, 30),
    zone=APIA,
    before=0,
    after=0,
    start=at("2009-12-31T10:00"),
    lengths=[360] * 3,
    more=[0] * 3,
)
@given(
    birthday=birthdays,
    zone=zones,
    before=around,
    after=around,
    start=between("2000-01-01", "2030-01-01"),
    lengths=st.lists(st.integers(0, 359), min_size=1, max_size=15),
    more=st.lists(st.integers(0, 86_399_999_999), min_size=15, max_size=15),
)
def test_each_years_birthday_is_found_once_however_time_is_cut(
    *, birthday: date, zone: ZoneInfo, before: int, after: int, start: datetime, lengths: list[int], more: list[int]
) -> None:
    """The same is true of anniversaries; what should be found is said here by days, one by one."""
    cuts = [start]
    for length, rest in zip(lengths, more, strict=False):
        cuts.append(cuts[-1] + timedelta(days=length, microseconds=rest))
    joined = start_of_day(birthday, zone)
    joined_day = day_of(joined, zone)
    for kind, of, found in (
        (
            "birthday",
            birthday,
            [birthday_window(birthday, OnBirthday(before, after), zone, *c) for c in pairwise(cuts)],
        ),
        (
            "anniversary",
            joined_day,
            [anniversary_window(joined, OnAnniversary(before, after), zone, *c) for c in pairwise(cuts)],
        ),
    ):
        expected = list[tuple[str, datetime]]()
        for year in range(of.year + 1, 2050):
            begin = start_of_day(clamped(year, of.month, of.day) - timedelta(days=before), zone)
            if start <= begin < cuts[-1]:
                expected.append((f"{kind}:{year}", begin))
        assert [(each.occasion, each.first) for each in found if each is not None] == expected


@given(birthday=st.dates(), zone=zones, before=around, after=around, since=st.datetimes(timezones=st.just(UTC)))
@example(birthday=date.min, zone=ZoneInfo("UTC"), before=60, after=60, since=FIRST)
@example(birthday=date(1, 1, 1), zone=ZoneInfo("UTC"), before=60, after=60, since=at("0001-10-01"))
@example(birthday=date(9998, 12, 31), zone=BERLIN, before=0, after=60, since=at("9999-12-01"))
@example(birthday=date.max, zone=BERLIN, before=0, after=60, since=LAST)
def test_windows_are_around_the_day_and_inside_the_calendar(
    birthday: date, zone: ZoneInfo, before: int, after: int, since: datetime
) -> None:
    until = LAST if since > LAST - timedelta(days=400) else since + timedelta(days=400)
    days = birthday_window(birthday, OnBirthday(before, after), zone, since, until)
    if days is None:
        return
    year = int(days.occasion.removeprefix("birthday:"))
    day = clamped(year, birthday.month, birthday.day)
    assert since <= days.first < until
    assert days.first <= start_of_day(day, zone) < days.end
    end = end_of_day(day, zone)
    if end is None:
        assert days.end == LAST
    elif after == 0 and start_of_day(day, zone) < end:
        assert days.end == end
    for spread in (0, 2**SPREAD_BITS - 1):
        assert days.first <= moment_within(days, spread) < days.end


WEEK = Days("holiday:2026-12-25", at("2026-12-21T23:00"), at("2026-12-28T23:00"))


def window(first: datetime, seconds: int) -> Days:
    return Days("birthday:2026", first, first + timedelta(seconds=seconds))


windows = st.builds(window, between("1900-01-01", "2200-01-01"), st.integers(1, 200 * 86_400))
spreads = st.integers(0, 2**SPREAD_BITS - 1)


@given(days=windows, spread=spreads)
@example(days=WEEK, spread=2**SPREAD_BITS - 1)
@example(days=WEEK, spread=0)
def test_a_moment_is_inside_of_its_window_to_the_second(days: Days, spread: int) -> None:
    moment = moment_within(days, spread)
    assert days.first <= moment < days.end
    assert (moment - days.first) % SECOND == timedelta(0)
    assert moment_within(days, spread) == moment


@pytest.mark.parametrize(
    ("spread", "moment"),
    [
        (0, "2026-12-21T23:00"),
        (2**52, "2026-12-25T11:00"),
        (2**51, "2026-12-23T17:00"),
        (2**53 - 1, "2026-12-28T22:59:59"),
    ],
)
def test_a_moment_is_a_fraction_of_the_window(spread: int, moment: str) -> None:
    assert moment_within(WEEK, spread) == at(moment)


@settings(max_examples=20)
@given(seconds=st.integers(10, 200 * 86_400))
def test_moments_are_spread_evenly(seconds: int) -> None:
    """Numbers at even distances give moments at even distances: each tenth of the window has its tenth of them."""
    days = window(at("2026-01-01"), seconds)
    at_seconds = [(moment_within(days, each * 2**SPREAD_BITS // 2000) - days.first) // SECOND for each in range(2000)]
    assert all(2000 * found <= each * seconds < 2000 * (found + 2) for each, found in enumerate(at_seconds))


def test_moments_of_customers_are_spread_over_the_window() -> None:
    """2,000 customers by a hash: 200 for each tenth, of which chance takes or adds some 13."""
    tenths = [0] * 10
    for customer in range(2000):
        spread = int.from_bytes(sha256(f"key:{customer}".encode()).digest()[:8]) >> (64 - SPREAD_BITS)
        tenths[(moment_within(WEEK, spread) - WEEK.first) * 10 // (WEEK.end - WEEK.first)] += 1
    assert all(140 <= each <= 260 for each in tenths), tenths


def test_a_window_of_a_second_has_one_moment() -> None:
    days = window(at("2026-01-01"), 1)
    assert {moment_within(days, spread) for spread in (0, 2**52, 2**53 - 1)} == {days.first}


@pytest.mark.parametrize("spread", [-1, 2**SPREAD_BITS])
def test_other_numbers_have_no_moment(spread: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        moment_within(WEEK, spread)
