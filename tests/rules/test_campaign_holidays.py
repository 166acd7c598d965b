"""Gifts of holidays: which days are occasions, by what names, and that each is found once."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.kernel.errors import Invalid
from service.surprises.calendar import Days, check_trigger, holiday_windows
from service.surprises.campaigns import OnHoliday, OnPurchase
from service.surprises.public_holidays import names_in, runs_in

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Los_Angeles", "America/Sao_Paulo", "Pacific/Apia", "Pacific/Kiritimati"]
).map(ZoneInfo)
around = st.integers(0, 60)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(first: str, last: str) -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last), timezones=st.just(UTC))


def holidays(trigger: OnHoliday, since: str, until: str, zone: ZoneInfo = BERLIN) -> list[str]:
    """Return the days of the holidays whose windows begin in a period."""
    return [each.occasion.removeprefix("holiday:") for each in holiday_windows(trigger, zone, at(since), at(until))]


def test_easter_monday_comes_when_easter_does() -> None:
    trigger = OnHoliday("DE", names=("Easter Monday",))
    assert holidays(trigger, "2026-01-01", "2029-01-01") == ["2026-04-06", "2027-03-29", "2028-04-17"]


def test_the_window_is_the_local_days_around_a_holiday() -> None:
    """Easter Monday of 2027 is the day after the clocks are put forward: the day before it has 23 hours."""
    trigger = OnHoliday("DE", names=("Easter Monday",), days_before=2, days_after=1)
    assert holiday_windows(trigger, BERLIN, at("2027-01-01"), at("2028-01-01")) == [
        Days("holiday:2027-03-29", at("2027-03-26T23:00"), at("2027-03-30T22:00"))
    ]


def test_a_holiday_counts_by_when_its_window_begins() -> None:
    """The days before New Year's Day are in the old year."""
    trigger = OnHoliday("DE", names=("New Year's Day",), days_before=5)
    assert holidays(trigger, "2026-12-26T23:00", "2026-12-26T23:00:01") == ["2027-01-01"]
    assert not holidays(trigger, "2026-12-26T23:00:01", "2027-02-01")
    assert not holidays(trigger, "2026-12-01", "2026-12-26T23:00")


@pytest.mark.parametrize("region", ["BY", "BW", "ST"])
def test_epiphany_is_a_holiday_in_three_parts_of_germany(region: str) -> None:
    assert holidays(OnHoliday("DE", region, ("Epiphany",)), "2027-01-01", "2028-01-01") == ["2027-01-06"]


@pytest.mark.parametrize("region", [None, "BE", "SN", "HE"])
def test_epiphany_is_none_elsewhere_in_germany(region: str | None) -> None:
    assert "2027-01-06" not in holidays(OnHoliday("DE", region), "2026-12-01", "2028-01-01")
    with pytest.raises(Invalid) as refused:
        check_trigger(OnHoliday("DE", region, ("Easter Monday", "Epiphany")), year=2026)
    assert (refused.value.pointer, refused.value.reason) == ("/trigger/names/1", "unknown_holiday")
    assert "Christmas Day" in refused.value.detail
    assert "Epiphany" not in refused.value.detail


def test_without_names_all_holidays_are_occasions() -> None:
    assert holidays(OnHoliday("DE"), "2026-09-01", "2027-03-01") == [
        "2026-10-03",
        "2026-12-25",
        "2026-12-26",
        "2027-01-01",
    ]


def test_several_holidays_on_one_day_are_one_occasion() -> None:
    """In California, Presidents' Day is Susan B. Anthony Day, too."""
    both = OnHoliday("US", "CA", ("Presidents' Day", "Susan B. Anthony Day"))
    check_trigger(both, year=2026)
    for trigger in (both, OnHoliday("US", "CA"), OnHoliday("US", "CA", ("Susan B. Anthony Day",))):
        assert holidays(trigger, "2027-02-01", "2027-03-01") == ["2027-02-15"]
    assert holidays(OnHoliday("US", names=("Susan B. Anthony Day",)), "2027-02-01", "2027-03-01") == []


def test_a_day_off_instead_is_no_occasion_beside_the_holiday() -> None:
    """Christmas Day of 2027 is a Saturday: in the United States the Friday is off. The 4th of July is a Sunday."""
    assert holidays(OnHoliday("US", "CA"), "2027-07-01", "2027-08-01") == ["2027-07-04"]
    for trigger in (OnHoliday("US", "CA"), OnHoliday("US", names=("Christmas Day",))):
        assert holidays(trigger, "2027-12-01", "2027-12-31") == ["2027-12-25"]


