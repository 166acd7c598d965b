"""What an activity comes to: by the type and the rules of its time, once where the type says so. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from service.customers.rules import newcomer
from service.earning.activity_types import ACTIVITY_TYPE
from service.earning.rules import EARNING_RULE, RuleContent, checked
from service.kernel.errors import Invalid
from service.kernel.ids import IdSource
from service.kernel.times import FIRST_MOMENT
from service.points.account import Account
from service.programs.definitions import Definitions, DefinitionVersion
from service.programs.policies import PendingAfter, PendingUntilConfirmed, Unconfirmed
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.purchases.engaging import (
    Activity,
    ActivityEarnings,
    UnknownActivityType,
    book_activity,
    check_activity,
)
from service.purchases.terms import referring_terms_of
from tests.rules.earning import rule, version
from tests.rules.test_activity_types import content

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANSWERS = rule(activity="survey", effect={"kind": "bonus", "points": 50})
PURCHASES = rule(effect={"kind": "bonus", "points": 1000})


def program(rules: dict[str, RuleContent], *types: DefinitionVersion, **settings: Any) -> Program:
    """Make a program with rules, and with surveys by the versions of their type."""
    versions = {name: [version(1, each)] for name, each in rules.items()}
    definitions = Definitions({EARNING_RULE: versions, ACTIVITY_TYPE: {"survey": types}})
    newest = SettingsVersion(1, msgspec.structs.replace(ProgramSettings(), **settings))
    return Program(1, "shop", "Shop", live=False, newest=newest, definitions=definitions)


def survey(number: int = 1, *, since: datetime = FIRST_MOMENT, **given: Any) -> DefinitionVersion:
    encoded = msgspec.json.encode(content({}, **given))
    return msgspec.structs.replace(version(number, ANSWERS, since=since), content=encoded)


def account() -> Account:
    return Account(newcomer(7, "c-42", NOW), NOW, IdSource(NOW, 0), {}, {})


def report(its: Program, to: Account, at: datetime | None = None) -> ActivityEarnings:
    activity = Activity("a-1", "c-42", "survey", at)
    check_activity(activity, NOW, its)
    return book_activity(activity, to, referring_terms_of(its), UUID(int=len(to.granted) + 1))


def test_an_activity_earns_by_its_own_rules_and_never_by_those_of_purchases() -> None:
    to = account()
    earned = report(program({"answers": ANSWERS, "bought": PURCHASES}, survey()), to)
    assert [(line.rule, line.points) for line in earned.lines] == [("answers", 50)]
    assert (earned.earned, earned.balance.available, to.customer.lifetime_earned) == (50, 50, 50)
    assert (to.customer.purchase_count, to.customer.last_purchase_at) == (0, None)


def test_what_is_rewarded_once_is_told_with_nothing_from_then_on() -> None:
    its, to = program({"answers": ANSWERS}, survey(once=True)), account()
    first, second = report(its, to), report(its, to)
    assert (first.earned, second.earned, to.customer.lifetime_earned) == (50, 0, 50)
    (line,) = second.lines
    assert (line.rule, line.points) == ("answers", 0)
    assert line.why == "a bonus of 50 points, not given: this is rewarded once, and was before"
    assert second.balance == first.balance


def test_what_earned_nothing_was_not_rewarded_yet() -> None:
    to = account()
    for its, earned in ((program({}, survey(once=True)), 0), (program({"answers": ANSWERS}, survey(once=True)), 50)):
        assert report(its, to).earned == earned


def test_a_reward_from_before_counts_when_the_type_begins_to_be_rewarded_once() -> None:
    to = account()
    types = [survey(1), survey(2, since=NOW - timedelta(days=9), once=True)]
    its = program({"answers": ANSWERS}, *types)
    first, second = (report(its, to, NOW - timedelta(days=days)) for days in (10, 9))
    assert [(each.earned, each.type_version) for each in (first, second)] == [(50, 1), (0, 2)]
    assert report(its, to, NOW - timedelta(days=10)).earned == 50, "then it wasn't so yet"


def test_what_is_withheld_takes_nothing_of_limits() -> None:
    limited = rule(
        activity="survey", effect={"kind": "bonus", "points": 50}, limits=[{"every": "month", "points": 120}]
    )
    to = account()
    for once, earned in ((True, 50), (True, 0), (False, 50), (True, 0), (False, 20), (False, 0)):
        assert report(program({"answers": limited}, survey(once=once)), to).earned == earned


def test_what_waits_for_a_confirmation_of_purchases_does_not_hold_activities_back() -> None:
    waiting = {"pending": PendingUntilConfirmed(30, Unconfirmed.LAPSE)}
    later = rule(activity="survey", effect={"kind": "bonus", "points": 7}, pending={"kind": "after", "days": 3})
    earned = report(program({"answers": ANSWERS, "later": later}, survey(), **waiting), account())
    assert (earned.earned, earned.pending, earned.balance.available) == (57, 7, 50)
    held_back = {"pending": PendingAfter(2)}
    assert report(program({"answers": ANSWERS}, survey(), **held_back), account()).pending == 50


def test_a_rule_of_activities_that_waits_for_a_confirmation_is_refused() -> None:
    pending = {"kind": "until_confirmed", "days": 30, "otherwise": "activate"}
    with pytest.raises(Invalid) as refused:
        checked(rule(activity="survey", effect={"kind": "bonus", "points": 7}, pending=pending))
    assert (refused.value.pointer, refused.value.reason) == ("/pending/kind", "not_for_activities")


@pytest.mark.parametrize(("lead", "reason"), [(301, "in_the_future"), (-86_401, "too_old")])
def test_an_activity_is_of_the_time_that_the_program_takes(lead: int, reason: str) -> None:
    its = program({}, survey(), oldest_fact_days=1)
    with pytest.raises(Invalid) as refused:
        report(its, account(), NOW + timedelta(seconds=lead))
    assert (refused.value.pointer, refused.value.reason) == ("/occurred_at", reason)


def test_without_a_time_it_is_of_the_type_and_the_rules_of_now() -> None:
    its = program({"answers": ANSWERS}, survey(since=NOW))
    assert report(its, account()).earned == 50
    with pytest.raises(UnknownActivityType):
        report(its, account(), NOW - timedelta(microseconds=1))


def test_more_points_than_a_row_can_hold_are_refused_at_the_type() -> None:
    most = rule(activity="survey", effect={"kind": "bonus", "points": 10**12})
    with pytest.raises(Invalid) as refused:
        report(program({"one": most, "two": most}, survey()), account())
    assert (refused.value.pointer, refused.value.reason) == ("/type", "out_of_range")
