"""Who looks at a page: the session in a cookie, and what proves that a form is one of that session's pages."""

import hashlib
import hmac
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from litestar import Request

from service.kernel.errors import Kind, Refusal
from service.platform.authentication import caller_address, keep_fields
from service.platform.http.request import ApiRequest
from service.platform.rate_limits import TooManyRequests
from service.portal.admission import CustomerActor, CustomerGate
from service.portal.tokens import BadToken
from service.programs.catalogue import Catalogue
from service.programs.portal_policy import PortalPolicy
from service.programs.rules import Program

COOKIE: Final = "__Host-loyalty"
_FORM: Final = b"form"
_TOLD: Final = b"told"
_MOST_FIELDS: Final = 20
_MARK: Final = "~"
_PROOF_CHARACTERS: Final = 32


class Forged(Refusal):
    """A form that no page of this session made."""

    kind = Kind.FORBIDDEN
    code = "forged_form"
    title = "This form is not one of this session's pages"


class Visit(msgspec.Struct, frozen=True):
    """A customer at a page: whose token it is, the program, and the moment by the database's time."""

    token: str
    actor: CustomerActor
    program: Program
    now: datetime

    @property
    def form_token(self) -> str:
        """What forms carry. Only who has the session's token can make it, and no script can read that."""
        return _proof(self.token, _FORM, "")

    def sealed(self, *parts: str) -> str:
        """Seal what a page is to tell after a redirect, so that nobody else's link tells it."""
        text = _MARK.join(parts)
        return f"{text}{_MARK}{_proof(self.token, _TOLD, text)}"

    def unsealed(self, text: str | None) -> list[str]:
        """Return the parts that `sealed` got in this session; none for anything else."""
        told, _, proof = (text or "").rpartition(_MARK)
        if not proof.isascii() or not hmac.compare_digest(proof, _proof(self.token, _TOLD, told)):
            return []
        return told.split(_MARK)


async def visit(request: ApiRequest, token: str | None = None) -> Visit:
    """Find who looks at a page, by a token or the cookie. Raises BadToken, TooManyRequests, Unavailable.

    Who has no cookie is no guesser, and isn't counted as one.
    """
    its_token = request.cookies.get(COOKIE, "") if token is None else token
    if not its_token:
        raise BadToken
    gate: CustomerGate = request.app.state.customer_gate
    actor = await gate.prove(its_token, caller_address(request.scope))
    request.scope["auth"] = actor
    try:
        keep_fields(request.scope, gate.count(actor))
    except TooManyRequests as refusal:
        keep_fields(request.scope, refusal.fields)
        raise
    catalogue = request.part(Catalogue)
    return Visit(its_token, actor, catalogue.program(actor.program_id), catalogue.now())


async def form_of(request: ApiRequest, visit: Visit, base: str) -> dict[str, str]:
    """Read the fields of a form that a page of this session made. Raises Forged.

    Browsers tell where a form comes from by `Sec-Fetch-Site`; older ones by `Origin`, and some of these hide it.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        raise Forged
    if site is None and origin not in {None, "null"} and not _is_own(request, origin or "", base):
        raise Forged
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Forged
    try:
        found = parse_qs((await request.body()).decode("ascii"), max_num_fields=_MOST_FIELDS, strict_parsing=True)
    except ValueError:
        raise Forged from None
    fields = {name: values[0] for name, values in found.items()}
    proof = fields.get("form", "")
    if not proof.isascii() or not hmac.compare_digest(proof, visit.form_token):
        raise Forged
    return fields


def _is_own(request: Request[Any, Any, Any], origin: str, base: str) -> bool:
    own = {urlsplit(base).netloc, request.headers.get("host", "")}
    return urlsplit(origin).netloc in own - {""}


def kept(visit: Visit) -> str:
    """Write the cookie that keeps a session until its token ends."""
    return _cookie(visit, visit.token, max(0, int((visit.actor.ends_at - visit.now).total_seconds())))


def forgotten(visit: Visit) -> str:
    """Write the cookie that ends a session in this browser."""
    return _cookie(visit, "", 0)


def _cookie(visit: Visit, value: str, seconds: int) -> str:
    # In another site's frame a browser sends only cookies that are for such frames, and keeps these apart by that site.
    rest = "SameSite=None; Partitioned" if _portal(visit).framed_by else "SameSite=Lax"
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; {rest}"


def _portal(visit: Visit) -> PortalPolicy:
    return visit.program.settings.portal


def _proof(token: str, what: bytes, text: str) -> str:
    key = hmac.digest(token.encode(), b"portal page", hashlib.sha256)
    return hmac.digest(key, what + b"\n" + text.encode(), hashlib.sha256).hex()[:_PROOF_CHARACTERS]
