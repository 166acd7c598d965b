"""Currencies and money as text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.amounts import BOUND, as_text, exponent, minor_units_in_one

DECIMALS = {
    "JPY": 0,
    "KRW": 0,
    "CLP": 0,
    "ISK": 0,
    "EUR": 2,
    "USD": 2,
    "CHF": 2,
    "KWD": 3,
    "BHD": 3,
    "IQD": 3,
    "TND": 3,
    "CLF": 4,
}


@pytest.mark.parametrize(("currency", "decimals"), DECIMALS.items())
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals
    assert minor_units_in_one(currency) == 10**decimals


@pytest.mark.parametrize("code", ["XAU", "XAG", "XTS", "XXX", "XDR", "eur", "EU", "EURO", "", "DEM", "ABC", "EUR "])
def test_what_has_no_minor_unit_is_no_currency(code: str) -> None:
    assert exponent(code) is None


@given(minor_units=st.integers(-BOUND, BOUND), currency=st.sampled_from(sorted(DECIMALS)))
def test_money_as_text_is_the_decimal_number(minor_units: int, currency: str) -> None:
    number, code = as_text(minor_units, currency).split(" ")
    assert code == currency
    assert Decimal(number) == Decimal(minor_units).scaleb(-DECIMALS[currency])
    assert len(number.partition(".")[2]) == DECIMALS[currency]


@pytest.mark.parametrize(
    ("minor_units", "currency", "text"),
    [
        *((12990, "EUR", "129.90 EUR"), (0, "EUR", "0.00 EUR"), (-150, "EUR", "-1.50 EUR"), (-5, "EUR", "-0.05 EUR")),
        *((-100, "EUR", "-1.00 EUR"), (-7, "JPY", "-7 JPY"), (-1, "KWD", "-0.001 KWD")),
    ],
)
def test_money_below_zero_has_a_minus_before_the_same_digits(minor_units: int, currency: str, text: str) -> None:
    assert as_text(minor_units, currency) == text
