"""Rows of referrals: who brought whom, marks, claims ahead, what was used of budgets."""

from collections.abc import Sequence
from datetime import date, datetime
from operator import attrgetter
from uuid import UUID

import msgspec
from asyncpg import Record

from service.earning.limits import first_day
from service.earning.rules import Limit, Scope
from service.platform.statements import Db, Write, load
from service.referrals.claiming import Came
from service.referrals.offers import ReferralOfferContent, Sign
from service.referrals.rules import Gave, Referral, ReferralReason, ReferralState

_STATEMENTS = load(__file__)
_decode_terms = msgspec.json.Decoder(ReferralOfferContent).decode
_decode_signs = msgspec.json.Decoder(tuple[Sign, ...]).decode
_decode_limit = msgspec.json.Decoder(Limit).decode
_agreed = attrgetter("id", "referrer", "referee", "code_id", "offer", "offer_version")
_times = attrgetter("claimed_at", "counts_from", "expires_at", "qualified_at", "look_at")
_ALWAYS = date(1970, 1, 1)
"""The first day of what has no period."""


class Undecided(msgspec.Struct, frozen=True):
    """A referral that is not decided, as far as its end needs it."""

    id: UUID
    referee: int | None
    state: ReferralState


class Rewarded(msgspec.Struct, frozen=True):
    """A referral that somebody was rewarded for: when, how many points both got, the step, the offer."""

    at: datetime
    points: int
    step: int | None
    offer: str
    is_reversed: bool


class Sums(msgspec.Struct, frozen=True):
    """Of referrals that stand alike: how many, what their referrers got, and what they were to get, without steps."""

    count: int
    earned: int
    agreed: int


def _text(content: object) -> str:
    return msgspec.json.encode(content).decode()


async def came_by(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Came]:
    """Read by which referrals customers came, with those of the records that went into theirs."""
    rows = await db.fetch(_STATEMENTS["came_by"].sql, program_id, customers)
    return [Came(*row) for row in rows]


async def claimed_ahead(db: Db, *, program_id: int, names: Sequence[str]) -> frozenset[str]:
    """Tell which of the callers' ids were claimed ahead of their enrolment."""
    rows = await db.fetch(_STATEMENTS["ahead_find"].sql, program_id, names)
    return frozenset(row[0] for row in rows)


def claiming(program_id: int, claimed: Sequence[Referral]) -> Write:
    """Add claims. Where somebody else was first, fewer rows are written."""
    rows = [(*_agreed(each), _text(each.terms), each.state.value, each.claimed_with, *_times(each)) for each in claimed]
    return Write(_STATEMENTS["claim_insert"], (program_id, rows), len(rows))


def qualifying(program_id: int, qualified: Sequence[Referral]) -> Write:
    """Mark referrals as qualified; one that isn't open any more writes no row."""
    ids, when = [each.id for each in qualified], [each.qualified_at for each in qualified]
    return Write(_STATEMENTS["qualified_update"], (program_id, ids, when), len(ids))


def claiming_ahead(program_id: int, external_id: str, referral_id: UUID) -> Write:
    """Keep whom a claim named that came ahead of the enrolment; somebody else's claim writes no row."""
    return Write(_STATEMENTS["ahead_insert"], (program_id, external_id, referral_id), 1)


def changing(program_id: int, before: Referral, after: Referral) -> Write:
    """Write what became of a referral; one that stands elsewhere by now writes no row."""
    given, got = after.referrer_gave, after.referee_gave
    row = (
        after.id,
        before.state.value,
        after.referee,
        after.state.value,
        after.qualified_at,
        after.waits_until,
        after.rewarded_at,
        after.ended_at,
        None if after.reason is None else after.reason.value,
        after.score,
        _text(after.signs),
        after.reviewed_by,
        after.reviewed_at,
        after.number,
        after.step,
        given.points,
        got.points,
        given.lot,
        got.lot,
        given.piece,
        got.piece,
        after.look_at,
        None if after.reached_limit is None else _text(after.reached_limit),
    )
    return Write(_STATEMENTS["referral_update"], (program_id, *row), 1)


def refusing(program_id: int, refused: Sequence[UUID], reason: ReferralReason, now: datetime) -> Write:
    """Refuse referrals that are not decided; one that is by now writes no row."""
    return Write(_STATEMENTS["refused_update"], (program_id, refused, reason.value, now), len(refused))


