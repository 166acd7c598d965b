"""What billing reports: invoices, payments, credit notes; what of it can't be accepted. Pure."""

import hashlib
from datetime import date
from fractions import Fraction
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.invoices.bills import Bill, InvoiceLine, itemised, printed
from service.invoices.discounts import NOTHING, Agreement, TermsSource, due_day, greatest_share
from service.kernel.amounts import BOUND, CurrencyCode, MinorUnits, exponent
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import CallerId
from service.kernel.spelling import plain
from service.programs.payment_terms import (
    EarlyPayment,
    NoDiscount,
    PaymentMode,
    PaymentTerms,
    PointsForDiscount,
    TaxMode,
    YearlyRateTerms,
    check_terms,
)
from service.programs.rules import ProgramSettings

_replace = msgspec.structs.replace
MOST_LINES: Final = 1_000
MOST_ALLOCATIONS: Final = 200
MOST_TAX_GROUPS: Final = 100
"""Every price of a day is reckoned by tax group; real invoices have some few."""
_LOOK_ALIKES: Final = str.maketrans("oil", "011")

Number = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="The number that the customer reads; no other invoice of the program has it. Case, blanks and "
        "styles of letters don't matter.",
    ),
]
Paid = Annotated[int, Meta(ge=1, le=BOUND, description="Money in minor units of the currency (cents); more than 0.")]
Currency = Annotated[
    CurrencyCode | None, Meta(description="The invoice's; another one is refused. Null: the invoice's.")
]
Mode = Annotated[
    PaymentMode | None,
    Meta(description="A discount, or points instead of it; null: as the invoice's terms say."),
]


class NewInvoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An invoice as billing reports it: either its `total`, with the `tax` within, or its `lines`.

    `terms` are its own; `terms_text` are the same as the machine-readable text of an XRechnung (BT-20). With neither
    the customer's apply, else the program's. `due_on` beats the terms' `net_days`.
    """

    customer_id: CallerId
    issued_on: date
    currency: CurrencyCode
    number: Number | None = None
    due_on: date | None = None
    total: MinorUnits | None = None
    tax: MinorUnits | None = None
    lines: Annotated[tuple[InvoiceLine, ...], Meta(min_length=1, max_length=MOST_LINES)] | None = None
    terms: PaymentTerms | None = None
    terms_text: Annotated[str, Meta(min_length=1, max_length=4_000)] | None = None


class NewPayment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A payment on one invoice. `paid_on` is the day on which the money came; a past one is normal."""

    id: CallerId
    paid_on: date
    amount: Paid
    mode: Mode = None
    currency: Currency = None


class Allocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of a payment that is for one invoice."""

    invoice_id: CallerId
    amount: Paid


class NewPaymentOnMany(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One payment over several invoices of a customer: all of it is booked, or nothing."""

    id: CallerId
    customer_id: CallerId
    paid_on: date
    allocations: Annotated[tuple[Allocation, ...], Meta(min_length=1, max_length=MOST_ALLOCATIONS)]
    mode: Mode = None
    currency: Currency = None


class NewCreditNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A credit note on an invoice: either its `total`, with the `tax` within, or its `lines`, as of the invoice."""

    id: CallerId
    issued_on: date
    total: Paid | None = None
    tax: MinorUnits | None = None
    lines: Annotated[tuple[InvoiceLine, ...], Meta(min_length=1, max_length=MOST_LINES)] | None = None


class InvoiceHasPayments(Refusal):
    """An invoice on which something was paid or credited can't be changed any more."""

    kind = Kind.CONFLICT
    code = "invoice_has_payments"
    title = "Something was paid or credited on this invoice: it can't be changed any more"


class InvoiceNumberTaken(Refusal):
    """Another invoice of the program has the number: it would be discounted twice."""

    kind = Kind.CONFLICT
    code = "invoice_number_taken"
    title = "Another invoice has this number already"


class PaymentConflict(Refusal):
    """The id belongs to a payment with other content."""

    kind = Kind.CONFLICT
    code = "payment_conflict"
    title = "This id belongs to a payment with other content"


class CreditNoteConflict(Refusal):
    """The id belongs to a credit note with other content."""

    kind = Kind.CONFLICT
    code = "credit_note_conflict"
    title = "This id belongs to a credit note with other content"


