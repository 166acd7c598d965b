"""Bulk calls: many facts in one call, each taken or refused on its own merits, and the call repeated alike."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic

import msgspec

from service.kernel.errors import Invalid, Refusal
from service.platform.database import Database
from service.platform.http.commanding import run_once
from service.platform.http.problems import Problem, of_refusal
from service.platform.http.request import ApiRequest, flag
from service.platform.statements import Db
from service.points.facts import Accepted, Answer, Content, Draft, Facts, Outcome
from service.programs.catalogue import program_of

BULK_BYTES: Final = 4 * 1024 * 1024


class Fate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of an entry: its status, and the problem of a refused one. What was accepted names customers."""

    status: int
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Ended(Generic[Content, Answer]):
    """What a bulk call comes to. Of each entry, in order: its fate, and what was accepted unless it was refused.

    `outcomes` are those that were booked or refused by this very call, to be counted: none of a repetition or dry run.
    """

    entries: Sequence[tuple[Fate, Accepted[Content, Answer] | None]]
    outcomes: Sequence[Outcome[Content, Answer]] = ()
    replayed: bool = False


async def report_each(
    request: ApiRequest,
    named: str,
    raws: Sequence[msgspec.Raw],
    facts: Facts[Content, Answer],
    draft: Callable[[msgspec.Raw], Draft[Content]],
) -> Ended[Content, Answer]:
    """Book the entries of a bulk call in one transaction, or give again what came of them. An entry's fault is its own.

    `named` is the operation; `draft` reads an entry, and raises Refusal. The answers name customers and outlive none of
    them: only fates are kept, and for a repetition what was accepted is asked for anew. Raises KeyInFlight, KeyReused.
    """
    program, dry_run = program_of(request), flag(request, "dry_run")
    drafts = list[Draft[Content] | Refusal]()
    for raw in raws:
        drafts.append(_draft_or_refusal(raw, draft))
        await asyncio.sleep(0)  # others' calls are not to wait until all entries are decoded
    outcomes, kept = list[Outcome[Content, Answer]](), list[object]()

    async def work(db: Db) -> tuple[int, Any]:
        nonlocal kept
        outcomes[:] = await facts.take_each(
            db, program=program, entries=drafts, entropy=random.getrandbits(62), dry_run=dry_run
        )
        kept = [msgspec.to_builtins(_fate(outcome)) for outcome in outcomes]
        return 200, kept

    answered = await run_once(request, named, [_content(each) for each in drafts], work, needs_key=False)
    fates = msgspec.convert(answered.answer, list[Fate])
    if answered.answer is not kept:  # it was read: of what was worked out nobody knows whether it was committed
        booked = [each for each, fate in zip(drafts, fates, strict=True) if fate.problem is None]
        async with request.part(Database).reading() as db:
            again = iter(await facts.take_each(db, program=program, entries=booked, entropy=0, dry_run=True))
        told = [_again(fate, None if fate.problem is not None else next(again)) for fate in fates]
        return Ended(told, () if answered.replayed else outcomes, replayed=answered.replayed)
    entries = list(zip(fates, _accepted(outcomes), strict=True))
    return Ended(entries, () if dry_run else outcomes)


def status_of(accepted: Accepted[Any, Any]) -> int:
    """Return 201 for a fact booked now, 200 for one booked before."""
    return 200 if accepted.replayed else 201


def _again(fate: Fate, now: Outcome[Content, Answer] | None) -> tuple[Fate, Accepted[Content, Answer] | None]:
    """Tell of an entry what was told, unless it is refused now: who was erased since is gone."""
    return (_fate(now), None) if isinstance(now, Refusal) else (fate, now)


def _accepted(outcomes: Sequence[Outcome[Content, Answer]]) -> list[Accepted[Content, Answer] | None]:
    return [None if isinstance(outcome, Refusal) else outcome for outcome in outcomes]


def _fate(outcome: Outcome[Any, Any]) -> Fate:
    if isinstance(outcome, Refusal):
        problem = of_refusal(outcome)
        return Fate(problem.status, problem)
    return Fate(status_of(outcome))


def _draft_or_refusal(raw: msgspec.Raw, draft: Callable[[msgspec.Raw], Draft[Content]]) -> Draft[Content] | Refusal:
    try:
        return draft(raw)
    except Refusal as refusal:
        return refusal


def _content(entry: Draft[Any] | Refusal) -> str:
    """Name what an entry says, whatever its spelling; what can't be accepted is told by its fault."""
    if isinstance(entry, Refusal):
        return f"{entry.code} {entry.pointer} {entry.reason}" if isinstance(entry, Invalid) else entry.code
    return entry.content_hash.hex()
