"""What a payment comes to, on one invoice or over many: settlements, and points. Pure."""

from collections.abc import Mapping
from datetime import date

import msgspec

from service.invoices.bills import Bill, TaxGroup
from service.invoices.documents import Invoice, Settled
from service.invoices.rules import Allocation, NewPayment, NewPaymentOnMany, check_day
from service.invoices.settling import Settlement, settle
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.programs.payment_terms import PaymentMode

_replace = msgspec.structs.replace


class PaymentReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A payment in the form that is compared: on a single invoice or on many."""

    id: str
    paid_on: date
    allocations: tuple[Allocation, ...]
    customer_id: str | None = None
    mode: PaymentMode | None = None
    currency: str | None = None

    @property
    def is_single(self) -> bool:
        """Whether it was reported on one invoice, whose customer is meant."""
        return self.customer_id is None

    @property
    def amount(self) -> int:
        """All that was paid."""
        return sum(each.amount for each in self.allocations)


def on_one(invoice_id: str, new: NewPayment) -> PaymentReport:
    """Take a payment on one invoice."""
    return PaymentReport(
        new.id, new.paid_on, (Allocation(invoice_id, new.amount),), mode=new.mode, currency=new.currency
    )


def on_many(new: NewPaymentOnMany) -> PaymentReport:
    """Take a payment over several invoices. Raises Invalid where one stands in it twice, and beyond 10^12."""
    seen = set[str]()
    for number, each in enumerate(new.allocations):
        if each.invoice_id in seen:
            pointer = f"/allocations/{number}/invoice_id"
            raise Invalid("This invoice stands here already.", pointer=pointer, reason="duplicate")
        seen.add(each.invoice_id)
    if sum(each.amount for each in new.allocations) > BOUND:
        detail = "All allocations together come to more than 10^12."
        raise Invalid(detail, pointer="/allocations", reason="out_of_range")
    return PaymentReport(new.id, new.paid_on, new.allocations, new.customer_id, new.mode, new.currency)


def without_defaults(report: PaymentReport, invoices: Mapping[str, Invoice]) -> PaymentReport:
    """Leave out what would be so anyway, as it is compared: the invoices' own currency, and what their terms say."""
    named = [invoices[each.invoice_id] for each in report.allocations if each.invoice_id in invoices]
    currency = None if {each.currency for each in named} == {report.currency} else report.currency
    mode = None if {each.agreement.terms.mode for each in named} == {report.mode} else report.mode
    return _replace(report, currency=currency, mode=mode)


def settle_all(
    report: PaymentReport, invoices: Mapping[str, Invoice], *, owner: int, today: date
) -> list[tuple[Invoice, Settled]]:
    """Decide what a payment of a customer, by the internal id, settles; gives each invoice as it is then, in order.

    Raises Invalid: for an invoice that isn't known or is another customer's, for another currency, for a day that is
    still to come or lies before an invoice, for points where none are offered.
    """
    found = list[tuple[Invoice, Settled]]()
    for number, allocation in enumerate(report.allocations):
        pointer = "" if report.is_single else f"/allocations/{number}"
        invoice = invoices.get(allocation.invoice_id)
        if invoice is None or invoice.owner != owner:
            detail = "This is no invoice of this customer's."
            raise Invalid(detail, pointer=f"{pointer}/invoice_id", reason="other_customer")
        _check(report, invoice, found, pointer)
        check_day(report.paid_on, today=today, issued_on=invoice.issued_on, pointer="/paid_on")
        its = settle(invoice.standing, allocation.amount, report.paid_on, report.mode)
        if its.points + sum(each.settlement.points for _, each in found) > BOUND:
            raise Invalid("This would give more than 10^12 points.", pointer=f"{pointer}/amount", reason="out_of_range")
        due_on = invoice.agreement.due_on
        is_early = its.closes and due_on is not None and report.paid_on < due_on
        after = _replace(invoice, open=its.remaining, is_frozen=True)
        mode = report.mode or invoice.agreement.terms.mode
        by_group = _by_group(invoice.charged, its)
        found.append((after, Settled(invoice.id, invoice.external_id, mode, its, by_group, is_early)))
    return found


def _by_group(bill: Bill, settlement: Settlement) -> tuple[TaxGroup, ...]:
    """Name the tax groups over which a discount and a tax reduction are spread; those without any are left out."""
    return tuple(
        TaxGroup(part.net, tuple(_replace(tax, amount=less) for tax, less in zip(group.taxes, part.taxes, strict=True)))
        for group, part in zip(bill.groups, settlement.groups, strict=False)
        if part.net or any(part.taxes)
    )


def _check(report: PaymentReport, invoice: Invoice, before: list[tuple[Invoice, Settled]], pointer: str) -> None:
    if report.currency is not None and report.currency != invoice.currency:
        detail = "This isn't the currency of the invoice."
        raise Invalid(detail, pointer="/currency", reason="other_currency")
    if before and before[0][0].currency != invoice.currency:
        detail = "All invoices of one payment are in one currency."
        raise Invalid(detail, pointer=f"{pointer}/invoice_id", reason="other_currency")
    if report.mode is PaymentMode.POINTS and invoice.agreement.points is None:
        detail = "The program said of no rate of points for this currency when this invoice was recorded."
        raise Invalid(detail, pointer="/mode", reason="points_not_offered")
