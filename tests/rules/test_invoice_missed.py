"""Of an invoice of very many tax groups only the last step that is over is told as missed; of others any of them."""

from datetime import date

import pytest

from service.invoices.bills import InvoiceLine, Tax, itemised
from service.invoices.discounts import Agreement
from service.invoices.settling import Missed, Standing, settle
from service.programs.payment_terms import DiscountStep, StepTerms

TERMS = StepTerms(steps=(DiscountStep(5, basis_points=2_000), DiscountStep(10, basis_points=1_000)))


@pytest.mark.parametrize(
    ("groups", "paid", "missed"),
    [
        (90, 90_000, Missed(date(2026, 1, 20), 10_000)),
        (90, 80_000, Missed(date(2026, 1, 15), 20_000)),
        (1_000, 900_000, Missed(date(2026, 1, 20), 100_000)),
        (1_000, 800_000, None),
    ],
)
def test_steps_that_were_missed(groups: int, paid: int, missed: Missed | None) -> None:
    net = 100_000 // 90 if groups == 90 else 1_000
    lines = [InvoiceLine(net, (Tax(f"tax {number}", basis_points=0),)) for number in range(groups)]
    if groups == 90:
        lines.append(InvoiceLine(100_000 - 90 * net))
    bill = itemised(lines)
    standing = Standing(Agreement(TERMS, date(2026, 1, 10), None, "invoice"), bill, bill.total)
    assert settle(standing, paid, date(2026, 3, 1), None).missed == missed
