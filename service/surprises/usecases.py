"""What is done at an occasion: what is known is read, it is decided, and all is written with the booking around it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.ids import IdSource
from service.platform.statements import Db, Write
from service.programs.definitions import Definitions
from service.programs.rules import Program
from service.surprises import store
from service.surprises.book import CampaignVersion, Run, RunningCampaign, campaigns_of
from service.surprises.campaigns import Trigger
from service.surprises.chance import Keyed
from service.surprises.drawing import Drawing
from service.surprises.gifts import Halt
from service.surprises.purse import MOST_SLICES, Slice

_KNOWN_FOR: Final = timedelta(seconds=1)
_log = structlog.get_logger()


@dataclass(slots=True)
class _Known:
    """What was read of a program's campaigns since they were loaded: what never changes, and slices of a moment ago."""

    secret: Keyed | None = None
    running: dict[tuple[UUID, int], RunningCampaign] = field(default_factory=dict[tuple[UUID, int], RunningCampaign])
    runs: dict[UUID, Run] = field(default_factory=dict[UUID, Run])
    slices: dict[frozenset[UUID], tuple[datetime, list[Slice]]] = field(
        default_factory=dict[frozenset[UUID], tuple[datetime, list[Slice]]]
    )


def _nothing_known(_: Definitions) -> _Known:
    return _Known()


def nothing(program: Program, *, now: datetime, ids: IdSource) -> Drawing:
    """Begin a batch in which nothing is drawn: a dry run, or a program without campaigns."""
    return Drawing(program, now, ids)


async def look(
    db: Db,
    *,
    program: Program,
    on: tuple[type[Trigger], ...] | UUID,
    of: Collection[Customer],
    now: datetime,
    ids: IdSource,
    at_once: bool = False,
) -> Drawing:
    """Read what deciding on occasions `of` customers needs.

    It is that of all campaigns that wait `on` some triggers, or of one by its id. Mostly that is nothing. What is
    written `at_once` may go by what was left in the second before: it only gets less, so that at most too much is
    given, which the write refuses; then all is read anew.
    """
    drawing = nothing(program, now=now, ids=ids)
    book = campaigns_of(program)
    while book.unreadable:
        its = book.unreadable.pop()
        _log.error(
            "campaign_unreadable", program=program.code, campaign=its.campaign, version=its.version, reason=its.reason
        )
    found = [each for each in book.at(now) if each.id == on] if isinstance(on, UUID) else book.at(now, on)
    if not found:
        return drawing
    known = program.definitions.once(_nothing_known)
    if known.secret is None:
        known.secret = Keyed(await customers.secret(db, program_id=program.id))
    drawing.secret, drawing.shown = known.secret, book.shown
    drawing.is_forgotten = partial(book.is_forgotten, now=now)
    drawing.campaigns = await _running(db, program, found, known)
    limited = frozenset(each.id for each in drawing.campaigns if each.is_limited)
    if limited:
        drawing.purse.first = ids.next().int % MOST_SLICES
        await _fill(db, drawing, limited, known, at_once=at_once)
    suppressed = [each.id for each in of if each.is_suppressed]
    if suppressed:
        drawing.suppressed = await customers.suppressed(db, program_id=program.id, customers=suppressed, now=now)
    return drawing


async def _running(db: Db, program: Program, found: Sequence[CampaignVersion], known: _Known) -> list[RunningCampaign]:
    """Join campaigns with their keys, which never change; one that has none yet is left out."""
    missing = [each.id for each in found if each.id not in known.runs]
    if missing:
        known.runs |= await store.read_runs(db, program_id=program.id, campaigns=missing)
    for each in found:
        if each.id in known.runs and (each.id, each.version) not in known.running:
            known.running[each.id, each.version] = RunningCampaign(
                each.id, each.version, each.content, each.audience, known.runs[each.id]
            )
    return [its for each in found if (its := known.running.get((each.id, each.version))) is not None]


async def _fill(db: Db, drawing: Drawing, limited: frozenset[UUID], known: _Known, *, at_once: bool) -> None:
    """Put into the purse what is left of what is limited."""
    read = known.slices.get(limited) if at_once else None
    if read is None or not timedelta() <= drawing.now - read[0] < _KNOWN_FOR:
        known.slices.clear()
        slices = await store.read_slices(db, program_id=drawing.program.id, campaigns=limited)
        read = known.slices[limited] = drawing.now, slices
    for its in drawing.campaigns:
        if its.id in limited:
            drawing.purse.put((each for each in read[1] if each.campaign == its.id), its.paced, drawing.now)


def writing(drawing: Drawing) -> list[Write]:
    """Write what was drawn and enrolled, and what was stopped; what is taken from slices comes last of all."""
    if not drawing.campaigns:
        return []
    program_id, now = drawing.program.id, drawing.now
    halts = [
        Halt(drawing.ids.next(), each.campaign, each.customer, each.occasion, None, each.reasons)
        for each in drawing.stopped
    ]
    together = (
        store.enrolling(program_id, drawing.enrolled, now),
        store.adding_draws(program_id, drawing.draws, now),
        store.adding_gifts(program_id, drawing.gifts, drawing.revealed),
        store.taking(program_id, drawing.purse.takings()),
    )
    halting = [store.halting(program_id, halts, now)] if halts else []
    return [*halting, *(replace(each, also_empty=True) for each in together)]
