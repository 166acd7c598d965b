"""What a rule says: whom it rewards for what, how much, how often. Data only; what it comes to is decided beside it."""

from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from service.kernel.amounts import BOUND, CurrencyCode, MinorUnits, Quantity, exponent
from service.kernel.errors import Invalid
from service.kernel.rounding import Rounding
from service.kernel.times import Time
from service.programs.definitions import DefinitionId
from service.programs.policies import ExpiryOnDates, OwnPending, PendingUntilConfirmed, RollingExpiry, check_expiry
from service.programs.rules import EarnRate, Label, Part, Selection, UnitRate

EARNING_RULE: Final = "earning_rule"
"""The kind of definitions that rules are."""
BASE_RULE: Final = "base"
"""The name of the program's own rule, and of the group that it is in."""
INVOICE_PAID: Final = "invoice.paid"
"""What rules call the payment that closes an invoice: a kind of activity that is there without being declared."""

RuleId = DefinitionId
# No declared type can have a dot in its id.
Rewardable = Annotated[
    str,
    Meta(
        pattern=r"^(?:[a-z][a-z0-9_-]{0,62}|invoice\.paid)$(?!\n)",
        description="The id of a type of activities, or `invoice.paid`: a payment that closes an invoice, with the "
        "properties `early`, `days_early`, `days_to_pay`, `discounted`, `streak`, `total` and `currency`.",
    ),
]
Points = Annotated[int, Meta(ge=0, le=BOUND)]
Some = Annotated[int, Meta(ge=1, le=10**6)]
Days = Annotated[int, Meta(ge=0, le=36_500)]
Clock = Annotated[
    str, Meta(pattern="^(?:[01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", description="The clock on the wall: 17:30.")
]
Value = Annotated[str, Meta(max_length=500)] | bool | Annotated[int, Meta(ge=-BOUND, le=BOUND)] | None


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one rule at one version gave, and why, in words.

    `items` are the places, in what was bought, of the items for which it gave them; None: for the whole of it. It asked
    for at least a `minimum` of minor units. `lot` is the lot that the points are in, where it isn't the fact's first.
    `of` are the rules whose points it multiplied, where there are several or it asked for more than they do: at most
    what is left of theirs is left of these. A `bonus` was given neither by amounts nor by items, and is no multiple of
    what was: tiers may not count it.
    """

    rule: str
    version: int
    points: int
    why: str
    items: tuple[int, ...] | None = None
    minimum: int | None = None
    lot: UUID | None = None
    of: tuple[str, ...] | None = None
    bonus: bool = False


class ByAmount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="amount"):
    """Points for each amount of a currency: of what was paid, or of the `items` alone, gross.

    A currency without a rate of its own takes `any_currency`, and earns nothing where that is null. What is excluded
    earns nothing; of items alone, tax is taken off in the proportion that it has in the total. What points paid is not
    in the total: it earns only where it is included. The items of `without` never earn.
    """

    rates: dict[CurrencyCode, EarnRate] = {}
    any_currency: UnitRate | None = None
    items: Selection | None = None
    tax: Part = Part.INCLUDED
    shipping: Part = Part.INCLUDED
    points_paid: Part = Part.EXCLUDED
    without: Selection | None = None
    rounding: Rounding = Rounding.DOWN


class ByItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="items"):
    """`points` for each `pieces` of the items named, counted together; what doesn't make a whole is dropped."""

    points: Points
    items: Selection
    pieces: Some = 1


class ByVisit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="visit"):
    """`points` for a visit. What one customer buys on one day of the program is one visit."""

    points: Points


class Bonus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="bonus"):
    """So many `points`, whatever was bought or done."""

    points: Points


class Multiplier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="multiplier"):
    """What the named rules, or rules of the named groups, gave is multiplied: 15000 basis points make 6 points of 4.

    It multiplies what they gave after their own limits, and never what another multiplier gave.
    """

    basis_points: Annotated[int, Meta(ge=10_001, le=1_000_000)]
    rules: Annotated[tuple[RuleId, ...], Meta(max_length=200)] = (BASE_RULE,)
    groups: Annotated[tuple[RuleId, ...], Meta(max_length=200)] = ()
    rounding: Rounding = Rounding.DOWN


