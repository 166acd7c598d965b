"""Rows of campaigns that run: keys, slices, sides of the comparison, draws, gifts, and what was stopped."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.ids import GREATEST_ID
from service.platform.statements import Db, Write, load
from service.surprises.book import Run
from service.surprises.drawing import Draw, Enrolled, Surprise
from service.surprises.fair import RecordedDraw, RecordedSide
from service.surprises.gifts import Gift, GiftState, Halt, Play, Stop
from service.surprises.purse import Slice, Taking

_STATEMENTS = load(__file__)


async def read_runs(db: Db, *, program_id: int, campaigns: Collection[UUID]) -> dict[UUID, Run]:
    """Read which campaigns have started, with their keys."""
    rows = await db.fetch(_STATEMENTS["run_read"].sql, program_id, list(campaigns))
    return {row[0]: Run(row[1], row[2]) for row in rows}


def starting(program_id: int, campaign: UUID, run: Run, planned_until: datetime) -> Write:
    """Note that a campaign starts; one that has started writes no row."""
    return Write(_STATEMENTS["run_insert"], (program_id, campaign, run.key, run.started_at, planned_until), 1)


async def planned_until(db: Db, *, program_id: int, campaign: UUID) -> datetime | None:
    """Read up to when occasions of the calendar were looked for."""
    return await db.fetchval(_STATEMENTS["planned_read"].sql, program_id, campaign)


def planning(program_id: int, campaign: UUID, before: datetime, after: datetime) -> Write:
    """Go on from one moment to another; where somebody else went on from there it writes no row."""
    return Write(_STATEMENTS["planned_write"], (program_id, campaign, before, after), 1)


async def read_slices(db: Db, *, program_id: int, campaigns: Collection[UUID]) -> list[Slice]:
    """Read the slices of campaigns, unlocked, in the order in which they are locked."""
    rows = await db.fetch(_STATEMENTS["slice_read"].sql, program_id, list(campaigns))
    return [Slice(*row) for row in rows]


async def lock_slices(db: Db, *, program_id: int, campaign: UUID) -> list[Slice]:
    """Lock all slices of a campaign: nothing else is locked behind them."""
    return [Slice(*row) for row in await db.fetch(_STATEMENTS["slice_lock"].sql, program_id, campaign)]


def adding_slices(program_id: int, slices: Sequence[Slice]) -> Write:
    """Add slices."""
    return Write(_STATEMENTS["slice_insert"], (program_id, *_columns(slices)), len(slices))


def writing_slices(program_id: int, slices: Sequence[Slice]) -> Write:
    """Write locked slices."""
    return Write(_STATEMENTS["slice_write"], (program_id, *_columns(slices)), len(slices))


def _columns(slices: Sequence[Slice]) -> tuple[list[object], ...]:
    return (
        [each.campaign for each in slices],
        [each.resource for each in slices],
        [each.number for each in slices],
        [each.cap for each in slices],
        [each.taken for each in slices],
    )


def taking(program_id: int, takings: Sequence[Taking]) -> Write:
    """Take from slices, in the order given; where one has less left it writes fewer rows."""
    rows = [(each.campaign, each.resource, each.number, each.amount, each.released) for each in takings]
    return Write(_STATEMENTS["slice_take"], (program_id, rows), len(rows))


def enrolling(program_id: int, enrolled: Sequence[Enrolled], now: datetime) -> Write:
    """Note first occasions of customers; one that is known writes no row."""
    rows = [(each.campaign, each.customer, each.held_out) for each in enrolled]
    return Write(_STATEMENTS["enrolment_insert"], (program_id, now, rows), len(rows))


def adding_draws(program_id: int, draws: Sequence[Draw], now: datetime) -> Write:
    """Add draws; one that there is writes no row."""
    rows = [
        (
            each.campaign,
            each.id,
            each.customer,
            each.occasion,
            each.version,
            each.u,
            each.lefts if any(left is not None for left in each.lefts) else None,
            each.prize,
        )
        for each in draws
    ]
    return Write(_STATEMENTS["draw_insert"], (program_id, now, rows), len(rows))


async def known_draws(db: Db, *, program_id: int, campaign: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Read which of these draws of a campaign there are."""
    return {row["id"] for row in await db.fetch(_STATEMENTS["draw_known"].sql, program_id, campaign, ids)}


