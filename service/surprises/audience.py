"""Audiences of campaigns: whether an occasion of a customer is one of those that a campaign is for. Pure.

They are said as conditions of earning rules are, also in CEL. Where nothing is bought they are of the customer and the
time alone; of the customer they see more than rules do, see `service.earning.vocabulary.AudienceCustomer`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from service.customers.rules import Customer, Profile
from service.earning.conditions import Holds, Test, asks_profile, tests_of
from service.earning.contexts import Context, Selection
from service.earning.expressions import Expression, compile_expression, stored_expression
from service.earning.occasion import CustomerOccasion, Occasion, known_of
from service.earning.rules import Conditions, check_conditions
from service.earning.showing import facts_of
from service.earning.vocabulary import FactKind
from service.kernel.errors import Invalid
from service.surprises.campaigns import CampaignContent, OnPurchase

NOT_FOR_THIS_TRIGGER: Final = "not_for_this_trigger"
_OF_PURCHASE: Final = ("purchase", "items")
"""The conditions that only a purchase can meet."""
_COSTS: Final = {
    name: cost
    for cost, name in enumerate(
        (
            "currency",
            "channel",
            "tier",
            "minimum",
            "purchase_number",
            "attributes",
            "weekdays",
            "dates",
            "hours",
            "enrolled_days",
            "days_since_last_purchase",
            "birthday",
            "items",
        )
    )
}
"""Tests by what they cost: from a look at one value, over days of a calendar, to a look at each item."""


class Seeing:
    """An occasion as the expressions of all audiences of a book see it: converted once, when the first one asks.

    The `shown` is a selection for all of them, see `shown_to`. Another occasion is converted anew.
    """

    __slots__ = ("_context", "_of", "_shown")

    def __init__(self, shown: Selection) -> None:
        self._shown = shown
        self._of: Occasion | None = None
        self._context: Context | None = None

    def context(self, occasion: Occasion) -> Context:
        """Return what expressions see of an occasion."""
        if self._context is None or self._of is not occasion:
            self._context, self._of = self._shown.context(facts_of(occasion)), occasion
        return self._context


@dataclass(frozen=True, slots=True)
class Audience:
    """A campaign's audience, ready to be asked."""

    conditions: Conditions
    asks_profile: bool
    """Whether it looks at attributes or at the birthday, which the customer's row doesn't tell."""
    references: frozenset[str]
    """What its expression names."""
    is_outdated: bool
    """Whether it was taken when it was saved, and isn't any more: it never fits then."""
    _holds: tuple[Holds, ...] = ()
    _expression: Expression | None = None

    def fits(self, occasion: Occasion, seeing: Seeing) -> bool:
        """Tell whether all conditions hold, asking the cheap ones first. An expression that fails doesn't hold."""
        if self.is_outdated:
            return False
        for holds in self._holds:
            if not holds(occasion):
                return False
        return self._expression is None or bool(self._expression.holds(seeing.context(occasion)))


def shown_to(audiences: Iterable[Audience]) -> Selection:
    """Select what the expressions of audiences name, once for all of them, for their `Seeing`."""
    return Selection(each.references for each in audiences)


def checked_audience(content: CampaignContent) -> None:
    """Refuse an audience that can't be one of a campaign with this trigger. Raises Invalid with pointers.

    Where no purchase is the occasion nothing can be asked about one.
    """
    conditions, of_purchase = content.audience, isinstance(content.trigger, OnPurchase)
    if not of_purchase:
        for part in _OF_PURCHASE:
            if getattr(conditions, part) is not None:
                detail = "With this trigger nothing is bought: its audience is told by customer, time and expression."
                raise Invalid(detail, pointer=f"/audience/{part}", reason=NOT_FOR_THIS_TRIGGER)
    check_conditions(conditions, "/audience")
    if conditions.expression is not None:
        compile_expression(conditions.expression, pointer="/audience/expression", kind=_kind(of_purchase=of_purchase))


def compiled_audience(conditions: Conditions, *, of_purchase: bool) -> Audience:
    """Compile an audience that was checked when it was saved, for occasions that are purchases or for all others.

    It never fails: one that is no longer taken never fits, and says that it is outdated.
    """
    source = conditions.expression
    expression = None if source is None else stored_expression(source, _kind(of_purchase=of_purchase))
    references = frozenset[str]() if expression is None else expression.references
    is_outdated = expression is not None and expression.is_outdated
    if not of_purchase:
        is_outdated = is_outdated or any(getattr(conditions, part) is not None for part in _OF_PURCHASE)
    asks = not is_outdated and asks_profile(conditions, references)
    holds = tuple([test.holds for test in sorted(tests_of(conditions), key=_cost)])
    return Audience(conditions, asks, references, is_outdated, holds, expression)


def occasion_of_customer(
    customer: Customer, profile: Profile | None, *, at: datetime, zone: ZoneInfo
) -> CustomerOccasion:
    """Make the occasion of a customer at some moment, without a purchase, for audiences: as the customer's row is now.

    The profile is needed where an audience asks for it. The purchases are those so far, of which the last is the
    `purchase_number`.
    """
    return CustomerOccasion(at, zone, known_of(customer, profile), type="")


def _kind(*, of_purchase: bool) -> FactKind:
    return "audience_of_purchase" if of_purchase else "audience"


def _cost(test: Test) -> int:
    return _COSTS.get(test.name, len(_COSTS))
