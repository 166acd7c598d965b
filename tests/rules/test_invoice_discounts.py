"""What paying early is worth: by step, by day, by tax."""

from datetime import date
from fractions import Fraction

import pytest

from service.invoices.bills import Bill, InvoiceLine, RatedTax, Tax, TaxGroup, itemised, printed
from service.invoices.discounts import (
    Agreement,
    Discount,
    GroupDiscount,
    compounded_rate,
    discount,
    due_day,
    greatest_share,
    offer_on,
    offers,
    yearly_rate,
)
from service.kernel.amounts import BOUND, exponent
from service.programs.payment_terms import CountFrom, DiscountStep, NoDiscount, PaymentTerms, StepTerms, TaxMode
from service.programs.payment_terms import YearlyRateTerms as Yearly
from service.programs.working_days import HolidayCalendar
from tests.rules.billing import DAY, ISSUED, agreed, amounts, rated, steps

BAVARIA = HolidayCalendar("DE", "BY")
END_OF_MONTH = CountFrom.END_OF_MONTH
TWO_STEPS = steps((7, 300), (14, 200))


@pytest.mark.parametrize(
    ("terms", "calendar", "last_days"),
    [
        (TWO_STEPS, None, [date(2019, 1, 8), date(2019, 1, 15)]),
        (steps((0, 300)), None, [date(2019, 1, 1)]),
        # From the last day of January on.
        (steps((0, 300), (14, 200), count_from=END_OF_MONTH), None, [date(2019, 1, 31), date(2019, 2, 14)]),
        # 1 January is a holiday; the 5th and 6th are a weekend and Epiphany.
        (steps((0, 300), (4, 200), (11, 100)), BAVARIA, [date(2019, 1, 2), date(2019, 1, 7), date(2019, 1, 14)]),
        # Days of grace come behind the working day, and are none themselves.
        (steps((4, 200), grace_days=2), BAVARIA, [date(2019, 1, 9)]),
        (steps((3, 200), grace_days=2), BAVARIA, [date(2019, 1, 6)]),
        (steps((7, 300), grace_days=2), None, [date(2019, 1, 10)]),
    ],
)
def test_last_days_of_steps(terms: StepTerms, calendar: HolidayCalendar | None, last_days: list[date]) -> None:
    agreement = agreed(terms, calendar=calendar)
    assert [each.until for each in offers(agreement, 100_000)] == last_days
    for last_day in last_days:
        offered = offer_on(agreement, 100_000, last_day)
        assert offered is not None
        assert offered.until == last_day


@pytest.mark.parametrize(
    ("terms", "due_on", "calendar", "due"),
    [
        (NoDiscount(), None, None, None),
        (NoDiscount(net_days=30), None, None, date(2019, 1, 31)),
        # `due_on` beats `net_days`, and is a day that somebody named: it doesn't move.
        (NoDiscount(net_days=30), date(2019, 1, 12), BAVARIA, date(2019, 1, 12)),
        (NoDiscount(), date(2019, 1, 12), None, date(2019, 1, 12)),
        (NoDiscount(net_days=11), None, BAVARIA, date(2019, 1, 14)),
        (NoDiscount(net_days=0, count_from=END_OF_MONTH), None, None, date(2019, 1, 31)),
        (NoDiscount(net_days=10, count_from=END_OF_MONTH), None, None, date(2019, 2, 10)),
        # Grace is for the discount.
        (NoDiscount(net_days=30, grace_days=5), None, None, date(2019, 1, 31)),
    ],
)
def test_when_an_invoice_is_due(
    terms: PaymentTerms, due_on: date | None, calendar: HolidayCalendar | None, due: date | None
) -> None:
    assert due_day(terms, issued_on=ISSUED, due_on=due_on, calendar=calendar) == due


def test_february_counts_from_its_own_end() -> None:
    agreement = agreed(steps((10, 200), count_from=END_OF_MONTH), issued_on=date(2024, 2, 3))
    assert offers(agreement, 100)[0].until == date(2024, 3, 10)


def test_at_the_end_of_the_calendar_days_end() -> None:
    last = date(9999, 12, 31)
    agreement = agreed(steps((7, 200), grace_days=3), issued_on=date(9999, 12, 30), calendar=BAVARIA)
    assert offers(agreement, 100)[0].until == last
    assert due_day(NoDiscount(net_days=3), issued_on=last, due_on=None, calendar=BAVARIA) == last


