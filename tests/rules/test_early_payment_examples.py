"""What others print of paying early, reckoned anew: each with its source."""

from datetime import date

import pytest

from service.invoices.bills import InvoiceLine, Tax
from service.invoices.settling import PriceStep, Standing, price_on, quote, settle
from service.programs.payment_terms import StepTerms, TaxMode, YearlyRateTerms
from tests.rules.billing import DAY, ISSUED, agreed, invoiced, rated, steps, told

ODOO = steps((10, 1_000))
"""Odoo, addons/account/tests/test_early_payment_discount.py: 10 % within 10 days."""
MIXED = [rated(100_000, 1_500), rated(200_000)]


def odoo(tax_mode: TaxMode) -> StepTerms:
    """Odoo's terms, with one of its three ways of treating tax."""
    return steps((10, 1_000), tax_mode=tax_mode)


def test_odoo_an_invoice_of_1_january_is_discounted_until_the_11th() -> None:
    invoice = told(agreed(ODOO, issued_on=date(2019, 1, 1)), 172_500, 22_500)
    assert quote(invoice, date(2019, 1, 1)).last_day == date(2019, 1, 11)
    assert quote(invoice, date(2019, 1, 11)).payable == 155_250
    assert quote(invoice, date(2019, 1, 12)).payable == 172_500


@pytest.mark.parametrize(
    ("lines", "tax_mode", "total", "payable", "discount", "tax_reduction"),
    [
        ([rated(150_000, 1_500)], TaxMode.INCLUDED, 172_500, 155_250, 15_000, 2_250),
        (
            [InvoiceLine(5_000, (Tax("VAT", basis_points=1_500), Tax("eco", fixed=5)))],
            TaxMode.INCLUDED,
            5_755,
            5_180,
            500,
            75,
        ),
        (MIXED, TaxMode.INCLUDED, 315_000, 283_500, 30_000, 1_500),
        (MIXED, TaxMode.EXCLUDED, 315_000, 285_000, 30_000, 0),
        (MIXED, TaxMode.MIXED, 313_500, 283_500, 30_000, 0),
    ],
)
def test_odoo_three_ways_of_treating_tax(
    lines: list[InvoiceLine], tax_mode: TaxMode, total: int, payable: int, discount: int, tax_reduction: int
) -> None:
    """Odoo, addons/account/tests/test_early_payment_discount.py: 10 % within 10 days, a tax of 15 %."""
    its = quote(invoiced(agreed(odoo(tax_mode)), lines), ISSUED)
    assert (its.total, its.payable, its.discount, its.tax_reduction) == (total, payable, discount, tax_reduction)


@pytest.mark.parametrize(
    ("lines", "by_group"),
    [([rated(150_000, 1_500)], [(15_000, (2_250,))]), (MIXED, [(10_000, (1_500,)), (20_000, ())])],
)
def test_odoo_what_a_payment_in_time_books_by_tax(
    lines: list[InvoiceLine], by_group: list[tuple[int, tuple[int, ...]]]
) -> None:
    """Odoo, addons/account/tests/test_early_payment_discount.py: 150.00 and 22.50; 200.00, 100.00 and 15.00."""
    invoice = invoiced(agreed(ODOO), lines)
    came_to = settle(invoice, price_on(invoice, ISSUED).payable, ISSUED, None)
    assert [(group.net, group.taxes) for group in came_to.groups] == by_group
    assert not came_to.remaining


@pytest.mark.parametrize(("days", "rate", "discount"), [(7, 1_800, 3_500), (7, 2_400, 4_667), (14, 2_400, 9_333)])
def test_oracle_dynamic_discounts(days: int, rate: int, discount: int) -> None:
    """Oracle Fusion, "Examples of reviewing early payment discount offers": 10,000.00, over a year of 360 days."""
    due_on = date(2019, 3, 1)
    invoice = told(agreed(YearlyRateTerms(basis_points=rate, year_days=360), due_on=due_on), 1_000_000)
    assert quote(invoice, due_on - days * DAY).discount == discount


@pytest.mark.parametrize(("year_days", "simple", "compounded"), [(365, 3_724, 4_459), (360, 3_673, None)])
def test_what_2_10_net_30_earns_a_year(year_days: int, simple: int, compounded: int | None) -> None:
    """2/10 net 30 on day 10, 2/98 for 20 days: 37.24 % (C2FO's 365 days, simple), 36.73 % (360), 44.59 % compounded."""
    terms = agreed(steps((10, 200), net_days=30), due_on=ISSUED + 30 * DAY, year_days=year_days)
    rate = quote(told(terms, 100_000), ISSUED + 10 * DAY).yearly_rate
    assert rate is not None
    assert (rate.basis_points, rate.days, rate.year_days) == (simple, 20, year_days)
    assert compounded is None or rate.compounded_basis_points == compounded


def test_half_of_an_invoice_paid_in_time_leaves_48_parts_of_100() -> None:
    """The issue's own: 500.00 of 1000.00 in time at 2 % settles 510.20, and 480.00 remain payable in time."""
    invoice = told(agreed(steps((10, 200), net_days=30), due_on=ISSUED + 30 * DAY), 100_000)
    came_to = settle(invoice, 50_000, ISSUED, None)
    assert (came_to.settled, came_to.discount, came_to.remaining) == (51_020, 1_020, 48_980)
    after = quote(Standing(invoice.agreement, invoice.bill, 48_980), ISSUED)
    assert (after.open, after.payable) == (48_980, 48_000)
    assert after.steps == (PriceStep(ISSUED + 10 * DAY, 48_000),)


def test_the_lines_of_the_issue_are_computed_to_a_total() -> None:
    """1500.00 with 15 % and 0.05 of a fixed tax, which isn't discounted: 3 % within 7 days, 2 % within 14, net 30."""
    line = InvoiceLine(150_000, (Tax("VAT", basis_points=1_500), Tax("eco", fixed=5)))
    invoice = invoiced(agreed(steps((7, 300), (14, 200), net_days=30), due_on=ISSUED + 30 * DAY), [line])
    its = quote(invoice, ISSUED)
    assert its.total == 172_505
    assert its.steps == (PriceStep(ISSUED + 7 * DAY, 167_330), PriceStep(ISSUED + 14 * DAY, 169_055))
    assert quote(invoice, ISSUED + 15 * DAY).steps == ()
