"""Rows of payments, their reversals, and credit notes. They are facts: added and never changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from service.earning.limits import PastPeriod
from service.invoices.bills import TaxGroup
from service.invoices.discounts import GroupDiscount
from service.invoices.documents import Accepted, Charge, CreditNote, Payment, Reversal, Rewards, Settled
from service.invoices.paying import PaymentReport
from service.invoices.settling import Missed, Settlement
from service.invoices.store import text_of
from service.platform.claims import ClaimKind
from service.platform.statements import Db, Write, load
from service.points.facts import Booking
from service.programs.payment_terms import PaymentMode

_STATEMENTS = load(__file__)


class _Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a settlement beside its amounts."""

    mode: PaymentMode
    groups: tuple[TaxGroup, ...] = ()
    tolerated: bool = False
    missed: Missed | None = None


_decode_details = msgspec.json.Decoder(_Details).decode
_decode_rewards = msgspec.json.Decoder(Rewards).decode
_decode_reversal = msgspec.json.Decoder(Reversal).decode
_decode_charge = msgspec.json.Decoder(Charge).decode


def adding_payments(
    program_id: int, bookings: Sequence[Booking[PaymentReport, Accepted]], recorded_at: datetime
) -> Write:
    """Add payments, with the points that they are answered with."""
    rows = [_payment_row(each) for each in bookings]
    return Write(_STATEMENTS["payment_insert"], (program_id, recorded_at, rows), len(rows))


def _payment_row(booking: Booking[PaymentReport, Accepted]) -> tuple[object, ...]:
    its, rewards = booking.draft.content, booking.answer.rewards
    mode = None if its.mode is None else its.mode.value
    told = (its.paid_on, booking.answer.currency, its.amount, mode, its.is_single)
    return (booking.id, its.id, booking.customer, *told, rewards.earned, text_of(rewards), booking.answer.occurred_at)


def adding_settlements(program_id: int, settled: Sequence[tuple[UUID, PaymentReport, Accepted]]) -> Write:
    """Add what payments, by the ids of their rows, came to on invoices."""
    rows = [
        _settlement_row(payment_id, report, place, each)
        for payment_id, report, accepted in settled
        for place, each in enumerate(accepted.settled)
    ]
    return Write(_STATEMENTS["settlement_insert"], (program_id, rows), len(rows))


def _settlement_row(payment_id: UUID, report: PaymentReport, place: int, settled: Settled) -> tuple[object, ...]:
    its = settled.settlement
    amounts = (its.amount, its.settled, its.discount, its.tax_reduction, its.overpaid, its.remaining, its.points)
    details = text_of(_Details(settled.mode, settled.by_group, its.tolerated, its.missed))
    days = (report.paid_on, its.last_day, details, its.closes, settled.is_early)
    return (payment_id, settled.invoice, place, *amounts, *days)


async def answers(db: Db, program_id: int, payment_ids: Sequence[UUID]) -> Mapping[UUID, Accepted | None]:
    """Read what payments were answered with; None for those of erased customers."""
    rows = await db.fetch(_STATEMENTS["payment_answers"].sql, program_id, payment_ids)
    return {
        payment_id: None if its[0]["is_erased"] else _accepted(its)
        for payment_id, its in ((key, [*group]) for key, group in groupby(rows, key=lambda row: row["id"]))
    }


def _accepted(rows: Sequence[Record]) -> Accepted:
    head = rows[0]
    settled = tuple(_settled(row) for row in rows)
    return Accepted(settled, _decode_rewards(head["rewards"]), head["currency"], head["occurred_at"])


def _settled(row: Record) -> Settled:
    details = _decode_details(row["details"])
    groups = tuple(GroupDiscount(each.net, tuple(tax.amount for tax in each.taxes)) for each in details.groups)
    amounts = (row["amount"], row["settled"], row["discount"], row["tax_reduction"], row["overpaid"], row["remaining"])
    settlement = Settlement(
        *amounts, row["last_day"], groups, row["points"], tolerated=details.tolerated, missed=details.missed
    )
    return Settled(row["invoice"], row["invoice_id"], details.mode, settlement, details.groups, row["is_early"])


async def row_of(db: Db, *, program_id: int, kind: ClaimKind, external_id: str) -> UUID | None:
    """Find the row of a payment or a credit note by the caller's id."""
    found: UUID | None = await db.fetchval(_STATEMENTS["payment_claimed"].sql, program_id, int(kind), external_id)
    return found


async def read(db: Db, *, program_id: int, payment_ids: Sequence[UUID]) -> list[Payment]:
    """Read payments with what they came to and what became of them, the newest first."""
    rows = await db.fetch(_STATEMENTS["payment_read"].sql, program_id, payment_ids)
    told = await db.fetch(_STATEMENTS["payment_answers"].sql, program_id, payment_ids)
    accepted = {key: _accepted([*group]) for key, group in groupby(told, key=lambda row: row["id"])}
    return [_payment(row, accepted[row["id"]]) for row in rows]


