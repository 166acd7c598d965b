"""What rules give: effects, conditions, groups, multipliers, against numbers that others published and by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.earning.book import RuleBook
from service.earning.occasion import Known
from service.earning.rules import checked
from service.kernel.errors import Invalid
from service.programs.definitions import State
from service.programs.rules import BaseRule, EarnRate, Part, Selection
from service.purchases.rules import Item
from tests.rules.earning import AT, book, bought, by_rule, earned, rule, version

NOTHING = BaseRule(any_currency=None)
TEA = Item("1", 12_500, 2, "TEA-1", "tea")
CUP = Item("2", 3000, 1, "CUP-1", "cups")
CARD = Item("3", 5000, 1, "GIFT-50", "gift-cards")


def test_square_a_point_for_ten_dollars_and_one_and_a_half_times_as_many() -> None:
    """Square, loyalty: 1 point per 10.00 makes 10 of 105.00; a promotion of 1.5 on 4 points makes 6."""
    base = BaseRule(rates={"USD": EarnRate(points=1, amount=1000)})
    assert by_rule(earned(book(), bought("USD", 10_500), base=base)) == {"base": 10}
    promoted = book(promotion=rule(effect={"kind": "multiplier", "basis_points": 15_000}))
    decided = earned(promoted, bought("USD", 4000), base=base)
    assert by_rule(decided) == {"base": 4, "promotion": 2}
    assert decided.points == 6
    assert by_rule(earned(promoted, bought("USD", 3000), base=base)) == {"base": 3, "promotion": 1}


@pytest.mark.parametrize(
    ("effect", "points"),
    [
        ({"kind": "amount", "rates": {"EUR": {"points": 1, "amount": 1000}}}, 20),
        ({"kind": "amount", "any_currency": {"points": 2, "units": 1}}, 411),
        ({"kind": "amount", "rates": {"USD": {"points": 9, "amount": 1}}}, 0),
        ({"kind": "amount", "any_currency": {"points": 1, "units": 1}, "tax": "excluded"}, 185),
        ({"kind": "amount", "any_currency": {"points": 1, "units": 1}, "tax": "excluded", "shipping": "excluded"}, 180),
        ({"kind": "amount", "any_currency": {"points": 1, "units": 1}, "points_paid": "included"}, 215),
        ({"kind": "amount", "any_currency": {"points": 1, "units": 1}, "without": {"categories": ["gift-cards"]}}, 155),
        ({"kind": "amount", "any_currency": {"points": 1, "units": 1}, "items": {"categories": ["tea"]}}, 125),
        # 125.00 x (205.50 - 20.00) / 205.50 = 112.83
        (
            {
                "kind": "amount",
                "any_currency": {"points": 1, "units": 1},
                "items": {"skus": ["TEA-1"]},
                "tax": "excluded",
            },
            112,
        ),
        ({"kind": "items", "points": 5, "items": {"categories": ["tea", "cups"]}}, 15),
        ({"kind": "items", "points": 5, "pieces": 2, "items": {"categories": ["tea", "cups"]}}, 5),
        ({"kind": "visit", "points": 7}, 7),
        ({"kind": "bonus", "points": 500}, 500),
    ],
)
def test_effects(effect: dict[str, Any], points: int) -> None:
    purchase = bought("EUR", 20_550, 2000, 500, points_paid=1000, items=[TEA, CUP, CARD])
    lines = by_rule(earned(book(one=rule(effect=effect)), purchase, base=NOTHING))
    assert lines == {"base": 0} | ({"one": points} if points else {})


def test_what_the_base_rule_leaves_out_is_a_setting_of_its_own() -> None:
    purchase = bought("EUR", 20_550, 2000, 500, points_paid=1000, items=[TEA, CUP, CARD])
    without = BaseRule(tax=Part.EXCLUDED, shipping=Part.EXCLUDED, without=Selection(categories=("gift-cards",)))
    assert by_rule(earned(book(), purchase, base=without)) == {"base": 130}
    included = msgspec.structs.replace(without, points_paid=Part.INCLUDED)
    (given,) = earned(book(), purchase, base=included).given
    assert given.line.points == 140
    assert given.line.items == (0, 1)


def test_of_a_group_the_best_counts_and_groups_add_up() -> None:
    rules = book(
        a=rule(effect={"kind": "bonus", "points": 10}, group="weekend"),
        b=rule(effect={"kind": "bonus", "points": 30}, group="weekend"),
        c=rule(effect={"kind": "bonus", "points": 30}, group="weekend"),
        d=rule(effect={"kind": "bonus", "points": 4}, group="other"),
        e=rule(effect={"kind": "bonus", "points": 1}),
        f=rule(effect={"kind": "bonus", "points": 1}),
    )
    assert by_rule(earned(rules, bought(total=100))) == {"base": 1, "b": 30, "d": 4, "e": 1, "f": 1}


def test_a_rule_of_the_group_base_stands_instead_of_the_programs_own() -> None:
    rules = book(double=rule(effect={"kind": "amount", "any_currency": {"points": 2, "units": 1}}, group="base"))
    assert by_rule(earned(rules, bought(total=1000))) == {"double": 20}
    assert by_rule(earned(rules, bought(total=50))) == {"double": 1}
    assert by_rule(earned(rules, bought(total=49))) == {"base": 0}


def test_a_multiplier_multiplies_what_it_names_and_no_other_multiplier() -> None:
    rules = book(
        tea=rule(effect={"kind": "items", "points": 5, "items": {"categories": ["tea"]}}, group="products"),
        bonus=rule(effect={"kind": "bonus", "points": 50}),
        double=rule(effect={"kind": "multiplier", "basis_points": 20_000}),
        triple=rule(effect={"kind": "multiplier", "basis_points": 30_000, "rules": [], "groups": ["products"]}),
        both=rule(effect={"kind": "multiplier", "basis_points": 15_000, "rules": ["base", "double", "tea"]}),
    )
    decided = earned(rules, bought(total=10_000, items=[TEA]))
    assert by_rule(decided) == {"base": 100, "bonus": 50, "tea": 10, "both": 55, "double": 100, "triple": 20}
    assert {each.line.rule: each.line.items for each in decided.given}["triple"] == (0,)


def test_of_multipliers_of_one_group_the_best_counts() -> None:
    rules = book(
        double=rule(effect={"kind": "multiplier", "basis_points": 20_000}, group="campaign"),
        triple=rule(effect={"kind": "multiplier", "basis_points": 30_000}, group="campaign"),
    )
    assert by_rule(earned(rules, bought(total=1000))) == {"base": 10, "triple": 20}


FRIENDS = Known(
    4, AT - timedelta(days=400), AT - timedelta(days=90), "gold", {"segment": "b2b", "vip": True}, date(1990, 11, 22)
)


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"purchase": {"minimum": {"EUR": 10_000}}}, True),
        ({"purchase": {"minimum": {"EUR": 10_001}}}, False),
        ({"purchase": {"minimum": {"USD": 1}}}, False),
        ({"purchase": {"currencies": ["EUR", "USD"]}}, True),
        ({"purchase": {"currencies": ["USD"]}}, False),
        ({"purchase": {"channels": ["web"]}}, True),
        ({"purchase": {"channels": ["till"]}}, False),
        ({"items": {"items": {"categories": ["tea"]}, "quantity": 2}}, True),
        ({"items": {"items": {"categories": ["tea"]}, "quantity": 3}}, False),
        ({"items": {"items": {"skus": ["CUP-1", "TEA-1"]}, "quantity": 3}}, True),
        ({"customer": {"tiers": ["gold", "platinum"]}}, True),
        ({"customer": {"tiers": ["silver"]}}, False),
        ({"customer": {"attributes": {"segment": ["b2b", "b2c"], "vip": [True]}}}, True),
        ({"customer": {"attributes": {"vip": [1]}}}, False),
        ({"customer": {"attributes": {"segment": ["b2b"], "gone": ["x"]}}}, False),
        ({"customer": {"attributes": {"gone": [None]}}}, True),
        ({"customer": {"purchase_numbers": {"least": 5, "most": 5}}}, True),
        ({"customer": {"purchase_numbers": {"most": 1}}}, False),
        ({"customer": {"purchase_numbers": {"every": 5}}}, True),
        ({"customer": {"purchase_numbers": {"every": 4}}}, False),
        ({"customer": {"enrolled_days": {"least": 400}}}, True),
        ({"customer": {"enrolled_days": {"least": 401}}}, False),
        ({"customer": {"days_since_last_purchase": {"least": 90, "most": 90}}}, True),
        ({"customer": {"days_since_last_purchase": {"most": 89}}}, False),
        ({"customer": {"birthday": {"days_before": 2}}}, True),
        ({"customer": {"birthday": {"days_before": 1, "days_after": 60}}}, False),
        ({"time": {"dates": [{"from": "2026-11-20", "to": "2026-11-20"}]}}, True),
        ({"time": {"dates": [{"from": "2026-11-21", "to": "2026-12-24"}]}}, False),
        ({"time": {"weekdays": [5]}}, True),
        ({"time": {"weekdays": [1, 2, 3, 4, 6, 7]}}, False),
        ({"time": {"hours": [{"from": "12:00", "to": "12:01"}]}}, True),
        ({"time": {"hours": [{"from": "11:00", "to": "12:00"}]}}, False),
        ({"time": {"hours": [{"from": "22:00", "to": "13:00"}]}}, True),
        ({"time": {"hours": [{"from": "12:01", "to": "00:00"}]}}, False),
        ({"purchase": {"minimum": {"EUR": 1}}, "time": {"weekdays": [6]}}, False),
    ],
)
def test_conditions(conditions: dict[str, Any], holds: bool) -> None:  # noqa: FBT001 - a row of the table
    rules = book(one=rule(effect={"kind": "bonus", "points": 1}, conditions=conditions))
    purchase = bought(total=10_000, known=FRIENDS, items=[TEA, CUP], channel="web")
    assert ("one" in by_rule(earned(rules, purchase))) is holds


def test_days_and_hours_are_those_of_the_program() -> None:
    sunday = book(one=rule(effect={"kind": "bonus", "points": 1}, conditions={"time": {"weekdays": [7]}}))
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert "one" not in by_rule(earned(sunday, bought(at=late)))
    assert "one" in by_rule(earned(sunday, bought(at=late, zone="Europe/Berlin")))


@pytest.mark.parametrize(
    "conditions", [{"time": {"hours": [{"from": "00:00", "to": "01:00"}]}}, {"expression": "time.hour == 0"}]
)
def test_before_the_calendar_begins_the_clock_shows_its_first_moment(conditions: dict[str, Any]) -> None:
    """The first hours of the year 1 in UTC are hours of the year 0 in New York."""
    early = book(one=rule(effect={"kind": "bonus", "points": 1}, conditions=conditions))
    first = datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert "one" in by_rule(earned(early, bought(at=first, zone="America/New_York")))


def test_days_since_something_are_days_of_the_calendar() -> None:
    """From a late evening to the next morning it is one day, where clocks go by Berlin's."""
    again = book(
        one=rule(
            effect={"kind": "bonus", "points": 1},
            conditions={"customer": {"days_since_last_purchase": {"least": 1, "most": 1}}},
        )
    )
    evening, morning = datetime(2026, 11, 19, 22, 30, tzinfo=UTC), datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    known = Known(1, evening, evening)
    assert "one" in by_rule(earned(again, bought(at=morning, known=known, zone="Europe/Berlin")))
    assert "one" not in by_rule(earned(again, bought(at=morning, known=known)))


