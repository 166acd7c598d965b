"""What a product page or a basket shows of a purchase before it is made. Pure.

Which items earn what, what one more piece would earn, what is out of reach and why.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from service.customers.rules import Customer
from service.earning.book import Giver, MultiplyingRule, RuleSet
from service.earning.contexts import Fault
from service.earning.deciding import Candidate, Decided
from service.earning.occasion import Occasion
from service.earning.rules import ByAmount, Line, Multiplier
from service.earning.terms import Terms
from service.kernel.amounts import BOUND
from service.kernel.errors import Refusal
from service.programs.rules import SettingsVersion
from service.purchases.rules import Item, Purchase, occasion_of

MOST_ITEMS: Final = 50
"""Of how many items it is worked out what one more piece would earn: each is a purchase of its own."""
MOST_LOOKS: Final = 100_000
"""How often rules may look at an item for that: others wait meanwhile. Of a large purchase by many rules it is less."""
_LOOKS_OF_EXPRESSION: Final = 16
"""What an expression costs for an item at most, as much as so many rules without one."""


class ItemQuote(msgspec.Struct, frozen=True):
    """What an item earns: its part of what is earned by amounts, or because of it. With one more piece it is more."""

    id: str
    points: int
    one_more: int | None


class OutOfReach(msgspec.Struct, frozen=True):
    """A rule that gives nothing here, and why: the condition that doesn't hold, or what else stands against it.

    `missing` says how much is missing, in minor units, pieces or purchases, where it is a number.
    """

    rule: str
    name: str
    reason: str
    missing: int | None


class Quote(msgspec.Struct, frozen=True):
    """What a purchase would earn, by items, and what it wouldn't."""

    items: Sequence[ItemQuote]
    out_of_reach: Sequence[OutOfReach]


def quote(purchase: Purchase, customer: Customer, terms: Terms) -> Quote:
    """Work out what to show of a purchase that a customer may make. Nothing is moved or counted. Raises Invalid."""
    applied = terms.program.at(purchase.occurred_at)
    occasion = occasion_of(purchase, terms.known(customer), applied.settings)
    decided = terms.decide(occasion, customer, applied)
    shares, most = _shares(purchase.items, decided), _most_items(terms.rules.at(purchase.occurred_at), purchase)
    items = [
        ItemQuote(
            item.id,
            shares[place],
            _one_more(purchase, place, decided.points, customer, terms, applied) if place < most else None,
        )
        for place, item in enumerate(purchase.items)
    ]
    return Quote(items, _out_of_reach(occasion, decided, customer, terms))


def _shares(items: Sequence[Item], decided: Decided) -> list[int]:
    """Divide what lines gave among their items, by the items' amounts: rounded down as they add up, nothing is lost.

    What is for the whole purchase, as a bonus or shipping, is no item's.
    """
    shares = [0] * len(items)
    for each in decided.given:
        places = _places(each.line, decided)
        if places is None and (
            each.of_program or (each.rule is not None and isinstance(each.rule.content.effect, ByAmount))
        ):
            places = tuple(range(len(items)))
        if not places:
            continue
        whole = sum(items[place].amount for place in places)
        if _places(each.line, decided) is None:
            whole = max(whole, decided.total)
        so_far = told = 0
        for place in places:
            so_far += items[place].amount
            upto = each.line.points * so_far // whole if whole else 0
            shares[place] += upto - told
            told = upto
    return shares


def _places(line: Line, decided: Decided) -> tuple[int, ...] | None:
    """Return the places of the items of a line: its own, else of what it multiplied, if all of that is for items."""
    if line.items is not None or line.of is None:
        return line.items
    found = set[int]()
    for each in decided.given:
        if each.line.rule in line.of:
            if each.line.items is None:
                return None
            found.update(each.line.items)
    return tuple(sorted(found))


def _most_items(rules: RuleSet, purchase: Purchase) -> int:
    """Return of how many items it is worked out what one more piece would earn."""
    asked = (*rules.giving(None), *rules.multiplying(None))
    looks = 1 + sum([1 if rule.expression is None else _LOOKS_OF_EXPRESSION for rule in asked])
    return min(MOST_ITEMS, MOST_LOOKS // (looks * (1 + len(purchase.items))))


def _one_more(
    purchase: Purchase, place: int, points: int, customer: Customer, terms: Terms, applied: SettingsVersion
) -> int | None:
    """Return the points that one more piece of an item would earn; None where that isn't worked out."""
    item = purchase.items[place]
    each = item.amount // item.quantity
    if purchase.total + each > BOUND:
        return None
    more = msgspec.structs.replace(item, quantity=item.quantity + 1, amount=item.amount + each)
    items = [*purchase.items[:place], more, *purchase.items[place + 1 :]]
    tax = purchase.tax + (purchase.tax * each // purchase.total if purchase.total else 0)
    larger = msgspec.structs.replace(purchase, items=items, total=purchase.total + each, tax=tax)
    occasion = occasion_of(larger, terms.known(customer), applied.settings)
    try:
        return terms.decide(occasion, customer, applied).points - points
    except Refusal:
        return None


def _out_of_reach(occasion: Occasion, decided: Decided, customer: Customer, terms: Terms) -> list[OutOfReach]:
    """Name the rules that apply at the moment and gave nothing, with the first reason against each."""
    rules = terms.rules.at(occasion.occurred_at)
    given = {each.line.rule: each for each in decided.given}
    found = list[OutOfReach]()
    for rule in (*rules.giving(None), *rules.multiplying(None)):
        if rule.id not in given:
            reason, missing = _reason(rule, occasion, given, customer, terms)
            found.append(OutOfReach(rule.id, rule.content.name, reason, missing))
    return found


def _reason(
    rule: Giver | MultiplyingRule, occasion: Occasion, given: dict[str, Candidate], customer: Customer, terms: Terms
) -> tuple[str, int | None]:
    for test in rule.tests:
        if not test.holds(occasion):
            return test.name, test.missing(occasion)
    said = rule.says(occasion, terms.rules.at(occasion.occurred_at).shown)
    if not said:
        return f"expression_{said.reason}" if isinstance(said, Fault) else "expression", None
    if rule.exhausted(occasion, terms.allowance(customer)):
        return "limit", None
    group = rule.content.group
    if group is not None and any(each.group == group for each in given.values()):
        return "group", None
    return "nothing_to_multiply" if isinstance(rule.content.effect, Multiplier) else "nothing_to_count", None
