"""Signed tokens of customers: JSON Web Tokens (RFC 7519), signed with Ed25519 or ES256 and nothing else. Pure.

A token names its key (`kid`), one program (`aud`), one customer (`sub`) and an end (`exp`) within an hour. Keys are
never taken from a token or from where one points to.
"""

import base64
import hashlib
import hmac
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey

from service.kernel.errors import Kind, Refusal
from service.kernel.ids import is_caller_id

LONGEST: Final = timedelta(hours=1)
"""So far in the future a token may end."""
LEEWAY: Final = timedelta(seconds=60)
"""So much may clocks of partners' servers be ahead."""
GREATEST_TOKEN: Final = 4096
"""Characters of a token."""
READ, REDEEM, PLAY = "read", "redeem", "play"
ED25519: Final = "Ed25519"
ES256: Final = "ES256"
# RFC 9864 gives Ed25519 a name of its own; libraries of partners still write EdDSA, as RFC 8037 did.
_SPELLED: Final[Mapping[str, list[str]]] = {ED25519: [ED25519, "EdDSA"], ES256: [ES256]}
_ALLOWED: Final = frozenset({"alg", "kid", "typ"})

VerifyingKey: TypeAlias = OKPKey | ECKey


class BadToken(Refusal):
    """A token that isn't one, is of somebody else, or has ended. Which of these is not told."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    title = "A valid token of a customer is required: Authorization: Bearer <token>"


class TokenEnded(BadToken):
    """A token that was good and has ended: nobody guesses."""


class Claims(msgspec.Struct, frozen=True):
    """What a token says. `scope` None: all that the program lets customers do; else `read`, `redeem`, `play`."""

    customer_id: str
    ends_at: datetime
    scope: frozenset[str] | None = None

    def allows(self, what: str) -> bool:
        """Tell whether the token leaves something to what the program allows."""
        return self.scope is None or what in self.scope


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str


class _Payload(msgspec.Struct, frozen=True):
    sub: str
    aud: str | list[str]
    exp: int | float
    nbf: int | float | None = None
    iat: int | float | None = None
    scope: str | None = None


def audience(program_code: str) -> str:
    """Name a program as the audience of tokens."""
    return f"urn:loyalty:program:{program_code}"


def own_key(secret: bytes) -> OKPKey:
    """Make the key with which the service itself signs for a program, from the program's own secret.

    So every process has the same one, and it is stored nowhere.
    """
    seed = hmac.digest(secret, b"portal tokens", hashlib.sha256)
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))


def sign(claims: Claims, *, issued_at: datetime, kid: str, program_code: str, key: OKPKey) -> str:
    """Sign a token with Ed25519. The same claims give the same token."""
    payload: dict[str, object] = {
        "aud": audience(program_code),
        "sub": claims.customer_id,
        "iat": int(issued_at.timestamp()),
        "exp": int(claims.ends_at.timestamp()),
    }
    if claims.scope is not None:
        payload["scope"] = " ".join(sorted(claims.scope))
    return jwt.encode({"alg": ED25519, "kid": kid}, payload, key, algorithms=[ED25519])


def key_named(token: str) -> str:
    """Read which key a token says it is signed with. Nothing of it is proved by that. Raises BadToken."""
    if len(token) > GREATEST_TOKEN or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004 - three parts
        raise BadToken
    try:
        part = token.partition(".")[0]
        header = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        if not found.keys() <= _ALLOWED:  # no key by reference, and nothing that must be understood
            raise BadToken
        return msgspec.json.decode(header, type=_Header).kid
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise BadToken from None


def verify(token: str, *, key: VerifyingKey, algorithm: str, program_code: str, now: datetime) -> Claims:
    """Prove a token and read it. Raises BadToken, TokenEnded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            decoded = jwt.decode(token, key, algorithms=_SPELLED[algorithm])
        payload = msgspec.convert(decoded.claims, _Payload, strict=True)
    except (JoseError, ValueError, RecursionError, msgspec.MsgspecError):
        raise BadToken from None
    wanted = audience(program_code)
    if payload.aud not in (wanted, [wanted]) or not is_caller_id(payload.sub):
        raise BadToken
    ends_at = _moment(payload.exp)
    if ends_at > now + LONGEST + LEEWAY or any(
        each is not None and _moment(each) > now + LEEWAY for each in (payload.nbf, payload.iat)
    ):
        raise BadToken
    if ends_at <= now:
        raise TokenEnded
    return Claims(payload.sub, ends_at, None if payload.scope is None else frozenset(payload.scope.split()))


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise BadToken from None