def test_a_day_off_instead_over_new_year_is_none_either() -> None:
    """New Year's Day of 2028 is a Saturday, and 31 December 2027 is off."""
    assert holidays(OnHoliday("US"), "2027-12-27", "2028-01-10") == ["2028-01-01"]


def test_a_holiday_that_is_moved_is_where_it_is_kept() -> None:
    """In Colombia, Epiphany is kept on the Monday that follows; in 2025 it was a Monday itself."""
    trigger = OnHoliday("CO", names=("Epiphany",))
    check_trigger(trigger, year=2026)
    assert holidays(trigger, "2025-01-01", "2027-12-01") == ["2025-01-06", "2026-01-12", "2027-01-11"]


def test_what_is_only_estimated_has_the_same_name() -> None:
    trigger = OnHoliday("BD", names=("Eid al-Fitr",))
    check_trigger(trigger, year=2026)
    assert len(holidays(trigger, "2026-01-01", "2029-01-01")) == 3
    in_albania = OnHoliday("AL", names=("Eid al-Adha",))  # a Sunday: the Monday is off, as estimated
    (days,) = holiday_windows(in_albania, ZoneInfo("UTC"), at("2027-01-01"), at("2028-01-01"))
    assert days == Days("holiday:2027-05-16", at("2027-05-16"), at("2027-05-17"))


def test_days_of_one_name_in_a_row_are_one_occasion() -> None:
    """Songkran takes three days: one gift, in a window around all of them."""
    trigger = OnHoliday("TH", names=("Songkran Festival",), days_before=1)
    (days,) = holiday_windows(trigger, ZoneInfo("Asia/Bangkok"), at("2026-01-01"), at("2027-01-01"))
    assert days == Days("holiday:2026-04-13", at("2026-04-11T17:00"), at("2026-04-15T17:00"))


def test_a_holiday_over_new_year_is_found_once() -> None:
    """Eid al-Adha was from 31 December 2006 to 2 January 2007 in Saudi Arabia."""
    trigger = OnHoliday("SA", names=("Eid al-Adha Holiday",))
    eid = Days("holiday:2006-12-31", at("2006-12-31"), at("2007-01-03"))
    assert holiday_windows(trigger, ZoneInfo("UTC"), at("2006-12-01"), at("2006-12-31T12:00")) == [eid]
    assert holiday_windows(trigger, ZoneInfo("UTC"), at("2006-12-31T12:00"), at("2007-12-01")) == []
    old, new = (runs_in("SA", None, trigger.names, range(year, year + 1)) for year in (2006, 2007))
    assert [(run.first.isoformat(), run.last.isoformat()) for run in (*old, *new)] == [
        ("2006-01-10", "2006-01-12"),
        ("2006-12-31", "2007-01-02"),
        ("2007-12-20", "2007-12-22"),
    ]


@pytest.mark.parametrize(("zone", "hour"), [("Pacific/Kiritimati", "2026-12-31T10"), ("Etc/GMT+12", "2027-01-01T12")])
def test_new_year_begins_earlier_in_the_east(zone: str, hour: str) -> None:
    trigger = OnHoliday("DE", names=("New Year's Day",))
    assert holidays(trigger, f"{hour}:00", f"{hour}:01", ZoneInfo(zone)) == ["2027-01-01"]
    assert holidays(trigger, "2026-12-01", f"{hour}:00", ZoneInfo(zone)) == []
    assert holidays(trigger, f"{hour}:01", "2027-02-01", ZoneInfo(zone)) == []


def test_a_country_of_which_not_all_years_are_known_has_those_holidays_that_are() -> None:
    """The library warns that of India's holidays it knows some up to 2035 only: that is kept out of the log."""
    check_trigger(OnHoliday("IN"), year=2026)
    trigger = OnHoliday("IN", names=("Republic Day",))
    assert holidays(trigger, "2035-01-01", "2037-01-01") == ["2035-01-26", "2036-01-26"]


def test_different_names_in_a_row_are_an_occasion_each() -> None:
    assert holidays(OnHoliday("DE"), "2026-12-20", "2026-12-30") == ["2026-12-25", "2026-12-26"]


