"""The wheel of the demo shop's game as a drawing: all fields are of one size, so it tells nothing of the odds. Pure."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from service.portal.schemas import GamePrizeOut

FIELDS: Final = 8
_RADIUS: Final = 96
_OF_TEXT: Final = 64


class Field(msgspec.Struct, frozen=True):
    """A field of the wheel: its outline as an SVG path, and where its words stand; a leaf where there are none."""

    prize: str
    words: str
    outline: str
    x: float
    y: float
    turn: float


def fields_of(prizes: Sequence[GamePrizeOut]) -> list[Field]:
    """Lay prizes out on a wheel, clockwise from the top; each has a field, and the first of them a second one."""
    if not prizes:
        return []
    return [_field(place, prizes[place % len(prizes)]) for place in range(FIELDS)]


def lands_on(fields: Sequence[Field], prize: str | None, prizes: Sequence[GamePrizeOut]) -> int | None:
    """Tell on which field the wheel stops: `prize` is its id, empty for nothing; None: it wasn't played."""
    if prize is None:
        return None
    nothing = {each.id for each in prizes if each.kind == "nothing"}
    wanted = {prize} if prize else nothing
    return next((place for place, each in enumerate(fields) if each.prize in wanted), None)


def _field(place: int, prize: GamePrizeOut) -> Field:
    step = 360 / FIELDS
    begin, end, middle = (place - 0.5) * step, (place + 0.5) * step, place * step
    x1, y1 = _at(begin, _RADIUS)
    x2, y2 = _at(end, _RADIUS)
    x, y = _at(middle, _OF_TEXT)
    outline = f"M0 0 L{x1} {y1} A{_RADIUS} {_RADIUS} 0 0 1 {x2} {y2} Z"
    return Field(prize.id, _words(prize), outline, x, y, middle)


def _at(degrees: float, radius: float) -> tuple[float, float]:
    """Give the place at an angle, clockwise from the top."""
    angle = math.radians(degrees)
    return round(math.sin(angle) * radius, 2), round(-math.cos(angle) * radius, 2)


def _words(prize: GamePrizeOut) -> str:
    if prize.kind == "points":
        return f"{prize.points}"
    return "Tin" if prize.kind == "reward" else ""
