"""Settings of programs: each is replaced whole, and a wrong one is pointed at."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import Invalid
from service.kernel.rounding import Rounding
from service.kernel.times import FIRST_MOMENT
from service.programs.policies import (
    ExpiryNotice,
    ExpiryOnDates,
    PendingUntilConfirmed,
    QualifyingActivity,
    SlidingExpiry,
    Unconfirmed,
)
from service.programs.rules import (
    EarnRate,
    Enrolment,
    Part,
    Program,
    ProgramSettings,
    SettingsVersion,
    UnitRate,
    changed,
    with_settings,
)
from service.programs.versions import applying

RATE = {"points": 1, "amount": 1000}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
moments = st.integers(-5, 5).map(lambda hours: NOON + timedelta(hours=hours))


def test_a_given_setting_is_replaced_whole_and_the_others_stay() -> None:
    before = changed(ProgramSettings(), {"currency": "USD", "base_rule": {"rates": {"USD": RATE}, "tax": "excluded"}})
    after = changed(before, {"base_rule": {"rounding": "half_even"}, "enrolment": "explicit"})
    assert after.currency == "USD"
    assert after.enrolment is Enrolment.EXPLICIT
    assert after.base_rule.rounding is Rounding.HALF_EVEN
    assert (after.base_rule.rates, after.base_rule.tax) == ({}, Part.INCLUDED)


def test_no_change_and_the_settings_themselves_change_nothing() -> None:
    settings = changed(ProgramSettings(), {"time_zone": "Europe/Berlin", "base_rule": {"rates": {"EUR": RATE}}})
    assert changed(settings, {}) == settings
    assert changed(settings, msgspec.to_builtins(settings)) == settings


@pytest.mark.parametrize(
    "setting",
    [
        {"currency": "JPY"},
        {"time_zone": "America/Argentina/Buenos_Aires"},
        {"oldest_fact_days": 0},
        {"oldest_fact_days": None},
        {"debt_limit": 0},
        {"debt_limit": 10**12},
        {"hold_seconds": 1},
        {"hold_seconds": 30 * 86_400},
        {"expiry": "never"},
        {"expiry": {"kind": "rolling", "months": 0}},
        {"expiry": {"kind": "rolling", "months": 1_200, "days": None, "round_up_to": "half_year"}},
        {"expiry": {"kind": "rolling", "days": 36_500, "notice": {"days": 1}}},
        {"expiry": {"kind": "dates", "dates": ["02-29"], "least_days": 36_500}},
        {"expiry": {"kind": "dates", "dates": [f"{month:02}-{day}" for month in range(1, 13) for day in (15, 28)]}},
        {"expiry": {"kind": "sliding", "days": 1, "counts": ["purchase", "activity", "redemption", "referral"]}},
        {"expiry": {"kind": "sliding", "months": 12, "notice": {"days": 365, "required": True}}},
        {"pending": None},
        {"pending": {"kind": "after", "days": 1}},
        {"pending": {"kind": "until_confirmed", "days": 3_650, "otherwise": "activate"}},
        {"base_rule": {"pending": None}},
        {"base_rule": {"pending": "at_once"}},
        {"base_rule": {"pending": {"kind": "after", "days": 3_650}}},
        {"point_value": {"greatest_share": 10_000}},
        {"referral_link": None},
        {"referral_link": "https://x/" + "a" * 490},
        {"referral_link": "https://shop.example"},
        {"referral_link": "https://xn--bcher-kva.de:65535/%C3%A4?b=c&d#/e?f"},
        {"referral_link": "https://[2606:4700::1111]:1/"},
        {"base_rule": {"any_currency": None}},
        {"base_rule": {"rates": {"EUR": {"points": 10**6, "amount": 10**12}}}},
    ],
)
def test_settings_at_their_bounds_are_taken(setting: dict[str, Any]) -> None:
    changed(ProgramSettings(), setting)


@pytest.mark.parametrize(
    ("setting", "pointer", "reason"),
    [
        ({"currency": "eur"}, "/currency", "invalid_format"),
        ({"currency": "EUR\n"}, "/currency", "invalid_format"),
        ({"currency": "XAU"}, "/currency", "unknown_currency"),
        ({"currency": None}, "/currency", "type"),
        ({"time_zone": "Mars/Base"}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": ""}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": "/etc/passwd"}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": "Europe"}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": "Zürich"}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": "x" * 65}, "/time_zone", "out_of_range"),
        ({"enrolment": "sometimes"}, "/enrolment", "invalid_format"),
        ({"oldest_fact_days": True}, "/oldest_fact_days", "type"),
        ({"oldest_fact_days": 1.0}, "/oldest_fact_days", "type"),
        ({"oldest_fact_days": "1"}, "/oldest_fact_days", "type"),
        ({"oldest_fact_days": -1}, "/oldest_fact_days", "out_of_range"),
        ({"oldest_fact_days": 2**63}, "/oldest_fact_days", "out_of_range"),
        ({"debt_limit": 10**12 + 1}, "/debt_limit", "out_of_range"),
        ({"hold_seconds": 0}, "/hold_seconds", "out_of_range"),
        ({"expiry": "soon"}, "/expiry", "invalid_format"),
        ({"expiry": None}, "/expiry", "type"),
        ({"expiry": ["never"]}, "/expiry", "type"),
        ({"expiry": {}}, "/expiry/kind", "missing"),
        ({"expiry": {"months": 1}}, "/expiry/kind", "missing"),
        ({"expiry": {"kind": "never"}}, "/expiry/kind", "invalid_format"),
        ({"expiry": {"kind": 1}}, "/expiry/kind", "type"),
        ({"expiry": {"kind": "rolling"}}, "/expiry/months", "missing"),
        ({"expiry": {"kind": "rolling", "months": 1, "days": 0}}, "/expiry/days", "exclusive"),
        ({"expiry": {"kind": "rolling", "months": -1}}, "/expiry/months", "out_of_range"),
        ({"expiry": {"kind": "rolling", "months": 1_201}}, "/expiry/months", "out_of_range"),
        ({"expiry": {"kind": "rolling", "months": 1.0}}, "/expiry/months", "type"),
        ({"expiry": {"kind": "rolling", "days": 36_501}}, "/expiry/days", "out_of_range"),
        ({"expiry": {"kind": "rolling", "months": 1, "round_up_to": "week"}}, "/expiry/round_up_to", "invalid_format"),
        ({"expiry": {"kind": "rolling", "months": 1, "counts": []}}, "/expiry/counts", "unknown_field"),
        ({"expiry": {"kind": "rolling", "months": 1, "notice": 30}}, "/expiry/notice", "type"),
        ({"expiry": {"kind": "rolling", "months": 1, "notice": {}}}, "/expiry/notice/days", "missing"),
        ({"expiry": {"kind": "rolling", "months": 1, "notice": {"days": 0}}}, "/expiry/notice/days", "out_of_range"),
        ({"expiry": {"kind": "dates"}}, "/expiry/dates", "missing"),
        ({"expiry": {"kind": "dates", "dates": []}}, "/expiry/dates", "out_of_range"),
        ({"expiry": {"kind": "dates", "dates": ["01-01"] * 25}}, "/expiry/dates", "out_of_range"),
        ({"expiry": {"kind": "dates", "dates": ["01-01", "12-31", "01-01"]}}, "/expiry/dates/2", "duplicate"),
        ({"expiry": {"kind": "dates", "dates": ["01-01"], "least_days": -1}}, "/expiry/least_days", "out_of_range"),
        ({"expiry": {"kind": "sliding"}}, "/expiry/months", "missing"),
        ({"expiry": {"kind": "sliding", "months": 1, "days": 1}}, "/expiry/days", "exclusive"),
        ({"expiry": {"kind": "sliding", "months": 0}}, "/expiry/months", "out_of_range"),
        ({"expiry": {"kind": "sliding", "days": 0}}, "/expiry/days", "out_of_range"),
        ({"expiry": {"kind": "sliding", "days": 1, "counts": []}}, "/expiry/counts", "out_of_range"),
        ({"expiry": {"kind": "sliding", "days": 1, "counts": ["login"]}}, "/expiry/counts/0", "invalid_format"),
        ({"expiry": {"kind": "sliding", "days": 1, "counts": ["purchase"] * 2}}, "/expiry/counts/1", "duplicate"),
        ({"pending": "at_once"}, "/pending", "type"),
        ({"pending": {"days": 1}}, "/pending/kind", "missing"),
        ({"pending": {"kind": "after"}}, "/pending/days", "missing"),
        ({"pending": {"kind": "after", "days": 0}}, "/pending/days", "out_of_range"),
        ({"pending": {"kind": "after", "days": 3_651}}, "/pending/days", "out_of_range"),
        ({"pending": {"kind": "until_confirmed", "days": 1}}, "/pending/otherwise", "missing"),
        ({"pending": {"kind": "until_confirmed", "days": 1, "otherwise": "x"}}, "/pending/otherwise", "invalid_format"),
        ({"base_rule": {"pending": "none"}}, "/base_rule/pending", "invalid_format"),
        ({"base_rule": {"pending": {"kind": "after", "days": 0}}}, "/base_rule/pending/days", "out_of_range"),
        ({"point_value": {"greatest_share": 10_001}}, "/point_value/greatest_share", "out_of_range"),
        ({"point_value": {"step": 0}}, "/point_value/step", "out_of_range"),
        ({"base_rule": None}, "/base_rule", "type"),
        ({"base_rule": {"rounding": "up_and_away"}}, "/base_rule/rounding", "invalid_format"),
        ({"base_rule": {"tax": True}}, "/base_rule/tax", "type"),
        ({"base_rule": {"nope": 1}}, "/base_rule/nope", "unknown_field"),
        ({"base_rule": {"any_currency": {"points": 1.5, "units": 1}}}, "/base_rule/any_currency/points", "type"),
        ({"base_rule": {"any_currency": {"points": 1}}}, "/base_rule/any_currency/units", "missing"),
        ({"base_rule": {"rates": {"eur": RATE}}}, "/base_rule/rates", "invalid_format"),
        ({"base_rule": {"rates": {"XTS": RATE}}}, "/base_rule/rates/XTS", "unknown_currency"),
        ({"base_rule": {"rates": {"EUR": {"points": 1}}}}, "/base_rule/rates", "missing"),
        ({"base_rule": {"rates": {"EUR": {"points": 1, "amount": 0}}}}, "/base_rule/rates", "out_of_range"),
        ({"referral_link": ""}, "/referral_link", "invalid_format"),
        ({"referral_link": 1}, "/referral_link", "type"),
        ({"referral_link": "https://x/" + "a" * 491}, "/referral_link", "out_of_range"),
        ({"referral_link": "http://shop.example/"}, "/referral_link", "not_https"),
        ({"nope": 1}, "/nope", "unknown_field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_pointer_to_it(setting: dict[str, Any], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(ProgramSettings(), setting)
    assert (refused.value.pointer, refused.value.reason) == (f"/settings{pointer}", reason)


@pytest.mark.parametrize(
    "text",
    [
        "00-01",
        "01-00",
        "01-32",
        "02-30",
        "04-31",
        "06-31",
        "09-31",
        "11-31",
        "13-01",
        "1-1",
        "12-31\n",
        "2026-12-31",
        "1\uff12-01",
    ],
)
def test_a_date_that_no_year_has_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(ProgramSettings(), {"expiry": {"kind": "dates", "dates": ["06-30", text]}})
    assert (refused.value.pointer, refused.value.reason) == ("/settings/expiry/dates/1", "invalid_format")


def test_every_day_of_a_leap_year_is_a_date() -> None:
    for number in range(366):
        day = f"{date(2024, 1, 1) + timedelta(days=number):%m-%d}"
        expiry = changed(ProgramSettings(), {"expiry": {"kind": "dates", "dates": [day]}}).expiry
        assert expiry == ExpiryOnDates((day,))


def test_settings_that_were_stored_before_there_were_policies_are_read() -> None:
    stored = b'{"currency":"USD","base_rule":{"rates":{},"any_currency":null},"expiry":"never","hold_seconds":60}'
    settings = msgspec.json.decode(stored, type=ProgramSettings)
    assert (settings.expiry, settings.pending, settings.base_rule.pending) == ("never", None, None)


def test_policies_are_read_as_they_were_stored() -> None:
    given = {
        "expiry": {"kind": "sliding", "months": 12, "counts": ["redemption", "purchase"], "notice": {"days": 30}},
        "pending": {"kind": "until_confirmed", "days": 30, "otherwise": "lapse"},
        "base_rule": {"pending": "at_once"},
    }
    settings = changed(ProgramSettings(), given)
    assert msgspec.json.decode(msgspec.json.encode(settings), type=ProgramSettings) == settings
    assert settings.expiry == SlidingExpiry(
        months=12,
        counts=(QualifyingActivity.REDEMPTION, QualifyingActivity.PURCHASE),
        notice=ExpiryNotice(30, required=False),
    )
    assert settings.pending == PendingUntilConfirmed(30, Unconfirmed.LAPSE)
    assert changed(settings, {"expiry": "never", "pending": None, "base_rule": {}}) == ProgramSettings()


def test_what_keeps_points_alive_is_a_purchase_unless_told() -> None:
    expiry = changed(ProgramSettings(), {"expiry": {"kind": "sliding", "days": 90}}).expiry
    assert expiry == SlidingExpiry(days=90, counts=(QualifyingActivity.PURCHASE,))


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    "link",
    [
        *("shop.example", "//shop.example/", "/join", "https:shop.example", "https:///join", "https://", "https://?a"),
        *("javascript:alert(1)", "ftp://shop.example/", "data:text/html,x", "https://shop.example:0/", "https://:443/"),
        *("https://shop.example:65536/", "https://shop.example:x/", "https://-shop.example/", "https://1.2.3/"),
        *("https://ann@shop.example/", "https://ann:secret@shop.example/", "https://shop.example@evil.example/"),
        *("https://shop.example\\@evil.example/", "https://shop.example/a b", "https://shop.example/\n"),
        *("https://shop.example/\u00e4", "https://b\u00fccher.de/", "https://shop.example/#a#b", "https://[::1/"),
        *('https://shop.example/"><script>', "https://shop.example/#<script>", "https://shop.example/`x`"),
    ],
)
def test_a_link_that_leads_nowhere_or_is_no_plain_one_is_refused(link: str, live: bool) -> None:  # noqa: FBT001 - a case
    with pytest.raises(Invalid) as refused:
        changed(ProgramSettings(), {"referral_link": link}, live=live)
    assert (refused.value.pointer, refused.value.reason) == ("/settings/referral_link", "invalid_format")


def test_a_test_program_may_have_a_link_without_encryption_to_where_it_is_tried() -> None:
    for link in ("http://localhost:3000/join?a=b#c", "http://127.0.0.1/", "http://[::1]:8080"):
        assert changed(ProgramSettings(), {"referral_link": link}, live=False).referral_link == link
        with pytest.raises(Invalid) as refused:
            changed(ProgramSettings(), {"referral_link": link}, live=True)
        assert refused.value.reason == "not_https"


def test_a_refusal_does_not_repeat_the_setting() -> None:
    for setting in (
        {"enrolment": "canary"},
        {"time_zone": "canary"},
        {"canary": 1},
        {"base_rule": {"tax": "canary"}},
        {"expiry": "canary"},
        {"referral_link": "https://canary@x/"},
        {"referral_link": "http://canary/"},
        {"expiry": {"kind": "canary"}},
        {"expiry": {"kind": "dates", "dates": ["canary"]}},
    ):
        with pytest.raises(Invalid) as refused:
            changed(ProgramSettings(), setting)
        assert "canary" not in refused.value.detail


def test_rates_are_what_they_say() -> None:
    given = {"rates": {"EUR": RATE}, "any_currency": {"points": 2, "units": 3}}
    rule = changed(ProgramSettings(), {"base_rule": given}).base_rule
    assert rule.rates == {"EUR": EarnRate(points=1, amount=1000)}
    assert rule.any_currency == UnitRate(points=2, units=3)


def numbered(number: int) -> ProgramSettings:
    """Make settings that no other version has."""
    return ProgramSettings(hold_seconds=number)


def program(*valid_from: datetime) -> Program:
    """Make a program by its history: a first version, and one that was made at the end of the day for each moment."""
    made = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, numbered(1)))
    for number, since in enumerate(valid_from, start=2):
        made = with_settings(made, numbered(number), valid_from=since, now=NOON + timedelta(hours=12))
    return made


@given(st.lists(moments, max_size=8), moments)
def test_the_highest_of_all_versions_that_are_valid_by_then_applies(
    valid_from: list[datetime], moment: datetime
) -> None:
    of_then = [1, *(number for number, since in enumerate(valid_from, start=2) if since <= moment)]
    applied = program(*valid_from).at(moment)
    assert (applied.number, applied.settings) == (max(of_then), numbered(max(of_then)))


@given(st.lists(moments, max_size=8))
def test_a_program_is_the_same_whether_it_was_changed_or_read(valid_from: list[datetime]) -> None:
    stored = [SettingsVersion(number, numbered(number), since) for number, since in enumerate(valid_from, start=2)]
    *earlier, newest = applying([SettingsVersion(1, numbered(1)), *stored])
    assert Program(1, "shop", "Shop", live=False, newest=newest, earlier=tuple(earlier)) == program(*valid_from)


def test_the_first_version_applies_to_all_before() -> None:
    changed_once = program(NOON)
    assert changed_once.at(FIRST_MOMENT + timedelta(microseconds=1)).number == 1
    assert changed_once.at(NOON - timedelta(microseconds=1)).number == 1
    assert program().at(FIRST_MOMENT).number == 1


def test_what_is_newer_than_all_changes_asks_for_no_history() -> None:
    changed_often = program(NOON, NOON + timedelta(hours=1))
    assert changed_often.at(NOON + timedelta(hours=1)) is changed_often.newest
    assert (changed_often.version, changed_often.settings) == (3, numbered(3))


def test_a_version_that_no_moment_is_left_for_is_left_out() -> None:
    assert [version.number for version in program(NOON, NOON - timedelta(hours=1)).earlier] == [1]
    assert [version.number for version in program(NOON, NOON).earlier] == [1]
    assert [version.number for version in program(NOON, NOON + timedelta(hours=1)).earlier] == [1, 2]


def test_settings_that_stay_are_a_version_only_where_they_apply_from_an_earlier_moment() -> None:
    before = program(NOON)
    for since in (None, NOON, NOON + timedelta(hours=1)):
        assert with_settings(before, numbered(2), valid_from=since, now=NOON + timedelta(hours=2)) is before
    # A clock that stepped back: without a moment of its own, what stays the same is no change.
    assert with_settings(before, numbered(2), valid_from=None, now=NOON - timedelta(hours=2)) is before
    after = with_settings(before, numbered(2), valid_from=NOON - timedelta(hours=1), now=NOON)
    assert (after.version, after.newest.valid_from) == (3, NOON - timedelta(hours=1))


def test_a_change_counts_from_now_on_and_never_from_a_moment_to_come() -> None:
    assert with_settings(program(), numbered(2), valid_from=None, now=NOON).newest.valid_from == NOON
    assert with_settings(program(), numbered(2), valid_from=NOON, now=NOON).newest.valid_from == NOON
    with pytest.raises(Invalid) as refused:
        with_settings(program(), numbered(2), valid_from=NOON + timedelta(microseconds=1), now=NOON)
    assert (refused.value.pointer, refused.value.reason) == ("/valid_from", "in_the_future")
