"""A simulation over the CDNOW sample equals what importing it under the rules books."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from service.earning.defining import EARNING_RULES
from service.earning.rules import RuleContent
from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import defining
from service.programs import usecases as programs
from service.programs.definitions import Change, State
from service.programs.rules import Program, ProgramSettings
from service.purchases.simulating import Simulated, Simulation, Trial, checked
from service.purchases.simulations import Running, simulate
from tests.conftest import Servers, new_database, prove
from tests.imports.importer import Importer
from tests.imports.test_cdnow import OPTIONS, SAMPLE

BEFORE = datetime(1990, 1, 1, tzinfo=UTC)
PERIOD = {"since": "1997-01-01T00:00:00Z", "until": "1998-07-01T00:00:00Z"}
RULES: dict[str, dict[str, Any]] = {
    "fifth": {
        "effect": {"kind": "bonus", "points": 50},
        "conditions": {"customer": {"purchase_numbers": {"every": 5}}},
    },
    "second": {
        "effect": {"kind": "bonus", "points": 20},
        "conditions": {"customer": {"purchase_numbers": {"least": 2, "most": 2}}},
    },
    "summer": {
        "effect": {"kind": "multiplier", "basis_points": 20_000},
        "conditions": {"time": {"dates": [{"from": "1997-06-01", "to": "1997-08-31"}]}},
        "limits": [{"every": "month", "points": 60}],
    },
    "weekend": {
        "effect": {"kind": "multiplier", "basis_points": 12_500, "rules": ["base", "discs"], "groups": ["sizes"]},
        "conditions": {"time": {"weekdays": [6, 7]}},
    },
    "large": {
        "effect": {"kind": "bonus", "points": 25},
        "conditions": {"purchase": {"minimum": {"USD": 5_000}}},
        "group": "sizes",
        "limits": [{"every": "month", "times": 1}, {"every": "year", "points": 60}],
    },
    "larger": {
        "effect": {"kind": "bonus", "points": 40},
        "conditions": {"purchase": {"minimum": {"USD": 10_000}}},
        "group": "sizes",
    },
    "back": {
        "effect": {"kind": "bonus", "points": 40},
        "conditions": {"customer": {"days_since_last_purchase": {"least": 60}}},
    },
    "discs": {
        "effect": {"kind": "items", "points": 2, "items": {"categories": ["cd"]}},
        "limits": [{"every": "life", "points": 45}],
    },
    "visit": {"effect": {"kind": "visit", "points": 3}},
    "loyal": {
        "effect": {"kind": "bonus", "points": 11},
        "conditions": {"expression": "purchase.total > 3000 && customer.purchase_number >= 3"},
        "limits": [{"every": "quarter", "times": 2}],
    },
    "race": {
        "effect": {"kind": "bonus", "points": 7},
        "limits": [
            {"every": "month", "scope": "all", "points": 1_000},
            {"every": "life", "scope": "all", "times": 900},
        ],
    },
}


@dataclass(frozen=True)
class Imported:
    """Two programs into which the sample was imported: under the program's own rule alone, and under others, too."""

    database: Database
    owner: Db
    plain: Program
    ruled: Program


@pytest.fixture(scope="module")
async def imported(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Imported]:
    """Import the sample twice."""
    async with new_database(servers) as name:
        settings = servers.settings(name)
        database = Database(settings)
        await database.open()
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        made = list[Program]()
        for code in ("plain", "ruled"):
            program = await transact(database.connection, _making(code))
            if code == "ruled":
                await transact(database.connection, _ruling(program))
                async with database.connection() as db:
                    program = await programs.program_with_code(db, code)
            ended = await Importer(settings, code, tmp_path_factory.mktemp(code)).run(SAMPLE, *OPTIONS)
            assert ended.said.startswith("6,919 booked"), ended
            made.append(program)
        yield Imported(database, owner, *made)
        await prove(database)
        await owner.close()
        await database.close()


def _making(code: str) -> Callable[[Db], Awaitable[Program]]:
    return lambda db: programs.create_program(db, code=code, name=code, live=False, settings=ProgramSettings())


def _ruling(program: Program) -> Callable[[Db], Awaitable[None]]:
    async def work(db: Db) -> None:
        for rule, content in RULES.items():
            await defining.create(
                db,
                program_id=program.id,
                kind=EARNING_RULES,
                definition_id=rule,
                content=msgspec.convert({"name": rule} | content, RuleContent),
                change=Change(State.ACTIVE, BEFORE),
                entropy=random.getrandbits(62),
            )

    return work


