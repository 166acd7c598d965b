"""Payments, their reversals and credit notes on the wire. Money in minor units of the invoice's currency."""

from datetime import date
from typing import Literal

import msgspec

from service.customers.rules import Balance
from service.earning.rules import Line
from service.invoices.documents import Accepted, CreditNote, Payment, Reversal, Settled
from service.invoices.paying import PaymentReport
from service.invoices.schemas import TaxGroupOut, groups_out
from service.invoices.settling import Left
from service.kernel.times import Time
from service.points.rules import Reversed
from service.programs.payment_terms import PaymentMode


class MissedOut(msgspec.Struct, frozen=True):
    """A discount that was taken too late: its last day was before, and so much of it stays due."""

    last_day: date
    amount: int


class SettlementOut(msgspec.Struct, frozen=True):
    """What a payment came to on an invoice, to be booked as it is.

    `settled` = amount - overpaid + discount + tax_reduction; `remaining` is what is open after it. `discount` is net.
    `tax_groups` are both by tax group: `net` of the discount, and of each tax its reduction. `last_day` is that of the
    step that applied. `points` were given instead of a discount.
    """

    invoice_id: str
    mode: PaymentMode
    amount: int
    settled: int
    discount: int
    tax_reduction: int
    overpaid: int
    remaining: int
    tax_groups: list[TaxGroupOut]
    last_day: date | None
    points: int
    tolerated: bool
    missed: MissedOut | None


class PaymentLineOut(msgspec.Struct, frozen=True):
    """What one earning rule gave for a payment, and why."""

    rule: str
    points: int
    why: str


class PaymentPointsOut(msgspec.Struct, frozen=True):
    """Points that a payment brought, by earning rules and instead of discounts; of `earned`, some may be `pending`."""

    earned: int
    pending: int
    instead_of_discount: int
    lines: list[PaymentLineOut]


class PaymentOut(msgspec.Struct, frozen=True):
    """A payment on one invoice, with what to book for it."""

    id: str
    invoice_id: str
    customer_id: str
    paid_on: date
    currency: str
    mode: PaymentMode
    amount: int
    settled: int
    discount: int
    tax_reduction: int
    overpaid: int
    remaining: int
    tax_groups: list[TaxGroupOut]
    last_day: date | None
    tolerated: bool
    missed: MissedOut | None
    points: PaymentPointsOut
    balance: Balance


class AllocatedPaymentOut(msgspec.Struct, frozen=True):
    """A payment over invoices, with what to book on each, in the order of its allocations."""

    id: str
    customer_id: str
    paid_on: date
    currency: str
    amount: int
    allocations: list[SettlementOut]
    points: PaymentPointsOut
    balance: Balance


class RecordedPaymentOut(msgspec.Struct, frozen=True):
    """A payment as it was booked. `balance` is the customer's after it. One that bounced is `reversed`."""

    id: str
    customer_id: str | None
    paid_on: date
    currency: str
    amount: int
    allocations: list[SettlementOut]
    points: PaymentPointsOut
    balance: Balance
    status: Literal["booked", "reversed"]
    recorded_at: Time
    reversed_at: Time | None


class ReopenedOut(msgspec.Struct, frozen=True):
    """How much of an invoice is open again: `reopened`, with the discount and tax reduction that were taken back.

    `overpaid` is cash that was told as the customer's, by the payment or by credit notes since, and never came.
    """

    invoice_id: str
    reopened: int
    discount: int
    tax_reduction: int
    overpaid: int
    open: int


class TakenPointsOut(msgspec.Struct, frozen=True):
    """Points that were taken back, `reversed` in all: from lots, as debt, or written off."""

    reversed: int
    from_lots: int
    to_debt: int
    written_off: int


class ReversedPaymentOut(msgspec.Struct, frozen=True):
    """A payment that was taken back as a whole, and what that came to."""

    id: str
    status: Literal["reversed"]
    invoices: list[ReopenedOut]
    points: TakenPointsOut
    balance: Balance


class CreditTakenOut(msgspec.Struct, frozen=True):
    """What a credit note took back of what a payment settled: cash, discount and tax reduction, in proportion."""

    payment_id: str
    settled: int
    cash: int
    discount: int
    tax_reduction: int
    points: int


class CreditNoteOut(msgspec.Struct, frozen=True):
    """A credit note, to be booked as it is: what it took from what was open, and of settlements, the newest first.

    `overpaid` is cash that is the customer's again. `remaining` is what is open after it.
    """

    id: str
    invoice_id: str
    issued_on: date
    total: int
    tax: int
    from_open: int
    taken_back: list[CreditTakenOut]
    discount: int
    tax_reduction: int
    overpaid: int
    remaining: int
    points: TakenPointsOut
    balance: Balance