async def list_draws(db: Db, *, program_id: int, campaign: UUID, after: UUID, limit: int) -> list[RecordedDraw]:
    """Read up to `limit` draws of a campaign by their ids, behind one."""
    rows = await db.fetch(_STATEMENTS["draw_list"].sql, program_id, campaign, after, limit)
    return [RecordedDraw(*row) for row in rows]


async def list_sides(db: Db, *, program_id: int, campaign: UUID, after: int, limit: int) -> list[RecordedSide]:
    """Read up to `limit` sides of a campaign by the customers whose they are now, behind one."""
    rows = await db.fetch(_STATEMENTS["side_list"].sql, program_id, campaign, after, limit)
    return [RecordedSide(*row) for row in rows]


def adding_gifts(program_id: int, gifts: Sequence[Surprise], revealed: Collection[UUID]) -> Write:
    """Add gifts that were drawn; these, by their ids, are revealed at once."""
    rows = [
        (
            each.id,
            each.campaign,
            each.draw,
            each.customer,
            each.version,
            each.prize,
            each.points,
            each.cost,
            each.reward_id,
            each.game,
            (GiftState.REVEALED if each.id in revealed else GiftState.WAITING).value,
            each.drawn_at,
            each.reveal_at,
            each.drawn_at if each.id in revealed else None,
        )
        for each in gifts
    ]
    return Write(_STATEMENTS["gift_insert"], (program_id, rows), len(rows))


def halting(program_id: int, halts: Sequence[Halt], now: datetime) -> Write:
    """Note what suppressions stopped."""
    columns = (
        [each.id for each in halts],
        [each.campaign for each in halts],
        [each.customer for each in halts],
        [each.occasion for each in halts],
        [each.gift for each in halts],
        [",".join(reason.value for reason in each.reasons) for each in halts],
    )
    return Write(_STATEMENTS["stop_insert"], (program_id, *columns, now), len(halts))


async def stops_of(db: Db, *, program_id: int, campaign: UUID, before: UUID | None, limit: int) -> list[Stop]:
    """Read up to `limit` of what suppressions stopped of a campaign, the newest first, behind an id."""
    rows = await db.fetch(_STATEMENTS["stop_list"].sql, program_id, campaign, before or GREATEST_ID, limit)
    return [
        Stop(
            row["id"],
            row["customer_id"],
            row["occasion"],
            row["surprise_id"],
            tuple([SuppressionReason(each) for each in row["reasons"]]),
            row["stopped_at"],
        )
        for row in rows
    ]


def _gift(row: Record) -> Gift:
    return msgspec.structs.replace(Gift(*row), state=GiftState(row["state"]))


async def read_gifts(db: Db, *, program_id: int, ids: Sequence[UUID]) -> list[Gift]:
    """Read gifts by their ids, the oldest first."""
    return [_gift(row) for row in await db.fetch(_STATEMENTS["gift_read"].sql, program_id, ids)]


async def gifts_of_draws(
    db: Db, *, program_id: int, customers: Sequence[int], draws: Sequence[UUID], occasions: Sequence[str]
) -> list[Gift]:
    """Read the gifts that came of draws of records, by the draws' ids or by the names of their occasions."""
    rows = await db.fetch(_STATEMENTS["gift_of_draws"].sql, program_id, customers, draws, occasions)
    return [_gift(row) for row in rows]


async def gifts_of(
    db: Db, *, program_id: int, customers: Sequence[int], before: UUID, limit: int, revealed: bool
) -> list[Gift]:
    """Read up to `limit` gifts of records, the newest first, behind an id; only those that were `revealed`, or all."""
    rows = await db.fetch(_STATEMENTS["gift_of_customers"].sql, program_id, customers, before, limit, revealed)
    return [_gift(row) for row in rows]


async def waiting_gifts(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Gift]:
    """Read the gifts of records that wait for their moment."""
    return [_gift(row) for row in await db.fetch(_STATEMENTS["gift_waiting"].sql, program_id, customers)]


