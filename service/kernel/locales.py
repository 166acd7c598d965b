"""Languages that have words here, the names of locales, and money as a locale writes it. Pure."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from service.kernel.amounts import minor_units_in_one

LANGUAGES: Final = ("en", "de", "zh_Hans", "zh_Hant")
"""By their names in CLDR, without a region."""
INTERNATIONAL_ENGLISH: Final = "en_001"
_TRADITIONAL: Final = frozenset({"TW", "HK", "MO"})
"""Where Chinese is written in traditional characters, if a locale doesn't say."""
_LETTER_BEFORE_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)")


@lru_cache(maxsize=256)
def locale_name(locale: str | None) -> str:
    """Return CLDR's name of what comes next to a locale and has words: `de_AT`, `zh_Hant_TW`, `en_001`.

    English without a region is that of no country in particular: "28 November 2026". So is what has no words.
    """
    return known_locale(locale) or INTERNATIONAL_ENGLISH


@lru_cache(maxsize=256)
def known_locale(locale: str | None) -> str | None:
    """Return CLDR's name of what comes next to a locale, BCP 47 or with underscores; None: it has no words here."""
    language, script, region = _parts(locale or "")
    if language == "zh":
        script = script if script in {"Hans", "Hant"} else "Hant" if region in _TRADITIONAL else "Hans"
        language = f"zh_{script}"
    return _in_region(language, region) if language in LANGUAGES else None


def language_of(name: str) -> str:
    """Return the language of a name that `locale_name` gave."""
    return next(language for language in LANGUAGES if name == language or name.startswith(f"{language}_"))


def _parts(locale: str) -> tuple[str, str, str]:
    """Return language, script and region, each "" where it isn't told; extensions (`-u-nu-latn`) aren't looked at."""
    language, *others = re.split("[-_]", locale)
    script = region = ""
    for part in others:
        if len(part) == 1:
            break
        if re.fullmatch("[A-Za-z]{4}", part):
            script = script or part.title()
        elif re.fullmatch("[A-Za-z]{2}|[0-9]{3}", part):
            region = region or part.upper()
    return language.lower(), script, region


# The library and what it knows of a language take some megabytes and tens of milliseconds: only who tells has it.


def _in_region(language: str, region: str) -> str:
    from babel import localedata

    name = f"{language}_{region}"
    if region and localedata.exists(name):
        return name
    return INTERNATIONAL_ENGLISH if language == "en" else language


def money(minor_units: int, currency: str, name: str) -> str:
    """Write money as the locale of a name does. Raises KeyError for what is no currency."""
    from babel.core import Locale
    from babel.numbers import parse_pattern

    decimals = len(str(minor_units_in_one(currency))) - 1
    pattern = parse_pattern(Locale.parse(name).currency_formats["standard"].pattern)
    # How many decimals a currency has is told by ISO 4217; in the library's data it is what is usual in cash.
    pattern.frac_prec = (decimals, decimals)
    amount = pattern.apply(Decimal(minor_units).scaleb(-decimals), name, currency=currency, currency_digits=False)
    # "CHF 10.00": the space that CLDR asks for between letters and digits, which the library leaves out.
    return _LETTER_BEFORE_DIGIT.sub("\u00a0", amount)
