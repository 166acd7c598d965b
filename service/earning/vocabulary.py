"""What conditions of rules and audiences may name: the variables, their members and types, and the functions. Pure.

The structs are the one list of variables: their fields are what expressions find under those names, their descriptions
are the documentation. Money is in minor units of the purchase's, or the invoice's, currency.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

FactKind = Literal["purchase", "activity", "invoice", "audience", "audience_of_purchase"]
"""What an expression is about: what a rule rewards, a paid invoice being an activity, or who is in an audience.

Audiences see more of the customer than rules do: what a rule saw is worked out again later, from the fact that it
rewarded; what an audience saw never is.
"""


class ItemFacts(msgspec.Struct, frozen=True):
    """One line of a purchase."""

    amount: Annotated[int, Meta(description="What the whole line cost, gross.")]
    quantity: Annotated[int, Meta(description="How many pieces.")] = 1
    sku: Annotated[str | None, Meta(description="The article, as the purchase names it.")] = None
    category: Annotated[str | None, Meta(description="Its category, as the purchase names it.")] = None


class PurchaseFacts(msgspec.Struct, frozen=True):
    """A purchase."""

    currency: Annotated[str, Meta(description="ISO 4217: EUR.")]
    total: Annotated[int, Meta(description="What is paid: gross, after discounts, with tax and shipping.")]
    tax: Annotated[int, Meta(description="The tax in the total.")] = 0
    shipping: Annotated[int, Meta(description="The shipping in the total.")] = 0
    points_paid: Annotated[int, Meta(description="What points paid; it is not in the total.")] = 0
    channel: Annotated[str | None, Meta(description="Where it was bought, as the purchase names it.")] = None
    items: Annotated[
        Sequence[ItemFacts],
        Meta(description="Its lines: asked by exists, all, exists_one, filter and size, if there are at most 100."),
    ] = ()


class CustomerFacts(msgspec.Struct, frozen=True):
    """The customer, as the fact finds them."""

    purchase_number: Annotated[int, Meta(description="1 for the first purchase, which is this one.")] = 1
    tier: Annotated[str | None, Meta(description="The tier's id.")] = None
    attributes: Annotated[
        Mapping[str, Any],
        Meta(description='What callers told: attributes.segment or attributes["shoe-size"].'),
    ] = {}
    days_since_last_purchase: Annotated[int | None, Meta(description="Whole local days; null before the first.")] = None
    days_enrolled: Annotated[int, Meta(description="Whole local days since the enrolment.")] = 0
    has_birthday: Annotated[bool, Meta(description="Whether it is the day.")] = False


class AudienceCustomer(CustomerFacts, frozen=True):
    """The customer, as the occasion of a surprise finds them. Where nothing is bought, `purchase_number` is the last.

    So it is what `purchases` is, there and with a purchase.
    """

    purchases: Annotated[int, Meta(description="How many so far, with the one that is the occasion.")] = 0
    lifetime_earned: Annotated[
        int,
        Meta(description="The points of the customer's lifetime, pending ones included, before this occasion."),
    ] = 0


class ActivityFacts(msgspec.Struct, frozen=True):
    """An activity, or that an invoice was paid: `invoice.paid`, with the properties of `InvoicePaid`."""

    type: Annotated[str, Meta(description="Its type, as the program declares it.")]
    properties: Annotated[
        Mapping[str, Any],
        Meta(description='What was reported of it: properties.rating or properties["net-promoter"].'),
    ] = {}


class InvoicePaid(msgspec.Struct, frozen=True):
    """The properties of `invoice.paid`, which is an activity for expressions: the payment that closed an invoice."""

    early: Annotated[bool, Meta(description="Whether it was paid before the day on which it was due.")]
    days_early: Annotated[int, Meta(description="How many days before that day; 0 where it wasn't early.")]
    days_to_pay: Annotated[int, Meta(description="How many days after the one on which it was issued; at least 0.")]
    discounted: Annotated[bool, Meta(description="Whether paying it earned a discount, or points instead of one.")]
    streak: Annotated[
        int,
        Meta(description="How many in a row were paid early, this one included; 0 where it wasn't early."),
    ]
    total: Annotated[int, Meta(description="What it charged, gross, less credit notes.")]
    currency: Annotated[str, Meta(description="ISO 4217: EUR.")]


class TimeFacts(msgspec.Struct, frozen=True):
    """When it happened, in the program's time zone."""

    year: int
    month: Annotated[int, Meta(description="1 to 12.")]
    day: Annotated[int, Meta(description="1 to 31.")]
    weekday: Annotated[int, Meta(description="1 is Monday, 7 is Sunday.")]
    hour: Annotated[int, Meta(description="0 to 23.")]
    minute: Annotated[int, Meta(description="0 to 59.")]


class Facts(msgspec.Struct, frozen=True):
    """What expressions are asked about: a purchase or an activity, whose, and when."""

    customer: CustomerFacts
    time: TimeFacts
    purchase: PurchaseFacts | None = None
    activity: ActivityFacts | None = None


VARIABLES: Final[Mapping[str, type[msgspec.Struct]]] = {
    "purchase": PurchaseFacts,
    "activity": ActivityFacts,
    "customer": CustomerFacts,
    "time": TimeFacts,
}
FREE: Final = frozenset({"customer.attributes", "activity.properties"})
"""Maps whose keys are the caller's; expressions name one key at a time."""
ITEMS: Final = "purchase.items"
_OF_PURCHASE: Final = {each: VARIABLES[each] for each in ("purchase", "customer", "time")}
_OF_ACTIVITY: Final = {each: VARIABLES[each] for each in ("activity", "customer", "time")}
SEEN: Final[Mapping[FactKind, Mapping[str, type[msgspec.Struct]]]] = {
    "purchase": _OF_PURCHASE,
    "activity": _OF_ACTIVITY,
    "invoice": _OF_ACTIVITY,
    "audience": {"customer": AudienceCustomer, "time": TimeFacts},
    "audience_of_purchase": _OF_PURCHASE | {"customer": AudienceCustomer},
}
"""The variables that an expression may name, by what it is about."""
BUILT_IN: Final[Mapping[FactKind, tuple[str, ...]]] = {"invoice": InvoicePaid.__struct_fields__}
"""All properties of facts whose properties are not the caller's."""

FUNCTIONS: Final = frozenset({"size", "has", "int", "double"})
"""Called before their argument: `size(x)`. Of a text `size` counts the bytes of its UTF-8."""
METHODS: Final = frozenset({"size", "startsWith", "endsWith", "contains"})
"""Called behind what they ask: `x.startsWith("a")`."""
LOOPS: Final = frozenset({"all", "exists", "exists_one", "filter"})
"""Macros that go through a list. `map` is none of them: repeated, it makes values that double each time."""


def time_facts(local: datetime) -> TimeFacts:
    """Return what expressions see of a moment, which is told in the program's time zone."""
    return TimeFacts(local.year, local.month, local.day, local.isoweekday(), local.hour, local.minute)