@pytest.mark.parametrize(("year", "day"), [(2026, 28), (2028, 29)])
def test_who_is_born_on_29_february_has_a_birthday_each_year(year: int, day: int) -> None:
    rules = book(one=rule(effect={"kind": "bonus", "points": 1}, conditions={"customer": {"birthday": {}}}))
    known = Known(0, AT, birthday=date(2000, 2, 29))
    for each in range(26, 30):
        if each <= day:
            purchase = bought(at=datetime(year, 2, each, 12, tzinfo=UTC), known=known)
            assert ("one" in by_rule(earned(rules, purchase))) is (each == day)


def test_a_birthday_at_new_year_reaches_over_it() -> None:
    rules = book(
        one=rule(
            effect={"kind": "bonus", "points": 1},
            conditions={"customer": {"birthday": {"days_before": 3, "days_after": 3}}},
        )
    )
    days = {
        date(1990, 1, 1): datetime(2026, 12, 29, tzinfo=UTC),
        date(1990, 12, 31): datetime(2027, 1, 3, tzinfo=UTC),
    }
    for birthday, at in days.items():
        assert "one" in by_rule(earned(rules, bought(at=at, known=Known(0, AT, birthday=birthday))))


def test_a_version_applies_from_its_moment_on_and_the_past_is_left_alone() -> None:
    first, second = rule(effect={"kind": "bonus", "points": 10}), rule(effect={"kind": "bonus", "points": 20})
    march, may = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    june, july = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    ended = rule(effect={"kind": "bonus", "points": 20}, ends_at="2026-08-01T00:00:00Z")
    rules = RuleBook(
        {
            "one": [
                version(1, first, since=march),
                version(2, second, since=may),
                version(3, second, since=june, state=State.PAUSED),
                version(4, ended, since=july),
            ]
        }
    )
    for at, line in [
        (march - timedelta(microseconds=1), None),
        (march, (1, 10)),
        (may - timedelta(microseconds=1), (1, 10)),
        (may, (2, 20)),
        (june, None),
        (july, (4, 20)),
        (datetime(2026, 7, 31, 23, 59, tzinfo=UTC), (4, 20)),
        (datetime(2026, 8, 1, tzinfo=UTC), None),
    ]:
        lines = {each.line.rule: (each.line.version, each.line.points) for each in earned(rules, bought(at=at)).given}
        assert lines.get("one") == line


