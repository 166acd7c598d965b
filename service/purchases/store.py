"""Rows of purchases, refunds and activities. They are facts: added and never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from service.customers.rules import Balance
from service.earning.limits import PastPeriod
from service.earning.rules import Line
from service.platform.claims import ClaimKind
from service.platform.statements import Db, Write, load
from service.points.facts import Booking
from service.points.rules import Reversed
from service.purchases.counting import CountedPurchase
from service.purchases.counting import not_taken as not_taken_by
from service.purchases.engaging import Activity, ActivityEarnings
from service.purchases.refunding import Refunded
from service.purchases.rules import Earnings, Item, Purchase, Seen
from service.purchases.simulating import GivenLine
from service.referrals.claiming import Told
from service.referrals.rules import Fact
from service.surprises.gifts import ToldSurprise
from service.tiers.climbing import TierName

_STATEMENTS = load(__file__)
_decode_lines = msgspec.json.Decoder(list[Line]).decode
_decode_items = msgspec.json.Decoder(list[Item]).decode
_decode_seen = msgspec.json.Decoder(Seen).decode
_decode_tier = msgspec.json.Decoder(TierName).decode
_decode_told = msgspec.json.Decoder(Told).decode
_decode_state = msgspec.json.Decoder(Refunded).decode
_decode_given = msgspec.json.Decoder(list[GivenLine]).decode
_decode_surprises = msgspec.json.Decoder(tuple[ToldSurprise, ...]).decode
_encoder = msgspec.json.Encoder()


class Recorded(msgspec.Struct, frozen=True):
    """A purchase as it stands, with what it was answered with."""

    purchase: Purchase
    earnings: Earnings
    recorded_at: datetime
    row_id: UUID
    """The id of its row, and of the transfer and the lot that it earned."""
    owner: int
    """The customer whose it is now, by the internal id: after a merge another one than it was reported for."""
    is_erased: bool = False
    """Its customer was erased; `customer_id` is None then."""


class RecordedActivity(msgspec.Struct, frozen=True):
    """An activity as it stands, with what it was answered with; its customer is empty where it was erased."""

    id: str
    customer_id: str | None
    type: str
    properties: dict[str, Any]
    earnings: ActivityEarnings
    occurred_at: datetime
    recorded_at: datetime
    row_id: UUID


class Booked(msgspec.Struct, frozen=True):
    """A purchase as a simulation looks back at it; what it was, and gave, only where that is asked for.

    Its ids, the referral code and the metadata are not read. Refunds took back so many of its points.
    """

    id: UUID
    customer: int
    occurred_at: datetime
    purchase: Purchase | None = None
    lines: Sequence[GivenLine] = ()
    taken_back: int = 0


class Refund(msgspec.Struct, frozen=True):
    """A refund that is booked, with what it is answered with."""

    id: UUID
    external_id: str
    amount: int
    taken: Reversed
    restored: int
    state: Refunded
    balance: Balance
    occurred_at: datetime
    replayed: bool = False


def _text(content: object) -> str:
    return _encoder.encode(content).decode()


def adding(program_id: int, bookings: Sequence[Booking[Purchase, Earnings]], recorded_at: datetime) -> Write:
    """Add purchases with what they are answered with."""
    rows = [_row(booking.id, booking.customer, booking.draft.content, booking.answer) for booking in bookings]
    return Write(_STATEMENTS["purchase_insert"], (program_id, recorded_at, rows), len(rows))


def _row(row_id: UUID, customer_id: int, purchase: Purchase, earnings: Earnings) -> tuple[object, ...]:
    balance = earnings.balance
    return (
        customer_id,
        row_id,
        purchase.id,
        purchase.currency,
        purchase.total,
        purchase.tax,
        purchase.shipping,
        purchase.points_paid,
        purchase.channel,
        purchase.referral_code,
        _text(purchase.items),
        _text(purchase.metadata),
        earnings.earned,
        earnings.pending,
        _text(earnings.lines),
        balance.available,
        balance.pending,
        balance.held,
        balance.debt,
        purchase.occurred_at,
        None if earnings.seen is None else _text(earnings.seen),
        None if earnings.tier is None else _text(earnings.tier),
        None if earnings.referral is None else _text(earnings.referral),
        _text(earnings.surprises) if earnings.surprises else None,
    )


def _reward(row: Record) -> Earnings:
    balance = Balance(row["available_after"], row["pending_after"], row["held_after"], row["debt_after"])
    seen = None if row["seen"] is None else _decode_seen(row["seen"])
    tier = None if row["tier"] is None else _decode_tier(row["tier"])
    told = row.get("referral")  # activities have none
    referral = None if told is None else _decode_told(told)
    drawn = row.get("surprises")
    lines, surprises = _decode_lines(row["lines"]), () if drawn is None else _decode_surprises(drawn)
    return Earnings(row["earned"], row["pending"], lines, balance, seen, tier, referral, surprises)


async def earnings(db: Db, program_id: int, row_ids: Sequence[UUID]) -> dict[UUID, Earnings | None]:
    """Read what purchases were answered with, by the ids of their rows; None for those of erased customers."""
    rows = await db.fetch(_STATEMENTS["purchase_earnings"].sql, program_id, row_ids)
    return {row["id"]: None if row["is_erased"] else _reward(row) for row in rows}


async def read(db: Db, program_id: int, purchase_id: str) -> Recorded | None:
    """Read a purchase by the caller's id."""
    row = await db.fetchrow(_STATEMENTS["purchase_read"].sql, program_id, int(ClaimKind.PURCHASE), purchase_id)
    return None if row is None else _recorded(row)


