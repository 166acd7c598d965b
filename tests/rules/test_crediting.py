"""What credit notes leave of an invoice, and what they take back of payments: to the cent, and never below nothing."""

from fractions import Fraction
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.invoices.bills import Bill, InvoiceLine, RatedTax, Tax, TaxGroup, itemised, printed
from service.invoices.crediting import CreditNoteExceedsInvoice, reduced, reduced_by_lines
from service.invoices.discounts import Agreement
from service.invoices.settling import Left, Standing, credit, price_on, settle
from service.kernel.errors import Invalid
from tests.rules.billing import (
    ISSUED,
    agreed,
    bill_of_nothing,
    days,
    invoiced,
    rated,
    share_of,
    some_agreements,
    some_lines,
    some_mode,
    steps,
    told,
)

GST, QST = Tax("GST", basis_points=500), Tax("QST", millionths=99_750)
ECO = Tax("eco", fixed=5)
ROUNDED_AWAY = Bill((TaxGroup(10, (RatedTax("VAT", 150_000, 1),)), TaxGroup(10, (RatedTax("VAT", 70_000, 1),))))
NO_TAX: list[int] = []
NONE: list[Left] = []
_replace = msgspec.structs.replace

TWO_RATES = itemised([rated(10_000, 1_900), rated(10_000, 700), rated(5_000)])
WITH_FIXED = itemised([InvoiceLine(5_000, (Tax("VAT", basis_points=1_500), ECO))])


def left_of(bill: Bill) -> list[tuple[int, list[int]]]:
    """Tell what is left: each group's net, and its taxes."""
    return [(group.net, [tax.amount for tax in group.taxes]) for group in bill.groups]


@pytest.mark.parametrize(
    ("bill", "total", "tax", "left", "fixed"),
    [
        # Everything.
        (TWO_RATES, 27_600, 2_600, [(0, [0]), (0, [0]), (0, NO_TAX)], 0),
        (WITH_FIXED, 5_755, 755, [(0, [0])], 0),
        # Of one group, whatever the tax is said to be.
        (printed(11_900, 1_900), 5_000, 800, [(5_800, [1_100])], 0),
        (printed(11_900, 1_900), 1_900, 1_900, [(10_000, [0])], 0),
        (printed(11_900, 1_900), 10_000, 0, [(0, [1_900])], 0),
        # Where the tax is just that of one group: half of each.
        (TWO_RATES, 5_950, 950, [(5_000, [950]), (10_000, [700]), (5_000, NO_TAX)], 0),
        (TWO_RATES, 5_350, 350, [(10_000, [1_900]), (5_000, [350]), (5_000, NO_TAX)], 0),
        (TWO_RATES, 5_000, 0, [(10_000, [1_900]), (10_000, [700]), (0, NO_TAX)], 0),
        # It isn't, where that group has too little left: then it is of all, in proportion.
        (TWO_RATES, 7_500, 0, [(7_000, [1_900]), (7_000, [700]), (3_500, NO_TAX)], 0),
        (TWO_RATES, 12_500, 1_300, [(5_520, [950]), (5_520, [350]), (2_760, NO_TAX)], 0),
        # Nor where too little of its tax is left, as rounding left it.
        (ROUNDED_AWAY, 12, 2, [(5, [0]), (5, [0])], 0),
        # The first of two that it could be.
        (itemised([rated(100, 1_000), rated(100, 1_001)]), 55, 5, [(50, [5]), (100, [10])], 0),
        # Each tax of the group is rounded by itself: 0.02 and 0.03.
        (itemised([InvoiceLine(60, (GST, QST)), rated(60, 1_667)]), 35, 5, [(30, [1, 3]), (60, [10])], 0),
        # A tax without net is of fixed ones; beside net in its proportion.
        (WITH_FIXED, 5, 5, [(5_000, [750])], 0),
        (WITH_FIXED, 3, 3, [(5_000, [750])], 2),
        (WITH_FIXED, 6, 6, [(5_000, [744])], 5),
        (WITH_FIXED, 2_875, 375, [(2_500, [375])], 5),
        (WITH_FIXED, 2_878, 378, [(2_500, [375])], 2),
        # Nothing takes nothing.
        (TWO_RATES, 0, 0, [(10_000, [1_900]), (10_000, [700]), (5_000, NO_TAX)], 0),
    ],
)
def test_a_total_with_its_tax_is_of_the_group_that_it_fits(
    bill: Bill, total: int, tax: int, left: list[tuple[int, list[int]]], fixed: int
) -> None:
    after = reduced(bill, total=total, tax=tax)
    assert left_of(after) == left
    assert after.fixed == fixed
    assert (after.total, after.tax) == (bill.total - total, bill.tax - tax)


