"""Texts, numbers, money and dates of one page, in the customer's locale and by the program's clock."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup, escape

from service.kernel.locales import language_of, money
from service.kernel.periods import day_of
from service.portal.pages.texts import TAGS, translations

_MOMENT: Final = timedelta(microseconds=1)
_WHOLE: Final = 10_000


class Words:
    """What a page says. Texts come as markup in which everything that was put in is escaped."""

    def __init__(self, locale: str, time_zone: str, now: datetime) -> None:
        self.locale = locale
        self.language = language_of(locale)
        self.tag = TAGS[self.language]
        self.zone = ZoneInfo(time_zone)
        self.now = now
        self.today = day_of(now, self.zone)
        self._translations = translations(self.language)

    def t(self, text: str, /, **values: object) -> Markup:
        """Tell a text with values in the places of its braces."""
        return escape(self._translations.gettext(text)).format(**values)

    def n(self, one: str, many: str, count: int, /, **values: object) -> Markup:
        """Tell a text that depends on a number, which stands at `{count}`."""
        return escape(self._translations.ngettext(one, many, count)).format(count=self.number(count), **values)

    def points(self, count: int) -> Markup:
        """Tell so many points."""
        return self.n("{count} point", "{count} points", count)

    def number(self, number: int) -> str:
        """Write a whole number."""
        return _number(number, self.locale)

    def money(self, amount: int, currency: str) -> str:
        """Write an amount of minor units."""
        return money(amount, currency, self.locale)

    def percent(self, basis_points: int) -> str:
        """Write a share."""
        return format_percent(Decimal(basis_points) / _WHOLE, locale=self.locale, decimal_quantization=False)

    def factor(self, basis_points: int) -> str:
        """Write a factor: 15,000 basis points are 1.5."""
        return format_decimal(Decimal(basis_points) / _WHOLE, locale=self.locale, decimal_quantization=False)

    def day(self, day: date) -> str:
        """Write a date."""
        return _day(day, self.locale)

    def day_of(self, moment: datetime) -> str:
        """Write the date of a moment by the program's clock."""
        return self.day(day_of(moment, self.zone))

    def last_day(self, end: datetime) -> date:
        """Return the last day of what ends before a moment: of what ends at midnight, the day before."""
        return day_of(end - _MOMENT, self.zone)

    def moment(self, moment: datetime) -> str:
        """Write a moment to the minute by the program's clock; beyond what clocks can show, its date."""
        try:
            at = moment.astimezone(self.zone)
        except OverflowError:
            return self.day(moment.astimezone(UTC).date())
        return f"{self.day(at.date())}, {format_time(at, 'short', tzinfo=self.zone, locale=self.locale)}"

    def days_left(self, last_day: date) -> Markup:
        """Tell how long something holds whose last day this is."""
        days = (last_day - self.today).days
        if days <= 0:
            return self.t("today is the last day")
        return self.n("{count} day left", "{count} days left", days)


@lru_cache(maxsize=4096)
def _number(number: int, locale: str) -> str:
    return format_decimal(number, locale=locale)


@lru_cache(maxsize=4096)
def _day(day: date, locale: str) -> str:
    return format_date(day, "medium", locale=locale)
