"""Terms in words: each language says all that a customer must know, with its own numbers, dates and plurals."""

import string
import subprocess
import sys
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.invoices.phrases import LANGUAGES, Phrases
from service.invoices.wording import in_words
from service.programs.payment_terms import (
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
)

TWO = (DiscountStep(7, 300), DiscountStep(14, 200))
STEPS = StepTerms(steps=TWO, net_days=30)
YEARLY = YearlyRateTerms(basis_points=1850, year_days=360, net_days=30)
DATES: dict[str, Any] = {
    "last_days": [date(2026, 11, 28), date(2026, 12, 7)],
    "due_on": date(2026, 12, 22),
}


def told(terms: PaymentTerms, locale: str | None = None, currency: str = "EUR", **dates: Any) -> str:
    # No-break spaces are told apart below.
    return in_words(terms, locale=locale, currency=currency, **dates).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("locale", "steps", "dated", "yearly"),
    [
        (
            "en",
            "3% off when paid within 7 days, 2% within 14 days; in full within 30 days.",
            "3% off when paid by 28 November 2026, 2% by 7 December 2026; in full by 22 December 2026.",
            "18.5% a year off for each day paid before the due date (a year of 360 days); in full within 30 days.",
        ),
        (
            "de",
            (
                "3 % Skonto bei Zahlung innerhalb von 7 Tagen, 2 % innerhalb von 14 Tagen; ohne Abzug innerhalb von 30 "
                "Tagen."
            ),
            (
                "3 % Skonto bei Zahlung bis zum 28. November 2026, 2 % bis zum 7. Dezember 2026; ohne Abzug bis zum "
                "22. Dezember 2026."
            ),
            (
                "18,5 % Skonto pro Jahr für jeden Tag, den vor Fälligkeit gezahlt wird (das Jahr zu 360 Tagen); ohne "
                "Abzug innerhalb von 30 Tagen."
            ),
        ),
        (
            "zh-Hans",
            "7天内付款可享3%现金折扣，14天内付款可享2%；30天内付清全款。",
            "2026年11月28日（含）前付款可享3%现金折扣，2026年12月7日（含）前付款可享2%；2026年12月22日（含）前付清全款。",
            "在到期日前付款，按提前天数享年利率18.5%的现金折扣（一年按360天计）；30天内付清全款。",
        ),
        (
            "zh-Hant",
            "7天內付款可享3%現金折扣，14天內付款可享2%；30天內付清全額。",
            "2026年11月28日（含）前付款可享3%現金折扣，2026年12月7日（含）前付款可享2%；2026年12月22日（含）前付清全額。",
            "於到期日前付款，依提前天數享年利率18.5%的現金折扣（一年以360天計）；30天內付清全額。",
        ),
    ],
)
def test_terms_are_told_in_the_language(locale: str, steps: str, dated: str, yearly: str) -> None:
    assert told(STEPS, locale) == steps
    assert told(STEPS, locale, **DATES) == dated
    assert told(YEARLY, locale) == yearly


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (NoDiscount(), "Payable in full; no discount for paying early."),
        (NoDiscount(net_days=30), "Payable in full within 30 days; no discount for paying early."),
        (NoDiscount(net_days=1), "Payable in full within 1 day; no discount for paying early."),
        (NoDiscount(net_days=0), "Payable in full on the day of the invoice; no discount for paying early."),
        (StepTerms(steps=TWO[:1]), "3% off when paid within 7 days."),
        (
            StepTerms(steps=(DiscountStep(0, 10_000), DiscountStep(1, 1))),
            "100% off when paid on the day of the invoice, 0.01% within 1 day.",
        ),
        (
            StepTerms(steps=(DiscountStep(7, amount=150_000), DiscountStep(14, 250)), base=1_000_000),
            (
                "€1,500.00 (before tax) off when paid within 7 days, 2.5% within 14 days. The percentage is of "
                "€10,000.00 (before tax)."
            ),
        ),
        (
            StepTerms(steps=(DiscountStep(7, amount=150),), base=1_000),
            "€1.50 (before tax) off when paid within 7 days.",
        ),
        (
            YearlyRateTerms(basis_points=1800, base=1_000),
            (
                "18% a year off for each day paid before the due date (a year of 365 days). The percentage is of "
                "€10.00 (before tax)."
            ),
        ),
        (
            StepTerms(steps=TWO[:1], tax_mode=TaxMode.EXCLUDED),
            (
                "3% off when paid within 7 days. The discount is taken off the price before tax; the tax stays as "
                "invoiced."
            ),
        ),
        (
            StepTerms(steps=TWO[:1], tax_mode=TaxMode.MIXED),
            (
                "3% off when paid within 7 days. The discount is taken off the price before tax; the tax is reduced "
                "on the invoice already."
            ),
        ),
        (
            StepTerms(steps=TWO[:1], partial=Partial.FULL_ONLY),
            "3% off when paid within 7 days. Of several payments, only the one that closes the invoice counts.",
        ),
        (
            msgspec.structs.replace(STEPS, mode=PaymentMode.POINTS, tax_mode=TaxMode.MIXED),
            "Points instead of 3% off when paid in full within 7 days, 2% within 14 days; payable within 30 days.",
        ),
        (
            msgspec.structs.replace(YEARLY, mode=PaymentMode.POINTS),
            (
                "Points instead of 18.5% a year off for each day paid in full before the due date (a year of 360 "
                "days); payable within 30 days."
            ),
        ),
        (
            StepTerms(steps=(DiscountStep(0, 300), DiscountStep(9, 200)), count_from=CountFrom.END_OF_MONTH),
            (
                "3% off when paid by the end of the month of the invoice, 2% within 9 days. Days count from the end "
                "of the month of the invoice."
            ),
        ),
        (
            StepTerms(steps=(DiscountStep(0, 300),), count_from=CountFrom.END_OF_MONTH),
            "3% off when paid by the end of the month of the invoice.",
        ),
        (
            NoDiscount(net_days=9, count_from=CountFrom.END_OF_MONTH, base=5, tax_mode=TaxMode.EXCLUDED),
            (
                "Payable in full within 9 days; no discount for paying early. Days count from the end of the month of "
                "the invoice."
            ),
        ),
    ],
)
def test_each_agreement_has_its_words(terms: PaymentTerms, words: str) -> None:
    assert told(terms) == words


