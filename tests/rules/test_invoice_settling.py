"""What a payment settles, what stays open, and what a day's price is."""

from datetime import date

import msgspec
import pytest

from service.invoices.bills import InvoiceLine, Tax
from service.invoices.settling import (
    Missed,
    PriceStep,
    Settlement,
    Standing,
    points_for,
    price_on,
    quote,
    settle,
)
from service.programs.payment_terms import (
    NoDiscount,
    Partial,
    PaymentMode,
    PaymentTerms,
    PointsForDiscount,
    TaxMode,
    Tolerance,
    YearlyRateTerms,
)
from tests.rules.billing import DAY, ISSUED, agreed, amounts, invoiced, rated, steps, told

TWO_STEPS = steps((7, 300), (14, 200))
FULL_ONLY = steps((7, 300), (14, 200), partial=Partial.FULL_ONLY)
ONE_POINT_A_CENT = PointsForDiscount(1, 1)


def on_day(day: int) -> date:
    """Return the day so many days after the invoice."""
    return ISSUED + day * DAY


def of_1000(terms: PaymentTerms, points: PointsForDiscount | None = None) -> Standing:
    """Make an invoice of 1000.00 without tax."""
    return told(agreed(terms, points=points), 100_000)


def told_of(came_to: Settlement) -> tuple[int, int, int, int]:
    """Tell what was settled, the discount, what is the customer's again, what remains."""
    return came_to.settled, came_to.discount + came_to.tax_reduction, came_to.overpaid, came_to.remaining


@pytest.mark.parametrize(
    ("terms", "day", "amount", "came_to"),
    [
        # At least what is open: all, without a discount, and the excess is told.
        (TWO_STEPS, 0, 100_000, (100_000, 0, 0, 0)),
        (TWO_STEPS, 0, 100_001, (100_000, 0, 1, 0)),
        # Between: all, and the discount is what is missing.
        (TWO_STEPS, 0, 99_999, (100_000, 1, 0, 0)),
        (TWO_STEPS, 0, 98_000, (100_000, 2_000, 0, 0)),
        (TWO_STEPS, 7, 97_000, (100_000, 3_000, 0, 0)),
        # Below: in proportion.
        (TWO_STEPS, 7, 96_999, (99_999, 3_000, 0, 1)),
        (TWO_STEPS, 7, 48_500, (50_000, 1_500, 0, 50_000)),
        (TWO_STEPS, 8, 48_500, (49_490, 990, 0, 50_510)),
        (TWO_STEPS, 8, 97_999, (99_999, 2_000, 0, 1)),
        (TWO_STEPS, 15, 98_000, (98_000, 0, 0, 2_000)),
        (TWO_STEPS, 0, 1, (1, 0, 0, 99_999)),
        # Only who closes the invoice gets a discount.
        (FULL_ONLY, 0, 96_999, (96_999, 0, 0, 3_001)),
        (FULL_ONLY, 0, 97_000, (100_000, 3_000, 0, 0)),
        (FULL_ONLY, 8, 97_000, (97_000, 0, 0, 3_000)),
        (NoDiscount(), 0, 99_999, (99_999, 0, 0, 1)),
        # Everything off: any cent closes.
        (steps((7, 10_000)), 0, 1, (100_000, 99_999, 0, 0)),
    ],
)
def test_what_a_payment_on_1000_settles(
    terms: PaymentTerms, day: int, amount: int, came_to: tuple[int, int, int, int]
) -> None:
    settlement = settle(of_1000(terms), amount, on_day(day), None)
    assert told_of(settlement) == came_to
    assert settlement.closes == (not settlement.remaining)


