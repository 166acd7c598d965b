"""Customers' rows."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from asyncpg import Record

from service.customers.rules import Balance, Customer, Profile, Standing, ending_next
from service.platform.claims import Claim, ClaimKind
from service.platform.statements import Db, Write, load

_STATEMENTS = load(__file__)
_OPEN, _LOOK = _STATEMENTS["booking_open"].sql, _STATEMENTS["booking_look"].sql


async def open_booking(
    db: Db, *, program_id: int, facts: Sequence[tuple[str, str]], kind: ClaimKind, lock: bool = True
) -> tuple[datetime, dict[str, Customer], dict[str, Claim]]:
    """Lock the customers of facts, given as pairs of `customer_id` and the fact's id.

    Gives the database's time after all locks were had, the customers by the callers' ids, and the claims by the facts'
    ids; what is unknown is missing. Without `lock` it only looks.
    """
    customer_ids = [customer_id for customer_id, _ in facts]
    fact_ids = [fact_id for _, fact_id in facts]
    rows = await db.fetch(_OPEN if lock else _LOOK, program_id, customer_ids, fact_ids, int(kind))
    customers: dict[str, Customer] = {}
    claims: dict[str, Claim] = {}
    for row in rows[:-1]:
        if row[0] is not None:
            customers[row[2]] = _customer(row)
        else:
            claims[row["claim_id"]] = Claim(row["claim_id"], row["content_hash"], row["subject_id"])
    return rows[-1]["now"], customers, claims


def _customer(row: Record) -> Customer:
    return Customer(row[0], row[2], row[3], Balance(*row[4:8]), *row[8:19], written_by=row[1])


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
        )
        for customer in customers
    ]


async def read(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> dict[str, Customer]:
    """Read customers, unlocked; the unknown ones are missing."""
    rows = await db.fetch(_STATEMENTS["customer_read"].sql, program_id, customer_ids)
    return {row[2]: _customer(row) for row in rows}


async def read_standings(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> dict[str, Standing]:
    """Read what customers have; the unknown ones are missing."""
    rows = await db.fetch(_STATEMENTS["standing_read"].sql, program_id, customer_ids)
    return {
        row[0]: Standing(row[0], Balance(*row[1:5]), row[5], *ending_next(*row[6:10]), is_due=bool(row[10]))
        for row in rows
    }


async def read_profile(db: Db, *, program_id: int, customer_id: int) -> Profile:
    """Read a customer's profile, an empty one where nothing was told."""
    row = await db.fetchrow(_STATEMENTS["profile_read"].sql, program_id, customer_id)
    return _profile(row) if row is not None else Profile()


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
