"""Noticing successes: the feed is gone through, and what customers have achieved is recorded, once for each milestone.

Nothing of it is done where a purchase is booked: the feed tells of it a moment later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.events import usecases as events
from service.events.kinds import EventKinds
from service.events.rules import Placed
from service.kernel.ids import IdSource
from service.kernel.times import Time
from service.platform.clock import database_time
from service.platform.statements import Db, RowsMissing, write_together
from service.programs.rules import Program
from service.referrals.asks import store, usecases
from service.referrals.asks.rules import (
    Reached,
    ReferralAsk,
    Success,
    asks_anybody,
    is_higher,
    may_be_fresh,
    own_offer,
    passed,
    reached,
    whole_bookings,
)
from service.tiers.book import ladder_at
from service.tiers.climbing import TIER_CHANGED
from service.tiers.rules import Reason

PURCHASE: Final = "purchase.rewarded"
ACTIVITY: Final = "activity.rewarded"
TYPES: Final = (PURCHASE, ACTIVITY, TIER_CHANGED)
AT_ONCE: Final = 200
"""Events that are looked at in one transaction, which locks those customers of them that have achieved something."""
_BY_FACTS: Final = frozenset({Reason.PURCHASE, Reason.ACTIVITY})
"""For which reasons a higher tier is a success of the customer's: not by new terms, by hand, by a merge."""


class Noticed(msgspec.Struct, frozen=True):
    """What a step came to: how many milestones were recorded, and whether there is more to look through."""

    milestones: int
    has_more: bool


class _Fact(msgspec.Struct):
    """What is told of a purchase or an activity, as far as it matters."""

    occurred_at: Time
    type: str | None = None


class _Climb(msgspec.Struct):
    """What is told of a change of a tier, likewise."""

    from_tier: str | None
    to_tier: str | None
    reason: Reason


async def programs_behind(db: Db) -> list[int]:
    """Read which programs have events that were not looked at."""
    last = await events.all_last_places(db)
    seen = await store.seen_of_all(db, program_ids=list(last))
    return [each for each, place in last.items() if place > seen[each]]


async def notice(db: Db, *, program: Program, kinds: EventKinds, entropy: int) -> Noticed:
    """Look at the next events of a program's feed, record the milestones that customers reached, and announce them.

    It begins with the first event that there ever was, since what is not fresh asks nobody; but where no offer asks
    now, all that is there is passed by. Raises RowsMissing where somebody else went on meanwhile: begin again.
    """
    before, now = await store.seen(db, program_id=program.id), await database_time(db)
    if not asks_anybody(program, now):
        last = (await events.last_places(db, program_ids=[program.id]))[program.id]
        await _go_on(db, program.id, before, last)
        return Noticed(0, has_more=False)
    read = await events.read(db, program_id=program.id, after=before, limit=AT_ONCE, types=TYPES)
    found, last = read.events, read.last
    if found and len(found) == AT_ONCE:
        found = whole_bookings(found)
        last = found[-1].position
    has_more = read.has_more or last < read.last
    reaching = await _successes(db, program, [each for each in found if may_be_fresh(each, now)], kinds, now)
    recorded = await _record(db, program, reaching, entropy) if reaching else 0
    await _go_on(db, program.id, before, last)  # the row of all comes last
    return Noticed(recorded, has_more=has_more)


async def _go_on(db: Db, program_id: int, before: int, last: int) -> None:
    if last > before:
        await write_together(db, [store.going_on(program_id, before, last)])


async def _successes(
    db: Db, program: Program, found: Sequence[Placed], kinds: EventKinds, now: datetime
) -> Mapping[str, tuple[int, list[Success]]]:
    """Read which customers, by the callers' ids and with the internal ones, may have come to something new by events.

    Most have not, and nothing more is read of those.
    """
    records = sorted({each.customer_id for each in found if each.customer_id is not None})
    standing = await customers.standing_for(db, program_id=program.id, records=records) if records else {}
    known = await store.read(db, program_id=program.id, customers=sorted({each.id for each in standing.values()}))
    by_customer = defaultdict[int, list[Placed]](list)
    owners = dict[int, Customer]()
    for event in found:
        owner = None if event.customer_id is None else standing.get(event.customer_id)
        if owner is not None and owner.external_id:  # who was erased has none
            owners[owner.id] = owner
            by_customer[owner.id].append(event)
    candidates = {
        its_id: those
        for its_id, those in by_customer.items()
        if _may_come_to_something(program, owners[its_id], those, known[its_id], now)
    }
    told = await kinds.tell(
        db, program_id=program.id, events=[event for those in candidates.values() for event in those]
    )
    data = {each.position: each.data for each in told}
    result = dict[str, tuple[int, list[Success]]]()
    for its_id, those in candidates.items():
        customer = owners[its_id]
        successes = _told(program, those, data, now)
        if _reached(program, customer, successes, known[its_id], now):
            result[customer.external_id] = (its_id, successes)
    return result