@pytest.mark.parametrize(
    ("terms", "day", "exact", "until"),
    [
        (TWO_STEPS, 0, 3_000, 7),
        (TWO_STEPS, 7, 3_000, 7),
        (TWO_STEPS, 8, 2_000, 14),
        (TWO_STEPS, 14, 2_000, 14),
        (TWO_STEPS, 15, None, None),
        # Who waits may be offered more: the best counts, and of equals the one that lasts.
        (steps((7, 200), (14, 300)), 0, 3_000, 14),
        (steps((7, 200), (14, 200)), 0, 2_000, 14),
        # A fixed amount beside a rate.
        (StepTerms(steps=(DiscountStep(7, amount=5_000), DiscountStep(14, 200))), 7, 5_000, 7),
        (StepTerms(steps=(DiscountStep(7, amount=5_000), DiscountStep(14, 200))), 8, 2_000, 14),
        # Never more than there is.
        (amounts((7, 200_000)), 0, 100_000, 7),
        # On the base only.
        (steps((7, 300), base=50_000), 0, 1_500, 7),
        (steps((7, 300), base=500_000), 0, 3_000, 7),
        (amounts((7, 60_000), base=50_000), 0, 50_000, 7),
        (NoDiscount(), 0, None, None),
    ],
)
def test_what_is_offered_on_1000_by_day(terms: PaymentTerms, day: int, exact: int | None, until: int | None) -> None:
    offered = offer_on(agreed(terms), 100_000, ISSUED + day * DAY)
    if exact is None or until is None:
        assert offered is None
    else:
        assert offered == (ISSUED + until * DAY, exact)


@pytest.mark.parametrize(
    ("terms", "days", "exact"),
    [
        (Yearly(basis_points=1_800, year_days=360), 7, Fraction(3_500)),
        (Yearly(basis_points=1_800, year_days=365), 7, Fraction(1_000_000 * 18 * 7, 36_500)),
        (Yearly(basis_points=1_800, year_days=360, base=500_000), 7, Fraction(1_750)),
        # Never more than there is, however long it is.
        (Yearly(basis_points=100_000, year_days=360), 360, Fraction(1_000_000)),
        (Yearly(basis_points=100_000, year_days=360, base=10), 360, Fraction(10)),
        (Yearly(basis_points=1_800), 0, None),
        (Yearly(basis_points=1_800), -1, None),
    ],
)
def test_a_yearly_rate_gives_by_the_days_gained_and_nothing_at_or_after_the_due_day(
    terms: Yearly, days: int, exact: Fraction | None
) -> None:
    due_on = ISSUED + 400 * DAY
    offered = offer_on(agreed(terms, due_on=due_on), 1_000_000, due_on - days * DAY)
    assert (None if offered is None else offered.exact) == exact


def test_a_yearly_rate_counts_to_the_day_of_net_days_and_to_none_where_there_is_none() -> None:
    terms = Yearly(basis_points=3_650, net_days=30)
    due_on = due_day(terms, issued_on=ISSUED, due_on=None, calendar=None)
    offered = offer_on(agreed(terms, due_on=due_on), 100_000, ISSUED)
    assert offered is not None
    assert offered.exact == 3_000
    assert offer_on(agreed(Yearly(basis_points=3_650)), 100_000, ISSUED) is None


@pytest.mark.parametrize(
    ("agreement", "net", "share"),
    [
        # With several steps the highest reduces the tax, wherever it stands.
        (agreed(TWO_STEPS), 100_000, Fraction(3, 100)),
        (agreed(steps((7, 200), (14, 300))), 100_000, Fraction(3, 100)),
        (agreed(amounts((7, 500))), 2_000, Fraction(1, 4)),
        (agreed(steps((7, 1_000), base=500)), 2_000, Fraction(1, 40)),
        (agreed(Yearly(basis_points=1_800, year_days=360), due_on=ISSUED + 20 * DAY), 100, Fraction(1, 100)),
        (agreed(steps((7, 300))), 0, Fraction()),
        (agreed(NoDiscount()), 100, Fraction()),
    ],
)
def test_the_greatest_share_that_can_be_had(agreement: Agreement, net: int, share: Fraction) -> None:
    assert greatest_share(agreement, net) == share


GST_AND_QST = InvoiceLine(10_000, (Tax("GST", basis_points=500), Tax("QST", millionths=99_750)))


