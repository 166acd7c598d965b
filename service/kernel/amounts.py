"""Amounts: points are whole numbers, money is whole minor units with an ISO 4217 currency. No floats."""

from typing import Annotated, Final

import iso4217
from msgspec import Meta

BOUND: Final = 10**12
"""The greatest number of points or minor units that a field may hold."""

MinorUnits = Annotated[int, Meta(ge=0, le=BOUND, description="Money in minor units of the currency (cents).")]
Quantity = Annotated[int, Meta(ge=1, le=10**6)]
CurrencyCode = Annotated[
    str,
    Meta(
        pattern="^[A-Z]{3}$(?!\n)",
        description="ISO 4217, upper case: EUR.",
        extra_json_schema={"format": "iso-4217"},
    ),
]

# Codes without a minor unit (gold, test codes, "no currency") are no money that a shop can take.
_EXPONENTS: Final[dict[str, int]] = {
    currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None
}


def exponent(currency: str) -> int | None:
    """Return how many decimals a currency has (EUR 2, JPY 0, KWD 3); None for what is no currency with a minor unit."""
    return _EXPONENTS.get(currency)


def minor_units_in_one(currency: str) -> int:
    """Return the minor units in one whole unit (EUR 100, JPY 1). Raises KeyError for what is no currency."""
    return 10 ** _EXPONENTS[currency]


def as_text(minor_units: int, currency: str) -> str:
    """Write money without a locale: `as_text(12990, "EUR")` is `129.90 EUR`. Raises KeyError if it is none."""
    decimals, sign = _EXPONENTS[currency], "-" if minor_units < 0 else ""
    whole, rest = divmod(abs(minor_units), 10**decimals)
    return f"{sign}{whole}.{rest:0{decimals}d} {currency}" if decimals else f"{sign}{whole} {currency}"