def test_each_payment_keeps_its_own_step() -> None:
    invoice = of_1000(TWO_STEPS)
    for day, amount, last_day, came_to in (
        (7, 48_500, 7, (50_000, 1_500, 0, 50_000)),
        (8, 24_500, 14, (25_000, 500, 0, 25_000)),
        (20, 10_000, None, (10_000, 0, 0, 15_000)),
        # Reported late, but paid in time: a past day is normal.
        (6, 14_550, 7, (15_000, 450, 0, 0)),
    ):
        settlement = settle(invoice, amount, on_day(day), None)
        assert told_of(settlement) == came_to
        assert settlement.last_day == (None if last_day is None else on_day(last_day))
        invoice = msgspec.structs.replace(invoice, open=settlement.remaining)


def test_with_full_only_the_last_part_earns_the_discount_on_what_it_closes() -> None:
    invoice = of_1000(FULL_ONLY)
    first = settle(invoice, 40_000, ISSUED, None)
    assert told_of(first) == (40_000, 0, 0, 60_000)
    last = settle(msgspec.structs.replace(invoice, open=first.remaining), 58_200, ISSUED, None)
    assert told_of(last) == (60_000, 1_800, 0, 0)


def test_on_a_settled_invoice_all_is_overpaid_and_nothing_is_closed() -> None:
    settlement = settle(Standing(agreed(TWO_STEPS), of_1000(TWO_STEPS).bill, 0), 500, ISSUED, None)
    assert told_of(settlement) == (0, 0, 500, 0)
    assert not settlement.closes
    its = quote(Standing(agreed(TWO_STEPS), of_1000(TWO_STEPS).bill, 0), ISSUED)
    assert (its.total, its.open, its.payable, its.discount, its.steps, its.last_day) == (100_000, 0, 0, 0, (), None)


def test_a_part_books_the_discount_by_tax() -> None:
    """Half of 1190.00 and 1000.00 at 2 %: off each net 10.00, off the tax 1.90."""
    invoice = invoiced(agreed(steps((10, 200))), [rated(100_000, 1_900), rated(100_000)])
    settlement = settle(invoice, 107_310, ISSUED, None)
    assert told_of(settlement) == (109_500, 2_190, 0, 109_500)
    assert (settlement.discount, settlement.tax_reduction) == (2_000, 190)
    assert [(group.net, group.taxes) for group in settlement.groups] == [(1_000, (190,)), (1_000, ())]


def test_a_smaller_discount_that_was_taken_is_split_as_the_whole() -> None:
    invoice = invoiced(agreed(steps((10, 200))), [rated(100_000, 1_900)])
    settlement = settle(invoice, 117_810, ISSUED, None)
    assert told_of(settlement) == (119_000, 1_190, 0, 0)
    assert [(group.net, group.taxes) for group in settlement.groups] == [(1_000, (190,))]


def test_of_what_is_left_the_discount_is_rounded_and_its_tax_reduction_is_the_rest() -> None:
    """Of 11.90 at 3 %, D is 0.30 and 0.06: half of the invoice open is half of both, a quarter 0.08 and 0.01."""
    invoice = invoiced(agreed(steps((10, 300))), [rated(1_000, 1_900)])
    for open_, discount, tax_reduction in ((1_190, 30, 6), (595, 15, 3), (298, 8, 1), (2, 0, 0)):
        its = quote(Standing(invoice.agreement, invoice.bill, open_), ISSUED)
        assert (its.discount, its.tax_reduction, its.payable) == (
            discount,
            tax_reduction,
            open_ - discount - tax_reduction,
        )


@pytest.mark.parametrize(
    ("tax_mode", "payable", "tax_reduction"),
    [(TaxMode.INCLUDED, 116_620, 380), (TaxMode.EXCLUDED, 117_000, 0), (TaxMode.MIXED, 116_620, 0)],
)
def test_the_tax_modes_of_lines(tax_mode: TaxMode, payable: int, tax_reduction: int) -> None:
    its = quote(invoiced(agreed(steps((10, 200), tax_mode=tax_mode)), [rated(100_000, 1_900)]), ISSUED)
    assert (its.payable, its.discount, its.tax_reduction) == (payable, 2_000, tax_reduction)


