"""Codes of referrals: how they are made, shown, and found again however they are typed. Pure.

What is kept beside a code as it is shown is its key: one code has one key, whatever its spelling.
"""

import re
from typing import Annotated, Final

from msgspec import Meta

from service.kernel import crockford
from service.kernel.errors import Invalid

_SYMBOLS: Final = 11
CODE_BITS: Final = _SYMBOLS * crockford.BITS
"""How many random bits make a code."""
SHORTEST: Final = 4
LONGEST: Final = 32
LONGEST_SHOWN: Final = 2 * LONGEST - 1
VANITY_PATTERN: Final = rf"^[A-Za-z0-9](?:-?[A-Za-z0-9]){{{SHORTEST - 1},{LONGEST - 1}}}$(?!\n)"
VanityCode = Annotated[
    str,
    Meta(
        max_length=LONGEST_SHOWN,
        pattern=VANITY_PATTERN,
        description=f"A code that the program sets: {SHORTEST} to {LONGEST} letters A-Z and digits, where wanted with "
        "single hyphens between. Case, hyphens and look-alikes (O and 0; I, L and 1) make no other code.",
    ),
]


def code_of(bits: int) -> str:
    """Write the lowest 55 of random bits, which must be fit for secrets, as a code: `7KQM-2XRA-9TD`."""
    return crockford.grouped(crockford.write(bits, _SYMBOLS))


def key_of(typed: str) -> str | None:
    """Tell under which key a code is found, however it is typed; None for what can't be a code.

    Case, blanks, hyphens, wide letters and what nobody sees don't matter; O is read as 0, I and L as 1.
    """
    key = crockford.read(typed)
    return key if key is not None and SHORTEST <= len(key) <= LONGEST else None


def vanity(code: str, pointer: str) -> tuple[str, str]:
    """Check a code that a program sets; return how it is shown and its key. Raises Invalid, with that pointer.

    One of 11 symbols is taken like any other, though it could be written at random: refusing it would refuse words
    (BLACKFRIDAY), and meeting one of a million codes by chance is a matter of 1 in 2^35. That no two codes of a program
    have one key is for its unique index: who sets a code is told that it is taken, who makes one begins again.
    """
    key = key_of(code) if re.match(VANITY_PATTERN, code) else None
    if key is None:
        detail = f"A code is {SHORTEST} to {LONGEST} letters A-Z and digits, with single hyphens between."
        raise Invalid(detail, pointer=pointer, reason="invalid_format")
    return code.upper(), key
