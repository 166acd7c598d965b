"""Ways to earn, as a customer is shown them: what every purchase earns, the tier's part, and the rules. Pure.

A rule is left out where the customer doesn't meet what it asks of customers, where a limit is used up, and where it
waits for a day. What is bought, or at what hour, can't be known before: such a rule is `restricted`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from service.customers.rules import Customer, Profile
from service.earning.activity_types import ActivityTypeContent, once_in_a_life, types_of
from service.earning.book import Giver, MultiplyingRule, RuleSet
from service.earning.conditions import tests_of
from service.earning.contexts import Selection
from service.earning.deciding import OF_TIER
from service.earning.expressions import Expression
from service.earning.limits import Allowance, Shared, Use, limited
from service.earning.occasion import Occasion, known_of
from service.earning.rules import (
    BASE_RULE,
    INVOICE_PAID,
    Bonus,
    ByAmount,
    ByItem,
    ByVisit,
    Conditions,
    Multiplier,
    OfTime,
    RuleContent,
)
from service.earning.showing import facts_of
from service.kernel.amounts import minor_units_in_one
from service.kernel.errors import Unavailable
from service.kernel.periods import day_of, end_of_day
from service.programs.rules import EarnRate, Program, UnitRate
from service.tiers.rules import ONE, Tier

MOST_WAYS: Final = 50


class WayKind(Enum):
    """How a way earns."""

    AMOUNT = "amount"
    ITEMS = "items"
    VISIT = "visit"
    BONUS = "bonus"
    MULTIPLIER = "multiplier"
    TIER = "tier"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A way to earn that is open to a customer; `rewards` is what rules call it: None a purchase, else an activity.

    `points` for each `amount` of minor units of `currency`, for each `units` of whole units of whatever currency, for
    each `pieces`, or at once; or others' points times `basis_points` / 10,000.
    """

    rule: str
    kind: WayKind
    name: str | None = None
    rewards: str | None = None
    activity: str | None = None
    points: int | None = None
    amount: int | None = None
    currency: str | None = None
    units: int | None = None
    pieces: int | None = None
    basis_points: int | None = None
    ends_at: datetime | None = None
    restricted: bool = False


def uses_of(rules: RuleSet, day: date) -> frozenset[Use]:
    """Name the periods of limits for all that rules are under on a day."""
    limits = [limit for counted in rules.counted.values() for limit in counted if limit.of_all]
    return frozenset(Use(None, limit.rule, limit.every, limit.start(day)) for limit in limits)


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks for ways to earn, and when; `tier` is the tier of then.

    `shared` holds what was used of the limits that `uses_of` names.
    """

    program: Program
    customer: Customer
    profile: Profile
    tier: Tier | None
    shared: Shared
    at: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The program's."""
        return ZoneInfo(self.program.settings.time_zone)


def ways_of(looker: Looker, rules: RuleSet) -> list[Way]:
    """Give the first 50 ways to earn that are open."""
    base = looker.program.settings.base_rule
    rates = _rates(base.rates, base.any_currency, looker.program.settings.currency)
    found = [Way(rule=BASE_RULE, kind=WayKind.AMOUNT, **each) for each in rates]
    found += _of_tier(looker.tier)
    for rewarded in sorted({*rules.givers, *rules.multipliers}, key=lambda each: each or ""):
        type_ = None if rewarded in {None, INVOICE_PAID} else _type_of(looker, rewarded or "")
        if type_ is None and rewarded not in {None, INVOICE_PAID}:
            continue
        for rule in (*rules.giving(rewarded), *rules.multiplying(rewarded)):
            if len(found) < MOST_WAYS and _is_open(looker, rule, type_):
                found += _of_rule(looker, rule, type_)
    return found[:MOST_WAYS]


def _type_of(looker: Looker, rewarded: str) -> ActivityTypeContent | None:
    """Return a type of activities as it is now; None where there are none of it, or this release can't read it."""
    with suppress(Unavailable):
        type_ = types_of(looker.program).at(rewarded, looker.at)
        return None if type_ is None else type_.content
    return None


def _rates(rates: Mapping[str, EarnRate], any_currency: UnitRate | None, currency: str) -> Iterator[dict[str, Any]]:
    """Give what amounts earn, in the program's own currency first."""
    if currency not in rates and any_currency is not None and any_currency.points:
        amount = any_currency.units * minor_units_in_one(currency)
        yield {"points": any_currency.points, "amount": amount, "currency": currency}
    for code, rate in sorted(rates.items(), key=lambda each: (each[0] != currency, each[0])):
        if rate.points:
            yield {"points": rate.points, "amount": rate.amount, "currency": code}
    if currency in rates and any_currency is not None and any_currency.points:
        yield {"points": any_currency.points, "units": any_currency.units}


