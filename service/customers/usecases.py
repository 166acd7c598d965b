"""What can be done with customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.customers import store
from service.customers.rules import Customer, Profile, ProfileChange, Standing, changed, newcomer, reference
from service.customers.suppressions import store as suppressions
from service.customers.suppressions.rules import SuppressionReason
from service.events.rules import Named
from service.kernel.errors import NotFound
from service.kernel.ids import IdSource
from service.platform.claims import Claim, ClaimKind
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, Write, write_together

CUSTOMER_ENROLLED = "customer.enrolled"
CUSTOMER_CHANGED = "customer.changed"
GREATEST_INTERNAL_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Opened:
    """A booking that is open: its customers are locked until the transaction ends."""

    now: datetime
    """The database's time, after all locks were had. No decision rests on another clock."""
    customers: dict[str, Customer]
    """By the callers' ids; the unknown ones are missing."""
    claims: dict[str, Claim]
    """By the facts' ids; the new ones are missing."""


async def open_booking(
    db: Db, *, program_id: int, facts: Sequence[tuple[str, str]], kind: ClaimKind, lock: bool = True
) -> Opened:
    """Begin a booking: lock the customers of facts, pairs of `customer_id` and the fact's id, and tell the time.

    Without `lock` it only looks, for a quote.
    """
    return Opened(*await store.open_booking(db, program_id=program_id, facts=facts, kind=kind, lock=lock))


