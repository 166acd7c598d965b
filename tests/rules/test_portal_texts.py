"""What the customer's page says: in every language all of it, with the same words put in."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from service.kernel.locales import LANGUAGES
from service.points.wording import SENTENCES
from service.portal.pages.history import TELLS
from service.portal.pages.texts import OWN_NAMES, TAGS, locale_of
from service.portal.pages.words import Words
from tests.rules.portal_messages import Message, messages, translated

OTHERS = [language for language in LANGUAGES if language != "en"]
NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
BRACES = re.compile(r"\{[a-z]*\}")


def words(locale: str = "en_001", time_zone: str = "Europe/Berlin") -> Words:
    return Words(locale, time_zone, NOW)


def _all(text: Message) -> list[str]:
    return [text] if isinstance(text, str) else [*text]


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_every_text_and_no_other(language: str) -> None:
    found = {source for source, _ in translated(language)}
    assert found == messages()


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_with_what_is_put_in(language: str) -> None:
    for source, text in translated(language):
        assert all(_all(text)), source
        asked = {each for one in _all(source) for each in BRACES.findall(one)}
        for one in _all(text):
            found = set(BRACES.findall(one))
            assert found == asked or (found | {"{count}"}) == asked, source
            assert "{" not in BRACES.sub("", one), source


def test_texts_are_many_and_are_found_in_templates_and_modules() -> None:
    assert len(messages()) > 200
    assert {"Skip to the content", "Points earned.", ("{count} point", "{count} points")} <= messages()


def test_languages_have_a_name_of_their_own_and_a_tag() -> None:
    assert set(TAGS) == set(OWN_NAMES) == set(LANGUAGES)


def test_every_transfer_that_is_made_has_words_for_its_customer() -> None:
    assert set(TELLS) == set(SENTENCES)


@pytest.mark.parametrize(
    ("asked", "told", "accepted", "found"),
    [
        (None, None, "", "en_001"),
        (None, None, "fr-FR, es;q=0.5", "en_001"),
        (None, None, "fr, de;q=0.8, en;q=0.9", "en_001"),
        (None, None, "fr, de-AT;q=0.8", "de_AT"),
        (None, "de-CH", "en-GB", "de_CH"),
        (None, "fr", "zh-TW", "zh_Hant_TW"),
        ("zh-Hans", "de", "en", "zh_Hans"),
        ("de", "de-AT", "en", "de_AT"),
        ("de", None, "en, de-CH;q=0.1", "de_CH"),
        ("xx", None, "de", "de"),
        (None, None, "zh", "zh_Hans"),
        (None, None, "zh-HK", "zh_Hant_HK"),
        (None, None, "de;q=0, en-GB", "en_GB"),
        (None, None, "de;q=x, ;;, *, en-GB;q=0.1" + ", a" * 1000, "en_GB"),
        ("../../etc/passwd", "de\x00", "\xff", "en_001"),
    ],
)
def test_a_page_is_in_the_language_that_is_asked_for_then_told_then_accepted(
    asked: str | None, told: str | None, accepted: str, found: str
) -> None:
    assert locale_of(asked, told, accepted) == found


def test_numbers_money_and_dates_are_the_customers() -> None:
    assert words("en_GB").money(123_456_789, "EUR") == "€1,234,567.89"
    assert words("de").money(123_456_789, "EUR") == "1.234.567,89\xa0€"
    assert words("en_GB").money(1_500, "KWD") == "KWD\xa01.500"
    assert words("en_GB").money(1_500, "JPY") == "JP¥1,500"
    assert words("en_GB").money(1_234, "IQD") == "IQD\xa01.234"
    assert words("de").points(1_234_567) == "1.234.567 Punkte"
    assert words("de").points(1) == "1 Punkt"
    assert words("zh_Hant").points(2) == "2點"
    assert words("de").percent(1250) == "12,5\xa0%"
    assert words("de").factor(15_000) == "1,5"
    assert words("de").day_of(NOW) == "24.11.2026"


def test_days_are_those_of_the_programs_clock() -> None:
    assert words().today.isoformat() == "2026-11-24"
    assert words(time_zone="UTC").today.isoformat() == "2026-11-23"
    midnight = datetime(2026, 12, 31, 23, tzinfo=UTC)  # in Berlin
    assert words().last_day(midnight).isoformat() == "2026-12-31"
    assert words().last_day(midnight + timedelta(seconds=1)).isoformat() == "2027-01-01"
    assert words().days_left(words().last_day(midnight)) == "37 days left"
    assert words().days_left(words().today) == "today is the last day"
    assert words("de").days_left(words().today + timedelta(days=1)) == "noch 1 Tag"
    assert words().moment(datetime.max.replace(tzinfo=UTC)).endswith("9999")


def test_what_is_put_into_a_text_is_escaped_and_never_a_text_itself() -> None:
    told = words().t("Hello, {name}", name="<b>{count}</b> & {0}")
    assert str(told) == "Hello, &lt;b&gt;{count}&lt;/b&gt; &amp; {0}"
    assert (
        str(words("de").t("{amount} off", amount=words().t("Hello, {name}", name="<i>"))) == "Hello, &lt;i&gt; Nachlass"
    )
