"""What can be done with referrals: claiming, judging, rewarding, reversing, deciding by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import structlog

from service.customers import records
from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, Write, write_together
from service.points import usecases as points
from service.points.account import Account
from service.programs.rules import Program
from service.referrals import claiming, store
from service.referrals.book import offers_of
from service.referrals.claiming import SIGNED_UP, Known, Referring
from service.referrals.codes import store as codes
from service.referrals.codes.rules import key_of
from service.referrals.opening import FactsOf, open_referral, sides, write_changed
from service.referrals.rules import CodeUnusable, Referral, ReferralState, approved, refused_by_hand
from service.tiers import usecases as tiers

_log = structlog.get_logger()
_LATER: Final = timedelta(minutes=5)
Marks: TypeAlias = Mapping[str, str]
"""What somebody is known by, as the caller names it, by kind: `payment`, `device`, `address`."""
MOST_MARKS: Final = 20
"""How many marks of each kind a customer has; of more, the oldest go."""


async def look(
    db: Db,
    *,
    program: Program,
    came_with: Sequence[tuple[str | None, Account]],
    facts_of: FactsOf,
) -> Referring:
    """Read what facts of a batch need, given with the codes that they brought: mostly nothing.

    Only new customers can be claimed, and only those count facts whose row names a referral.
    """
    keys, new = set[str](), list[Customer]()
    for typed, account in came_with:
        if typed is not None and account.customer.purchase_count == 0 and (key := key_of(typed)) is not None:
            keys.add(key)
            new.append(account.customer)
    open_ids = {each.customer.open_referral: each.customer.id for _, each in came_with if each.customer.open_referral}
    if not keys and not open_ids:
        return Referring(program)
    _tell_unreadable(program)
    known = Known()
    if keys:
        by_key = await codes.find_codes(db, program_id=program.id, keys=sorted(keys))
        both = {*(each.id for each in new), *(code.customer for code in by_key.values())}
        came = await store.came_by(db, program_id=program.id, customers=sorted(both))
        names = [each.external_id for each in new]
        ahead = await store.claimed_ahead(db, program_id=program.id, names=names)
        known = msgspec.structs.replace(known, codes=by_key, came=came, ahead=ahead)
    if open_ids:
        found, unreadable = await store.read_readable(db, program_id=program.id, referral_ids=list(open_ids))
        if unreadable:  # purchases are booked all the same; a job of the release that can read them judges by facts
            _log.error("referral_unreadable", program=program.code, referrals=[each.hex for each in unreadable])
        facts = await facts_of(db, program.id, list(open_ids.values()))
        so_far = {each.id: (each, facts.get(open_ids[each.id], ())) for each in found}
        known = msgspec.structs.replace(known, open=so_far)
    return Referring(program, known)


def _tell_unreadable(program: Program) -> None:
    """Log offers that another release saved and this one can't read: they are not offered."""
    unreadable = offers_of(program).unreadable
    while unreadable:
        its = unreadable.pop()
        _log.error("referral_offer_unreadable", program=program.code, offer=its.offer, reason=its.reason)


def writing(referring: Referring) -> list[Write]:
    """Write the claims of a batch, and what it marks as qualified. Where another was first, that raises RowsMissing."""
    program_id, writes = referring.program.id, list[Write]()
    if referring.claimed:
        writes.append(store.claiming(program_id, list(referring.claimed.values())))
    if referring.changed:
        writes.append(store.qualifying(program_id, list(referring.changed.values())))
    return writes


async def claim(
    db: Db, *, program: Program, code: str, referee_id: str, marks: Marks, entropy: int
) -> tuple[Referral, Mapping[int, Customer]]:
    """Claim a referee, by the caller's id, with a code; also one who is not enrolled yet. Gives its sides as `read`.

    Raises CodeUnusable, and RowsMissing where somebody else was first: begin again.
    """
    key = key_of(code)
    found = {} if key is None else await codes.find_codes(db, program_id=program.id, keys=[key])
    known = None if key is None else found.get(key)
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=[referee_id], entropy=entropy)
    account = opened.accounts.get(referee_id)
    both = [*([] if account is None else [account.customer.id]), *([] if known is None else [known.customer])]
    came = await store.came_by(db, program_id=program.id, customers=both)
    if await store.claimed_ahead(db, program_id=program.id, names=[referee_id]):
        raise CodeUnusable(is_guess=False)
    made = claiming.claim(
        known,
        program=program,
        referee=None if account is None else account.customer,
        came=came,
        referral_id=opened.ids.next(),
        now=opened.now,
    )
    accounts = list[Account]()
    if account is not None:
        account.customer = msgspec.structs.replace(account.customer, open_referral=made.id)
        accounts = [account]
    besides = tiers.following(program)(accounts)
    ahead = [] if accounts else [store.claiming_ahead(program.id, referee_id, made.id)]
    event = Event(opened.ids.next(), SIGNED_UP, made.referee, made.id)
    await write_together(
        db,
        [
            *points.booking(program.id, accounts, recorded_at=opened.now),
            store.claiming(program.id, [made]),
            *ahead,
            *besides,
            announcing(program.id, [*points.news(accounts, opened.ids), event], opened.now),
        ],
    )
    if marks:
        await keep_marks(db, program_id=program.id, marks=marks, referral_id=made.id, now=opened.now)
    return made, await sides(db, program_id=program.id, referrals=[made])


