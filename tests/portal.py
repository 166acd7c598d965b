"""Customers who call with tokens, as tests play them."""

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from service.platform.roles import Role
from tests.shop import Answer, Shop


def path_to(customer_id: str) -> str:
    """Spell a customer's id in a path."""
    from urllib.parse import quote

    return f"/v1/customers/{quote(customer_id, safe='')}"


async def session(shop: Shop, customer_id: str = "c-42", **body: Any) -> dict[str, Any]:
    """Ask for a token of a customer, as a partner's server does."""
    answer = await shop.post(f"{path_to(customer_id)}/portal-sessions", body, Role.PORTAL)
    assert answer.status == 201, answer.text
    return answer.body


async def token_of(shop: Shop, customer_id: str = "c-42", **body: Any) -> str:
    """Get a token of a customer."""
    return (await session(shop, customer_id, **body))["token"]


async def call_as(shop: Shop, token: str, path: str, body: Any = None, *, method: str = "", **headers: str) -> Answer:
    """Call as a customer with a token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    method = method or ("GET" if body is None else "POST")
    return await shop.call(method, path, body, role=None, headers={"Authorization": f"Bearer {token}"} | named)


async def allow(shop: Shop, **portal: Any) -> None:
    """Set what the program says of its portal."""
    answer = await shop.call("PATCH", "/v1/program", {"settings": {"portal": portal}}, role=Role.ADMIN)
    assert answer.status == 200, answer.text


class Partner:
    """A partner's server with a key of its own, registered with a program."""

    def __init__(self, shop: Shop, key: OKPKey | ECKey, kid: str, audience: str) -> None:
        self.shop, self.key, self.kid, self.audience = shop, key, kid, audience

    @classmethod
    async def registered(cls, shop: Shop, *, curve: str = "Ed25519") -> "Partner":
        """Make a key and register its public half."""
        if curve == "Ed25519":
            key: OKPKey | ECKey = OKPKey.import_key(Ed25519PrivateKey.generate())
        else:
            key = ECKey.generate_key("P-256")
        answer = await shop.post("/v1/signing-keys", {"jwk": key.as_dict(private=False)}, Role.ADMIN)
        assert answer.status == 201, answer.text
        return cls(shop, key, answer.body["id"], answer.body["audience"])

    def sign(self, customer_id: str = "c-42", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign a token of five minutes, or what is told otherwise; `...` leaves a claim out."""
        algorithm = "Ed25519" if isinstance(self.key, OKPKey) else "ES256"
        said = {"aud": self.audience, "sub": customer_id, "exp": int(time.time()) + 300} | claims
        said = {name: value for name, value in said.items() if value is not ...}
        return jwt.encode(
            {"alg": algorithm, "kid": self.kid} | (header or {}), said, self.key, algorithms=[algorithm, "EdDSA"]
        )


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Put a token together that nobody signed."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts)
