"""What conditions in CEL cost: `python -m benchmarks.expressions`. Ordinary ones, and the dearest that are allowed."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import click
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.processes import machine
from service.earning.contexts import Selection
from service.earning.expressions import compile_expression
from service.earning.vocabulary import (
    CustomerFacts,
    FactKind,
    Facts,
    ItemFacts,
    PurchaseFacts,
    time_facts,
)
from tests.rules.compiling import FULL
from tests.rules.test_hostile_expressions import ALLOWED, ALLOWED_OF_ACTIVITIES

_ITEMS = [ItemFacts(1200, 1, "TEA-1", "tea"), ItemFacts(500, 2, "TEA-2", "tea"), ItemFacts(2500, 1, "POT-1", "pots")]
_ORDER = Facts(
    CustomerFacts(7, "gold", {"segment": "b2b", "age": 44}, 30, 400),
    time_facts(datetime(2026, 11, 21, 18, 5, tzinfo=UTC)),
    PurchaseFacts("EUR", 12_990, 2_074, 490, 0, "web", _ITEMS),
)
_PLAIN = (
    'purchase.total > 5000 && customer.tier == "gold"',
    'customer.attributes.segment == "b2b" && purchase.channel == "web"',
    "time.weekday in [6, 7] && time.hour >= 18",
)
_OF_ITEMS = 'purchase.items.exists(i, i.category == "tea" && i.quantity >= 2)'
_OF_FEW_ITEMS = 'purchase.items.filter(i, i.category == "tea").size() >= 2'


@click.command()
def main() -> None:
    """Print the least time that each takes, in microseconds: a purchase's three expressions, then the dearest alone."""
    console = Console(width=140)
    console.print(machine())
    ordinary = Table("three expressions, of one purchase", "in all", "of which their context", title="Ordinary, in us")
    for name, sources in (
        ("none names items", _PLAIN),
        ("one asks 3 items", (*_PLAIN[:2], _OF_ITEMS)),
        ("one filters 3 items", (*_PLAIN[:2], _OF_FEW_ITEMS)),
    ):
        ordinary.add_row(name, *(f"{took:.1f}" for took in _together(sources, _ORDER, "purchase")))
    console.print(ordinary)
    dearest = Table("the dearest of its kind", "compiled", "context", "worked out", title="Dearest, in us")
    kinds: dict[FactKind, dict[str, str]] = {"purchase": ALLOWED, "activity": ALLOWED_OF_ACTIVITIES}
    for kind, sources in kinds.items():
        for name, source in sources.items():
            compiled = _least(partial(compile_expression, source, pointer="", kind=kind))
            whole, context = _together([source], FULL, kind)
            dearest.add_row(name, f"{compiled:.0f}", f"{context:.0f}", f"{whole - context:.0f}")
    console.print(dearest)


def _together(sources: Sequence[str], facts: Facts, kind: FactKind) -> tuple[float, float]:
    """Return what expressions of one fact take with their context, and the context alone."""
    facts = msgspec.structs.replace(facts, **({"activity": None} if kind == "purchase" else {"purchase": None}))
    expressions = [compile_expression(source, pointer="", kind=kind) for source in sources]
    selection = Selection(each.references for each in expressions)

    def work() -> None:
        context = selection.context(facts)
        for expression in expressions:
            expression.holds(context)

    return _least(work), _least(lambda: selection.context(facts))


def _least(work: Callable[[], object]) -> float:
    """Return the least microseconds that some work took, of many times in half a second."""
    least, until = float("inf"), time.perf_counter() + 0.5
    while time.perf_counter() < until:
        begun = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - begun)
    return least * 1e6


if __name__ == "__main__":
    main()