def _may_come_to_something(
    program: Program, customer: Customer, those: Sequence[Placed], known: Sequence[ReferralAsk], now: datetime
) -> bool:
    """Tell whether it is worth to read what events tell of a customer."""
    offer = own_offer(program, customer.tier, now)
    if offer is None:
        return False
    ask, types = offer.content.ask, {each.type for each in those}
    return bool(
        (ask.tiers and TIER_CHANGED in types)
        or (ask.activities and ACTIVITY in types)
        or (PURCHASE in types and passed(ask, _by(customer, known)))
    )


def _by(customer: Customer, known: Sequence[ReferralAsk]) -> Reached:
    return Reached(customer.purchase_count, customer.tier, {each.milestone for each in known})


def _reached(
    program: Program, customer: Customer, successes: Sequence[Success], known: Sequence[ReferralAsk], now: datetime
) -> list[ReferralAsk]:
    offer = own_offer(program, customer.tier, now)
    if offer is None:
        return []
    return reached(offer.content.ask, successes, _by(customer, known), ladder_at(program, now), now)


def _told(
    program: Program, those: Sequence[Placed], data: Mapping[int, dict[str, Any]], now: datetime
) -> list[Success]:
    """Give the successes that events of one customer tell of. A higher tier is as old as the fact that led to it."""
    facts, found = dict[datetime, datetime](), list[Success]()
    for each in those:
        if each.type != TIER_CHANGED and data[each.position]:
            fact = msgspec.convert(data[each.position], _Fact)
            found.append(Success(fact.occurred_at, type=fact.type if each.type == ACTIVITY else None))
            newest = facts.get(each.recorded_at)
            facts[each.recorded_at] = fact.occurred_at if newest is None else max(newest, fact.occurred_at)
    ladder = ladder_at(program, now)
    for each in those:
        if each.type == TIER_CHANGED and data[each.position] and ladder is not None and each.recorded_at in facts:
            climb = msgspec.convert(data[each.position], _Climb)
            if climb.reason in _BY_FACTS and is_higher(ladder, climb.from_tier, climb.to_tier):
                found.append(Success(facts[each.recorded_at], tier=climb.to_tier))
    return found


async def _record(db: Db, program: Program, reaching: Mapping[str, tuple[int, Sequence[Success]]], entropy: int) -> int:
    """Lock the customers, look again what they have come to, record it, and announce what nothing stands against."""
    opened = await customers.lock(db, program_id=program.id, customer_ids=sorted(reaching))
    now, ids = opened.now, IdSource(opened.now, entropy)
    for name, (its_id, _) in reaching.items():
        if name not in opened.customers or opened.customers[name].id != its_id:
            msg = "a customer was merged or erased meanwhile"
            raise RowsMissing(msg)
    on = [its_id for its_id, _ in reaching.values()]
    known = await store.read(db, program_id=program.id, customers=on)
    held = await usecases.held_back(db, program_id=program.id, on=on, now=now)
    rows, due = list[tuple[int, ReferralAsk]](), list[tuple[int, ReferralAsk]]()
    for name, (its_id, successes) in reaching.items():
        customer = opened.customers[name]
        new = _reached(program, customer, successes, known[its_id], now)
        is_open = {each.milestone for each in usecases.open_now(program, customer, [*known[its_id], *new], now)}
        for each in new:
            is_due = each.milestone in is_open and its_id not in held
            row = msgspec.structs.replace(each, announced_at=now) if is_due else each
            rows.append((its_id, row))
            due += [(its_id, row)] if is_due else []
    await write_together(
        db, [store.adding(program.id, rows), *usecases.announcements(program.id, due, ids=ids, now=now)]
    )
    return len(rows)
