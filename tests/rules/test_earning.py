"""What purchases earn, against arithmetic of its own: fractions of whole units, rounded once."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import newcomer
from service.earning.effects import base_line
from service.earning.rules import Line
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.kernel.ids import IdSource
from service.kernel.rounding import Rounding
from service.points.account import Account
from service.programs.rules import BaseRule, EarnRate, Part, Program, ProgramSettings, SettingsVersion, UnitRate
from service.purchases.rules import Earnings, Purchase, book
from service.purchases.terms import referring_terms_of
from service.purchases.usecases import draft
from tests.rules.earning import bought

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DECIMALS = {"JPY": 0, "EUR": 2, "USD": 2, "KWD": 3, "CLF": 4}
ROUNDED: dict[Rounding, Callable[[Fraction], int]] = {
    Rounding.DOWN: math.floor,
    Rounding.UP: math.ceil,
    Rounding.HALF_UP: lambda points: math.floor(points + Fraction(1, 2)),
    Rounding.HALF_EVEN: round,
}

money = st.integers(0, 20_000) | st.integers(0, BOUND)
few_or_many = st.integers(0, 20) | st.integers(0, 10**6)
rates = st.builds(EarnRate, points=few_or_many, amount=st.integers(1, 2000) | st.integers(1, BOUND))
unit_rates = st.builds(UnitRate, points=few_or_many, units=st.integers(1, 20) | st.integers(1, 10**6))
rules = st.builds(
    BaseRule,
    rates=st.dictionaries(st.sampled_from(sorted(DECIMALS)), rates, max_size=3),
    any_currency=st.none() | unit_rates,
    tax=st.sampled_from(Part),
    shipping=st.sampled_from(Part),
    rounding=st.sampled_from(Rounding),
)
purchases = st.builds(
    Purchase,
    id=st.just("order-1"),
    customer_id=st.just("c-1"),
    currency=st.sampled_from(sorted(DECIMALS)),
    total=money,
    tax=money,
    shipping=money,
    points_paid=money,
    occurred_at=st.sampled_from([NOW, NOW - timedelta(days=400)]),
)


def fair(rule: BaseRule, purchase: Purchase) -> int:
    """Return what a purchase earns, by whole units of its currency."""
    one = 10 ** DECIMALS[purchase.currency]
    counted = Fraction(purchase.total, one)
    if rule.tax is Part.EXCLUDED:
        counted -= Fraction(purchase.tax, one)
    if rule.shipping is Part.EXCLUDED:
        counted -= Fraction(purchase.shipping, one)
    counted = max(counted, Fraction(0))
    own = rule.rates.get(purchase.currency)
    if own is not None:
        points_for_one = Fraction(own.points) / Fraction(own.amount, one)
    elif rule.any_currency is not None:
        points_for_one = Fraction(rule.any_currency.points, rule.any_currency.units)
    else:
        return 0
    return ROUNDED[rule.rounding](counted * points_for_one)


def account() -> Account:
    return Account(newcomer(7, "c-1", NOW), NOW, IdSource(NOW, 9), {}, {})


def booked(rule: BaseRule, purchase: Purchase, version: int = 1, into: Account | None = None) -> Earnings:
    program = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(version, ProgramSettings(base_rule=rule)))
    return book(
        draft(purchase, randomness=5).content,
        account=into or account(),
        terms=referring_terms_of(program),
        purchase_id=UUID(int=1),
    )


@given(rules, purchases)
def test_a_purchase_earns_the_counted_amount_at_its_rate_rounded_once(rule: BaseRule, purchase: Purchase) -> None:
    expected = fair(rule, purchase)
    if expected > BOUND:
        with pytest.raises(Invalid) as refused:
            booked(rule, purchase)
        assert refused.value.pointer == "/total"
        return
    bought = account()
    booking = booked(rule, purchase, version=3, into=bought)
    assert booking.earned == sum(line.points for line in booking.lines) == expected
    assert booking.balance.available == bought.customer.lifetime_earned == expected
    rows = 1 if expected else 0
    assert [(transfer.points, transfer.rule_version) for transfer in bought.transfers] == [(expected, 3)] * rows
    assert [(lot.granted, lot.remaining) for lot in bought.granted.values()] == [(expected, expected)] * rows
    assert bought.customer.purchase_count == 1


@given(rules, purchases)
def test_more_paid_never_earns_less(rule: BaseRule, purchase: Purchase) -> None:
    more = msgspec.structs.replace(purchase, total=purchase.total + 1)
    assert fair(rule, more) >= fair(rule, purchase)
    if fair(rule, more) <= BOUND:
        assert booked(rule, more).earned >= booked(rule, purchase).earned


@given(rules, purchases)
def test_what_points_paid_earns_nothing_and_costs_nothing(rule: BaseRule, purchase: Purchase) -> None:
    if fair(rule, purchase) <= BOUND:
        other = msgspec.structs.replace(purchase, points_paid=0)
        assert booked(rule, other) == booked(rule, purchase)


def line(rule: BaseRule, currency: str, total: int, tax: int = 0, shipping: int = 0) -> Line:
    return base_line(rule, 1, bought(currency, total, tax, shipping))


@pytest.mark.parametrize(
    ("currency", "total", "points"),
    [
        ("EUR", 99, 0),
        ("EUR", 100, 1),
        ("EUR", 12_990, 129),
        ("JPY", 1, 1),
        ("KWD", 999, 0),
        ("KWD", 1000, 1),
    ],
)
def test_the_default_is_a_point_for_each_whole_unit(currency: str, total: int, points: int) -> None:
    assert line(BaseRule(), currency, total).points == points


def test_a_currency_without_a_rate_earns_nothing_and_says_so() -> None:
    rule = BaseRule(rates={"EUR": EarnRate(points=1, amount=100)}, any_currency=None)
    assert (line(rule, "USD", 10_000).points, line(rule, "USD", 10_000).why) == (0, "no rate for USD")


def test_tax_and_shipping_above_the_total_earn_nothing() -> None:
    rule = BaseRule(tax=Part.EXCLUDED, shipping=Part.EXCLUDED)
    assert line(rule, "EUR", 1000, tax=800, shipping=300).points == 0


@pytest.mark.parametrize(
    ("tax", "shipping", "counted"),
    [
        (Part.INCLUDED, Part.INCLUDED, "129.90 EUR (total)"),
        (Part.EXCLUDED, Part.INCLUDED, "109.16 EUR (total without tax)"),
        (Part.INCLUDED, Part.EXCLUDED, "125.00 EUR (total without shipping)"),
        (Part.EXCLUDED, Part.EXCLUDED, "104.26 EUR (total without tax and shipping)"),
    ],
)
def test_a_line_says_why_in_words(tax: Part, shipping: Part, counted: str) -> None:
    why = line(BaseRule(tax=tax, shipping=shipping), "EUR", 12_990, 2074, 490).why
    assert why == f"1 point for each 1.00 EUR of {counted}, rounded down"
