"""What the room tells of: invoices, payments, credit notes."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

import msgspec

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.invoices import payment_store, store
from service.invoices.documents import Payment
from service.invoices.payments import INVOICE_SETTLED, PAYMENT_RECORDED
from service.invoices.taking_back import INVOICE_CREDITED, PAYMENT_REVERSED
from service.invoices.usecases import INVOICE_CHANGED, INVOICE_RECORDED
from service.platform.statements import Db


class InvoiceRecorded(msgspec.Struct, frozen=True):
    """An invoice at a version; `due_on` is the day that holds. Money in minor units of the currency."""

    invoice_id: str
    version: int
    issued_on: date
    due_on: date | None
    currency: str
    total: int
    tax: int


class InvoiceSettled(msgspec.Struct, frozen=True):
    """An invoice of which nothing is open.

    `settled_on` is the day of the payment that closed it, null where a credit note did. `days_early` are the whole days
    from that day to the one on which it is due, 0 where it wasn't early; null also where it has no due day.
    """

    invoice_id: str
    currency: str
    settled_on: date | None
    days_early: int | None


class SettledPart(msgspec.Struct, frozen=True):
    """What a payment came to on one invoice: `settled` = amount - overpaid + discount + tax_reduction."""

    invoice_id: str
    amount: int
    settled: int
    discount: int
    tax_reduction: int
    overpaid: int
    remaining: int


class PaymentRecorded(msgspec.Struct, frozen=True):
    """A payment, what it came to on each invoice, and the points that it brought."""

    payment_id: str
    paid_on: date
    currency: str
    amount: int
    points: int
    invoices: list[SettledPart]


class ReopenedPart(msgspec.Struct, frozen=True):
    """How much of an invoice is open again, and the discount and tax reduction that were taken back with it.

    `overpaid` is cash that was told as the customer's and never came.
    """

    invoice_id: str
    reopened: int
    discount: int
    tax_reduction: int
    overpaid: int
    open: int


class PaymentReversed(msgspec.Struct, frozen=True):
    """A payment that bounced, what that opened again, and the points that were taken back."""

    payment_id: str
    points: int
    invoices: list[ReopenedPart]


class InvoiceCredited(msgspec.Struct, frozen=True):
    """A credit note: what it took from what was open, and how much cash is the customer's again."""

    credit_note_id: str
    invoice_id: str
    issued_on: date
    currency: str
    total: int
    tax: int
    from_open: int
    overpaid: int
    remaining: int


async def _recorded(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, InvoiceRecorded]:
    rows = await store.news_of_versions(db, program_id=program_id, version_ids=[each.subject_id for each in events])
    found = {
        row["id"]: InvoiceRecorded(
            row["external_id"],
            row["version"],
            row["issued_on"],
            row["due_on"],
            row["currency"],
            row["total"],
            row["tax"],
        )
        for row in rows
    }
    return by_event(events, found)


async def _settled(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, InvoiceSettled]:
    # One that a bounce opened may be closed again: each event tells of its own closing, booked at the same moment.
    told = [(each.id, each.subject_id, each.recorded_at) for each in events]
    rows = await store.news_of_settled(db, program_id=program_id, events=told)
    return {
        event: InvoiceSettled(
            row["external_id"], row["currency"], row["paid_on"], _days_early(row["paid_on"], row["due_on"])
        )
        for event, row in rows.items()
    }


def _days_early(paid_on: date | None, due_on: date | None) -> int | None:
    return None if paid_on is None or due_on is None else max(0, (due_on - paid_on).days)


async def _payments(db: Db, program_id: int, events: Sequence[Placed]) -> list[Payment]:
    ids = sorted({each.subject_id for each in events})
    return await payment_store.read(db, program_id=program_id, payment_ids=ids)


async def _paid(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PaymentRecorded]:
    found = {
        its.id: PaymentRecorded(
            its.external_id,
            its.paid_on,
            its.currency,
            its.amount,
            its.accepted.rewards.earned,
            [
                SettledPart(
                    each.invoice_id,
                    each.settlement.amount,
                    each.settlement.settled,
                    each.settlement.discount,
                    each.settlement.tax_reduction,
                    each.settlement.overpaid,
                    each.settlement.remaining,
                )
                for each in its.accepted.settled
            ],
        )
        for its in await _payments(db, program_id, events)
    }
    return by_event(events, found)


async def _reversed(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, PaymentReversed]:
    found = {
        its.id: PaymentReversed(
            its.external_id,
            sum(msgspec.structs.astuple(its.reversal.points)),
            [
                ReopenedPart(
                    each.invoice_id, each.reopened, each.discount, each.tax_reduction, each.overpaid, each.open
                )
                for each in its.reversal.invoices
            ],
        )
        for its in await _payments(db, program_id, events)
        if its.reversal is not None
    }
    return by_event(events, found)


async def _credited(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, InvoiceCredited]:
    ids = [each.subject_id for each in events]
    rows = await payment_store.news_of_credit_notes(db, program_id=program_id, credit_note_ids=ids)
    found = {
        row["id"]: InvoiceCredited(
            row["external_id"],
            row["invoice_id"],
            row["issued_on"],
            row["currency"],
            row["total"],
            row["tax"],
            row["from_open"],
            row["overpaid"],
            row["remaining"],
        )
        for row in rows
    }
    return by_event(events, found)


_ISSUED: Final = date(2026, 11, 21)
_PAID: Final = date(2026, 11, 27)
_DUE: Final = date(2026, 12, 21)
_INVOICE: Final = InvoiceRecorded("inv-1001", 1, _ISSUED, _DUE, "EUR", 119000, 19000)
KINDS: Final = (
    EventKind(INVOICE_RECORDED, "An invoice was recorded.", _INVOICE, _recorded),
    EventKind(
        INVOICE_CHANGED,
        "An invoice on which nothing was paid was changed.",
        msgspec.structs.replace(_INVOICE, version=2),
        _recorded,
    ),
    EventKind(
        PAYMENT_RECORDED,
        "A payment was booked on one invoice or on several.",
        PaymentRecorded("pay-1", _PAID, "EUR", 115430, 0, [SettledPart("inv-1001", 115430, 119000, 3000, 570, 0, 0)]),
        _paid,
    ),
    EventKind(
        INVOICE_SETTLED,
        "Nothing of an invoice is open any more. A payment that bounces opens it again.",
        InvoiceSettled("inv-1001", "EUR", _PAID, 24),
        _settled,
    ),
    EventKind(
        PAYMENT_REVERSED,
        "A payment bounced: what it settled is open again.",
        PaymentReversed("pay-1", 0, [ReopenedPart("inv-1001", 119000, 3000, 570, 0, 119000)]),
        _reversed,
    ),
    EventKind(
        INVOICE_CREDITED,
        "A credit note was booked on an invoice.",
        InvoiceCredited("cn-1", "inv-1001", _PAID, "EUR", 11900, 1900, 11900, 0, 107100),
        _credited,
    ),
)
