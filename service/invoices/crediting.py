"""What a credit note leaves of a bill, by tax group; never less than nothing of anything. Pure.

What it then takes from what is open, and from settlements, is decided in `service.invoices.settling`.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import msgspec

from service.invoices.bills import Bill, InvoiceLine, TaxGroup, half_up, itemised, spread, tax_on
from service.kernel.errors import Invalid

_NOTHING = Fraction()
_replace = msgspec.structs.replace


class CreditNoteExceedsInvoice(Invalid):
    """More is to be credited than is left of the invoice, of its tax, or of a tax group."""

    code = "credit_note_exceeds_invoice"
    title = "More is credited than is left of the invoice"

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(detail, pointer=pointer, reason="credit_note_exceeds_invoice")


def reduced(bill: Bill, *, total: int, tax: int, reduced_by: Fraction = _NOTHING) -> Bill:
    """Leave a bill less a total with the tax within, 0 <= `tax` <= `total`: exactly so much less of both.

    It is of the tax group whose taxes on the credited net come to just that tax, the first such; a tax without net is
    of fixed taxes. Where neither is so, or too little is left there, the net lies on all groups and the tax on all
    taxes, fixed ones among them, in proportion to what is left, by largest remainder. Taxes that are `reduced_by` a
    share from the start (the tax mode mixed) are reckoned so, too.

    Raises CreditNoteExceedsInvoice.
    """
    _check_left(bill, total, tax)
    net = total - tax
    for place, group in enumerate(bill.groups):
        taxes = _taxes_on(group, net, reduced_by)
        if taxes is not None and sum(taxes) == tax and _covers(group, net, taxes):
            groups = (*bill.groups[:place], _less(group, net, taxes), *bill.groups[place + 1 :])
            return Bill(groups, bill.fixed)
    if not net and tax <= bill.fixed:
        return Bill(bill.groups, bill.fixed - tax)
    return _spread(bill, net, tax)


def _check_left(bill: Bill, total: int, tax: int) -> None:
    if total > bill.total:
        raise CreditNoteExceedsInvoice("This is more than is left of the invoice.", "/total")
    if tax > bill.tax:
        raise CreditNoteExceedsInvoice("This is more than is left of the invoice's tax.", "/tax")
    if total - tax > bill.net:
        detail = "Without tax, this is more than is left of the invoice."
        raise CreditNoteExceedsInvoice(detail, "/total")


def _taxes_on(group: TaxGroup, net: int, reduced_by: Fraction) -> list[int] | None:
    """Return the taxes of a group on a net amount; None where no rates are known."""
    taxed, taxes = net - half_up(net * reduced_by), list[int]()
    for each in group.taxes:
        if each.millionths is None:
            return None
        taxes.append(tax_on(taxed, each.millionths))
    return taxes


def _covers(group: TaxGroup, net: int, taxes: Sequence[int]) -> bool:
    return net <= group.net and all(less <= each.amount for less, each in zip(taxes, group.taxes, strict=True))


def _spread(bill: Bill, net: int, tax: int) -> Bill:
    """Take of everything in proportion to what is left of it."""
    nets = spread(net, [group.net for group in bill.groups])
    *rated, of_fixed = spread(tax, [*(each.amount for group in bill.groups for each in group.taxes), bill.fixed])
    taxes = iter(rated)
    groups = tuple(
        _less(group, less, [next(taxes) for _ in group.taxes]) for group, less in zip(bill.groups, nets, strict=True)
    )
    return Bill(groups, bill.fixed - of_fixed)


def reduced_by_lines(bill: Bill, lines: Sequence[InvoiceLine], *, reduced_by: Fraction = _NOTHING) -> Bill:
    """Leave a bill less lines, whose taxes are reckoned as an invoice's, `reduced_by` a share from the start.

    The lines of a tax group are of the bill's group with the same taxes. Who takes all net of a group takes all of its
    taxes; otherwise a tax takes what it comes to, at most what is left of it.

    Raises CreditNoteExceedsInvoice where more net of a group, or more fixed taxes, are credited than is left, and
    Invalid for taxes that the invoice doesn't have, for lines that no invoice could have, and where they take nothing.
    """
    credit = itemised(lines, reduced_by=reduced_by)
    if credit.fixed > bill.fixed:
        number = _place_beyond([each.fixed for each in map(_alone, lines)], bill.fixed)
        raise CreditNoteExceedsInvoice("This is more than is left of the invoice's fixed taxes.", f"/lines/{number}")
    groups = {group.rates: group for group in bill.groups}
    for its in credit.groups:
        group = groups.get(its.rates)
        if group is None:
            number = next(number for number, line in enumerate(lines) if _alone(line).groups[0].rates == its.rates)
            detail = "The invoice has no line with just these taxes."
            raise Invalid(detail, pointer=f"/lines/{number}/taxes", reason="unknown_taxes")
        if its.net > group.net:
            own = [each.groups[0] for each in map(_alone, lines)]
            number = _place_beyond([each.net if each.rates == its.rates else 0 for each in own], group.net)
            raise CreditNoteExceedsInvoice("This is more than is left of lines with these taxes.", f"/lines/{number}")
        groups[its.rates] = _less_group(group, its)
    after = Bill(tuple(groups.values()), bill.fixed - credit.fixed)
    if after.total == bill.total:
        raise Invalid("A credit note is of at least one minor unit.", pointer="/lines", reason="out_of_range")
    return after


def _less_group(group: TaxGroup, its: TaxGroup) -> TaxGroup:
    if its.net == group.net:
        return _less(group, its.net, [each.amount for each in group.taxes])
    credited = {(each.name, each.millionths): each.amount for each in its.taxes}
    return _less(group, its.net, [min(each.amount, credited[each.name, each.millionths]) for each in group.taxes])


def _less(group: TaxGroup, net: int, taxes: Sequence[int]) -> TaxGroup:
    left = tuple(_replace(each, amount=each.amount - less) for each, less in zip(group.taxes, taxes, strict=True))
    return TaxGroup(group.net - net, left)


def _alone(line: InvoiceLine) -> Bill:
    return itemised((line,))


def _place_beyond(amounts: Sequence[int], left: int) -> int:
    """Return the place of the amount with which they come to more than is left."""
    return next(place for place, so_far in enumerate(accumulate(amounts)) if so_far > left)
