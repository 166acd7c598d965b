"""Purchases with 20 earning rules and with the program's own alone: `python -m benchmarks.rules`.

Three of the rules are CEL, some give points for each purchase, some for none, some have limits. They are paused and
active by turns, in one run on one service; and a third time with a budget for all customers, on which each first
purchase draws. Then the program gets tiers by points, with a multiplier, and all customers are counted; the same
purchases with rules and tiers come last, since tiers that are taken away would have to be counted again. How many rules
gave something for a purchase is told with each: what a rule gives costs more than asking it.
"""

import asyncio
import random
import time
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any, Final

import asyncpg
import click
import msgspec
from rich.console import Console

from benchmarks.measuring import PURCHASES_AT_64, run_load
from benchmarks.processes import machine
from benchmarks.stand import Stand
from benchmarks.turns import Run, by_turns, options, report, stand_for
from service.earning.defining import EARNING_RULES
from service.earning.rules import Every, Limit, RuleContent, Scope
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import defining
from service.programs import usecases as programs
from service.programs.definitions import Change, State
from service.programs.tier_policy import TierPolicy
from service.purchases.jobs import settle_tiers
from service.tiers.defining import TIERS
from service.tiers.rules import TierBenefits, TierContent, TierMultiplier

_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_RULES: Final[dict[str, dict[str, Any]]] = {
    "tea": {"effect": {"kind": "items", "points": 5, "items": {"categories": ["tea"]}}},
    "coffee": {"effect": {"kind": "items", "points": 5, "items": {"categories": ["coffee"]}}},
    "cups": {"effect": {"kind": "items", "points": 2, "items": {"skus": ["CUP-1", "CUP-2", "CUP-3"]}}},
    "visit": {"effect": {"kind": "visit", "points": 3}},
    "first": {
        "effect": {"kind": "bonus", "points": 100},
        "conditions": {"customer": {"purchase_numbers": {"most": 1}}},
    },
    "tenth": {
        "effect": {"kind": "bonus", "points": 50},
        "conditions": {"customer": {"purchase_numbers": {"every": 10}}},
    },
    "back": {
        "effect": {"kind": "bonus", "points": 40},
        "conditions": {"customer": {"days_since_last_purchase": {"least": 90}}},
    },
    "large": {
        "effect": {"kind": "bonus", "points": 20},
        "conditions": {"purchase": {"minimum": {"EUR": 15_000}}},
        "limits": [{"every": "month", "times": 2}],
    },
    "larger": {
        "effect": {"kind": "bonus", "points": 30},
        "conditions": {"purchase": {"minimum": {"EUR": 30_000}}},
        "group": "sizes",
    },
    "largest": {
        "effect": {"kind": "bonus", "points": 50},
        "conditions": {"purchase": {"minimum": {"EUR": 50_000}}},
        "group": "sizes",
    },
    "sunday": {
        "effect": {"kind": "multiplier", "basis_points": 15_000},
        "conditions": {"time": {"weekdays": [7]}},
        "limits": [{"every": "day", "points": 1000}],
    },
    "monday": {
        "effect": {"kind": "multiplier", "basis_points": 20_000},
        "conditions": {"time": {"weekdays": [1]}},
    },
    "evening": {
        "effect": {"kind": "multiplier", "basis_points": 12_000},
        "conditions": {"time": {"hours": [{"from": "18:00", "to": "22:00"}]}},
    },
    "advent": {
        "effect": {"kind": "bonus", "points": 24},
        "conditions": {"time": {"dates": [{"from": "2026-12-01", "to": "2026-12-24"}]}},
    },
    "till": {"effect": {"kind": "bonus", "points": 5}, "conditions": {"purchase": {"channels": ["till"]}}},
    "gold": {"effect": {"kind": "multiplier", "basis_points": 12_500}, "conditions": {"customer": {"tiers": ["gold"]}}},
    "launch": {
        "effect": {"kind": "bonus", "points": 1},
        "conditions": {"purchase": {"channels": ["app"]}},
    },
    "cel-bulk": {
        "effect": {"kind": "bonus", "points": 10},
        "conditions": {"expression": "purchase.total > 10000 && purchase.items.exists(item, item.quantity >= 2)"},
        "limits": [{"every": "day", "times": 3}],
    },
    "cel-loyal": {
        "effect": {"kind": "bonus", "points": 5},
        "conditions": {"expression": "customer.purchase_number > 3 && purchase.currency == 'EUR'"},
    },
    "cel-net": {
        "effect": {"kind": "bonus", "points": 7},
        "conditions": {"expression": "purchase.total - purchase.tax - purchase.shipping > 100000"},
    },
}


