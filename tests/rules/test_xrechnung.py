"""Terms as the machine-readable text of XRechnung: what is written reads back, and what its rule refuses is refused."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.invoices.xrechnung import read, written
from service.kernel.amounts import BOUND, minor_units_in_one
from service.kernel.errors import Invalid
from service.programs.payment_terms import (
    MOST_STEPS,
    CountFrom,
    DiscountStep,
    NoDiscount,
    Partial,
    PaymentMode,
    PaymentTerms,
    StepTerms,
    TaxMode,
    Tolerance,
    YearlyRateTerms,
    check_terms,
)

TWO = (DiscountStep(7, 300), DiscountStep(14, 200))
LINE = "#SKONTO#TAGE=14#PROZENT=2.00#"
AT = "/terms_text"


def text_of(terms: PaymentTerms, currency: str = "EUR", net: int = 100_000, total: int = 119_000) -> str | None:
    return written(terms, currency=currency, net=net, total=total)


def terms_in(text: str, currency: str = "EUR", net: int = 100_000, total: int = 119_000) -> StepTerms:
    return read(text, currency=currency, net=net, total=total, pointer=AT)


def test_the_published_examples_are_written_and_read() -> None:
    """XRechnung, BR-DE-18: one step; two steps; one on a part of the invoice."""
    for terms, text in (
        (StepTerms(steps=TWO[1:]), "#SKONTO#TAGE=14#PROZENT=2.00#\n"),
        (StepTerms(steps=TWO), "#SKONTO#TAGE=7#PROZENT=3.00#\n#SKONTO#TAGE=14#PROZENT=2.00#\n"),
        (StepTerms(steps=TWO[1:], base=84_034), "#SKONTO#TAGE=14#PROZENT=2.00#BASISBETRAG=1000.00#\n"),
    ):
        assert text_of(terms) == text
        assert terms_in(text) == terms


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("#SKONTO#TAGE=14#PROZENT=2#\n", 1, "two decimals are due"),
        ("#SKONTO#TAGE=14#PROZENT=2.0#\n", 1, "two decimals are due"),
        ("#SKONTO#TAGE=14#PROZENT=2.000#\n", 1, "two decimals are due"),
        ("#SKONTO#TAGE=14#PROZENT=2,00#\n", 1, "two decimals are due, behind a point"),
        (f"{LINE}BASISBETRAG=1000#\n", 1, "two decimals are due"),
        (f"{LINE}BASISBETRAG=1000.000#\n", 1, "two decimals are due"),
        ("#SKONTO#TAGE=14#PROZENT=2.00\n", 1, "a `#` closes it"),
        (f"{LINE}BASISBETRAG=1000.00\n", 1, "a `#` closes it"),
        ("#skonto#tage=14#prozent=2.00#\n", 1, "capital letters"),
        ("#SKONTO#Tage=14#PROZENT=2.00#\n", 1, "capital letters"),
        ("#SKONTO#PROZENT=2.00#TAGE=14#\n", 1, "its form is"),
        ("#TAGE=14#PROZENT=2.00#SKONTO#\n", 1, "its form is"),
        ("#SKONTO#TAGE=14#BASISBETRAG=1000.00#PROZENT=2.00#\n", 1, "its form is"),
        ("#SKONTO#TAGE=14#PROZENT=-2.00#\n", 1, "its form is"),
        ("#SKONTO#TAGE=#PROZENT=2.00#\n", 1, "its form is"),
        ("#SKONTO#TAGE=١٤#PROZENT=2.00#\n", 1, "its form is"),
        ("##SKONTO#TAGE=14#PROZENT=2.00#\n", 1, "its form is"),
        (f"{LINE} of all\n", 1, "nothing stands behind the closing"),
        (f"{LINE}\u00a0\n", 1, "no spaces in it"),
        (f"{LINE}#SKONTO#TAGE=7#PROZENT=3.00#\n", 1, "nothing stands behind the closing"),
        (f"{LINE}\n{LINE}BASISBETRAG=2.53#now\n", 2, "nothing stands behind the closing"),
        ("#SKONTO#TAGE=14 #PROZENT=2.00#\n", 1, "no spaces in it"),
        ("#SKONTO#TAGE = 14#PROZENT=2.00#\n", 1, "no spaces in it"),
        ("#SKONTO#TAGE=14#P ROZENT=2.00#\n", 1, "no spaces in it"),
        (f"{LINE}\r#SKONTO#TAGE=7#PROZENT=3.00#\n", 1, "nothing stands behind the closing"),
        (f"{LINE}\n#VERZUG#TAGE=30#PROZENT=9.00#\n", 2, "interest on late payment isn't told here"),
        (LINE, 1, "a line feed ends it"),
        (f"#SKONTO#TAGE=7#PROZENT=3.00#\n{LINE}   ", 2, "a line feed ends it"),
        (f"{LINE}\nnumber #1 of #2", 2, "a line feed ends it"),
        (f"{LINE}\nnumber #1 of #2\n", 2, "nothing stands behind the last `#` of the text"),
        (f"{LINE}\nnet 30\nPaid soon: #SKONTO#TAGE=7#PROZENT=3.00#\n", 3, "nothing stands before"),
        (f"net 30\n\u00a0{LINE}\n", 2, "nothing stands before"),
        ("in 7 days #skonto#tage=7#prozent=3.00#\n", 1, "nothing stands before"),
    ],
)
def test_a_line_of_another_form_is_refused(text: str, line: int, why: str) -> None:
    with pytest.raises(Invalid, match=re.escape(why)) as refused:
        terms_in(text)
    assert refused.value.detail.startswith(f"Line {line}: ")
    assert (refused.value.pointer, refused.value.reason) == (AT, "invalid_format")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing"),
        ("Payable within 30 days.\n", "missing"),
        ("#SKONTO#TAGE=30#PROZENT=0.00#\n", "missing"),
        ("#SKONTO#TAGE=3651#PROZENT=2.00#\n", "out_of_range"),
        (f"#SKONTO#TAGE={'9' * 5000}#PROZENT=2.00#\n", "out_of_range"),
        (f"#SKONTO#TAGE=7#PROZENT={'9' * 5000}.00#\n", "out_of_range"),
        (f"{LINE}BASISBETRAG={'9' * 5000}.00#\n", "out_of_range"),
        ("#SKONTO#TAGE=14#PROZENT=100.01#\n", "out_of_range"),
        (f"{LINE}BASISBETRAG=1190.01#\n", "out_of_range"),
        (f"{LINE}BASISBETRAG=0.00#\n", "out_of_range"),
        (f"{LINE}BASISBETRAG=-5.53#\n", "out_of_range"),
        (f"{LINE}BASISBETRAG=-0.01#\n", "out_of_range"),
        (f"{LINE}BASISBETRAG=2.53#\n#SKONTO#TAGE=7#PROZENT=3.00#\n", "contradictory"),
        (f"{LINE}BASISBETRAG=2.53#\n#SKONTO#TAGE=7#PROZENT=3.00#BASISBETRAG=2.54#\n", "contradictory"),
        (f"{LINE}\n{LINE}\n", "duplicate"),
        (f"{LINE}\n#SKONTO#TAGE=014#PROZENT=3.00#\n", "duplicate"),
        ("".join(f"#SKONTO#TAGE={days}#PROZENT=2.00#\n" for days in range(MOST_STEPS + 1)), "too_many"),
    ],
)
def test_a_promise_that_cannot_be_kept_here_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        terms_in(text)
    assert (refused.value.pointer, refused.value.reason) == (AT, reason)


@pytest.mark.parametrize(
    "text",
    [
        "#SKONTO#TAGE=7#PROZENT=3.00#\r\n#SKONTO#TAGE=14#PROZENT=2.00#\r\n",
        "  #SKONTO#TAGE=7#PROZENT=3.00#\n\t#SKONTO#TAGE=14#PROZENT=2.00#  \n   ",
        "Thank you.\n#SKONTO#TAGE=7#PROZENT=3.00#\nor\n#SKONTO#TAGE=14#PROZENT=2.00#\nPayable in 30 days",
        "#SKONTO#TAGE=7#PROZENT=3.00#\n#SKONTO#TAGE=14#PROZENT=2.00#\nOrder #12",
        "Orders #12# and #13, please\n#SKONTO#TAGE=7#PROZENT=3.00#\n#SKONTO#TAGE=14#PROZENT=2.00#\n",
        "#SKONTO#TAGE=14#PROZENT=2.00#\n#SKONTO#TAGE=7#PROZENT=3.00#\n",
        "#SKONTO#TAGE=7#PROZENT=3.00#\n#SKONTO#TAGE=14#PROZENT=2.00#\n#SKONTO#TAGE=30#PROZENT=0.00#BASISBETRAG=1.23#\n",
        "#SKONTO#TAGE=07#PROZENT=03.00#\n#SKONTO#TAGE=14#PROZENT=2.00#\n",
    ],
)
def test_what_the_rule_allows_is_read(text: str) -> None:
    """Line ends of both kinds, spaces and free text around lines, any order, steps of nothing: as KoSIT tries."""
    assert terms_in(text) == StepTerms(steps=TWO)


@pytest.mark.parametrize(
    "terms",
    [
        NoDiscount(net_days=30),
        YearlyRateTerms(basis_points=1800),
        StepTerms(steps=(DiscountStep(7, amount=500),)),
        StepTerms(steps=(DiscountStep(7, 300), DiscountStep(14, amount=500))),
        StepTerms(steps=TWO, count_from=CountFrom.END_OF_MONTH),
        StepTerms(steps=TWO, tax_mode=TaxMode.EXCLUDED),
        StepTerms(steps=TWO, tax_mode=TaxMode.MIXED),
        StepTerms(steps=TWO, mode=PaymentMode.POINTS),
        StepTerms(steps=TWO, partial=Partial.FULL_ONLY),
    ],
)
def test_what_the_text_has_no_words_for_is_not_written(terms: PaymentTerms) -> None:
    assert text_of(terms) is None


@pytest.mark.parametrize(
    ("currency", "base", "told"),
    [("EUR", 1_000, "10.00"), ("JPY", 1_000, "1000.00"), ("KWD", 1_230, "1.23"), ("KWD", 1_234, None)],
)
def test_a_base_has_two_decimals_whatever_the_currency_has(currency: str, base: int, told: str | None) -> None:
    terms = StepTerms(steps=TWO[1:], base=base)
    text = text_of(terms, currency, 100_000, 100_000)
    assert text == (None if told is None else f"{LINE}BASISBETRAG={told}#\n")
    assert text is None or terms_in(text, currency, 100_000, 100_000) == terms


def test_an_amount_that_the_currency_does_not_have_is_refused() -> None:
    with pytest.raises(Invalid, match="Line 1: the currency has no such amount") as refused:
        terms_in(f"{LINE}BASISBETRAG=10.50#\n", "JPY")
    assert refused.value.reason == "out_of_range"


def test_what_only_the_payee_grants_is_left_out() -> None:
    generous = StepTerms(steps=TWO, net_days=30, grace_days=3, tolerance=Tolerance(2, 5))
    assert text_of(generous) == text_of(StepTerms(steps=TWO))


def test_fixed_taxes_are_not_discounted() -> None:
    """Odoo: 50 and 15 % and a fixed tax of 0.05, so 57.55; the discount is on 57.50."""
    sums: dict[str, Any] = {"currency": "EUR", "net": 5_000, "total": 5_755, "fixed_tax": 5}
    terms = StepTerms(steps=(DiscountStep(10, 1000),))
    text = written(terms, **sums)
    assert text == "#SKONTO#TAGE=10#PROZENT=10.00#BASISBETRAG=57.50#\n"
    assert read(text, **sums, pointer=AT) == terms
    with pytest.raises(Invalid, match="Line 1: fixed taxes aren't discounted") as refused:
        read("#SKONTO#TAGE=10#PROZENT=10.00#\n", **sums, pointer=AT)
    assert refused.value.reason == "missing"


@pytest.mark.parametrize(("net", "total"), [(0, 0), (0, 500)])
def test_an_invoice_of_nothing_but_tax_has_no_part_to_discount(net: int, total: int) -> None:
    assert text_of(StepTerms(steps=TWO, base=1), net=net, total=total) is None
    with pytest.raises(Invalid) as refused:
        terms_in(f"{LINE}BASISBETRAG=1.00#\n", net=net, total=total)
    assert refused.value.reason == "out_of_range"


steps = st.dictionaries(st.integers(0, 3_650), st.sampled_from([1, 10_000]) | st.integers(1, 10_000), min_size=1).map(
    lambda days: tuple(DiscountStep(each, days[each]) for each in sorted(days)[:MOST_STEPS])
)


@given(
    steps=steps,
    net=st.integers(1, BOUND // 3),
    tax=st.integers(0, 100) | st.integers(0, BOUND // 3),
    fixed_tax=st.just(0) | st.integers(0, BOUND // 3),
    part=st.none() | st.integers(0, 100) | st.integers(0, BOUND),
    currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
    grace_days=st.integers(0, 60),
)
def test_terms_that_can_be_written_read_back(
    *,
    steps: tuple[DiscountStep, ...],
    net: int,
    tax: int,
    fixed_tax: int,
    part: int | None,
    currency: str,
    grace_days: int,
) -> None:
    base = None if part is None else 1 + part % (2 * net)
    sums: dict[str, Any] = {"currency": currency, "net": net, "total": net + tax + fixed_tax, "fixed_tax": fixed_tax}
    terms = StepTerms(steps=steps, base=base, grace_days=grace_days)
    text = written(terms, **sums)
    if text is None:
        # Only decimals that the text doesn't have keep it from being written.
        assert minor_units_in_one(currency) > 100
        assert base is not None or fixed_tax
        return
    assert re.fullmatch(r"(?:#SKONTO#TAGE=\d+#PROZENT=\d+\.\d\d#(?:BASISBETRAG=\d+\.\d\d#)?\n)+", text)
    # A base is at most all of the invoice; with fixed taxes, all but them is what terms without a base discount.
    least = base and min(base, net)
    expected = StepTerms(steps=steps, base=None if fixed_tax and least == net else least)
    again = read(text, **sums, pointer=AT)
    assert again == expected
    check_terms(again, "/terms")


PIECES = ["#SKONTO#", "TAGE=7#", "TAGE=14#", "PROZENT=2.00#", "PROZENT=0.00#", "BASISBETRAG=2.53#", LINE, "\n", "\n"]


@given(st.lists(st.sampled_from([*PIECES, "#", " ", "\r", "x", "9", "."]), max_size=20).map("".join) | st.text())
def test_a_text_is_refused_or_means_what_is_written_of_it(text: str) -> None:
    terms = refused = None
    try:
        terms = terms_in(text)
    except Invalid as refusal:
        refused = refusal.pointer
    if terms is None:
        assert refused == AT
    else:
        again = text_of(terms)
        assert again is not None
        assert terms_in(again) == terms
        check_terms(terms, "/terms")
