"""Facts that callers report under ids of their own, of every kind: many are booked at once, each exactly once.

What is a kind's own stands in its room: how one is compared (the hash in its draft), decided, stored and answered
again. All else is the same for all of them, and stands here: customers, claims, repetitions, and one write for all.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer, CustomerErased, CustomerUnknown, newcomer
from service.kernel.errors import Refusal
from service.kernel.ids import randomness_of
from service.platform.claims import Claim, ClaimKind, claiming
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, Write, write_together
from service.platform.transaction import apart
from service.points import usecases as points
from service.points.account import Account
from service.points.usecases import Opened
from service.programs.rules import Enrolment, Program

Content = TypeVar("Content")
Answer = TypeVar("Answer")
Fault = TypeVar("Fault", bound=Exception)


class Draft(msgspec.Struct, Generic[Content], frozen=True):
    """A fact on its way: normalised, with the hash of its content and 62 random bits for the id of its row.

    The bits tell, when an answer of the database was lost, whether it was this very report that was booked.
    """

    id: str
    customer_id: str
    content: Content
    content_hash: bytes
    randomness: int


class Booking(msgspec.Struct, Generic[Content, Answer], frozen=True):
    """A fact that is decided: the row to write. What it moved is in the account."""

    id: UUID
    customer: int
    draft: Draft[Content]
    answer: Answer


class Accepted(msgspec.Struct, Generic[Content, Answer], frozen=True):
    """A fact and what it is answered with, for ever; `replayed` when it was booked by an earlier report."""

    content: Content
    answer: Answer
    replayed: bool = False


Outcome: TypeAlias = Accepted[Content, Answer] | Refusal


_Told_contra = TypeVar("_Told_contra", contravariant=True)
_Answered_co = TypeVar("_Answered_co", covariant=True)


class Mode(Enum):
    """For what deciding is prepared."""

    LOCKED = "locked"
    """Facts are booked in a transaction that holds their customers' locks."""
    AT_ONCE = "at_once"
    """They are booked by one statement, which proves what was read before."""
    PREVIEW = "preview"
    """Nothing is booked, and so nothing is drawn."""


class Deciding(Protocol[_Told_contra, _Answered_co]):
    """Decides on the new facts of one batch, one after the other. Pure: what it needs was read before."""

    def decide(self, content: _Told_contra, account: Account, row_id: UUID, /) -> _Answered_co:
        """Move in the account what a fact comes to, and answer; where it raises a Refusal, it has moved nothing."""
        ...

    def sharing(self) -> Sequence[Write]:
        """Write what was decided of rows that all customers share; they are locked last."""
        ...


class Preparing(Protocol[_Told_contra, _Answered_co]):
    """Reads what deciding on new facts needs."""

    async def __call__(
        self, db: Db, program: Program, facts: Sequence[tuple[_Told_contra, Account]], /, *, mode: Mode
    ) -> Deciding[_Told_contra, _Answered_co]:
        """Read it, and give who decides."""
        ...


@dataclass(slots=True)
class _Batch(Generic[Content, Answer]):
    """What is decided so far for the facts of one transaction."""

    program: Program
    opened: Opened
    deciding: Deciding[Content, Answer]
    known: Mapping[str, Answer | None]
    accounts: Mapping[str, Account]
    bookings: dict[str, Booking[Content, Answer]] = field(default_factory=dict[str, Booking[Content, Answer]])


