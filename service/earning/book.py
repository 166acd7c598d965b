"""A program's earning rules, compiled: which of them apply at a moment, and what each of them does. Pure."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar, cast

import msgspec

from service.earning.conditions import Holds, Test, asks_profile, tests_of
from service.earning.contexts import Fault, Selection
from service.earning.effects import Given, Places, given, placing
from service.earning.expressions import Expression, stored_expression
from service.earning.limits import Allowance, CountedLimit, counted_limit, limited
from service.earning.occasion import Occasion
from service.earning.rules import (
    EARNING_RULE,
    INVOICE_PAID,
    Bonus,
    ByVisit,
    Every,
    Limit,
    Multiplier,
    RuleContent,
    Scope,
)
from service.earning.showing import facts_of
from service.earning.vocabulary import FactKind
from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program

_decode = msgspec.json.Decoder(RuleContent).decode
_expression = lru_cache(maxsize=1024)(stored_expression)
"""The largest takes 5 ms, and a change of one rule makes a new book of all."""
_ONE_VISIT_A_DAY: Final = Limit(Every.DAY, times=1)


Does = TypeVar("Does", Given, Multiplier)


@dataclass(frozen=True, slots=True)
class CompiledRule(Generic[Does]):
    """A version of a rule, ready to be asked: one that gives points, or one that multiplies what others give."""

    id: str
    version: int
    content: RuleContent
    tests: Sequence[Test]
    holds: Sequence[Holds]
    """What the tests ask, in their order."""
    expression: Expression | None
    limits: Sequence[CountedLimit]
    does: Does
    minimum: Mapping[str, int] | None
    """The least totals that it asks for."""
    because: Callable[[Occasion], Places] | None
    """Gives the places of the items because of which it applies; None where it asks for none."""
    bonus: bool
    """Whether it gives the same whatever is bought. What a multiplier gives is a bonus where it multiplies one."""

    @property
    def references(self) -> frozenset[str]:
        """What its expression names."""
        return frozenset() if self.expression is None else self.expression.references

    def applies(self, occasion: Occasion, shown: Selection) -> bool:
        """Tell whether all conditions hold. Expressions are `shown` what those of all rules ask for."""
        for holds in self.holds:
            if not holds(occasion):
                return False
        return self.expression is None or bool(self.says(occasion, shown))

    def says(self, occasion: Occasion, shown: Selection) -> bool | Fault:
        """Tell what the expression comes to; a rule without one has nothing against it."""
        if self.expression is None:
            return True
        if occasion.context is None:
            occasion.context = shown.context(facts_of(occasion))
        return self.expression.holds(occasion.context)

    def exhausted(self, occasion: Occasion, allowance: Allowance) -> bool:
        """Tell whether its limits leave nothing at all."""
        return not limited(self.limits, occasion.day, allowance, 1)[0]


Giver: TypeAlias = CompiledRule[Given]
MultiplyingRule: TypeAlias = CompiledRule[Multiplier]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that apply at a moment, by what they reward.

    That is None for purchases, `INVOICE_PAID` for the paying of invoices, else the type of an activity.
    """

    givers: Mapping[str | None, Sequence[Giver]]
    multipliers: Mapping[str | None, Sequence[MultiplyingRule]]
    shown: Selection
    """What their expressions ask for."""
    asks_profile: bool = False
    """Whether one of them looks at attributes or at the birthday."""
    counted: Mapping[str | None, Sequence[CountedLimit]] = field(
        default_factory=dict[str | None, Sequence[CountedLimit]]
    )
    """All limits that count over periods, by what their rules reward."""

    def giving(self, type_: str | None) -> Sequence[Giver]:
        """Return the rules that give points for a purchase, an activity or the paying of an invoice, by their ids."""
        return self.givers.get(type_, ())

    def multiplying(self, type_: str | None) -> Sequence[MultiplyingRule]:
        """Return the rules that multiply what those give."""
        return self.multipliers.get(type_, ())

    def limits(self, type_: str | None) -> Sequence[CountedLimit]:
        """Return the limits that count over periods, of the rules for purchases or for an activity."""
        return self.counted.get(type_, ())


NO_RULES: Final = RuleSet({}, {}, Selection(()))


class Unusable(NamedTuple):
    """A version of a rule that was allowed when it was saved, by another release of the service, and is none here."""

    rule: str
    version: int
    reason: str