async def keep_marks(
    db: Db,
    *,
    program_id: int,
    marks: Marks,
    now: datetime,
    customer: int | None = None,
    referral_id: UUID | None = None,
) -> None:
    """Keep what a customer or a claim is known by, as keyed hashes: nobody can read them back."""
    pairs = await _hashed(db, program_id, marks)
    await store.add_marks(db, program_id=program_id, marks=pairs, customer=customer, referral_id=referral_id, now=now)


async def put_marks(db: Db, *, program_id: int, customer_id: str, marks: Marks) -> dict[str, int]:
    """Keep what a customer is known by beside what was told before; tells how many marks of which kind there are.

    Raises NotFound.
    """
    opened = await customers.lock(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in opened.customers:
        raise NotFound
    return await store.keep_marks_of(
        db,
        program_id=program_id,
        customer=opened.customers[customer_id].id,
        marks=await _hashed(db, program_id, marks),
        most=MOST_MARKS,
        now=opened.now,
    )


async def _hashed(db: Db, program_id: int, marks: Marks) -> list[tuple[str, bytes]]:
    kinds = sorted(marks)
    digests = await records.hashed(db, program_id, [(f"mark:{kind}", marks[kind]) for kind in kinds])
    return list(zip(kinds, [digest for _, digest in digests], strict=True))


async def click(db: Db, *, program_id: int, code: str) -> None:
    """Count a click on a code, also on a closed one; where there is no such code, nothing is counted."""
    day = (await database_time(db)).astimezone(UTC).date()
    await codes.add_click(db, program_id=program_id, key=key_of(code) or "", day=day)


async def read_code(db: Db, *, program_id: int, code_id: UUID) -> str | None:
    """Read how a code is shown; None after an erasure."""
    return await codes.read_code(db, program_id=program_id, code_id=code_id)


async def claimed_with(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the purchases that came with codes of records and claimed somebody, by their row ids."""
    return await store.claimed_with(db, program_id=program_id, customers=customers)


async def look_again(db: Db, *, program_id: int, customer: int, now: datetime) -> None:
    """Let the referral by which a locked customer came be judged again by the job: something of it came back."""
    await store.look_again(db, program_id=program_id, customers=[customer], now=now)


async def read(db: Db, *, program_id: int, referral_id: UUID) -> tuple[Referral, Mapping[int, Customer]]:
    """Read a referral, and its sides as they are now by the internal ids that it names. Raises NotFound."""
    found = await store.read(db, program_id=program_id, referral_id=referral_id)
    if found is None:
        raise NotFound
    return found, await sides(db, program_id=program_id, referrals=[found])


async def approve(db: Db, *, program: Program, referral_id: UUID, by: UUID, entropy: int) -> Referral:
    """Let a referral go on, whatever speaks against it; the job rewards it. Approved already: told again.

    `by` is the key of who does it. Raises NotFound, ReferralNotOpen.
    """
    return await _by_hand(db, program, referral_id, lambda referral, now: approved(referral, by, now), entropy)


async def refuse(db: Db, *, program: Program, referral_id: UUID, by: UUID, entropy: int) -> Referral:
    """Refuse a referral that was not rewarded. Refused already: told again. Raises NotFound, ReferralNotOpen."""
    return await _by_hand(db, program, referral_id, lambda referral, now: refused_by_hand(referral, by, now), entropy)


async def _by_hand(
    db: Db, program: Program, referral_id: UUID, decide: Callable[[Referral, datetime], Referral], entropy: int
) -> Referral:
    found = await store.read(db, program_id=program.id, referral_id=referral_id)
    if found is None:
        raise NotFound
    opened = await open_referral(db, program=program, found=found, entropy=entropy)
    decided = decide(opened.referral, opened.now)
    if decided != opened.referral:
        await write_changed(db, opened, decided)
    return decided


async def list_referrals(
    db: Db, *, program_id: int, before: UUID | None, limit: int, state: ReferralState | None = None
) -> tuple[list[Referral], Mapping[int, Customer]]:
    """Read up to `limit` + 1 referrals, newest first, behind `before`, all or of one state, with their sides as now."""
    found = await store.list_newest(
        db, program_id=program_id, before=before or GREATEST_ID, limit=limit + 1, state=state
    )
    return found, await sides(db, program_id=program_id, referrals=found)


async def names_ahead(db: Db, *, program_id: int, referrals: Sequence[Referral]) -> Mapping[UUID, str]:
    """Read whom claims named that came ahead of the enrolment, and that are still open, by the referrals' ids."""
    asked = [each.id for each in referrals if each.referee is None]
    return await store.ahead_names(db, program_id=program_id, referral_ids=asked) if asked else {}


async def programs_due(db: Db) -> list[int]:
    """Read the programs with referrals to be judged by now, by their internal ids."""
    return await store.programs_due(db)


async def due(db: Db, *, program_id: int, count: int) -> list[UUID]:
    """Read up to `count` referrals that are to be judged by now, those that wait longest first."""
    return await store.due(db, program_id=program_id, count=count)


async def look_later(db: Db, *, program_id: int, referral_id: UUID) -> None:
    """Let a referral that could not be judged be looked at some minutes later: it keeps no other from it."""
    at = await database_time(db) + _LATER
    await store.look_later(db, program_id=program_id, referral_id=referral_id, at=at)


async def ahead_enrolled(db: Db, *, program_id: int, count: int) -> list[tuple[str, UUID]]:
    """Read up to `count` callers' ids that were claimed ahead and are customers' since, each with the referral."""
    return await store.ahead_enrolled(db, program_id=program_id, count=count)