def test_a_rule_whose_stored_expression_is_no_longer_taken_gives_nothing_and_the_rest_is_booked() -> None:
    bonus = {"kind": "bonus", "points": 7}
    rules = book(
        stale=rule(effect=bonus, conditions={"expression": "purchase.items.map(i, i.sku) == []"}),
        sound=rule(effect=bonus, group="other", conditions={"expression": "purchase.total > 5000"}),
    )
    assert by_rule(earned(rules, bought("EUR", 10_000), base=NOTHING)) == {"base": 0, "sound": 7}


def test_activities_earn_by_the_rules_of_their_type_alone() -> None:
    rules = book(
        survey=rule(effect={"kind": "bonus", "points": 50}, activity="survey"),
        double=rule(effect={"kind": "multiplier", "basis_points": 20_000, "rules": ["survey"]}, activity="survey"),
        review=rule(effect={"kind": "bonus", "points": 10}, activity="review"),
        purchase=rule(effect={"kind": "bonus", "points": 1}),
    )
    survey = bought()
    survey.type = "survey"
    assert by_rule(earned(rules, survey)) == {"survey": 50, "double": 50}


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        (
            {"effect": {"kind": "amount", "rates": {"XXX": {"points": 1, "amount": 1}}}},
            "/effect/rates/XXX",
            "unknown_currency",
        ),
        ({"effect": {"kind": "visit", "points": 1}, "activity": "survey"}, "/effect/kind", "not_for_activities"),
        (
            {"effect": {"kind": "bonus", "points": 1}, "activity": "survey", "conditions": {"purchase": {}}},
            "/conditions/purchase",
            "not_for_activities",
        ),
        (
            {"effect": {"kind": "bonus", "points": 1}, "conditions": {"purchase": {"currencies": ["EUR", "EUX"]}}},
            "/conditions/purchase/currencies/1",
            "unknown_currency",
        ),
        (
            {
                "effect": {"kind": "bonus", "points": 1},
                "conditions": {"time": {"dates": [{"from": "2026-02-02", "to": "2026-02-01"}]}},
            },
            "/conditions/time/dates/0/to",
            "out_of_range",
        ),
        ({"effect": {"kind": "bonus", "points": 1}, "limits": [{"every": "day"}]}, "/limits/0", "missing"),
        (
            {"effect": {"kind": "bonus", "points": 1}, "limits": [{"every": "fact", "times": 1}]},
            "/limits/0/every",
            "exclusive",
        ),
        (
            {
                "effect": {"kind": "bonus", "points": 1},
                "limits": [{"every": "day", "times": 1}, {"every": "day", "points": 1}],
            },
            "/limits/1",
            "duplicate",
        ),
    ],
)
def test_what_a_rule_cannot_say(content: dict[str, Any], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(rule(**content))
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


@given(st.integers(0, 10**9), st.integers(10_001, 100_000))
def test_a_multiplier_gives_the_product_rounded_once(total: int, basis_points: int) -> None:
    rules = book(more=rule(effect={"kind": "multiplier", "basis_points": basis_points}))
    decided = earned(rules, bought(total=total))
    assert decided.points == total // 100 * basis_points // 10_000


@pytest.mark.parametrize(
    "content",
    [
        b'{"name": "of tomorrow", "effect": {"kind": "lottery"}}',
        b'{"name": "of yesterday", "effect": {"kind": "bonus", "points": 5}, "conditions": {"expression": "old(1)"}}',
    ],
)
def test_a_rule_that_another_release_saved_and_this_one_can_not_use_gives_nothing_and_stops_nothing(
    content: bytes,
) -> None:
    usable = rule(effect={"kind": "bonus", "points": 3})
    unusable = msgspec.structs.replace(version(1, usable), content=content)
    rules = RuleBook(
        {"odd": [unusable, version(2, usable, since=AT + timedelta(days=1))], "other": [version(1, usable)]}
    )
    assert by_rule(earned(rules, bought())) == {"base": 100, "other": 3}
    assert by_rule(earned(rules, bought())) == {"base": 100, "other": 3}
    assert [(each.rule, each.version) for each in rules.unusable] == [("odd", 1)]
    assert by_rule(earned(rules, bought(at=AT + timedelta(days=1)))) == {"base": 100, "odd": 3, "other": 3}


def test_an_expression_is_compiled_once_although_other_rules_change() -> None:
    content = rule(effect={"kind": "bonus", "points": 3}, conditions={"expression": "purchase.total == 4711"})
    one, other = (book(its=content).at(AT).giving(None)[0].expression for _ in range(2))
    assert one is other