class RuleBook:
    """All rules of a program at all moments. Those that apply from one moment to the next are compiled once."""

    def __init__(self, definitions: Mapping[str, Sequence[DefinitionVersion]]) -> None:
        """Take, by their ids, the versions of rules that apply to some moment, the earliest first."""
        self.unusable = list[Unusable]()
        """What was found so far that can't be read or compiled, and gives nothing. Whoever tells of it takes it out."""
        self._rules = [_Rule(rule_id, versions, self.unusable) for rule_id, versions in definitions.items()]
        moments = {moment for rule in self._rules for moment in rule.moments}
        self._moments = sorted(moments)
        self._sets: dict[int, RuleSet] = {}

    def at(self, moment: datetime) -> RuleSet:
        """Return the rules that apply to what occurs at a moment."""
        place = bisect_right(self._moments, moment)
        if not place:
            return NO_RULES
        found = self._sets.get(place)
        if found is None:
            found = self._sets[place] = self._set(self._moments[place - 1])
        return found

    def _set(self, moment: datetime) -> RuleSet:
        applying = [each for rule in self._rules if (each := rule.at(moment)) is not None]
        applying.sort(key=lambda rule: rule.id)
        givers, multipliers = dict[str | None, list[Giver]](), dict[str | None, list[MultiplyingRule]]()
        for rule in applying:
            if isinstance(rule.content.effect, Multiplier):
                multipliers.setdefault(rule.content.activity, []).append(cast("MultiplyingRule", rule))
            else:
                givers.setdefault(rule.content.activity, []).append(cast("Giver", rule))
        counted = dict[str | None, list[CountedLimit]]()
        for rule in applying:
            counted.setdefault(rule.content.activity, []).extend(limit for limit in rule.limits if not limit.of_fact)
        asking = any(asks_profile(rule.content.conditions, rule.references) for rule in applying)
        shown = Selection(rule.expression.references for rule in applying if rule.expression is not None)
        return RuleSet(givers, multipliers, shown, asking, counted)


class _Rule:
    """One rule with the versions that apply to some moment."""

    def __init__(self, rule_id: str, versions: Sequence[DefinitionVersion], unusable: list[Unusable]) -> None:
        self._id = rule_id
        self._versions = versions
        self._unusable = unusable
        self._contents = {version.number: self._content(version) for version in versions}
        self._compiled: dict[int, Giver | MultiplyingRule | None] = {}
        contents = [content for content in self._contents.values() if content is not None]
        ends = [content.ends_at for content in contents if content.ends_at is not None]
        self.moments = [version.valid_from for version in versions] + ends

    def at(self, moment: datetime) -> Giver | MultiplyingRule | None:
        """Return the version that applies at a moment; None where the rule gives nothing then."""
        place = bisect_right(self._versions, moment, key=_valid_from)
        if not place:
            return None
        version = self._versions[place - 1]
        content = self._contents[version.number]
        if content is None or version.state is not State.ACTIVE:
            return None
        if content.ends_at is not None and moment >= content.ends_at:
            return None
        if version.number not in self._compiled:
            rule = self._compiled[version.number] = compiled(self._id, version.number, content)
            if rule.expression is not None and rule.expression.is_outdated:
                self._unusable.append(Unusable(self._id, version.number, "its expression is not taken any more"))
        return self._compiled[version.number]

    # One rule that can't be used must not keep customers from buying, nor the other rules from giving.

    def _content(self, version: DefinitionVersion) -> RuleContent | None:
        try:
            return _decode(version.content)
        except msgspec.MsgspecError as fault:
            self._unusable.append(Unusable(self._id, version.number, str(fault)))
            return None


def compiled(rule_id: str, version: int, content: RuleContent) -> Giver | MultiplyingRule:
    """Compile a version of a rule that was checked when it was made."""
    effect, source = content.effect, content.conditions.expression
    tests = tests_of(content.conditions)
    holds = [test.holds for test in tests]
    expression = None if source is None else _expression(source, rewarded_by(content))
    limits = [counted_limit(rule_id, each) for each in limits_of(content)]
    of_purchase, of_items = content.conditions.purchase, content.conditions.items
    asked = (
        None if of_purchase is None or not of_purchase.minimum else of_purchase.minimum,
        None if of_items is None else placing(of_items.items),
        isinstance(effect, Bonus | ByVisit),
    )
    if isinstance(effect, Multiplier):
        return CompiledRule(rule_id, version, content, tests, holds, expression, limits, effect, *asked)
    return CompiledRule(rule_id, version, content, tests, holds, expression, limits, given(effect), *asked)


def rewarded_by(content: RuleContent) -> FactKind:
    """Tell what a rule rewards, as its expression knows it."""
    if content.activity is None:
        return "purchase"
    return "invoice" if content.activity == INVOICE_PAID else "activity"


def limits_of(content: RuleContent) -> Sequence[Limit]:
    """Return the limits of a rule; a visit is one a day unless the rule counts them itself."""
    own = any((each.scope, each.every) == (Scope.CUSTOMER, Every.DAY) for each in content.limits)
    return (*content.limits, _ONE_VISIT_A_DAY) if isinstance(content.effect, ByVisit) and not own else content.limits


def rules_of(program: Program) -> RuleBook:
    """Return the compiled rules of a program; they are compiled once for each loaded program."""
    return program.definitions.once(_book)


def _book(definitions: Definitions) -> RuleBook:
    return RuleBook(definitions.of(EARNING_RULE))


def _valid_from(version: DefinitionVersion) -> datetime:
    return version.valid_from