@dataclass(frozen=True, slots=True)
class Facts(Generic[Content, Answer]):
    """One kind of fact, by what is its own.

    `prepare` reads what deciding on new ones needs beside their customers' accounts, with which they are given. Where
    they are booked at once, it may go by what was read before of rows that all share, if the write proves it.
    `adding` writes rows. `answered` reads the first answers by the rows' ids, None for those of erased customers.
    `event` is the type of the news of a new one.
    """

    kind: ClaimKind
    conflict: type[Refusal]
    event: str
    prepare: Preparing[Content, Answer]
    adding: Callable[[int, Sequence[Booking[Content, Answer]], datetime], Write]
    answered: Callable[[Db, int, Sequence[UUID]], Awaitable[Mapping[UUID, Answer | None]]]
    check: Callable[[Content, datetime, Program], None] | None = None
    """Refuses what can't be accepted at this moment, whoever the customer is."""
    takes_points: Callable[[Content], bool] | None = None
    """Tells which take points out of lots, for which accounts must be read whole; None: none does."""

    async def report(
        self, db: Db, *, program: Program, drafts: Sequence[Draft[Content]], entropy: int, lock: bool = True
    ) -> list[Outcome[Content, Answer]]:
        """Book facts of one program in the caller's transaction; answer one outcome for each, in order.

        New ones are booked; those that are booked already are answered alike; other content under a known id and what
        can't be accepted are refused, each on its own. Raises RowsMissing where somebody else was first: roll back and
        begin again. Without `lock` the customers are only read; the one statement that writes proves that nobody
        changed them since, so that it needs no transaction around it.
        """
        if not drafts:
            return []
        opened = await self._open(db, program, drafts, entropy, lock=lock)
        unknown = _to_enrol(program, drafts, opened)
        enrolled = await customers.enrol(db, customer_ids=unknown, now=opened.now) if unknown else {}
        batch = await self._batch(
            db, program, drafts, opened, enrolled.values(), mode=Mode.LOCKED if lock else Mode.AT_ONCE
        )
        outcomes = [self._decide(batch, each) for each in drafts]
        await self._write(db, batch)
        return outcomes

    async def report_apart(
        self, db: Db, *, program: Program, drafts: Sequence[Draft[Content]], entropy: int
    ) -> Sequence[Outcome[Content, Answer]]:
        """Book facts as `report` does, but for those that the database refuses: they harm no other of them."""
        return await apart(db, drafts, lambda some: self.report(db, program=program, drafts=some, entropy=entropy))

    async def preview(
        self, db: Db, *, program: Program, drafts: Sequence[Draft[Content]]
    ) -> list[Outcome[Content, Answer]]:
        """Answer what reporting these facts would, and book nothing: no lock, no write."""
        if not drafts:
            return []
        opened = await self._open(db, program, drafts, entropy=0, lock=False)
        unknown = _to_enrol(program, drafts, opened)
        nobody = [newcomer(-1 - place, customer_id, opened.now) for place, customer_id in enumerate(unknown)]
        batch = await self._batch(db, program, drafts, opened, nobody, mode=Mode.PREVIEW)
        return [self._decide(batch, each) for each in drafts]

    async def take_each(
        self,
        db: Db,
        *,
        program: Program,
        entries: Sequence[Draft[Content] | Fault],
        entropy: int,
        dry_run: bool,
    ) -> list[Outcome[Content, Answer] | Fault]:
        """Report apart, or preview in a dry run, what could be drafted of many entries; the faults of others stay."""
        drafts = [each for each in entries if isinstance(each, Draft)]
        if dry_run:
            outcomes = iter(await self.preview(db, program=program, drafts=drafts))
        else:
            outcomes = iter(await self.report_apart(db, program=program, drafts=drafts, entropy=entropy))
        return [next(outcomes) if isinstance(each, Draft) else each for each in entries]

    async def _open(
        self, db: Db, program: Program, drafts: Sequence[Draft[Content]], entropy: int, *, lock: bool
    ) -> Opened:
        takes_points = self.takes_points
        return await points.open_booking(
            db,
            program_id=program.id,
            facts=[(each.customer_id, each.id) for each in drafts],
            kind=self.kind,
            entropy=entropy,
            lock=lock,
            whole=takes_points is not None and any(takes_points(each.content) for each in drafts),
        )

    async def _batch(
        self,
        db: Db,
        program: Program,
        drafts: Sequence[Draft[Content]],
        opened: Opened,
        enrolled: Iterable[Customer],
        *,
        mode: Mode,
    ) -> _Batch[Content, Answer]:
        known = await self._known(db, program, drafts, opened)
        new = points.newcomers(enrolled, opened.now, opened.ids)
        accounts = {**opened.accounts, **new}
        to_decide = [
            (each.content, accounts[each.customer_id])
            for each in drafts
            if each.id not in opened.claims and each.customer_id in accounts
        ]
        deciding = await self.prepare(db, program, to_decide, mode=mode)
        return _Batch(program, opened, deciding, known, accounts)

    async def _known(
        self, db: Db, program: Program, drafts: Sequence[Draft[Content]], opened: Opened
    ) -> Mapping[str, Answer | None]:
        """Read the answers of facts that were booked before and are reported again with the same content.

        None where the customer was erased.
        """
        repeated = {
            each.id: claim.subject_id
            for each in drafts
            if (claim := opened.claims.get(each.id)) is not None and claim.content_hash == each.content_hash
        }
        if not repeated:
            return {}
        answers = await self.answered(db, program.id, list(repeated.values()))
        return {fact_id: answers[row_id] for fact_id, row_id in repeated.items()}

    def _decide(self, batch: _Batch[Content, Answer], draft: Draft[Content]) -> Outcome[Content, Answer]:
        """Decide on one fact, after those before it in the batch."""
        claim = batch.opened.claims.get(draft.id)
        if claim is not None:
            if claim.content_hash != draft.content_hash:
                return self.conflict()
            # The same random bits: this report booked it, and only the commit's answer was lost.
            ours = randomness_of(claim.subject_id) == draft.randomness
            known = batch.known[draft.id]
            return CustomerErased() if known is None else Accepted(draft.content, known, replayed=not ours)
        first = batch.bookings.get(draft.id)
        if first is not None:
            same = first.draft.content_hash == draft.content_hash
            return Accepted(draft.content, first.answer, replayed=True) if same else self.conflict()
        try:
            if self.check is not None:
                self.check(draft.content, batch.opened.now, batch.program)
            account = batch.accounts.get(draft.customer_id)
            if account is None:
                return CustomerUnknown("/customer_id")
            row_id = batch.opened.ids.next(draft.randomness)
            answer = batch.deciding.decide(draft.content, account, row_id)
        except Refusal as refusal:
            return refusal
        batch.bookings[draft.id] = Booking(row_id, account.customer.id, draft, answer)
        return Accepted(draft.content, answer)

    async def _write(self, db: Db, batch: _Batch[Content, Answer]) -> None:
        """Write all that was decided, as one statement. A customer for whom nothing was booked is not enrolled."""
        program_id, now, ids = batch.program.id, batch.opened.now, batch.opened.ids
        bookings = list(batch.bookings.values())
        named = {booking.draft.customer_id for booking in bookings}
        changed = points.each_once(each for name, each in batch.accounts.items() if name in named)
        events = customers.enrolments([account.customer for account in changed], ids) + points.news(changed, ids)
        events += [Event(ids.next(), self.event, booking.customer, booking.id) for booking in bookings]
        claims = [Claim(booking.draft.id, booking.draft.content_hash, booking.id) for booking in bookings]
        await write_together(
            db,
            [
                *points.booking(program_id, changed, recorded_at=now),
                claiming(program_id, self.kind, claims),
                self.adding(program_id, bookings, now),
                announcing(program_id, events, now),
                *batch.deciding.sharing(),
            ],
        )


def _to_enrol(program: Program, drafts: Sequence[Draft[Content]], opened: Opened) -> list[str]:
    """Name the unknown customers whom a new fact may bring in."""
    if program.settings.enrolment is Enrolment.EXPLICIT:
        return []
    new = (each.customer_id for each in drafts if each.id not in opened.claims)
    return sorted({customer_id for customer_id in new if customer_id not in opened.accounts})