async def due_gifts(db: Db, *, program_id: int, count: int, but: Collection[UUID] = ()) -> list[UUID]:
    """Read up to `count` gifts whose time has come, the earliest first, but for some."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["gift_due"].sql, program_id, count, list(but))]


async def programs_due(db: Db) -> list[int]:
    """Read the programs with gifts whose time has come."""
    return [row["program_id"] for row in await db.fetch(_STATEMENTS["programs_due"].sql)]


def writing_gifts(program_id: int, changed: Sequence[tuple[Gift, Gift]]) -> Write:
    """Write where gifts stand that were otherwise before; one that isn't as it was read writes no row."""
    columns = (
        [after.id for _, after in changed],
        [before.state.value for before, _ in changed],
        [after.state.value for _, after in changed],
        [after.revealed_at for _, after in changed],
        [after.ended_at for _, after in changed],
        [after.reason for _, after in changed],
        [after.reversed for _, after in changed],
    )
    return Write(_STATEMENTS["gift_write"], (program_id, *columns), len(changed))


async def put_off(db: Db, *, program_id: int, gift_id: UUID) -> None:
    """Let a gift wait some minutes longer."""
    await db.execute(_STATEMENTS["gift_put_off"].sql, program_id, gift_id)


async def seen(db: Db, *, program_id: int) -> int:
    """Read up to which place a program's feed was looked through; 0 at first."""
    return await db.fetchval(_STATEMENTS["seen_read"].sql, program_id) or 0


async def seen_of_all(db: Db, *, program_ids: Sequence[int]) -> Mapping[int, int]:
    """Read up to which places the feeds of programs were looked through; 0 at first."""
    rows = await db.fetch(_STATEMENTS["seen_list"].sql, program_ids)
    return dict.fromkeys(program_ids, 0) | {row["program_id"]: row["position"] for row in rows}


def going_on(program_id: int, before: int, after: int) -> Write:
    """Go on from one place to another; where somebody else went on from there it writes no row."""
    return Write(_STATEMENTS["seen_write"], (program_id, before, after), 1)


async def known_stops(
    db: Db, *, program_id: int, campaign: UUID, occasions: Sequence[tuple[int, str]]
) -> set[tuple[int, str]]:
    """Read which occasions, by customers and names, were stopped at the draw already."""
    if not occasions:
        return set()
    columns = [customer for customer, _ in occasions], [name for _, name in occasions]
    rows = await db.fetch(_STATEMENTS["stop_known"].sql, program_id, campaign, *columns)
    return {(row["customer_id"], row["occasion"]) for row in rows}


async def list_customers(
    db: Db, *, program_id: int, campaign: UUID, customers: Sequence[int], now: datetime
) -> list[int]:
    """Put customers on the list of a campaign; gives those that were not on it."""
    rows = await db.fetch(_STATEMENTS["listed_insert"].sql, program_id, campaign, customers, now)
    return [row["customer_id"] for row in rows]


async def listed_due(db: Db, *, program_id: int, campaign: UUID, after: int, count: int) -> list[int]:
    """Read the next customers of a list to whom nobody came yet, by their internal ids."""
    rows = await db.fetch(_STATEMENTS["listed_due"].sql, program_id, campaign, after, count)
    return [row["customer_id"] for row in rows]


async def listed_done(db: Db, *, program_id: int, campaign: UUID, customers: Sequence[int]) -> None:
    """Note that somebody came to customers of a list."""
    await db.execute(_STATEMENTS["listed_done"].sql, program_id, campaign, customers)


def adding_play(program_id: int, play: Play, now: datetime) -> Write:
    """Add a play."""
    row = (
        program_id,
        play.campaign,
        play.id,
        play.customer,
        play.number,
        play.played_on,
        play.paid,
        play.is_granted,
        play.hold,
        now,
    )
    return Write(_STATEMENTS["play_insert"], row, 1)


def adding_grant(program_id: int, campaign: UUID, grant_id: UUID, customer: int, plays: int, now: datetime) -> Write:
    """Add plays that were granted."""
    return Write(_STATEMENTS["grant_insert"], (program_id, grant_id, campaign, customer, plays, now), 1)


async def rehome(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let one record have what another one has of comparisons and lists; both are locked."""
    for statement in ("enrolment_rehome", "listed_rehome"):
        await db.execute(_STATEMENTS[statement].sql, program_id, source, target)
    await db.execute(_STATEMENTS["enrolment_drop"].sql, program_id, source)


async def forget_listed(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Let nobody come to customers of lists any more."""
    await db.execute(_STATEMENTS["listed_forget"].sql, program_id, customers)
