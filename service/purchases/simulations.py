"""Simulations in a running process: they read what was booked, and let others' calls go first."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.earning.occasion import NO_PROFILE
from service.earning.rules import EARNING_RULE, RuleContent
from service.kernel.errors import Invalid, Kind, NotFound, Refusal, Unavailable
from service.kernel.ids import lowest_id_at
from service.kernel.times import GREATEST_LEAD
from service.platform.database import CONNECTION_FAULTS, Database
from service.platform.statements import Db
from service.programs import defining
from service.programs.rules import Program
from service.purchases import store
from service.purchases.simulating import (
    Simulated,
    Simulation,
    Trial,
    TriedRule,
    as_before,
    checked,
    checked_content,
    checked_rule,
    content_of,
    tried_terms,
)
from service.purchases.store import Booked
from service.tiers import usecases as tiers
from service.tiers.history import TierHistory

MOST_PURCHASES: Final = 500_000
_PATIENCE_SECONDS: Final = 300.0
_TURN_SECONDS: Final = 0.003
"""How long a simulation decides until others' calls have their turn."""
_CUSTOMERS_AT_ONCE: Final = 500
_FIRST_TOLD: Final = datetime(1970, 1, 1, tzinfo=UTC) + GREATEST_LEAD


class SimulationRunning(Refusal):
    """Each process simulates for one caller at a time."""

    kind = Kind.RATE_LIMITED
    code = "simulation_running"
    title = "Another simulation is running"
    retry_after = 5


