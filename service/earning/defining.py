"""Earning rules and types of activities as definitions: what a marketer sets is checked whenever a version is made."""

from typing import Final

from service.earning import activity_types
from service.earning.activity_types import ACTIVITY_TYPE, ActivityTypeContent
from service.earning.book import EARNING_RULE, compiled, rewarded_by
from service.earning.expressions import compile_expression
from service.earning.rules import BASE_RULE, RuleContent, checked
from service.programs.definitions import DefinitionKind
from service.programs.rules import Program


def check(content: RuleContent, _: Program) -> RuleContent:
    """Refuse what can't be a rule, also what can't be compiled: then no process will fail at it. Raises Invalid."""
    content = checked(content)
    if content.conditions.expression is not None:
        source, kind = content.conditions.expression, rewarded_by(content)
        compile_expression(source, pointer="/conditions/expression", kind=kind)
    compiled("", 1, content)
    return content


EARNING_RULES: Final = DefinitionKind(EARNING_RULE, RuleContent, check, reserved=frozenset({BASE_RULE, "simulate"}))
"""The id of the program's own rule is none of theirs, and none is what a route is called."""
ACTIVITY_TYPES: Final = DefinitionKind(
    ACTIVITY_TYPE, ActivityTypeContent, lambda content, _: activity_types.checked(content)
)
