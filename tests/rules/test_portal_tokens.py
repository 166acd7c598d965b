"""Tokens of customers: what is one, and all that isn't."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from service.kernel.errors import Invalid
from service.portal.signing_keys import Ed25519Jwk, P256Jwk, imported
from service.portal.tokens import (
    ED25519,
    ES256,
    PLAY,
    READ,
    REDEEM,
    BadToken,
    Claims,
    TokenEnded,
    audience,
    key_named,
    own_key,
    sign,
    verify,
)
from tests.portal import unsigned

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
KEY, OTHER, CURVE = own_key(b"a" * 32), own_key(b"b" * 32), ECKey.generate_key("P-256")
GOOD: dict[str, Any] = {"aud": audience("tea"), "sub": "c-42", "exp": int((NOW + HOUR).timestamp())}


def signed(claims: dict[str, Any] = GOOD, header: dict[str, Any] | None = None, key: Any = KEY) -> str:
    """Sign claims as they are."""
    algorithm = (header or {}).get("alg", "ES256" if isinstance(key, ECKey) else "Ed25519")
    return jwt.encode({"alg": algorithm, "kid": "k"} | (header or {}), claims, key, algorithms=[algorithm])


def read(token: str, now: datetime = NOW, key: Any = KEY, algorithm: str = ED25519, program: str = "tea") -> Claims:
    """Prove a token."""
    key_named(token)
    return verify(token, key=key, algorithm=algorithm, program_code=program, now=now)


def test_what_was_signed_is_read() -> None:
    for scope in (None, frozenset({READ}), frozenset({READ, REDEEM, PLAY})):
        claims = Claims("a known/customer", NOW + HOUR, scope)
        token = sign(claims, issued_at=NOW, kid="prg_tea", program_code="tea", key=KEY)
        assert key_named(token) == "prg_tea"
        assert read(token) == claims


def test_the_same_claims_are_signed_alike_and_the_key_depends_on_the_secret_alone() -> None:
    claims = Claims("c-42", NOW + HOUR)
    tokens = {
        sign(claims, issued_at=NOW, kid="k", program_code="tea", key=own_key(secret)) for secret in (b"x" * 32,) * 2
    }
    assert len(tokens) == 1
    assert own_key(b"x" * 32).as_dict() != own_key(b"y" * 32).as_dict()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_older_name_of_the_algorithm_is_good_too() -> None:
    assert read(signed(header={"alg": "EdDSA"})).customer_id == "c-42"


def test_a_token_holds_until_its_end_and_not_in_that_second() -> None:
    end = NOW + HOUR
    assert read(signed(), end - SECOND).ends_at == end
    for late in (end, end + SECOND, end + 1000 * HOUR):
        with pytest.raises(TokenEnded):
            read(signed(), late)


@pytest.mark.parametrize(
    ("what", "claims"),
    [
        ("an end of more than an hour", GOOD | {"exp": int((NOW + HOUR).timestamp()) + 61}),
        ("an end in a thousand years", GOOD | {"exp": 10**11}),
        ("an end beyond all calendars", GOOD | {"exp": 10**300}),
        ("no number as its end", GOOD | {"exp": "tomorrow"}),
        ("true as its end", GOOD | {"exp": True}),
        ("no end", {"aud": GOOD["aud"], "sub": "c-42"}),
        ("another program", GOOD | {"aud": audience("coffee")}),
        ("several audiences", GOOD | {"aud": [audience("tea"), audience("coffee")]}),
        ("no audience", {"sub": "c-42", "exp": GOOD["exp"]}),
        ("no customer", {"aud": GOOD["aud"], "exp": GOOD["exp"]}),
        ("an empty customer", GOOD | {"sub": ""}),
        ("a customer with a line feed", GOOD | {"sub": "c-42\n"}),
        ("a customer that is a number", GOOD | {"sub": 42}),
        ("a beginning in the future", GOOD | {"nbf": int(NOW.timestamp()) + 120}),
        ("issued in the future", GOOD | {"iat": int(NOW.timestamp()) + 120}),
        ("a scope that is a list", GOOD | {"scope": ["read"]}),
    ],
)
def test_a_signed_token_with_other_claims_is_none(what: str, claims: dict[str, Any]) -> None:
    with pytest.raises(BadToken) as refused:
        read(signed(claims))
    assert not isinstance(refused.value, TokenEnded), what


def test_clocks_of_partners_may_be_a_little_ahead() -> None:
    soon = int(NOW.timestamp()) + 30
    assert read(signed(GOOD | {"iat": soon, "nbf": soon})).customer_id == "c-42"


def test_nothing_else_is_a_token() -> None:
    good, parts = signed(), signed().split(".")
    public = KEY.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = KEY.as_pem(private=False)
    by_hand = unsigned({"alg": "HS256", "kid": "k"}, GOOD).rstrip(".")
    confused = [  # the public key, taken for the secret of another algorithm
        unsigned({"alg": "HS256", "kid": "k"}, GOOD, hmac.digest(secret, by_hand.encode(), "sha256"))
        for secret in (public, pem)
    ]
    wrong = [
        *("", ".", "..", "...", "a.b.c", " ", "\x00", "é.é.é", "lk_test_abc", good[:-1], good[1:], f"{good}A"),
        *(f"{parts[0]}.{parts[1]}.", f"{parts[0]}..{parts[2]}", f"{parts[1]}.{parts[0]}.{parts[2]}"),
        *(unsigned({"alg": each, "kid": "k"}, GOOD) for each in ("none", "None", "NONE", "", "Ed25519", "HS256")),
        unsigned({"alg": "Ed25519", "kid": "k"}, GOOD, b"\x00" * 64),
        unsigned({"kid": "k"}, GOOD),
        *confused,
        signed(key=OTHER),
        signed(key=CURVE),
        f"{parts[0]}.{unsigned({}, GOOD | {'sub': 'c-43'}).split('.')[1]}.{parts[2]}",
        good + "." + parts[2],
        "a" * 5000 + "." + parts[1] + "." + parts[2],
        unsigned({"alg": "Ed25519", "kid": "k", "x" * 10: "[" * 3000}, GOOD),
    ]
    for each in wrong:
        with pytest.raises(BadToken):
            read(each)


def test_a_token_brings_no_key_along_and_points_to_none() -> None:
    own = OTHER.as_dict(private=False)
    for more in (
        {"jwk": own},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
        {"b64": True},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ):
        header = json.loads(json.dumps({"alg": "Ed25519", "kid": "k"} | more))
        with pytest.raises(BadToken):
            key_named(unsigned(header, GOOD))


def test_a_key_goes_with_its_own_algorithm_alone() -> None:
    assert read(signed(key=CURVE), key=CURVE, algorithm=ES256).customer_id == "c-42"
    with pytest.raises(BadToken):
        read(signed(key=CURVE), key=CURVE, algorithm=ED25519)
    with pytest.raises(BadToken):
        read(signed(), key=KEY, algorithm=ES256)


def test_public_keys_are_points_of_their_curve() -> None:
    made = CURVE.as_dict(private=False)
    assert imported(P256Jwk("P-256", str(made["x"]), str(made["y"])))[0] == ES256
    okp = OKPKey.generate_key("Ed25519").as_dict(private=False)
    assert imported(Ed25519Jwk("Ed25519", str(okp["x"])))[0] == ED25519
    for jwk in (P256Jwk("P-256", "A" * 43, "A" * 43), P256Jwk("P-256", str(made["y"]), str(made["x"]))):
        with pytest.raises(Invalid) as refused:
            imported(jwk)
        assert refused.value.pointer == "/jwk"
