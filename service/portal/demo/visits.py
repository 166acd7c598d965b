"""Who visits the demo shop: a secret in a cookie, from which two customers and all forms are derived. Pure."""

import hashlib
import hmac
import re
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

import msgspec

COOKIE: Final = "__Host-loyalty-demo"
FORGET: Final = f"{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
"""The header that ends a visit."""
SECRET_BYTES: Final = 16
_LASTS_SECONDS: Final = 30 * 86_400
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_CODE: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAME_BYTES: Final = 6


class Who(Enum):
    """As whom a visitor acts."""

    YOU = "you"
    FRIEND = "friend"

    @property
    def other(self) -> "Who":
        """The other one of the two."""
        return Who.FRIEND if self is Who.YOU else Who.YOU


class Visit(msgspec.Struct, frozen=True):
    """A visitor, known by 128 random bits that nobody else knows; what is told elsewhere doesn't lead back to them."""

    secret: str

    @property
    def name(self) -> str:
        """What the visitor is called where it isn't secret."""
        return self._derived("name")[: 2 * _NAME_BYTES]

    @property
    def form_token(self) -> str:
        """What every form of the visitor's pages carries: who doesn't see the pages can't know it."""
        return self._derived("form")

    def customer_id(self, who: Who) -> str:
        """Name one of the visitor's two customers."""
        return f"{who.value}-{self.name}"

    def sent_form(self, token: str) -> bool:
        """Tell whether a form with this token comes from one of the visitor's pages."""
        return hmac.compare_digest(token.encode(), self.form_token.encode())

    def cookie(self) -> str:
        """Write the header that keeps the visitor."""
        return f"{COOKIE}={self.secret}; Path=/; Max-Age={_LASTS_SECONDS}; Secure; HttpOnly; SameSite=Lax"

    def _derived(self, purpose: str) -> str:
        return hashlib.blake2b(purpose.encode(), key=self.secret.encode(), digest_size=16).hexdigest()


def visit_of(cookie: str | None) -> Visit | None:
    """Read who comes from the cookie's value; None for a new visitor."""
    return Visit(cookie) if cookie is not None and _SECRET.fullmatch(cookie) else None


def is_own_page(*, site: str | None, origin: str | None, host: str | None) -> bool:
    """Tell whether a page of this very address sent a request, by `Sec-Fetch-Site`, `Origin` and `Host`.

    Pages that send no referrer send the origin `null` with their forms: then the first tells. Old browsers may send
    neither; then the form's token alone has to do.
    """
    if site is not None and site != "same-origin":
        return False
    if origin is None or (origin == "null" and site is not None):
        return True
    try:
        return host is not None and urlsplit(origin).netloc == host
    except ValueError:
        return False


def code_of(text: str) -> str | None:
    """Read a referral code from a link; None for what can't be one."""
    return text if _CODE.fullmatch(text) else None
