"""Bulk calls: many facts in one call, each taken or refused on its own merits, and the call repeated alike."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from service.kernel.errors import Invalid, Refusal
from service.platform.database import Database
from service.platform.http.commanding import run_once
from service.platform.http.problems import Problem, of_refusal
from service.platform.http.request import ApiRequest, flag
from service.platform.statements import Db

BULK_BYTES: Final = 4 * 1024 * 1024


class Drafted(Protocol):
    """A fact on its way, known by its content."""

    @property
    def content_hash(self) -> bytes:
        """The hash of its content, whatever its spelling."""
        ...


Draft = TypeVar("Draft", bound=Drafted)
Accepted = TypeVar("Accepted")


class Fate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of an entry: its status, and the problem of a refused one. What was accepted names customers."""

    status: int
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Verbs(Generic[Draft, Accepted]):
    """How a room takes such facts: `draft` reads one, `book` and `preview` give an outcome for each, in order."""

    draft: Callable[[msgspec.Raw], Draft]
    book: Callable[[Db, Sequence[Draft]], Awaitable[Sequence[Accepted | Refusal]]]
    preview: Callable[[Db, Sequence[Draft]], Awaitable[Sequence[Accepted | Refusal]]]
    status: Callable[[Accepted], int]


@dataclass(frozen=True, slots=True)
class Ended(Generic[Accepted]):
    """What a bulk call comes to. Of each entry, in order: its fate, and what was accepted unless it was refused.

    `outcomes` are those that were booked or refused by this very call, to be counted: none of a repetition or dry run.
    """

    entries: Sequence[tuple[Fate, Accepted | None]]
    outcomes: Sequence[Accepted | Refusal] = ()
    replayed: bool = False


async def report_each(
    request: ApiRequest, named: str, raws: Sequence[msgspec.Raw], verbs: Verbs[Draft, Accepted]
) -> Ended[Accepted]:
    """Book the entries of a bulk call in one transaction, or give again what came of them. An entry's fault is its own.

    `named` is the operation. The answers name customers and outlive none of them: only fates are kept, and for a
    repetition what was accepted is asked for anew. Raises KeyInFlight, KeyReused.
    """
    drafts = list[Draft | Refusal]()
    for raw in raws:
        drafts.append(_draft_or_refusal(raw, verbs))
        await asyncio.sleep(0)  # others' calls are not to wait until all entries are decoded
    dry_run, outcomes = flag(request, "dry_run"), list[Accepted | Refusal]()

    async def work(db: Db) -> tuple[int, Any]:
        outcomes[:] = await _each(db, drafts, verbs.preview if dry_run else verbs.book)
        return 200, [msgspec.to_builtins(_fate(outcome, verbs)) for outcome in outcomes]

    answered = await run_once(request, named, [_content(each) for each in drafts], work, needs_key=False)
    fates = msgspec.convert(answered.answer, list[Fate])
    if answered.replayed:
        booked = [each for each, fate in zip(drafts, fates, strict=True) if fate.problem is None]
        async with request.part(Database).reading() as db:
            again = iter(await _each(db, booked, verbs.preview))
        kept = [_again(fate, None if fate.problem is not None else next(again), verbs) for fate in fates]
        return Ended(kept, replayed=True)
    entries = list(zip(fates, _accepted(outcomes), strict=True))
    return Ended(entries, () if dry_run else outcomes)


def _again(fate: Fate, now: Accepted | Refusal | None, verbs: Verbs[Draft, Accepted]) -> tuple[Fate, Accepted | None]:
    """Tell of an entry what was told, unless it is refused now: who was erased since is gone."""
    return (_fate(now, verbs), None) if isinstance(now, Refusal) else (fate, now)


def _accepted(outcomes: Sequence[Accepted | Refusal]) -> list[Accepted | None]:
    return [None if isinstance(outcome, Refusal) else outcome for outcome in outcomes]


async def _each(
    db: Db,
    drafts: Sequence[Draft | Refusal],
    verb: Callable[[Db, Sequence[Draft]], Awaitable[Sequence[Accepted | Refusal]]],
) -> list[Accepted | Refusal]:
    outcomes = iter(await verb(db, [each for each in drafts if not isinstance(each, Refusal)]))
    return [each if isinstance(each, Refusal) else next(outcomes) for each in drafts]


def _fate(outcome: Accepted | Refusal, verbs: Verbs[Draft, Accepted]) -> Fate:
    if isinstance(outcome, Refusal):
        problem = of_refusal(outcome)
        return Fate(problem.status, problem)
    return Fate(verbs.status(outcome))


def _draft_or_refusal(raw: msgspec.Raw, verbs: Verbs[Draft, Any]) -> Draft | Refusal:
    try:
        return verbs.draft(raw)
    except Refusal as refusal:
        return refusal


def _content(entry: Drafted | Refusal) -> str:
    """Name what an entry says, whatever its spelling; what can't be accepted is told by its fault."""
    if isinstance(entry, Refusal):
        return f"{entry.code} {entry.pointer} {entry.reason}" if isinstance(entry, Invalid) else entry.code
    return entry.content_hash.hex()