def test_mixed_with_several_steps_taxes_what_the_highest_leaves_and_no_payment_changes_that() -> None:
    invoice = invoiced(agreed(steps((7, 300), (14, 200), tax_mode=TaxMode.MIXED)), [rated(100_000, 1_900)])
    assert invoice.bill.tax == 18_430
    prices = [price_on(invoice, on_day(day)).payable for day in (7, 14, 15)]
    assert prices == [115_430, 116_430, 118_430]


def test_mixed_with_a_total_takes_it_as_printed() -> None:
    its = quote(told(agreed(steps((7, 300), tax_mode=TaxMode.MIXED)), 118_430, 18_430), ISSUED)
    assert (its.total, its.payable, its.discount, its.tax_reduction) == (118_430, 115_430, 3_000, 0)


def test_the_base_restricts_what_is_discounted_with_its_tax() -> None:
    """2 % of 1000.00 of 3000.00: as XRechnung's BASISBETRAG, the base bears its tax."""
    terms = steps((10, 200), base=100_000)
    for invoice in (invoiced(agreed(terms), [rated(300_000, 1_900)]), told(agreed(terms), 357_000, 57_000)):
        its = quote(invoice, ISSUED)
        assert (its.discount, its.tax_reduction) == (2_000, 380)


def test_a_fixed_amount_is_net_and_its_tax_comes_on_top() -> None:
    invoice = invoiced(agreed(amounts((10, 5_000))), [rated(100_000, 1_900)])
    its = quote(invoice, ISSUED)
    assert (its.payable, its.discount, its.tax_reduction) == (113_050, 5_000, 950)
    half = settle(invoice, 56_525, ISSUED, None)
    assert told_of(half) == (59_500, 2_975, 0, 59_500)


def test_a_quote_tells_each_day_after_which_the_price_changes() -> None:
    invoice = of_1000(steps((7, 300), (14, 200), net_days=30))
    its = quote(invoice, ISSUED)
    assert its.steps == (PriceStep(on_day(7), 97_000), PriceStep(on_day(14), 98_000))
    assert (its.last_day, quote(invoice, on_day(8)).last_day) == (on_day(7), on_day(14))
    assert quote(invoice, on_day(7)).steps == its.steps
    assert quote(invoice, on_day(8)).steps == (PriceStep(on_day(14), 98_000),)
    assert (quote(invoice, on_day(15)).steps, quote(invoice, on_day(15)).last_day) == ((), None)


def test_a_step_that_is_no_better_than_the_next_is_none() -> None:
    its = quote(of_1000(steps((7, 200), (14, 300))), ISSUED)
    assert (its.steps, its.last_day) == ((PriceStep(on_day(14), 97_000),), on_day(14))


def test_by_a_yearly_rate_each_day_has_its_price_and_no_last_day() -> None:
    terms = YearlyRateTerms(basis_points=3_650, year_days=365)
    invoice = told(agreed(terms, due_on=on_day(3)), 100_000)
    its = quote(invoice, ISSUED)
    assert its.steps == (PriceStep(on_day(0), 99_700), PriceStep(on_day(1), 99_800), PriceStep(on_day(2), 99_900))
    assert its.last_day is None
    settlement = settle(invoice, 99_700, ISSUED, None)
    assert told_of(settlement) == (100_000, 300, 0, 0)
    assert settlement.last_day is None
    assert settlement.pays
    late = settle(invoice, 99_700, on_day(3), None)
    assert told_of(late) == (99_700, 0, 0, 300)
    assert not late.pays


@pytest.mark.parametrize(("groups", "told_days"), [(1, 400), (1_000, 20)])
def test_of_a_yearly_rate_the_days_to_come_are_told_as_far_as_that_is_little_work(groups: int, told_days: int) -> None:
    terms = YearlyRateTerms(basis_points=3_650, year_days=365)
    lines = [rated(100_000, rate) for rate in range(groups)]
    its = quote(invoiced(agreed(terms, due_on=on_day(900)), lines), ISSUED)
    assert [step.until for step in its.steps] == [on_day(day) for day in range(told_days)]