@pytest.mark.parametrize(
    ("trigger", "field", "reason", "told"),
    [
        (OnHoliday("ZZ"), "country", "unknown_country", "aren't known"),
        (OnHoliday("BV"), "country", "unknown_country", "aren't known"),  # an island without people
        (OnHoliday("DE", "XX"), "region", "unknown_region", "BB, BE, BW, BY"),
        (OnHoliday("HK", "BY"), "region", "unknown_region", "No regions"),
        (OnHoliday("DE", "by"), "region", "unknown_region", "BY"),
        (OnHoliday("DE", names=("Ostermontag",)), "names/0", "unknown_holiday", "Easter Monday; German Unity Day"),
        (OnHoliday("US", names=("Christmas Day (observed)",)), "names/0", "unknown_holiday", "Christmas Day"),
    ],
)
def test_what_is_not_known_is_refused(trigger: OnHoliday, field: str, reason: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_trigger(trigger, year=2026)
    assert (refused.value.pointer, refused.value.reason) == (f"/trigger/{field}", reason)
    assert told in refused.value.detail
    assert "Ostermontag" not in refused.value.detail


def test_what_is_known_is_accepted() -> None:
    check_trigger(OnHoliday("DE", "BY", ("Epiphany", "Easter Monday")), year=2026)
    check_trigger(OnHoliday("US", "CA", ("Christmas Day",)), year=2026)
    check_trigger(OnHoliday("HK"), year=2026)
    check_trigger(OnPurchase(), year=2026)


def test_a_holiday_of_the_next_two_years_is_known() -> None:
    """Inauguration Day is every four years."""
    trigger = OnHoliday("US", "DC", ("Inauguration Day",))
    check_trigger(trigger, year=2027)
    with pytest.raises(Invalid):
        check_trigger(trigger, year=2026)


@pytest.mark.parametrize("country", ["DE", "US", "GB", "JP", "CN", "SA", "MY", "LA", "GG", "BY", "AL"])
def test_names_are_the_same_in_all_years(country: str) -> None:
    marks = ("(estimated)", "(observed)", "(in lieu)", "(observed, estimated)", "(substitute day)")
    names = names_in(country, None, range(2026, 2031))
    assert names
    assert not [name for name in names if name.endswith(marks) or "substituted" in name]


def test_names_do_not_depend_on_the_environment() -> None:
    code = "from service.surprises.public_holidays import names_in; print(names_in('DE', None, range(2026, 2027)))"
    asked = subprocess.run(
        [sys.executable, "-c", code],
        env={"LANGUAGE": "de", "LANG": "de_DE.UTF-8", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Easter Monday" in asked.stdout


def test_the_library_is_not_loaded_without_a_calendar() -> None:
    code = "import sys; import service.surprises.calendar; sys.exit('holidays' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=True)


@pytest.mark.parametrize("trigger", [OnHoliday("US", days_before=60, days_after=60), OnHoliday("DE")])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_holidays_end_with_the_calendar(trigger: OnHoliday, zone: str) -> None:
    """And begin with it; what lies beyond is cut off."""
    month = timedelta(days=31)
    for since, until in ((FIRST, FIRST + month), (LAST - month, LAST), (LAST, FIRST)):
        for days in holiday_windows(trigger, ZoneInfo(zone), since, until):
            assert since <= days.first < min(days.end, until)
    check_trigger(trigger, year=2026)
    with pytest.raises(Invalid):
        check_trigger(trigger, year=9999)  # the library ends earlier


def test_a_period_that_ends_before_it_begins_has_no_holidays() -> None:
    assert holidays(OnHoliday("DE"), "2027-01-01", "2026-01-01") == []
    assert holidays(OnHoliday("DE"), "2026-12-24T23:00", "2026-12-24T23:00") == []


@settings(max_examples=12)
@given(
    zone=zones,
    before=around,
    after=around,
    country=st.sampled_from([("US", "CA"), ("SA", None), ("TH", None), ("DE", "BY")]),
    cuts=st.lists(between("2026-01-01", "2029-01-01"), max_size=12),
)
def test_each_holiday_is_found_once_however_time_is_cut(
    zone: ZoneInfo, before: int, after: int, country: tuple[str, str | None], cuts: list[datetime]
) -> None:
    trigger = OnHoliday(*country, days_before=before, days_after=after)
    whole = holiday_windows(trigger, zone, at("2026-01-01"), at("2029-01-01"))
    ends = sorted([at("2026-01-01"), *cuts, *[each.first for each in whole[::7]], at("2029-01-01")])
    assert [each for cut in pairwise(ends) for each in holiday_windows(trigger, zone, *cut)] == whole
    assert len({each.occasion for each in whole}) == len(whole) > 10