async def tried(imported: Imported, program: Program, **trial: Any) -> tuple[Simulation, Simulated]:
    """Simulate in the process of the test."""
    checked_trial = checked(msgspec.convert(PERIOD | trial, Trial), program)
    async with imported.database.connection() as db, db.transaction(isolation="repeatable_read", readonly=True):
        simulation = await simulate(db, program, checked_trial, Running())
    return simulation, simulation.report(checked_trial)


async def booked_by_rule(imported: Imported, program: Program) -> dict[str, tuple[int, int, int]]:
    """Sum up what the lines of a program's purchases gave: points, purchases and customers of each rule."""
    rows = await imported.owner.fetch(
        """
        SELECT l ->> 'rule', sum((l ->> 'points')::bigint), count(*), count(DISTINCT p.customer_id)
        FROM purchase AS p CROSS JOIN jsonb_array_elements(p.lines) AS l
        WHERE p.program_id = $1 AND (l ->> 'points')::bigint > 0
        GROUP BY 1
        """,
        program.id,
    )
    return {row[0]: (int(row[1]), row[2], row[3]) for row in rows}


async def booked_by_customer(imported: Imported, program: Program) -> dict[str, int]:
    """Read what each customer has: nobody has spent anything."""
    rows = await imported.owner.fetch("SELECT external_id, available FROM customer WHERE program_id = $1", program.id)
    return {row[0]: row[1] for row in rows}


def to_try() -> list[dict[str, Any]]:
    return [{"id": rule, "name": rule} | content for rule, content in RULES.items()]


async def test_a_simulation_of_rules_equals_what_importing_under_them_books(imported: Imported) -> None:
    simulation, told = await tried(imported, imported.plain, rules=to_try())
    booked = await booked_by_rule(imported, imported.ruled)
    assert booked.keys() == {"base", *RULES}  # each of them has something to say
    found = {each.rule: msgspec.structs.astuple(each.simulated) for each in told.by_rule}
    assert found == booked
    of_ruled = await booked_by_customer(imported, imported.ruled)
    of_plain = await booked_by_customer(imported, imported.plain)
    assert simulation.by_customer == {each: [of_plain[each], of_ruled[each]] for each in of_plain}
    assert (told.purchases, told.customers, told.refused, told.reversed) == (6919, 2357, 0, 0)
    assert told.simulated.points == sum(of_ruled.values())
    assert told.given.points == sum(of_plain.values())
    assert told.difference.points == sum(of_ruled.values()) - sum(of_plain.values())


async def test_without_its_rules_a_program_would_have_given_what_its_own_rule_gives(imported: Imported) -> None:
    simulation, told = await tried(imported, imported.ruled, without=list(RULES))
    of_ruled = await booked_by_customer(imported, imported.ruled)
    of_plain = await booked_by_customer(imported, imported.plain)
    assert simulation.by_customer == {each: [of_ruled[each], of_plain[each]] for each in of_plain}
    assert {each.rule: msgspec.structs.astuple(each.given) for each in told.by_rule} == await booked_by_rule(
        imported, imported.ruled
    )


async def test_trying_nothing_gives_what_was_given(imported: Imported) -> None:
    for program in (imported.plain, imported.ruled):
        simulation, told = await tried(imported, program)
        assert all(given == simulated for given, simulated in simulation.by_customer.values())
        assert all(each.given == each.simulated for each in told.by_rule)
        assert (told.distribution.more, told.distribution.less) == (0, 0)


async def test_a_period_in_the_middle_knows_what_was_before_it(imported: Imported) -> None:
    """All rules of a customer's that limit nothing give what they gave then, by the number of the purchase, too."""
    unlimited = [rule for rule, content in RULES.items() if "limits" not in content and rule != "weekend"]
    for since, until in (("1997-03-01", "1997-05-01"), ("1997-12-31", "1998-07-01")):
        moments = {"since": f"{since}T00:00:00Z", "until": f"{until}T00:00:00Z"}
        _, told = await tried(imported, imported.ruled, **moments)
        by_rule = {each.rule: each for each in told.by_rule}
        assert all(by_rule[rule].given == by_rule[rule].simulated for rule in ("base", *unlimited)), since
        assert told.purchases < 6919