def _of_tier(tier: Tier | None) -> list[Way]:
    benefit = None if tier is None else tier.content.benefits.multiplier
    if tier is None or benefit is None or benefit.basis_points <= ONE:
        return []
    named, factor = f"{OF_TIER}{tier.id}", benefit.basis_points
    is_restricted = BASE_RULE not in benefit.of
    return [Way(rule=named, kind=WayKind.TIER, name=tier.content.name, basis_points=factor, restricted=is_restricted)]


def _is_open(looker: Looker, rule: Giver | MultiplyingRule, type_: ActivityTypeContent | None) -> bool:
    """Tell whether a rule can earn the customer something today, as far as that doesn't hang on what is bought."""
    of, rewarded = rule.content.conditions, rule.content.activity
    known = known_of(looker.customer, looker.profile)
    known = replace(known, tier=None if looker.tier is None else looker.tier.id)
    occasion = Occasion(looker.at, looker.zone, known, currency=looker.program.settings.currency, type=rewarded)
    asked = Conditions(customer=of.customer, time=None if of.time is None else OfTime(dates=of.time.dates))
    if not all(test.holds(occasion) for test in tests_of(asked)):
        return False
    if rule.expression is not None and (rule.expression.is_outdated or not _says(rule.expression, occasion)):
        return False
    allowance = Allowance(looker.customer.id, looker.customer.limits_used, looker.shared)
    once = once_in_a_life(rewarded) if rewarded is not None and type_ is not None and type_.once else []
    day = occasion.day
    known_of_limits = [
        each for each in (*rule.limits, *once) if each.of_all or allowance.is_known(each, each.start(day))
    ]
    return bool(limited(known_of_limits, day, allowance, 1)[0])


def _says(expression: Expression, occasion: Occasion) -> bool:
    """Tell what an expression that asks of the customer alone comes to; what asks more may well come true."""
    if not all(each.startswith("customer.") for each in expression.references):
        return True
    return bool(expression.holds(Selection([expression.references]).context(facts_of(occasion))))


def _of_rule(looker: Looker, rule: Giver | MultiplyingRule, type_: ActivityTypeContent | None) -> Iterator[Way]:
    """Give what a rule says; of several currencies one way for each."""
    content = rule.content
    told = Way(
        rule=rule.id,
        kind=WayKind.BONUS,
        name=content.name,
        rewards=content.activity,
        activity=None if type_ is None else type_.name,
        ends_at=_ends_at(looker, content, type_),
        restricted=_is_restricted(content),
    )
    tell = msgspec.structs.replace
    match content.effect:
        case ByAmount() as effect:
            for each in _rates(effect.rates, effect.any_currency, looker.program.settings.currency):
                yield tell(told, kind=WayKind.AMOUNT, **each)
        case ByItem(points=points, pieces=pieces):
            yield tell(told, kind=WayKind.ITEMS, points=points, pieces=pieces)
        case ByVisit(points=points):
            yield tell(told, kind=WayKind.VISIT, points=points)
        case Bonus(points=points):
            yield tell(told, points=points)
        case Multiplier(basis_points=basis_points):
            yield tell(told, kind=WayKind.MULTIPLIER, basis_points=basis_points)


def _ends_at(looker: Looker, content: RuleContent, type_: ActivityTypeContent | None) -> datetime | None:
    """Tell when a rule ends by itself, or with its activities, or the last of the days on which it applies now."""
    ends = [content.ends_at, None if type_ is None else type_.ends_at]
    if content.conditions.time is not None and content.conditions.time.dates:
        today = day_of(looker.at, looker.zone)
        last = max(each.last for each in content.conditions.time.dates if each.first <= today <= each.last)
        ends.append(end_of_day(last, looker.zone))
    return min((each for each in ends if each is not None), default=None)


def _is_restricted(content: RuleContent) -> bool:
    """Tell whether there is more to it than the customer and the day."""
    of, effect = content.conditions, content.effect
    asks = of.purchase is not None or of.items is not None or of.expression is not None or bool(content.limits)
    asks = asks or (of.customer is not None and of.customer.purchase_numbers is not None)
    asks = asks or (of.time is not None and bool(of.time.weekdays or of.time.hours))
    if isinstance(effect, Multiplier):
        return asks or BASE_RULE not in (*effect.rules, *effect.groups)
    return asks or (isinstance(effect, ByAmount) and (effect.items is not None or effect.without is not None))