@pytest.mark.parametrize(
    ("bill", "exact", "tax_mode", "groups"),
    [
        # 9.975 % of 98.00 are 9.7755: its tax falls from 9.98 to 9.78, that at 5 % from 5.00 to 4.90.
        (itemised([GST_AND_QST]), Fraction(200), TaxMode.INCLUDED, [(200, (10, 20))]),
        (itemised([GST_AND_QST]), Fraction(200), TaxMode.EXCLUDED, [(200, (0, 0))]),
        (itemised([GST_AND_QST]), Fraction(200), TaxMode.MIXED, [(200, (0, 0))]),
        # Half-up once, on the sum: 2 % of 0.25 are half a cent; then it goes to the largest remainder.
        (itemised([rated(10, 1_900), rated(15)]), Fraction(1, 2), TaxMode.INCLUDED, [(0, (0,)), (1, ())]),
        (itemised([rated(12, 1_900), rated(12)]), Fraction(12, 25), TaxMode.INCLUDED, [(0, (0,)), (0, ())]),
        # Lines of one group are one amount.
        (itemised([rated(50, 1_000), rated(50, 1_000)]), Fraction(3), TaxMode.INCLUDED, [(3, (0,))]),
        # Fixed taxes stay.
        (
            itemised([InvoiceLine(100, (Tax("VAT", basis_points=1_000), Tax("eco", fixed=5)))]),
            Fraction(100),
            TaxMode.INCLUDED,
            [(100, (10,))],
        ),
        # A printed tax falls by half-up(tax x step).
        (printed(119, 19), Fraction(2), TaxMode.INCLUDED, [(2, (0,))]),
        (printed(11_900, 1_925), Fraction(9_975 * 2, 100), TaxMode.INCLUDED, [(200, (39,))]),
        (printed(11_900, 1_925), Fraction(9_975 * 2, 100), TaxMode.EXCLUDED, [(200, (0,))]),
        (printed(11_900, 1_925), Fraction(9_975 * 2, 100), TaxMode.MIXED, [(200, (0,))]),
        # A credit note left less of the tax than its net says: no more than that is taken off.
        (
            Bill((TaxGroup(100, (RatedTax("VAT", 190_000, 17),)),)),
            Fraction(100),
            TaxMode.INCLUDED,
            [(100, (17,))],
        ),
        (printed(0, 0), Fraction(), TaxMode.INCLUDED, [(0, ())]),
        (printed(19, 19), Fraction(), TaxMode.INCLUDED, [(0, (0,))]),
    ],
)
def test_what_a_discount_takes_off_each_tax_group(
    bill: Bill, exact: Fraction, tax_mode: TaxMode, groups: list[tuple[int, tuple[int, ...]]]
) -> None:
    whole = discount(bill, exact, tax_mode)
    assert whole == Discount(tuple(GroupDiscount(net, taxes) for net, taxes in groups))
    assert whole.whole == whole.net + whole.tax == sum(net + sum(taxes) for net, taxes in groups)


@pytest.mark.parametrize(
    ("currency", "decimals", "net", "off", "tax"), [("JPY", 0, 3_025, 61, 7), ("KWD", 3, 1_234_567, 24_691, 2_469)]
)
def test_every_currency_is_rounded_to_its_minor_unit(
    currency: str, decimals: int, net: int, off: int, tax: int
) -> None:
    """2 % of 3025 yen are 60.5, and of 1234.567 dinars 24.69134; the tax of 10 % falls from 303 to 296 yen."""
    assert exponent(currency) == decimals
    agreement = agreed(steps((10, 200)))
    offered = offer_on(agreement, net, ISSUED)
    assert offered is not None
    whole = discount(itemised([rated(net, 1_000)]), offered.exact, TaxMode.INCLUDED)
    assert (whole.net, whole.tax) == (off, tax)


@pytest.mark.parametrize(
    ("discounted", "paid", "days", "simple", "compounded"),
    [
        (2, 98, 20, 3_724, 4_459),
        (3, 97, 23, 4_908, 6_215),
        (0, 98, 20, 0, 0),
        (2, 98, 0, None, None),
        (2, 98, -5, None, None),
        (100, 0, 20, None, None),
        # Beyond all bounds with interest on interest, long before it is so without.
        (99, 1, 1, 99 * 365 * 10_000, None),
        (BOUND, 1, 1, None, None),
    ],
)
def test_what_paying_early_earns_a_year(
    discounted: int, paid: int, days: int, simple: int | None, compounded: int | None
) -> None:
    assert yearly_rate(discounted, paid, days, 365) == simple
    assert compounded_rate(discounted, paid, days, 365) == compounded
