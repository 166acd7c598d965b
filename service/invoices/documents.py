"""Invoices, payments and credit notes as they stand or were booked. Data only."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.earning.rules import Line
from service.invoices.bills import Bill, InvoiceLine, TaxGroup
from service.invoices.discounts import Agreement
from service.invoices.settling import Left, Settlement, Standing
from service.points.rules import Reversed
from service.programs.payment_terms import PaymentMode, PaymentTerms


class Invoice(msgspec.Struct, frozen=True):
    """An invoice as it stands. `due_on` and `terms` are as they were told; what holds is in `agreement`.

    `customer` is the record that it was reported for, `owner` the one that stands for this now, by internal ids.
    `customer_id` and `number` are None where the customer was erased. `revision` grows with every change of its row.
    """

    id: UUID
    external_id: str
    customer: int
    owner: int
    customer_id: str | None
    content_hash: bytes
    number: str | None
    issued_on: date
    due_on: date | None
    currency: str
    lines: tuple[InvoiceLine, ...] | None
    terms: PaymentTerms | None
    agreement: Agreement
    bill: Bill
    charged: Bill
    credited: int
    open: int
    is_frozen: bool
    version: int
    revision: int
    recorded_at: datetime
    changed_at: datetime

    @property
    def is_erased(self) -> bool:
        """Whether its customer was erased."""
        return self.customer_id is None

    @property
    def standing(self) -> Standing:
        """What settling goes by."""
        return Standing(self.agreement, self.charged, self.open)


class Settled(msgspec.Struct, frozen=True):
    """What a payment came to on one invoice. `is_early`: it closed the invoice before the due day.

    `mode` is what was asked for, or agreed. `by_group` are the discount and the tax reduction of each tax group.
    """

    invoice: UUID
    invoice_id: str
    mode: PaymentMode
    settlement: Settlement
    by_group: tuple[TaxGroup, ...]
    is_early: bool


class Rewards(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points that a payment brought: instead of a discount, and by rules. `lots` hold them, with how many each had.

    `instead` are the lots of points instead of a discount, by the invoices' own ids.
    """

    earned: int
    pending: int
    balance: Balance
    lines: tuple[Line, ...] = ()
    lots: dict[str, int] = {}
    instead: dict[str, str] = {}


class Accepted(msgspec.Struct, frozen=True):
    """What a payment is answered with, for ever."""

    settled: tuple[Settled, ...]
    rewards: Rewards
    currency: str
    occurred_at: datetime
    """The moment of the day of the payment by whose rules it was rewarded."""


class Reopened(msgspec.Struct, frozen=True):
    """How much of an invoice is open again, `open` in all, once a payment was taken back.

    `overpaid` is cash that was told as the customer's, by the payment or by credit notes since, and never came.
    """

    invoice_id: str
    reopened: int
    discount: int
    tax_reduction: int
    overpaid: int
    open: int


class Reversal(msgspec.Struct, frozen=True):
    """What taking a payment back came to: on each invoice, and in points."""

    invoices: tuple[Reopened, ...]
    points: Reversed
    balance: Balance


class Payment(msgspec.Struct, frozen=True):
    """A payment as it was booked, and what became of it."""

    id: UUID
    external_id: str
    customer: int
    owner: int
    customer_id: str | None
    paid_on: date
    currency: str
    amount: int
    mode: PaymentMode | None
    is_single: bool
    accepted: Accepted
    recorded_at: datetime
    reversal: Reversal | None = None
    reversed_at: datetime | None = None


class Charge(msgspec.Struct, frozen=True):
    """What a credit note came to: `bill` is what it left, `taken` what it took back of settlements."""

    bill: Bill
    taken: tuple[Left, ...]
    points: Reversed
    balance: Balance


class CreditNote(msgspec.Struct, frozen=True):
    """A credit note as it was booked."""

    id: UUID
    external_id: str
    issued_on: date
    total: int
    tax: int
    from_open: int
    overpaid: int
    remaining: int
    charge: Charge
    recorded_at: datetime
    replayed: bool = False