def test_with_the_tax_mode_mixed_the_reduced_tax_is_what_fits() -> None:
    """3 % less from the start: 1000.00 at 19 % bear 184.30, and a half of it 92.15."""
    share = Fraction(3, 100)
    bill = itemised([rated(100_000, 1_900), rated(100_000, 700)], reduced_by=share)
    after = reduced(bill, total=59_215, tax=9_215, reduced_by=share)
    assert left_of(after) == [(50_000, [9_215]), (100_000, [6_790])]


@pytest.mark.parametrize(
    ("bill", "total", "tax", "pointer"),
    [
        (TWO_RATES, 27_601, 2_600, "/total"),
        (TWO_RATES, 27_701, 2_700, "/total"),
        (TWO_RATES, 20_000, 2_601, "/tax"),
        (TWO_RATES, 25_001, 0, "/total"),
        (printed(0, 0), 1, 0, "/total"),
    ],
)
def test_a_total_beyond_what_is_left_is_refused(bill: Bill, total: int, tax: int, pointer: str) -> None:
    with pytest.raises(CreditNoteExceedsInvoice) as refused:
        reduced(bill, total=total, tax=tax)
    assert refused.value.pointer == pointer
    assert refused.value.code == "credit_note_exceeds_invoice"


@pytest.mark.parametrize(
    ("bill", "lines", "left", "fixed"),
    [
        (TWO_RATES, [rated(5_000, 700)], [(10_000, [1_900]), (5_000, [350]), (5_000, NO_TAX)], 0),
        (TWO_RATES, [rated(1, 700), rated(1, 700), rated(9)], [(10_000, [1_900]), (9_998, [700]), (4_991, NO_TAX)], 0),
        # All net of a group takes all its tax; 1 cent of 19 % is none.
        (itemised([rated(6, 1_900)]), [rated(6, 1_900)], [(0, [0])], 0),
        # The order of taxes on a line doesn't matter.
        (itemised([InvoiceLine(60, (GST, QST))]), [InvoiceLine(30, (QST, GST))], [(30, [1, 3])], 0),
        (WITH_FIXED, [InvoiceLine(0, (Tax("VAT", basis_points=1_500), Tax("other", fixed=3)))], [(5_000, [750])], 2),
        # A printed invoice without tax has one group, as a line without taxes.
        (printed(500, 0), [InvoiceLine(200)], [(300, NO_TAX)], 0),
    ],
)
def test_lines_are_of_the_group_with_their_taxes(
    bill: Bill, lines: list[InvoiceLine], left: list[tuple[int, list[int]]], fixed: int
) -> None:
    after = reduced_by_lines(bill, lines)
    assert left_of(after) == left
    assert after.fixed == fixed


def test_a_group_credited_in_pieces_loses_all_its_tax_and_never_more() -> None:
    """15 % of 0.20 are 0.03; of each 0.10 they are 0.02, rounded. The second piece finds one cent."""
    bill = itemised([rated(20, 1_500)])
    once = reduced_by_lines(bill, [rated(10, 1_500)])
    assert left_of(once) == [(10, [1])]
    assert bill_of_nothing(reduced_by_lines(once, [rated(10, 1_500)]))
    # 7 % of 0.10 are one cent, of 0.05 none: the last piece takes what the others left.
    bill = itemised([rated(10, 700)])
    once = reduced_by_lines(bill, [rated(5, 700)])
    assert left_of(once) == [(5, [1])]
    assert bill_of_nothing(reduced_by_lines(once, [rated(5, 700)]))
    # Of 0.40 a quarter at a time: 0.06 are gone before the last, which takes no more than is left.
    bill = itemised([rated(40, 1_500)])
    for left in ([(30, [4])], [(20, [2])], [(10, [0])], [(5, [0])], [(0, [0])]):
        bill = reduced_by_lines(bill, [rated(bill.net - left[0][0], 1_500)])
        assert left_of(bill) == left


