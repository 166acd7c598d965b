"""The sequencer: takes what happened out of the outbox and gives it its place in the feed."""

import asyncio
from typing import Final

import structlog

from service.events import store, usecases
from service.platform.database import CONNECTION_FAULTS, TRY_AGAIN_FAULTS, Database
from service.platform.metrics.values import Counter
from service.platform.waiting import wait_at_most

_LOOKS_EVERY: Final = 0.1
"""Seconds between looks into the outbox, where the last found less than it may take: many at a time cost less each."""
_AFTER_A_FAULT: Final = 1.0
_SEQUENCED: Final = Counter("loyalty_events_sequenced", "Events that got their place in the feed.")
_log = structlog.get_logger()


async def run(database: Database, stop: asyncio.Event) -> None:
    """Sequence events as they come until told to stop. Any number may run: for each program one does it at a time."""
    while not stop.is_set():
        try:
            greatest = await move_all(database)
        except (*CONNECTION_FAULTS, *TRY_AGAIN_FAULTS) as fault:
            _log.warning("sequencer_waits_for_database", reason=type(fault).__name__)
            await wait_at_most(stop, _AFTER_A_FAULT)
            continue
        if greatest < usecases.MOVED_AT_ONCE:
            await wait_at_most(stop, _LOOKS_EVERY)


async def move_all(database: Database) -> int:
    """Give each program's next events their places, at most a thousand of each; returns the most that one had.

    What goes wrong with one program keeps no other waiting: it is raised when all others had their turn.
    """
    async with database.answering() as db:
        waiting = await store.programs_waiting(db)
    moved, faults = list[int](), list[Exception]()
    for program_id in waiting:
        try:
            async with database.answering() as db:
                moved.append(await usecases.sequence(db, program_id=program_id))
        except CONNECTION_FAULTS:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is this program's
            faults.append(fault)
    _SEQUENCED.add(amount=sum(moved))
    if faults:
        raise faults[0]
    return max(moved, default=0)