Effect: TypeAlias = ByAmount | ByItem | ByVisit | Bonus | Multiplier


class OfPurchase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A purchase of one of these `channels`, for at least the `minimum` of its currency; other currencies don't do."""

    minimum: Annotated[dict[CurrencyCode, MinorUnits], Meta(max_length=200)] = {}
    currencies: Annotated[tuple[CurrencyCode, ...], Meta(max_length=200)] = ()
    channels: Annotated[tuple[Label, ...], Meta(max_length=100)] = ()


class OfItems(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A purchase with at least `quantity` pieces of the items named."""

    items: Selection
    quantity: Quantity = 1


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number of whole days, both ends included; null: no bound."""

    least: Days | None = None
    most: Days | None = None


class PurchaseNumbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The customer's n-th purchases, both ends included: the first alone is 1 to 1. `every` 5: the 5th, the 10th."""

    least: Some = 1
    most: Some | None = None
    every: Some = 1


class Birthday(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many days around the customer's birthday, that day included. Born on 29 February: the month's last day."""

    days_before: Annotated[int, Meta(ge=0, le=60)] = 0
    days_after: Annotated[int, Meta(ge=0, le=60)] = 0


class OfCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer for whom all of this holds. Of each attribute one of the values; null: it isn't set.

    `enrolled_days` is the age of the relation; nobody who never bought has `days_since_last_purchase`.
    """

    tiers: Annotated[tuple[RuleId, ...], Meta(max_length=50)] = ()
    attributes: Annotated[
        dict[
            Annotated[str, Meta(min_length=1, max_length=40)],
            Annotated[tuple[Value, ...], Meta(min_length=1, max_length=100)],
        ],
        Meta(max_length=20),
    ] = {}
    purchase_numbers: PurchaseNumbers | None = None
    enrolled_days: Range | None = None
    days_since_last_purchase: Range | None = None
    birthday: Birthday | None = None


class Dates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """Whole local days, both included."""

    first: date
    last: date


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """From a time of the day to before another one; over midnight where that is earlier. 00:00 as `to` is the end."""

    start: Clock
    end: Clock


class OfTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it occurred, by the program's calendar: on one of the `dates`, `weekdays` (1 is Monday), in the `hours`."""

    dates: Annotated[tuple[Dates, ...], Meta(max_length=100)] = ()
    weekdays: Annotated[tuple[Annotated[int, Meta(ge=1, le=7)], ...], Meta(max_length=7)] = ()
    hours: Annotated[tuple[Hours, ...], Meta(max_length=24)] = ()


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold for a rule to apply: all that is given. `expression` is CEL, for what the others can't say."""

    purchase: OfPurchase | None = None
    items: OfItems | None = None
    customer: OfCustomer | None = None
    time: OfTime | None = None
    expression: Annotated[str, Meta(min_length=1, max_length=2048)] | None = None


class Scope(Enum):
    """Whose points a limit counts."""

    CUSTOMER = "customer"
    ALL = "all"


class Every(Enum):
    """Over what a limit counts: one purchase or activity, a calendar period of the program's time zone, or for ever."""

    FACT = "fact"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    LIFE = "life"


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many `points`, of which a part may still be given, and so many `times`, by when it occurred.

    Refunds give nothing back to a limit. One that an edit changes goes on counting; one that it adds begins at 0, but
    counts all that the rule gave in a period for facts that come late, behind later ones.
    """

    every: Every
    scope: Scope = Scope.CUSTOMER
    points: Annotated[int, Meta(ge=1, le=BOUND)] | None = None
    times: Annotated[int, Meta(ge=1, le=10**9)] | None = None


class RuleContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a rule says. It rewards purchases, or with `activity` activities of that type, or the paying of invoices.

    Of the rules of one `group` the best counts (of equals the first by name); groups, and rules without one, add up.
    The program's own rule is called `base` and is in the group `base`. From `ends_at` on nothing earns by the rule.
    `pending` and `expiry` say of its points what the program would say otherwise.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    effect: Effect
    activity: Rewardable | None = None
    group: RuleId | None = None
    conditions: Conditions = Conditions()
    limits: Annotated[tuple[Limit, ...], Meta(max_length=10)] = ()
    pending: OwnPending | None = None
    expiry: Literal["never"] | RollingExpiry | ExpiryOnDates | None = None
    ends_at: Time | None = None


def checked(content: RuleContent) -> RuleContent:
    """Refuse what the types can't: currencies that there aren't, ranges without a number, limits that limit nothing.

    Raises Invalid.
    """
    effect = content.effect
    if isinstance(effect, ByAmount):
        _check_currencies(effect.rates, "/effect/rates")
    if content.activity is not None:
        _check_of_activity(content)
    check_conditions(content.conditions, "/conditions")
    _check_limits(content.limits)
    if content.expiry is not None:
        check_expiry(content.expiry, "/expiry")
    return content


def check_conditions(of: Conditions, within: str) -> None:
    """Refuse of conditions what the types can't, but for the expression. `within` is the pointer to them.

    Raises Invalid.
    """
    if of.purchase is not None:
        _check_currencies(of.purchase.minimum, f"{within}/purchase/minimum")
        _check_currencies(of.purchase.currencies, f"{within}/purchase/currencies")
    if of.time is not None:
        for number, dates in enumerate(of.time.dates):
            if dates.last < dates.first:
                pointer = f"{within}/time/dates/{number}/to"
                raise Invalid("This is before the first day.", pointer=pointer, reason="out_of_range")
    if of.customer is not None:
        for name in ("purchase_numbers", "enrolled_days", "days_since_last_purchase"):
            _check_range(getattr(of.customer, name), f"{within}/customer/{name}")


def _check_of_activity(content: RuleContent) -> None:
    if not isinstance(content.effect, Bonus | Multiplier):
        detail = "An activity, or the paying of an invoice, earns a bonus or a multiplier: nothing is bought with it."
        raise Invalid(detail, pointer="/effect/kind", reason="not_for_activities")
    for part in ("purchase", "items"):
        if getattr(content.conditions, part) is not None:
            detail = "With an activity, or the paying of an invoice, nothing is bought."
            raise Invalid(detail, pointer=f"/conditions/{part}", reason="not_for_activities")
    if isinstance(content.pending, PendingUntilConfirmed):
        raise Invalid("Only purchases are confirmed.", pointer="/pending/kind", reason="not_for_activities")


def _check_range(its: Range | PurchaseNumbers | None, within: str) -> None:
    if its is not None and its.least is not None and its.most is not None and its.most < its.least:
        raise Invalid("This is below `least`.", pointer=f"{within}/most", reason="out_of_range")


def _check_currencies(codes: Sequence[str] | dict[str, EarnRate] | dict[str, int], within: str) -> None:
    for place, code in enumerate(codes):
        if exponent(code) is None:
            pointer = f"{within}/{code if isinstance(codes, dict) else place}"
            raise Invalid("This is no ISO 4217 currency with a minor unit.", pointer=pointer, reason="unknown_currency")


def _check_limits(limits: Sequence[Limit]) -> None:
    seen = set[tuple[Scope, Every]]()
    for number, limit in enumerate(limits):
        within = f"/limits/{number}"
        if limit.points is None and limit.times is None:
            raise Invalid("A limit is of points, of times, or both.", pointer=within, reason="missing")
        if limit.every is Every.FACT and (limit.scope is Scope.ALL or limit.times is not None):
            detail = "Of one purchase or activity only the points of its customer can be limited."
            raise Invalid(detail, pointer=f"{within}/every", reason="exclusive")
        if (limit.scope, limit.every) in seen:
            raise Invalid("There is such a limit already.", pointer=within, reason="duplicate")
        seen.add((limit.scope, limit.every))