def _settlement_out(settled: Settled) -> SettlementOut:
    its = settled.settlement
    return SettlementOut(
        invoice_id=settled.invoice_id,
        mode=settled.mode,
        amount=its.amount,
        settled=its.settled,
        discount=its.discount,
        tax_reduction=its.tax_reduction,
        overpaid=its.overpaid,
        remaining=its.remaining,
        tax_groups=groups_out(settled.by_group),
        last_day=its.last_day,
        points=its.points,
        tolerated=its.tolerated,
        missed=None if its.missed is None else MissedOut(its.missed.last_day, its.missed.amount),
    )


def _points_out(accepted: Accepted) -> PaymentPointsOut:
    rewards = accepted.rewards
    instead = sum(each.settlement.points for each in accepted.settled)
    return PaymentPointsOut(rewards.earned, rewards.pending, instead, [_line_out(each) for each in rewards.lines])


def _line_out(line: Line) -> PaymentLineOut:
    return PaymentLineOut(line.rule, line.points, line.why)


def payment_out(report: PaymentReport, customer_id: str, accepted: Accepted) -> PaymentOut:
    """Render a payment on one invoice."""
    its = _settlement_out(accepted.settled[0])
    return PaymentOut(
        id=report.id,
        invoice_id=its.invoice_id,
        customer_id=customer_id,
        paid_on=report.paid_on,
        currency=accepted.currency,
        mode=its.mode,
        amount=its.amount,
        settled=its.settled,
        discount=its.discount,
        tax_reduction=its.tax_reduction,
        overpaid=its.overpaid,
        remaining=its.remaining,
        tax_groups=its.tax_groups,
        last_day=its.last_day,
        tolerated=its.tolerated,
        missed=its.missed,
        points=_points_out(accepted),
        balance=accepted.rewards.balance,
    )


def allocated_out(report: PaymentReport, customer_id: str, accepted: Accepted) -> AllocatedPaymentOut:
    """Render a payment over invoices."""
    return AllocatedPaymentOut(
        id=report.id,
        customer_id=customer_id,
        paid_on=report.paid_on,
        currency=accepted.currency,
        amount=report.amount,
        allocations=[_settlement_out(each) for each in accepted.settled],
        points=_points_out(accepted),
        balance=accepted.rewards.balance,
    )


def recorded_payment_out(payment: Payment) -> RecordedPaymentOut:
    """Render a payment as it was booked."""
    accepted = payment.accepted
    return RecordedPaymentOut(
        id=payment.external_id,
        customer_id=payment.customer_id,
        paid_on=payment.paid_on,
        currency=payment.currency,
        amount=payment.amount,
        allocations=[_settlement_out(each) for each in accepted.settled],
        points=_points_out(accepted),
        balance=accepted.rewards.balance,
        status="booked" if payment.reversed_at is None else "reversed",
        recorded_at=payment.recorded_at,
        reversed_at=payment.reversed_at,
    )


def _taken_points(its: Reversed) -> TakenPointsOut:
    together = its.from_lots + its.to_debt + its.written_off
    return TakenPointsOut(together, its.from_lots, its.to_debt, its.written_off)


def reversed_out(payment_id: str, reversal: Reversal) -> ReversedPaymentOut:
    """Render a payment that was taken back."""
    invoices = [
        ReopenedOut(each.invoice_id, each.reopened, each.discount, each.tax_reduction, each.overpaid, each.open)
        for each in reversal.invoices
    ]
    return ReversedPaymentOut(payment_id, "reversed", invoices, _taken_points(reversal.points), reversal.balance)


def credit_note_out(invoice_id: str, note: CreditNote) -> CreditNoteOut:
    """Render a credit note."""
    taken = note.charge.taken
    return CreditNoteOut(
        id=note.external_id,
        invoice_id=invoice_id,
        issued_on=note.issued_on,
        total=note.total,
        tax=note.tax,
        from_open=note.from_open,
        taken_back=[_taken_out(each) for each in taken],
        discount=sum(each.discount for each in taken),
        tax_reduction=sum(each.tax_reduction for each in taken),
        overpaid=note.overpaid,
        remaining=note.remaining,
        points=_taken_points(note.charge.points),
        balance=note.charge.balance,
    )


def _taken_out(its: Left) -> CreditTakenOut:
    return CreditTakenOut(its.payment, its.settled, its.cash, its.discount, its.tax_reduction, its.points)
