"""Many want the same points at once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from service.platform.statements import Db
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time


async def command(shop: Shop, path: str, body: dict[str, Any]) -> Answer:
    return await shop.post(path, body, Idempotency_Key=unique("key"))


async def test_fifty_at_once_for_the_last_points_and_exactly_those_that_fit_succeed(shop: Shop) -> None:
    await shop.buy(total=10_000)
    body = {"customer_id": "c-42", "points": 9}
    answers = await asyncio.gather(*(command(shop, "/v1/redemptions", body) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [201] * 11 + [409] * 39
    assert {answer.code for answer in answers if answer.status == 409} == {"insufficient_points"}
    assert await shop.balance("c-42") == {"available": 1, "pending": 0, "held": 99, "debt": 0}


async def test_fifty_captures_and_releases_of_one_redemption_have_one_winner(shop: Shop) -> None:
    await shop.buy(total=10_000)
    held = await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 100})
    paths = [f"/v1/redemptions/{held.body['id']}/{verb}" for verb in ("capture", "release")] * 25
    answers = await asyncio.gather(*(command(shop, path, {}) for path in paths))
    statuses = [{answer.status for answer in answers[verb::2]} for verb in (0, 1)]
    assert sorted(map(sorted, statuses)) == [[200], [409]]
    spent = statuses[0] == {200}
    balance = await shop.balance("c-42")
    assert (balance["available"], balance["held"]) == (0 if spent else 100, 0)


@pytest.mark.parametrize("turn", range(5))
async def test_purchases_and_redemptions_of_one_customer_at_once_lose_nothing(shop: Shop, turn: int) -> None:
    await shop.buy(total=10_000)
    calls = [shop.buy(total=1_000) for _ in range(20)]
    calls += [command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 7 + turn}) for _ in range(10)]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {201}
    held = 10 * (7 + turn)
    assert await shop.balance("c-42") == {"available": 300 - held, "pending": 0, "held": held, "debt": 0}


async def test_of_a_lapse_and_a_capture_at_the_same_moment_one_wins(shop: Shop, owner: Db) -> None:
    """The redemption is over by time while it is captured: purchases that settle it race with captures of it."""
    await shop.buy(total=10_000)
    held = await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 100, "expires_in": 60})
    await pass_time(owner, shop.program.id, timedelta(seconds=60))
    path = f"/v1/redemptions/{held.body['id']}/capture"
    calls = [call for _ in range(10) for call in (shop.buy(total=0), command(shop, path, {}))]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers[::2]} == {201}
    assert {(answer.status, answer.code) for answer in answers[1::2]} == {(409, "hold_not_open")}
    assert await shop.balance("c-42") == {"available": 100, "pending": 0, "held": 0, "debt": 0}
