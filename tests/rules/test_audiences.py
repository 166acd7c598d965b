"""Audiences of campaigns: who is in one, what they may ask with which trigger, and what only they may name."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from service.customers.rules import Customer, Profile, newcomer
from service.earning.contexts import Selection
from service.earning.expressions import compile_expression
from service.earning.occasion import Known, Occasion
from service.earning.rules import Conditions
from service.earning.showing import facts_of
from service.earning.terms import terms_of
from service.earning.vocabulary import SEEN, AudienceCustomer, CustomerFacts, FactKind, Facts
from service.kernel.errors import Invalid
from service.kernel.ids import to_wire
from service.programs.definitions import DefinitionVersion, State
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.purchases.rules import Item
from service.surprises.audience import (
    Audience,
    Seeing,
    checked_audience,
    compiled_audience,
    occasion_of_customer,
    shown_to,
)
from service.surprises.book import CampaignBook
from service.surprises.campaigns import CampaignContent
from tests.rules.earning import AT, bought

BERLIN = ZoneInfo("Europe/Berlin")
PROFILE = Profile(birthday=date(1990, 11, 22), attributes={"segment": "b2b", "age": 44, "newsletter": True})
REGULAR = msgspec.structs.replace(
    newcomer(7, "c-7", AT - timedelta(days=300)),
    lifetime_earned=12_000,
    purchase_count=4,
    first_purchase_at=AT - timedelta(days=400),
    last_purchase_at=AT - timedelta(days=90),
    tier="gold",
    is_new=False,
)
"""Who bought four times, for the first time before the enrolment."""
PROGRAM = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, ProgramSettings()))
STRANGER = newcomer(8, "c-8", AT)
KNOWN = Known(
    4, AT - timedelta(days=400), AT - timedelta(days=90), "gold", PROFILE.attributes, PROFILE.birthday, 12_000
)
TEA = Item("1", 12_500, 2, "TEA-1", "tea")
OTHER_TRIGGERS: dict[str, dict[str, Any]] = {
    "after": {"fact": "purchase", "minutes": 10},
    "holiday": {"country": "DE"},
    "birthday": {},
    "anniversary": {},
    "milestone": {"purchases": [10]},
    "inactivity": {},
    "invoice_paid_early": {},
    "list": {},
    "play": {},
}


def of(conditions: dict[str, Any]) -> Conditions:
    return msgspec.convert(conditions, Conditions, strict=True)


def campaign(audience: dict[str, Any], kind: str = "purchase") -> CampaignContent:
    content = {
        "name": "a sweet",
        "trigger": {"kind": kind} | OTHER_TRIGGERS.get(kind, {}),
        "prizes": [{"id": "sweet", "gift": {"kind": "points", "points": 10}}],
        "audience": audience,
    }
    return msgspec.convert(content, CampaignContent, strict=True)


def seeing(*audiences: Audience) -> Seeing:
    return Seeing(shown_to(audiences))


def order() -> Occasion:
    """Return the fifth purchase of the regular: on a Friday, at 13:00 in Berlin."""
    return bought("EUR", 14_000, 2_000, channel="web", items=[TEA], zone="Europe/Berlin", known=KNOWN)


def moment(customer: Customer = REGULAR, profile: Profile | None = PROFILE, at: datetime = AT) -> Occasion:
    return occasion_of_customer(customer, profile, at=at, zone=BERLIN)


def fits(conditions: dict[str, Any], occasion: Occasion, *, of_purchase: bool = True) -> bool:
    """Tell whether an audience that may be saved has an occasion."""
    checked_audience(campaign(conditions, "purchase" if of_purchase else "list"))
    audience = compiled_audience(of(conditions), of_purchase=of_purchase)
    assert not audience.is_outdated
    return audience.fits(occasion, seeing(audience))


def refused(conditions: dict[str, Any], kind: str = "purchase") -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        checked_audience(campaign(conditions, kind))
    return caught.value.pointer, caught.value.reason


# Each condition, met and not met.

OF_PURCHASE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("currency", {"purchase": {"currencies": ["CHF", "EUR"]}}, {"purchase": {"currencies": ["CHF"]}}),
    ("channel", {"purchase": {"channels": ["web"]}}, {"purchase": {"channels": ["till"]}}),
    ("minimum", {"purchase": {"minimum": {"EUR": 14_000}}}, {"purchase": {"minimum": {"EUR": 14_001}}}),
    ("items", {"items": {"items": {"categories": ["tea"]}, "quantity": 2}}, {"items": {"items": {"skus": ["POT"]}}}),
]
OF_CUSTOMER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("tier", {"customer": {"tiers": ["gold"]}}, {"customer": {"tiers": ["silver"]}}),
    ("attributes", {"customer": {"attributes": {"age": [44]}}}, {"customer": {"attributes": {"newsletter": [1]}}}),
    ("enrolled_days", {"customer": {"enrolled_days": {"least": 400}}}, {"customer": {"enrolled_days": {"most": 399}}}),
    (
        "days_since_last_purchase",
        {"customer": {"days_since_last_purchase": {"least": 90, "most": 90}}},
        {"customer": {"days_since_last_purchase": {"least": 91}}},
    ),
    ("birthday", {"customer": {"birthday": {"days_before": 2}}}, {"customer": {"birthday": {"days_before": 1}}}),
    (
        "dates",
        {"time": {"dates": [{"from": "2026-11-20", "to": "2026-11-20"}]}},
        {"time": {"dates": [{"from": "2026-11-21", "to": "2026-11-30"}]}},
    ),
    ("weekdays", {"time": {"weekdays": [5]}}, {"time": {"weekdays": [4, 6]}}),
    (
        "hours",
        {"time": {"hours": [{"from": "13:00", "to": "13:01"}]}},
        {"time": {"hours": [{"from": "12:00", "to": "13:00"}]}},
    ),
    ("expression", {"expression": 'customer.tier == "gold"'}, {"expression": "time.month == 12"}),
]


@pytest.mark.parametrize(("met", "missed"), [each[1:] for each in OF_PURCHASE + OF_CUSTOMER])
def test_a_purchase_is_in_an_audience_whose_condition_it_meets(met: dict[str, Any], missed: dict[str, Any]) -> None:
    assert fits(met, order())
    assert not fits(missed, order())


@pytest.mark.parametrize(("met", "missed"), [each[1:] for each in OF_CUSTOMER])
def test_a_customer_is_in_an_audience_whose_condition_they_meet(met: dict[str, Any], missed: dict[str, Any]) -> None:
    assert fits(met, moment(), of_purchase=False)
    assert not fits(missed, moment(), of_purchase=False)


def test_an_audience_that_asks_nothing_has_everybody() -> None:
    assert fits({}, order())
    assert fits({}, moment(STRANGER, None), of_purchase=False)


def test_all_conditions_must_hold() -> None:
    both = {"customer": {"tiers": ["gold"]}, "expression": "purchase.total >= 14000"}
    assert fits(both, order())
    assert not fits(both | {"customer": {"tiers": ["silver"]}}, order())
    assert not fits(both | {"expression": "purchase.total > 14000"}, order())


def test_a_purchase_counts_among_the_purchases_and_where_nothing_is_bought_the_last_is_the_latest() -> None:
    fifth, fourth = ({"customer": {"purchase_numbers": {"least": each, "most": each}}} for each in (5, 4))
    assert fits(fifth, order())
    assert not fits(fourth, order())
    assert fits(fourth, moment(), of_purchase=False)
    assert not fits(fifth, moment(), of_purchase=False)
    assert not fits({"customer": {"purchase_numbers": {}}}, moment(STRANGER, None), of_purchase=False)


# What only audiences may name.


def test_expressions_see_how_many_purchases_there_are_and_what_was_earned_before() -> None:
    told = "customer.purchases == {0} && customer.purchase_number == {0} && customer.lifetime_earned == 12000"
    assert fits({"expression": told.format(5)}, order())
    assert fits({"expression": told.format(4)}, moment(), of_purchase=False)
    nothing = "customer.purchases == 0 && customer.lifetime_earned == 0 && customer.days_since_last_purchase == null"
    assert fits({"expression": nothing}, moment(STRANGER, None), of_purchase=False)


def test_expressions_see_all_else_of_the_customer_and_the_time() -> None:
    told = (
        'customer.tier == "gold" && customer.attributes.segment == "b2b" && customer.days_since_last_purchase == 90 '
        "&& customer.days_enrolled == 400 && !customer.has_birthday && time.hour == 13 && time.weekday == 5"
    )
    assert fits({"expression": told}, order())
    assert fits({"expression": told}, moment(), of_purchase=False)
    assert fits({"expression": "customer.has_birthday"}, moment(at=AT + timedelta(days=2)), of_purchase=False)


@pytest.mark.parametrize("member", ["purchases", "lifetime_earned"])
@pytest.mark.parametrize("kind", ["purchase", "activity", "invoice"])
def test_earning_rules_can_not_name_what_only_audiences_may(member: str, kind: FactKind) -> None:
    with pytest.raises(Invalid) as caught:
        compile_expression(f"customer.{member} > 1", pointer="/when", kind=kind)
    assert caught.value.reason == "unknown_variable"
    assert "purchases" not in caught.value.detail
    assert "lifetime_earned" not in caught.value.detail


def test_audiences_may_name_what_rules_may_of_customer_time_and_purchase_and_no_activity() -> None:
    more = {"purchases", "lifetime_earned"}
    assert set(AudienceCustomer.__struct_fields__) == {*CustomerFacts.__struct_fields__, *more}
    assert {kind: set(SEEN[kind]) for kind in ("audience", "audience_of_purchase")} == {
        "audience": {"customer", "time"},
        "audience_of_purchase": {"purchase", "customer", "time"},
    }
    for name in ("purchase", "time"):
        assert SEEN["audience_of_purchase"][name] is SEEN["purchase"][name]


# What is refused, and where.


@pytest.mark.parametrize("kind", OTHER_TRIGGERS)
@pytest.mark.parametrize("part", [{"purchase": {}}, {"items": {"items": {"categories": ["tea"]}}}])
def test_nothing_is_asked_of_a_purchase_where_none_is_the_occasion(kind: str, part: dict[str, Any]) -> None:
    checked_audience(campaign(part))
    assert refused(part, kind) == (f"/audience/{next(iter(part))}", "not_for_this_trigger")


@pytest.mark.parametrize("kind", OTHER_TRIGGERS)
def test_an_expression_names_no_purchase_where_none_is_the_occasion(kind: str) -> None:
    asked = {"expression": "purchase.total > 5"}
    checked_audience(campaign(asked))
    assert refused(asked, kind) == ("/audience/expression", "unknown_variable")
    checked_audience(campaign({"expression": "customer.purchases > 5 && time.month == 12"}, kind))


@pytest.mark.parametrize("kind", ["purchase", *OTHER_TRIGGERS])
def test_an_expression_names_no_activity(kind: str) -> None:
    assert refused({"expression": 'activity.type == "review"'}, kind) == ("/audience/expression", "unknown_variable")


@pytest.mark.parametrize(
    ("audience", "pointer", "reason"),
    [
        ({"purchase": {"currencies": ["EUR", "XXX"]}}, "/audience/purchase/currencies/1", "unknown_currency"),
        ({"purchase": {"minimum": {"XXX": 1}}}, "/audience/purchase/minimum/XXX", "unknown_currency"),
        (
            {"time": {"dates": [{"from": "2026-11-02", "to": "2026-11-01"}]}},
            "/audience/time/dates/0/to",
            "out_of_range",
        ),
        *(
            ({"customer": {name: {"least": 3, "most": 2}}}, f"/audience/customer/{name}/most", "out_of_range")
            for name in ("purchase_numbers", "enrolled_days", "days_since_last_purchase")
        ),
        ({"expression": "customer.tier =="}, "/audience/expression", "syntax"),
        ({"expression": "customer.purchases"}, "/audience/expression", "not_boolean"),
        ({"expression": 'customer.lifetime_earned > "5"'}, "/audience/expression", "not_boolean"),
        ({"expression": 'customer.tier.matches("a")'}, "/audience/expression", "unknown_function"),
    ],
)
def test_a_refusal_says_where_in_the_audience(audience: dict[str, Any], pointer: str, reason: str) -> None:
    assert refused(audience) == (pointer, reason)
    if "purchase" not in audience:
        assert refused(audience, "birthday") == (pointer, reason)


def test_an_expression_that_can_hold_only_for_some_is_taken() -> None:
    checked_audience(campaign({"expression": "customer.lifetime_earned / customer.purchases > 100"}, "list"))


# What fails, and what was stored.


@pytest.mark.parametrize(
    "source",
    [
        "customer.lifetime_earned / customer.purchases >= 0",
        "customer.days_since_last_purchase > 5",
        'customer.attributes.segment == "b2b"',
        "customer.tier.size() > 0",
    ],
)
def test_nobody_is_in_an_audience_whose_expression_fails_for_them(source: str) -> None:
    assert fits({"expression": source}, moment(), of_purchase=False)
    assert not fits({"expression": source}, moment(STRANGER, None), of_purchase=False)


@pytest.mark.parametrize("source", ["secret > 5", "purchase.total >", "purchase.total > 5", "true || activity.type"])
def test_a_stored_expression_that_is_no_longer_taken_has_nobody_and_says_so(source: str) -> None:
    stored = compiled_audience(of({"expression": source}), of_purchase=False)
    assert stored.is_outdated
    assert not stored.fits(moment(), seeing(stored))


def test_a_stored_audience_that_asks_of_a_purchase_where_none_is_the_occasion_has_nobody() -> None:
    stored = compiled_audience(
        of({"purchase": {}, "customer": {"attributes": {"segment": ["b2b"]}}}), of_purchase=False
    )
    assert stored.is_outdated
    assert not stored.asks_profile
    assert not stored.fits(moment(), seeing(stored))


# What is read and converted for it.


@pytest.mark.parametrize(
    ("conditions", "asks"),
    [
        ({}, False),
        ({"customer": {"tiers": ["gold"], "purchase_numbers": {"every": 5}}}, False),
        ({"expression": "customer.purchases > 5"}, False),
        ({"customer": {"attributes": {"segment": ["b2b"]}}}, True),
        ({"customer": {"birthday": {}}}, True),
        ({"expression": 'customer.attributes.segment == "b2b"'}, True),
        ({"expression": "customer.has_birthday"}, True),
    ],
)
def test_the_profile_is_asked_for_only_by_attributes_and_the_birthday(
    conditions: dict[str, Any], *, asks: bool
) -> None:
    assert compiled_audience(of(conditions), of_purchase=False).asks_profile is asks


class Counted(Selection):
    """A selection that counts what it converts."""

    converted = 0

    def context(self, facts: Facts) -> Any:
        """Count, and convert."""
        self.converted += 1
        return super().context(facts)


def test_an_occasion_is_converted_once_for_all_audiences_and_only_when_one_asks() -> None:
    sources = ("purchase.total > 5", 'customer.tier == "gold"', "customer.purchases == 5")
    audiences = [compiled_audience(of({"expression": each}), of_purchase=True) for each in sources]
    silver = compiled_audience(of({"customer": {"tiers": ["silver"]}, "expression": "true"}), of_purchase=True)
    typed = compiled_audience(of({"customer": {"tiers": ["gold"]}}), of_purchase=True)
    shown = Counted(each.references for each in audiences)
    seen, occasion = Seeing(shown), order()
    assert [each.fits(occasion, seen) for each in (silver, typed)] == [False, True]
    assert shown.converted == 0
    assert [each.fits(occasion, seen) for each in audiences] == [True] * 3
    assert shown.converted == 1
    assert not audiences[0].fits(bought(total=5), seen)
    assert shown.converted == 2


def test_what_rules_saw_of_a_purchase_is_not_what_audiences_see() -> None:
    occasion = order()
    occasion.context = Selection([frozenset({"purchase.total"})]).context(facts_of(occasion))
    assert fits({"expression": "customer.purchases == 5"}, occasion)


def test_a_longer_list_of_items_than_expressions_take_is_not_in_the_audience() -> None:
    asked = {"expression": 'purchase.items.exists(i, i.category == "tea")'}
    assert fits(asked, bought(items=[TEA] * 100))
    assert not fits(asked, bought(items=[TEA] * 101))


class Unread(list[Item]):
    """Items at which nobody looks."""

    def __iter__(self) -> Iterator[Item]:
        """Fail."""
        raise AssertionError


def test_items_are_looked_at_only_where_all_cheaper_conditions_hold() -> None:
    asked = {"items": {"items": {"categories": ["tea"]}}, "time": {"weekdays": [1]}}
    assert not fits(asked, bought(items=Unread([TEA])))
    with pytest.raises(AssertionError):
        fits(asked | {"time": {"weekdays": [5]}}, bought(items=Unread([TEA])))


# What customers' rows tell.


def test_an_occasion_of_a_customer_is_known_as_it_is_to_rules() -> None:
    occasion, terms = moment(), terms_of(PROGRAM)
    terms.profiles[REGULAR.id] = PROFILE
    assert occasion.known == terms.known(REGULAR) == KNOWN
    assert (occasion.occurred_at, occasion.zone) == (AT, BERLIN)
    assert moment(STRANGER, None).known == terms.known(STRANGER) == Known(0, AT)


def test_an_occasion_of_a_customer_shows_neither_a_purchase_nor_an_activity() -> None:
    shown = facts_of(moment())
    assert (shown.purchase, shown.activity) == (None, None)


def test_a_stored_campaign_whose_audience_is_not_taken_any_more_is_told_of_and_stays() -> None:
    kept, outdated = (to_wire("cmp", UUID(int=number)) for number in (1, 2))
    content = msgspec.json.encode(campaign({"expression": "customer.purchases > 5"}))
    told = content.replace(b"purchases", b"bought_ever")
    book = CampaignBook(
        {
            its_id: [DefinitionVersion(1, UUID(int=9), State.ACTIVE, text, AT, AT)]
            for its_id, text in ((kept, content), (outdated, told))
        }
    )
    assert [each.campaign for each in book.unreadable] == [outdated]
    assert {each.wire for each in book.all()} == {kept, outdated}
