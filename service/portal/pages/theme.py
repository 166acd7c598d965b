"""The colours of a partner's page, made from the one accent that the partner chose so that all can be read. Pure.

Contrast is that of WCAG 2.2: text has at least 4.5:1 on whatever it stands, the edge of a button 3:1 with what is
around it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

TEXT: Final = 4.5
"""The contrast of text with what it stands on."""
EDGE: Final = 3.0
"""The contrast of the edge of a button with what surrounds it."""
_SEEN: Final = 1.25
"""A surface is moved away from the page's colour only where it could not be told from it: partners know their own."""
LIGHT_PAGE: Final = (246, 246, 248)
LIGHT_CARD: Final = (255, 255, 255)
DARK_PAGE: Final = (14, 15, 18)
DARK_CARD: Final = (26, 28, 33)
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_STEPS: Final = 200
_ACCENT: Final = re.compile("[0-9a-fA-F]{6}")

Colour = tuple[int, int, int]


class Shades(msgspec.Struct, frozen=True):
    """Shades of an accent on a light or a dark page.

    `fill` is for surfaces and `deep` for their far end, with `on_fill` written on both, and `edge` around them; `text`
    can be read on the page, on cards and on `soft`, a tint of the card.
    """

    fill: Colour
    deep: Colour
    edge: Colour
    on_fill: Colour
    text: Colour
    soft: Colour


class Theme(msgspec.Struct, frozen=True):
    """The shades of an accent for both kinds of pages."""

    light: Shades
    dark: Shades


def colour_of(accent: str) -> Colour | None:
    """Read six hexadecimal digits, with or without a `#` before them; None for anything else."""
    digits = accent.removeprefix("#")
    if _ACCENT.fullmatch(digits) is None:
        return None
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Return the relative luminance of a colour in sRGB."""
    red, green, blue = (_linear(each / 255) for each in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def theme_of(accent: Colour) -> Theme:
    """Make the shades of an accent."""
    return Theme(
        _shades(accent, page=LIGHT_PAGE, card=LIGHT_CARD, towards=_BLACK, tint=0.91),
        _shades(accent, page=DARK_PAGE, card=DARK_CARD, towards=_WHITE, tint=0.84),
    )


def css_of(accent: Colour) -> str:
    """Write the shades of an accent as CSS, for light pages and for those who prefer dark ones."""
    its = theme_of(accent)
    return f":root{{{_rules(its.light)}}}\n@media (prefers-color-scheme: dark){{:root{{{_rules(its.dark)}}}}}\n"


def _shades(accent: Colour, *, page: Colour, card: Colour, towards: Colour, tint: float) -> Shades:
    around, soft = (page, card), _mixed(accent, card, tint)
    fill = _moved(accent, towards, lambda each: _least(each, around) >= _SEEN)
    on_fill = max(_WHITE, _BLACK, key=lambda each: contrast(each, fill))
    away = _BLACK if on_fill == _WHITE else _WHITE  # what is written on it can only be read better there
    text = _moved(accent, towards, lambda each: _least(each, (*around, soft)) >= TEXT)
    edge = fill if _least(fill, around) >= EDGE else text
    return Shades(fill, _mixed(fill, away, 0.28), edge, on_fill, text, soft)


def _least(colour: Colour, others: Sequence[Colour]) -> float:
    return min(contrast(colour, each) for each in others)


def _moved(colour: Colour, towards: Colour, fits: Callable[[Colour], bool]) -> Colour:
    """Return the colour nearest to the given one, on the way to another, that fits."""
    way = (_mixed(colour, towards, step / _STEPS) for step in range(_STEPS + 1))
    return next((each for each in way if fits(each)), towards)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - as sRGB is defined


def _rules(its: Shades) -> str:
    return "".join(
        f"--{name.replace('_', '-')}:#{bytes(value).hex()};" for name, value in msgspec.structs.asdict(its).items()
    )