_BUDGET: Final = {"first": {"limits": [Limit(Every.LIFE, Scope.ALL, points=10**9)]}}
_TIERS: Final = {"bronze": 100, "silver": 1_000, "gold": 10_000}


@click.command()
@options
def main(purchases: int, customers: int, seconds: int, repetitions: int, processes: int) -> None:
    """Measure purchases with rules and without."""
    console = Console(width=140)
    with stand_for(console, customers=customers, purchases=purchases, processes=processes) as stand:
        asyncio.run(_set(stand, None))

        def run(state: State, *, budget: bool = False) -> Run:
            asyncio.run(_set(stand, state, budget=budget))
            time.sleep(1)  # each process has them within half a second
            seen = run_load(stand, PURCHASES_AT_64, seconds, 0.0)
            return seen | {"lines": asyncio.run(_lines(stand))}

        sides = {
            "the program's rule alone": partial(run, State.PAUSED),
            f"{len(_RULES)} rules": partial(run, State.ACTIVE),
            "and a budget for all": partial(run, State.ACTIVE, budget=True),
        }
        seen = by_turns(console, stand, sides, repetitions)
        asyncio.run(_set_tiers(stand))
        with_tiers = {f"{len(_RULES)} rules and {len(_TIERS)} tiers": partial(run, State.ACTIVE)}
        seen |= by_turns(console, stand, with_tiers, repetitions)
        report(console, seen, compared="of the rate alone", more={"rules that gave": _rules_that_gave})
        statuses = {status for runs in seen.values() for each in runs for status in each["statuses"]}
        console.print(f"Answers: {', '.join(sorted(statuses))}. On {machine()}.")


def _rules_that_gave(runs: list[Run]) -> str:
    return f"{median(each['lines'] for each in runs):.1f}"


async def _lines(stand: Stand) -> float:
    """Count the rules that gave something for each of the last purchases, on average."""
    owner = await asyncpg.connect(stand.url)
    lines: float = await owner.fetchval(
        """
        SELECT avg(jsonb_array_length(last.lines))::float
        FROM (SELECT p.lines FROM purchase AS p ORDER BY p.id DESC LIMIT 10000) AS last
        """
    )
    await owner.close()
    return lines


async def _set(stand: Stand, state: State | None, *, budget: bool = False) -> None:
    """Make the rules, or let all be in a state, with a budget for all or without."""
    database = Database(stand.settings)
    await database.open(size=1)

    async def work(db: Db) -> None:
        for name, content in _RULES.items():
            if state is None:
                await defining.create(
                    db,
                    program_id=stand.program_id,
                    kind=EARNING_RULES,
                    definition_id=name,
                    content=msgspec.convert({"name": name} | content, RuleContent),
                    change=Change(State.ACTIVE, _SINCE),
                    entropy=random.getrandbits(62),
                )
            else:
                await defining.change(
                    db,
                    program_id=stand.program_id,
                    kind=EARNING_RULES,
                    definition_id=name,
                    members=_BUDGET.get(name, {}) if budget else dict.fromkeys(_BUDGET.get(name, {}), ()),
                    change=Change(state, _SINCE),
                    entropy=random.getrandbits(62),
                )

    try:
        await transact(database.connection, work)
    finally:
        await database.close()


async def _set_tiers(stand: Stand) -> None:
    """Let the program have tiers, and count what customers have bought."""
    database = Database(stand.settings)
    await database.open(size=1)

    async def work(db: Db) -> None:
        for tier_id, threshold in _TIERS.items():
            await defining.create(
                db,
                program_id=stand.program_id,
                kind=TIERS,
                definition_id=tier_id,
                content=TierContent(tier_id, threshold, TierBenefits(TierMultiplier(12_500))),
                change=Change(State.ACTIVE, _SINCE),
                entropy=random.getrandbits(62),
            )
        policy = {"period": {"kind": "rolling", "months": 12}}
        await programs.change_program(
            db,
            program_id=stand.program_id,
            name=None,
            settings={"tiers": msgspec.convert(policy, TierPolicy)},
            valid_from=_SINCE,
            entropy=random.getrandbits(62),
        )

    try:
        await transact(database.connection, work)
        assert await settle_tiers(database, _Alone(stand.program_id))
    finally:
        await database.close()


class _Alone(Turn):
    """A turn of a job while nobody else wants the database."""

    async def rest(self, seconds: float) -> None:
        """Go on."""


if __name__ == "__main__":
    main()
