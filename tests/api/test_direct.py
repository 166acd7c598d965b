"""The short way of the hot routes answers as the framework does, to the letter."""

import re
from typing import Any

import pytest

from service.platform.roles import Role
from tests.shop import Answer, Shop, purchase

# What sends a call the long way without changing what it means: the content type spelt otherwise, an empty query.
LONG_WAY = {"Content-Type": "application/json; charset=utf-8"}

BODIES: list[Any] = [
    purchase(id="same"),
    purchase(id="same"),
    purchase(id="same", total=1),
    purchase(total="5"),
    purchase(total=-1),
    purchase(currency="XXX"),
    purchase(occurred_at="2026-01-01T00:00:00"),
    purchase(occurred_at="2999-01-01T00:00:00Z"),
    purchase(customer_id=...),
    purchase(extra=1),
    purchase(id="a\u0000"),
    purchase(id=""),
    [],
    "x",
    None,
    5,
    purchase(referral_code="NONE"),
    purchase(total=0),
    purchase(items=[{"id": "1", "amount": 5}, {"id": "1", "amount": 5}]),
    purchase(metadata={"deep": {"a": [1, 2, {"b": None}]}}),
]
RAW = [b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 100, b"\xef\xbb\xbf{}", b"NaN", b" "]


def comparable(answer: Answer) -> tuple[int, str, dict[str, str]]:
    """Leave out what differs from call to call."""
    text = re.sub(r'"request_id":"[^"]*"', "", answer.text)
    differing = {"date", "request-id", "content-length", "ratelimit"}
    headers = {name: value for name, value in answer.headers.items() if name not in differing}
    return answer.status, text, headers


@pytest.mark.parametrize("number", range(len(BODIES)))
async def test_every_body_is_answered_alike_by_both_ways(new_shop: Any, number: int) -> None:
    short, long = await new_shop(), await new_shop()
    for body in BODIES[: number + 1] if number < 3 else [BODIES[number]]:
        ways = [
            await short.call("POST", "/v1/purchases", body, headers={}),
            await long.call("POST", "/v1/purchases", body, headers=LONG_WAY),
        ]
        assert comparable(ways[0]) == comparable(ways[1]), body


@pytest.mark.parametrize("raw", RAW)
async def test_what_is_no_json_is_answered_alike_by_both_ways(shop: Shop, raw: bytes) -> None:
    short = await shop.call("POST", "/v1/purchases", raw=raw)
    long = await shop.call("POST", "/v1/purchases", raw=raw, headers=LONG_WAY)
    assert comparable(short) == comparable(long)


@pytest.mark.parametrize("role", [*Role, None])
async def test_roles_and_missing_keys_are_answered_alike_by_both_ways(shop: Shop, role: Role | None) -> None:
    await shop.call("PUT", "/v1/customers/c-42", {}, role=Role.ADMIN)
    for method, path, body in (
        ("POST", "/v1/purchases", purchase(id="order-1")),
        ("GET", "/v1/customers/c-42/balance", None),
        ("GET", "/v1/customers/unknown/balance", None),
        ("GET", "/v1/customers/a%2Fb/balance", None),
    ):
        await shop.buy(id="order-1")
        short = await shop.call(method, path, body, role=role)
        long = await shop.call(method, path + "?unused=1", body, role=role)
        assert comparable(short) == comparable(long), (path, role)
