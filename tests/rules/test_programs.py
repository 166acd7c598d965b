"""Settings of programs: each is replaced whole, and a wrong one is pointed at."""

from typing import Any

import msgspec
import pytest

from service.kernel.errors import Invalid
from service.kernel.rounding import Rounding
from service.programs.rules import EarnRate, Enrolment, Part, ProgramSettings, UnitRate, changed

RATE = {"points": 1, "amount": 1000}


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
        {"point_value": {"greatest_share": 10_000}},
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
        ({"nope": 1}, "/nope", "unknown_field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_pointer_to_it(setting: dict[str, Any], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(ProgramSettings(), setting)
    assert (refused.value.pointer, refused.value.reason) == (f"/settings{pointer}", reason)


def test_a_refusal_does_not_repeat_the_setting() -> None:
    for setting in ({"enrolment": "canary"}, {"time_zone": "canary"}, {"canary": 1}, {"base_rule": {"tax": "canary"}}):
        with pytest.raises(Invalid) as refused:
            changed(ProgramSettings(), setting)
        assert "canary" not in refused.value.detail


def test_rates_are_what_they_say() -> None:
    given = {"rates": {"EUR": RATE}, "any_currency": {"points": 2, "units": 3}}
    rule = changed(ProgramSettings(), {"base_rule": given}).base_rule
    assert rule.rates == {"EUR": EarnRate(points=1, amount=1000)}
    assert rule.any_currency == UnitRate(points=2, units=3)
