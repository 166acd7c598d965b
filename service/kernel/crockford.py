"""Codes for people, in Crockford's base 32: how they are written, shown and read. Pure."""

import unicodedata
from itertools import pairwise
from typing import Final

from service.kernel.spelling import plain

SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No I, L, O or U, so that no two of them look alike."""
BITS: Final = 5
"""How many bits a symbol holds."""
_LONGEST_TYPED: Final = 256
_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_READ_AS: Final = str.maketrans("OIL", "011")


def write(bits: int, symbols: int) -> str:
    """Write the lowest bits of a number as so many symbols."""
    return "".join(SYMBOLS[bits >> shift & 31] for shift in range(BITS * (symbols - 1), -1, -BITS))


def grouped(code: str, size: int = 4) -> str:
    """Show a code in groups with hyphens between: `7K3M-9QXA-2PHT`."""
    ends = [*range(0, len(code), size), len(code)]
    return "-".join(code[start:end] for start, end in pairwise(ends))


def read(typed: str) -> str | None:
    """Read a code as people type it: upper-case letters and digits; None for what can't be one.

    Case, blanks and hyphens of all kinds don't matter; O is read as 0, I and L as 1. Letters that are no symbols (U)
    stay: a code that somebody thought of may hold them.
    """
    if len(typed) > _LONGEST_TYPED:
        return None
    code = "".join(each for each in plain(typed) if not (each.isspace() or unicodedata.category(each) == "Pd"))
    code = code.translate(_UPPER).translate(_READ_AS)
    return code if code.isascii() and code.isalnum() else None
