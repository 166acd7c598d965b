"""The colours of customers' pages can be read, whatever accent a partner chose."""

import re

from hypothesis import given
from hypothesis import strategies as st

from service.portal.pages.theme import (
    DARK_CARD,
    DARK_PAGE,
    EDGE,
    LIGHT_CARD,
    LIGHT_PAGE,
    TEXT,
    Colour,
    colour_of,
    contrast,
    css_of,
    theme_of,
)

CHANNEL = st.integers(0, 255)
ACCENTS = st.tuples(CHANNEL, CHANNEL, CHANNEL)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == 21
    assert contrast((255, 255, 255), (255, 255, 255)) == 1
    assert round(contrast((118, 118, 118), (255, 255, 255)), 2) == 4.54
    assert round(contrast((255, 0, 0), (255, 255, 255)), 2) == 4.0


@given(ACCENTS)
def test_all_that_is_written_can_be_read(accent: Colour) -> None:
    its = theme_of(accent)
    for shades, around in ((its.light, (LIGHT_PAGE, LIGHT_CARD)), (its.dark, (DARK_PAGE, DARK_CARD))):
        assert all(contrast(shades.text, on) >= TEXT for on in (*around, shades.soft))
        assert all(contrast(shades.on_fill, on) >= TEXT for on in (shades.fill, shades.deep))
        assert all(contrast(shades.edge, on) >= EDGE for on in around)


def test_an_accent_that_can_be_seen_stays_what_it_is() -> None:
    for accent in ((36, 87, 214), (255, 212, 0), (194, 65, 12)):
        assert theme_of(accent).light.fill == accent
    assert theme_of((255, 255, 255)).light.fill != (255, 255, 255)
    assert theme_of((14, 15, 18)).dark.fill != (14, 15, 18)


def test_only_six_digits_are_a_colour() -> None:
    assert colour_of("#2457d6") == colour_of("2457D6") == (36, 87, 214)
    for text in (
        "",
        "#",
        "fff",
        "#12345",
        "1234567",
        "##2457d6",
        "24 7d6",
        "2457dg",
        "\uff12457d6",
        "2457d6\n",
        "red;}*{",
    ):
        assert colour_of(text) is None


@given(ACCENTS)
def test_the_sheet_holds_colours_and_nothing_else(accent: Colour) -> None:
    light, dark, rest = css_of(accent).split("\n")
    shades = r":root\{(--[a-z-]+:#[0-9a-f]{6};){6}\}"
    assert re.fullmatch(shades, light)
    assert re.fullmatch(rf"@media \(prefers-color-scheme: dark\)\{{{shades}\}}", dark)
    assert rest == ""