@pytest.mark.parametrize(
    ("tolerance", "day", "amount", "came_to", "tolerated"),
    [
        # A day late, as it may be.
        (Tolerance(days=1), 15, 98_000, (100_000, 2_000, 0, 0), True),
        (Tolerance(days=1), 16, 98_000, (98_000, 0, 0, 2_000), False),
        (Tolerance(days=1), 8, 97_000, (100_000, 3_000, 0, 0), True),
        # In time no tolerance is needed.
        (Tolerance(days=1), 8, 98_000, (100_000, 2_000, 0, 0), False),
        # A cent too high, as it may be.
        (Tolerance(amount=1), 14, 97_999, (100_000, 2_001, 0, 0), True),
        (Tolerance(amount=1), 14, 97_998, (99_998, 2_000, 0, 2), False),
        # Both.
        (Tolerance(days=1, amount=1), 15, 97_999, (100_000, 2_001, 0, 0), True),
        (Tolerance(days=1), 15, 97_999, (97_999, 0, 0, 2_001), False),
        (Tolerance(amount=1), 15, 98_000, (98_000, 0, 0, 2_000), False),
        # A part is no closing payment: it bears neither.
        (Tolerance(days=1, amount=1), 15, 49_000, (49_000, 0, 0, 51_000), False),
        # Where there is no discount, no cent is let off.
        (Tolerance(days=1, amount=1), 30, 99_999, (99_999, 0, 0, 1), False),
    ],
)
def test_by_how_much_the_payment_that_closes_may_miss(
    tolerance: Tolerance, day: int, amount: int, came_to: tuple[int, int, int, int], *, tolerated: bool
) -> None:
    settlement = settle(of_1000(steps((7, 300), (14, 200), tolerance=tolerance)), amount, on_day(day), None)
    assert told_of(settlement) == came_to
    assert settlement.tolerated == tolerated


def test_tolerance_reaches_to_the_invoice_and_not_before_the_calendar() -> None:
    first = date.min
    terms = steps((0, 300), tolerance=Tolerance(days=60))
    invoice = told(agreed(terms, issued_on=first), 100_000)
    assert told_of(settle(invoice, 97_000, first, None)) == (100_000, 3_000, 0, 0)
    assert told_of(settle(invoice, 96_000, first, None)) == (98_969, 2_969, 0, 1_031)
    # By a yearly rate a day before the invoice would be worth more.
    rate = YearlyRateTerms(basis_points=3_650, tolerance=Tolerance(days=60))
    invoice = told(agreed(rate, due_on=on_day(10)), 100_000)
    assert not settle(invoice, 98_999, ISSUED, None).closes
    assert settle(invoice, 99_000, on_day(9), None).tolerated


@pytest.mark.parametrize(
    ("terms", "day", "amount", "missed"),
    [
        (TWO_STEPS, 15, 98_000, Missed(on_day(14), 2_000)),
        (TWO_STEPS, 15, 97_000, Missed(on_day(7), 3_000)),
        # The discount of the second step is given; of the first one's, the rest stays due.
        (TWO_STEPS, 8, 97_000, Missed(on_day(7), 1_020)),
        (FULL_ONLY, 8, 97_000, Missed(on_day(7), 3_000)),
        # A part, or more than was ever offered, misses nothing.
        (TWO_STEPS, 15, 50_000, None),
        (TWO_STEPS, 15, 96_999, None),
        (TWO_STEPS, 7, 96_999, None),
        (TWO_STEPS, 15, 100_000, None),
        (NoDiscount(), 15, 98_000, None),
    ],
)
def test_a_discount_taken_too_late_is_told_and_stays_due(
    terms: PaymentTerms, day: int, amount: int, missed: Missed | None
) -> None:
    settlement = settle(of_1000(terms), amount, on_day(day), None)
    assert settlement.missed == missed
    if missed is not None:
        assert settlement.remaining == missed.amount