async def read_many(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> list[Recorded]:
    """Read purchases by the ids of their rows, the oldest first."""
    return [_recorded(row) for row in await db.fetch(_STATEMENTS["purchase_list"].sql, program_id, purchase_ids)]


def _recorded(row: Record) -> Recorded:
    purchase = Purchase(*row[:10], items=_decode_items(row["items"]), metadata=msgspec.json.decode(row["metadata"]))
    is_erased = row["customer_id"] is None
    return Recorded(purchase, _reward(row), row["recorded_at"], row["id"], row["owner_id"], is_erased)


async def past_use(db: Db, *, program_id: int, periods: Sequence[PastPeriod]) -> list[list[int]]:
    """Count points and times that rules gave customers in periods, with the records that went into them."""
    rows = await db.fetch(_STATEMENTS["past_use"].sql, program_id, periods)
    return [[row["points"], row["times"]] for row in rows]


async def booked_tally(
    db: Db, *, program_id: int, after: UUID, since: datetime, until: datetime
) -> tuple[list[tuple[int, int, int]], UUID | None]:
    """Count a page of purchases booked behind an id: by customers how many, and how many of a period; and its last id.

    None where there are none.
    """
    rows = await db.fetch(_STATEMENTS["booked_tally"].sql, program_id, after, since, until)
    return [(row[0], row[1], row[2]) for row in rows], rows[0]["last_id"] if rows else None


async def booked_page(db: Db, *, program_id: int, after: UUID, since: datetime, until: datetime) -> list[Booked]:
    """Read a page of purchases booked behind an id, the first booked first; what they are only of those of a period."""
    rows = await db.fetch(_STATEMENTS["booked_page"].sql, program_id, after, since, until)
    if not rows:
        return []
    refunds = await db.fetch(_STATEMENTS["booked_refunds"].sql, program_id, after, rows[-1]["id"])
    taken_back = {row[0]: row[1] for row in refunds}
    return [_booked(row, taken_back.get(row["id"], 0)) for row in rows]


def _booked(row: Record, taken_back: int) -> Booked:
    row_id, customer, occurred_at = row["id"], row["customer_id"], row["occurred_at"]
    if not row["within"]:
        return Booked(row_id, customer, occurred_at)
    purchase = Purchase(
        "",
        "",
        row["currency"],
        row["total"],
        occurred_at,
        row["tax"],
        row["shipping"],
        row["points_paid"],
        row["channel"],
        items=_decode_items(row["items"]),
    )
    return Booked(row_id, customer, occurred_at, purchase, _decode_given(row["lines"]), taken_back)


async def booked_before(
    db: Db, *, program_id: int, before: UUID, customers: Sequence[int]
) -> dict[int, tuple[datetime, datetime]]:
    """Read when the first and the last purchase of customers occurred that was booked before an id."""
    rows = await db.fetch(_STATEMENTS["booked_before"].sql, program_id, before, customers)
    return {row[0]: (row[1], row[2]) for row in rows}


async def without_points(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the ids of the purchases that earned nothing, by the customers' internal ids."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["purchase_without_points"].sql, program_id, customers)]


async def empty(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> None:
    """Empty what callers worded freely in purchases and what refunds remember of it, for an erasure."""
    for statement in ("purchase_empty", "refund_empty"):
        await db.execute(_STATEMENTS[statement].sql, program_id, purchase_ids)


async def forget_codes(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> None:
    """Forget the codes that purchases came with, for an erasure of whose they were."""
    await db.execute(_STATEMENTS["purchase_forget_code"].sql, program_id, purchase_ids)


def adding_refund(program_id: int, customer_id: int, purchase_id: UUID, refund: Refund, recorded_at: datetime) -> Write:
    """Add a refund with what it is answered with."""
    balance, taken = refund.balance, refund.taken
    row = (
        program_id,
        customer_id,
        refund.id,
        refund.external_id,
        purchase_id,
        refund.amount,
        taken.from_lots,
        taken.to_debt,
        taken.written_off,
        refund.restored,
        _text(refund.state),
        balance.available,
        balance.pending,
        balance.held,
        balance.debt,
        refund.occurred_at,
        recorded_at,
    )
    return Write(_STATEMENTS["refund_insert"], row, 1)


async def refunds(db: Db, *, program_id: int, purchase_id: UUID) -> list[Refund]:
    """Read the refunds of a purchase, by the id of its row, the oldest first."""
    found = await refunds_of_many(db, program_id=program_id, purchase_ids=[purchase_id])
    return [refund for _, refund in found]


async def refunds_of_many(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> list[tuple[UUID, Refund]]:
    """Read the refunds of purchases, by the ids of their rows, each with that id; the oldest first."""
    rows = await db.fetch(_STATEMENTS["refund_list"].sql, program_id, purchase_ids)
    return [(row["purchase_id"], _refund(row)) for row in rows]


def _refund(row: Record) -> Refund:
    taken, balance = Reversed(row[3], row[4], row[5]), Balance(*row[8:12])
    return Refund(row[0], row[1], row[2], taken, row[6], _decode_state(row[7]), balance, row[12])


def adding_activities(
    program_id: int, bookings: Sequence[Booking[Activity, ActivityEarnings]], recorded_at: datetime
) -> Write:
    """Add activities with what they are answered with; one without a time occurred when it was recorded."""
    rows = [
        (
            each.customer,
            each.id,
            each.draft.id,
            each.draft.content.type,
            each.answer.type_version,
            _text(each.draft.content.properties),
            each.answer.earned,
            each.answer.pending,
            _text(each.answer.lines),
            *msgspec.structs.astuple(each.answer.balance),
            None if each.answer.seen is None else _text(each.answer.seen),
            each.draft.content.occurred_at or recorded_at,
            None if each.answer.tier is None else _text(each.answer.tier),
        )
        for each in bookings
    ]
    return Write(_STATEMENTS["activity_insert"], (program_id, recorded_at, rows), len(rows))


async def activity_earnings(db: Db, program_id: int, row_ids: Sequence[UUID]) -> dict[UUID, ActivityEarnings | None]:
    """Read what activities were answered with, by the ids of their rows; None for those of erased customers."""
    found = await activities(db, program_id=program_id, activity_ids=row_ids)
    return {each.row_id: None if each.customer_id is None else each.earnings for each in found}


async def read_activity(db: Db, program_id: int, activity_id: str) -> RecordedActivity | None:
    """Read an activity by the caller's id."""
    row = await db.fetchrow(_STATEMENTS["activity_read"].sql, program_id, int(ClaimKind.ACTIVITY), activity_id)
    return None if row is None else _activity(row)


async def activities(db: Db, *, program_id: int, activity_ids: Sequence[UUID]) -> list[RecordedActivity]:
    """Read activities by the ids of their rows, the oldest first."""
    return [_activity(row) for row in await db.fetch(_STATEMENTS["activity_list"].sql, program_id, activity_ids)]


async def activities_of(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the ids of the activities of customers, by their internal ids."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["activity_of"].sql, program_id, customers)]


async def empty_activities(db: Db, *, program_id: int, customers: Sequence[int]) -> None:
    """Empty the properties of activities, for an erasure."""
    await db.execute(_STATEMENTS["activity_empty"].sql, program_id, customers)


def _activity(row: Record) -> RecordedActivity:
    reward = _reward(row)
    earned = ActivityEarnings(*msgspec.structs.astuple(reward), type_version=row["type_version"])
    properties = msgspec.json.decode(row["properties"])
    its_id, customer_id, type_, *_, occurred_at, recorded_at, row_id = row
    return RecordedActivity(its_id, customer_id, type_, properties, earned, occurred_at, recorded_at, row_id)


async def purchases_since(
    db: Db, *, program_id: int, customers: Sequence[int], since: datetime
) -> list[CountedPurchase]:
    """Read the purchases of customers from a moment on, and where their refunds led, with those of merged records."""
    rows = await db.fetch(_STATEMENTS["purchases_since"].sql, program_id, customers, since)
    return [
        CountedPurchase(
            row["owner_id"],
            row["occurred_at"],
            row["currency"],
            row["total"],
            _decode_items(row["items"]),
            _decode_lines(row["lines"]),
            max(map(_decode_state, row["states"] or ()), key=lambda state: state.extent, default=None),
        )
        for row in rows
    ]


async def activities_since(
    db: Db, *, program_id: int, customers: Sequence[int], since: datetime
) -> list[tuple[int, datetime, int]]:
    """Read what activities of customers earned from a moment on: whose, when, how many points."""
    rows = await db.fetch(_STATEMENTS["activities_since"].sql, program_id, customers, since)
    return [(row["owner_id"], row["occurred_at"], row["earned"]) for row in rows]


async def not_taken(db: Db, *, program_id: int, purchase_ids: Sequence[str]) -> dict[str, int]:
    """Read how many points refunds of purchases did not take back, since they had ended, by the callers' ids."""
    rows = await db.fetch(_STATEMENTS["refunds_of_named"].sql, program_id, int(ClaimKind.PURCHASE), purchase_ids)
    taken, states = dict[str, list[Reversed]](), dict[str, list[Refunded]]()
    for row in rows:
        taken.setdefault(row["id"], []).append(Reversed(*row[1:4]))
        states.setdefault(row["id"], []).append(_decode_state(row["state"]))
    return {
        its_id: not_taken_by(max(each, key=lambda state: state.extent).reversed_points, taken[its_id])
        for its_id, each in states.items()
    }


async def news_of_purchases(db: Db, *, program_id: int, purchase_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of purchases, by the ids of their rows."""
    return await db.fetch(_STATEMENTS["purchase_news"].sql, program_id, purchase_ids)


async def news_of_refunds(db: Db, *, program_id: int, refund_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of refunds, by the ids of their rows."""
    return await db.fetch(_STATEMENTS["refund_news"].sql, program_id, refund_ids)


async def facts_of_referees(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[int, list[Fact]]:
    """Read all purchases of customers with what is left of them after refunds, and their activities."""
    found = dict[int, list[Fact]]()
    for row in await db.fetch(_STATEMENTS["facts_of_referees"].sql, program_id, customers):
        left = row["total"] - row["returned"]
        is_returned = row["type"] is None and row["returned"] > 0 and left <= 0
        fact = Fact(row["id"], row["occurred_at"], left, row["currency"], row["type"], is_returned)
        found.setdefault(row["owner_id"], []).append(fact)
    return found
