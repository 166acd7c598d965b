"""Customers' rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.rules import Balance, Customer, Profile, Standing, ending_next, standing_of
from service.platform.claims import Claim, ClaimKind
from service.platform.statements import Db, RowsMissing, Write, load

_STATEMENTS = load(__file__)
_OPEN, _LOOK = _STATEMENTS["booking_open"].sql, _STATEMENTS["booking_look"].sql


async def open_booking(
    db: Db, *, program_id: int, facts: Sequence[tuple[str, str]], kind: ClaimKind, lock: bool = True
) -> tuple[datetime, dict[str, Customer], dict[str, Claim]]:
    """Lock the customers of facts, given as pairs of `customer_id` and the fact's id.

    Gives the database's time after all locks were had, the customers by the callers' ids, and the claims by the facts'
    ids; what is unknown is missing. Ids of records that went into others stand for those. Without `lock` it only looks.
    Raises RowsMissing where a customer was merged or erased while the lock was waited for: begin again.
    """
    customer_ids = [customer_id for customer_id, _ in facts]
    fact_ids = [fact_id for _, fact_id in facts]
    rows = await db.fetch(_OPEN if lock else _LOOK, program_id, customer_ids, fact_ids, int(kind))
    customers, claims, others = dict[str, Customer](), dict[str, Claim](), dict[str, int]()
    for row in rows[:-1]:
        if row[0] is None:
            claims[row["claim_id"]] = Claim(row["claim_id"], row["content_hash"], row["subject_id"])
        elif row["claim_id"] is None:
            if lock and (row["external_id"] is None or row["merged_into"] is not None):
                msg = "a customer was merged or erased meanwhile"
                raise RowsMissing(msg)
            customers[row[2]] = _customer(row)
        else:
            others[row["claim_id"]] = row[0]
    if lock:
        by_id = {customer.id: customer for customer in customers.values()}
        customers |= {name: by_id[other] for name, other in others.items()}
    else:
        merged = [name for name, customer in customers.items() if customer.merged_into is not None]
        if merged:
            found = await read(db, program_id=program_id, customer_ids=merged)
            customers = {name: each for name, each in customers.items() if each.merged_into is None} | found
    return rows[-1]["now"], customers, claims


def _customer(row: Record) -> Customer:
    return Customer(row[0], row[2], row[3], Balance(*row[4:8]), *row[8:27], written_by=row[1])


async def reserve_ids(db: Db, *, count: int) -> list[int]:
    """Take internal ids for customers to enrol."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["customer_reserve"].sql, count)]


def inserting(program_id: int, customers: Sequence[Customer]) -> Write:
    """Add the rows of new customers. One that somebody else enrolled meanwhile writes no row."""
    return Write(_STATEMENTS["customer_insert"], (program_id, _rows(customers)), len(customers))


def updating(program_id: int, customers: Sequence[Customer]) -> Write:
    """Write the rows of customers, in the order of their ids. One that isn't any more as it was read writes no row."""
    return Write(_STATEMENTS["customer_update"], (program_id, sorted(_rows(customers))), len(customers))


def _rows(customers: Sequence[Customer]) -> Sequence[tuple[object, ...]]:
    return [
        (
            customer.id,
            customer.written_by,
            customer.external_id,
            customer.version,
            customer.balance.available,
            customer.balance.pending,
            customer.balance.held,
            customer.balance.debt,
            customer.lifetime_earned,
            customer.purchase_count,
            customer.first_purchase_at,
            customer.last_purchase_at,
            customer.enrolled_at,
            customer.next_due_at,
            customer.alive_until,
            customer.sliding,
            customer.next_expiry_at,
            customer.next_expiry_points,
            customer.notify_at,
            customer.limits_used,
            customer.tier,
            customer.tier_state,
            customer.tier_due_at,
            customer.open_referral,
            customer.surprises,
        )
        for customer in customers
    ]


async def read_by_id(db: Db, *, program_id: int, customers: Sequence[int | None]) -> list[Customer]:
    """Read customers by their internal ids, unlocked, as they are."""
    return [_customer(row) for row in await db.fetch(_STATEMENTS["customer_read_by_id"].sql, program_id, customers)]


