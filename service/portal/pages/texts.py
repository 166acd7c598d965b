"""The texts of the customer's page in its languages, and which language and region a page is written in.

Sources are English, as they stand in templates and modules; the other languages are catalogues of GNU gettext, read
when this is imported. Words in braces are put in when a text is told.
"""

from collections.abc import Mapping, Sequence
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from service.kernel.locales import INTERNATIONAL_ENGLISH, LANGUAGES, known_locale, language_of

CATALOGUES: Final = Path(__file__).parent / "catalogues"
TAGS: Final[Mapping[str, str]] = {"en": "en", "de": "de", "zh_Hans": "zh-Hans", "zh_Hant": "zh-Hant"}
"""The names of languages in HTML and in `?lang=`, by their names in CLDR."""
OWN_NAMES: Final[Mapping[str, str]] = {"en": "English", "de": "Deutsch", "zh_Hans": "简体中文", "zh_Hant": "繁體中文"}
_MOST_ASKED: Final = 20
"""So many languages of an Accept-Language are looked at."""


def message(text: str) -> str:
    """Mark a text that is told later, so that catalogues have it."""
    return text


def translations(language: str) -> NullTranslations:
    """Return the texts of a language by its name in CLDR."""
    return _READ[language]


def locale_of(asked: str | None, told: str | None, accepted: str) -> str:
    """Choose the locale of a page by its name in CLDR: what is asked for, what was told of the customer, the browser's.

    Each is a language, maybe with a region. Where one names a language and a later one the same with a region, that
    region's dates and numbers are taken.
    """
    candidates = [asked, told, *_by_preference(accepted)]
    names = [name for name in (known_locale(each) for each in candidates) if name is not None]
    if not names:
        return INTERNATIONAL_ENGLISH
    language = language_of(names[0])
    alike = [name for name in names if language_of(name) == language]
    return next((name for name in alike if name not in {language, INTERNATIONAL_ENGLISH}), alike[0])


def _by_preference(accepted: str) -> Sequence[str]:
    """Read the languages of an Accept-Language, the preferred ones first."""
    found = list[tuple[float, int, str]]()
    for place, each in enumerate(accepted.split(",")[:_MOST_ASKED]):
        tag, _, weight = each.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
        except ValueError:
            continue
        if quality > 0 and tag.strip():
            found.append((-quality, place, tag.strip()))
    return [tag for _, _, tag in sorted(found)]


def _read(language: str) -> NullTranslations:
    path = CATALOGUES / f"{language}.po"
    if language == LANGUAGES[0]:
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


_READ: Final = {language: _read(language) for language in LANGUAGES}
