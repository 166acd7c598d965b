"""Invoices, quotes, payments and credit notes on the wire. Money in minor units of the invoice's currency."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import msgspec

from service.invoices import wording, xrechnung
from service.invoices.bills import InvoiceLine, TaxGroup
from service.invoices.discounts import TermsSource, told_days
from service.invoices.documents import Invoice
from service.invoices.settling import PriceStep, Quote, YearlyRate
from service.invoices.usecases import Recorded
from service.kernel.times import Time
from service.programs.payment_terms import PaymentMode, PaymentTerms


class TaxOut(msgspec.Struct, frozen=True):
    """A tax of a group: its rate in millionths (150000 are 15 %), and how much it is. Null: it was told as printed."""

    name: str | None
    millionths: int | None
    amount: int


class TaxGroupOut(msgspec.Struct, frozen=True):
    """All lines with the same percentage taxes: what they come to, net, and these taxes."""

    net: int
    taxes: list[TaxOut]


class WarningOut(msgspec.Struct, frozen=True):
    """What may be wrong with an invoice, and which others it is about."""

    code: Literal["similar_number"]
    message: str
    invoice_ids: list[str]


class TermsOut(msgspec.Struct, frozen=True):
    """What is agreed for an invoice, and where that is from.

    `text` is the machine-readable text of an XRechnung (BT-20), null where it can't express the terms. `words` are in
    the customer's language.
    """

    source: TermsSource
    terms: PaymentTerms
    text: str | None
    words: str


class InvoiceOut(msgspec.Struct, frozen=True):
    """An invoice as it stands. `total` and `tax` are as it was recorded, `credited` is what credit notes took of it.

    `open` isn't settled yet. `due_on` is the day that holds. Who was erased has no `customer_id` and
    no `number`. `warnings` are told where one invoice is put or read.
    """

    id: str
    customer_id: str | None
    number: str | None
    issued_on: date
    due_on: date | None
    currency: str
    total: int
    tax: int
    credited: int
    open: int
    status: Literal["open", "settled"]
    version: int
    lines: list[InvoiceLine] | None
    tax_groups: list[TaxGroupOut]
    fixed_taxes: int
    agreed: TermsOut
    warnings: list[WarningOut]
    recorded_at: Time
    changed_at: Time


class QuoteOut(msgspec.Struct, frozen=True):
    """What closes an invoice on a day: `payable`; `discount`, net, and `tax_reduction` are what is deducted then.

    `total` is that of the whole invoice, less credit notes. `last_day` is that of the step that applies; `steps` are
    the days after which the price changes, with what closes the invoice until then. `points` is what would be given
    instead, null where that isn't offered. All this is for a payment of the mode `discount`; `mode` is what is agreed:
    where that is `points`, a payment that names no other settles what it is, and brings points.
    """

    invoice_id: str
    paid_on: date
    currency: str
    mode: PaymentMode
    total: int
    open: int
    payable: int
    discount: int
    tax_reduction: int
    last_day: date | None
    steps: list[PriceStep]
    yearly_rate: YearlyRate | None
    points: int | None


class PaymentTermsOut(msgspec.Struct, frozen=True):
    """What is agreed with a customer for new invoices that bring no terms of their own.

    `text` is the machine-readable text of an XRechnung (BT-20), null where it can't express the terms, or needs an
    invoice for that.
    """

    customer_id: str
    terms: PaymentTerms
    text: str | None
    words: str


class RemovedTermsOut(msgspec.Struct, frozen=True):
    """A customer who has no terms of his own any more."""

    customer_id: str
    removed: bool


def invoice_out(recorded: Recorded) -> InvoiceOut:
    """Render an invoice."""
    its, agreement = recorded.invoice, recorded.invoice.agreement
    warnings = []
    if recorded.look_alikes:
        message = "The numbers of these invoices look like this one's: check that it isn't one of them."
        warnings = [WarningOut("similar_number", message, recorded.look_alikes)]
    return InvoiceOut(
        id=its.external_id,
        customer_id=its.customer_id,
        number=its.number,
        issued_on=its.issued_on,
        due_on=agreement.due_on,
        currency=its.currency,
        total=its.bill.total,
        tax=its.bill.tax,
        credited=its.credited,
        open=its.open,
        status="open" if its.open else "settled",
        version=its.version,
        lines=None if its.lines is None else [*its.lines],
        tax_groups=groups_out(its.bill.groups),
        fixed_taxes=its.bill.fixed,
        agreed=_terms_out(its, recorded.locale),
        warnings=warnings,
        recorded_at=its.recorded_at,
        changed_at=its.changed_at,
    )


def _terms_out(invoice: Invoice, locale: str | None) -> TermsOut:
    agreement, bill = invoice.agreement, invoice.bill
    text = xrechnung.written(
        agreement.terms, currency=invoice.currency, net=bill.net, total=bill.total, fixed_tax=bill.fixed
    )
    words = wording.in_words(
        agreement.terms,
        locale=locale,
        currency=invoice.currency,
        due_on=agreement.due_on,
        last_days=told_days(agreement),
    )
    return TermsOut(agreement.source, agreement.terms, text, words)


def groups_out(groups: Sequence[TaxGroup]) -> list[TaxGroupOut]:
    """Render tax groups."""
    return [
        TaxGroupOut(group.net, [TaxOut(each.name, each.millionths, each.amount) for each in group.taxes])
        for group in groups
    ]


def quote_out(invoice: Invoice, its: Quote) -> QuoteOut:
    """Render a quote."""
    amounts = (its.total, its.open, its.payable, its.discount, its.tax_reduction)
    rest = (its.last_day, [*its.steps], its.yearly_rate, its.points)
    mode = invoice.agreement.terms.mode
    return QuoteOut(invoice.external_id, its.paid_on, invoice.currency, mode, *amounts, *rest)


def terms_out(customer_id: str, terms: PaymentTerms, currency: str, locale: str | None) -> PaymentTermsOut:
    """Render a customer's own terms."""
    text = None if terms.base else xrechnung.written(terms, currency=currency, net=0, total=0)
    return PaymentTermsOut(customer_id, terms, text, wording.in_words(terms, locale=locale, currency=currency))
