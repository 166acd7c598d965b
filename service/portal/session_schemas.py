"""Tokens and signing keys on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.portal.signing_keys import PREFIX, PublicJwk, SigningKey


class NewPortalSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many seconds the token lasts; `read_only`: also where the program lets customers redeem or play."""

    expires_in: Annotated[int, Meta(ge=60, le=3_600)] = 900
    read_only: bool = False


class PortalSessionOut(msgspec.Struct, frozen=True):
    """A token with which a customer's page or the widget reads that one customer, and a link that opens the page."""

    token: str
    url: str
    expires_at: Time


class NewSigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key to register, of Ed25519 or P-256."""

    jwk: PublicJwk
    name: Annotated[str, Meta(min_length=1, max_length=200)] = "Signing key"


class SigningKeyOut(msgspec.Struct, frozen=True):
    """A public key of the program's. Tokens that it signs say `id` as their `kid` and `audience` as their `aud`."""

    id: str
    name: str
    algorithm: str
    audience: str
    created_at: Time
    revoked_at: Time | None


def signing_key_out(key: SigningKey, audience: str) -> SigningKeyOut:
    """Render a key."""
    return SigningKeyOut(to_wire(PREFIX, key.id), key.name, key.algorithm, audience, key.created_at, key.revoked_at)