def _payment(row: Record, accepted: Accepted) -> Payment:
    its: dict[str, Any] = dict(row)
    its["mode"] = None if its["mode"] is None else PaymentMode(its["mode"])
    its["reversal"] = None if its["reversal"] is None else _decode_reversal(its["reversal"])
    return Payment(**its, accepted=accepted)


async def on_invoice(db: Db, *, program_id: int, invoice: UUID, before: UUID, limit: int) -> list[UUID]:
    """Name up to `limit` payments on an invoice, newest first, behind `before`."""
    rows = await db.fetch(_STATEMENTS["payments_of_invoice"].sql, program_id, invoice, before, limit)
    return [row["payment_id"] for row in rows]


async def of_customers(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Name all payments of records, newest first."""
    rows = await db.fetch(_STATEMENTS["payments_of_customer"].sql, program_id, customers)
    return [row["id"] for row in rows]


async def credit_notes_of(db: Db, *, program_id: int, invoices: Sequence[UUID]) -> list[tuple[UUID, CreditNote]]:
    """Read all credit notes on invoices, newest first, each with its invoice."""
    rows = await db.fetch(_STATEMENTS["credit_notes_of_invoices"].sql, program_id, invoices)
    return [(row["invoice_id"], _credit_note(row)) for row in rows]


def adding_reversal(
    program_id: int, payment_id: UUID, reversal_id: UUID, reversal: Reversal, recorded_at: datetime
) -> Write:
    """Add that a payment was taken back. Of one that was already no row is written."""
    points = reversal.points
    taken = points.from_lots + points.to_debt + points.written_off
    row = (program_id, payment_id, reversal_id, taken, text_of(reversal), recorded_at)
    return Write(_STATEMENTS["reversal_insert"], row, 1)


def adding_credit_note(program_id: int, customer: int, invoice: UUID, note: CreditNote) -> list[Write]:
    """Add a credit note, with what it took back of settlements."""
    told = (note.issued_on, note.total, note.tax, note.from_open, note.overpaid, note.remaining, text_of(note.charge))
    row = (note.id, note.external_id, customer, invoice, *told)
    taken = [
        (note.id, each.payment_id, invoice, each.settled, each.cash, each.discount, each.tax_reduction, each.points)
        for each in note.charge.taken
    ]
    return [
        Write(_STATEMENTS["credit_note_insert"], (program_id, note.recorded_at, [row]), 1),
        Write(_STATEMENTS["settlement_taken_insert"], (program_id, taken), len(taken)),
    ]


async def credit_notes(db: Db, *, program_id: int, invoice: UUID, before: UUID, limit: int) -> list[CreditNote]:
    """Read up to `limit` credit notes on an invoice, newest first, behind `before`."""
    rows = await db.fetch(_STATEMENTS["credit_notes_of_invoice"].sql, program_id, invoice, before, limit)
    return [_credit_note(row) for row in rows]


def _credit_note(row: Record) -> CreditNote:
    its: dict[str, Any] = {name: value for name, value in row.items() if name != "invoice_id"}
    charge = _decode_charge(its.pop("answer"))
    return CreditNote(**its, charge=charge)


async def credit_note(db: Db, *, program_id: int, invoice: UUID, external_id: str) -> CreditNote | None:
    """Read a credit note on an invoice by the caller's id; None: there is none on that."""
    row = await db.fetchrow(_STATEMENTS["credit_note_read"].sql, program_id, invoice, external_id)
    return None if row is None else _credit_note(row)


async def closings(db: Db, *, program_id: int, customers: Sequence[int]) -> dict[UUID, bool]:
    """Tell of the newest invoices that records closed by payments that stand, as first closed: which were early.

    Where an earlier part of an invoice bounced, several closed it: it was early where all of them were.
    """
    found = dict[UUID, bool]()
    for row in reversed(await db.fetch(_STATEMENTS["closings_of"].sql, program_id, customers)):
        found[row["invoice_id"]] = found.get(row["invoice_id"], True) and row["is_early"]
    return found


async def news_of_credit_notes(db: Db, *, program_id: int, credit_note_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of credit notes."""
    return await db.fetch(_STATEMENTS["credit_note_news"].sql, program_id, credit_note_ids)


async def past_use(db: Db, *, program_id: int, periods: Sequence[PastPeriod]) -> list[list[int]]:
    """Read what rules gave customers for payments in periods: points and times, in the order asked for."""
    rows = await db.fetch(_STATEMENTS["payment_past_use"].sql, program_id, periods)
    return [[row["points"], row["times"]] for row in rows]
