"""Tokens that the service itself signs for a customer, for a partner's server that asks."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from joserfc.jwk import OKPKey

from service.portal.keyring import own_name
from service.portal.tokens import READ, Claims, sign
from service.programs.rules import Program

USUAL: Final = timedelta(minutes=15)
_READ_ONLY: Final = frozenset({READ})


def token_for(
    program: Program, customer_id: str, *, key: OKPKey, issued_at: datetime, lasts: timedelta = USUAL, read_only: bool
) -> str:
    """Sign a token for a customer, under the program's own key. What it was asked with gives the same one again."""
    claims = Claims(customer_id, issued_at + lasts, _READ_ONLY if read_only else None)
    return sign(claims, issued_at=issued_at, kid=own_name(program), program_code=program.code, key=key)


def link_to_page(base: str, token: str) -> str:
    """Return the link that opens the page with a token; the page keeps it in a cookie and drops it from the address."""
    return f"{base}/portal?{urlencode({'token': token})}"
