"""Terms in the words of a customer's language: "3% off when paid within 7 days; in full within 30 days." Pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec

from service.invoices.phrases import LANGUAGES, Phrases
from service.kernel.locales import language_of, locale_name, money
from service.programs.payment_terms import (
    CountFrom,
    DiscountStep,
    NoDiscount,
    Partial,
    PaymentMode,
    PaymentTerms,
    StepTerms,
    TaxMode,
    YearlyRateTerms,
)


def in_words(
    terms: PaymentTerms,
    *,
    locale: str | None,
    currency: str,
    due_on: date | None = None,
    last_days: Sequence[date] | None = None,
) -> str:
    """Tell terms in a few short sentences, in the language and with the numbers and dates of `locale`.

    `locale` is BCP 47, or with underscores; English where it is null or of a language that has no phrases. `due_on` and
    `last_days`, one for each step, are told instead of numbers of days where they are known; raises ValueError where
    there are not as many last days as steps. `currency` is the invoice's; raises KeyError for what is none.

    Told is what a customer must know to choose: not the days of grace and the tolerance, which are the payee's own, and
    of tax only that it stays, where it does.
    """
    name = locale_name(locale)
    writer = _Writer(LANGUAGES[language_of(name)], name, currency, terms, due_on)
    match terms:
        case StepTerms():
            days = [None] * len(terms.steps) if last_days is None else last_days
            told = writer.steps(list(zip(terms.steps, days, strict=True)))
        case YearlyRateTerms():
            told = writer.yearly(terms)
        case NoDiscount():
            told = writer.whole()
    return writer.phrases.space.join([told, *writer.remarks(dated=last_days is not None)])


class _Writer(msgspec.Struct, frozen=True):
    """Writes what terms say with the `phrases` of a language and the numbers and dates of the locale of a `name`."""

    phrases: Phrases
    name: str
    currency: str
    terms: PaymentTerms
    due_on: date | None

    @property
    def in_points(self) -> bool:
        return self.terms.mode is PaymentMode.POINTS

    def steps(self, steps: Sequence[tuple[DiscountStep, date | None]]) -> str:
        words = self.phrases
        forms = (words.points_first, words.points_further) if self.in_points else (words.first, words.further)
        told = [
            forms[place > 0].format(discount=self._discount(step), when=self._when(step.days, last_day))
            for place, (step, last_day) in enumerate(steps)
        ]
        return self._with_rest(words.comma.join(told))

    def yearly(self, terms: YearlyRateTerms) -> str:
        form = self.phrases.points_yearly if self.in_points else self.phrases.yearly
        return self._with_rest(form.format(discount=self._share(terms.basis_points), days=terms.year_days))

    def whole(self) -> str:
        due = self._due()
        return self.phrases.whole if due is None else self.phrases.whole_when.format(when=due)

    def remarks(self, *, dated: bool) -> list[str]:
        """Give the sentences on what is not as usual. `dated`: the steps' days aren't told, their dates are."""
        words, terms, said = self.phrases, self.terms, list[str]()
        days = [step.days for step in terms.steps] if isinstance(terms, StepTerms) and not dated else []
        if self.due_on is None and terms.net_days is not None:
            days.append(terms.net_days)
        if terms.count_from is CountFrom.END_OF_MONTH and any(days):
            said.append(words.from_month_end)
        if isinstance(terms, NoDiscount):
            return said
        shares = isinstance(terms, YearlyRateTerms) or any(step.basis_points is not None for step in terms.steps)
        if terms.base is not None and shares:
            said.append(words.base.format(amount=self._untaxed(terms.base)))
        if terms.tax_mode is not TaxMode.INCLUDED and not self.in_points:
            said.append(words.excluded if terms.tax_mode is TaxMode.EXCLUDED else words.mixed)
        if terms.partial is Partial.FULL_ONLY:
            said.append(words.full_only)
        return said

    def _with_rest(self, told: str) -> str:
        words, due = self.phrases, self._due()
        if due is None:
            return f"{told}{words.stop}"
        rest = (words.points_rest if self.in_points else words.rest).format(when=due)
        return f"{told}{words.semicolon}{rest}{words.stop}"

    def _due(self) -> str | None:
        if self.due_on is None and self.terms.net_days is None:
            return None
        return self._when(self.terms.net_days or 0, self.due_on)

    def _when(self, days: int, last_day: date | None) -> str:
        words = self.phrases
        if last_day is not None:
            return words.by.format(date=_date(last_day, self.name))
        if days == 0:
            return words.month_end if self.terms.count_from is CountFrom.END_OF_MONTH else words.day_0
        return words.within_day if days == 1 else words.within_days.format(days=days)

    def _discount(self, step: DiscountStep) -> str:
        return self._share(step.basis_points) if step.basis_points is not None else self._untaxed(step.amount or 0)

    def _share(self, basis_points: int) -> str:
        return _percent(Decimal(basis_points).scaleb(-4), self.name)

    def _untaxed(self, minor_units: int) -> str:
        return self.phrases.untaxed.format(amount=money(minor_units, self.currency, self.name))


# The library and what it knows of a language take some megabytes and tens of milliseconds: only who tells terms has it.


def _date(day: date, name: str) -> str:
    from babel.dates import format_date

    return format_date(day, "long", locale=name)


def _percent(share: Decimal, name: str) -> str:
    from babel.numbers import format_percent

    return format_percent(share, locale=name, decimal_quantization=False)
