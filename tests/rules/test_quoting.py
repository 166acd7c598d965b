"""What a quote works out, and what it leaves since others wait meanwhile. Pure."""

from datetime import UTC, datetime

import pytest

from service.customers.rules import newcomer
from service.earning.rules import EARNING_RULE
from service.earning.terms import terms_of
from service.programs.definitions import Definitions
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.purchases.quoting import quote
from service.purchases.rules import Item, Purchase
from tests.rules.earning import rule, version

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rules", "conditions", "items", "worked_out"),
    [
        (0, {}, 1, 1),
        (0, {}, 1000, 50),
        (20, {}, 90, 50),
        (200, {}, 100, 4),
        (200, {}, 1000, 0),
        (20, {"expression": "purchase.items.exists(i, i.amount > 100)"}, 30, 10),
    ],
)
def test_many_rules_that_look_at_many_items_leave_what_one_more_would_earn(
    rules: int, conditions: dict[str, str], items: int, worked_out: int
) -> None:
    content = rule(effect={"kind": "items", "points": 2, "items": {"skus": ["A"]}}, conditions=conditions)
    definitions = Definitions({EARNING_RULE: {f"rule-{number}": [version(1, content)] for number in range(rules)}})
    program = Program(
        1, "shop", "A shop", live=False, newest=SettingsVersion(1, ProgramSettings()), definitions=definitions
    )
    bought = [Item(str(number), 200, sku="A") for number in range(items)]
    purchase = Purchase("order", "c-42", "EUR", 200 * items, NOW, items=bought)
    told = quote(purchase, newcomer(-1, "c-42", NOW), terms_of(program)).items
    assert [each.one_more for each in told] == [2 + 2 * rules if place < worked_out else None for place in range(items)]
