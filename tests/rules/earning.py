"""Occasions and rules for tests of what earns."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.earning.book import RuleBook
from service.earning.deciding import Decided, decide
from service.earning.limits import Allowance, Shared
from service.earning.occasion import Known, Occasion
from service.earning.rules import RuleContent
from service.kernel.times import FIRST_MOMENT
from service.programs.definitions import DefinitionVersion, State
from service.programs.rules import BaseRule, ProgramSettings, SettingsVersion
from service.purchases.rules import Item

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""A Friday."""
UNKNOWN = Known(0, AT)


def bought(  # noqa: PLR0913 - what a purchase tells
    currency: str = "EUR",
    total: int = 10_000,
    tax: int = 0,
    shipping: int = 0,
    *,
    at: datetime = AT,
    zone: str = "UTC",
    known: Known = UNKNOWN,
    items: Sequence[Item] = (),
    points_paid: int = 0,
    channel: str | None = None,
) -> Occasion:
    """Show a purchase to rules."""
    return Occasion(at, ZoneInfo(zone), known, currency, total, tax, shipping, points_paid, channel, items)


def rule(**content: Any) -> RuleContent:
    """Make a rule of its JSON; its name doesn't matter."""
    return msgspec.convert({"name": "a rule"} | content, RuleContent, strict=True)


def version(
    number: int, content: RuleContent, *, since: datetime = FIRST_MOMENT, state: State = State.ACTIVE
) -> DefinitionVersion:
    """Make a version of a rule."""
    return DefinitionVersion(number, UUID(int=number), state, msgspec.json.encode(content), since, since)


def book(**rules: RuleContent) -> RuleBook:
    """Make a book of rules at their first version, which always applied."""
    return RuleBook({name.replace("_", "-"): [version(1, content)] for name, content in rules.items()})


def earned(
    rules: RuleBook,
    occasion: Occasion,
    *,
    base: BaseRule = BaseRule(),  # noqa: B008 - it is frozen
    used: str | None = None,
    shared: Shared | None = None,
    customer: int = 7,
) -> Decided:
    """Decide what an occasion earns."""
    settings = SettingsVersion(1, ProgramSettings(base_rule=base))
    return decide(rules.at(occasion.occurred_at), settings, occasion, Allowance(customer, used, shared or Shared()))


def by_rule(decided: Decided) -> Mapping[str, int]:
    """Give the points by rule."""
    return {each.line.rule: each.line.points for each in decided.given}