def test_dates_are_told_instead_of_days_where_they_are_known() -> None:
    terms = msgspec.structs.replace(STEPS, count_from=CountFrom.END_OF_MONTH)
    assert told(terms, **DATES) == told(STEPS, **DATES)
    counted = "Days count from the end of the month of the invoice."
    assert told(terms, last_days=DATES["last_days"]).endswith(f"; in full within 30 days. {counted}")
    assert told(terms, due_on=DATES["due_on"]).endswith(f"; in full by 22 December 2026. {counted}")
    assert told(NoDiscount(), due_on=DATES["due_on"]).startswith("Payable in full by 22 December 2026;")
    with pytest.raises(ValueError, match="zip"):
        told(STEPS, last_days=DATES["last_days"][:1])


def test_what_the_payee_grants_of_grace_is_not_told() -> None:
    assert told(msgspec.structs.replace(STEPS, grace_days=3, tolerance=Tolerance(2, 5))) == told(STEPS)


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("fr-CA", "en"),
        ("den", "en"),
        ("EN_us", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-u-co-phonebk", "de"),
        ("de-XK", "de"),
        ("zh", "zh_Hans"),
        ("zh-CN", "zh_Hans"),
        ("zh-SG", "zh_Hans"),
        ("zh-Hans-HK", "zh_Hans"),
        ("zh_hans_cn", "zh_Hans"),
        ("zh-Hant", "zh_Hant"),
        ("zh-TW", "zh_Hant"),
        ("zh-HK", "zh_Hant"),
        ("zh-MO", "zh_Hant"),
        ("zh-Hant-CN", "zh_Hant"),
        ("zh-yue-Hant-HK", "zh_Hant"),
        ("zh-x-tw", "zh_Hans"),
    ],
)
def test_a_locale_chooses_the_language(locale: str | None, language: str) -> None:
    assert told(NoDiscount(), locale) == LANGUAGES[language].whole


