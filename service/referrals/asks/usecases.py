"""Asking for referrals: whom, whether now, that it was done; what becomes of it in merges and erasures."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.errors import NotFound
from service.kernel.ids import IdSource
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, Write, write_together
from service.programs.rules import Program
from service.referrals.asks import store
from service.referrals.asks.rules import ReferralAsk, merged, milestone_of, open_asks, own_offer
from service.referrals.asks.store import Told

TIME_TO_ASK: Final = "referral.ask"


async def to_ask(db: Db, *, program: Program, customer: Customer) -> ReferralAsk | None:
    """Tell for which milestone to ask a customer for a referral now; None: it is no time for it. Nothing is marked.

    Whether the customer's own code is open is for the caller to know.
    """
    known = (await store.read(db, program_id=program.id, customers=[customer.id]))[customer.id]
    if not known:
        return None
    now = await database_time(db)
    found = open_now(program, customer, known, now)
    if not found or await customers.suppressed(db, program_id=program.id, customers=[customer.id], now=now):
        return None
    return found[0]


def open_now(program: Program, customer: Customer, known: Sequence[ReferralAsk], now: datetime) -> list[ReferralAsk]:
    """Return for which of a customer's milestones the offer of the own code asks now, the newest first."""
    offer = own_offer(program, customer.tier, now)
    return [] if offer is None else open_asks(offer.content.ask, known, now)


async def asked(db: Db, *, program_id: int, customer_id: str, milestone: str) -> tuple[ReferralAsk, datetime]:
    """Note that a customer was asked after a milestone; gives it with when that was told first.

    Raises NotFound for an unknown customer, Invalid for a milestone that the customer has not reached.
    """
    opened = await customers.lock(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in opened.customers:
        raise NotFound
    customer = opened.customers[customer_id].id
    known = (await store.read(db, program_id=program_id, customers=[customer]))[customer]
    found = milestone_of(known, milestone)
    if found.asked_at is not None:
        return found, found.asked_at
    await write_together(db, [store.asked(program_id, customer, milestone, opened.now)])
    return found, opened.now


async def held_back(db: Db, *, program_id: int, on: Sequence[int], now: datetime) -> set[int]:
    """Read which customers, by internal ids, are not to be asked now: suppressed ones, and those without a code."""
    if not on:
        return set()
    suppressed = await customers.suppressed(db, program_id=program_id, customers=on, now=now)
    return {*suppressed, *await store.with_closed_codes(db, program_id=program_id, customers=on)}


def announcements(
    program_id: int, asks: Sequence[tuple[int, ReferralAsk]], *, ids: IdSource, now: datetime
) -> list[Write]:
    """Tell that it is time to ask customers, by internal ids, after milestones; the caller notes it in these."""
    told = [Told(ids.next(), each.milestone, each.until) for _, each in asks]
    events = [Event(each.id, TIME_TO_ASK, customer, each.id) for (customer, _), each in zip(asks, told, strict=True)]
    return [store.telling(program_id, told), announcing(program_id, events, now)]


async def announce(db: Db, *, program: Program, named: Mapping[str, int], entropy: int) -> int:
    """Announce the open milestones of customers that were not, by the callers' ids and the internal ones.

    Gives how many there were. Those who are suppressed go on waiting.
    """
    opened = await customers.lock(db, program_id=program.id, customer_ids=sorted(named))
    found = [each for name, each in opened.customers.items() if each.id == named.get(name)]
    due = await _due(db, program, found, opened.now)
    noted = store.announced(program.id, [(customer, ask.milestone) for customer, ask in due], opened.now)
    ids = IdSource(opened.now, entropy)
    await write_together(db, [noted, *announcements(program.id, due, ids=ids, now=opened.now)])
    return len(due)


async def waiting(db: Db, *, program: Program, after: int, count: int) -> tuple[int | None, dict[str, int]]:
    """Read the next `count` customers with milestones that wait to be announced, behind an internal id.

    Gives the last one that was looked at (None: there are no more), and by the callers' ids those who may be asked
    now: nobody else is locked.
    """
    found = await store.waiting(db, program_id=program.id, after=after, count=count)
    if not found:
        return None, {}
    on = await customers.read_by_id(db, program_id=program.id, customers=found)
    due = {its_id for its_id, _ in await _due(db, program, on, await database_time(db))}
    return found[-1], {each.external_id: each.id for each in on if each.id in due}


async def _due(db: Db, program: Program, found: Sequence[Customer], now: datetime) -> list[tuple[int, ReferralAsk]]:
    """Read which open milestones of customers are to be announced now, with the customers' internal ids."""
    on = [each.id for each in found]
    known = await store.read(db, program_id=program.id, customers=on)
    held = await held_back(db, program_id=program.id, on=on, now=now)
    return [
        (each.id, ask)
        for each in found
        if each.id not in held
        for ask in open_now(program, each, known[each.id], now)
        if ask.announced_at is None
    ]


async def programs_waiting(db: Db) -> list[int]:
    """Read the programs with milestones that wait to be announced."""
    return await store.programs_waiting(db)


async def merge(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let a record have the milestones of the one that goes into it; both are locked."""
    known = await store.read(db, program_id=program_id, customers=[source, target])
    if known[source]:
        both = [(target, each) for each in merged(known[source], known[target])]
        await store.remove(db, program_id=program_id, customers=[source, target])
        await write_together(db, [store.adding(program_id, both)])


async def forget(db: Db, *, program_id: int, records: Sequence[int]) -> None:
    """Remove the milestones of records; they are locked."""
    await store.remove(db, program_id=program_id, customers=records)


async def export(db: Db, *, program_id: int, records: Sequence[int]) -> list[ReferralAsk]:
    """Give the milestones of records."""
    found = await store.read(db, program_id=program_id, customers=records)
    return [each for record in records for each in found[record]]