async def lock(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> Opened:
    """Begin a booking that reports no fact: lock customers by the callers' ids, and tell the time."""
    facts = [(customer_id, "") for customer_id in customer_ids]  # no fact has an empty id
    return await open_booking(db, program_id=program_id, facts=facts, kind=ClaimKind.PURCHASE)


async def enrol(db: Db, *, customer_ids: Sequence[str], now: datetime) -> dict[str, Customer]:
    """Prepare unknown customers with ids of their own; `storing` adds their rows, once it is sure that they come in."""
    internal_ids = await store.reserve_ids(db, count=len(customer_ids))
    return {
        external_id: newcomer(internal_id, external_id, now)
        for internal_id, external_id in zip(internal_ids, customer_ids, strict=True)
    }


def storing(program_id: int, customers: Sequence[Customer]) -> list[Write]:
    """Write customers as a booking left them: new values for the known ones, rows for the new ones.

    A new one that somebody else enrolled meanwhile makes the write raise RowsMissing: roll back and begin again. The
    known ones come first, since a booking with locks has theirs before it enrols anybody: the other way round a
    booking at once would hold a new one while it waits for a known one, and the two could wait for each other.
    """
    new = [customer for customer in customers if customer.is_new]
    known = [customer for customer in customers if not customer.is_new]
    return [store.updating(program_id, known), store.inserting(program_id, new)]


def enrolments(customers: Sequence[Customer], ids: IdSource) -> list[Event]:
    """Tell of the new ones among customers that they were enrolled."""
    return [_event(CUSTOMER_ENROLLED, customer, ids) for customer in customers if customer.is_new]


def _event(kind: str, customer: Customer, ids: IdSource) -> Event:
    event_id = ids.next()
    return Event(id=event_id, type=kind, customer_id=customer.id, subject_id=event_id)


async def read(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> dict[str, Customer]:
    """Read customers, unlocked; the unknown ones are missing."""
    return await store.read(db, program_id=program_id, customer_ids=customer_ids)


async def read_by_id(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Customer]:
    """Read customers by their internal ids, unlocked."""
    return await store.read_by_id(db, program_id=program_id, customers=customers)


async def standing_for(db: Db, *, program_id: int, records: Sequence[int]) -> dict[int, Customer]:
    """Read, unlocked, the records that stand now for others or themselves, by the internal ids of these."""
    found = await store.read_by_id(db, program_id=program_id, customers=records)
    into = sorted({each.merged_into for each in found if each.merged_into is not None})
    others = (
        {each.id: each for each in await store.read_by_id(db, program_id=program_id, customers=into)} if into else {}
    )
    return {each.id: each if each.merged_into is None else others[each.merged_into] for each in found}


async def all_ids(db: Db, *, program_id: int, customer: Customer) -> list[int]:
    """Give a customer's internal id and those of the records that went into this one."""
    return [customer.id, *await store.merged_into(db, program_id=program_id, customer_id=customer.id)]


async def read_standings(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> dict[str, Standing]:
    """Read what customers have; the unknown ones are missing."""
    return await store.read_standings(db, program_id=program_id, customer_ids=customer_ids)


async def put(
    db: Db, *, program_id: int, customer_id: str, change: ProfileChange, entropy: int
) -> tuple[Customer, Profile, bool]:
    """Enrol a customer or change the profile; tells whether the customer is new. Raises Invalid, RowsMissing."""
    opened = await lock(db, program_id=program_id, customer_ids=[customer_id])
    ids = IdSource(opened.now, entropy)
    customer, before = opened.customers.get(customer_id), Profile()
    if customer is None:
        customer = (await enrol(db, customer_ids=[customer_id], now=opened.now))[customer_id]
    else:
        before = await store.read_profile(db, program_id=program_id, customer_id=customer.id)
    profile = changed(before, change, (opened.now + timedelta(days=1)).date())
    events = enrolments([customer], ids)
    if profile != before and not customer.is_new:
        events = [_event(CUSTOMER_CHANGED, customer, ids)]
    enrolled = [customer] if customer.is_new else []  # the profile has a row of its own: a known customer's stays
    await write_together(db, [*storing(program_id, enrolled), announcing(program_id, events, opened.now)])
    if profile != before:
        await store.write_profile(db, program_id=program_id, customer_id=customer.id, profile=profile)
    return customer, profile, customer.is_new


async def get(db: Db, *, program_id: int, customer_id: str) -> tuple[Customer, Profile]:
    """Read a customer with the profile. Raises NotFound."""
    customers = await store.read(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in customers:
        raise NotFound
    customer = customers[customer_id]
    return customer, await store.read_profile(db, program_id=program_id, customer_id=customer.id)


async def keep_limits(db: Db, *, program_id: int, used: Mapping[int, str | None]) -> None:
    """Write what customers used of limits, by their internal ids; they are locked."""
    await store.keep_limits(db, program_id=program_id, used=used)


async def keep_tiers(
    db: Db, *, program_id: int, tiers: Mapping[int, tuple[str | None, str | None, datetime | None]]
) -> None:
    """Write the tiers of customers by their internal ids: the tier, what it rests on, when time changes something."""
    await store.keep_tiers(db, program_id=program_id, tiers=tiers)


async def keep_open_referrals(db: Db, *, program_id: int, referrals: Mapping[int, UUID | None]) -> None:
    """Write by which referrals customers came that are open, by their internal ids; they are locked."""
    await store.keep_open_referrals(db, program_id=program_id, referrals=referrals)


async def keep_suppressed(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Note in the rows of customers, who are locked, until when they are suppressed, after a change of that."""
    await store.keep_suppressed(db, program_id=program_id, customers=customers)


async def keep_surprises(db: Db, *, program_id: int, had: Mapping[int, str | None]) -> None:
    """Write what customers had of campaigns, by their internal ids; they are locked."""
    await store.keep_surprises(db, program_id=program_id, had=had)


async def secret(db: Db, *, program_id: int) -> bytes:
    """Read the program's own secret, under which customers have other names than their own. It never changes."""
    return await store.identity_key(db, program_id=program_id)


async def read_profiles(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, Profile]:
    """Read the profiles of customers by their internal ids, unlocked; those of whom nothing was told are missing."""
    return await store.read_profiles(db, program_id=program_id, customers=customers)


async def suppressed(
    db: Db, *, program_id: int, customers: Sequence[int], now: datetime
) -> dict[int, list[SuppressionReason]]:
    """Read why customers, by their internal ids, get no message and no surprise at `now`, the database's time.

    Those for whom no reason holds are missing. A record that went into another one is suppressed as that is. Only who
    holds the customers' locks can be sure that it stays so.
    """
    return await suppressions.reasons(db, program_id=program_id, customers=customers, now=now)


async def list_newest(
    db: Db, *, program_id: int, before: int | None, email: str | None, limit: int
) -> list[tuple[Customer, Profile]]:
    """Read up to `limit` + 1 customers, newest first, behind the internal id `before`."""
    top = GREATEST_INTERNAL_ID if before is None else before
    return await store.list_newest(db, program_id=program_id, before=top, email=email, limit=limit + 1)


async def named(db: Db, program_id: int, customers: Sequence[int]) -> dict[int, Named]:
    """Read how customers are named to those outside, by their internal ids: also who was erased keeps the reference."""
    key = await store.identity_key(db, program_id=program_id)
    names = await store.names(db, program_id=program_id, customers=customers)
    return {each: Named(reference(key, each), names.get(each)) for each in customers}