async def look_soon(db: Db, *, program_id: int, referral_ids: Sequence[UUID], now: datetime) -> None:
    """Let the job look at referrals that were refused: the rows of their referees, not locked here, name them."""
    await db.execute(_STATEMENTS["look_soon"].sql, program_id, referral_ids, now)


def _referral(row: Record) -> Referral:
    reason = row["reason"]
    return Referral(
        id=row["id"],
        referrer=row["referrer_id"],
        referee=row["referee_id"],
        code_id=row["code_id"],
        offer=row["offer"],
        offer_version=row["offer_version"],
        terms=_decode_terms(row["terms"]),
        state=ReferralState(row["state"]),
        claimed_with=row["claimed_with"],
        claimed_at=row["claimed_at"],
        counts_from=row["counts_from"],
        expires_at=row["expires_at"],
        qualified_at=row["qualified_at"],
        waits_until=row["waits_until"],
        rewarded_at=row["rewarded_at"],
        ended_at=row["ended_at"],
        reason=None if reason is None else ReferralReason(reason),
        score=row["score"],
        signs=_decode_signs(row["signs"]),
        reviewed_by=row["reviewed_by"],
        reviewed_at=row["reviewed_at"],
        number=row["number"],
        step=row["step"],
        referrer_gave=Gave(row["referrer_points"], row["referrer_lot"], row["referrer_piece"]),
        referee_gave=Gave(row["referee_points"], row["referee_lot"], row["referee_piece"]),
        look_at=row["look_at"],
        reached_limit=None if row["reached_limit"] is None else _decode_limit(row["reached_limit"]),
    )


async def read_many(db: Db, *, program_id: int, referral_ids: Sequence[UUID]) -> list[Referral]:
    """Read referrals by their ids; the unknown ones are missing."""
    return [_referral(row) for row in await db.fetch(_STATEMENTS["referral_read"].sql, program_id, referral_ids)]


