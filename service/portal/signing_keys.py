"""Public keys of partners, with which tokens are proved. Pure."""

from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias, cast
from uuid import UUID

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from msgspec import Meta

from service.kernel.errors import Invalid, Kind, Refusal
from service.portal.tokens import ED25519, ES256, VerifyingKey

PREFIX: Final = "sgk"
MOST_KEYS: Final = 10
"""Keys of a program that are not revoked: some for each partner's server, and for their rotation."""

_Coordinate = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{43}$(?!\n)", description="32 bytes in base64url.")]
_Text = Annotated[str, Meta(max_length=200)]


class Ed25519Jwk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kty", tag="OKP"):
    """A public key of Ed25519 as a JSON Web Key (RFC 8037). `alg`, `kid`, `use` and `key_ops` say nothing here."""

    crv: Literal["Ed25519"]
    x: _Coordinate
    alg: _Text | None = None
    kid: _Text | None = None
    use: Literal["sig"] | None = None
    key_ops: Annotated[tuple[Literal["verify"], ...], Meta(max_length=1)] | None = None


class P256Jwk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kty", tag="EC"):
    """A public key on P-256, for ES256, as a JSON Web Key (RFC 7518). `alg`, `kid` and the others say nothing here."""

    crv: Literal["P-256"]
    x: _Coordinate
    y: _Coordinate
    alg: _Text | None = None
    kid: _Text | None = None
    use: Literal["sig"] | None = None
    key_ops: Annotated[tuple[Literal["verify"], ...], Meta(max_length=1)] | None = None


PublicJwk: TypeAlias = Ed25519Jwk | P256Jwk


class SigningKey(msgspec.Struct, frozen=True):
    """A partner's public key, as SubjectPublicKeyInfo in DER, and the algorithm that goes with it."""

    id: UUID
    program_id: int
    name: str
    algorithm: str
    public_key: bytes
    created_at: datetime
    revoked_at: datetime | None = None


class TooManySigningKeys(Refusal):
    """A program has as many keys as it can have."""

    kind = Kind.CONFLICT
    code = "too_many_signing_keys"
    title = "The program has as many signing keys as it can have: revoke one"


def imported(jwk: PublicJwk) -> tuple[str, bytes]:
    """Take a public key over: its algorithm, and the key in DER. Raises Invalid for what is no point of its curve."""
    try:
        if isinstance(jwk, Ed25519Jwk):
            key: VerifyingKey = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": jwk.x})
            algorithm = ED25519
        else:
            key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": jwk.x, "y": jwk.y})
            algorithm = ES256
        public = cast("Ed25519PublicKey | EllipticCurvePublicKey", key.public_key)
    except (JoseError, ValueError, UnsupportedAlgorithm):
        raise Invalid("This is no public key of its curve.", pointer="/jwk", reason="invalid_format") from None
    return algorithm, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def verifying(key: SigningKey) -> VerifyingKey:
    """Make what proves tokens of a key."""
    public = load_der_public_key(key.public_key)
    if isinstance(public, Ed25519PublicKey):
        return OKPKey.import_key(public)
    return ECKey.import_key(cast("EllipticCurvePublicKey", public))
