"""Invoices paid at random: whatever the lines, taxes, terms and days, nothing is lost or made to the cent."""

from datetime import date
from fractions import Fraction

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from service.invoices.bills import InvoiceLine, half_up, itemised, tax_on
from service.invoices.discounts import Discount, discount, offer_on
from service.invoices.settling import Settlement, Standing, price_on, quote, settle
from service.programs.payment_terms import PaymentMode, TaxMode, Tolerance
from tests.rules.billing import DAY, days, some_invoices, some_lines, some_mode, tolerances

HALF = Fraction(1, 2)
_replace = msgspec.structs.replace


@st.composite
def amounts_for(draw: st.DrawFn, invoice: Standing, day: date) -> int:
    """Draw an amount: any, or one that is about to close the invoice."""
    payable = price_on(invoice, day).payable
    near = [payable - 1, payable, payable + 1, invoice.open - 1, invoice.open, invoice.open + 1, invoice.open // 2, 25]
    return max(1, draw(st.sampled_from(near) | st.integers(1, invoice.open + 1)))


@st.composite
def paid(draw: st.DrawFn) -> list[tuple[Standing, date, Settlement]]:
    """Draw an invoice and payments on it: each with the invoice as it was before, and what it came to."""
    invoice, history = draw(some_invoices()), list[tuple[Standing, date, Settlement]]()
    tolerance = draw(tolerances)
    terms = _replace(invoice.agreement.terms, tolerance=tolerance)
    invoice = _replace(invoice, agreement=_replace(invoice.agreement, terms=terms))
    for _ in range(draw(st.integers(1, 6))):
        day = draw(days)
        came_to = settle(invoice, draw(amounts_for(invoice, day)), day, draw(some_mode()))
        history.append((invoice, day, came_to))
        invoice = _replace(invoice, open=came_to.remaining)
    return history


@given(paid())
def test_cash_discounts_and_what_is_open_are_the_total_at_each_moment(
    history: list[tuple[Standing, date, Settlement]],
) -> None:
    cash = given_up = 0
    for before, _, came_to in history:
        cash += came_to.amount - came_to.overpaid
        given_up += came_to.discount + came_to.tax_reduction
        assert cash + given_up + came_to.remaining == before.bill.total
        assert came_to.settled == came_to.amount - came_to.overpaid + came_to.discount + came_to.tax_reduction
        assert came_to.settled + came_to.remaining == before.open
        assert 0 <= came_to.overpaid <= came_to.amount
        assert came_to.discount >= 0
        assert came_to.tax_reduction >= 0
        assert came_to.remaining >= 0


@given(paid())
def test_what_is_booked_by_tax_group_adds_up(history: list[tuple[Standing, date, Settlement]]) -> None:
    for before, _, came_to in history:
        nets = [group.net for group in came_to.groups]
        taxes = [tax for group in came_to.groups for tax in group.taxes]
        assert all(part >= 0 for part in (*nets, *taxes))
        assert sum(nets) == came_to.discount
        assert sum(taxes) == came_to.tax_reduction
        assert not came_to.groups or [len(group.taxes) for group in came_to.groups] == [
            len(group.taxes) for group in before.bill.groups
        ]


@given(some_invoices(), days, st.data())
def test_a_quote_adds_up_and_a_payment_of_just_that_closes_the_invoice(
    invoice: Standing, day: date, data: st.DataObject
) -> None:
    invoice = _replace(invoice, open=data.draw(st.integers(0, invoice.open)))
    told = quote(invoice, day)
    assert 0 <= told.payable <= told.open == invoice.open
    assert told.discount >= 0
    assert told.tax_reduction >= 0
    assert told.discount + told.tax_reduction == told.open - told.payable
    assert told.open or not told.payable
    if not told.payable:
        return
    came_to = settle(invoice, told.payable, day, PaymentMode.DISCOUNT)
    assert (came_to.settled, came_to.overpaid, came_to.remaining) == (told.open, 0, 0)
    assert (came_to.discount, came_to.tax_reduction) == (told.discount, told.tax_reduction)


@given(some_invoices(), days)
def test_one_minor_unit_less_than_the_quote_leaves_something_open(invoice: Standing, day: date) -> None:
    payable = quote(invoice, day).payable
    assume(payable > 1)
    assert settle(invoice, payable - 1, day, None).remaining > 0


@given(some_invoices(), tolerances, days, st.data())
def test_paying_more_never_settles_less(
    invoice: Standing, tolerance: Tolerance, day: date, data: st.DataObject
) -> None:
    terms = _replace(invoice.agreement.terms, tolerance=tolerance)
    invoice = _replace(invoice, agreement=_replace(invoice.agreement, terms=terms))
    amount, mode = data.draw(amounts_for(invoice, day)), data.draw(some_mode())
    more = amount + data.draw(st.integers(1, 3) | st.integers(1, 10**6))
    less_settled, more_settled = settle(invoice, amount, day, mode), settle(invoice, more, day, mode)
    assert less_settled.settled <= more_settled.settled
    assert less_settled.overpaid <= more_settled.overpaid


@given(some_invoices(), days, st.data())
def test_each_step_of_a_quote_is_true_for_its_day_and_no_more_for_the_next(
    invoice: Standing, day: date, data: st.DataObject
) -> None:
    invoice = _replace(invoice, open=data.draw(st.integers(0, invoice.open)))
    told = quote(invoice, day)
    start, payable = day, told.payable
    for step in told.steps:
        assert step.payable == payable
        for passed in range((step.until - start).days + 1):
            assert quote(invoice, start + passed * DAY).payable == step.payable
        start = step.until + DAY
        payable = quote(invoice, start).payable
        assert payable != step.payable
    assert payable == invoice.open


@given(paid())
def test_no_invoice_is_discounted_twice(history: list[tuple[Standing, date, Settlement]]) -> None:
    """All discounts together are at most their share of the greatest, but for the rounding of each payment.

    With g of `open` offered, a payment that settles s gets at most s x g / open + half a unit; g itself is at most half
    a unit too high. That makes 1/2 x (1 + s / open), and 1/2 for the payment that closes, which rounds nothing else.
    What a tolerance bears is left out.
    """
    given_up, settled, bound = 0, 0, Fraction()
    best = max(_whole(before, day).whole for before, day, _ in history)
    for before, _, came_to in history:
        if came_to.tolerated or not before.open:
            continue
        given_up += came_to.discount + came_to.tax_reduction
        settled += came_to.settled
        bound += HALF if came_to.closes else HALF + Fraction(came_to.settled, 2 * before.open)
        assert given_up <= Fraction(best * settled, before.bill.total) + bound


def _whole(invoice: Standing, day: date) -> Discount:
    offer = offer_on(invoice.agreement, invoice.bill.net, day)
    return Discount() if offer is None else discount(invoice.bill, offer.exact, invoice.agreement.terms.tax_mode)


@given(paid())
def test_points_are_for_no_more_than_the_discount_they_replace(
    history: list[tuple[Standing, date, Settlement]],
) -> None:
    for before, day, came_to in history:
        rate = before.agreement.points
        if rate is None:
            assert not came_to.points
            continue
        worth = Fraction(came_to.points * rate.amount, rate.points)
        share = Fraction(came_to.settled, before.bill.total) if before.bill.total else 0
        assert worth <= _whole(before, day).whole * share + HALF
        assert not came_to.points or not came_to.discount + came_to.tax_reduction


@given(some_invoices(), days)
def test_a_whole_discount_is_within_what_was_charged(invoice: Standing, day: date) -> None:
    whole = _whole(invoice, day)
    for less, group in zip(whole.groups, invoice.bill.groups, strict=True) if whole.groups else ():
        assert 0 <= less.net <= group.net
        assert all(0 <= part <= tax.amount for part, tax in zip(less.taxes, group.taxes, strict=True))
    assert whole.net <= invoice.bill.net
    assert whole.tax <= invoice.bill.tax - invoice.bill.fixed


@given(some_lines(), st.fractions(0, 1))
def test_a_groups_tax_falls_to_that_of_its_reduced_net(lines: list[InvoiceLine], share: Fraction) -> None:
    bill = itemised(lines)
    whole = discount(bill, bill.net * share, TaxMode.INCLUDED)
    assert whole.net == half_up(bill.net * share)
    for less, group in zip(whole.groups, bill.groups, strict=True):
        assert abs(less.net - Fraction(group.net * whole.net, bill.net or 1)) < 1
        for part, tax in zip(less.taxes, group.taxes, strict=True):
            assert tax.amount - part == tax_on(group.net - less.net, tax.millionths or 0)
