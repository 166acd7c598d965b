"""What an occasion earns: all rules are asked, groups take their best, limits hold, multipliers multiply. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from service.earning.book import Giver, MultiplyingRule, RuleSet
from service.earning.effects import Places, base_line, multiplied
from service.earning.limits import Allowance, Taken, limited
from service.earning.occasion import Occasion
from service.earning.rules import BASE_RULE, Line, Multiplier
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.programs.policies import OwnPending
from service.programs.rules import SettingsVersion
from service.tiers.rules import Tier

OF_TIER: Final = "tier:"
"""In front of a tier's id it is what the tier's multiplier is called in lines; no rule has such a name."""


class Candidate(msgspec.Struct, frozen=True):
    """What a rule gives unless a better one of its group does; no rule stands for the program's own, or a tier's."""

    line: Line
    group: str | None
    rule: Giver | MultiplyingRule | None = None
    taken: Sequence[Taken] = ()
    of_tier: bool = False
    of: Sequence["Candidate"] = ()
    """What it multiplies."""

    @property
    def of_program(self) -> bool:
        """Whether it is what the program's own rule gives."""
        return self.rule is None and not self.of_tier


@dataclass(frozen=True, slots=True)
class Decided:
    """What an occasion earns: lines, each with its rule (None: the program's own), and what they take of limits.

    `pending` is how the customer's tier holds back points of which no rule says it.
    """

    given: Sequence[Candidate]
    points: int
    """All points together."""
    total: int = 0
    """What was paid, in minor units."""
    pending: OwnPending | None = None

    @property
    def by_base_alone(self) -> bool:
        """Whether no rule gave anything but the program's own."""
        return all(each.of_program for each in self.given)


def decide(
    rules: RuleSet, settings: SettingsVersion, occasion: Occasion, allowance: Allowance, tier: Tier | None = None
) -> Decided:
    """Decide what an occasion earns by the rules that apply to it. Raises Invalid for more than 10^12 points.

    The program's own rule has a line for each purchase, also without points; others have one where they give some, and
    so has the customer's tier.
    """
    found = list[Candidate]()
    if occasion.type is None:
        found.append(Candidate(base_line(settings.settings.base_rule, settings.number, occasion), BASE_RULE))
    for rule in rules.giving(occasion.type):
        if rule.applies(occasion, rules.shown):
            points, why, places = rule.does(occasion)
            candidate = _candidate(rule, occasion, allowance, points, why, places, bonus=rule.bonus)
            if candidate is not None:
                found.append(candidate)
    given = best(found)
    multiplying = best(_multiplying(rules, occasion, allowance, given))
    if tier is not None:
        multiplying += _of_tier(tier, given)
    given += multiplying
    together = sum([each.line.points for each in given])
    if together > BOUND:
        raise Invalid("This earns more than 10^12 points.", pointer="/total", reason="out_of_range")
    return Decided(given, together, occasion.total, None if tier is None else tier.content.benefits.pending)


def best(found: Sequence[Candidate]) -> list[Candidate]:
    """Leave of each group the best, of equals the first; all without a group stay. The order stays."""
    first = dict[str, Candidate]()
    for each in found:
        if each.group is not None:
            other = first.get(each.group)
            if other is None or each.line.points > other.line.points:
                first[each.group] = each
    return [each for each in found if each.group is None or first[each.group] is each]


def _multiplying(
    rules: RuleSet, occasion: Occasion, allowance: Allowance, given: Sequence[Candidate]
) -> list[Candidate]:
    found = list[Candidate]()
    for rule in rules.multiplying(occasion.type):
        if not rule.applies(occasion, rules.shown):
            continue
        effect = rule.does
        named = [each for each in given if each.line.points and _names(effect, each)]
        if named:
            points, why, places = multiplied(effect, [each.line for each in named])
            # What multiplies one line shrinks as that does, unless it asks for more.
            alike = len(named) == 1 and rule.minimum is None and rule.because is None
            minimum = named[0].line.minimum if alike else None
            bonus = all(each.line.bonus for each in named)
            candidate = _candidate(rule, occasion, allowance, points, why, places, minimum, bonus=bonus)
            if candidate is not None:
                line = candidate.line if alike else _of(candidate.line, named, rule, occasion)
                found.append(Candidate(line, candidate.group, rule, candidate.taken, of=named))
    return found


def _of(line: Line, named: Sequence[Candidate], rule: MultiplyingRule, occasion: Occasion) -> Line:
    """Let what multiplies lines hang on these, each of which has items and a minimum of its own."""
    items = None if rule.because is None else rule.because(occasion)
    return msgspec.structs.replace(line, items=items, of=tuple([each.line.rule for each in named]))


def _of_tier(tier: Tier, given: Sequence[Candidate]) -> list[Candidate]:
    """Multiply what rules gave as a tier says, rounded down; never what multipliers give."""
    benefit = tier.content.benefits.multiplier
    if benefit is None:
        return []
    named = [each for each in given if each.line.points and (each.line.rule in benefit.of or each.group in benefit.of)]
    if not named:
        return []
    lines = [each.line for each in named]
    points, why, places = multiplied(Multiplier(basis_points=benefit.basis_points), lines)
    if not points:
        return []
    why, bonus = f"{why}, for the tier {tier.content.name}", all(line.bonus for line in lines)
    made = Line(f"{OF_TIER}{tier.id}", tier.version, points, why, bonus=bonus)
    if len(lines) == 1:
        made = msgspec.structs.replace(made, items=places, minimum=lines[0].minimum)
    else:
        made = msgspec.structs.replace(made, of=tuple([line.rule for line in lines]))
    return [Candidate(made, None, of_tier=True, of=named)]


def _names(effect: Multiplier, candidate: Candidate) -> bool:
    return candidate.line.rule in effect.rules or candidate.group in effect.groups


def _candidate(
    rule: Giver | MultiplyingRule,
    occasion: Occasion,
    allowance: Allowance,
    points: int,
    why: str,
    places: Places | None,
    minimum: int | None = None,
    *,
    bonus: bool,
) -> Candidate | None:
    """Hold what a rule gives against its limits; None where nothing is left."""
    if not points:
        return None
    taken: Sequence[Taken] = ()
    if rule.limits:
        left, taken = limited(rule.limits, occasion.day, allowance, points)
        if left < points:
            why = f"{why}, of {points} points those that a limit left"
        points = left
        if not points:
            return None
    if rule.minimum is not None:
        minimum = rule.minimum.get(occasion.currency)
    if places is None and rule.because is not None:
        places = rule.because(occasion)
    line = Line(rule.id, rule.version, points, why, places, minimum, bonus=bonus)
    return Candidate(line, rule.content.group, rule, taken)
