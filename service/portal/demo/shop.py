"""What the demo shop sells, and how it writes money. Pure."""

from typing import Final

import msgspec

NAME: Final = "Kettle & Leaf"
ACCENT: Final = "#1f6f54"
CURRENCY: Final = "EUR"
TEA: Final = "tea"
WARE: Final = "ware"


class Product(msgspec.Struct, frozen=True):
    """Something to buy, for so many cents; `picture` names its drawing."""

    sku: str
    name: str
    told: str
    price: int
    category: str
    picture: str


PRODUCTS: Final = (
    Product("assam", "Assam breakfast", "Strong and malty, 100 g", 890, TEA, "tin"),
    Product("jasmine", "Jasmine pearls", "Rolled by hand, 50 g", 1450, TEA, "pearls"),
    Product("cups", "Two cups", "Stoneware, each one different", 2400, WARE, "cups"),
    Product("pot", "Round pot", "For four cups, with a strainer", 4900, WARE, "pot"),
    Product("kettle", "Gooseneck kettle", "Holds the degree that you set", 8900, WARE, "kettle"),
    Product("year", "A year of tea", "A parcel on the first of each month", 19900, TEA, "parcel"),
)
INVOICE_TOTAL: Final = 59_500
INVOICE_TAX: Final = 9_500
"""What the demo shop's invoice is about: tea for an office, with 19 % tax."""
_BY_SKU: Final = {product.sku: product for product in PRODUCTS}


def product_of(sku: str) -> Product | None:
    """Find a product."""
    return _BY_SKU.get(sku)


def written(cents: int) -> str:
    """Write an amount as the shop's pages do."""
    sign = "-" if cents < 0 else ""
    return f"{sign}€{abs(cents) // 100:,}.{abs(cents) % 100:02}"


def counted(points: int) -> str:
    """Write a number of points."""
    return f"{points:,} {'point' if abs(points) == 1 else 'points'}"
