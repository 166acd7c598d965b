"""Days begin when the clocks of their zone say so, and the calendar ends with the year 9999."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.kernel.periods import Period, add_days, add_months, day_of, end_of_day, last_day, start_of_day

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",  # midnight left out, until 2018
    "Asia/Beirut",  # likewise
    "Atlantic/Azores",  # midnight twice
    "America/St_Johns",  # put back over midnight at 00:01, until 2011
    "America/Juneau",  # a whole day twice in 1867
    "Pacific/Apia",  # a whole day left out in 2011
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)

zones = st.sampled_from(ZONES).map(ZoneInfo)
odd_days = st.sampled_from(
    [
        date(1867, 10, 19),
        date(2006, 10, 29),
        date(2011, 12, 30),
        date(2018, 11, 4),
        date(2022, 3, 27),
        date(2025, 10, 26),
        date.min,
        date.max,
    ]
)
days = st.dates() | odd_days


def near(day: date, seconds: int) -> datetime:
    """Return a moment around a midnight of UTC, inside of the calendar."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    inside = max(FIRST + timedelta(days=2), min(LAST - timedelta(days=2), midnight))
    return inside + timedelta(seconds=seconds)


moments = st.datetimes(timezones=st.just(UTC)) | st.builds(near, odd_days, st.integers(-172_800, 172_799))


def clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """Read the clock on the wall."""
    return moment.astimezone(zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("UTC", "2026-11-21", "2026-11-21T00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00"),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00"),
        ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00"),
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15"),
        ("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00"),
        # The clock goes from 00:00 to 01:00: there is no midnight.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00"),
        # From 23:30 to 00:30: the day begins in the middle of what is left out.
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30"),
        # From 00:00 back to 23:00: the day before gets longer.
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00"),
        # From 01:00 back to 00:00: midnight comes twice, the first counts.
        ("Atlantic/Azores", "2025-10-26", "2025-10-26T00:00"),
        ("Atlantic/Azores", "2025-10-27", "2025-10-27T01:00"),
        # From 00:01 back to 23:01: likewise, over midnight.
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30"),
        # Samoa left out the 30th: it begins and ends with the 31st.
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
        ("Pacific/Apia", "2012-01-01", "2011-12-31T10:00"),
        # Alaska had the 19th twice, first by the Asian date.
        ("America/Juneau", "1867-10-19", "1867-10-18T08:57:41"),
        # Before there were time zones, noon was when the sun said so.
        ("Europe/Berlin", "0001-01-02", "0001-01-01T23:06:32"),
        ("Asia/Tokyo", "0001-01-01", "0001-01-01T00:00"),
        ("Etc/GMT+12", "9999-12-31", "9999-12-31T12:00"),
    ],
)
def test_a_day_begins_with_its_first_moment(zone: str, day: str, start: str) -> None:
    assert start_of_day(date.fromisoformat(day), ZoneInfo(zone)) == datetime.fromisoformat(start).replace(tzinfo=UTC)


@given(days.filter(lambda day: day > date(1, 1, 3)), zones, st.timedeltas(TICK, timedelta(hours=40)))
@example(date(1867, 10, 19), ZoneInfo("America/Juneau"), timedelta(hours=3))
def test_no_clock_showed_a_day_before_it_began(day: date, zone: ZoneInfo, before: timedelta) -> None:
    start = start_of_day(day, zone)
    assert start.tzinfo is UTC
    assert clock(start, zone).date() >= day
    assert clock(max(FIRST + timedelta(days=1), start - before), zone).date() < day
    assert clock(start - TICK, zone).date() < day


@given(days, zones)
def test_a_day_ends_when_the_next_begins(day: date, zone: ZoneInfo) -> None:
    end = end_of_day(day, zone)
    if day == date.max:
        assert end is None
    else:
        assert end is not None
        assert start_of_day(day, zone) <= end == start_of_day(day + timedelta(days=1), zone)


@given(moments, zones)
@example(datetime(2006, 10, 29, 3, tzinfo=UTC), ZoneInfo("America/St_Johns"))
@example(FIRST, ZoneInfo("America/Sao_Paulo"))
@example(LAST, ZoneInfo("Pacific/Kiritimati"))
def test_a_moment_is_in_the_day_that_has_begun_and_not_ended(moment: datetime, zone: ZoneInfo) -> None:
    day = day_of(moment, zone)
    # There is no day before the first: it takes what comes before it, where the wall would show the year 0.
    assert start_of_day(day, zone) <= moment or day == date.min
    end = end_of_day(day, zone)
    assert end is None or moment < end