def test_with_the_tax_mode_mixed_lines_bear_the_reduced_tax() -> None:
    share = Fraction(3, 100)
    bill = itemised([rated(100_000, 1_900)], reduced_by=share)
    assert left_of(reduced_by_lines(bill, [rated(50_000, 1_900)], reduced_by=share)) == [(50_000, [9_215])]


@pytest.mark.parametrize(
    ("bill", "lines", "pointer"),
    [
        (TWO_RATES, [rated(10_001, 700)], "/lines/0"),
        (TWO_RATES, [rated(1), rated(9_000, 700), rated(9_000, 1_900), rated(1_001, 700), rated(1, 700)], "/lines/3"),
        (WITH_FIXED, [InvoiceLine(0, (ECO,)), InvoiceLine(0, (ECO,))], "/lines/1"),
        (TWO_RATES, [rated(1), InvoiceLine(1, (ECO,))], "/lines/1"),
    ],
)
def test_lines_beyond_what_is_left_are_refused(bill: Bill, lines: list[InvoiceLine], pointer: str) -> None:
    with pytest.raises(CreditNoteExceedsInvoice) as refused:
        reduced_by_lines(bill, lines)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("bill", "lines", "pointer", "reason"),
    [
        (TWO_RATES, [rated(1), rated(1, 800)], "/lines/1/taxes", "unknown_taxes"),
        (TWO_RATES, [rated(0, 700, 1_900)], "/lines/0/taxes", "unknown_taxes"),
        # What was printed can't be told from a rate.
        (printed(11_900, 1_900), [rated(100, 1_900)], "/lines/0/taxes", "unknown_taxes"),
        (TWO_RATES, [rated(1), InvoiceLine(1, (Tax("VAT"),))], "/lines/1/taxes/0", "exclusive"),
        (TWO_RATES, [rated(0, 700), rated(0)], "/lines", "out_of_range"),
    ],
)
def test_lines_that_the_invoice_cant_have_are_refused(
    bill: Bill, lines: list[InvoiceLine], pointer: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        reduced_by_lines(bill, lines)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def a_payment(number: int, settled: int, cash: int, discount: int, points: int = 0) -> Left:
    """Make what is left of a payment; what is neither cash nor discount is tax reduction."""
    return Left(UUID(int=number), settled, cash, discount, settled - cash - discount, points)


@pytest.mark.parametrize(
    ("open_", "left", "credited", "from_open", "taken", "overpaid"),
    [
        # From what is open first.
        (500, [a_payment(1, 500, 490, 10)], 500, 500, NONE, 0),
        (500, [a_payment(1, 500, 490, 10)], 200, 200, NONE, 0),
        # Then of settlements, in proportion: cash is the customer's again, discount is not.
        (500, [a_payment(1, 500, 490, 10)], 750, 500, [a_payment(1, 250, 245, 5)], 245),
        (0, [a_payment(1, 1_190, 1_166, 20)], 595, 0, [a_payment(1, 595, 583, 10)], 583),
        # Newest first, each of what it has.
        (
            100,
            [a_payment(2, 200, 200, 0), a_payment(1, 700, 686, 14)],
            400,
            100,
            [a_payment(2, 200, 200, 0), a_payment(1, 100, 98, 2)],
            298,
        ),
        # What settled nothing any more is passed over.
        (0, [a_payment(3, 0, 0, 0), a_payment(1, 1_000, 980, 20)], 1_000, 0, [a_payment(1, 1_000, 980, 20)], 980),
        # Points go with their part, fractions dropped; with all of it, all.
        (0, [a_payment(1, 1_000, 1_000, 0, 25)], 500, 0, [a_payment(1, 500, 500, 0, 12)], 500),
        (0, [a_payment(1, 1_000, 1_000, 0, 25)], 1_000, 0, [a_payment(1, 1_000, 1_000, 0, 25)], 1_000),
    ],
)
def test_a_credit_note_takes_what_is_open_first_then_of_settlements(
    open_: int, left: list[Left], credited: int, from_open: int, taken: list[Left], overpaid: int
) -> None:
    bill = printed(open_ + sum(each.settled for each in left), 0)
    its = credit(Standing(agreed(steps((7, 300))), bill, open_), left, reduced(bill, total=credited, tax=0))
    assert (its.from_open, list(its.taken), its.overpaid) == (from_open, taken, overpaid)
    assert its.remaining == open_ - from_open
    assert its.bill.total == bill.total - credited


def test_the_total_and_its_discount_count_less_credit_notes() -> None:
    """Of 1000.00 at 2 %, 200.00 are credited: 784.00 close the rest. Of a fixed 50.00 nothing is taken."""
    invoice = told(agreed(steps((10, 200))), 100_000)
    its = credit(invoice, [], reduced(invoice.bill, total=20_000, tax=0))
    assert price_on(Standing(invoice.agreement, its.bill, its.remaining), ISSUED).payable == 78_400


def test_a_discount_follows_what_is_left_of_each_tax_group() -> None:
    invoice = invoiced(agreed(steps((10, 1_000))), [rated(10_000, 1_900), rated(10_000)])
    its = credit(invoice, [], reduced(invoice.bill, total=11_900, tax=1_900))
    after = price_on(Standing(invoice.agreement, its.bill, its.remaining), ISSUED)
    assert (after.payable, after.discount, after.tax_reduction) == (9_000, 1_000, 0)


class Books:
    """An invoice with all that is done to it, kept as the room keeps it; `left`, the newest first."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.left = list[Left]()
        self.received = self.told_overpaid = self.returned = 0
        self.count = 0

    def pay(self, draw: st.DataObject) -> None:
        """Pay something on some day."""
        day = draw.draw(days)
        payable = price_on(self.standing, day).payable
        amount = max(1, draw.draw(st.sampled_from([payable, payable - 1, 25]) | st.integers(1, self.standing.open + 1)))
        its = settle(self.standing, amount, day, draw.draw(some_mode()))
        self.count += 1
        cash = amount - its.overpaid
        self.left.insert(0, Left(UUID(int=self.count), its.settled, cash, its.discount, its.tax_reduction, its.points))
        self.received += amount
        self.told_overpaid += its.overpaid
        self.standing = _replace(self.standing, open=its.remaining)

    def credit(self, after: Bill) -> None:
        """Let a credit note leave only so much."""
        credited = self.standing.bill.total - after.total
        its = credit(self.standing, self.left, after)
        taken = {each.payment_id: each for each in its.taken}
        self.left = [_less(each, taken.get(each.payment_id)) for each in self.left]
        self.told_overpaid += its.overpaid
        self.standing = Standing(self.standing.agreement, its.bill, its.remaining)
        assert its.from_open + sum(each.settled for each in its.taken) == credited
        assert all(each.settled == each.cash + each.discount + each.tax_reduction for each in its.taken)

    def add_up(self) -> None:
        """Nothing is lost or made."""
        assert self.standing.open + sum(each.settled for each in self.left) == self.standing.bill.total
        assert self.standing.open >= 0
        assert sum(each.cash for each in self.left) + self.told_overpaid + self.returned == self.received
        for each in self.left:
            assert each.settled == each.cash + each.discount + each.tax_reduction
            assert min(each.settled, each.cash, each.discount, each.tax_reduction, each.points) >= 0
            assert each.settled or not each.points

    def bounce(self, place: int) -> None:
        """Take a payment back: what credit notes left of it is open again, and its cash never was."""
        gone = self.left.pop(place)
        self.returned += gone.cash
        self.standing = _replace(self.standing, open=self.standing.open + gone.settled)


def _less(left: Left, taken: Left | None) -> Left:
    if taken is None:
        return left
    return Left(
        left.payment_id,
        left.settled - taken.settled,
        left.cash - taken.cash,
        left.discount - taken.discount,
        left.tax_reduction - taken.tax_reduction,
        left.points - taken.points,
    )


def never_below_nothing(bill: Bill) -> bool:
    """Tell whether everything that is left of a bill is something or nothing."""
    amounts = [bill.fixed, *(group.net for group in bill.groups)]
    return min([*amounts, *(tax.amount for group in bill.groups for tax in group.taxes)]) >= 0


@st.composite
def some_of(draw: st.DrawFn, bill: Bill) -> tuple[int, int]:
    """Draw a total with its tax that is left of a bill."""
    net = draw(st.sampled_from([0, bill.net, bill.net // 2]) | st.integers(0, bill.net))
    tax = draw(st.sampled_from([0, bill.tax, bill.tax // 2]) | st.integers(0, bill.tax))
    return net + tax, tax


@st.composite
def some_lines_of(draw: st.DrawFn, bill: Bill, lines: list[InvoiceLine]) -> list[InvoiceLine]:
    """Draw lines of which at least one is left in part."""
    chosen = draw(st.lists(st.sampled_from(lines), min_size=1, max_size=3))
    return [InvoiceLine(draw(st.integers(0, min(line.net, bill.net))), line.taxes) for line in chosen]


@given(some_agreements(), some_lines(), st.data())
def test_open_and_what_is_left_of_settlements_are_the_total_less_credit_notes(
    agreement: Agreement, lines: list[InvoiceLine], data: st.DataObject
) -> None:
    books, share = Books(invoiced(agreement, lines)), share_of(agreement, lines)
    for _ in range(data.draw(st.integers(1, 8))):
        before = books.standing.bill
        match data.draw(st.sampled_from(["pay", "pay", "credit", "credit lines", "bounce"])):
            case "credit":
                total, tax = data.draw(some_of(before))
                after = reduced(before, total=total, tax=tax, reduced_by=share)
                assert (after.total, after.tax) == (before.total - total, before.tax - tax)
                books.credit(after)
            case "credit lines":
                try:
                    books.credit(reduced_by_lines(before, data.draw(some_lines_of(before, lines)), reduced_by=share))
                except Invalid:
                    continue
            case "bounce" if books.left:
                books.bounce(data.draw(st.integers(0, len(books.left) - 1)))
            case _:
                books.pay(data)
        books.add_up()
        assert never_below_nothing(books.standing.bill)
        assert [group.rates for group in books.standing.bill.groups] == [group.rates for group in before.groups]
        assert books.standing.bill.total <= before.total


@given(some_lines(), st.data())
def test_an_invoice_can_be_credited_to_nothing_in_any_pieces(lines: list[InvoiceLine], data: st.DataObject) -> None:
    bill = itemised(lines)
    for _ in range(data.draw(st.integers(0, 4))):
        total, tax = data.draw(some_of(bill))
        bill = reduced(bill, total=total, tax=tax)
        assert never_below_nothing(bill)
    assert bill_of_nothing(reduced(bill, total=bill.total, tax=bill.tax))


@given(some_lines(), st.fractions(0, 1))
def test_an_invoice_credited_by_its_own_lines_is_nothing(lines: list[InvoiceLine], share: Fraction) -> None:
    bill = itemised(lines, reduced_by=share)
    if bill.total:
        assert bill_of_nothing(reduced_by_lines(bill, lines, reduced_by=share))


@given(some_agreements(), some_lines(), st.data())
def test_an_invoice_partly_credited_is_discounted_within_what_is_left(
    agreement: Agreement, lines: list[InvoiceLine], data: st.DataObject
) -> None:
    invoice, day = invoiced(agreement, lines), data.draw(days)
    total, tax = data.draw(some_of(invoice.bill))
    bill = reduced(invoice.bill, total=total, tax=tax, reduced_by=share_of(agreement, lines))
    its = price_on(Standing(agreement, bill, bill.total), day)
    for less, group in zip(its.of.groups, bill.groups, strict=bool(its.of.groups)):
        assert 0 <= less.net <= group.net
        assert all(0 <= part <= tax.amount for part, tax in zip(less.taxes, group.taxes, strict=True))
    assert 0 <= its.payable <= bill.total
    assert its.payable + its.discount + its.tax_reduction == bill.total
