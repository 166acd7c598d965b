"""Signs that two customers are one person: the same mailbox, the same phone. Pure.

They are compared as they are now and never stored, so that, unlike in `customers.rules.identities`, what counts as the
same may change.
"""

import re
import unicodedata
from typing import Final

from service.customers.rules import normal_email, normal_phone
from service.kernel.spelling import plain

_LEAST_SHARED_DIGITS: Final = 7
_ALSO_CALLED: Final = {"googlemail.com": "gmail.com"}
_TRUNK_ZERO: Final = re.compile(r"\(\s*0\s*\)")
"""As in +49 (0)228: dialled at home, and not behind the prefix of the country."""


def same_email(one: str | None, other: str | None) -> bool:
    """Tell whether two addresses are of one mailbox: case, dots and what follows a plus don't matter.

    An address that is unknown is like no other.
    """
    return bool(one and other) and _mailbox(one or "") == _mailbox(other or "")


def same_phone(one: str | None, other: str | None) -> bool:
    """Tell whether two numbers are one, with or without the prefix of the country.

    One is the end of the other, and no shorter than 7 digits: what is shorter is an extension, or none. A number that
    is unknown is like no other.
    """
    shorter, longer = sorted((_digits(one or ""), _digits(other or "")), key=len)
    return len(shorter) >= _LEAST_SHARED_DIGITS and longer.endswith(shorter)


def _mailbox(email: str) -> str:
    email = plain(email)
    name, _, domain = normal_email(email).rpartition("@")
    if not name:  # nothing but dots, or what follows a plus
        return email.strip().casefold()
    return f"{name}@{_ALSO_CALLED.get(domain, domain)}"


def _digits(phone: str) -> str:
    digits = (str(unicodedata.digit(each, each)) for each in _TRUNK_ZERO.sub("", plain(phone)))
    return normal_phone("".join(digits))
