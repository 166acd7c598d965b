"""Invoices that are paid early again and again: what rules see of it, and what they give."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import newcomer
from service.earning.activity_types import ACTIVITY_TYPE
from service.earning.defining import check
from service.earning.limits import PastPeriod
from service.earning.occasion import Known
from service.earning.preparing import Asked, prepare
from service.earning.rules import EARNING_RULE, INVOICE_PAID, Line, RuleContent
from service.earning.terms import terms_of
from service.invoices.streaks import (
    Closing,
    Rewarded,
    granted_in,
    occasion_of,
    reward,
    streak_of,
)
from service.kernel.errors import Invalid
from service.kernel.ids import IdSource
from service.kernel.times import FIRST_MOMENT
from service.platform.statements import Db
from service.points.account import Account
from service.points.reversing import take_back
from service.points.rules import Cause
from service.programs.definitions import DefinitionId, Definitions, DefinitionVersion
from service.programs.policies import (
    PendingAfter,
    PendingUntilConfirmed,
    QualifyingActivity,
    SlidingExpiry,
    Unconfirmed,
)
from service.programs.rules import BaseRule, Program, ProgramSettings, SettingsVersion, UnitRate
from service.programs.tier_policy import CountedPoints, RollingPeriod, TierPolicy
from service.purchases.engaging import Activity, UnknownActivityType, book_activity, check_activity
from service.purchases.rules import Purchase, book
from service.purchases.simulating import checked_content
from service.purchases.terms import referring_terms_of
from service.tiers.book import TIER
from service.tiers.rules import TierContent
from tests.rules.earning import rule, version
from tests.rules.test_activity_types import content

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KNOWN = Known(0, NOW)
PAYMENT = Cause("payment", "p-1")
PLAIN = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, ProgramSettings()))
THIRD = {"expression": "activity.properties.early && activity.properties.streak % 3 == 0"}
"""Every third invoice in a row that was paid early."""


def paying(points: int = 100, conditions: dict[str, Any] | None = None, **more: Any) -> RuleContent:
    """Make a rule that gives a bonus for paying invoices, as it is saved."""
    of = {"activity": INVOICE_PAID, "effect": {"kind": "bonus", "points": points}, "conditions": conditions or {}}
    return check(rule(**(of | more)), PLAIN)


def program(rules: dict[str, RuleContent], *, tier: int | None = None, **settings: Any) -> Program:
    """Make a program with rules that always applied, and surveys; with a tier for so many points."""
    survey = msgspec.structs.replace(version(1, paying()), content=msgspec.json.encode(content({})))
    definitions = {
        EARNING_RULE: {name: [version(1, each)] for name, each in rules.items()},
        ACTIVITY_TYPE: {"survey": [survey]},
        TIER: {"gold": [_tier(tier or 1)]},
    }
    newest = SettingsVersion(1, msgspec.structs.replace(ProgramSettings(), **settings))
    return Program(1, "shop", "Shop", live=False, newest=newest, definitions=Definitions(definitions))


def _tier(threshold: int) -> DefinitionVersion:
    encoded = msgspec.json.encode(TierContent("Gold", threshold))
    return msgspec.structs.replace(version(1, paying(), since=FIRST_MOMENT), content=encoded)


def account(now: datetime = NOW) -> Account:
    return Account(newcomer(7, "c-42", now), now, IdSource(now, 0), {}, {})


def closing(*, streak: int = 1, at: datetime = NOW, due: int | None = 10, **more: Any) -> Closing:
    """Close an invoice over 1,190.00 EUR that was issued 20 days before, and due in so many days."""
    paid_on = at.date()
    its = Closing(
        occurred_at=at,
        currency="EUR",
        total=119_000,
        issued_on=paid_on - 20 * DAY,
        due_on=None if due is None else paid_on + due * DAY,
        paid_on=paid_on,
        discounted=False,
        streak=streak,
    )
    return msgspec.structs.replace(its, **more)


def pay(its: Program, to: Account, what: Closing, row: int = 1) -> Rewarded:
    return reward(what, to, terms_of(its), row_id=UUID(int=row), cause=PAYMENT)


def paid_in_turn(its: Program, to: Account, all_early: Sequence[bool], *, days: int) -> Iterator[int]:
    """Pay invoices in turn, so many days apart, each early or with its due day; gives the points of each."""
    for place, early in enumerate(all_early):
        to.now = NOW + place * days * DAY
        to.ids = IdSource(to.now, 0)
        streak = streak_of(all_early[:place]) + 1 if early else 0
        yield pay(its, to, closing(streak=streak, at=to.now, due=10 if early else 0), row=place + 1).points


# What rules see.


@given(st.lists(st.booleans()))
def test_a_streak_is_what_stands_at_the_end_without_a_break(closings: list[bool]) -> None:
    runs = [(early, len(list(run))) for early, run in groupby(closings)]
    assert streak_of(closings) == (runs[-1][1] if runs and runs[-1][0] else 0)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (closing(streak=3), {"early": True, "days_early": 10, "days_to_pay": 20, "streak": 3}),
        (closing(due=1), {"early": True, "days_early": 1, "days_to_pay": 20, "streak": 1}),
        (closing(due=0), {"early": False, "days_early": 0, "days_to_pay": 20, "streak": 0}),
        (closing(due=-3), {"early": False, "days_early": 0, "days_to_pay": 20, "streak": 0}),
        (closing(due=None), {"early": False, "days_early": 0, "days_to_pay": 20, "streak": 0}),
        (closing(issued_on=NOW.date() + DAY), {"early": True, "days_early": 10, "days_to_pay": 0, "streak": 1}),
    ],
)
def test_rules_see_how_an_invoice_was_paid(what: Closing, told: dict[str, Any]) -> None:
    seen = occasion_of(what, KNOWN, ProgramSettings()).properties
    assert seen == {"total": 119_000, "currency": "EUR", "discounted": False} | told


CONDITIONS = [
    "activity.type == 'invoice.paid' && activity.properties.early",
    "activity.properties.days_early >= 10 && activity.properties.days_to_pay <= 20",
    "activity.properties.streak == 3 && !activity.properties.discounted",
    "activity.properties.currency == 'EUR' && activity.properties.total > 100000",
    'has(activity.properties.streak) && activity.properties["streak"] == 3',
    "activity.properties.early",
    "activity.properties.early && 100 / activity.properties.days_early > 1",
    'activity.properties.currency.startsWith("E")',
]


@pytest.mark.parametrize("expression", CONDITIONS)
def test_expressions_ask_for_its_properties(expression: str) -> None:
    its = program({"early": paying(conditions={"expression": expression})})
    assert pay(its, account(), closing(streak=3)).points == 100
    denied = program({"early": paying(conditions={"expression": f"!({expression})"})})
    assert pay(denied, account(), closing(streak=3)).points == 0


# What rules give.


def test_every_third_invoice_in_a_row_that_was_paid_early_is_rewarded() -> None:
    its, all_early = program({"streak": paying(100, THIRD)}), [True] * 7 + [False] + [True] * 3
    assert [*paid_in_turn(its, account(), all_early, days=1)] == [0, 0, 100, 0, 0, 100, 0, 0, 0, 0, 100]


def test_a_limit_holds_a_streak_to_once_a_month() -> None:
    once = paying(100, THIRD, limits=[{"every": "month", "times": 1}])
    its = program({"streak": once})
    # On 20 November begins one every two days: the 3rd is of the 24th, the 6th of the 30th, the 9th of 6 December.
    assert [*paid_in_turn(its, account(), [True] * 9, days=2)] == [0, 0, 100, 0, 0, 0, 0, 0, 100]


def test_a_limit_in_points_leaves_a_part() -> None:
    limited = paying(100, limits=[{"every": "year", "points": 250}])
    assert [*paid_in_turn(program({"early": limited}), account(), [True] * 4, days=1)] == [100, 100, 50, 0]


async def test_a_payment_that_is_reported_late_finds_what_was_used_by_those_of_its_month() -> None:
    its, to = program({"early": paying(100, limits=[{"every": "month", "times": 1}])}), account()
    asked, nowhere = list[PastPeriod](), cast("Db", None)  # nothing else is read

    async def past_use(db: Db, *, program_id: int, periods: Sequence[PastPeriod]) -> list[list[int]]:
        assert (db, program_id) == (nowhere, its.id)
        asked.extend(periods)
        return [[100, 1] for _ in periods]

    assert pay(its, to, closing()).points == 100
    late, terms = NOW - 40 * DAY, terms_of(its)
    await prepare(nowhere, terms, [Asked(INVOICE_PAID, late, to)], past_use=past_use)
    assert asked == [(0, 7, "early", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))]
    told = reward(closing(at=late), to, terms, row_id=UUID(int=2), cause=PAYMENT)
    assert (told.points, told.lines) == (0, ())


def test_a_multiplier_multiplies_what_other_rules_gave_for_it() -> None:
    effect = {"kind": "multiplier", "basis_points": 15_000, "rules": ["early", "bought"]}
    rules = {
        "early": paying(100),
        "more": paying(effect=effect, conditions={"expression": "activity.properties.discounted"}),
        "bought": rule(effect={"kind": "bonus", "points": 1000}),
    }
    told = pay(program(rules), account(), closing(discounted=True))
    assert [(line.rule, line.points) for line in told.lines] == [("early", 100), ("more", 50)]
    assert pay(program(rules), account(), closing()).points == 100


def test_rules_reward_only_what_they_name() -> None:
    rules = {
        "paid": paying(1),
        "bought": rule(effect={"kind": "bonus", "points": 10}),
        "asked": rule(effect={"kind": "bonus", "points": 100}, activity="survey"),
        "twice": rule(effect={"kind": "multiplier", "basis_points": 20_000, "rules": ["paid"]}, activity="survey"),
    }
    its = program(rules, base_rule=BaseRule(any_currency=UnitRate(points=1, units=1)))
    assert pay(its, account(), closing()).lines == (
        Line("paid", 1, 1, "a bonus of 1 point", lot=UUID(int=1), bonus=True),
    )
    survey = book_activity(Activity("a-1", "c-42", "survey"), account(), referring_terms_of(its), UUID(int=1))
    assert [line.rule for line in survey.lines] == ["asked"]
    purchase = Purchase("o-1", "c-42", "EUR", 1000, NOW)
    assert [line.rule for line in book(purchase, account(), referring_terms_of(its), UUID(int=1)).lines] == [
        "base",
        "bought",
    ]


def test_nobody_reports_the_paying_of_an_invoice_as_an_activity_or_declares_it() -> None:
    its = program({"paid": paying()})
    with pytest.raises(UnknownActivityType):
        check_activity(Activity("a-1", "c-42", INVOICE_PAID), NOW, its)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(INVOICE_PAID, DefinitionId)


# What it moves.


def test_it_is_no_purchase_and_keeps_points_alive_as_an_activity_does() -> None:
    expiry = SlidingExpiry(months=1, counts=(QualifyingActivity.ACTIVITY,))
    to = account()
    told = pay(program({"paid": paying()}, expiry=expiry), to, closing())
    assert (to.customer.purchase_count, to.customer.first_purchase_at, to.customer.last_purchase_at) == (0, None, None)
    assert (to.customer.lifetime_earned, to.customer.balance.available, told.pending) == (100, 100, 0)
    assert to.customer.alive_until == datetime(2026, 12, 21, tzinfo=UTC)
    (transfer,) = to.transfers
    assert (transfer.reason, transfer.cause, transfer.rule) == ("payment", PAYMENT, "paid")


def test_points_are_held_back_but_nobody_confirms_a_payment() -> None:
    waiting = PendingUntilConfirmed(30, Unconfirmed.LAPSE)
    rules = {"paid": paying(100), "later": paying(7, pending={"kind": "after", "days": 3})}
    told = pay(program(rules, pending=waiting), account(), closing())
    assert (told.points, told.pending) == (107, 7)
    assert pay(program({"paid": paying()}, pending=PendingAfter(2)), account(), closing()).pending == 100


def test_what_it_gave_is_taken_back_by_lots() -> None:
    rules = {"a": paying(100), "b": paying(20), "later": paying(7, pending={"kind": "after", "days": 3})}
    to = account()
    told = pay(program(rules), to, closing(), row=5)
    lots = granted_in(told.lines)
    assert [*lots.values()] == [120, 7]
    assert next(iter(lots)) == UUID(int=5)
    assert lots == {each.id: each.granted for each in to.granted.values()}
    for lot_id, points in lots.items():
        take_back(to, points, lot_id=lot_id, cause=Cause("payment_reversal", "p-1"), at=NOW, debt_limit=None)
    assert (to.customer.balance.available, to.customer.balance.pending, to.customer.balance.debt) == (0, 0, 0)


def test_it_does_not_count_for_tiers() -> None:
    every = TierPolicy(RollingPeriod(months=12), counts=(*CountedPoints,))
    its, to = program({"paid": paying(100)}, tier=100, tiers=every), account()
    terms = terms_of(its)
    assert reward(closing(), to, terms, row_id=UUID(int=1), cause=PAYMENT).points == 100
    assert (to.customer.tier, terms.climbing.changes) == (None, [])


def test_more_points_than_a_row_can_hold_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        pay(program({"one": paying(10**12), "two": paying(10**12)}), account(), closing())
    assert (refused.value.pointer, refused.value.reason) == ("", "out_of_range")


# What is refused when a rule is saved.

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"effect": {"kind": "visit", "points": 1}}, "/effect/kind", "not_for_activities"),
    ({"effect": {"kind": "amount"}}, "/effect/kind", "not_for_activities"),
    ({"conditions": {"purchase": {}}}, "/conditions/purchase", "not_for_activities"),
    (
        {"pending": {"kind": "until_confirmed", "days": 3, "otherwise": "lapse"}},
        "/pending/kind",
        "not_for_activities",
    ),
    ({"conditions": {"expression": "purchase.total > 5"}}, "/conditions/expression", "unknown_variable"),
    ({"conditions": {"expression": "invoice.total > 5"}}, "/conditions/expression", "unknown_variable"),
    ({"conditions": {"expression": "activity.streak > 2"}}, "/conditions/expression", "unknown_variable"),
    ({"conditions": {"expression": "activity.properties.streak % 3"}}, "/conditions/expression", "not_boolean"),
    ({"conditions": {"expression": "activity.properties.early > 1"}}, "/conditions/expression", "not_boolean"),
    ({"conditions": {"expression": "activity.properties.streek > 1"}}, "/conditions/expression", "unknown_variable"),
    ({"conditions": {"expression": 'activity.properties["days"] > 1'}}, "/conditions/expression", "unknown_variable"),
    ({"conditions": {"expression": "has(activity.properties.day)"}}, "/conditions/expression", "unknown_variable"),
]


@pytest.mark.parametrize(("change", "pointer", "reason"), REFUSED)
def test_what_says_nothing_of_an_invoice_is_refused(change: dict[str, Any], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        paying(**change)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


@pytest.mark.parametrize("activity", ["invoice.payed", "invoice.", ".paid", "invoice.paid\n", "xinvoice.paid", "a.b"])
def test_nothing_else_with_a_dot_is_rewarded(activity: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        paying(activity=activity)


def test_a_rule_about_invoices_is_not_simulated_with_purchases() -> None:
    with pytest.raises(Invalid) as refused:
        checked_content(paying(), PLAIN, NOW, "/rules/0")
    assert (refused.value.pointer, refused.value.reason) == ("/rules/0/activity", "not_for_purchases")