def normalised(invoice_id: str, new: NewInvoice) -> NewInvoice:
    """Bring an invoice into the form that is compared: with its number, and the tax of a total. Raises Invalid."""
    number = invoice_id if new.number is None else new.number
    if not key_of(number):
        raise Invalid("A number has something that can be seen.", pointer="/number", reason="invalid_format")
    if exponent(new.currency) is None:
        detail = "This is no ISO 4217 currency with a minor unit."
        raise Invalid(detail, pointer="/currency", reason="unknown_currency")
    check_amounts(new.total, new.tax, has_lines=new.lines is not None)
    if new.terms is not None and new.terms_text is not None:
        detail = "Terms are either `terms` or `terms_text`."
        raise Invalid(detail, pointer="/terms_text", reason="exclusive")
    if new.terms is not None:
        check_terms(new.terms, "/terms")
    if new.due_on is not None and new.due_on < new.issued_on:
        raise Invalid("An invoice isn't due before it is issued.", pointer="/due_on", reason="before_invoice")
    return _replace(new, number=number, tax=None if new.lines is not None else new.tax or 0)


def check_amounts(total: int | None, tax: int | None, *, has_lines: bool) -> None:
    """Refuse amounts beside lines, neither of them, and a tax beyond the total. Raises Invalid."""
    if has_lines:
        for name, given in (("total", total), ("tax", tax)):
            if given is not None:
                detail = "Either the total is told or the lines are, from which it comes."
                raise Invalid(detail, pointer=f"/{name}", reason="exclusive")
    elif total is None:
        raise Invalid("Either a `total` or `lines` are required.", pointer="/total", reason="missing")
    elif tax is not None and tax > total:
        raise Invalid("The tax is within the total: it isn't more.", pointer="/tax", reason="out_of_range")


def key_of(number: str) -> str:
    """Bring a number into the form in which two are the same: case, blanks and styles of letters don't matter."""
    return "".join(plain(number).casefold().split())


def likeness_of(number: str) -> str:
    """Bring a number into the form in which two look alike: O like 0, I and L like 1, whatever stands between them."""
    return "".join(each for each in key_of(number).translate(_LOOK_ALIKES) if each.isalnum()) or key_of(number)


def digest(text: str) -> bytes:
    """Hash a form of a number: 16 bytes, which stay when the number is forgotten."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def agreed(
    new: NewInvoice, *, own: PaymentTerms | None, of_customer: PaymentTerms | None, settings: ProgramSettings
) -> Agreement:
    """Fix what holds for an invoice: its own terms, else its customer's, else the program's. Raises Invalid.

    `own` are its terms however they were told.
    """
    policy = settings.early_payment or EarlyPayment()
    by_source: tuple[tuple[TermsSource, PaymentTerms | None], ...] = (
        ("invoice", own),
        ("customer", of_customer),
        ("program", policy.terms),
    )
    found: list[tuple[TermsSource, PaymentTerms]] = [(name, each) for name, each in by_source if each is not None]
    source, terms = found[0] if found else ("none", NoDiscount())
    points = None
    if new.currency == settings.currency:
        worth = settings.point_value
        points = policy.points or PointsForDiscount(worth.points, worth.amount)
    due_on = due_day(terms, issued_on=new.issued_on, due_on=new.due_on, calendar=policy.calendar)
    if due_on is None and isinstance(terms, YearlyRateTerms):
        detail = "A yearly rate needs the day on which the invoice is due: `due_on`, or `net_days` in its terms."
        raise Invalid(detail, pointer="/due_on", reason="missing")
    if terms.mode is PaymentMode.POINTS and points is None:
        detail = "The program says of no rate of points for this currency."
        raise Invalid(detail, pointer="/terms/mode" if own else "/terms", reason="points_not_offered")
    year_days = terms.year_days if isinstance(terms, YearlyRateTerms) else policy.year_days
    return Agreement(terms, new.issued_on, due_on, source, policy.calendar, points, year_days)


def bill_of(new: NewInvoice, agreement: Agreement) -> Bill:
    """Make the bill of an invoice. With the tax mode mixed, lines are taxed on what the greatest discount leaves.

    Raises Invalid.
    """
    if new.lines is None:
        return printed(new.total or 0, new.tax or 0)
    bill = itemised(new.lines, reduced_by=reduced_by(agreement, sum(line.net for line in new.lines)))
    if len(bill.groups) > MOST_TAX_GROUPS:
        detail = f"An invoice has lines of at most {MOST_TAX_GROUPS} different sets of taxes."
        raise Invalid(detail, pointer="/lines", reason="too_many")
    return bill


def reduced_by(agreement: Agreement, net: int) -> Fraction:
    """Return by which share of a net amount taxes are reduced from the start."""
    return greatest_share(agreement, net) if agreement.terms.tax_mode is TaxMode.MIXED else NOTHING


def check_day(day: date, *, today: date, issued_on: date | None, pointer: str) -> None:
    """Refuse a day that is still to come, or lies before the invoice. Raises Invalid."""
    if day > today:
        raise Invalid("This day is still to come.", pointer=pointer, reason="in_the_future")
    if issued_on is not None and day < issued_on:
        raise Invalid("This is before the invoice was issued.", pointer=pointer, reason="before_invoice")