@given(moments, moments, zones)
def test_a_later_moment_is_in_no_earlier_day(one: datetime, other: datetime, zone: ZoneInfo) -> None:
    earlier, later = sorted((one, other))
    assert day_of(earlier, zone) <= day_of(later, zone)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-11-21T23:59:59.999999", "2026-11-21"),
        ("Europe/Berlin", "2026-11-21T22:59:59.999999", "2026-11-21"),
        ("Europe/Berlin", "2026-11-21T23:00", "2026-11-22"),
        ("America/Sao_Paulo", "2018-11-04T02:59:59.999999", "2018-11-03"),
        ("America/Sao_Paulo", "2018-11-04T03:00", "2018-11-04"),
        ("Pacific/Apia", "2011-12-30T09:59:59.999999", "2011-12-29"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-31"),
        ("America/St_Johns", "2006-10-29T02:29:59", "2006-10-28"),
        ("America/St_Johns", "2006-10-29T02:30:59", "2006-10-29"),
        ("America/St_Johns", "2006-10-29T03:00", "2006-10-29"),  # the wall shows 23:30 of the 28th once more
        ("America/New_York", "0001-01-01T00:00", "0001-01-01"),
        ("Asia/Tokyo", "9999-12-31T23:59:59.999999", "9999-12-31"),
    ],
)
def test_the_day_of_a_moment(zone: str, moment: str, day: str) -> None:
    found = day_of(datetime.fromisoformat(moment).replace(tzinfo=UTC), ZoneInfo(zone))
    assert found == date.fromisoformat(day)


def test_the_day_of_a_moment_is_that_of_the_zone_however_the_moment_is_written() -> None:
    moment = datetime(2026, 11, 21, 23, 30, tzinfo=ZoneInfo("America/New_York"))
    assert day_of(moment, ZoneInfo("Europe/Berlin")) == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2026-01-25", 1, "2026-02-25"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2100-01-31", 1, "2100-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-10-31", 1, "2026-11-30"),
        ("2026-11-30", 1, "2026-12-30"),
        ("2026-12-31", 0, "2026-12-31"),
        ("2026-12-31", 2, "2027-02-28"),
        ("9998-12-31", 12, "9999-12-31"),
        ("9999-11-30", 1, "9999-12-30"),
        ("9999-12-01", 1, None),
        ("9999-12-31", 0, "9999-12-31"),
        ("0001-01-01", 12 * 9999, None),
        ("0001-01-01", 12 * 9998, "9999-01-01"),
    ],
)
def test_months_later(day: str, months: int, later: str | None) -> None:
    assert add_months(date.fromisoformat(day), months) == (None if later is None else date.fromisoformat(later))


@given(st.dates(max_value=date(9000, 12, 31)), st.integers(0, 1_200))
def test_months_later_is_the_same_day_or_the_last_of_that_month(day: date, months: int) -> None:
    later = add_months(day, months)
    assert later is not None
    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@pytest.mark.parametrize(
    ("day", "later", "found"),
    [
        ("2026-12-31", 1, "2027-01-01"),
        ("9999-12-31", 0, "9999-12-31"),
        ("9999-12-31", 1, None),
        ("0001-01-01", 10**7, None),
    ],
)
def test_days_later(day: str, later: int, found: str | None) -> None:
    assert add_days(date.fromisoformat(day), later) == (None if found is None else date.fromisoformat(found))


@pytest.mark.parametrize(
    ("period", "ends"),
    [
        (Period.MONTH, "01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31"),
        (Period.QUARTER, "03-31 06-30 09-30 12-31"),
        (Period.HALF_YEAR, "06-30 12-31"),
        (Period.YEAR, "12-31"),
    ],
)
def test_every_day_of_a_year_ends_with_the_next_end_of_its_period(period: Period, ends: str) -> None:
    last_days = [date.fromisoformat(f"2026-{end}") for end in ends.split()]
    for after, last in pairwise([date(2025, 12, 31), *last_days]):
        inside = [after + timedelta(days=passed) for passed in range(1, (last - after).days + 1)]
        assert {last_day(period, day) for day in inside} == {last}


def test_periods_end_in_leap_years_and_in_the_last_year_of_the_calendar() -> None:
    assert last_day(Period.MONTH, date(2028, 2, 1)) == date(2028, 2, 29)
    assert {last_day(period, date.max) for period in Period} == {date.max}
    assert [last_day(period, date.min) for period in Period] == [
        date(1, 1, 31),
        date(1, 3, 31),
        date(1, 6, 30),
        date(1, 12, 31),
    ]
