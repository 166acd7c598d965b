"""What rooms above do with tiers: settle them, count all again, write what came of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec
import structlog

from service.customers import usecases as customers
from service.customers.rules import Customer, Standing
from service.kernel.errors import NotFound
from service.kernel.ids import IdSource
from service.platform.claims import ClaimKind
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, Write, write_together
from service.points import usecases as points
from service.points.account import Account
from service.programs import defining
from service.programs import usecases as programs
from service.programs.rules import Program
from service.tiers import store
from service.tiers.book import TIER, ladder_at, tiers_of
from service.tiers.bringing import BroughtAlong
from service.tiers.climbing import Climbing, state_of, with_moved, without_count
from service.tiers.history import TierHistory
from service.tiers.rules import (
    Ladder,
    Settled,
    TierChange,
    TierContent,
    TierState,
    decode,
    encode,
    is_counted_otherwise,
    next_change_at,
)
from service.tiers.settling import joined, recounted
from service.tiers.standing import TierStanding, standing_of

_replace: Final = msgspec.structs.replace
Counting: TypeAlias = Callable[
    [Db, int, Ladder, Sequence[Customer], datetime], Awaitable[Mapping[int, Mapping[int, int]]]
]
"""Counts all facts of customers anew, as of now, for a program: by their internal ids amounts by day."""
_log = structlog.get_logger()


def following(program: Program) -> points.Following:
    """Count for tiers what a booking moves, where the program says so; to be handed to bookings of points."""

    def follow(accounts: Sequence[Account]) -> Sequence[Write]:
        climbing = Climbing(program)
        for account in accounts:
            climbing.follow(account)
        return store.writing(climbing)

    return follow


async def following_of(db: Db, program_id: int) -> points.Following:
    """Count likewise, for a program by its internal id, as it is now."""
    return following(await programs.read_program(db, program_id=program_id))


def writing(climbing: Climbing) -> list[Write]:
    """Write the changes and notices of a booking, and what was brought along."""
    return store.writing(climbing)


async def balances(
    db: Db, *, program: Program, customer_ids: Sequence[str]
) -> Sequence[tuple[Standing, TierStanding | None] | NotFound]:
    """Read what many customers have now, and their tiers, None where the program has none; NotFound for the unknown.

    What is due and not booked counts as done.
    """
    found = await points.balances(db, program_id=program.id, customer_ids=customer_ids, following=following(program))
    ladder, now = None, None
    if program.settings.tiers is not None:
        now = await database_time(db)
        ladder = ladder_at(program, now)
    if ladder is None or now is None:
        return [each if isinstance(each, NotFound) else (each, None) for each in found]
    return [
        each if isinstance(each, NotFound) else (each, standing_of(state_of(each, ladder, now), ladder, now))
        for each in found
    ]


async def due(db: Db, *, program: Program, after: int, count: int) -> tuple[int | None, list[tuple[int, str]]]:
    """Look at the next customers behind an internal id; give the last, None at the end, and whose tier is due.

    Those are given in the order of their internal ids, each with the caller's own. Tiers that can't be read are logged.
    """
    ladder, unreadable = ladder_at(program, await database_time(db)), tiers_of(program).unreadable
    while unreadable:
        its = unreadable.pop()
        _log.error("tier_unreadable", program=program.code, tier=its.tier, version=its.version, reason=its.reason)
    return await store.read_due(db, program_id=program.id, ladder=ladder, after=after, count=count)


async def merge(db: Db, *, program: Program, source: Customer, target: Customer, entropy: int) -> None:
    """Let one customer have what was counted for two, who are locked; a change of the tier is the target's.

    They are given as they were before the ledger booked what had come due, and counted that.
    """
    source, target = await _counted_since(db, program.id, [source, target])
    now = await database_time(db)
    ladder, climbing, ids = ladder_at(program, now), Climbing(program, now), IdSource(now, entropy)
    if ladder is None:
        # Should the program have tiers again, all is counted again.
        state = TierState(target.tier) if target.tier_state is None else without_count(decode(target.tier_state))
        settled = Settled(state)
    else:
        settled = joined(state_of(source, ladder, now), state_of(target, ladder, now), ladder, now)
    if ladder is not None or source.tier_state is not None or target.tier_state is not None:
        state = settled.state
        due_at = None if ladder is None else next_change_at(state, ladder)
        kept = {target.id: (state.tier, encode(state), due_at), source.id: (None, None, None)}
        await customers.keep_tiers(db, program_id=program.id, tiers=kept)
    told = climbing.tell(target.id, settled, ids)
    events = [Event(ids.next(), kind, target.id, subject_id) for kind, subject_id in told]
    await write_together(db, [*writing(climbing), announcing(program.id, events, now)])


async def _counted_since(db: Db, program_id: int, before: Sequence[Customer]) -> list[Customer]:
    """Give customers as they were, but with what was counted for them since."""
    found = await customers.read_by_id(db, program_id=program_id, customers=[each.id for each in before])
    now = {each.id: each for each in found}
    return [
        _replace(each, tier=now[each.id].tier, tier_state=now[each.id].tier_state, tier_due_at=now[each.id].tier_due_at)
        for each in before
    ]


async def erase(db: Db, *, program_id: int, all_ids: Sequence[int]) -> None:
    """Empty the tiers of customers by their internal ids; of who is gone nobody is told. They are locked."""
    await customers.keep_tiers(db, program_id=program_id, tiers=dict.fromkeys(all_ids, (None, None, None)))


async def histories(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, TierHistory]:
    """Read which tiers customers had when, by their internal ids; those whose tier never changed are missing."""
    return await store.histories(db, program_id=program_id, customers=customers)


async def changes_of(db: Db, *, program_id: int, all_ids: Sequence[int]) -> list[TierChange]:
    """Read how customers went from one tier to another, by their internal ids, newest first."""
    return await store.changes_of(db, program_id=program_id, customers=all_ids)


async def brought_of(db: Db, *, program_id: int, all_ids: Sequence[int]) -> list[BroughtAlong]:
    """Read what a customer brought along of tiers, by the internal ids of all records; the first is its own."""
    found = await store.brought_of(db, program_id=program_id, customers=all_ids[:1])
    return found.get(all_ids[0], [])


async def tier_at(db: Db, *, program_id: int, tier: str, version: int) -> TierContent | None:
    """Read what a tier was at a version; None where there is no such tier."""
    content = await defining.content_at(db, program_id=program_id, kind=TIER, definition_id=tier, version=version)
    return None if content is None else msgspec.json.decode(content, type=TierContent)


async def settle_customers(
    db: Db, *, program: Program, customer_ids: Sequence[str], counting: Counting, entropy: int
) -> int:
    """Do what time and new terms did to customers' tiers, and count again what was counted otherwise.

    Returns of how many. What has come due of their points is booked, too.
    """
    opened = await points.open_booking(
        db,
        program_id=program.id,
        facts=[(customer_id, "") for customer_id in customer_ids],  # no fact has an empty id
        kind=ClaimKind.PURCHASE,
        entropy=entropy,
    )
    accounts, now = points.each_once(opened.accounts.values()), opened.now
    ladder, climbing = ladder_at(program, now), Climbing(program)
    if ladder is None:
        for account in accounts:
            climbing.leave(account)
    else:
        climbers = [(account, climbing.climber(account).settled) for account in accounts]
        otherwise = [each.customer for each, settled in climbers if is_counted_otherwise(settled.state, ladder)]
        amounts: Mapping[int, Mapping[int, int]] = {}
        brought: Mapping[int, Sequence[BroughtAlong]] = {}
        if otherwise:
            amounts = await counting(db, program.id, ladder, otherwise, now)
            brought = await store.brought_of(db, program_id=program.id, customers=[each.id for each in otherwise])
        for account, settled in climbers:
            if is_counted_otherwise(settled.state, ladder):
                its_id = account.customer.id
                counted, along = with_moved(amounts.get(its_id, {}), ladder, account), brought.get(its_id, ())
                again = recounted(settled.state, ladder, now=now, amounts=counted, brought=along)
                climbing.keep(account, ladder, again)
            else:
                climbing.keep(account, ladder, settled)
    await write_together(
        db,
        [
            *points.booking(program.id, accounts, recorded_at=now),
            *writing(climbing),
            announcing(program.id, points.news(accounts, opened.ids), now),
        ],
    )
    return len(accounts)
