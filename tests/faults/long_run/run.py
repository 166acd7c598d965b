"""One run: load, faults and cuts at once, then quiet, then the proof."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.long_run.book import Book
from tests.faults.long_run.checker import what_is_wrong
from tests.faults.long_run.faults import Fault, break_next_commit, schedule, strike
from tests.faults.long_run.load import Load
from tests.faults.long_run.stand import Stand, stand
from tests.faults.proxy import AtCommit

WELL_WITHIN = 15.0
"""Seconds from the beginning of a fault until the service is well again, without help."""
PROBES = 8
"""So many purchases, each on a connection of its own, must be acknowledged for that: they meet all processes."""


@dataclass(frozen=True)
class Plan:
    """How much of what. `cuts` counts commits that the server made and whose answers are lost."""

    purchases: int
    kills: int
    cuts: int
    seed: int = 1
    planted: str | None = None

    @property
    def greatest_seconds(self) -> float:
        """After so long nothing more is to be hoped for: only a guard."""
        return 180 + self.purchases / 25


@dataclass
class Outcome:
    """What came of a run; `recoveries` are seconds, in the order of the faults."""

    book: Book = field(default_factory=Book)
    recoveries: list[tuple[Fault, float]] = field(default_factory=list[tuple[Fault, float]])
    wrong: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    """Of load and faults, without the start and the proof."""

    def kills(self, kind: str | None = None) -> int:
        """Return how many kills there were, of a kind."""
        return sum(1 for fault, _ in self.recoveries if fault.kind is not None and kind in {None, fault.kind})

    @property
    def cuts(self) -> int:
        """How many commits' answers were lost."""
        counts = self.book.counts
        return counts[f"commits: {AtCommit.CUT.value}"] + counts[f"commits: {AtCommit.HOLD.value}"]


async def run(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run a plan. Call it in the main thread: the servers die with the thread that started them."""
    outcome = Outcome()
    async with stand(plan.planted) as running:
        load = Load(running, outcome.book, plan.purchases, seed=plan.seed)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(plan.greatest_seconds), asyncio.TaskGroup() as tasks:
                striking = tasks.create_task(_strike_all(running, load, plan, outcome, say))
                cutting = tasks.create_task(_cut_all(running, plan, outcome.book))
                telling = tasks.create_task(_tell_progress(plan, outcome, say))
                await load.run(lambda: striking.done() and cutting.done())
                telling.cancel()
            await load.repeat(min(2000, plan.purchases // 10))
        finally:
            await load.close()
        outcome.seconds = time.monotonic() - begun
        say("Proving what is booked.")
        outcome.wrong = await what_is_wrong(running, outcome.book)
    outcome.wrong += [
        f"{fault.name}: well again after {seconds:.1f} s only"
        for fault, seconds in outcome.recoveries
        if seconds >= WELL_WITHIN
    ]
    return outcome


async def _reported(book: Book, count: float) -> None:
    while len(book.reported) < count:
        await asyncio.sleep(0.01)


async def _strike_all(running: Stand, load: Load, plan: Plan, outcome: Outcome, say: Callable[[str], None]) -> None:
    faults = schedule(plan.kills)
    for number, fault in enumerate(faults):
        await _reported(outcome.book, plan.purchases * (number + 0.5) / (len(faults) + 0.5))
        begun = time.monotonic()
        await strike(running, fault)
        async with asyncio.timeout(4 * WELL_WITHIN):
            await asyncio.gather(*(load.report_another() for _ in range(PROBES)))
            while not await running.api.is_ready():
                await asyncio.sleep(0.05)
        outcome.recoveries.append((fault, time.monotonic() - begun))
        say(f"{fault.name}: well again after {outcome.recoveries[-1][1]:.2f} s")


async def _cut_all(running: Stand, plan: Plan, book: Book) -> None:
    """Cut the answers of commits, evenly over the run, and a third as many commits before they arrive."""
    for number in range(plan.cuts):
        await _reported(book, plan.purchases * (number + 0.5) / (plan.cuts + 2))
        await break_next_commit(running, AtCommit.CUT)
        if number % 3 == 0:
            await break_next_commit(running, AtCommit.CUT_BEFORE)


async def _tell_progress(plan: Plan, outcome: Outcome, say: Callable[[str], None]) -> None:
    begun = time.monotonic()
    while True:
        await asyncio.sleep(5)
        done, passed = len(outcome.book.acknowledged), time.monotonic() - begun
        broken = f"{outcome.kills()} kills, {outcome.cuts} answers of commits lost"
        say(f"{passed:5.0f} s: {done:,} of {plan.purchases:,} acknowledged, {broken}")
