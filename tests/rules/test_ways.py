"""Ways to earn as a customer is shown them, where no program of a test's can bring them about."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from service.customers.rules import Profile, newcomer
from service.earning.activity_types import ACTIVITY_TYPE
from service.earning.book import rules_of
from service.earning.limits import Shared
from service.earning.rules import EARNING_RULE
from service.earning.ways import MOST_WAYS, Looker, Way, WayKind, ways_of
from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import FIRST_MOMENT, Program, ProgramSettings, SettingsVersion

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BONUS: dict[str, Any] = {"name": "A bonus", "effect": {"kind": "bonus", "points": 5}}


def version(**content: Any) -> list[DefinitionVersion]:
    """Make the only version of a definition, which has always applied."""
    return [DefinitionVersion(1, UUID(int=1), State.ACTIVE, msgspec.json.encode(content), FIRST_MOMENT, FIRST_MOMENT)]


def ways(
    rules: dict[str, dict[str, Any]], types: dict[str, dict[str, Any]] | None = None, **settings: Any
) -> list[Way]:
    """Give the ways of a newcomer to a program with rules, types of activities and settings."""
    by_kind = {
        EARNING_RULE: {its: version(**content) for its, content in rules.items()},
        ACTIVITY_TYPE: {its: version(**content) for its, content in (types or {}).items()},
    }
    newest = SettingsVersion(1, msgspec.convert(settings, ProgramSettings))
    program = Program(1, "shop", "Shop", live=False, newest=newest, definitions=Definitions(by_kind))
    looker = Looker(program, newcomer(7, "c-42", NOW), Profile(), None, Shared(), NOW)
    return ways_of(looker, rules_of(program).at(NOW))


def test_the_rate_for_any_currency_is_told_in_minor_units_of_the_programs_own() -> None:
    base = {"any_currency": {"points": 3, "units": 2}}
    for currency, amount in (("EUR", 200), ("JPY", 2), ("KWD", 2_000)):
        (way,) = ways({}, currency=currency, base_rule=base)
        assert (way.kind, way.points, way.amount, way.currency) == (WayKind.AMOUNT, 3, amount, currency)


def test_what_another_release_saved_keeps_nobody_from_the_rest() -> None:
    rules = {
        "odd": {"name": "odd", "effect": {"kind": "of tomorrow"}},
        "of-odd-type": BONUS | {"activity": "odd-type"},
        "outdated": BONUS | {"conditions": {"expression": "customer.of_tomorrow > 1"}},
        "fine": BONUS,
    }
    types = {"odd-type": {"name": 7}}
    assert [each.rule for each in ways(rules, types)] == ["base", "fine"]


def test_no_more_than_fifty_are_told_the_programs_own_first() -> None:
    found = ways({f"rule-{number:03}": BONUS for number in range(80)})
    assert len(found) == MOST_WAYS
    assert [each.rule for each in found[:3]] == ["base", "rule-000", "rule-001"]


def test_a_type_of_activities_that_ends_ends_what_rewards_it() -> None:
    rules = {"survey": BONUS | {"activity": "survey", "ends_at": "2027-01-01T00:00:00Z"}}
    (_, way) = ways(rules, {"survey": {"name": "A survey", "ends_at": "2026-12-01T00:00:00Z"}})
    assert way.ends_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert [each.rule for each in ways(rules, {"survey": {"name": "A survey", "ends_at": "2026-11-01T00:00:00Z"}})] == [
        "base"
    ]


def test_what_multiplies_others_than_every_purchase_earns_is_restricted() -> None:
    double: dict[str, Any] = {"kind": "multiplier", "basis_points": 20_000}
    rules = {"all": {"name": "all", "effect": double}, "some": {"name": "some", "effect": double | {"rules": ["x"]}}}
    assert [(each.rule, each.restricted) for each in ways(rules)] == [("base", False), ("all", False), ("some", True)]