async def news_of(db: Db, *, program_id: int, referral_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of referrals, also of those that another release wrote."""
    return await db.fetch(_STATEMENTS["referral_news"].sql, program_id, referral_ids)


async def read_readable(db: Db, *, program_id: int, referral_ids: Sequence[UUID]) -> tuple[list[Referral], list[UUID]]:
    """Read referrals as `read_many`; those that another release wrote, and this one can't read, by their ids alone."""
    found, unreadable = list[Referral](), list[UUID]()
    for row in await db.fetch(_STATEMENTS["referral_read"].sql, program_id, referral_ids):
        try:
            found.append(_referral(row))
        except (msgspec.MsgspecError, ValueError):
            unreadable.append(row["id"])
    return found, unreadable


async def read(db: Db, *, program_id: int, referral_id: UUID) -> Referral | None:
    """Read a referral."""
    found = await read_many(db, program_id=program_id, referral_ids=[referral_id])
    return found[0] if found else None


async def lock(db: Db, *, program_id: int, referral_id: UUID) -> Referral | None:
    """Lock a referral and read it as it is then."""
    await db.fetch(_STATEMENTS["referral_lock"].sql, program_id, referral_id)
    return await read(db, program_id=program_id, referral_id=referral_id)


async def due(db: Db, *, program_id: int, count: int) -> list[UUID]:
    """Read the ids of referrals that are to be judged by now."""
    return [row[0] for row in await db.fetch(_STATEMENTS["referral_due"].sql, program_id, count)]


async def programs_due(db: Db) -> list[int]:
    """Read the programs with a referral to be judged by now."""
    return [row[0] for row in await db.fetch(_STATEMENTS["programs_due"].sql)]


async def look_again(db: Db, *, program_id: int, customers: Sequence[int], now: datetime) -> None:
    """Let the referrals by which customers came be judged again. The customers are locked."""
    await db.execute(_STATEMENTS["look_again"].sql, program_id, customers, now)


async def look_later(db: Db, *, program_id: int, referral_id: UUID, at: datetime) -> None:
    """Let a referral that could not be judged be looked at later."""
    await db.execute(_STATEMENTS["look_later"].sql, program_id, referral_id, at)


async def ahead_enrolled(db: Db, *, program_id: int, count: int) -> list[tuple[str, UUID]]:
    """Read who was claimed ahead and is enrolled since, each with the referral."""
    rows = await db.fetch(_STATEMENTS["ahead_enrolled"].sql, program_id, count)
    return [(row[0], row[1]) for row in rows]


async def ahead_of(db: Db, *, program_id: int, referral_id: UUID) -> str | None:
    """Read whom a claim named that came ahead of the enrolment."""
    name: str | None = await db.fetchval(_STATEMENTS["ahead_of"].sql, program_id, referral_id)
    return name


async def ahead_names(db: Db, *, program_id: int, referral_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Read whom claims named that came ahead of the enrolment, by the referrals' ids."""
    rows = await db.fetch(_STATEMENTS["ahead_names"].sql, program_id, referral_ids)
    return {row[0]: row[1] for row in rows}


async def ahead_of_records(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the claims that came ahead of the enrolment of records and were not settled since."""
    return [row[0] for row in await db.fetch(_STATEMENTS["ahead_of_records"].sql, program_id, customers)]


async def settle_ahead(db: Db, *, program_id: int, referral_id: UUID) -> None:
    """Forget whom a claim named: the customer is enrolled now, and the referral names the record."""
    await db.execute(_STATEMENTS["ahead_delete"].sql, program_id, [referral_id])


async def forget_ahead(db: Db, *, program_id: int, referral_ids: Sequence[UUID]) -> None:
    """Forget whom claims named that have ended, and the marks that they told: no record is left to forget them with."""
    await db.execute(_STATEMENTS["mark_delete_of_ahead"].sql, program_id, referral_ids)
    await db.execute(_STATEMENTS["ahead_delete"].sql, program_id, referral_ids)


async def rewarded_before(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Rewarded]:
    """Read for which referrals the records of a referrer were rewarded so far."""
    rows = await db.fetch(_STATEMENTS["rewarded_before"].sql, program_id, customers)
    return [Rewarded(*row) for row in rows]


def using(program_id: int, offer: str, limits: Sequence[Limit], points: int, today: date) -> Write:
    """Add a reward to what was used of an offer's limits for all; where one doesn't hold, fewer rows are written."""
    rows = sorted(
        (offer, limit.every.value, _day(first_day(limit.every, today)), points, 1, limit.points, limit.times)
        for limit in limits
        if limit.scope is Scope.ALL
    )
    return Write(_STATEMENTS["use_add"], (program_id, rows), len(rows))


def _day(start: int) -> date:
    return date.fromordinal(start) if start else _ALWAYS


async def read_use(db: Db, *, program_id: int, offer: str) -> dict[tuple[str, date], tuple[int, int]]:
    """Read points and times that were used of an offer's limits for all, by period and the day that it begins with."""
    rows = await db.fetch(_STATEMENTS["use_read"].sql, program_id, offer)
    return {(row["every"], row["starts_on"]): (row["points"], row["times"]) for row in rows}


def used_in(use: dict[tuple[str, date], tuple[int, int]], limit: Limit, today: date) -> tuple[int, int]:
    """Return the points and times that were used of a limit for all in the period of a day."""
    return use.get((limit.every.value, _day(first_day(limit.every, today))), (0, 0))


async def add_marks(
    db: Db,
    *,
    program_id: int,
    marks: Sequence[tuple[str, bytes]],
    customer: int | None,
    referral_id: UUID | None,
    now: datetime,
) -> None:
    """Add what a customer or a claim was known by: kinds and keyed hashes."""
    kinds, digests = [kind for kind, _ in marks], [digest for _, digest in marks]
    await db.execute(_STATEMENTS["mark_insert"].sql, program_id, kinds, digests, customer, referral_id, now)


async def keep_marks_of(
    db: Db, *, program_id: int, customer: int, marks: Sequence[tuple[str, bytes]], most: int, now: datetime
) -> dict[str, int]:
    """Add marks of a locked customer as the newest, and keep `most` of each kind; tells how many of which there are."""
    kinds, digests = [kind for kind, _ in marks], [digest for _, digest in marks]
    await db.execute(_STATEMENTS["mark_delete_these"].sql, program_id, customer, kinds, digests)
    await add_marks(db, program_id=program_id, marks=marks, customer=customer, referral_id=None, now=now)
    await db.execute(_STATEMENTS["mark_delete_oldest"].sql, program_id, customer, most)
    rows = await db.fetch(_STATEMENTS["mark_count"].sql, program_id, customer)
    return {row[0]: row[1] for row in rows}


async def shared_marks(
    db: Db, *, program_id: int, referral_id: UUID, referee: Sequence[int], referrer: Sequence[int]
) -> list[str]:
    """Tell of which kinds two sides, by their records, have a mark in common; the claim's are the referee's."""
    rows = await db.fetch(_STATEMENTS["shared_marks"].sql, program_id, referee, referral_id, referrer)
    return [row[0] for row in rows]


async def count_burst(db: Db, *, program_id: int, referral_id: UUID, since: datetime, until: datetime) -> int:
    """Count the claims from the address of one between two moments, itself among them; 0 where none was told."""
    counted: int = await db.fetchval(_STATEMENTS["burst_count"].sql, program_id, referral_id, since, until)
    return counted


async def count_returned(db: Db, *, program_id: int, referrer: Sequence[int]) -> int:
    """Count the referees of a referrer's records who gave everything back."""
    counted: int = await db.fetchval(_STATEMENTS["returned_count"].sql, program_id, referrer)
    return counted


async def open_of_records(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Undecided]:
    """Read which referrals of records, as referrers and as referees, are not decided."""
    rows = await db.fetch(_STATEMENTS["open_of_records"].sql, program_id, customers)
    return [Undecided(row[0], row[1], ReferralState(row[2])) for row in rows]


async def of_records(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Referral]:
    """Read the referrals of records, as referrers and as referees, the newest first."""
    rows = await db.fetch(_STATEMENTS["referral_of_records"].sql, program_id, customers)
    return [_referral(row) for row in rows]


async def sums_of_referrer(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[ReferralState, Sums]:
    """Sum up the referrals of a referrer's records by where they stand; states that none has are missing."""
    rows = await db.fetch(_STATEMENTS["referrer_sums"].sql, program_id, customers)
    return {ReferralState(row[0]): Sums(*row[1:]) for row in rows}


async def newest_of_referrer(db: Db, *, program_id: int, customers: Sequence[int], limit: int) -> list[Referral]:
    """Read up to `limit` referrals of a referrer's records, newest first."""
    rows = await db.fetch(_STATEMENTS["referrer_newest"].sql, program_id, customers, limit)
    return [_referral(row) for row in rows]


async def claimed_with(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the purchases that came with codes of records and claimed somebody, by their row ids."""
    return [row[0] for row in await db.fetch(_STATEMENTS["claimed_with"].sql, program_id, customers)]


async def of_referee(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Referral]:
    """Read the referrals by which records came."""
    rows = await db.fetch(_STATEMENTS["referee_list"].sql, program_id, customers)
    return [_referral(row) for row in rows]


async def list_newest(
    db: Db, *, program_id: int, before: UUID, limit: int, state: ReferralState | None = None
) -> list[Referral]:
    """Read up to `limit` referrals with an id below `before`, newest first: all, or those that stand somewhere."""
    if state is None:
        rows = await db.fetch(_STATEMENTS["referral_list"].sql, program_id, before, limit)
    else:
        sql = _STATEMENTS["referral_list_in_state"].sql
        rows = await db.fetch(sql, program_id, before, limit, state.value)
    return [_referral(row) for row in rows]


async def look_again_at_all(db: Db, *, program_id: int, customers: Sequence[int], now: datetime) -> None:
    """Let all referrals of records, on either side, be judged again. The records are locked."""
    await db.execute(_STATEMENTS["look_again_at_all"].sql, program_id, customers, now)


async def rehome_marks(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let the marks of one record be another's; both are locked."""
    await db.execute(_STATEMENTS["mark_copy"].sql, program_id, source, target)
    await db.execute(_STATEMENTS["mark_delete"].sql, program_id, [source])


async def forget_marks(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Forget the marks of records, and what claims told of them. The records are locked."""
    await db.execute(_STATEMENTS["mark_delete"].sql, program_id, customers)
    await db.execute(_STATEMENTS["mark_delete_of_claims"].sql, program_id, customers)
