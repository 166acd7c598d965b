"""Tokens of customers through HTTP: who gets one, where it gets in, and everything that doesn't."""

import time
from datetime import datetime

import pytest
from joserfc.jwk import ECKey, OKPKey

from service.platform.roles import Role
from tests.api.operations import OPERATIONS
from tests.conftest import NewShop
from tests.portal import Partner, allow, call_as, session, token_of, unsigned
from tests.shop import Shop, unique


async def test_a_partner_gets_a_token_with_a_link_and_an_end(shop: Shop) -> None:
    await shop.buy()
    made = await session(shop, expires_in=600)
    assert made["url"] == f"{shop.address}/portal?token={made['token']}"
    ends = datetime.fromisoformat(made["expires_at"]).timestamp()
    assert 590 < ends - time.time() <= 601
    assert (await call_as(shop, made["token"], "/v1/me")).body["customer_id"] == "c-42"


async def test_it_is_kept_by_nobody_on_the_way(shop: Shop) -> None:
    await shop.buy()
    answer = await shop.post("/v1/customers/c-42/portal-sessions", {}, Role.PORTAL)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_repetition_gets_the_same_token_and_stores_none(shop: Shop) -> None:
    await shop.buy()
    key = unique("key")
    path = "/v1/customers/c-42/portal-sessions"
    first, again = [await shop.post(path, {}, Role.PORTAL, Idempotency_Key=key) for _ in range(2)]
    assert (first.body, first.replayed, again.replayed) == (again.body, False, True)
    other = await shop.post("/v1/customers/c-43/portal-sessions", {}, Role.PORTAL, Idempotency_Key=key)
    assert other.code == "idempotency_key_reused"


async def test_there_are_none_of_nobody_and_none_for_trying(shop: Shop) -> None:
    assert (await shop.post("/v1/customers/nobody/portal-sessions", {}, Role.PORTAL)).status == 404
    await shop.buy()
    tried = await shop.post("/v1/customers/c-42/portal-sessions?dry_run=true", {}, Role.PORTAL)
    assert tried.body["errors"][0]["code"] == "no_dry_run"
    for seconds in (0, 59, 3601):
        refused = await shop.post("/v1/customers/c-42/portal-sessions", {"expires_in": seconds}, Role.PORTAL)
        assert refused.pointer == "/expires_in"


@pytest.mark.parametrize("curve", ["Ed25519", "P-256"])
async def test_a_partner_signs_tokens_itself(shop: Shop, curve: str) -> None:
    await shop.buy()
    partner = await Partner.registered(shop, curve=curve)
    assert (await call_as(shop, partner.sign(), "/v1/me")).status == 200
    wrong = [
        partner.sign(exp=int(time.time()) - 1),
        partner.sign(exp=int(time.time()) + 4000),
        partner.sign(exp=...),
        partner.sign(aud="urn:loyalty:program:another"),
        partner.sign(header={"kid": "sgk_00000000000070008000000000000000"}),
        partner.sign(header={"kid": f"prg_{shop.program.code}"}),
        partner.sign()[:-4] + "AAAA",
        unsigned({"alg": "none", "kid": partner.kid}, {"aud": partner.audience, "sub": "c-42", "exp": 10**10}),
        "",
        *shop.keys.values(),
    ]
    answers = [await call_as(shop, each, "/v1/me") for each in wrong]
    assert {(each.status, each.code) for each in answers} == {(401, "unauthenticated")}
    assert {each.headers["www-authenticate"] for each in answers} == {"Bearer"}


async def test_a_revoked_key_gets_in_nowhere(shop: Shop) -> None:
    await shop.buy()
    partner = await Partner.registered(shop)
    token = partner.sign()
    assert (await call_as(shop, token, "/v1/me")).status == 200
    revoked = await shop.post(f"/v1/signing-keys/{partner.kid}/revoke", {}, Role.ADMIN)
    assert revoked.body["revoked_at"]
    assert (await call_as(shop, token, "/v1/me")).status == 401
    again = await shop.post(f"/v1/signing-keys/{partner.kid}/revoke", {}, Role.ADMIN)
    assert again.body == revoked.body


async def test_a_token_of_one_program_gets_into_no_other(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    for each in (shop, other):
        await each.buy()
    partner = await Partner.registered(shop)
    swapped = [
        partner.sign(aud=f"urn:loyalty:program:{other.program.code}"),
        partner.sign(header={"kid": f"prg_{other.program.code}"}, aud=f"urn:loyalty:program:{other.program.code}"),
    ]
    for token in swapped:
        assert (await call_as(other, token, "/v1/me")).status == 401
    mine = await call_as(other, await token_of(shop), "/v1/me")
    assert mine.body["partner"]["program"] == shop.program.code


async def test_a_token_gets_in_nowhere_else(shop: Shop) -> None:
    await shop.buy()
    token = await token_of(shop)
    for operation in OPERATIONS:
        answer = await operation.call(shop, None, id="c-42", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 401, operation.name


async def test_keys_of_portals_redeem_and_play_where_the_program_says_so(shop: Shop) -> None:
    await shop.buy(total=100_000)
    body = {"customer_id": "c-42", "points": 10}
    assert (await shop.post("/v1/redemptions", body, Role.PORTAL, Idempotency_Key=unique("key"))).status == 403
    await allow(shop, may_redeem=True)
    assert (await shop.post("/v1/redemptions", body, Role.PORTAL, Idempotency_Key=unique("key"))).status == 201
    play = {"customer_id": "c-42"}
    path = "/v1/campaigns/cmp_00000000000070008000000000000000/plays"
    assert (await shop.post(path, play, Role.PORTAL, Idempotency_Key=unique("key"))).status == 403
    await allow(shop, may_play=True)
    assert (await shop.post(path, play, Role.PORTAL, Idempotency_Key=unique("key"))).status == 404
    assert (await shop.post("/v1/redemptions", body, Role.PORTAL, Idempotency_Key=unique("key"))).status == 403


async def test_private_keys_and_odd_ones_are_refused_with_a_pointer(shop: Shop) -> None:
    private = OKPKey.generate_key("Ed25519").as_dict(private=True)
    large = ECKey.generate_key("P-384").as_dict(private=False)
    for jwk, pointer in [
        (private, "/jwk"),
        (large, "/jwk/crv"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "/jwk/kty"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "/jwk/kty"),
        ({"kty": "OKP", "crv": "Ed448", "x": "A" * 43}, "/jwk/crv"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "short"}, "/jwk/x"),
        ({"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}, "/jwk"),
    ]:
        answer = await shop.post("/v1/signing-keys", {"jwk": jwk}, Role.ADMIN)
        assert answer.pointer.startswith(pointer), answer.text
        assert "private" not in answer.text or "d" not in jwk or str(jwk["d"]) not in answer.text


async def test_a_program_has_ten_keys_at_most_and_one_that_is_revoked_is_none(shop: Shop) -> None:
    made = [await Partner.registered(shop) for _ in range(10)]
    jwk = OKPKey.generate_key("Ed25519").as_dict(private=False)
    assert (await shop.post("/v1/signing-keys", {"jwk": jwk}, Role.ADMIN)).code == "too_many_signing_keys"
    await shop.post(f"/v1/signing-keys/{made[0].kid}/revoke", {}, Role.ADMIN)
    assert (await shop.post("/v1/signing-keys", {"jwk": jwk}, Role.ADMIN)).status == 201
    listed = await shop.get("/v1/signing-keys", Role.ADMIN)
    assert len(listed.body["data"]) == 11