@pytest.mark.parametrize(
    ("terms", "day", "amount", "mode", "came_to", "points"),
    [
        (TWO_STEPS, 0, 100_000, PaymentMode.POINTS, (100_000, 0, 0, 0), 3_000),
        (TWO_STEPS, 8, 100_000, PaymentMode.POINTS, (100_000, 0, 0, 0), 2_000),
        (TWO_STEPS, 15, 100_000, PaymentMode.POINTS, (100_000, 0, 0, 0), 0),
        # Who gets points pays in full.
        (TWO_STEPS, 0, 97_000, PaymentMode.POINTS, (97_000, 0, 0, 3_000), 2_910),
        (TWO_STEPS, 0, 100_500, PaymentMode.POINTS, (100_000, 0, 500, 0), 3_000),
        (FULL_ONLY, 0, 97_000, PaymentMode.POINTS, (97_000, 0, 0, 3_000), 0),
        (FULL_ONLY, 0, 100_000, PaymentMode.POINTS, (100_000, 0, 0, 0), 3_000),
        # As the terms say, unless the payment says otherwise.
        (steps((7, 300), mode=PaymentMode.POINTS), 0, 100_000, None, (100_000, 0, 0, 0), 3_000),
        (steps((7, 300), mode=PaymentMode.POINTS), 0, 97_000, PaymentMode.DISCOUNT, (100_000, 3_000, 0, 0), 0),
        (TWO_STEPS, 0, 97_000, None, (100_000, 3_000, 0, 0), 0),
        (TWO_STEPS, 0, 100_000, PaymentMode.DISCOUNT, (100_000, 0, 0, 0), 0),
    ],
)
def test_points_instead_of_a_discount(
    terms: PaymentTerms,
    day: int,
    amount: int,
    mode: PaymentMode | None,
    came_to: tuple[int, int, int, int],
    points: int,
) -> None:
    settlement = settle(of_1000(terms, ONE_POINT_A_CENT), amount, on_day(day), mode)
    assert told_of(settlement) == came_to
    assert settlement.points == points
    assert settlement.pays == (points > 0 or settlement.discount > 0)


def test_points_are_for_discount_and_tax_and_their_fractions_are_dropped() -> None:
    """2 % of 1190.00 are 23.80: at 10 points a whole euro 238, at one for each 50.00 none."""
    invoice = invoiced(agreed(steps((10, 200)), points=PointsForDiscount(10, 100)), [rated(100_000, 1_900)])
    assert settle(invoice, 119_000, ISSUED, PaymentMode.POINTS).points == quote(invoice, ISSUED).points == 238
    few = agreed(steps((10, 200)), points=PointsForDiscount(1, 5_000))
    settlement = settle(Standing(few, invoice.bill, invoice.open), 119_000, ISSUED, PaymentMode.POINTS)
    assert (settlement.points, settlement.last_day) == (0, None)
    assert points_for(few, 4_999) == 0
    assert points_for(few, 5_000) == 1
    assert quote(of_1000(TWO_STEPS), ISSUED).points is None


def test_fixed_taxes_are_paid_and_never_discounted() -> None:
    invoice = invoiced(agreed(steps((10, 10_000))), [InvoiceLine(1_000, (Tax("eco", fixed=50),))])
    assert quote(invoice, ISSUED).payable == 50
    assert settle(invoice, 50, ISSUED, None).closes
    assert told_of(settle(invoice, 25, ISSUED, None)) == (525, 500, 0, 525)


def test_what_paying_on_the_due_day_or_later_earns_a_year_is_not_told() -> None:
    invoice = told(agreed(steps((10, 200), net_days=10), due_on=on_day(10)), 100_000)
    assert quote(invoice, on_day(9)).yearly_rate is not None
    assert quote(invoice, on_day(10)).yearly_rate is None
    assert quote(told(agreed(steps((10, 200))), 100_000), ISSUED).yearly_rate is None