@pytest.mark.parametrize(
    ("locale", "currency", "amount"),
    [
        ("en", "USD", "US$12,345.67"),
        ("en-US", "USD", "$12,345.67"),
        ("en-GB", "GBP", "£12,345.67"),
        ("fr", "EUR", "€12,345.67"),
        ("de", "EUR", "12.345,67\u00a0€"),
        ("de-AT", "EUR", "€\u00a012.345,67"),
        ("de-CH", "CHF", "CHF\u00a012\u2019345.67"),
        ("en", "CHF", "CHF\u00a012,345.67"),
        ("zh-CN", "CNY", "¥12,345.67"),
        ("zh-TW", "TWD", "$12,345.67"),
        ("zh-TW", "CNY", "CN¥12,345.67"),
        ("de", "JPY", "1.234.567\u00a0¥"),
        ("en-US", "JPY", "¥1,234,567"),
        ("de", "KWD", "1.234,567\u00a0KWD"),
        # In CLDR the dinar of Iraq has no decimals, as in cash; in ISO 4217, and here, three.
        ("en", "IQD", "IQD\u00a01,234.567"),
    ],
)
def test_an_amount_is_written_as_the_locale_does_with_the_currencys_decimals(
    locale: str, currency: str, amount: str
) -> None:
    terms = StepTerms(steps=(DiscountStep(7, amount=1_234_567),))
    assert amount in in_words(terms, locale=locale, currency=currency)


def test_a_currency_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        told(StepTerms(steps=(DiscountStep(7, amount=1),)), currency="XXX")


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-US", "3% off when paid by November 28, 2026"),
        ("en-GB", "3% off when paid by 28 November 2026"),
        ("de-AT", "3\u00a0% Skonto bei Zahlung bis zum 28. November 2026"),
        ("de-CH", "3% Skonto bei Zahlung bis zum 28. November 2026"),
        ("zh-HK", "2026年11月28日（含）前付款可享3%現金折扣"),
    ],
)
def test_numbers_and_dates_are_those_of_the_region(locale: str, words: str) -> None:
    assert in_words(STEPS, locale=locale, currency="EUR", **DATES).startswith(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_day_is_no_plural_where_there_is_one(language: str) -> None:
    words = LANGUAGES[language]
    one, many = (told(NoDiscount(net_days=days), language) for days in (1, 2))
    assert one == words.whole_when.format(when=words.within_day)
    assert many == words.whole_when.format(when=words.within_days.format(days=2))


@pytest.mark.parametrize("phrase", Phrases.__struct_fields__)
def test_languages_are_told_the_same(phrase: str) -> None:
    """Each phrase has the same words put in, in every language."""

    def put_in(language: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(getattr(LANGUAGES[language], phrase))} - {None}

    assert all(put_in(language) == put_in("en") for language in LANGUAGES)


kinds = st.one_of(
    st.builds(
        StepTerms,
        steps=st.lists(
            st.builds(DiscountStep, days=st.integers(0, 3650), basis_points=st.integers(1, 10_000))
            | st.builds(DiscountStep, days=st.integers(0, 3650), amount=st.integers(1, 10**12)),
            min_size=1,
            max_size=3,
        ).map(tuple),
    ),
    st.builds(YearlyRateTerms, basis_points=st.integers(1, 100_000), year_days=st.integers(360, 366)),
    st.builds(NoDiscount),
)


@given(
    terms=kinds,
    net_days=st.none() | st.integers(0, 3650),
    base=st.none() | st.integers(1, 10**12),
    modes=st.tuples(*(st.sampled_from(each) for each in (TaxMode, Partial, PaymentMode, CountFrom))),
    locale=st.sampled_from(["en", "en-US", "de", "de-CH", "zh-CN", "zh-HK"]) | st.text(max_size=12),
    due_on=st.none() | st.dates(),
)
def test_all_terms_can_be_told_in_all_languages(
    terms: PaymentTerms,
    net_days: int | None,
    base: int | None,
    modes: tuple[Any, ...],
    locale: str,
    due_on: date | None,
) -> None:
    tax_mode, partial, mode, count_from = modes
    terms = msgspec.structs.replace(
        terms, net_days=net_days, base=base, tax_mode=tax_mode, partial=partial, mode=mode, count_from=count_from
    )
    said = told(terms, locale, due_on=due_on)
    assert said.endswith((".", "。"))
    assert not set(said) & set("{}")
    if isinstance(terms, StepTerms):
        assert all(str(step.days) in said for step in terms.steps if step.days > 1)
    if due_on is not None:
        assert str(due_on.day) in said


def test_who_tells_no_terms_does_not_load_languages() -> None:
    code = "import sys, service.invoices.wording; sys.exit('babel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
