"""What an invoice charges: its lines, put together into tax groups, to the cent."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.invoices.bills import Bill, InvoiceLine, RatedTax, Tax, TaxGroup, half_up, itemised, printed, spread
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from tests.rules.billing import nets, rated, some_lines

VAT = Tax("VAT", basis_points=1_900)
QST = Tax("QST", millionths=99_750)
GST = Tax("GST", basis_points=500)
ECO = Tax("eco", fixed=5)
NO_TAX: list[int] = []


def taxes_of(bill: Bill) -> list[tuple[int, list[int]]]:
    """Tell each group's net, and its taxes."""
    return [(group.net, [tax.amount for tax in group.taxes]) for group in bill.groups]


@pytest.mark.parametrize(
    ("lines", "groups", "fixed"),
    [
        # One cent a line is 0.19 of tax: rounded once a group that is 1 cent on three, not none.
        ([InvoiceLine(1, (VAT,))] * 3, [(3, [1])], 0),
        ([InvoiceLine(1, (VAT,))] * 2, [(2, [0])], 0),
        # A half goes upwards: 15 % of 0.10.
        ([rated(10, 1_500)], [(10, [2])], 0),
        # 9.975 % of 100.00 are 9.975.
        ([InvoiceLine(10_000, (QST,))], [(10_000, [998])], 0),
        # Two taxes are two roundings: 5 % of 0.30 are 0.015, 9.975 % of it 0.029925.
        ([InvoiceLine(30, (GST, QST))], [(30, [2, 3])], 0),
        # The order of its taxes doesn't make a line a group of its own, nor do fixed taxes.
        ([InvoiceLine(30, (GST, QST)), InvoiceLine(70, (QST, ECO, GST))], [(100, [5, 10])], 5),
        # With one tax more, or none, it is another group.
        (
            [InvoiceLine(100, (GST,)), InvoiceLine(100, (GST, QST)), InvoiceLine(9)],
            [(100, [5]), (100, [5, 10]), (9, NO_TAX)],
            0,
        ),
        # So it is by the same rate under another name.
        (
            [InvoiceLine(50, (Tax("A", basis_points=100),)), InvoiceLine(50, (Tax("B", basis_points=100),))],
            [(50, [1])] * 2,
            0,
        ),
        # A rate is the same in basis points and in millionths.
        ([InvoiceLine(50, (GST,)), InvoiceLine(50, (Tax("GST", millionths=50_000),))], [(100, [5])], 0),
        # A fixed tax is charged on each line, whatever that costs.
        ([InvoiceLine(0, (ECO,)), InvoiceLine(0, (ECO, Tax("bag", fixed=20)))], [(0, NO_TAX)], 30),
    ],
)
def test_lines_come_to_tax_groups(lines: list[InvoiceLine], groups: list[tuple[int, list[int]]], fixed: int) -> None:
    bill = itemised(lines)
    assert taxes_of(bill) == groups
    assert bill.fixed == fixed
    assert bill.total == bill.net + bill.tax
    assert bill.tax == fixed + sum(sum(taxes) for _, taxes in groups)


@pytest.mark.parametrize(
    ("lines", "share", "taxes"),
    [
        ([rated(100_000, 1_500), rated(200_000)], Fraction(1, 10), [[13_500], []]),
        # 2 % of 0.50 and 0.50 are one cent off both together; the first bears it.
        ([rated(50, 10_000), rated(50, 5_000)], Fraction(1, 100), [[49], [25]]),
        ([rated(50, 10_000), rated(50, 5_000)], Fraction(), [[50], [25]]),
        ([rated(100, 1_000)], Fraction(1), [[0]]),
    ],
)
def test_with_the_tax_mode_mixed_only_the_rest_is_taxed(
    lines: list[InvoiceLine], share: Fraction, taxes: list[list[int]]
) -> None:
    bill = itemised(lines, reduced_by=share)
    assert [each for _, each in taxes_of(bill)] == taxes
    assert [group.net for group in bill.groups] == [line.net for line in lines]


@pytest.mark.parametrize(
    ("total", "tax", "bill"),
    [
        (172_500, 22_500, Bill((TaxGroup(150_000, (RatedTax(None, None, 22_500),)),))),
        (1_000, 0, Bill((TaxGroup(1_000),))),
        (7, 7, Bill((TaxGroup(0, (RatedTax(None, None, 7),)),))),
        (0, 0, Bill((TaxGroup(0),))),
    ],
)
def test_a_total_and_its_tax_are_taken_as_printed(total: int, tax: int, bill: Bill) -> None:
    assert printed(total, tax) == bill
    assert (bill.total, bill.tax) == (total, tax)


@pytest.mark.parametrize(
    ("taxes", "pointer", "reason"),
    [
        ((VAT, Tax("none")), "/lines/1/taxes/1", "exclusive"),
        ((Tax("two", basis_points=1, millionths=100),), "/lines/1/taxes/0", "exclusive"),
        ((Tax("two", millionths=0, fixed=0),), "/lines/1/taxes/0", "exclusive"),
        ((VAT, QST, VAT), "/lines/1/taxes/2", "duplicate"),
        ((VAT, Tax("VAT", millionths=190_000)), "/lines/1/taxes/1", "duplicate"),
        ((ECO, Tax("eco", fixed=7)), "/lines/1/taxes/1", "duplicate"),
    ],
)
def test_taxes_without_a_rate_with_two_or_twice_are_refused(taxes: tuple[Tax, ...], pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        itemised([InvoiceLine(100, (VAT,)), InvoiceLine(100, taxes)])
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def test_lines_beyond_all_bounds_are_refused() -> None:
    assert itemised([InvoiceLine(BOUND)]).total == BOUND
    for lines in ([InvoiceLine(BOUND), InvoiceLine(1)], [InvoiceLine(BOUND, (ECO,))], [rated(BOUND - 1, 100)]):
        with pytest.raises(Invalid) as refused:
            itemised(lines)
        assert refused.value.pointer == "/lines"


@given(some_lines(), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_amount(lines: list[InvoiceLine], random: Random) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)
    bill, other = itemised(lines), itemised(shuffled)
    assert (bill.net, bill.tax, bill.fixed) == (other.net, other.tax, other.fixed)
    assert {group.rates: group.net for group in bill.groups} == {group.rates: group.net for group in other.groups}


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (2, [1, 1, 1], [1, 1, 0]),
        # By Hamilton's method seats go to the greatest remainders: of 1.5, 1.4 and 0.1 the first has 0.5.
        (3, [15, 14, 1], [2, 1, 0]),
        (10, [0, 5, 0], [0, 10, 0]),
        (7, [0, 0], [7, 0]),
        (0, [3, 4], [0, 0]),
        (0, [], []),
    ],
)
def test_amounts_are_spread_by_largest_remainder(amount: int, weights: list[int], parts: list[int]) -> None:
    assert spread(amount, weights) == parts


@given(st.lists(nets, min_size=1, max_size=6), st.fractions(0, 1))
def test_what_is_spread_adds_up_and_is_nowhere_a_whole_unit_off(weights: list[int], share: Fraction) -> None:
    amount = half_up(sum(weights) * share)
    parts = spread(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        assert abs(part - Fraction(amount * weight, sum(weights) or 1)) < 1