async def read(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> dict[str, Customer]:
    """Read customers, unlocked; the unknown ones are missing. Ids of records that went into others stand for those."""
    rows = await db.fetch(_STATEMENTS["customer_read"].sql, program_id, customer_ids)
    return {row["named"]: _customer(row) for row in rows}


async def read_standings(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> dict[str, Standing]:
    """Read what customers have; the unknown ones are missing. Ids of records that went into others stand for those."""
    rows = await db.fetch(_STATEMENTS["standing_read"].sql, program_id, customer_ids)
    found = {
        row[0]: Standing(row[0], Balance(*row[1:5]), row[5], *ending_next(*row[6:10]), bool(row[10]), *row[12:16])
        for row in rows
        if row[11] is None
    }
    merged = [row[0] for row in rows if row[11] is not None]
    if merged:
        others = await read(db, program_id=program_id, customer_ids=merged)
        found |= {name: standing_of(each, is_due=each.next_due_at is not None) for name, each in others.items()}
    return found


async def merged_into(db: Db, *, program_id: int, customer_id: int) -> list[int]:
    """Read the internal ids of the records that went into one, sorted."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["merged_list"].sql, program_id, customer_id)]


async def lock_all(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Lock customers by their internal ids, sorted, whatever became of them."""
    await db.fetch(_STATEMENTS["merged_lock"].sql, program_id, customers)


async def merge(db: Db, *, program_id: int, merge_id: UUID, source: int, target: int, now: datetime) -> None:
    """Let a record, by its internal id, and all that went into it stand for another from now on. All are locked."""
    await db.execute(_STATEMENTS["customer_merge"].sql, program_id, source, target)
    await db.execute(_STATEMENTS["merge_insert"].sql, program_id, merge_id, source, target, now)


async def read_profile(db: Db, *, program_id: int, customer_id: int) -> Profile:
    """Read a customer's profile, an empty one where nothing was told."""
    row = await db.fetchrow(_STATEMENTS["profile_read"].sql, program_id, customer_id)
    return _profile(row) if row is not None else Profile()


async def keep_limits(db: Db, *, program_id: int, used: Mapping[int, str | None]) -> None:
    """Write what customers used of limits, by their internal ids; they are locked."""
    await db.execute(_STATEMENTS["limits_keep"].sql, program_id, list(used), list(used.values()))


async def keep_suppressed(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Write until when customers, who are locked, are suppressed."""
    await db.execute(_STATEMENTS["suppressed_keep"].sql, program_id, customers)


async def keep_surprises(db: Db, *, program_id: int, had: Mapping[int, str | None]) -> None:
    """Write what customers, who are locked, had of campaigns."""
    await db.execute(_STATEMENTS["surprises_keep"].sql, program_id, list(had), list(had.values()))


async def keep_tiers(
    db: Db, *, program_id: int, tiers: Mapping[int, tuple[str | None, str | None, datetime | None]]
) -> None:
    """Write customers' tiers, what they rest on, and when time changes something; they are locked."""
    columns = [[each[place] for each in tiers.values()] for place in range(3)]
    await db.execute(_STATEMENTS["tiers_keep"].sql, program_id, list(tiers), *columns)


async def keep_open_referrals(db: Db, *, program_id: int, referrals: Mapping[int, UUID | None]) -> None:
    """Write by which referrals customers came that are open, by their internal ids; they are locked."""
    sql = _STATEMENTS["open_referral_keep"].sql
    await db.execute(sql, program_id, list(referrals), list(referrals.values()))


async def read_profiles(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, Profile]:
    """Read the profiles of customers by their internal ids; those of whom nothing was told are missing."""
    rows = await db.fetch(_STATEMENTS["profile_list"].sql, program_id, customers)
    return {row["customer_id"]: _profile(row) for row in rows}


def _profile(row: Record) -> Profile:
    attributes = row["attributes"]
    return Profile(
        row["email"],
        row["phone"],
        row["name"],
        row["birthday"],
        row["locale"],
        msgspec.json.decode(attributes) if attributes else {},
    )


async def write_profile(db: Db, *, program_id: int, customer_id: int, profile: Profile) -> None:
    """Write a customer's profile whole. The customer must be locked."""
    await db.execute(
        _STATEMENTS["profile_write"].sql,
        program_id,
        customer_id,
        profile.email,
        profile.phone,
        profile.name,
        profile.birthday,
        profile.locale,
        msgspec.json.encode(profile.attributes).decode(),
    )


async def list_newest(
    db: Db, *, program_id: int, before: int, email: str | None, limit: int
) -> list[tuple[Customer, Profile]]:
    """Read up to `limit` customers with an internal id below `before`, newest first."""
    if email is None:
        rows = await db.fetch(_STATEMENTS["customer_list"].sql, program_id, before, limit)
    else:
        rows = await db.fetch(_STATEMENTS["customer_list_by_email"].sql, program_id, before, limit, email)
    return [(_customer(row), _profile(row)) for row in rows]


async def names(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, str]:
    """Read the callers' ids of records by their internal ids; who was erased is missing."""
    rows = await db.fetch(_STATEMENTS["customer_read_by_id"].sql, program_id, customers)
    return {row["id"]: row["external_id"] for row in rows if row["external_id"] is not None}


async def identity_key(db: Db, *, program_id: int) -> bytes:
    """Read the key with which a program hashes the identities that it erased."""
    key: bytes = await db.fetchval(_STATEMENTS["identity_key"].sql, program_id)
    return key


async def forget(
    db: Db, *, program_id: int, customers: Sequence[int], hashes: Sequence[tuple[str, bytes]], now: datetime
) -> None:
    """Empty the callers' ids of records, by their internal ids, and keep hashes by kind. The records are locked."""
    kinds, digests = [kind for kind, _ in hashes], [digest for _, digest in hashes]
    await db.execute(_STATEMENTS["identity_keep"].sql, program_id, kinds, digests, now)
    await db.execute(_STATEMENTS["customer_forget"].sql, program_id, customers, now)


async def any_erased(db: Db, *, program_id: int, hashes: Sequence[tuple[str, bytes]]) -> bool:
    """Tell whether one of these hashes is of an identity that was erased."""
    kinds, digests = [kind for kind, _ in hashes], [digest for _, digest in hashes]
    return bool(await db.fetchval(_STATEMENTS["identity_find"].sql, program_id, kinds, digests))


async def merged_records(db: Db, *, program_id: int, merge_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Read the internal ids of the records that went into others, by the ids of the merges."""
    rows = await db.fetch(_STATEMENTS["merge_sources"].sql, program_id, merge_ids)
    return {row["id"]: row["source_id"] for row in rows}