class Running:
    """A simulation that was begun: how many of how many purchases are `done`, and in the end what came of it."""

    def __init__(self) -> None:
        self.done = 0
        self.of = 0
        self.counted = asyncio.Event()
        """All that can be refused is checked, and the purchases are counted."""
        self.task: asyncio.Task[Simulated]

    async def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; tell whether it has come."""
        await asyncio.wait([self.task], timeout=seconds)
        return self.task.done()

    async def begun(self) -> None:
        """Wait until it can't be refused any more. Raises what it is refused with."""
        counted = asyncio.create_task(self.counted.wait())
        try:
            await asyncio.wait([counted, self.task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            counted.cancel()
        if self.task.done():
            self.task.result()


class Simulations:
    """Runs simulations, one at a time, on a connection of their own while they last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: asyncio.Task[Simulated] | None = None

    async def close(self) -> None:
        """Give up the one that is running."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def begin(self, program: Program, trial: Trial) -> Running:
        """Begin to try rules. Raises SimulationRunning; the task Invalid and Unavailable."""
        if self._running is not None and not self._running.done():
            raise SimulationRunning
        running = Running()
        running.task = self._running = asyncio.create_task(self._run(program, trial, running))
        running.task.add_done_callback(_seen)
        return running

    async def _run(self, program: Program, trial: Trial, running: Running) -> Simulated:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                trial = await _checked(trial, program)
                simulation = await self._simulate(program, trial, running)
        except CONNECTION_FAULTS as fault:
            detail = "The database doesn't answer."
            raise Unavailable(detail) from fault
        return simulation.report(trial)

    async def _simulate(self, program: Program, trial: Trial, running: Running) -> Simulation:
        """Simulate on a connection that looks everything up by keys, however full the tables were when it last did."""
        db = await self._database.connect()
        try:
            await db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            simulation = await simulate(db, program, trial, running)
            await db.execute("ROLLBACK")
            await db.close(timeout=2)
        finally:
            db.terminate()  # where it was given up: a connection that is half-open would never close
        return simulation


async def _checked(trial: Trial, program: Program) -> Trial:
    """Check a trial, each of its rules in a turn of its own. Raises Invalid."""
    trial, rules = checked(trial, program), list[TriedRule]()
    for place, rule in enumerate(trial.rules):
        rules.append(checked_rule(rule, program, trial.since, f"/rules/{place}"))
        await asyncio.sleep(0)
    return msgspec.structs.replace(trial, rules=tuple(rules))


async def simulate(db: Db, program: Program, trial: Trial, running: Running) -> Simulation:
    """Take the purchases of a period through a simulation, in a snapshot. Raises Invalid."""
    rules = {rule.id: content_of(rule) for rule in trial.rules} | await _drafts(db, program, trial)
    terms = tried_terms(program, rules, trial.without)
    after = lowest_id_at(max(trial.since, _FIRST_TOLD) - GREATEST_LEAD)
    booked, running.of = await _tally(db, program.id, after, trial)
    running.counted.set()
    owners, known = await _known(db, program.id, after, booked)
    simulation, turn = Simulation(terms, known, await _tiers(db, program, [*known])), _Turn()
    while running.done < running.of:
        page = await store.booked_page(db, program_id=program.id, after=after, since=trial.since, until=trial.until)
        after = page[-1].id
        await _read_profiles(db, simulation, owners, page)
        for each in page:
            _take(simulation, owners[each.customer], each)
            running.done = simulation.purchases
            await turn.give()
    return simulation


class _Turn:
    """Lets others' calls go first, every few milliseconds."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + _TURN_SECONDS

    async def give(self) -> None:
        """Give others their turn, if one's own is over."""
        if time.monotonic() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.monotonic() + _TURN_SECONDS


def _seen(task: asyncio.Task[Simulated]) -> None:
    """Look at how it ended: who began it may have left."""
    if not task.cancelled():
        task.exception()


def _take(simulation: Simulation, owner: int, booked: Booked) -> None:
    if booked.purchase is None:
        simulation.pass_by(owner, booked.occurred_at)
    else:
        simulation.take(owner, booked.id, booked.purchase, booked.lines, booked.taken_back)


async def _drafts(db: Db, program: Program, trial: Trial) -> dict[str, RuleContent]:
    """Read the rules that are there already, at their newest version. Raises Invalid."""
    found = dict[str, RuleContent]()
    for place, rule in enumerate(trial.drafts):
        pointer = f"/drafts/{place}"
        try:
            made, _ = await defining.read(db, program_id=program.id, kind=EARNING_RULE, definition_id=rule)
        except NotFound:
            raise Invalid("There is no such rule.", pointer=pointer, reason="unknown_rule") from None
        content = msgspec.json.decode(made.newest.content, type=RuleContent)
        try:
            found[rule] = checked_content(content, program, trial.since, "")
        except Invalid as fault:
            raise Invalid(fault.detail, pointer=pointer, reason=fault.reason) from None
    return found


async def _tally(db: Db, program_id: int, after: UUID, trial: Trial) -> tuple[dict[int, list[int]], int]:
    """Count what is booked behind an id: by customers all and those of the period, and the latter. Raises Invalid."""
    counts, of = dict[int, list[int]](), 0
    while True:
        rows, last = await store.booked_tally(
            db, program_id=program_id, after=after, since=trial.since, until=trial.until
        )
        if last is None:
            return counts, of
        after = last
        for customer, purchases, within in rows:
            count = counts.setdefault(customer, [0, 0])
            count[0] += purchases
            count[1] += within
            of += within
        if of > MOST_PURCHASES:
            detail = f"This period has more than {MOST_PURCHASES:,} purchases: take a shorter one."
            raise Invalid(detail, pointer="/since", reason="too_many")


async def _known(
    db: Db, program_id: int, before: UUID, counts: dict[int, list[int]]
) -> tuple[dict[int, int], dict[int, Customer]]:
    """Read who owns customers' records now, and those with purchases in the period as they were before an id.

    A record that went into another one is that one: its purchases are that customer's.
    """
    owners, later, found = dict[int, int](), dict[int, int](), dict[int, Customer]()
    for some in _in_parts([*counts]):
        for each in await customers.read_by_id(db, program_id=program_id, customers=some):
            owners[each.id] = owner = each.merged_into or each.id
            later[owner] = later.get(owner, 0) + counts[each.id][0]
            found[each.id] = each
    wanted = sorted({owner for record, owner in owners.items() if counts[record][1]})
    for some in _in_parts([each for each in wanted if each not in found]):
        found |= {each.id: each for each in await customers.read_by_id(db, program_id=program_id, customers=some)}
    earlier = {each: max(0, found[each].purchase_count - later[each]) for each in wanted}
    spans = dict[int, tuple[datetime, datetime]]()
    for some in _in_parts([each for each, purchases in earlier.items() if purchases > 0]):
        spans |= await store.booked_before(db, program_id=program_id, before=before, customers=some)
    return owners, {each: as_before(found[each], earlier[each], spans.get(each)) for each in wanted}


async def _tiers(db: Db, program: Program, known: Sequence[int]) -> dict[int, TierHistory]:
    """Read which tiers customers had, where the program has tiers or had some."""
    found = dict[int, TierHistory]()
    if any(version.settings.tiers is not None for version in (program.newest, *program.earlier)):
        for some in _in_parts(known):
            found |= await tiers.histories(db, program_id=program.id, customers=some)
    return found


async def _read_profiles(db: Db, simulation: Simulation, owners: dict[int, int], page: Sequence[Booked]) -> None:
    """Read the profiles that rules ask for, of customers of whom that wasn't done yet."""
    terms = simulation.terms
    asking = {
        owners[each.customer]
        for each in page
        if each.purchase is not None and terms.rules.at(each.occurred_at).asks_profile
    }
    missing = sorted(asking - terms.profiles.keys())
    if missing:
        found = await customers.read_profiles(db, program_id=terms.program.id, customers=missing)
        terms.profiles |= {each: found.get(each, NO_PROFILE) for each in missing}


def _in_parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[place : place + _CUSTOMERS_AT_ONCE] for place in range(0, len(ids), _CUSTOMERS_AT_ONCE))
